// The time that a report is about, as it is in the address. Days are those of a
// time zone, written as ISO 8601 has them.

export const ranges = [7, 30, 90] as const;
const longest = 366;

export interface Range {
  /** The last so many days, today included; 0 for the days from and to. */
  days: number;
  from: string;
  to: string;
  zone: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The day of an instant, in ms, by the calendar of a zone. */
export function dayOf(instant: number, zone: string): string {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
    formats.set(zone, format);
  }
  return format.format(instant);
}

const atNoon = (day: string) => Date.parse(`${day}T12:00:00Z`);

export function plusDays(day: string, n: number): string {
  return new Date(atNoon(day) + n * 86_400_000).toISOString().slice(0, 10);
}

/** Every day from one to another. */
export function daysBetween(from: string, to: string): string[] {
  const n = Math.round((atNoon(to) - atNoon(from)) / 86_400_000) + 1;
  return Array.from({ length: Math.max(0, n) }, (_, i) => plusDays(from, i));
}

/** The first instant of a day in a zone, in ms. It is searched for: not every day begins at midnight. */
export function startOf(day: string, zone: string): number {
  let before = Date.parse(`${day}T00:00:00Z`) - 16 * 3_600_000;
  let after = before + 32 * 3_600_000;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dayOf(middle, zone) < day) before = middle;
    else after = middle;
  }
  return after;
}

const isDay = (text: string | null): text is string =>
  text !== null && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(atNoon(text)) && plusDays(text, 0) === text;

export function isZone(name: string | null): name is string {
  if (!name) return false;
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

export const ownZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function readRange(query: URLSearchParams, now: number, own: string): Range {
  const named = query.get("zone");
  const zone = isZone(named) ? named : own;
  const today = dayOf(now, zone);
  const [from, to] = [query.get("from"), query.get("to")];
  if (isDay(from) && isDay(to) && from <= to) {
    return { days: 0, from: daysBetween(from, to).at(-longest) ?? from, to, zone };
  }
  const days = ranges.find((n) => String(n) === query.get("days")) ?? 30;
  return { days, from: plusDays(today, 1 - days), to: today, zone };
}

export function writeRange(r: Range, own: string): string {
  const query = new URLSearchParams();
  if (r.days === 0) {
    query.set("from", r.from);
    query.set("to", r.to);
  } else if (r.days !== 30) query.set("days", String(r.days));
  if (r.zone !== own) query.set("zone", r.zone);
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** What the API is asked for. */
export function asQuery(r: Range): string {
  const at = (day: string) => new Date(startOf(day, r.zone)).toISOString();
  return new URLSearchParams({ since: at(r.from), until: at(plusDays(r.to, 1)) }).toString();
}
