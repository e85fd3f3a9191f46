// When a parked session is due, as the form offers it.
import type { Wake } from "../api/types";
import { t } from "../texts";

export type WakeChoice = "never" | "hour" | "hours" | "morning" | "at";

/** What can be chosen. At night the next morning is today's. */
export function wakeChoices(now: Date): [WakeChoice, string][] {
  return [
    ["never", t.wake.never],
    ["hour", t.wake.hour],
    ["hours", t.wake.hours],
    ["morning", now.getHours() < 8 ? t.wake.morningSoon : t.wake.morning],
    ["at", t.wake.at],
  ];
}

/** The choice as the API takes it. At is what a field for date and time says, in the reader's zone. */
export function wakeOf(
  choice: WakeChoice,
  at: string,
  zone = Intl.DateTimeFormat().resolvedOptions().timeZone,
): Wake | null {
  switch (choice) {
    case "hour":
      return { after_minutes: 60 };
    case "hours":
      return { after_minutes: 240 };
    case "morning":
      return { local_time: "08:00", zone: zone || "UTC" };
    case "at": {
      const time = new Date(at);
      return Number.isNaN(time.getTime()) ? null : { at: time.toISOString() };
    }
    default:
      return null;
  }
}
