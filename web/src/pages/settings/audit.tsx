import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../../api/settings";
import { Failure } from "../../parts/bits";
import { useRead } from "../../parts/form";
import { Table } from "../../parts/table";
import { go } from "../../router";
import { actorOf, inWords, type Names } from "../../state/audit";
import { explain } from "../../state/store";
import { settings as s, t } from "../../texts";
import { Head, type PageProps } from "../settings";

const w = s.audit;
const day = 86_400_000;

/** What is asked for, as the API wants it; the page's address holds days. */
function ask(query: URLSearchParams): URLSearchParams {
  const q = new URLSearchParams();
  for (const name of ["actor", "action"]) {
    const value = query.get(name);
    if (value) q.set(name, value);
  }
  const since = midnight(query.get("since"));
  const until = midnight(query.get("until"));
  if (since !== null) q.set("since", new Date(since).toISOString());
  if (until !== null) q.set("until", new Date(until + day).toISOString()); // the day itself belongs to it
  return q;
}

/** Midnight of a day, where the reader is. */
function midnight(date: string | null): number | null {
  const at = date ? Date.parse(`${date}T00:00:00`) : Number.NaN;
  return Number.isNaN(at) ? null : at;
}

export function AuditPage({ query }: PageProps) {
  const people = useRead(api.people);
  const teams = useRead(api.teams);
  const channels = useRead(api.channels);
  const nameIn = (list: { id: string; name: string }[] | null) => (id: string) =>
    list?.find((x) => x.id === id)?.name ?? t.someone;
  const names = { team: nameIn(teams.value), user: nameIn(people.value), channel: nameIn(channels.value) };
  const [entries, setEntries] = useState<api.AuditEntry[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [failure, setFailure] = useState("");
  const asked = ask(query);
  const newest = useRef("");
  const load = async (from: string | null) => {
    const of = String(ask(query));
    newest.current = of;
    setFailure("");
    const q = ask(query);
    q.set("limit", "50");
    if (from) q.set("cursor", from);
    try {
      const page = await api.audit(q);
      if (newest.current !== of) return; // somebody asked for something else meanwhile
      setEntries((now) => [...(from ? (now ?? []) : []), ...page.items]);
      setCursor(page.next_cursor);
    } catch (e) {
      setFailure(explain(e));
    }
  };
  useEffect(() => {
    void load(null);
  }, [String(asked)]);
  const set = (name: string, value: string) => {
    const next = new URLSearchParams(query);
    if (value) next.set(name, value);
    else next.delete(name);
    go(`/settings/audit${next.size ? `?${next}` : ""}`, true);
  };
  return (
    <>
      <Head name="audit" />
      <search class="filters" aria-label={w.filter}>
        <label>
          <span>{w.who}</span>
          <select value={query.get("actor") ?? ""} onChange={(e) => set("actor", e.currentTarget.value)}>
            <option value="">{t.filters.all}</option>
            {(people.value ?? []).map((u) => (
              <option key={u.id} value={u.id}>
                {u.name}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{w.what}</span>
          <select value={query.get("action") ?? ""} onChange={(e) => set("action", e.currentTarget.value)}>
            <option value="">{t.filters.all}</option>
            {Object.entries(w.actions).map(([action, word]) => (
              <option key={action} value={action}>
                {word}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{w.since}</span>
          <input type="date" value={query.get("since") ?? ""} onChange={(e) => set("since", e.currentTarget.value)} />
        </label>
        <label>
          <span>{w.until}</span>
          <input type="date" value={query.get("until") ?? ""} onChange={(e) => set("until", e.currentTarget.value)} />
        </label>
        {query.size > 0 && (
          <button type="button" class="quiet" onClick={() => go("/settings/audit", true)}>
            {t.filters.clear}
          </button>
        )}
        <a class="button" href={api.auditCSV(asked)} download="audit.csv">
          {w.csv}
        </a>
      </search>
      {failure && <Failure text={failure} retry={() => void load(null)} />}
      {entries === null && !failure && <p class="loading">{t.loading}</p>}
      {entries && (
        <Table
          label={s.pages.audit.title}
          rows={entries}
          id={(e) => e.id}
          empty={query.size > 0 ? w.noneFiltered : w.none}
          columns={[
            { name: w.when, cell: (e) => <When at={e.at} /> },
            { name: w.who, cell: actorOf },
            { name: w.what, cell: (e) => <What entry={e} names={names} /> },
          ]}
        />
      )}
      {cursor && (
        <p class="actions">
          <button type="button" onClick={() => void load(cursor)}>
            {t.list.more}
          </button>
        </p>
      )}
    </>
  );
}

const When = ({ at }: { at: string }) => (
  <time dateTime={at} title={at}>
    {new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}
  </time>
);

/** How many changes of an entry are shown at once. */
const most = 4;

function What({ entry: e, names }: { entry: api.AuditEntry; names: Names }) {
  const lines = e.changes.map((c) => inWords(c, names)).filter((line) => line !== null);
  const list = (some: string[]) => some.map((line) => <li key={line}>{line}</li>);
  return (
    <>
      <strong>{w.actions[e.action] ?? e.action}</strong>
      {e.thing_name && `: ${e.thing_name}`}
      {lines.length > 0 && <ul class="changes">{list(lines.slice(0, most))}</ul>}
      {lines.length > most && (
        <details class="changes">
          <summary>{w.more(lines.length - most)}</summary>
          <ul>{list(lines.slice(most))}</ul>
        </details>
      )}
    </>
  );
}
