import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import * as api from "../api/client";
import type { BriefingDocument, Handoff } from "../api/types";
import { explain } from "../state/store";
import { t } from "../texts";
import { Failure } from "./bits";

/** What every statement of a briefing says of itself. */
interface Sourced {
  by: string;
  refs: number[];
  unsupported?: boolean;
}

/** Opens the transcript at a step. */
function jump(event: MouseEvent, seq: number): void {
  event.preventDefault();
  const transcript = document.getElementById("transcript") as HTMLDetailsElement | null;
  if (transcript) transcript.open = true;
  const step = document.getElementById(`step-${seq}`);
  step?.scrollIntoView({ block: "center" });
  step?.focus({ preventScroll: true });
}

function Refs({ of }: { of: number[] }) {
  if (of.length === 0) return null;
  return (
    <span class="refs">
      {of.slice(0, 8).map((n) => (
        <a key={n} href={`#step-${n}`} aria-label={t.handoff.step(n)} onClick={(e) => jump(e, n)}>
          {n}
        </a>
      ))}
    </span>
  );
}

/** Who says so, on what it rests, and whether on anything at all. */
function Source({ of }: { of: Sourced }) {
  return (
    <>
      <Refs of={of.refs} />
      {of.by === "model" && <span class="chip by model">{t.authors.model}</span>}
      {of.unsupported && (
        <span class="chip unsupported" title={t.unsupportedHint}>
          {t.unsupported}
        </span>
      )}
    </>
  );
}

function List<T extends Sourced>(props: { title: string; of: T[]; children: (item: T) => ComponentChildren }) {
  if (props.of.length === 0) return null;
  return (
    <>
      <h3>{props.title}</h3>
      <ul>
        {props.of.map((item, n) => (
          // A briefing is replaced as a whole, so places are identities.
          <li key={n} class={item.unsupported ? "opinion" : item.by}>
            {props.children(item)} <Source of={item} />
          </li>
        ))}
      </ul>
    </>
  );
}

export function Brief(props: {
  handoff: Handoff;
  document: BriefingDocument | null;
  me: string;
  onChange: (d: BriefingDocument) => void;
  onRenewed: (h: Handoff) => void;
  say: (text: string) => void;
}) {
  const [failure, setFailure] = useState("");
  const { handoff: h, document: d } = props;
  const attempt = async (what: () => Promise<void>) => {
    setFailure("");
    try {
      await what();
    } catch (e) {
      setFailure(explain(e));
    }
  };
  const open = h.status === "queued" || h.status === "claimed";
  const mayGrade = d && h.claimed_by === props.me;
  const grade = d?.grades.find((g) => g.user_id === props.me);
  return (
    <>
      <div class="list-head">
        <h2 id="briefing" tabIndex={-1}>
          {t.handoff.briefing}
        </h2>
        {d && (
          <p class="count">
            {d.source === "model" ? t.handoff.briefingModel(d.model ?? t.authors.model ?? "") : t.handoff.briefingRules}
          </p>
        )}
        {open && d && (
          <button
            type="button"
            class="quiet"
            onClick={() =>
              void attempt(async () => {
                props.onRenewed(await api.renewBriefing(h));
                props.say(t.handoff.renewed);
              })
            }
          >
            {t.handoff.renew}
          </button>
        )}
      </div>
      {failure && <Failure text={failure} />}
      {!d && <p class="empty">{h.briefing.reason ?? t.handoff.briefingNone}</p>}
      {d?.stale && <p class="trouble">{t.handoff.stale(d.session_steps, d.step_count)}</p>}
      {d && <Content d={d} />}
      {mayGrade && (
        <p class="grade">
          {t.brief.useful}{" "}
          {[true, false].map((useful) => (
            <button
              key={String(useful)}
              type="button"
              aria-pressed={grade?.useful === useful}
              onClick={() =>
                void attempt(async () => {
                  props.onChange(await api.gradeBriefing(h, { version: d.version, useful }));
                  props.say(t.brief.thanks);
                })
              }
            >
              {useful ? t.brief.yes : t.brief.no}
            </button>
          ))}
        </p>
      )}
      {mayGrade && grade?.useful === false && (
        <Wrong
          was={grade.wrong ?? ""}
          onSend={(wrong) =>
            void attempt(async () => {
              props.onChange(await api.gradeBriefing(h, { version: d.version, wrong }));
              props.say(t.brief.thanks);
            })
          }
        />
      )}
    </>
  );
}

function Wrong({ was, onSend }: { was: string; onSend: (wrong: string) => void }) {
  const [wrong, setWrong] = useState(was);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        onSend(wrong);
      }}
    >
      <label>
        <span>{t.brief.whatWrong}</span>
        <textarea rows={2} maxLength={2000} value={wrong} onInput={(e) => setWrong(e.currentTarget.value)} />
      </label>
      <p>
        <button type="submit">{t.brief.sendWrong}</button>
      </p>
    </form>
  );
}

function Content({ d }: { d: BriefingDocument }) {
  const c = d.content;
  const p = c.problem;
  const wrong = [p.summary, p.expected, p.scope, p.first_seen, p.last_known_good, ...p.changes].filter(
    (x) => x !== null,
  );
  return (
    <>
      <List title={t.brief.careful} of={c.risks}>
        {(x) => x.text}
      </List>
      <List title={t.brief.asked} of={c.ask.decision ? [c.ask.decision, ...c.ask.requests] : c.ask.requests}>
        {(x) => x.text}
      </List>
      {c.ask.by_when && <p>{t.brief.byWhen(c.ask.by_when)}</p>}
      <h3>{t.brief.wrong}</h3>
      {p.reported && <p class="wrap">{p.reported}</p>}
      {wrong.length > 0 && (
        <ul>
          {wrong.map((x) => (
            <li key={x.text}>
              {x.text} <Source of={x} />
            </li>
          ))}
        </ul>
      )}
      <List title={t.brief.errors} of={p.errors}>
        {(x) => <code>{x.text}</code>}
      </List>
      <List title={t.brief.impact} of={c.severity.impact}>
        {(x) => x.text}
      </List>
      <List title={t.brief.workarounds} of={c.severity.workarounds}>
        {(x) => x.text}
      </List>
      <List title={t.brief.hypotheses} of={c.hypotheses}>
        {(x) => (
          <>
            {x.statement}
            {x.confidence && <em> ({t.brief.confidence[x.confidence]})</em>}
            {x.next_test && <p>{t.brief.nextTest(x.next_test)}</p>}
          </>
        )}
      </List>
      <List title={t.brief.next} of={c.next_steps}>
        {(x) => (
          <>
            {x.action}
            {x.why && <span> – {x.why}</span>}
            {x.hazard && <strong class="hazard"> {x.hazard}</strong>}
            {x.reversible === "no" && <span class="chip unsupported">{t.brief.irreversible}</span>}
            {x.needs_approval === "yes" && <span class="chip">{t.brief.approval}</span>}
          </>
        )}
      </List>
      <List title={t.brief.tried} of={c.attempts}>
        {(x) => (
          <>
            {x.command ? <code>{x.action}</code> : x.action}
            {x.outcome && <span class={`chip outcome ${x.outcome}`}>{t.outcomes[x.outcome] ?? x.outcome}</span>}
            {t.brief.reversed[x.reversed] && <em> {t.brief.reversed[x.reversed]}</em>}
            {x.result && <p class="result">{x.result}</p>}
          </>
        )}
      </List>
      <List title={t.brief.ruledOut} of={c.ruled_out}>
        {(x) => (x.why ? `${x.hypothesis}: ${x.why}` : x.hypothesis)}
      </List>
      <List title={t.brief.open} of={c.open_questions}>
        {(x) => x.question}
      </List>
      <List title={t.brief.promised} of={c.communication.promises}>
        {(x) => (x.by_when ? `${x.text} (${x.by_when})` : x.text)}
      </List>
      <List title={t.brief.lastWord} of={c.communication.last_word ? [c.communication.last_word] : []}>
        {(x) => <q>{x.text}</q>}
      </List>
      {c.communication.unanswered > 0 && <p class="trouble">{t.brief.unanswered(c.communication.unanswered)}</p>}
      <List title={t.brief.environment} of={c.environment}>
        {(x) => x.value}
      </List>
      {c.completeness.missing.length > 0 && (
        <details class="complete">
          <summary>{t.brief.complete(c.completeness.score)}</summary>
          <ul>
            {c.completeness.missing.map((m) => (
              <li key={m.part}>{m.hint}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
