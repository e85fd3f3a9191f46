import { useEffect, useRef, useState } from "preact/hooks";
import { claimAndOpen, QueueCard, SmallCard } from "../parts/card";
import { useKeys } from "../parts/keys";
import { go } from "../router";
import { type Card, type Filter, readFilter, sections, writeFilter } from "../state/cards";
import { type Store, useStore } from "../state/store";
import { t } from "../texts";

/** How many cards are drawn at first, and more as one comes near the end: thousands stay cheap. */
const step = 40;

export function QueuePage({ store, query }: { store: Store; query: URLSearchParams }) {
  useStore(store);
  const filter = readFilter(query);
  const set = (change: Partial<Filter>) => go(`/${writeFilter({ ...filter, ...change })}`, true);
  const stay = new Set([...store.lingering, ...store.notices.keys()]);
  const s = sections(store.cards.all.values(), store.me.user_id, filter, stay);
  const [most, setMost] = useState(step);
  const shown = s.queue.slice(0, most);
  const more = () => setMost((n) => n + step);
  const filtered = writeFilter({ ...filter, sort: "priority" }) !== "";
  useEffect(() => store.watchViewers(), [store]);
  useCardKeys(store, s.queue, most, more);

  return (
    <div class="columns">
      <section aria-labelledby="queue-title" class="queue">
        <div class="list-head">
          <h1 id="queue-title">{t.queue}</h1>
          <p class="count">
            {store.loaded ? t.list.waiting(s.waiting) : t.loading}
            {filtered && ` · ${t.list.shown(s.queue.length, s.waiting)}`}
          </p>
        </div>
        <Filters filter={filter} set={set} filtered={filtered} />
        {store.loaded && s.queue.length === 0 && <p class="empty">{filtered ? t.list.emptyFiltered : t.list.empty}</p>}
        <ul class="cards" aria-busy={!store.loaded}>
          {shown.map((c) => (
            <QueueCard key={c.id} card={c} store={store} />
          ))}
        </ul>
        {s.queue.length > most && <More onNear={more} />}
      </section>
      <div class="beside">
        <Beside title={t.list.mine} empty={t.list.noneMine} cards={s.mine} me={store.me.user_id} />
        <Beside title={t.list.sent} empty={t.list.noneSent} cards={s.sent} me={store.me.user_id} />
      </div>
    </div>
  );
}

function Beside({ title, empty, cards, me }: { title: string; empty: string; cards: Card[]; me: string }) {
  return (
    <section aria-label={title}>
      <h2>
        {title} <span class="count">{cards.length || ""}</span>
      </h2>
      {cards.length === 0 ? (
        <p class="empty">{empty}</p>
      ) : (
        <ul class="smalls">
          {cards.slice(0, 50).map((c) => (
            <SmallCard key={c.id} card={c} me={me} />
          ))}
        </ul>
      )}
    </section>
  );
}

function More({ onNear }: { onNear: () => void }) {
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!ref.current) return;
    const seen = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && onNear(), {
      rootMargin: "800px",
    });
    seen.observe(ref.current);
    return () => seen.disconnect();
  });
  return (
    <button type="button" ref={ref} onClick={onNear}>
      {t.list.more}
    </button>
  );
}

function Filters(props: { filter: Filter; set: (f: Partial<Filter>) => void; filtered: boolean }) {
  const { filter, set } = props;
  return (
    <search class="filters" aria-label={t.filters.label}>
      <label class="grow">
        <span>{t.filters.search}</span>
        <input
          id="search"
          type="search"
          value={filter.q}
          placeholder={t.filters.searchHint}
          onInput={(e) => set({ q: e.currentTarget.value })}
          onKeyDown={(e) => e.key === "Escape" && e.currentTarget.blur()}
        />
      </label>
      <Choice label={t.filters.intent} value={filter.intent} on={(v) => set({ intent: v as Filter["intent"] })}>
        {{ "": t.filters.all, ...t.intents }}
      </Choice>
      <Choice label={t.filters.priority} value={filter.priority} on={(v) => set({ priority: v as Filter["priority"] })}>
        {{ "": t.filters.all, ...t.priorities }}
      </Choice>
      <Choice label={t.filters.sort} value={filter.sort} on={(v) => set({ sort: v as Filter["sort"] })}>
        {t.sorts}
      </Choice>
      {props.filtered && (
        <button type="button" class="quiet" onClick={() => set({ q: "", intent: "", priority: "" })}>
          {t.filters.clear}
        </button>
      )}
    </search>
  );
}

function Choice(props: { label: string; value: string; on: (v: string) => void; children: Record<string, string> }) {
  return (
    <label>
      <span>{props.label}</span>
      <select value={props.value} onChange={(e) => props.on(e.currentTarget.value)}>
        {Object.entries(props.children).map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Keys that walk the cards. The focus is on the card's link, so the browser's own keys work on it as well. */
function useCardKeys(store: Store, cards: Card[], most: number, more: () => void): void {
  const here = () => {
    const id = (document.activeElement?.closest("[data-id]") as HTMLElement | null)?.dataset.id;
    return id === undefined ? -1 : cards.findIndex((c) => c.id === id);
  };
  // The card that had the focus may be gone; then the walk goes on from its place.
  const last = useRef(-1);
  const move = (by: number) => {
    const at = here();
    const from = at >= 0 ? at : by > 0 ? Math.max(-1, last.current - 1) : last.current;
    const next = Math.max(0, Math.min(cards.length - 1, from + by));
    last.current = next;
    if (next >= most - 5) more();
    const link = document.querySelector<HTMLElement>(`[data-card="${cards[next]?.id}"]`);
    link?.focus();
    link?.closest("li")?.scrollIntoView({ block: "nearest" });
  };
  const claim = () => {
    const card = cards[here()];
    if (card?.status === "queued") void claimAndOpen(store, card);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    c: claim,
    "/": () => document.getElementById("search")?.focus(),
  });
}
