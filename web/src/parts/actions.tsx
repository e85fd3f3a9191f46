import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { Handoff } from "../api/types";
import { reserved } from "../state/cards";
import { explain, type Store } from "../state/store";
import { t } from "../texts";
import { Ago, Dialog, Failure, useClock } from "./bits";
import { useKeys } from "./keys";
import { Secrets } from "./secrets";

export type Verb = "release" | "reassign" | "resolve" | "cancel" | "return" | "answer";

/** What the reader may do with a handoff now. The server decides; this only spares them a refusal. */
export function allowed(h: Handoff, me: { user_id: string; role: string }, now: number): Set<Verb | "claim"> {
  const may = new Set<Verb | "claim">();
  const chief = me.role === "admin" || me.role === "owner";
  const sent = h.handed_off_by === me.user_id;
  const add = (...verbs: (Verb | "claim")[]) => {
    for (const verb of verbs) may.add(verb);
  };
  if (h.status === "queued") {
    const kept = reserved({ reservedUntil: h.reserved_until, target: h.target_user_id }, me.user_id, now);
    if ((h.intent === "park" || !sent) && !kept) add("claim");
    if (chief) add("reassign");
    if (sent || chief) add("cancel");
  }
  if (h.status === "claimed" && (h.claimed_by === me.user_id || chief)) {
    add("resolve");
    if (h.claimed_by !== h.handed_off_by) add("return"); // or there is nobody else to ask
    add("release", "reassign");
  }
  if (h.status === "returned") {
    if (sent || chief) add("answer");
    // Who asked need not wait for the answer.
    if (h.target_user_id === me.user_id || chief) add("resolve", "release", "reassign");
    if (sent || chief) add("cancel");
  }
  return may;
}

export function Actions(props: {
  store: Store;
  handoff: Handoff;
  onChange: (h: Handoff) => void;
  verb: Verb | null;
  setVerb: (verb: Verb | null) => void;
}) {
  const { handoff: h, store, verb, setVerb } = props;
  const may = allowed(h, store.me, Date.now());
  const notice = store.notices.get(h.id);
  const busy = store.claiming.has(h.id);
  // A reservation ends by itself.
  useClock((now) => String(allowed(h, store.me, now).has("claim")));
  const claim = async () => {
    if (!may.has("claim")) return;
    const won = await store.claim(h);
    if (won) props.onChange(won);
  };
  useKeys({
    c: () => void claim(),
    e: () => may.has("resolve") && setVerb("resolve"),
    a: () => may.has("answer") && setVerb("answer"),
  });
  const first = may.has("answer") ? "answer" : "resolve";
  return (
    <>
      {h.status === "claimed" && (
        <p class="holder">
          {h.claimed_by === store.me.user_id ? (
            t.handoff.heldByYou
          ) : (
            <>
              {t.list.heldBy(h.claimed_by_name ?? t.someone)}, {h.claimed_at && <Ago since={h.claimed_at} />}
            </>
          )}
        </p>
      )}
      {h.status === "queued" && h.intent === "escalate" && h.handed_off_by === store.me.user_id && (
        <p class="holder">{t.handoff.ownEscalation}</p>
      )}
      {notice && h.status === "queued" && <p class="notice">{notice.text ?? t.claim.lost(notice.name, "")}</p>}
      {may.size > 0 && (
        // biome-ignore lint/a11y/useSemanticElements: these buttons are no fields of a form
        <div class="actions" role="group" aria-label={t.actions.label}>
          {may.has("claim") && (
            <button type="button" class="primary" aria-disabled={busy} onClick={() => void claim()}>
              {busy ? t.claim.busy : t.claim.do} <kbd>c</kbd>
            </button>
          )}
          {(["answer", "resolve", "return", "release", "reassign", "cancel"] as const).map(
            (v) =>
              may.has(v) && (
                <button key={v} type="button" class={v === first ? "primary" : ""} onClick={() => setVerb(v)}>
                  {t.actions[v]} {v === "resolve" && <kbd>e</kbd>}
                  {v === "answer" && <kbd>a</kbd>}
                </button>
              ),
          )}
        </div>
      )}
      {verb && <Form {...props} verb={verb} onClose={() => setVerb(null)} />}
    </>
  );
}

function Form(props: {
  store: Store;
  handoff: Handoff;
  verb: Verb;
  onChange: (h: Handoff) => void;
  onClose: () => void;
}) {
  const { verb, handoff: h, store } = props;
  const [note, setNote] = useState("");
  const [target, setTarget] = useState("");
  const [cause, setCause] = useState("");
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const [key] = useState(api.newKey); // the same for each try, so that it is done once
  const asks = verb === "return" || verb === "answer";
  const send = async (event: Event) => {
    event.preventDefault();
    if (busy || (asks && note.trim() === "")) return;
    setBusy(true);
    setFailure("");
    const text = note.trim() === "" ? null : note;
    try {
      const done = await {
        release: () => api.release(h, { note: text }, key),
        cancel: () => api.cancel(h, { note: text }, key),
        reassign: () => api.reassign(h, { target_user_id: target, note: text }, key),
        return: () => api.giveBack(h, { questions: note.trim() }, key),
        answer: () => api.answer(h, { answer: note.trim() }, key),
        resolve: () => api.resolve(h, { resolution: text, ...(cause ? { cause } : {}) }, key),
      }[verb]();
      props.onChange(done);
      props.onClose();
    } catch (e) {
      setFailure(explain(e));
      setBusy(false);
    }
  };
  return (
    <Dialog title={t.actions[`${verb}Title`]} onClose={props.onClose}>
      <form onSubmit={(e) => void send(e)}>
        {verb === "reassign" && (
          <label>
            <span>{t.actions.reassignTo}</span>
            <select required value={target} onChange={(e) => setTarget(e.currentTarget.value)}>
              <option value="">{t.actions.choose}</option>
              {store.users
                .filter((u) => u.role !== "viewer" && u.id !== h.claimed_by)
                .filter((u) => h.intent === "park" || u.id !== h.handed_off_by)
                .map((u) => (
                  <option key={u.id} value={u.id}>
                    {u.name}
                    {u.team_name ? `, ${u.team_name}` : ""}
                  </option>
                ))}
            </select>
          </label>
        )}
        {verb === "answer" && h.questions && <blockquote class="asked">{h.questions}</blockquote>}
        <label>
          <span>
            {verb === "return" ? t.actions.returnNote(h.handed_off_by_name ?? t.someone) : t.actions[`${verb}Note`]}
          </span>
          <textarea
            rows={4}
            maxLength={10000}
            required={asks}
            value={note}
            {...(asks ? { "aria-describedby": "form-hint" } : {})}
            onInput={(e) => setNote(e.currentTarget.value)}
          />
        </label>
        <Secrets text={note} />
        {asks && (
          <p class="hint" id="form-hint">
            {verb === "return" ? t.actions.returnHint : t.actions.answerHint(h.target_user_name ?? t.someone)}
          </p>
        )}
        {verb === "resolve" && h.briefing.version !== null && (
          <label>
            <span>{t.actions.cause}</span>
            <select value={cause} onChange={(e) => setCause(e.currentTarget.value)}>
              {Object.entries(t.actions.causes).map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        {failure && <Failure text={failure} />}
        <p class="actions">
          <button type="submit" class="primary" aria-disabled={busy}>
            {busy ? t.actions.busy : t.actions[verb]}
          </button>
          <button type="button" onClick={props.onClose}>
            {t.actions.abort}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
