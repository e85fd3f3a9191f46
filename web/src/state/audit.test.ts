import { expect, test } from "vitest";
import { actorOf, inWords } from "./audit";

const names = { team: () => "Network", user: () => "Ana", channel: () => "Dispatch board" };
const team = "01a210fa-69ea-7d8a-a0dc-ee2d10b18b6d";
const say = (field: string, before: string | null, after: string | null, secret = false) =>
  inWords({ field, before, after, secret }, names);

test("changes in words", () => {
  expect(say("role", "engineer", "admin")).toBe("role: engineer → admin");
  expect(say("monthly_budget_usd", "12", null)).toBe("budget in US dollars a month: 12 → nothing");
  expect(say("options.set_owner", "false", "true")).toBe("set owner: no → yes");
  expect(say("credentials.private_key", null, null, true)).toBe("private key: changed (a secret, which is not told)");
  expect(say("rules.account.hours.zone", null, "Europe/Berlin")).toBe("Everything › time zone: Europe/Berlin");
  expect(say(`rules.team/${team}/critical.claim_within_seconds`, "600", "300")).toBe(
    "Critical in Network › should be claimed within: 10 min → 5 min",
  );
  expect(say("rules.account/low.steps", null, '[{"after_seconds":60,"to":[{"who":"team"}]}]')).toBe(
    "Low › who is called when: After 1 min: the whole team.",
  );
  expect(say("rules.account.hours.week", '[{"days":["mon","tue","wed"],"from":"08:00","to":"18:00"}]', "[]")).toBe(
    "Everything › working hours: Mon to Wed 08:00 to 18:00 → nothing",
  );
  expect(say(`rules.team/${team}.team_id`, null, team)).toBeNull();
});

test("what is not understood stays as it is", () => {
  expect(say("rules.account.steps", null, "[not json")).toBe("Everything › who is called when: [not json");
  expect(say("name", null, '{"a":1}')).toBe('name: {"a":1}');
});

test("who did it", () => {
  const of = (actor_kind: string) => actorOf({ actor_kind, actor_name: "Ada", api_key_name: "RMM" });
  expect(["user", "api_key", "operator", "system"].map(of)).toEqual([
    "Ada",
    "Ada, by the key RMM",
    "Operator of Baton",
    "Baton",
  ]);
});
