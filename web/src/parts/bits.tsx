import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../texts";

const ticks = new Set<() => void>();
let clock: ReturnType<typeof setInterval> | null = null;

/** The time, in ms. Renders again only when what text makes of it has changed. */
export function useClock(text: (now: number) => string): string {
  const [shown, set] = useState(() => text(Date.now()));
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const tick = () => set(latest.current(Date.now()));
    ticks.add(tick);
    clock ??= setInterval(() => {
      for (const f of ticks) f();
    }, 1000);
    return () => {
      ticks.delete(tick);
      if (ticks.size === 0 && clock) {
        clearInterval(clock);
        clock = null;
      }
    };
  }, []);
  const now = text(Date.now());
  return now === shown ? shown : now;
}

export function Age({ since, words }: { since: string | number; words: (age: string) => string }) {
  const from = typeof since === "number" ? since : Date.parse(since);
  const text = useClock((now) => words(t.age((now - from) / 1000)));
  return <time dateTime={new Date(from).toISOString()}>{text}</time>;
}

export function Ago({ since }: { since: string | number }) {
  const from = typeof since === "number" ? since : Date.parse(since);
  const text = useClock((now) => t.ago((now - from) / 1000));
  return (
    <time dateTime={new Date(from).toISOString()} title={new Date(from).toLocaleString()}>
      {text}
    </time>
  );
}

/** A time of day, with the date when it is not today. */
export function clockTime(iso: string): string {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return today ? time : `${at.toLocaleDateString()} ${time}`;
}

export const Priority = ({ of }: { of: string }) => <span class={`chip priority ${of}`}>{t.priorities[of] ?? of}</span>;

export const Status = ({ of }: { of: string }) => <span class={`chip status ${of}`}>{t.statuses[of] ?? of}</span>;

export function Failure({ text, retry }: { text: string; retry?: () => void }) {
  return (
    <div class="failure" role="alert">
      <p>{text}</p>
      {retry && (
        <button type="button" onClick={retry}>
          {t.tryAgain}
        </button>
      )}
    </div>
  );
}

/** A dialog of the browser's own, which keeps the focus and gives it back. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    ref.current?.showModal();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby="dialog-title"
      onCancel={(e) => {
        e.preventDefault();
        props.onClose();
      }}
    >
      <h2 id="dialog-title">{props.title}</h2>
      {props.children}
    </dialog>
  );
}
