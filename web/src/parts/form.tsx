// Forms: a draft that is the body of a request, fields that are pointers into it, and a bar that says whether it is saved.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "../api/client";
import type { FieldProblem } from "../api/types";
import { holdBack } from "../router";
import { at, changes, place, put, related, sentence, touched, unplaced } from "../state/form";
import { explain } from "../state/store";
import { settings as s, t } from "../texts";
import { clockTime, Dialog, Failure } from "./bits";

/** A form's state: what is saved, and what somebody makes of it. */
export interface Form<T> {
  draft: T;
  saved: T;
  set: (pointer: string, value: unknown) => void;
  reset: () => void;
  submit: () => Promise<boolean>;
  /** Shows why a request with the draft was refused. */
  refuse: (error: unknown) => void;
  busy: boolean;
  /** The pointers of what differs from what is saved. */
  changed: string[];
  problems: FieldProblem[];
  /** Why it was not saved, in words; empty when it was. */
  failure: string;
  /** How often it was refused. */
  refused: number;
  /** Whether it was not because the session has ended. */
  ended: boolean;
  savedAt: string;
  /** The pointers of the fields that are on the page. */
  fields: Set<string>;
}

interface Options<T> {
  /** Reads what is saved now, so that nobody overwrites unseen what somebody else changed meanwhile. */
  read?: () => Promise<T>;
  /** Is called when it is saved. */
  done?: () => void;
}

/**
 * Keeps a draft of what is saved. Save stores it and returns what is saved then. What is typed is never lost: not when
 * saving fails, not when somebody goes on typing meanwhile, and leaving the page asks first.
 */
export function useForm<T>(initial: T, save: (draft: T) => Promise<T>, options: Options<T> = {}): Form<T> {
  const [saved, setSaved] = useState(initial);
  const [draft, setDraft] = useState(initial);
  const [busy, setBusy] = useState(false);
  const [problems, setProblems] = useState<FieldProblem[]>([]);
  const [failure, setFailure] = useState("");
  const [refused, setRefused] = useState(0);
  const [ended, setEnded] = useState(false);
  const [savedAt, setSavedAt] = useState("");
  const latest = useRef(draft);
  latest.current = draft;
  const fields = useRef(new Set<string>());
  const release = useRef(() => {});
  const changed = changes(saved, draft);
  const dirty = changed.length > 0;
  useEffect(() => {
    if (!dirty) return;
    release.current = holdBack(s.form.leave);
    return release.current;
  }, [dirty]);
  const calm = () => {
    setProblems([]);
    setFailure("");
  };
  const refuse = (error: unknown) => {
    const problem = api.asProblem(error);
    setRefused((n) => n + 1);
    setProblems(problem.fields);
    // What a setting says of itself is more than that something is down.
    setFailure(problem.code === "unavailable" ? t.error(problem.message, problem.requestId) : explain(problem));
    setEnded(problem.status === 401);
  };
  return {
    draft,
    saved,
    busy,
    changed,
    problems,
    failure,
    refused,
    ended,
    savedAt,
    refuse,
    fields: fields.current,
    set: (pointer, value) => {
      setDraft((d) => put(d, pointer, value));
      // What was changed may be right now; the others are still as they were refused.
      setProblems((list) => list.filter((p) => p.field === "" || !related(pointer, p.field)));
    },
    reset: () => {
      setDraft(saved);
      calm();
    },
    submit: async () => {
      if (busy) return false;
      const sent = draft;
      setBusy(true);
      calm();
      try {
        const now = options.read ? await options.read() : saved;
        if (changes(saved, now).length > 0) {
          setSaved(now); // what is typed stays, and from now on counts as a change of what they made of it
          throw new api.Problem(409, "changed_meanwhile", s.form.meanwhile, "");
        }
        const next = await save(sent);
        setSaved(next);
        setSavedAt(clockTime(new Date().toISOString()));
        if (latest.current === sent) {
          setDraft(next);
          release.current();
        }
        options.done?.();
        return true;
      } catch (e) {
        refuse(e);
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}

/** A form around its fields, with the bar that saves it. Ctrl+Enter saves as well. */
export function FormOf<T>(props: {
  form: Form<T>;
  label: string;
  children: ComponentChildren;
  /** More buttons beside that which saves. */
  also?: ComponentChildren;
  /** The word on the button that saves. */
  action?: string;
  /** It makes something that is not there yet. */
  fresh?: boolean;
  /** In a dialog, what closes it. */
  onClose?: () => void;
}) {
  const { form } = props;
  const ref = useRef<HTMLFormElement>(null);
  const elsewhere = unplaced(form.problems, [...form.fields]);
  const submit = () => void form.submit();
  useLayoutEffect(() => {
    if (form.refused > 0) ref.current?.querySelector<HTMLElement>('[aria-invalid="true"], .failure')?.focus();
  }, [form.refused]);
  const save = useRef(submit);
  save.current = submit;
  useEffect(() => {
    const on = (event: KeyboardEvent) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      const own = (event.target as HTMLElement).closest("form");
      if (own && own !== ref.current) return;
      if (document.querySelector("dialog[open]") && !ref.current?.closest("dialog")) return;
      event.preventDefault();
      save.current();
    };
    addEventListener("keydown", on);
    return () => removeEventListener("keydown", on);
  }, []);
  return (
    <form
      ref={ref}
      class="settings-form"
      aria-label={props.label}
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      {props.children}
      {form.failure && (
        <div class="failure" role="alert" tabIndex={-1}>
          <p>
            <strong>{s.form.failed}</strong>{" "}
            {form.problems.length > elsewhere.length
              ? s.form.look(form.problems.length - elsewhere.length)
              : elsewhere.length === 0 && form.failure}
          </p>
          {form.ended && (
            <p>
              <a href="/sign-in" target="_blank" rel="noreferrer">
                {s.form.signIn}
              </a>
            </p>
          )}
          {elsewhere.map((p) => (
            <p key={p.field + p.message}>{sentence(p.field.replace(/^\//, "").replaceAll("/", " "), p.message)}</p>
          ))}
        </div>
      )}
      <SaveBar
        form={form}
        action={props.action ?? s.form.save}
        also={props.also}
        fresh={props.fresh ?? false}
        onClose={props.onClose}
      />
    </form>
  );
}

function SaveBar<T>(props: {
  form: Form<T>;
  action: string;
  also: ComponentChildren;
  fresh: boolean;
  onClose: (() => void) | undefined;
}) {
  const { form, action, also, fresh, onClose } = props;
  const n = form.changed.length;
  const dirty = n > 0;
  const clean = form.savedAt ? s.form.savedAt(form.savedAt) : s.form.same;
  const stand = fresh ? (dirty ? s.form.notYet : "") : dirty ? s.form.unsaved(n) : clean;
  return (
    <div class={dirty ? "save-bar dirty" : "save-bar"}>
      <p role="status">{form.busy ? s.form.saving : stand}</p>
      {also}
      {onClose && (
        <button type="button" onClick={onClose}>
          {t.actions.abort}
        </button>
      )}
      {dirty && !onClose && (
        <button type="button" class="quiet" onClick={form.reset}>
          {s.form.undo}
        </button>
      )}
      <button
        type="submit"
        class={dirty || fresh || onClose ? "primary" : ""}
        aria-disabled={form.busy}
        aria-keyshortcuts="Control+Enter"
      >
        {form.busy ? s.form.saving : action}
      </button>
    </div>
  );
}

/** What an input needs to belong to its label, hint and error. */
export interface Bound {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean | undefined;
}

interface FieldProps<T> {
  form: Form<T>;
  /** The JSON pointer of the field. */
  at: string;
  label: ComponentChildren;
  hint?: ComponentChildren;
}

/** Puts a field on the page, and returns what is wrong with it as sentences. */
function useField<T>(form: Form<T>, pointer: string, label: string): string[] {
  useEffect(() => {
    form.fields.add(pointer);
    return () => void form.fields.delete(pointer);
  }, [pointer]);
  const own = form.problems.filter((p) => place(p, [...form.fields]) === pointer);
  return own.map((p) => sentence(label, p.message));
}

/** A label, a hint, an input and what is wrong with it. */
export function Field<T>(
  props: FieldProps<T> & { name?: string; wide?: boolean; children: (bound: Bound) => ComponentChildren },
) {
  const { form, at: pointer, label, hint } = props;
  const id = useId();
  const wrong = useField(form, pointer, props.name ?? String(label));
  const described = [hint ? `${id}-hint` : "", wrong.length ? `${id}-wrong` : ""].filter(Boolean).join(" ");
  return (
    <div class={touched(form.changed, pointer) ? "field changed" : "field"}>
      <label for={id}>{label}</label>
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
      {props.children({
        id,
        "aria-describedby": described || undefined,
        "aria-invalid": wrong.length > 0 || undefined,
      })}
      <Wrong id={`${id}-wrong`} list={wrong} />
    </div>
  );
}

function Wrong({ id, list }: { id: string; list: string[] }) {
  if (list.length === 0) return null;
  return (
    <p id={id} class="wrong">
      {list.map((text) => (
        <span key={text}>{text}</span>
      ))}
    </p>
  );
}

/** Fields that belong together, with what is wrong with them as a whole. */
export function Group<T>(props: {
  form: Form<T>;
  at: string;
  label: ComponentChildren;
  name?: string;
  hint?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  const { form, at: pointer } = props;
  const id = useId();
  const wrong = useField(form, pointer, props.name ?? String(props.label));
  return (
    <fieldset
      class={`group ${props.class ?? ""} ${touched(form.changed, pointer) ? "changed" : ""}`}
      aria-describedby={props.hint ? `${id}-hint` : undefined}
      {...(wrong.length > 0 ? { "aria-invalid": true, tabIndex: -1 } : {})}
    >
      <legend>{props.label}</legend>
      {props.hint && (
        <p id={`${id}-hint`} class="hint">
          {props.hint}
        </p>
      )}
      {props.children}
      <Wrong id={`${id}-wrong`} list={wrong} />
    </fieldset>
  );
}

/** A line of text. An empty one counts as nothing when it is optional. */
export function Text<T>(
  props: FieldProps<T> & {
    optional?: boolean;
    type?: "text" | "email" | "url";
    placeholder?: string;
    list?: string;
    maxLength?: number;
    code?: boolean;
    name?: string;
  },
) {
  const { form, at: pointer } = props;
  return (
    <Field {...props}>
      {(bound) => (
        <input
          {...bound}
          type={props.type ?? "text"}
          class={props.code ? "code" : ""}
          value={(at(form.draft, pointer) as string | null | undefined) ?? ""}
          placeholder={props.placeholder}
          list={props.list}
          maxLength={props.maxLength}
          autocomplete="off"
          spellcheck={false}
          onInput={(e) => {
            const v = e.currentTarget.value;
            form.set(pointer, v === "" && props.optional ? undefined : v);
          }}
        />
      )}
    </Field>
  );
}

/** A number; nothing when it is empty. */
export function Count<T>(
  props: FieldProps<T> & { min?: number; max?: number; step?: number; empty?: unknown; placeholder?: string },
) {
  const { form, at: pointer } = props;
  const value = at(form.draft, pointer);
  return (
    <Field {...props}>
      {(bound) => (
        <input
          {...bound}
          type="number"
          class="short"
          min={props.min}
          max={props.max}
          step={props.step ?? 1}
          placeholder={props.placeholder}
          value={typeof value === "number" && value !== props.empty ? value : ""}
          onInput={(e) => {
            const v = e.currentTarget.valueAsNumber;
            form.set(pointer, Number.isNaN(v) ? props.empty : v);
          }}
        />
      )}
    </Field>
  );
}

/** One of a few. */
export function Pick<T>(props: FieldProps<T> & { options: [string, string][]; empty?: unknown; name?: string }) {
  const { form, at: pointer } = props;
  return (
    <Field {...props}>
      {(bound) => (
        <select
          {...bound}
          value={(at(form.draft, pointer) as string | null | undefined) ?? ""}
          onChange={(e) => form.set(pointer, e.currentTarget.value === "" ? props.empty : e.currentTarget.value)}
        >
          {props.options.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

/** Yes or no. */
export function Check<T>(props: FieldProps<T>) {
  const { form, at: pointer } = props;
  const id = useId();
  const wrong = useField(form, pointer, String(props.label));
  const described = [props.hint ? `${id}-hint` : "", wrong.length ? `${id}-wrong` : ""].filter(Boolean).join(" ");
  return (
    <div class={touched(form.changed, pointer) ? "field changed" : "field"}>
      <label class="check">
        <input
          type="checkbox"
          checked={at(form.draft, pointer) === true}
          aria-describedby={described || undefined}
          aria-invalid={wrong.length > 0 || undefined}
          onChange={(e) => form.set(pointer, e.currentTarget.checked)}
        />
        {props.label}
      </label>
      {props.hint && (
        <p id={`${id}-hint`} class="hint indent">
          {props.hint}
        </p>
      )}
      <Wrong id={`${id}-wrong`} list={wrong} />
    </div>
  );
}

/**
 * A secret, which is never shown again. One that is there stays unless it is replaced; nothing is sent for it then. An
 * optional one can be removed, for which an empty text is sent.
 */
export function Secret<T>(props: FieldProps<T> & { since: string | null; optional?: boolean; label: string }) {
  const { form, at: pointer, since, label } = props;
  const value = at(form.draft, pointer) as string | null | undefined;
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [form.saved]);
  const kept = since !== null && value === undefined && !open;
  const removed = since !== null && value === "" && !open;
  return (
    <Field {...props}>
      {(bound) =>
        kept || removed ? (
          <span class="kept">
            <span class={removed ? "notice" : "chip done"}>{removed ? s.secret.removed : s.secret.since(since)}</span>
            <button
              {...bound}
              type="button"
              aria-label={`${s.secret.replace}: ${label}`}
              onClick={() => {
                form.set(pointer, undefined);
                setOpen(true);
              }}
            >
              {s.secret.replace}
            </button>
            {props.optional && !removed && (
              <button
                type="button"
                class="quiet"
                aria-label={`${s.secret.remove}: ${label}`}
                onClick={() => form.set(pointer, "")}
              >
                {s.secret.remove}
              </button>
            )}
            {removed && (
              <button type="button" class="quiet" onClick={() => form.set(pointer, undefined)}>
                {s.secret.keep}
              </button>
            )}
          </span>
        ) : (
          <span class="kept">
            <input
              {...bound}
              type="password"
              class="code"
              autocomplete="new-password"
              maxLength={4096}
              value={value ?? ""}
              ref={(e) => {
                if (open && e && value === undefined) e.focus();
              }}
              onInput={(e) => form.set(pointer, e.currentTarget.value === "" ? undefined : e.currentTarget.value)}
            />
            {since !== null && (
              <button
                type="button"
                class="quiet"
                onClick={() => {
                  form.set(pointer, undefined);
                  setOpen(false);
                }}
              >
                {s.secret.keep}
              </button>
            )}
          </span>
        )
      }
    </Field>
  );
}

/** Which of some names are chosen. */
export function Several(props: {
  label: string;
  options: [string, string][];
  value: string[];
  onChange: (value: string[]) => void;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a legend cannot stand in the line of its boxes
    <span class="several" role="group" aria-label={props.label}>
      {props.options.map(([name, word]) => (
        <label key={name} class="check">
          <input
            type="checkbox"
            checked={props.value.includes(name)}
            onChange={(e) =>
              props.onChange(
                e.currentTarget.checked
                  ? props.options.map(([n]) => n).filter((n) => n === name || props.value.includes(n))
                  : props.value.filter((n) => n !== name),
              )
            }
          />
          {word}
        </label>
      ))}
    </span>
  );
}

const units = [86_400, 3600, 60, 1];

/** A length of time, kept in seconds and written in the largest unit that fits. */
export function Duration<T>(
  props: FieldProps<T> & { name?: string /** Whether it may be nothing at all. */; zero?: boolean },
) {
  const { form, at: pointer } = props;
  const seconds = (at(form.draft, pointer) as number | undefined) ?? 0;
  const [unit, setUnit] = useState(() => units.find((u) => seconds > 0 && seconds % u === 0) ?? 60);
  const shown = seconds % unit === 0 ? unit : (units.find((u) => seconds % u === 0) ?? 1);
  return (
    <Field {...props}>
      {(bound) => (
        <span class="kept">
          <input
            {...bound}
            type="number"
            class="short"
            min={0}
            step={1}
            value={seconds / shown}
            onInput={(e) => {
              const n = e.currentTarget.valueAsNumber;
              form.set(pointer, Number.isNaN(n) ? 0 : Math.round(n * shown));
            }}
          />
          <select
            class="short"
            aria-label={s.unitOf(props.name ?? String(props.label))}
            value={String(shown)}
            onChange={(e) => {
              const next = Number(e.currentTarget.value);
              setUnit(next);
              form.set(pointer, (seconds / shown) * next);
            }}
          >
            {units.map((u) => (
              <option key={u} value={u}>
                {s.units[u]}
              </option>
            ))}
          </select>
        </span>
      )}
    </Field>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm(props: {
  title: string;
  text: ComponentChildren;
  action: string;
  /** It can be undone. */
  calm?: boolean;
  onYes: () => Promise<void>;
  onClose: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const yes = async () => {
    if (busy) return;
    setBusy(true);
    setFailure("");
    try {
      await props.onYes();
      props.onClose();
    } catch (e) {
      setFailure(explain(e));
      setBusy(false);
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div class="wrap">{props.text}</div>
      {failure && <Failure text={failure} />}
      <p class="actions">
        <button type="button" class={props.calm ? "primary" : "danger"} aria-disabled={busy} onClick={() => void yes()}>
          {busy ? t.actions.busy : props.action}
        </button>
        <button type="button" onClick={props.onClose}>
          {t.actions.abort}
        </button>
      </p>
    </Dialog>
  );
}

/** A secret that is shown this once. */
export function Once(props: { label: string; text: string; value: string }) {
  return (
    <div class="once" role="status">
      <Copy {...props} />
    </div>
  );
}

/** A text to be copied elsewhere. */
export function Copy({ label, text, value }: { label: string; text: string; value: string }) {
  const [copied, setCopied] = useState(false);
  const ref = useRef<HTMLInputElement>(null);
  const id = useId();
  const copy = async () => {
    ref.current?.select();
    // Without https a browser gives no clipboard: then it stands there selected.
    await navigator.clipboard?.writeText(value).then(
      () => setCopied(true),
      () => undefined,
    );
  };
  return (
    <div class="copy">
      <label for={id}>{label}</label>
      <p class="hint">{text}</p>
      <span class="kept">
        <input id={id} ref={ref} class="code" readOnly value={value} onFocus={(e) => e.currentTarget.select()} />
        <button type="button" class="primary" onClick={() => void copy()}>
          {copied ? s.secret.copied : s.secret.copy}
        </button>
      </span>
    </div>
  );
}

/** Reads something once a page is opened, and again when asked to. */
export function useRead<T>(read: () => Promise<T>): {
  value: T | null;
  failure: string;
  again: () => void;
  set: (value: T) => void;
} {
  const [value, set] = useState<T | null>(null);
  const [failure, setFailure] = useState("");
  const again = () => {
    setFailure("");
    read().then(set, (e) => setFailure(explain(e)));
  };
  useEffect(again, []);
  return { value, failure, again, set };
}

/** What useRead has read, or why not, or that it is still under way. */
export function Shown<T>(props: { of: ReturnType<typeof useRead<T>>; children: (value: T) => ComponentChildren }) {
  const { value, failure, again } = props.of;
  if (failure && value === null) return <Failure text={failure} retry={again} />;
  if (value === null) return <p class="loading">{t.loading}</p>;
  return (
    <>
      {failure && <Failure text={failure} retry={again} />}
      {props.children(value)}
    </>
  );
}
