// A sound and a desktop notification for what is new in the queue: both off
// until asked for, and once per browser, however many tabs it has.
import { go, handoffPath } from "../router";
import type { Card } from "../state/cards";
import { t } from "../texts";

export type Alert = "sound" | "desktop";

const setting = (what: Alert) => `baton.alert.${what}`;

export function alertOn(what: Alert): boolean {
  try {
    return localStorage.getItem(setting(what)) === "on" && (what === "sound" || permission() === "granted");
  } catch {
    return false;
  }
}

/** Whether the browser lets us notify; missing where it knows of no such thing, or not for this address. */
export const permission = (): NotificationPermission | "missing" =>
  "Notification" in window && isSecureContext ? Notification.permission : "missing";

/** Turns an alert on or off, by a click. It resolves to whether it is on: the browser may be asked for it, and refuse. */
export async function setAlert(what: Alert, on: boolean): Promise<boolean> {
  if (on && what === "desktop") {
    if (permission() === "missing") return false;
    if ((await Notification.requestPermission()) !== "granted") return false;
  }
  try {
    localStorage.setItem(setting(what), on ? "on" : "off");
  } catch {
    return false; // a browser that remembers nothing has none
  }
  return on;
}

/** Two short tones, made here, since there is nothing to fetch. */
export function play(): void {
  const audio = new AudioContext();
  const at = audio.currentTime;
  for (const [n, pitch] of [659.3, 880].entries()) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at + n * 0.14);
    volume.gain.linearRampToValueAtTime(0.12, at + n * 0.14 + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + n * 0.14 + 0.3);
    tone.connect(volume).connect(audio.destination);
    tone.start(at + n * 0.14);
    tone.stop(at + n * 0.14 + 0.32);
    tone.onended = () => n === 1 && void audio.close();
  }
}

export function notify(title: string, body: string, tag: string, onClick: () => void): void {
  const note = new Notification(title, { body, tag, icon: "/icon.svg" });
  note.onclick = () => {
    window.focus();
    note.close();
    onClick();
  };
}

/** How far apart sounds are at least, in ms: a burst is one sound. */
const quiet = 1500;
const lock = "baton.alerts";

export class Alerts {
  private first = !navigator.locks; // over plain http there are no locks: then each tab that is seen
  private readonly over = new AbortController();
  private played = 0;

  constructor() {
    if (!navigator.locks) return;
    this.queue(false);
    // A browser plays sounds only in tabs that were touched: such a tab takes over.
    for (const type of ["pointerdown", "keydown"])
      addEventListener(type, () => this.first || this.queue(true), { once: true, signal: this.over.signal });
  }

  /** Waits to be the one tab that alerts, and stays it until the tab is closed or another one takes over. */
  private queue(steal: boolean): void {
    const options: LockOptions = steal ? { steal } : { signal: this.over.signal };
    navigator.locks
      .request(lock, options, () => {
        this.first = true;
        return new Promise<void>((done) => this.over.signal.addEventListener("abort", () => done()));
      })
      .catch(() => undefined)
      .finally(() => {
        this.first = false; // another tab has taken over
        if (!this.over.signal.aborted) this.queue(false);
      });
  }

  stop(): void {
    this.over.abort();
  }

  /** Alerts to a card, if that is wanted, and this is the tab to do so. */
  card(c: Card): void {
    if (!this.first || (!navigator.locks && document.visibilityState !== "visible")) return;
    const now = Date.now();
    if (alertOn("sound") && now - this.played > quiet) {
      this.played = now;
      play();
    }
    if (alertOn("desktop"))
      notify(
        `${t.priorities[c.priority] ?? c.priority}: ${c.title}`,
        `${c.client}\n${t.list.from(c.senderName ?? t.someone)}`,
        c.id,
        () => go(handoffPath(c)),
      );
  }
}
