import { describe, expect, test } from "vitest";
import { settings as s } from "../texts";
import {
  type Effective,
  lastCall,
  nextStep,
  overruled,
  policyFor,
  type Rule,
  repeats,
  type Step,
  without,
} from "./ladder";

const names = { user: () => "Ana", channel: () => "Dispatch board" };
const say = (step: Step, next?: Step) => s.ladder.step(step, next, names);

describe("a step as a sentence", () => {
  const admins: Step = { after_seconds: 600, to: [{ who: "admins", channels: ["email", "slack"] }] };
  test.each<[Step, Step | undefined, string]>([
    [{ to: [{ who: "target" }, { who: "team" }] }, undefined, "At once: whom it is for and the whole team."],
    [admins, undefined, "After 10 min: the admins by e-mail and Slack."],
    [
      { ...admins, repeat_every_seconds: 120, repeat_times: 4 },
      undefined,
      "After 10 min: the admins by e-mail and Slack; then every 2 min, 4 times.",
    ],
    [
      { to: [{ who: "team" }], repeat_every_seconds: 5400, repeat_times: 1 },
      undefined,
      "At once: the whole team; then once more 1 h 30 min later.",
    ],
    [
      { to: [{ who: "team" }], repeat_every_seconds: 120, repeat_times: 9 },
      admins,
      "At once: the whole team; then every 2 min, 4 times, until the next step.",
    ],
    [{ to: [{ who: "team" }], repeat_every_seconds: 900, repeat_times: 9 }, admins, "At once: the whole team."],
    [
      {
        after_seconds: 86_400,
        to: [{ who: "user", user_id: "1" }, { who: "endpoint", endpoint_id: "2" }, { who: "sender" }],
      },
      undefined,
      "After 1 day: Ana, Dispatch board and its sender.",
    ],
    [{ to: [] }, undefined, "At once: nobody."],
  ])("%j", (step, next, sentence) => {
    expect(say(step, next)).toBe(sentence);
  });
});

test("hours and leases as sentences", () => {
  const week = [
    { days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" },
    { days: ["sun", "sat"], from: "09:00", to: "13:00" },
  ];
  expect(s.ladder.say.hours({ hours: { zone: "Europe/Berlin", week, holidays: ["2026-12-25"] } })).toBe(
    "Normal and low ones call people Mon to Fri 08:00 to 18:00; Sat and Sun 09:00 to 13:00 (Europe/Berlin), but not on 1 holiday. Critical and high ones call at any time.",
  );
  expect(s.ladder.say.hours({ hours: { week: [] } })).toMatch(/any time/);
  const lease = { remind_after_seconds: 1800, ask_after_seconds: 900, take_back_after_seconds: 900 };
  expect(s.ladder.say.lease({ lease })).toBe(
    "Whoever shows no activity is reminded after 30 min, asked 15 min later, and 15 min after that it goes back into the queue.",
  );
});

test("how one is told, as a sentence", () => {
  expect(s.me.sentence({})).toBe("You are told by e-mail.");
  expect(s.me.sentence({ channels: [], priorities: { critical: ["slack", "email"] } })).toBe(
    "You are told in Baton alone; critical ones by Slack and e-mail.",
  );
  expect(s.me.sentence({ channels: ["slack"], priorities: { low: [] }, quiet: { from: "18:00", to: "08:00" } })).toBe(
    "You are told by Slack; low ones in Baton alone. From 18:00 to 08:00 (UTC) only critical ones come at once; the rest comes together afterwards.",
  );
});

describe("repeats", () => {
  test("end before the next step, also one at the same instant", () => {
    const step: Step = { after_seconds: 60, to: [], repeat_every_seconds: 60, repeat_times: 10 };
    expect(repeats(step, undefined)).toBe(10);
    expect(repeats(step, { after_seconds: 240, to: [] })).toBe(2);
    expect(repeats(step, { after_seconds: 241, to: [] })).toBe(3);
    expect(repeats({ ...step, repeat_every_seconds: 0 }, undefined)).toBe(0);
  });
  test("say when the last call comes", () => {
    expect(lastCall([])).toBeNull();
    expect(lastCall([{ to: [] }, { after_seconds: 60, to: [], repeat_every_seconds: 10, repeat_times: 3 }])).toBe(90);
  });
  test("a new step comes after the others", () => {
    expect(nextStep([]).after_seconds).toBe(0);
    expect(nextStep([{ after_seconds: 60, to: [] }]).after_seconds).toBe(660);
  });
});

describe("rules", () => {
  const policy = (within: number): Effective["policy"] => ({
    claim_within_seconds: within,
    steps: [],
    hours: {},
    lease: { remind_after_seconds: 0, ask_after_seconds: 0, take_back_after_seconds: 0 },
    park: { tell_team: false, escalate_after_seconds: 0 },
    reserve_seconds: 0,
  });
  const defaults: Effective[] = [
    { team_id: null, priority: "critical", policy: policy(1) },
    { team_id: null, priority: "high", policy: policy(2) },
    { team_id: null, priority: "normal", policy: policy(3) },
    { team_id: null, priority: "low", policy: policy(3) },
  ];
  const team = "t";
  const everything: Rule = { team_id: null, priority: null, claim_within_seconds: 10, reserve_seconds: 5 };
  const critical: Rule = { team_id: null, priority: "critical", claim_within_seconds: 20 };
  const ofTeam: Rule = { team_id: team, priority: null, claim_within_seconds: 30 };
  const both: Rule = { team_id: team, priority: "critical", claim_within_seconds: 40 };
  const rules = [both, ofTeam, critical, everything];
  const within = (t: string | null, p: Effective["priority"]) => policyFor(rules, defaults, t, p)?.claim_within_seconds;

  test("the more particular one has the last word, section by section", () => {
    expect([within(null, "low"), within(null, "critical"), within(team, "low"), within(team, "critical")]).toEqual([
      10, 20, 30, 40,
    ]);
    expect(policyFor(rules, defaults, team, "critical")?.reserve_seconds).toBe(5);
    expect(policyFor([], defaults, null, "high")?.claim_within_seconds).toBe(2);
    expect(within("another", "low")).toBe(10);
  });
  test("without one, the lighter ones hold", () => {
    const seconds = (r: Rule) =>
      without(r, rules, defaults, "claim_within_seconds").map((g) => [
        g.priorities.join(),
        g.policy.claim_within_seconds,
      ]);
    expect(seconds(everything)).toEqual([
      ["critical", 1],
      ["high", 2],
      ["normal,low", 3],
    ]);
    expect(seconds(critical)).toEqual([["critical", 10]]);
    expect(seconds(ofTeam)).toEqual([
      ["critical", 20],
      ["high,normal,low", 10],
    ]);
    expect(seconds(both)).toEqual([["critical", 30]]);
  });
  test("are overruled where another has the last word", () => {
    expect(overruled(everything, rules, "claim_within_seconds")).toEqual([both, ofTeam, critical]);
    expect(overruled(critical, rules, "claim_within_seconds")).toEqual([both, ofTeam]);
    expect(overruled(both, rules, "claim_within_seconds")).toEqual([]);
    expect(overruled(everything, rules, "steps")).toEqual([]);
  });
});
