import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import type {
  BriefingDocument,
  Delivery,
  Handoff,
  HandoffLadder,
  Session,
  Step,
  TimelineEntry,
  Viewer,
} from "../api/types";
import { lookAt } from "../feed/presence";
import { Actions, type Verb } from "../parts/actions";
import { Ago, clockTime, Failure, Priority, Status } from "../parts/bits";
import { Brief } from "../parts/brief";
import { Exchange } from "../parts/exchange";
import { useKeys } from "../parts/keys";
import { Ladder, Lease } from "../parts/ladder";
import { Viewers } from "../parts/people";
import { Told } from "../parts/told";
import { Wait } from "../parts/wait";
import { fromHandoff } from "../state/cards";
import { explain, type Store, useStore } from "../state/store";
import { t } from "../texts";

/** What the page is made of; a part that is not there yet is null. */
interface Parts {
  handoff: Handoff | null;
  briefing: BriefingDocument | null;
  session: Session | null;
  timeline: TimelineEntry[];
  ladder: HandoffLadder | null;
  deliveries: Delivery[] | null;
}

const nothing: Parts = {
  handoff: null,
  briefing: null,
  session: null,
  timeline: [],
  ladder: null,
  deliveries: null,
};

export function HandoffPage({ store, session, id }: { store: Store; session: string; id: string }) {
  useStore(store);
  const [parts, setParts] = useState<Parts>(nothing);
  const [verb, setVerb] = useState<Verb | null>(null);
  const [failure, setFailure] = useState("");
  const ref = { session_id: session, id };
  const load = useLoad(store, ref, setParts, setFailure);
  const title = useRef<HTMLHeadingElement>(null);
  const there = parts.handoff !== null;
  useEffect(() => {
    if (there) title.current?.focus({ preventScroll: true });
  }, [there]);
  useEffect(() => {
    if (!there) return;
    const stops = [lookAt(ref, (others: Viewer[]) => store.seenBy(id, others)), store.watchViewers()];
    return () => {
      for (const stop of stops) stop();
    };
  }, [there]);
  useKeys({ b: () => document.getElementById("briefing")?.focus() });

  const h = parts.handoff;
  if (failure && !h) return <Failure text={failure} retry={load} />;
  if (!h) return <p class="loading">{t.loading}</p>;
  const toLadder = (ladder: HandoffLadder) => setParts((p) => ({ ...p, ladder }));
  const learn = (next: Handoff) => {
    store.cards.learn(next);
    setParts((p) => ({ ...p, handoff: p.handoff && p.handoff.version > next.version ? p.handoff : next }));
    load();
  };
  return (
    <article class={`handoff ${h.priority}`}>
      <p>
        <a href="/">← {t.back}</a>
      </p>
      <header>
        <div class="card-head">
          <Priority of={h.priority} />
          <span class={`chip intent ${h.intent}`}>{t.intents[h.intent] ?? h.intent}</span>
          <Status of={h.status} />
          {h.wake_at && h.status === "queued" && <span class="chip">{t.list.wakes(clockTime(h.wake_at))}</span>}
          <span class="age">
            <Viewers of={store.viewers.get(h.id) ?? []} words />
            {h.status === "queued" && <Wait card={fromHandoff(h)} />}
          </span>
        </div>
        <h1 ref={title} tabIndex={-1}>
          {h.session.title}
        </h1>
        <p class="facts">
          <strong>{h.session.client_name}</strong>
          {h.session.psa_ticket &&
            (h.links.ticket ? (
              <span>
                <a href={h.links.ticket} target="_blank" rel="noreferrer" title={t.handoff.openTicket}>
                  #{h.session.psa_ticket} ↗
                </a>
              </span>
            ) : (
              <span>#{h.session.psa_ticket}</span>
            ))}
          <span>
            {t.handoff.by(h.handed_off_by_name ?? t.someone, "")}
            <Ago since={h.created_at} />
          </span>
          {h.target_user_name && <span>{t.list.target(h.target_user_name)}</span>}
        </p>
        <Actions store={store} handoff={h} onChange={learn} verb={verb} setVerb={setVerb} />
        <Lease store={store} handoff={h} ladder={parts.ladder} onChange={toLadder} />
      </header>
      {failure && <Failure text={failure} retry={load} />}
      <div class="columns">
        <div>
          <Exchange handoff={h} timeline={parts.timeline} me={store.me.user_id} />
          <section class="notes" aria-labelledby="notes-title">
            <h2 id="notes-title">{t.handoff.notes}</h2>
            <blockquote>{h.engineer_notes}</blockquote>
          </section>
          {h.resolution && (
            <section aria-labelledby="resolution-title">
              <h2 id="resolution-title">{t.handoff.resolution}</h2>
              <p class="wrap">{h.resolution}</p>
            </section>
          )}
          <section aria-labelledby="briefing" class="briefing">
            <Brief
              handoff={h}
              document={parts.briefing}
              me={store.me.user_id}
              onChange={(briefing) => setParts((p) => ({ ...p, briefing }))}
              onRenewed={learn}
              say={(text) => store.say(text)}
            />
          </section>
          <Transcript steps={parts.session?.steps ?? []} />
        </div>
        <div class="beside">
          <Ladder store={store} handoff={h} ladder={parts.ladder} />
          <Told
            store={store}
            handoff={h}
            deliveries={parts.deliveries}
            onRetried={(d) =>
              setParts((p) => ({ ...p, deliveries: p.deliveries?.map((x) => (x.id === d.id ? d : x)) ?? null }))
            }
          />
          <Background store={store} handoff={h} onChange={learn} />
          <Timeline entries={parts.timeline} />
          <Note handoff={h} />
        </div>
      </div>
    </article>
  );
}

/** Reads the parts, and again what the feed says has changed; a burst of events once. */
function useLoad(store: Store, ref: api.Ref, set: (f: (p: Parts) => Parts) => void, fail: (text: string) => void) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  // The reader opened the page; what it reads anew by itself is no activity of theirs.
  const load = useCallback(
    (refresh = false) => {
      const put = (part: Partial<Parts>) => set((p) => ({ ...p, ...part }));
      api.handoff(ref, refresh).then(
        (handoff) => {
          fail("");
          set((p) => ({ ...p, handoff: p.handoff && p.handoff.version > handoff.version ? p.handoff : handoff }));
        },
        (e) => fail(api.asProblem(e).status === 404 ? t.handoff.notFound : explain(e)),
      );
      api.timeline(ref, refresh).then((x) => put({ timeline: x.items }), ignore);
      api.briefing(ref, refresh).then((briefing) => put({ briefing }), ignore);
      api.ladder(ref, refresh).then((ladder) => put({ ladder }), ignore);
      api.deliveries(ref, refresh).then((deliveries) => put({ deliveries }), ignore);
      api.session(ref.session_id).then((session) => put({ session }), ignore);
    },
    [ref.session_id, ref.id],
  );
  useEffect(() => {
    load();
    const stop = store.watch((e) => {
      if (e !== null && e.handoff_id !== ref.id) return;
      clearTimeout(timer.current);
      timer.current = setTimeout(() => load(true), 100);
    });
    return () => {
      clearTimeout(timer.current);
      stop();
    };
  }, [load]);
  return load;
}

// The handoff itself tells of trouble; a part that is missing stays as it was.
const ignore = () => undefined;

function Background(props: { store: Store; handoff: Handoff; onChange: (h: Handoff) => void }) {
  const { handoff: h, store } = props;
  const [failure, setFailure] = useState("");
  const me = store.me;
  const mayRetry =
    h.psa.state === "failed" &&
    (h.claimed_by === me.user_id || h.handed_off_by === me.user_id || me.role === "admin" || me.role === "owner");
  const retry = async () => {
    setFailure("");
    try {
      props.onChange(await api.retryPSA(h));
      store.say(t.handoff.psaRetried);
    } catch (e) {
      setFailure(explain(e));
    }
  };
  const effects = [
    ["psa", h.psa] as const,
    ["documentation", h.documentation] as const,
    ["briefing", h.briefing] as const,
  ];
  return (
    <section aria-labelledby="background-title">
      <h2 id="background-title">{t.handoff.background}</h2>
      <dl class="effects">
        {effects.map(([kind, e]) => (
          <div key={kind} class={e.state}>
            <dt>{t.effects[kind]}</dt>
            <dd>
              <span class={`chip effect ${e.state}`}>{t.effectStates[e.state] ?? e.state}</span>
              {e.next_attempt_at && <span> {t.nextTry(clockTime(e.next_attempt_at))}</span>}
              {e.reason && e.state !== "done" && <p>{e.reason}</p>}
              {kind === "psa" && h.psa.ticket_status && (
                <p>{t.handoff.ticketState(h.psa.ticket_status, h.psa.ticket_owner)}</p>
              )}
              {kind === "psa" && mayRetry && (
                <button type="button" onClick={() => void retry()}>
                  {t.handoff.psaRetry}
                </button>
              )}
            </dd>
          </div>
        ))}
      </dl>
      {failure && <Failure text={failure} />}
      {h.links.temporal && (me.role === "admin" || me.role === "owner") && (
        <p>
          <a href={h.links.temporal} target="_blank" rel="noreferrer">
            {t.handoff.workflow} ↗
          </a>
        </p>
      )}
    </section>
  );
}

function Timeline({ entries }: { entries: TimelineEntry[] }) {
  return (
    <section aria-labelledby="timeline-title">
      <h2 id="timeline-title">{t.handoff.timeline}</h2>
      <ol class="timeline">
        {entries.map((e) => (
          <li key={e.version}>
            <time dateTime={e.at}>{clockTime(e.at)}</time> <strong>{e.actor_name ?? t.system}</strong>{" "}
            {t.verbs[e.verb] ?? e.verb}
            {e.target_user_name && e.verb === "reassign" ? `: ${e.target_user_name}` : ""}
            {e.note && <p class="wrap">{e.note}</p>}
            {e.psa && (e.psa.state === "retrying" || e.psa.state === "failed") && (
              <p class="trouble">
                {t.effects.psa}: {t.effectStates[e.psa.state]}
                {e.psa.next_attempt_at && `, ${t.nextTry(clockTime(e.psa.next_attempt_at))}`}
                {e.psa.reason && `. ${e.psa.reason}`}
              </p>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Note({ handoff: h }: { handoff: Handoff }) {
  return (
    <section aria-labelledby="note-title">
      <h2 id="note-title">{t.handoff.documentation}</h2>
      {h.documentation.plain ? (
        <details>
          <summary>{h.session.psa_ticket ? `#${h.session.psa_ticket}` : t.handoff.noTicket}</summary>
          <p class="wrap note">{h.documentation.plain}</p>
        </details>
      ) : (
        <p class="empty">{t.handoff.documentationNone}</p>
      )}
    </section>
  );
}

function Transcript({ steps }: { steps: Step[] }) {
  return (
    <section aria-labelledby="transcript-title">
      <details id="transcript">
        <summary>
          <h2 id="transcript-title">{t.handoff.transcript(steps.length)}</h2>
        </summary>
        <ol class="steps">
          {steps.map((s) => (
            <li key={s.id} id={`step-${s.seq}`} tabIndex={-1} class={`${s.actor} ${s.kind}`}>
              <p class="step-head">
                <span>{s.seq}</span> <strong>{t.actors[s.actor] ?? s.actor}</strong>{" "}
                <time dateTime={s.at}>{clockTime(s.at)}</time>
                {s.outcome && <span class={`chip outcome ${s.outcome}`}>{t.outcomes[s.outcome] ?? s.outcome}</span>}
              </p>
              {s.kind === "command" ? (
                <pre>
                  <code>{s.text}</code>
                </pre>
              ) : (
                <p class="wrap">{s.text}</p>
              )}
            </li>
          ))}
        </ol>
      </details>
    </section>
  );
}
