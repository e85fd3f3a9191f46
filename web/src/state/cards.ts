// What is known of the account's open handoffs, from two sources that overtake
// each other: the queue as it was read, and the feed. The higher version wins.
import type { FeedEvent, Handoff, Intent, Priority } from "../api/types";

export interface Card {
  id: string;
  session_id: string;
  version: number;
  generation: number;
  status: string; // as the API says; one that is not known here is not open
  intent: Intent;
  priority: Priority;
  title: string;
  client: string;
  ticket: string | null;
  excerpt: string;
  sender: string;
  senderName: string | null;
  target: string | null;
  targetName: string | null;
  holder: string | null;
  holderName: string | null;
  claimedAt: string | null;
  createdAt: string;
  /** Until when only the target may claim it, after an answer. It may have passed. */
  reservedUntil: string | null;
  /** While it waits, since when, and until when somebody should claim it. */
  queuedAt: string | null;
  claimBy: string | null;
  /** When a parked session is due; null also when that is not known. */
  wakeAt: string | null;
  /** Side effects that are retrying or failed, by kind. */
  trouble: Record<string, { state: string; reason: string | null; next: string | null }>;
}

export class Cards {
  readonly all = new Map<string, Card>();
  private readonly touched = new Map<string, number>();
  private tick = 0;

  /** A place in time, for [[merge]]: taken before the queue is read. */
  mark(): number {
    return this.tick;
  }

  /** Takes an event of the feed. It returns the card before and after, or null when the event is old news. */
  apply(e: FeedEvent): { before: Card | null; after: Card } | null {
    const before = this.all.get(e.handoff_id) ?? null;
    this.touched.set(e.handoff_id, ++this.tick);
    if (before && e.version < before.version) {
      if (e.effect) this.put(withEffect(before, e.effect));
      return null;
    }
    let after = fromEvent(e, before);
    if (e.effect) after = withEffect(after, e.effect);
    this.put(after);
    return { before, after };
  }

  /** Takes the queue as it was read, begun at mark: what is not in it, and was not heard of since, is gone. */
  merge(rows: Handoff[], mark: number): void {
    const there = new Set<string>();
    for (const row of rows) {
      there.add(row.id);
      const known = this.all.get(row.id);
      if (!known || row.version >= known.version) this.put(fromHandoff(row));
    }
    for (const id of this.all.keys()) {
      if (!there.has(id) && (this.touched.get(id) ?? 0) <= mark) this.all.delete(id);
    }
    for (const [id, tick] of this.touched) if (tick <= mark && !this.all.has(id)) this.touched.delete(id);
  }

  /** Takes one handoff as it was read or answered. */
  learn(row: Handoff): void {
    const known = this.all.get(row.id);
    this.touched.set(row.id, ++this.tick);
    if (!known || row.version >= known.version) this.put(fromHandoff(row));
  }

  /** A closed card stays known, so that a late event of an old version cannot bring it back. */
  private put(card: Card): void {
    this.all.set(card.id, card);
  }
}

const excerptLength = 280;

export function fromHandoff(h: Handoff): Card {
  const trouble: Card["trouble"] = {};
  for (const kind of ["psa", "documentation", "briefing"] as const) {
    const effect = h[kind];
    if (effect.state === "retrying" || effect.state === "failed") {
      trouble[kind] = { state: effect.state, reason: effect.reason, next: effect.next_attempt_at };
    }
  }
  return {
    id: h.id,
    session_id: h.session_id,
    version: h.version,
    generation: h.generation,
    status: h.status,
    intent: h.intent,
    priority: h.priority,
    title: h.session.title,
    client: h.session.client_name,
    ticket: h.session.psa_ticket,
    excerpt: h.engineer_notes.slice(0, excerptLength),
    sender: h.handed_off_by,
    senderName: h.handed_off_by_name,
    target: h.target_user_id,
    targetName: h.target_user_name,
    holder: h.claimed_by,
    holderName: h.claimed_by_name,
    claimedAt: h.claimed_at,
    createdAt: h.created_at,
    reservedUntil: h.reserved_until,
    queuedAt: h.queued_at,
    claimBy: h.claim_by,
    wakeAt: h.wake_at,
    trouble,
  };
}

function fromEvent(e: FeedEvent, before: Card | null): Card {
  return {
    id: e.handoff_id,
    session_id: e.session_id,
    version: e.version,
    generation: e.generation,
    status: e.status,
    intent: e.intent,
    priority: e.priority,
    title: e.title,
    client: e.client_name,
    ticket: e.psa_ticket,
    excerpt: e.notes_excerpt.slice(0, excerptLength),
    sender: e.handed_off_by,
    senderName: e.handed_off_by_name,
    target: e.target_user_id,
    targetName: e.target_user_name,
    holder: e.claimed_by,
    holderName: e.claimed_by_name,
    claimedAt: e.claimed_at,
    createdAt: e.created_at,
    reservedUntil: e.reserved_until ?? null,
    queuedAt: e.queued_at ?? null,
    // It stays while the generation waits, and what was said before it was known may come later.
    claimBy: e.claim_by ?? (e.status === "queued" && e.generation === before?.generation ? before.claimBy : null),
    wakeAt: before?.wakeAt ?? null,
    trouble: before?.trouble ?? {},
  };
}

function withEffect(card: Card, e: NonNullable<FeedEvent["effect"]>): Card {
  const trouble = { ...card.trouble };
  delete trouble[e.kind];
  if (e.state === "retrying" || e.state === "failed") {
    trouble[e.kind] = { state: e.state, reason: e.reason, next: e.next_attempt_at };
  }
  return { ...card, trouble };
}

/** What the reader wants to see, as it is in the address. */
export interface Filter {
  q: string;
  intent: "" | Intent;
  priority: "" | Priority;
  sort: "priority" | "due" | "oldest" | "newest";
}

export function readFilter(query: URLSearchParams): Filter {
  const one = <T extends string>(name: string, values: readonly T[], fallback: T): T => {
    const value = query.get(name) as T | null;
    return value !== null && values.includes(value) ? value : fallback;
  };
  return {
    q: query.get("q") ?? "",
    intent: one("intent", ["", "park", "escalate"], ""),
    priority: one("priority", ["", "low", "normal", "high", "critical"], ""),
    sort: one("sort", ["priority", "due", "oldest", "newest"], "priority"),
  };
}

export function writeFilter(f: Filter): string {
  const query = new URLSearchParams();
  if (f.q) query.set("q", f.q);
  if (f.intent) query.set("intent", f.intent);
  if (f.priority) query.set("priority", f.priority);
  if (f.sort !== "priority") query.set("sort", f.sort);
  const text = query.toString();
  return text ? `?${text}` : "";
}

export const ranks: Record<string, number> = { critical: 3, high: 2, normal: 1, low: 0 };

const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Times of the API, as text: a fraction ends where its zeros begin, so the Z must not be compared with a digit. */
const time = (a: string, b: string) => text(a.slice(0, -1), b.slice(0, -1));

/** The queue's order: what is addressed to the reader, then the most urgent, then the oldest; as the API sorts. */
export function compare(me: string, sort: Filter["sort"]): (a: Card, b: Card) => number {
  const oldest = (a: Card, b: Card) => time(a.createdAt, b.createdAt) || text(a.id, b.id);
  if (sort === "oldest") return oldest;
  if (sort === "newest") return (a, b) => oldest(b, a);
  // What has no target comes after all that has one.
  if (sort === "due") return (a, b) => text(a.claimBy ?? "~", b.claimBy ?? "~") || oldest(a, b);
  return (a, b) =>
    Number(b.target === me) - Number(a.target === me) ||
    (ranks[b.priority] ?? 1) - (ranks[a.priority] ?? 1) ||
    oldest(a, b);
}

/** Whether a handoff is kept for who asked its sender something, and that is somebody else than me. */
export const reserved = (c: { reservedUntil: string | null; target: string | null }, me: string, now: number) =>
  c.reservedUntil !== null && c.target !== me && Date.parse(c.reservedUntil) > now;

/** Whether I may claim it now. */
export const claimable = (c: Card, me: string, now: number) =>
  c.status === "queued" && !(c.intent === "escalate" && c.sender === me) && !reserved(c, me, now);

/** Whether its sender, me, is asked something. */
export const asks = (c: Card, me: string) => c.status === "returned" && c.sender === me;

export interface Sections {
  queue: Card[];
  mine: Card[];
  sent: Card[];
  /** How many wait, whatever the filter. */
  waiting: number;
}

const open = new Set(["queued", "claimed", "returned"]);

const matches = (c: Card, words: string[]) => {
  if (words.length === 0) return true;
  const hay = `${c.title}\n${c.client}\n${c.ticket ?? ""}\n${c.excerpt}\n${c.senderName ?? ""}`.toLowerCase();
  return words.every((w) => hay.includes(w));
};

/** Sorts the cards into the page's lists. Those in stay are shown in the queue although they have left it. */
export function sections(cards: Iterable<Card>, me: string, f: Filter, stay: ReadonlySet<string>): Sections {
  const s: Sections = { queue: [], mine: [], sent: [], waiting: 0 };
  const words = f.q.toLowerCase().split(/\s+/).filter(Boolean);
  for (const c of cards) {
    const own = c.intent === "escalate" && c.sender === me;
    const waits = c.status === "queued" && !own;
    if (waits) s.waiting++;
    const wanted = (!f.intent || c.intent === f.intent) && (!f.priority || c.priority === f.priority);
    if ((waits || (stay.has(c.id) && !(c.status === "claimed" && c.holder === me))) && wanted && matches(c, words))
      s.queue.push(c);
    if ((c.status === "claimed" && c.holder === me) || (c.status === "returned" && c.target === me)) s.mine.push(c);
    else if (c.sender === me && open.has(c.status)) s.sent.push(c);
  }
  s.queue.sort(compare(me, f.sort));
  s.mine.sort(compare(me, "priority"));
  const newest = compare(me, "newest");
  s.sent.sort((a, b) => Number(asks(b, me)) - Number(asks(a, me)) || newest(a, b));
  return s;
}
