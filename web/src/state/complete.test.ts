import { expect, test } from "vitest";
import { complete, looksSecret, takenOut } from "./complete";

test.each([
  ["", []],
  ["see transcript", []],
  ["The tunnel drops every 40 s.", ["problem"]],
  ["Please decide whether we roll back the firmware.", ["ask"]],
  [
    "I restarted the gateway; all users are blocked; told them by noon. Can you take over?",
    ["ask", "tried", "impact", "promise"],
  ],
])("%j", (notes, parts) => {
  expect([...complete(notes)]).toEqual(expect.arrayContaining(parts));
  if (parts.length === 0) expect(complete(notes).size).toBe(0);
});

test.each([
  ["The password is Sommer2024!", true],
  ["api_key: 0123456789abcdef", true],
  ["Reset their password and it worked.", false],
  ["Token expired at noon.", false],
])("%j looks secret: %s", (notes, secret) => expect(looksSecret(notes)).toBe(secret));

test("what was taken out of a text is shown by its kind, with what stands before it", () => {
  const text = `All fine here.\nThe firewall is at 10.0.0.1, and its password is «password:3f9a1c07b2», not the old one.\n«not:one»\nkey «api-key:0123456789»`;
  expect(takenOut(text)).toEqual(["…all is at 10.0.0.1, and its password is «password»…", "key «api-key»"]);
  expect(takenOut("nothing")).toEqual([]);
});
