// One live stream that mends itself: it reconnects with the last id it saw, so
// that nothing is missed, waits longer each time, and notices a dead connection.
import { type Frame, FrameParser } from "./frames";

/** How the stream stands, for people. Times are in ms. */
export interface Link {
  state: "connecting" | "live" | "waiting" | "signed_out" | "refused";
  since: number;
  retryAt: number | null;
  /** When the server was last heard, before this state: an end may be noticed long after that. */
  heard: number | null;
}

/** What the stream tells: an event, or that everything has to be read afresh. */
export type News = { kind: "event"; type: string; data: unknown } | { kind: "fresh" };

export interface StreamOptions {
  url: string;
  onNews: (news: News) => void;
  onLink: (link: Link) => void;
  fetch?: typeof fetch;
  random?: () => number;
  now?: () => number;
}

/** The server breaks the silence every 25 s; two beats may be lost on the way. */
export const silence = 60_000;
const most = 15_000;

/** How long to wait before the nth attempt in a row, in ms; spread, so that not everybody comes back at once. */
export function backoff(attempt: number, random: number): number {
  return Math.round(Math.min(most, 500 * 2 ** Math.min(attempt - 1, 10)) * (0.5 + random / 2));
}

export class Stream {
  private readonly o: Required<StreamOptions>;
  private lastId: string | null = null;
  private attempts = 0;
  private running = false;
  private abort: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private link: Link;
  private heard: number | null = null;

  constructor(o: StreamOptions) {
    this.o = { fetch: (...args) => fetch(...args), random: Math.random, now: Date.now, ...o };
    this.link = { state: "connecting", since: this.o.now(), retryAt: null, heard: null };
  }

  get current(): Link {
    return this.link;
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    void this.connect();
  }

  stop(): void {
    this.running = false;
    clearTimeout(this.timer);
    this.abort?.abort();
  }

  /** Tries at once instead of waiting, because the network is back or somebody asks. */
  hurry(): void {
    if (this.running && this.link.state === "waiting") {
      clearTimeout(this.timer);
      void this.connect();
    }
  }

  private to(state: Link["state"], retryAt: number | null = null): void {
    const since = state === this.link.state ? this.link.since : this.o.now();
    this.link = { state, since, retryAt, heard: this.heard };
    this.o.onLink(this.link);
  }

  private async connect(): Promise<void> {
    if (this.link.state !== "waiting") this.to("connecting");
    this.abort = new AbortController();
    const abort = this.abort;
    let wait: number | null = null;
    try {
      const from = this.lastId === null ? "" : `?last_event_id=${encodeURIComponent(this.lastId)}`;
      const response = await this.o.fetch(this.o.url + from, {
        headers: { Accept: "text/event-stream" },
        credentials: "same-origin",
        cache: "no-store",
        signal: abort.signal,
      });
      if (response.status === 401 || response.status === 403) {
        this.running = false;
        this.to(response.status === 401 ? "signed_out" : "refused");
        return;
      }
      if (response.ok && response.body) wait = await this.read(response.body, abort);
    } catch {
      // Whatever it was, the answer is to come back.
    }
    if (!this.running) return;
    this.attempts++;
    const delay = Math.max(wait ?? 0, backoff(this.attempts, this.o.random()));
    this.to("waiting", this.o.now() + delay);
    this.timer = setTimeout(() => void this.connect(), delay);
  }

  /** Reads to the end, and returns how long the server asks to stay away. */
  private async read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<number | null> {
    const parser = new FrameParser();
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const watchdog = setTimeout(() => abort.abort(), silence);
      const { done, value } = await reader.read().finally(() => clearTimeout(watchdog));
      if (done) return parser.retry;
      this.heard = this.o.now();
      for (const frame of parser.push(decoder.decode(value, { stream: true }))) this.take(frame);
    }
  }

  private take(frame: Frame): void {
    const first = this.lastId === null;
    if (frame.id !== null) this.lastId = frame.id;
    if (frame.event === "ready") {
      this.attempts = 0;
      this.to("live");
      if (first) this.o.onNews({ kind: "fresh" });
      return;
    }
    if (frame.event === "resync") {
      this.o.onNews({ kind: "fresh" });
      return;
    }
    let data: unknown;
    try {
      data = JSON.parse(frame.data);
    } catch {
      this.o.onNews({ kind: "fresh" }); // what it said is lost, so ask for all
      return;
    }
    this.o.onNews({ kind: "event", type: frame.event, data });
  }
}
