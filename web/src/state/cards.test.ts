import { describe, expect, test } from "vitest";
import type { FeedEvent, Handoff } from "../api/types";
import { asks, Cards, claimable, compare, fromHandoff, readFilter, sections, writeFilter } from "./cards";

const me = "me";
const event = (id: string, version: number, change: Partial<FeedEvent> = {}): FeedEvent =>
  ({
    handoff_id: id,
    session_id: `s-${id}`,
    version,
    generation: 1,
    status: "queued",
    intent: "escalate",
    priority: "normal",
    title: `Title ${id}`,
    client_name: "Contoso",
    psa_ticket: null,
    notes_excerpt: "Notes",
    handed_off_by: "sam",
    handed_off_by_name: "Sam",
    target_user_id: null,
    target_user_name: null,
    claimed_by: null,
    claimed_by_name: null,
    claimed_at: null,
    created_at: "2026-11-04T09:00:00Z",
    ...change,
  }) as FeedEvent;
const effect = { state: "done", reason: null, next_attempt_at: null };
const row = (id: string, version: number, change: object = {}): Handoff =>
  ({
    ...event(id, version),
    id,
    engineer_notes: "Notes",
    session: { title: `Title ${id}`, client_name: "Contoso", psa_ticket: null },
    psa: effect,
    documentation: effect,
    briefing: effect,
    reserved_until: null,
    queued_at: "2026-11-04T09:00:00Z",
    claim_by: null,
    wake_at: null,
    ...change,
  }) as unknown as Handoff;
const ids = (cards: { id: string }[]) => cards.map((c) => c.id);
const all = { q: "", intent: "", priority: "", sort: "priority" } as const;
const none = new Set<string>();

describe("Cards", () => {
  test("a lower version changes nothing, but its side effect counts", () => {
    const cards = new Cards();
    cards.apply(event("a", 2, { status: "claimed", claimed_by: "ben" }));
    const trouble = { kind: "psa", state: "retrying", reason: "503", attempts: 1, next_attempt_at: null } as const;
    expect(cards.apply(event("a", 1, { effect: trouble }))).toBeNull();
    expect(cards.all.get("a")).toMatchObject({ status: "claimed", trouble: { psa: { state: "retrying" } } });
    cards.apply(event("a", 2, { status: "claimed", effect: { ...trouble, state: "done" } }));
    expect(cards.all.get("a")?.trouble).toEqual({});
  });
  test("what was read does not undo what was heard meanwhile", () => {
    const cards = new Cards();
    cards.apply(event("gone", 1));
    const mark = cards.mark();
    cards.apply(event("claimed", 2, { status: "claimed" }));
    cards.apply(event("new", 1));
    cards.merge([row("claimed", 1), row("read", 1)], mark);
    expect([...cards.all.keys()].sort()).toEqual(["claimed", "new", "read"]);
    expect(cards.all.get("claimed")?.status).toBe("claimed");
  });
  test("in whatever order they come, events and rows end in the same", () => {
    const events = [
      event("a", 1),
      event("a", 2, { status: "claimed", claimed_by: "ben" }),
      event("a", 3, { status: "queued", generation: 2 }),
      event("a", 4, { status: "resolved" }),
    ];
    for (let seed = 0; seed < 50; seed++) {
      const cards = new Cards();
      const shuffled = [...events].sort(
        (x, y) => ((x.version * 7 + seed * 13) % 11) - ((y.version * 7 + seed * 13) % 11),
      );
      for (const e of shuffled) cards.apply(e);
      cards.learn(row("a", 1 + (seed % 3)));
      expect(cards.all.get("a")).toMatchObject({ version: 4, status: "resolved" });
    }
  });
});

describe("sections", () => {
  const cards = [
    row("own", 1, { handed_off_by: me }),
    row("parked", 1, { handed_off_by: me, intent: "park" }),
    row("held", 2, { status: "claimed", claimed_by: me }),
    row("other", 2, { status: "claimed", claimed_by: "ben" }),
    row("closed", 3, { status: "resolved" }),
    row("later", 1, { status: "awaiting_customer" }),
    row("waits", 1),
  ].map(fromHandoff);
  test("each handoff is where its reader looks for it", () => {
    const s = sections(cards, me, all, none);
    expect(ids(s.queue).sort()).toEqual(["parked", "waits"]);
    expect(ids(s.mine)).toEqual(["held"]);
    expect(ids(s.sent).sort()).toEqual(["own", "parked"]);
    expect(s.waiting).toBe(2);
  });
  test("a card that has just been claimed stays a moment, but not one's own", () => {
    expect(ids(sections(cards, me, all, new Set(["other", "held"])).queue).sort()).toEqual([
      "other",
      "parked",
      "waits",
    ]);
  });
  test("every word of the search has to be somewhere", () => {
    const find = (q: string) => ids(sections(cards, me, { ...all, q }, none).queue);
    expect(find("TITLE waits")).toEqual(["waits"]);
    expect(find("contoso sam").length).toBe(2);
    expect(find("contoso zebra")).toEqual([]);
  });
});

test("first what is addressed to me, then the most urgent, then the oldest; an unknown priority breaks nothing", () => {
  const list = [
    row("low", 1, { priority: "low" }),
    row("young", 1, { priority: "high", created_at: "2026-11-04T09:05:00Z" }),
    row("old", 1, { priority: "high", created_at: "2026-11-04T08:00:00Z" }),
    row("odd", 1, { priority: "meteoric" }),
    row("me", 1, { priority: "low", target_user_id: me }),
  ].map(fromHandoff);
  expect(ids([...list].sort(compare(me, "priority")))).toEqual(["me", "old", "young", "odd", "low"]);
  expect(ids([...list].sort(compare(me, "newest")))[0]).toBe("young");
  expect(ids([...list].sort(compare(me, "oldest")))[0]).toBe("old");
});

test("fractions of a second have as many digits as they need, and sort by time", () => {
  const times = ["00Z", "00.1Z", "00.12Z", "00.120001Z", "00.2Z", "01Z"];
  const list = times.map((at, n) => fromHandoff(row(`c${n}`, 1, { created_at: `2026-11-04T09:00:${at}` })));
  expect(ids(list.toReversed().sort(compare(me, "oldest")))).toEqual(ids(list));
});

test("filters survive the address, and nonsense in it is ignored", () => {
  const filter = { q: "a b&c", intent: "park", priority: "high", sort: "newest" } as const;
  expect(readFilter(new URLSearchParams(writeFilter(filter)))).toEqual(filter);
  expect(writeFilter(readFilter(new URLSearchParams("?intent=x&sort=y&priority=")))).toBe("");
});

test("thousands of cards are sorted within a frame", () => {
  const many = Array.from({ length: 5000 }, (_, n) => fromHandoff(row(`c${(n * 7919) % 5000}`, 1)));
  sections(many, me, all, none);
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 5; n++) {
    const began = performance.now();
    sections(many, me, all, none);
    best = Math.min(best, performance.now() - began);
  }
  expect(best).toBeLessThan(50);
});

describe("questions to a sender", () => {
  const cards = [
    row("to-me", 3, {
      status: "returned",
      handed_off_by: me,
      target_user_id: "ana",
      created_at: "2026-11-01T09:00:00Z",
    }),
    row("sent", 1, { handed_off_by: me }),
    row("by-me", 3, { status: "returned", target_user_id: me }),
    row("theirs", 3, { status: "returned", target_user_id: "ana" }),
    row("kept", 4, { target_user_id: "ana", reserved_until: "2026-11-04T10:00:00Z" }),
    row("mine", 4, { target_user_id: me, reserved_until: "2026-11-04T10:00:00Z" }),
  ].map(fromHandoff);
  test("what asks me comes first of what I sent, and what I returned stays with me", () => {
    const s = sections(cards, me, all, none);
    expect(ids(s.sent)).toEqual(["to-me", "sent"]);
    expect(ids(s.mine)).toEqual(["by-me"]);
    expect(ids(s.queue).sort()).toEqual(["kept", "mine"]);
    expect(cards.filter((c) => asks(c, me)).map((c) => c.id)).toEqual(["to-me"]);
  });
  test("an answered one is kept for who asked, for a time", () => {
    const at = (time: string) => cards.filter((c) => claimable(c, me, Date.parse(time))).map((c) => c.id);
    expect(at("2026-11-04T09:59:00Z")).toEqual(["mine"]);
    expect(at("2026-11-04T10:00:00Z")).toEqual(["kept", "mine"]);
  });
});

describe("the target of a wait", () => {
  const by = "2026-11-04T09:30:00Z";
  test("once known it stays for the generation, whatever comes late", () => {
    const cards = new Cards();
    cards.apply(event("a", 1, { queued_at: "2026-11-04T09:00:00Z" }));
    expect(cards.all.get("a")?.claimBy).toBeNull();
    cards.apply(event("a", 1, { claim_by: by }));
    cards.apply(event("a", 1)); // a side effect, read before the ladder began
    expect(cards.all.get("a")?.claimBy).toBe(by);
    cards.apply(event("a", 2, { status: "claimed" }));
    expect(cards.all.get("a")?.claimBy).toBeNull();
    cards.apply(event("a", 3, { generation: 2 }));
    expect(cards.all.get("a")?.claimBy).toBeNull();
  });
  test("orders the queue; what has none comes last", () => {
    const list = [
      row("none", 1, { created_at: "2026-11-01T00:00:00Z" }),
      row("late", 1, { claim_by: "2026-11-04T12:00:00Z" }),
      row("soon", 1, { claim_by: by, priority: "low" }),
    ].map(fromHandoff);
    expect(ids([...list].sort(compare(me, "due")))).toEqual(["soon", "late", "none"]);
    expect(readFilter(new URLSearchParams("sort=due")).sort).toBe("due");
  });
});
