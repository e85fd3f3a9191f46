// The arithmetic of plots: where ticks stand, and where lines break.

const minute = 60;
const hour = 3600;
const day = 86_400;
const durationSteps = [
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 28].map((n) => n * day),
];

const upTo = (most: number, step: number) => Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);

/** Round steps from zero to at least most: no more than wanted, and one. */
export function countTicks(most: number, wanted = 5): number[] {
  let step = 1;
  for (let i = 0; most / step > wanted; i++) step = 10 ** Math.floor(i / 3) * ([2, 5, 10][i % 3] ?? 1);
  return upTo(Math.max(most, 1), step);
}

/** Steps of a clock, in seconds, from zero to at least most. */
export function durationTicks(most: number, wanted = 5): number[] {
  const step = durationSteps.find((s) => most / s <= wanted);
  if (step) return upTo(Math.max(most, step), step);
  return countTicks(most / (28 * day), wanted).map((n) => n * 28 * day);
}

/** Which of the days are named on an axis that has room for some: Mondays where not all are. */
export function dayTicks(days: readonly string[], room: number): number[] {
  const step = [1, 2, 7, 14, 28, 56, 112].find((s) => days.length / s <= room) ?? 224;
  const monday = days.findIndex((d) => new Date(`${d}T12:00:00Z`).getUTCDay() === 1);
  const first = step >= 7 ? Math.max(0, monday) : (days.length - 1) % step;
  return days.map((_, i) => i).filter((i) => i >= first && (i - first) % step === 0);
}

/** The runs of values without a gap, as places in values. */
export function runs(values: readonly (number | null)[]): number[][] {
  const all: number[][] = [];
  let run: number[] = [];
  values.forEach((v, i) => {
    if (v !== null) run.push(i);
    if ((v === null || i === values.length - 1) && run.length > 0) {
      all.push(run);
      run = [];
    }
  });
  return all;
}

/** Moves labels apart, so that each has room, and all stay between 0 and most. */
export function spread(wanted: readonly number[], room: number, most: number): number[] {
  const order = wanted.map((y, i) => ({ y, i })).sort((a, b) => a.y - b.y);
  order.forEach((at, n) => {
    at.y = Math.max(at.y, n === 0 ? 0 : (order[n - 1]?.y ?? 0) + room);
  });
  let limit = most;
  for (const at of order.toReversed()) {
    at.y = Math.min(at.y, limit);
    limit = at.y - room;
  }
  const out = [...wanted];
  for (const at of order) out[at.i] = at.y;
  return out;
}

/** Which of so many shades a value gets; 0 is for nothing at all. */
export function shade(value: number, most: number, shades: number): number {
  if (value <= 0) return 0;
  return Math.min(shades, Math.max(1, Math.ceil((value / most) * shades)));
}
