import { expect, test } from "vitest";
import { wakeChoices, wakeOf } from "./wake";

test("each choice is what the API takes", () => {
  expect(wakeOf("never", "")).toBeNull();
  expect(wakeOf("hour", "")).toEqual({ after_minutes: 60 });
  expect(wakeOf("hours", "")).toEqual({ after_minutes: 240 });
  expect(wakeOf("morning", "", "Europe/Berlin")).toEqual({ local_time: "08:00", zone: "Europe/Berlin" });
  expect(wakeOf("morning", "", "")).toEqual({ local_time: "08:00", zone: "UTC" });
  expect(wakeOf("at", "2026-11-26T08:30")).toEqual({ at: new Date(2026, 10, 26, 8, 30).toISOString() });
  expect(wakeOf("at", "")).toBeNull();
});

test("before eight the morning is today's", () => {
  const morning = (hour: number) => wakeChoices(new Date(2026, 10, 25, hour)).find(([c]) => c === "morning")?.[1];
  expect(morning(3)).toMatch(/^Today/);
  expect(morning(9)).toMatch(/^Tomorrow/);
});
