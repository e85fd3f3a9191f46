import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { Delivery, Handoff } from "../api/types";
import { explain, type Store } from "../state/store";
import { t } from "../texts";
import { clockTime, Failure } from "./bits";

export const recipient = (d: Delivery) => d.user_name ?? d.channel_name ?? t.told.channel;

/** How a notification stands, in a few words: what it waits for, and since when. */
export function standing(d: Delivery): string {
  const parts: string[] = [];
  if (d.state === "done" && d.sent_at) parts.push(clockTime(d.sent_at));
  if (d.state === "held" && d.held_until) parts.push(t.told.heldUntil(clockTime(d.held_until)));
  if (d.state === "retrying" && d.next_attempt_at) parts.push(t.nextTry(clockTime(d.next_attempt_at)));
  if (d.attempts > 1 || (d.attempts === 1 && d.state !== "done")) parts.push(t.told.attempts(d.attempts));
  return parts.join(", ");
}

/** Those that somebody may want to do something about come first; those not needed, last. */
const ranks: Record<string, number> = { failed: 0, retrying: 1, held: 2, pending: 3, done: 4, skipped: 5 };
export const byTrouble = (a: Delivery, b: Delivery) =>
  (ranks[a.state] ?? 3) - (ranks[b.state] ?? 3) ||
  (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0);

/** What somebody may want to do something about. */
const troubled = (d: Delivery) => d.state === "failed" || d.state === "retrying";

/** How many stand how, of those without trouble, in words; what is held back says until when, and why. */
export function sums(deliveries: Delivery[]): string[] {
  const of = (state: string) => deliveries.filter((d) => d.state === state);
  const held = of("held");
  const until = held.map((d) => d.held_until ?? "").sort()[0];
  return [
    held.length > 0 && until ? t.told.held(held.length, clockTime(until)) : "",
    of("pending").length > 0 ? t.told.pending(of("pending").length) : "",
    of("done").length > 0 ? t.told.list(of("done").length) : "",
    of("skipped").length > 0 ? t.told.skipped(of("skipped").length) : "",
  ].filter(Boolean);
}

/** Each notification of the handoff. What went well is folded away. */
export function Told(props: {
  store: Store;
  handoff: Handoff;
  deliveries: Delivery[] | null;
  onRetried: (d: Delivery) => void;
}) {
  const { handoff: h, store, deliveries } = props;
  const [failure, setFailure] = useState("");
  const me = store.me;
  const mayRetry =
    h.claimed_by === me.user_id || h.handed_off_by === me.user_id || me.role === "admin" || me.role === "owner";
  const retry = async (d: Delivery) => {
    setFailure("");
    try {
      props.onRetried(await api.retryDelivery(h, d.id));
      store.say(t.told.retried);
    } catch (e) {
      setFailure(explain(e));
    }
  };
  const sorted = [...(deliveries ?? [])].sort(byTrouble);
  const trouble = sorted.filter(troubled);
  const rest = sorted.filter((d) => !troubled(d));
  const row = (d: Delivery) => (
    <li key={d.id} class={d.state}>
      <p class="facts">
        <strong>{recipient(d)}</strong>
        <span>{t.told.channels[d.channel] ?? d.channel}</span>
        <span>{t.told.kinds[d.kind] ?? d.kind}</span>
      </p>
      <p>
        <span class={`chip effect ${d.state}`}>{t.told.states[d.state] ?? d.state}</span> {standing(d)}
      </p>
      {d.reason && d.state !== "done" && <p class="why">{d.reason}</p>}
      {d.state === "failed" && mayRetry && (
        <button
          type="button"
          aria-label={t.told.retryFor(recipient(d), t.told.channels[d.channel] ?? d.channel)}
          onClick={() => void retry(d)}
        >
          {t.told.retry}
        </button>
      )}
    </li>
  );
  return (
    <section aria-labelledby="told-title" class="told">
      <h2 id="told-title">{t.told.title}</h2>
      {deliveries === null ? (
        <p class="loading">{t.loading}</p>
      ) : (
        deliveries.length === 0 && <p class="empty">{t.told.nobody}</p>
      )}
      {failure && <Failure text={failure} />}
      {trouble.length > 0 && <ul>{trouble.map(row)}</ul>}
      {rest.length > 0 && (
        <details>
          <summary>{sums(rest).join(", ")}</summary>
          <ul>{rest.map(row)}</ul>
        </details>
      )}
    </section>
  );
}

/** Who is told of something, each once: by what, and how that stands. */
export function ToldNames({ deliveries }: { deliveries: Delivery[] }) {
  const people = new Map<string, Delivery[]>();
  for (const d of deliveries) {
    const key = d.user_id ?? d.channel_id ?? d.id;
    people.set(key, [...(people.get(key) ?? []), d]);
  }
  return (
    <ul class="told-names">
      {[...people].map(([key, list]) => (
        <li key={key}>
          <strong>{list[0] && recipient(list[0])}</strong>{" "}
          {list.map((d) => (
            <span key={d.id} class={`chip effect ${d.state}`} title={d.reason ?? ""}>
              {t.told.channels[d.channel] ?? d.channel}: {t.told.states[d.state] ?? d.state}
              {standing(d) && d.state !== "done" ? ` ${standing(d)}` : ""}
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}
