// What the rules of a ladder come to: the same reckoning as the server's, so that a page can show it while one writes.
import type { Schemas } from "../api/types";

export type Rule = Schemas["LadderRule"];
export type Policy = Schemas["LadderPolicy"];
export type Step = Schemas["LadderStep"];
export type Audience = Schemas["LadderAudience"];
export type Hours = Schemas["LadderHours"];
export type Priority = Schemas["Priority"];
export type Effective = Schemas["EffectiveLadder"];

export const priorities: Priority[] = ["critical", "high", "normal", "low"];
export const sections = ["steps", "claim_within_seconds", "hours", "lease", "park", "reserve_seconds"] as const;
export type Section = (typeof sections)[number];

/** What a rule is for. There is one rule for a scope. */
export const scopeOf = (r: Rule) => `${r.team_id ?? ""}/${r.priority ?? ""}`;

/** The heavier of two rules has the last word: a priority's, then a team's, then a priority's in a team. */
export const weight = (r: Rule) => (r.priority ? 1 : 0) + (r.team_id ? 2 : 0);

const covers = (r: Rule, team: string | null, p: Priority) =>
  (!r.priority || r.priority === p) && (!r.team_id || r.team_id === team);

/** The policy that follows from rules for a team, or none, and a priority. */
export function policyFor(rules: Rule[], defaults: Effective[], team: string | null, p: Priority): Policy | undefined {
  const usual = defaults.find((d) => d.priority === p)?.policy;
  if (!usual) return undefined;
  const policy = { ...usual };
  for (const r of rules.filter((r) => covers(r, team, p)).sort((a, b) => weight(a) - weight(b)))
    for (const s of sections) if (r[s] !== undefined) Object.assign(policy, { [s]: r[s] });
  return policy;
}

/** What would hold without a rule, for the priorities that it covers; those with the same policy together. */
export function without(rule: Rule, rules: Rule[], defaults: Effective[], section: Section) {
  const lighter = rules.filter((r) => weight(r) < weight(rule));
  const groups: { priorities: Priority[]; policy: Policy }[] = [];
  for (const p of rule.priority ? [rule.priority] : priorities) {
    const policy = policyFor(lighter, defaults, rule.team_id ?? null, p);
    if (!policy) continue;
    const same = groups.find((g) => JSON.stringify(g.policy[section]) === JSON.stringify(policy[section]));
    if (same) same.priorities.push(p);
    else groups.push({ priorities: [p], policy });
  }
  return groups;
}

/** The rules that have the last word over another one's section, for a part of what that one is for. */
export function overruled(rule: Rule, rules: Rule[], section: Section): Rule[] {
  return rules.filter(
    (r) =>
      weight(r) > weight(rule) &&
      r[section] !== undefined &&
      (!rule.team_id || r.team_id === rule.team_id) &&
      (!rule.priority || !r.priority || r.priority === rule.priority),
  );
}

/** How often a step is repeated before the next one begins. */
export function repeats(step: Step, next: Step | undefined): number {
  const every = step.repeat_every_seconds ?? 0;
  const times = step.repeat_times ?? 0;
  if (every <= 0 || times <= 0) return 0;
  if (!next) return times;
  const room = (next.after_seconds ?? 0) - (step.after_seconds ?? 0);
  return Math.max(0, Math.min(times, Math.ceil(room / every) - 1));
}

/** When the last of the steps calls for the last time, in seconds; null when nobody is called. */
export function lastCall(steps: Step[]): number | null {
  const last = steps.at(-1);
  if (!last) return null;
  return (last.after_seconds ?? 0) + repeats(last, undefined) * (last.repeat_every_seconds ?? 0);
}

/** A step to begin with, after those that are there. */
export function nextStep(steps: Step[]): Step {
  const last = steps.at(-1);
  return {
    after_seconds: last ? (last.after_seconds ?? 0) + 600 : 0,
    to: last ? [{ who: "team" }, { who: "admins" }] : [{ who: "target" }, { who: "team" }],
    repeat_every_seconds: 0,
    repeat_times: 0,
  };
}
