// The state that all pages share, and what changes it. Pages subscribe to it.
import { useEffect, useReducer } from "preact/hooks";
import * as api from "../api/client";
import type { FeedEvent, Handoff, Me, User, Viewer } from "../api/types";
import { Alerts } from "../feed/alerts";
import { type Following, follow } from "../feed/follow";
import { lookAround } from "../feed/presence";
import type { Link, News } from "../feed/stream";
import { clockTime } from "../parts/bits";
import { t } from "../texts";
import { asks, type Card, Cards, claimable, sections } from "./cards";

export interface Notice {
  name: string;
  at: number | null;
  text: string | null;
}

const lingerFor = 5000;
const batch = 40;

export class Store {
  readonly cards = new Cards();
  link: Link = { state: "connecting", since: Date.now(), retryAt: null, heard: null };
  loaded = false;
  /** Set while the queue could not be read. */
  stale = false;
  claiming = new Set<string>();
  /** What a claim came to when it was not won, by handoff. */
  notices = new Map<string, Notice>();
  /** Cards that have just left the queue, shown a moment longer so that nothing jumps under the pointer. */
  lingering = new Set<string>();
  /** Cards that have arrived while the page was open. */
  arrived = new Set<string>();
  /** The last thing worth saying aloud. */
  said = "";
  users: User[] = [];
  /** Who of the others looks at which handoff now. */
  viewers = new Map<string, Viewer[]>();

  private readonly listeners = new Set<() => void>();
  private readonly watchers = new Set<(e: FeedEvent | null, type: string) => void>();
  private following: Following | null = null;
  private pending: ReturnType<typeof setTimeout> | null = null;
  private alerts: Alerts | null = null;
  private fresh: string[] = [];
  private around: { stop: () => void; pages: number } | null = null;
  private reading = false;
  private again = false;
  private lastLive = 0;

  constructor(readonly me: Me) {}

  start(): void {
    this.alerts = new Alerts();
    this.following = follow(
      this.me.user_id,
      (n) => this.hear(n),
      (l) => this.linked(l),
    );
    void api.users().then(
      (list) => {
        this.users = list;
        this.changed();
      },
      () => undefined,
    );
  }

  stop(): void {
    this.following?.stop();
    this.alerts?.stop();
  }

  /** Keeps the viewers current for a page that shows them. */
  watchViewers(): () => void {
    this.around ??= {
      pages: 0,
      stop: lookAround((viewers) => {
        this.viewers = viewers;
        this.changed();
      }),
    };
    this.around.pages++;
    return () => {
      if (!this.around || --this.around.pages > 0) return;
      this.around.stop();
      this.around = null;
    };
  }

  /** Takes who else looks at a handoff, as its page has just heard. */
  seenBy(id: string, viewers: Viewer[]): void {
    this.viewers.set(id, viewers);
    this.changed();
  }

  hurry(): void {
    this.following?.hurry();
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hears of every event, and with null of everything being read afresh. */
  watch(watcher: (e: FeedEvent | null, type: string) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Shows what has changed, a burst of events at once. */
  changed(): void {
    this.pending ??= setTimeout(() => {
      this.pending = null;
      this.announce();
      document.title = this.title();
      for (const listener of this.listeners) listener();
    }, batch);
  }

  /** When what is shown was last known to be current, in ms. */
  get asOf(): number {
    return this.link.state === "live" ? Date.now() : this.lastLive;
  }

  say(text: string): void {
    this.said = text === this.said ? `${text}\u00a0` : text; // the same again has to differ to be read
    this.changed();
  }

  private title(): string {
    const s = sections(this.cards.all.values(), this.me.user_id, noFilter, none);
    const me = this.me.user_id;
    const held = s.mine.filter((c) => c.status === "claimed").length;
    return t.title(s.waiting, held + s.sent.filter((c) => asks(c, me)).length);
  }

  private announce(): void {
    if (this.fresh.length === 0) return;
    const card = this.cards.all.get(this.fresh[0] ?? "");
    this.said =
      this.fresh.length > 1 || !card
        ? t.live.arrivedMany(this.fresh.length)
        : t.live.arrived(t.priorities[card.priority] ?? card.priority, card.title, card.client);
    this.fresh = [];
  }

  private linked(link: Link): void {
    const was = this.link.state;
    if (was === "live") this.lastLive = link.heard ?? Date.now();
    this.link = link;
    if (link.state === "live" && !this.loaded) void this.read();
    if (link.state === "live" && was === "waiting" && this.loaded) this.said = t.link.back;
    if (link.state === "waiting" && was === "live") this.said = t.link.lost;
    if (link.state === "signed_out") signedOut();
    this.changed();
  }

  private hear(news: News): void {
    if (news.kind === "fresh") {
      for (const watcher of this.watchers) watcher(null, "");
      void this.read();
      return;
    }
    const e = news.data as FeedEvent;
    if (typeof e?.handoff_id !== "string" || typeof e.version !== "number") return; // of a kind that comes later
    const step = this.cards.apply(e);
    if (step) {
      this.moved(step.before, step.after);
      this.alert(step.before, step.after, e);
    }
    for (const watcher of this.watchers) watcher(e, news.type);
    this.changed();
  }

  /** Calls for what the reader may claim now and could not before, unless they did that themselves. */
  private alert(before: Card | null, after: Card, e: FeedEvent): void {
    const me = this.me.user_id;
    const now = Date.now();
    if (e.actor_id === me || !claimable(after, me, now) || (before && claimable(before, me, now))) return;
    this.alerts?.card(after);
  }

  private moved(before: Card | null, after: Card): void {
    const me = this.me.user_id;
    const waits = (c: Card | null) => c?.status === "queued" && !(c.intent === "escalate" && c.sender === me);
    if (waits(after) && !waits(before)) {
      this.notices.delete(after.id);
      this.arrived.add(after.id);
      this.fresh.push(after.id);
    }
    if (asks(after, me) && !(before && asks(before, me)))
      this.said = t.live.asks(after.targetName ?? t.someone, after.title);
    if (waits(before) && !waits(after)) {
      this.arrived.delete(after.id);
      this.lingering.add(after.id);
      setTimeout(() => {
        this.lingering.delete(after.id);
        this.changed();
      }, lingerFor);
    }
  }

  /** Reads the queue, until it is read. */
  private async read(): Promise<void> {
    if (this.reading) {
      this.again = true;
      return;
    }
    this.reading = true;
    for (let attempt = 1; ; attempt++) {
      this.again = false;
      const mark = this.cards.mark();
      try {
        this.cards.merge(await api.snapshot(), mark);
        this.loaded = true;
        this.stale = false;
        if (this.again) continue;
        break;
      } catch (error) {
        const problem = api.asProblem(error);
        if (problem.status === 401) {
          signedOut();
          break;
        }
        this.stale = true;
        this.changed();
        await new Promise((resolve) => setTimeout(resolve, Math.min(10_000, 500 * 2 ** attempt)));
      }
    }
    this.reading = false;
    this.changed();
  }

  /** Claims a card. It resolves to the handoff when it is won, and leaves a notice when it is not. */
  async claim(ref: api.Ref): Promise<Handoff | null> {
    if (this.claiming.has(ref.id)) return null;
    this.claiming.add(ref.id);
    this.notices.delete(ref.id);
    this.changed();
    try {
      const h = await api.claim(ref, {}, api.newKey());
      this.cards.learn(h);
      this.say(t.claim.won);
      return h;
    } catch (error) {
      const problem = api.asProblem(error);
      if (problem.status === 401) signedOut();
      const notice: Notice = problem.claimed
        ? { name: problem.claimed.claimed_by_name, at: Date.parse(problem.claimed.claimed_at), text: null }
        : { name: "", at: null, text: problem.temporary ? t.claim.unknown : explain(problem) };
      this.notices.set(ref.id, notice);
      this.say(notice.text ?? t.claim.lost(notice.name, t.ago((Date.now() - (notice.at ?? 0)) / 1000)));
      return null;
    } finally {
      this.claiming.delete(ref.id);
      this.changed();
    }
  }

  dismiss(id: string): void {
    this.notices.delete(id);
    this.changed();
  }
}

const noFilter = { q: "", intent: "", priority: "", sort: "newest" } as const;
const none: ReadonlySet<string> = new Set();

/** Words for a refusal. */
export function explain(error: unknown): string {
  const p = api.asProblem(error);
  if (p.claimed)
    return t.claim.lost(p.claimed.claimed_by_name, t.ago((Date.now() - Date.parse(p.claimed.claimed_at)) / 1000));
  if (p.reserved) return t.claim.reserved(p.reserved.reserved_for_name, clockTime(p.reserved.reserved_until));
  return t.errors[p.code] ?? t.error(p.message, p.requestId);
}

/** Leads to the page for signing in, and back here afterwards. */
export function signedOut(): void {
  if (location.pathname === "/sign-in") return;
  location.assign(`/sign-in?error=ended&next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Renders again when the store has changed. */
export function useStore(store: Store): Store {
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => store.subscribe(() => again(undefined)), [store]);
  return store;
}
