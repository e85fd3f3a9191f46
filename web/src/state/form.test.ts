import { describe, expect, test } from "vitest";
import { at, changes, place, put, sentence, touched, unplaced } from "./form";

const body = { name: "a", options: { to: "x" }, rules: [{ steps: [{ after: 0 }, { after: 60 }] }] };

describe("a pointer", () => {
  test("finds, and finds nothing without harm", () => {
    expect(at(body, "/rules/0/steps/1/after")).toBe(60);
    expect(at(body, "/nothing/at/all")).toBeUndefined();
    expect(at(body, "")).toBe(body);
    expect(at({ "a/b~c": 1 }, "/a~1b~0c")).toBe(1);
  });
  test("puts into a copy", () => {
    const next = put(body, "/rules/0/steps/1/after", 90);
    expect(at(next, "/rules/0/steps/1/after")).toBe(90);
    expect(at(body, "/rules/0/steps/1/after")).toBe(60);
    expect(next.options).toBe(body.options);
  });
  test("puts where there is nothing yet, and takes out", () => {
    expect(put({}, "/credentials/token", "x")).toEqual({ credentials: { token: "x" } });
    expect(put(body, "/options/to", undefined).options).toEqual({});
    expect(put(body, "/rules/0/steps/0", undefined).rules[0]?.steps).toEqual([{ after: 60 }]);
    expect(put({ "a/b": { c: 1 } }, "/a~1b/c", 2)).toEqual({ "a/b": { c: 2 } });
  });
});

describe("changes", () => {
  test("names what differs, and nothing else", () => {
    expect(changes(body, put(body, "/options/to", "y"))).toEqual(["/options/to"]);
    expect(changes(body, put(put(body, "/name", "b"), "/rules/0/steps/0/after", 5))).toEqual([
      "/name",
      "/rules/0/steps/0/after",
    ]);
    expect(changes(body, structuredClone(body))).toEqual([]);
  });
  test("counts a list of another length once", () => {
    expect(changes(body, put(body, "/rules/0/steps/2", { after: 99 }))).toEqual(["/rules/0/steps"]);
    expect(changes(body, put(body, "/rules/0/steps/0", undefined))).toEqual(["/rules/0/steps"]);
  });
  test("takes null and nothing for the same, and an empty text for something", () => {
    expect(changes({ a: null }, {})).toEqual([]);
    expect(changes({}, { a: "" })).toEqual(["/a"]);
    expect(changes({ a: [] }, { a: {} })).toEqual(["/a"]);
  });
  test("a put and its undoing leave no change", () => {
    expect(changes(body, put(put(body, "/name", "b"), "/name", "a"))).toEqual([]);
  });
  test("are of a field when they are at it or below it", () => {
    expect(touched(["/rules/0/steps"], "/rules/0/steps/1/after")).toBe(false);
    expect(touched(["/rules/0/steps/1"], "/rules/0")).toBe(true);
    expect(touched(["/name"], "/name")).toBe(true);
    expect(touched(["/rules/1"], "/rules/10")).toBe(false);
  });
});

describe("problems", () => {
  const all = [
    { field: "/rules/0/steps/0/to/1/who", message: "must be one of …" },
    { field: "", message: "The mail server is missing." },
  ];
  test("are shown by the most particular field, or told elsewhere", () => {
    const fields = ["/rules/0", "/rules/0/steps/0"];
    expect(all.map((p) => place(p, fields))).toEqual(["/rules/0/steps/0", undefined]);
    expect(unplaced(all, fields)).toEqual([all[1]]);
  });
  test("read as sentences", () => {
    expect(sentence("Client id", "is missing")).toBe("Client id is missing.");
    expect(sentence("Token", "Slack does not know the token.")).toBe("Slack does not know the token.");
  });
});
