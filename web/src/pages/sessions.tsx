import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import type { Delivery, Handoff, Intent, Priority, Session, Wake } from "../api/types";
import { Failure } from "../parts/bits";
import { Secrets } from "../parts/secrets";
import { ToldNames } from "../parts/told";
import { handoffPath } from "../router";
import { asks, type Card } from "../state/cards";
import { complete, parts } from "../state/complete";
import { explain, type Store, useStore } from "../state/store";
import { type WakeChoice, wakeChoices, wakeOf } from "../state/wake";
import { t } from "../texts";

export function SessionsPage({ store }: { store: Store }) {
  useStore(store);
  const [rows, setRows] = useState<Session[] | null>(null);
  const [failure, setFailure] = useState("");
  const load = () => {
    setFailure("");
    api.sessionsOf(store.me.user_id).then(
      (p) => setRows(p.items),
      (e) => setFailure(explain(e)),
    );
  };
  useEffect(() => {
    load();
    return store.watch((e) => {
      if (e === null || e.handed_off_by === store.me.user_id || e.claimed_by === store.me.user_id) load();
    });
  }, []);
  const open = new Map(
    [...store.cards.all.values()]
      .filter((c) => /^(queued|claimed|returned)$/.test(c.status))
      .map((c) => [c.session_id, c]),
  );
  return (
    <section aria-labelledby="sessions-title">
      <h1 id="sessions-title">{t.sessions}</h1>
      <p class="lead">{t.sessionsPage.lead}</p>
      {failure && <Failure text={failure} retry={load} />}
      {rows?.length === 0 && <p class="empty">{t.sessionsPage.none}</p>}
      <ul class="cards sessions">
        {(rows ?? []).map((s) => (
          <li key={s.id} class="card">
            <div class="card-head">
              <span class={`chip session ${s.status}`}>{t.sessionStatuses[s.status] ?? s.status}</span>
              <span class="age">{t.sessionsPage.steps(s.step_count)}</span>
            </div>
            <h2>{s.title}</h2>
            <p class="facts">
              <strong>{s.client_name}</strong>
              {s.psa_ticket && <span>#{s.psa_ticket}</span>}
            </p>
            <p class="excerpt">{s.problem}</p>
            <Next session={s} open={open.get(s.id)} me={store.me.user_id} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What can be done next with a session: hand it off or, if it is, see how that goes. */
function Next({ session: s, open, me }: { session: Session; open: Card | undefined; me: string }) {
  if (!open && s.status !== "active") return null;
  return (
    <div class="card-foot">
      {open && asks(open, me) && <p class="notice">{t.list.asksYou(open.targetName ?? t.someone)}</p>}
      {open ? (
        <a class="button" href={handoffPath(open)} aria-label={`${t.sessionsPage.where}: ${s.title}`}>
          {t.sessionsPage.where}
        </a>
      ) : (
        <a
          class="button primary"
          href={`/sessions/${s.id}/hand-off`}
          aria-label={`${t.sessionsPage.handOff}: ${s.title}`}
        >
          {t.sessionsPage.handOff}
        </a>
      )}
    </div>
  );
}

export function HandOffPage({ store, id }: { store: Store; id: string }) {
  useStore(store);
  const [session, setSession] = useState<Session | null>(null);
  const [failure, setFailure] = useState("");
  const [sent, setSent] = useState<Handoff | null>(null);
  useEffect(() => {
    api.session(id).then(setSession, (e) => setFailure(explain(e)));
  }, [id]);
  if (failure) return <Failure text={failure} />;
  if (!session) return <p class="loading">{t.loading}</p>;
  if (sent) return <Sent store={store} handoff={sent} />;
  return (
    <section aria-labelledby="form-title" class="narrow">
      <h1 id="form-title">{t.form.title(session.title)}</h1>
      <p class="facts">
        <strong>{session.client_name}</strong>
        {session.psa_ticket && <span>#{session.psa_ticket}</span>}
        <span>{t.sessionsPage.steps(session.step_count)}</span>
      </p>
      {session.owner_id === store.me.user_id && session.status === "active" ? (
        <Form store={store} session={session} onSent={setSent} />
      ) : (
        <p class="empty">{t.form.notYours}</p>
      )}
    </section>
  );
}

function Form({ store, session, onSent }: { store: Store; session: Session; onSent: (h: Handoff) => void }) {
  const [intent, setIntent] = useState<Intent>("escalate");
  const [priority, setPriority] = useState<Priority>("normal");
  const [target, setTarget] = useState("");
  const [notes, setNotes] = useState("");
  const [due, setDue] = useState<{ choice: WakeChoice; at: string }>({ choice: "never", at: "" });
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  // One key for what is written; the same words are handed off once.
  const key = useRef({ of: "", key: "" });
  const has = complete(notes);
  const send = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    const wake: Wake | null = intent === "park" ? wakeOf(due.choice, due.at) : null;
    const body = {
      intent,
      priority,
      target_user_id: target || null,
      engineer_notes: notes.trim(),
      ...(wake ? { wake } : {}),
    };
    const of = JSON.stringify(body);
    if (key.current.of !== of) key.current = { of, key: api.newKey() };
    setBusy(true);
    setFailure("");
    try {
      const h = await api.handOff(session.id, body, key.current.key);
      store.cards.learn(h);
      store.say(t.form.sent);
      onSent(h);
    } catch (e) {
      setFailure(explain(e));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(e) => void send(e)}>
      <fieldset>
        <legend>{t.form.intent}</legend>
        <div class="choices">
          {(["escalate", "park"] as const).map((i) => (
            <label key={i} class="choice">
              <input type="radio" name="intent" checked={intent === i} onChange={() => setIntent(i)} />
              <span>
                <strong>{t.form[i]}</strong> {t.form[`${i}Hint`]}
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <label>
        <span>{t.form.notes}</span>
        <textarea
          rows={8}
          required
          maxLength={10000}
          aria-describedby="notes-hint complete"
          value={notes}
          onInput={(e) => setNotes(e.currentTarget.value)}
        />
      </label>
      <p id="notes-hint" class="hint">
        {t.form.notesHint}
      </p>
      <div class="complete" id="complete">
        <p>
          {t.form.complete(has.size, parts.length)}{" "}
          <meter min={0} max={parts.length} value={has.size} aria-hidden="true" />
        </p>
        <ul class="checks">
          {parts.map((p) => (
            <li key={p} class={has.has(p) ? "there" : ""}>
              {t.form.checks[p]} <span class="aloud">{has.has(p) ? t.form.there : t.form.missing}</span>
            </li>
          ))}
        </ul>
      </div>
      <Secrets text={notes} />
      <div class="filters">
        <label>
          <span>{t.form.priority}</span>
          <select value={priority} onChange={(e) => setPriority(e.currentTarget.value as Priority)}>
            {(["low", "normal", "high", "critical"] as const).map((p) => (
              <option key={p} value={p}>
                {t.priorities[p]}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{t.form.target}</span>
          <select value={target} onChange={(e) => setTarget(e.currentTarget.value)} aria-describedby="target-hint">
            <option value="">{t.form.targetAnyone}</option>
            {claimers(store, intent).map((u) => (
              <option key={u.id} value={u.id}>
                {u.name}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p id="target-hint" class="hint">
        {t.form.targetHint}
      </p>
      {intent === "park" && (
        <>
          <div class="filters">
            <label>
              <span>{t.wake.label}</span>
              <select
                value={due.choice}
                aria-describedby="wake-hint"
                onChange={(e) => setDue({ ...due, choice: e.currentTarget.value as WakeChoice })}
              >
                {wakeChoices(new Date()).map(([choice, name]) => (
                  <option key={choice} value={choice}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            {due.choice === "at" && (
              <label>
                <span>{t.wake.atLabel}</span>
                <input
                  type="datetime-local"
                  required
                  value={due.at}
                  onInput={(e) => setDue({ ...due, at: e.currentTarget.value })}
                />
              </label>
            )}
          </div>
          <p id="wake-hint" class="hint">
            {t.wake.hint}
          </p>
        </>
      )}
      {failure && <Failure text={failure} />}
      <p class="actions">
        <button type="submit" class="primary" aria-disabled={busy}>
          {busy ? t.form.sending : t.form.send}
        </button>
        <a class="button" href="/sessions">
          {t.actions.abort}
        </a>
      </p>
    </form>
  );
}

const claimers = (store: Store, intent: string) =>
  store.users.filter((u) => u.role !== "viewer" && (intent === "park" || u.id !== store.me.user_id));

function Sent({ store, handoff }: { store: Store; handoff: Handoff }) {
  const [h, setH] = useState(handoff);
  const [deliveries, setDeliveries] = useState<Delivery[]>([]);
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    title.current?.focus();
    const read = () => {
      api.handoff(handoff, true).then(setH, () => undefined);
      api.deliveries(handoff, true).then(setDeliveries, () => undefined);
    };
    // The feed tells once when people are announced, and once when all are told.
    read();
    return store.watch((e) => {
      if (e === null || e.handoff_id === handoff.id) read();
    });
  }, []);
  const names = claimers(store, h.intent)
    .filter((u) => u.id !== store.me.user_id)
    .map((u) => u.name);
  return (
    <section aria-labelledby="sent-title" class="narrow sent">
      <h1 id="sent-title" tabIndex={-1} ref={title}>
        {t.form.sent}
      </h1>
      <ul>
        <li>
          {t.form.sentTo(names)} {h.target_user_name && t.form.first(h.target_user_name)}
        </li>
        {h.session.psa_ticket && <li>{t.form.ticket(h.session.psa_ticket)}</li>}
        {h.status === "claimed" && (
          <li>
            <strong>{t.list.heldBy(h.claimed_by_name ?? t.someone)}</strong>
          </li>
        )}
      </ul>
      {deliveries.length > 0 && (
        <>
          <h2>{t.told.title}</h2>
          <ToldNames deliveries={deliveries} />
        </>
      )}
      <p class="actions">
        <a class="button primary" href={handoffPath(h)}>
          {t.form.open}
        </a>
        <a class="button" href="/">
          {t.queue}
        </a>
      </p>
    </section>
  );
}
