import { describe, expect, test } from "vitest";
import { daysBetween } from "../state/range";
import { t } from "../texts";
import { countTicks, dayTicks, durationTicks, runs, shade, spread } from "./scale";

const some = [
  0, 0.4, 1, 2, 3, 5, 6, 7, 9, 10, 11, 59, 60, 61, 99, 100, 101, 900, 3599, 3600, 3601, 86_399, 86_400, 1e6, 3e7, 4e9,
];

describe.each([
  ["countTicks", countTicks],
  ["durationTicks", durationTicks],
])("%s", (name, ticks) => {
  test.each(some)("holds %d between few, even, round ticks", (most) => {
    const got = ticks(most);
    expect(got[0]).toBe(0);
    expect(got.at(-1)).toBeGreaterThanOrEqual(most);
    expect(got.length).toBeGreaterThan(1);
    expect(got.length).toBeLessThanOrEqual(6);
    expect(got.at(-2)).toBeLessThan(Math.max(most, 1));
    const step = (got[1] ?? 0) - (got[0] ?? 0);
    got.forEach((v, i) => {
      expect(v).toBe(i * step);
    });
    if (name === "durationTicks")
      for (const v of got) expect(t.duration(v)).toMatch(/^\d+ (s|min|h|d)( 15 s| 30 s| 15 min| 30 min| 12 h)?$/);
  });
});
test.each([
  [4, [0, 1, 2, 3, 4]],
  [23, [0, 5, 10, 15, 20, 25]],
  [1234, [0, 500, 1000, 1500]],
])("countTicks(%d)", (most, want) => {
  expect(countTicks(most)).toEqual(want);
});
test.each([
  [240, [0, 60, 120, 180, 240]],
  [5400, [0, 1800, 3600, 5400]],
  [200_000, [0, 43_200, 86_400, 129_600, 172_800, 216_000]],
])("durationTicks(%d)", (most, want) => {
  expect(durationTicks(most)).toEqual(want);
});

test("days on an axis are even, few, and Mondays where not all have room", () => {
  for (const n of [1, 2, 7, 14, 30, 31, 90, 366])
    for (const room of [3, 5, 8, 12]) {
      const days = daysBetween("2026-09-01", "2027-12-31").slice(0, n);
      const got = dayTicks(days, room);
      expect(got.length).toBeGreaterThan(0);
      expect(got.length).toBeLessThanOrEqual(room);
      const steps = new Set(got.slice(1).map((v, i) => v - (got[i] ?? 0)));
      expect(steps.size).toBeLessThanOrEqual(1);
      if ([...steps].some((s) => s >= 7))
        for (const i of got) expect(new Date(`${days[i]}T12:00:00Z`).getUTCDay()).toBe(1);
    }
});

test.each([
  [[], []],
  [[null], []],
  [[1], [[0]]],
  [
    [1, 2, null, 3, null, null, 4, 5],
    [[0, 1], [3], [6, 7]],
  ],
  [[null, 0, null], [[1]]],
])("runs of %j", (values, want) => {
  expect(runs(values)).toEqual(want);
});

test.each([
  [[10, 10], 14, 100, [10, 24]],
  [[99, 100], 14, 100, [86, 100]],
  [[5, 80], 14, 100, [5, 80]],
  [[80, 5], 14, 100, [80, 5]],
])("labels at %j have room", (wanted, room, most, want) => {
  expect(spread(wanted, room, most)).toEqual(want);
});

test("every value but nothing has a shade, and the most the darkest", () => {
  for (let most = 1; most < 40; most++) {
    expect(shade(0, most, 5)).toBe(0);
    expect(shade(most, most, 5)).toBe(5);
    for (let v = 1; v < most; v++) {
      expect(shade(v, most, 5)).toBeGreaterThanOrEqual(1);
      expect(shade(v, most, 5)).toBeLessThanOrEqual(shade(v + 1, most, 5));
    }
  }
});

test.each([
  [0, "0 s"],
  [0.3, "< 1 s"],
  [59.6, "1 min"],
  [61, "1 min 1 s"],
  [599, "9 min 59 s"],
  [600.4, "10 min"],
  [3570, "1 h"],
  [3599.9, "1 h"],
  [5400, "1 h 30 min"],
  [86_399, "1 d"],
  [90_000, "1 d 1 h"],
  [31 * 86_400, "31 d"],
])("%d seconds are %s", (seconds, want) => {
  expect(t.duration(seconds)).toBe(want);
});
