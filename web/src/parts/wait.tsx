import { useRef } from "preact/hooks";
import type { Card } from "../state/cards";
import { t } from "../texts";
import { Age, clockTime, useClock } from "./bits";

/** How a wait stands against its target, in ms: how long it is, how long it may be, and the share, from 0. */
export function wait(c: { createdAt: string; queuedAt: string | null; claimBy: string | null }, now: number) {
  const since = Date.parse(c.queuedAt ?? c.createdAt);
  const by = c.claimBy === null ? null : Date.parse(c.claimBy);
  const waited = Math.max(0, now - since);
  if (by === null) return { waited, allowed: null, share: 0, over: 0 };
  const allowed = Math.max(1, by - since);
  return { waited, allowed, share: Math.min(1, waited / allowed), over: Math.max(0, now - by) };
}

/** A target that is further away than this spans a night: then the time of day says more. */
const short = 12 * 3600_000;

/** The wait in words. */
export function waitText(c: Parameters<typeof wait>[0], now: number): string {
  const w = wait(c, now);
  const waited = t.age(w.waited / 1000);
  if (w.allowed === null || c.claimBy === null) return t.list.waitingFor(waited);
  if (w.over > 0) return t.wait.over(t.age(w.over / 1000));
  return w.allowed <= short ? t.wait.of(waited, t.age(w.allowed / 1000)) : t.wait.due(waited, clockTime(c.claimBy));
}

/** How long a handoff waits, against its target. */
export function Wait({ card }: { card: Card }) {
  // Looked at each second, drawn when something is to be seen.
  const seen = useRef({ text: "", percent: 0, level: "" });
  useClock((now) => {
    const { share, over } = wait(card, now);
    const level = over > 0 ? "over" : share >= 0.75 ? "soon" : "";
    seen.current = { text: waitText(card, now), percent: Math.round(share * 50) * 2, level };
    return Object.values(seen.current).join("|");
  });
  const { text, percent, level } = seen.current;
  const since = card.queuedAt ?? card.createdAt;
  if (card.claimBy === null) return <Age since={since} words={t.list.waitingFor} />;
  return (
    <span class={`wait ${level}`}>
      <progress max={100} value={percent} aria-hidden="true" />
      <time dateTime={since} title={`${new Date(since).toLocaleString()} → ${new Date(card.claimBy).toLocaleString()}`}>
        {text}
      </time>
    </span>
  );
}
