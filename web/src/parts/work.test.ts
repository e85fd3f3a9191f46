import { describe, expect, test } from "vitest";
import type { Delivery, Handoff, LadderStep } from "../api/types";
import { t } from "../texts";
import { allowed } from "./actions";
import { stepText } from "./ladder";
import { initials } from "./people";
import { byTrouble, standing, sums } from "./told";
import { wait, waitText } from "./wait";

const now = Date.parse("2026-11-25T10:00:00Z");

describe("allowed follows section 3 of the contract", () => {
  const sam = { user_id: "sam", role: "engineer" }; // sends
  const ana = { user_id: "ana", role: "engineer" }; // holds, or asked
  const ben = { user_id: "ben", role: "engineer" };
  const ada = { user_id: "ada", role: "admin" };
  const base = {
    intent: "escalate",
    handed_off_by: "sam",
    claimed_by: null,
    target_user_id: null,
    reserved_until: null,
  };
  const queued = { ...base, status: "queued" };
  const parked = { ...queued, intent: "park" };
  const kept = { ...queued, target_user_id: "ana", reserved_until: "2026-11-25T10:10:00Z" };
  const free = { ...kept, reserved_until: "2026-11-25T09:59:59Z" };
  const claimed = { ...base, status: "claimed", claimed_by: "ana" };
  const resumed = { ...base, status: "claimed", intent: "park", claimed_by: "sam" };
  const returned = { ...base, status: "returned", target_user_id: "ana" };
  test.each([
    ["sam", "queued", sam, queued, "cancel"],
    ["ana", "queued", ana, queued, "claim"],
    ["ada", "queued", ada, queued, "cancel claim reassign"],
    ["sam", "parked", sam, parked, "cancel claim"],
    ["ana", "kept for ana", ana, kept, "claim"],
    ["ben", "kept for ana", ben, kept, ""],
    ["ada", "kept for ana", ada, kept, "cancel reassign"],
    ["ben", "no longer kept", ben, free, "claim"],
    ["ana", "claimed by ana", ana, claimed, "reassign release resolve return"],
    ["ben", "claimed by ana", ben, claimed, ""],
    ["sam", "claimed by ana", sam, claimed, ""],
    ["ada", "claimed by ana", ada, claimed, "reassign release resolve return"],
    ["sam", "resumed by sam", sam, resumed, "reassign release resolve"],
    ["sam", "returned by ana", sam, returned, "answer cancel"],
    ["ana", "returned by ana", ana, returned, "reassign release resolve"],
    ["ben", "returned by ana", ben, returned, ""],
    ["ada", "returned by ana", ada, returned, "answer cancel reassign release resolve"],
    ["ada", "resolved", ada, { ...base, status: "resolved" }, ""],
    ["ada", "of a later kind", ada, { ...base, status: "paused_by_customer" }, ""],
  ] as const)("%s, %s", (_, __, who, h, may) => {
    expect([...allowed(h as unknown as Handoff, who, now)].sort().join(" ")).toBe(may);
  });
});

describe("a wait against its target", () => {
  const c = { createdAt: "2026-11-25T08:00:00Z", queuedAt: "2026-11-25T09:48:00Z", claimBy: "2026-11-25T10:18:00Z" };
  test("counts since it was last queued", () => {
    expect(wait(c, now)).toEqual({ waited: 12 * 60_000, allowed: 30 * 60_000, share: 0.4, over: 0 });
    expect(waitText(c, now)).toBe("Waits 12 min of 30 min");
  });
  test("says plainly that it is overdue", () => {
    expect(wait(c, now + 25 * 60_000)).toMatchObject({ share: 1, over: 7 * 60_000 });
    expect(waitText(c, now + 25 * 60_000)).toBe("Overdue by 7 min");
  });
  test("over a night the time of day says more", () => {
    expect(waitText({ ...c, claimBy: "2026-11-26T08:20:00Z" }, now)).toMatch(/^Waits 12 min, due .*\d/);
  });
  test("without a target it is a wait", () => {
    expect(waitText({ ...c, queuedAt: null, claimBy: null }, now)).toBe("Waits 2 h");
    expect(wait({ ...c, claimBy: null }, now).share).toBe(0);
  });
  test("a clock that is behind breaks nothing", () => {
    expect(wait(c, now - 3600_000)).toMatchObject({ waited: 0, share: 0, over: 0 });
  });
});

describe("who is told", () => {
  const d = (state: string, change: object = {}): Delivery =>
    ({
      id: state,
      state,
      attempts: 0,
      sent_at: null,
      held_until: null,
      next_attempt_at: null,
      created_at: "2026-11-25T09:00:00Z",
      ...change,
    }) as unknown as Delivery;
  test("trouble comes first, and then the newest", () => {
    const list = [d("done"), d("skipped"), d("held"), d("failed"), d("pending"), d("retrying")];
    expect(list.sort(byTrouble).map((x) => x.state)).toEqual([
      "failed",
      "retrying",
      "held",
      "pending",
      "done",
      "skipped",
    ]);
    expect(byTrouble(d("done", { created_at: "2026-11-25T09:30:00Z" }), d("done"))).toBeLessThan(0);
  });
  test("what goes its way is summed up", () => {
    const held = [d("held", { held_until: "2026-11-25T22:00:00Z" }), d("held", { held_until: "2026-11-25T21:00:00Z" })];
    expect(sums([...held, d("done"), d("pending"), d("skipped"), d("skipped")])).toEqual([
      expect.stringMatching(/^2 held back until .*, to be told together$/),
      "1 on the way",
      "1 message sent",
      "2 no longer needed",
    ]);
    expect(sums([])).toEqual([]);
  });
  test("each says what it waits for", () => {
    expect(standing(d("done", { sent_at: "2026-11-25T09:01:00Z", attempts: 1 }))).toMatch(/\d/);
    expect(standing(d("held", { held_until: "2026-11-25T22:00:00Z" }))).toMatch(/^until /);
    expect(standing(d("retrying", { next_attempt_at: "2026-11-25T10:01:00Z", attempts: 3 }))).toMatch(
      /^next try at .*, 3 attempts$/,
    );
    expect(standing(d("failed", { attempts: 1 }))).toBe("1 attempt");
    expect(standing(d("pending"))).toBe("");
  });
});

test("a step of the ladder is a sentence", () => {
  const step = (s: object) => stepText(s as LadderStep);
  expect(step({ after_seconds: 0, to: [{ who: "target" }, { who: "team" }] })).toBe(
    "At once: whom it is for, the team",
  );
  expect(
    step({
      after_seconds: 1800,
      to: [{ who: "admins" }, { who: "admins" }],
      repeat_every_seconds: 600,
      repeat_times: 3,
    }),
  ).toBe("After 30 min: the admins, again every 10 min, 3 times");
  expect(step({ to: [{ who: "oracle" }] })).toBe("At once: oracle");
});

test.each([
  ["Ana Costa", "AC"],
  ["  ana  maria de costa ", "AC"],
  ["Cher", "C"],
  ["Ünal Öz", "ÜÖ"],
  ["😀 Smile", "😀S"],
  ["", "?"],
])("initials of %j are %s", (name, letters) => expect(initials(name)).toBe(letters));

test("who looks at something is a sentence", () => {
  expect(t.presence.looks(["Ana"])).toBe("Ana is looking at this");
  expect(t.presence.looks(["Ana", "Ben", "Cy"])).toBe("Ana, Ben and Cy are looking at this");
});
