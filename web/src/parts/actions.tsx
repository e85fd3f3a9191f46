import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { Handoff } from "../api/types";
import { explain, type Store } from "../state/store";
import { t } from "../texts";
import { Ago, Dialog, Failure } from "./bits";
import { useKeys } from "./keys";

type Verb = "release" | "reassign" | "resolve" | "cancel";

/** What the reader may do with a handoff now. The server decides; this only spares them a refusal. */
export function allowed(h: Handoff, me: { user_id: string; role: string }): Set<Verb | "claim"> {
  const may = new Set<Verb | "claim">();
  const chief = me.role === "admin" || me.role === "owner";
  const holds = h.status === "claimed" && (h.claimed_by === me.user_id || chief);
  if (h.status === "queued") {
    if (h.intent === "park" || h.handed_off_by !== me.user_id) may.add("claim");
    if (h.handed_off_by === me.user_id || chief) may.add("cancel");
    if (chief) may.add("reassign");
  }
  if (holds) for (const verb of ["release", "reassign", "resolve"] as const) may.add(verb);
  return may;
}

export function Actions(props: { store: Store; handoff: Handoff; onChange: (h: Handoff) => void }) {
  const { handoff: h, store } = props;
  const [verb, setVerb] = useState<Verb | null>(null);
  const may = allowed(h, store.me);
  const notice = store.notices.get(h.id);
  const busy = store.claiming.has(h.id);
  const claim = async () => {
    if (!may.has("claim")) return;
    const won = await store.claim(h);
    if (won) props.onChange(won);
  };
  useKeys({ c: () => void claim(), e: () => may.has("resolve") && setVerb("resolve") });
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
      {h.status === "queued" && !may.has("claim") && <p class="holder">{t.handoff.ownEscalation}</p>}
      {notice && h.status === "queued" && <p class="notice">{notice.text ?? t.claim.lost(notice.name, "")}</p>}
      {may.size > 0 && (
        // biome-ignore lint/a11y/useSemanticElements: these buttons are no fields of a form
        <div class="actions" role="group" aria-label={t.actions.label}>
          {may.has("claim") && (
            <button type="button" class="primary" aria-disabled={busy} onClick={() => void claim()}>
              {busy ? t.claim.busy : t.claim.do} <kbd>c</kbd>
            </button>
          )}
          {may.has("resolve") && (
            <button type="button" class="primary" onClick={() => setVerb("resolve")}>
              {t.actions.resolve} <kbd>e</kbd>
            </button>
          )}
          {(["release", "reassign", "cancel"] as const).map(
            (v) =>
              may.has(v) && (
                <button key={v} type="button" onClick={() => setVerb(v)}>
                  {t.actions[v]}
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
  const send = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailure("");
    const text = note.trim() === "" ? null : note;
    try {
      const done = await {
        release: () => api.release(h, { note: text }, key),
        cancel: () => api.cancel(h, { note: text }, key),
        reassign: () => api.reassign(h, { target_user_id: target, note: text }, key),
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
                .map((u) => (
                  <option key={u.id} value={u.id}>
                    {u.name}
                    {u.team_name ? `, ${u.team_name}` : ""}
                  </option>
                ))}
            </select>
          </label>
        )}
        <label>
          <span>{t.actions[`${verb}Note`]}</span>
          <textarea rows={4} maxLength={10000} value={note} onInput={(e) => setNote(e.currentTarget.value)} />
        </label>
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
