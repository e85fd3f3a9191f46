import type { Handoff, TimelineEntry } from "../api/types";
import { t } from "../texts";
import { Ago, clockTime, useClock } from "./bits";

/** What was asked and answered, for both sides; what waits for the reader stands out. */
export function Exchange(props: { handoff: Handoff; timeline: TimelineEntry[]; me: string }) {
  const { handoff: h, me } = props;
  const said = props.timeline.filter((e) => (e.verb === "return" || e.verb === "answer") && e.note);
  const mine = h.status === "returned" && h.handed_off_by === me;
  if (said.length === 0 && !h.questions) return null;
  const asker = h.target_user_name ?? t.someone;
  return (
    <section aria-labelledby="exchange-title" class={`exchange ${mine ? "wanted" : ""}`}>
      <h2 id="exchange-title">{mine ? t.exchange.asksYou(asker) : t.exchange.title}</h2>
      <ol>
        {said.map((e) => (
          <li key={e.version} class={e.verb}>
            <p class="who">
              <strong>{(e.verb === "return" ? t.exchange.asks : t.exchange.answers)(e.actor_name ?? t.someone)}</strong>{" "}
              <Ago since={e.at} />
            </p>
            <blockquote>{e.note}</blockquote>
          </li>
        ))}
        {/* The timeline comes a moment after the handoff. */}
        {said.length === 0 && (
          <li class="return">
            <blockquote>{h.questions}</blockquote>
          </li>
        )}
      </ol>
      {h.status === "returned" && (
        <p class="hint">{mine ? t.exchange.lead : t.exchange.waits(h.handed_off_by_name ?? t.someone)}</p>
      )}
      <Reserved handoff={h} me={me} />
    </section>
  );
}

/** Says for whom an answered handoff is kept, while it is. */
function Reserved({ handoff: h, me }: { handoff: Handoff; me: string }) {
  const until = h.status === "queued" ? h.reserved_until : null;
  const text = useClock((now) => {
    if (until === null || Date.parse(until) <= now) return "";
    const time = clockTime(until);
    return h.target_user_id === me
      ? t.exchange.reservedForYou(time)
      : t.exchange.reserved(h.target_user_name ?? t.someone, time);
  });
  return text ? <p class="reserved">{text}</p> : null;
}
