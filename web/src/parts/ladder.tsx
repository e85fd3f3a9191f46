import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { Handoff, HandoffLadder, LadderStep } from "../api/types";
import { explain, type Store } from "../state/store";
import { t } from "../texts";
import { clockTime, Failure, useClock } from "./bits";

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** What a step of the policy does, and when. */
export function stepText(s: LadderStep): string {
  const after = s.after_seconds ?? 0;
  const who = [...new Set(s.to.map((a) => t.ladder.who[a.who] ?? a.who))].join(", ");
  const again = s.repeat_times ? t.ladder.again(t.age(s.repeat_every_seconds ?? 0), s.repeat_times) : "";
  return `${after === 0 ? t.ladder.atOnce : t.ladder.after(t.age(after))}: ${who}${again}`;
}

/** Whether the handoff waits for working hours, as low and normal priority do where there are some. */
const patient = (h: Handoff, l: HandoffLadder) =>
  (h.priority === "low" || h.priority === "normal") && (l.policy?.hours?.week?.length ?? 0) > 0;

/** Who is called next, when, and what the clock waits for. */
export function Ladder(props: { store: Store; handoff: Handoff; ladder: HandoffLadder | null }) {
  const { handoff: h, ladder: l } = props;
  if (!l || h.status === "resolved" || h.status === "cancelled") return null;
  const waits = h.status === "queued" || h.status === "returned";
  const next = l.next && l.next_at && l.state === "calling" ? { words: l.next, at: l.next_at } : null;
  const steps = l.policy?.steps ?? [];
  const lease = h.claimed_by === props.store.me.user_id ? null : l.lease; // one's own is beside what one can do
  if (!waits && !lease) return null;
  return (
    <section aria-labelledby="ladder-title" class="ladder">
      <h2 id="ladder-title">{waits ? t.ladder.title : t.list.heldBy(h.claimed_by_name ?? t.someone)}</h2>
      {lease && <p>{lease.over ? t.ladder.leaseOver : t.ladder.lease(clockTime(lease.until))}</p>}
      {waits && l.state === null && <p>{t.ladder.begins}</p>}
      {waits && l.state === "paused" && l.reason && <p>{l.reason}</p>}
      {waits && l.state === "spent" && <p>{h.intent === "park" ? t.ladder.parked : t.ladder.spent}</p>}
      {waits && next && <Next words={next.words} at={next.at} />}
      {waits && h.wake_at && h.wake_at !== next?.at && <p>{t.ladder.wakes(clockTime(h.wake_at))}</p>}
      {h.claim_by && <p>{t.ladder.target(clockTime(h.claim_by))}</p>}
      {waits && patient(h, l) && <p class="hint">{t.ladder.hours(l.policy?.hours?.zone ?? "")}</p>}
      {waits && h.intent === "escalate" && steps.length > 0 && (
        <details>
          <summary>{t.ladder.steps}</summary>
          <ol>
            {steps.map((s) => (
              <li key={s.after_seconds ?? 0}>{stepText(s)}</li>
            ))}
          </ol>
        </details>
      )}
    </section>
  );
}

function Next({ words, at }: { words: string; at: string }) {
  const left = useClock((now) => {
    const s = (Date.parse(at) - now) / 1000;
    return s > 0 ? t.ladder.inTime(t.age(s)) : t.ladder.now;
  });
  return (
    <p>
      <strong>{capital(t.ladder.next(words, clockTime(at)))}</strong> <span class="count">({left})</span>
    </p>
  );
}

/** How long the reader's claim lasts. They are asked in time, and say that they are still at it. */
export function Lease(props: {
  store: Store;
  handoff: Handoff;
  ladder: HandoffLadder | null;
  onChange: (l: HandoffLadder) => void;
}) {
  const { ladder, store, handoff: h } = props;
  const lease = h.claimed_by === store.me.user_id ? ladder?.lease : null;
  const [failure, setFailure] = useState("");
  const until = lease ? Date.parse(lease.until) : 0;
  const asked = (ladder?.policy?.lease?.take_back_after_seconds ?? 0) * 1000;
  // The question comes when it is asked; before that, the time is all there is to say.
  const left = useClock((now) => (lease && until - now <= asked ? t.age(Math.max(0, (until - now) / 1000)) : ""));
  if (!lease) return null;
  const still = async () => {
    setFailure("");
    try {
      props.onChange(await api.stillHere(h));
      store.say(t.ladder.stillDone);
    } catch (e) {
      setFailure(explain(e));
    }
  };
  return (
    <div class={left ? "lease asked" : "lease"}>
      <p>
        {lease.over ? t.ladder.leaseOver : left ? t.ladder.leaseLeft(left) : t.ladder.lease(clockTime(lease.until))}
      </p>
      {failure && <Failure text={failure} />}
      {!lease.over && (
        <button type="button" class={left ? "primary" : ""} onClick={() => void still()}>
          {t.ladder.still}
        </button>
      )}
    </div>
  );
}
