import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import * as api from "../api/client";
import type { BriefingReport, DeliveryReportRow, DeliveryState, HandoffReport, HandoffReports } from "../api/types";
import { Failure } from "../parts/bits";
import { DaysPlot, dayName, Part, WeekPlot } from "../parts/plot";
import { countTicks, durationTicks } from "../parts/scale";
import { go } from "../router";
import { asQuery, daysBetween, isZone, ownZone, type Range, ranges, readRange, writeRange } from "../state/range";
import { explain } from "../state/store";
import { t } from "../texts";

const r = t.reportsPage;
const duration = (s: number | null) => (s === null ? r.unknown : t.duration(s));

/** What was asked for last, while the next answer is on its way. */
function useAnswer<T>(ask: (query: string) => Promise<T>, query: string) {
  const [state, set] = useState<{ value: T | null; of: string; failure: string }>({ value: null, of: "", failure: "" });
  const load = () => {
    let wanted = true;
    ask(query).then(
      (value) => wanted && set({ value, of: query, failure: "" }),
      (e) => wanted && set({ value: null, of: query, failure: explain(e) }),
    );
    return () => {
      wanted = false;
    };
  };
  useEffect(load, [query]);
  return { value: state.value, failure: state.failure, busy: state.of !== query, retry: load };
}

export function ReportsPage({ query }: { query: URLSearchParams }) {
  const own = useMemo(ownZone, []);
  const text = query.toString();
  const range = useMemo(() => readRange(query, Date.now(), own), [text, own]);
  const set = (change: Partial<Range>) => go(`/reports${writeRange({ ...range, ...change }, own)}`, true);
  const asked = useMemo(() => asQuery(range), [range]);
  const zoned = `${asked}&zone=${encodeURIComponent(range.zone)}`;
  const handoffs = useAnswer(api.reportHandoffs, zoned);
  const briefings = useAnswer(api.reportBriefings, asked);
  const deliveries = useAnswer(api.reportDeliveries, asked);
  // The queue goes on beside it: what has not changed is not drawn again.
  const drawn = useMemo(
    () => handoffs.value && <Handoffs of={handoffs.value} range={range} query={zoned} />,
    [handoffs.value],
  );
  return (
    <div class="reports" aria-busy={handoffs.busy || briefings.busy || deliveries.busy}>
      <h1>{t.reports}</h1>
      <p class="lead">{r.lead}</p>
      <Choice range={range} own={own} set={set} />
      {handoffs.failure && <Failure text={handoffs.failure} retry={handoffs.retry} />}
      {drawn ?? (!handoffs.failure && <p class="loading">{t.loading}</p>)}
      {briefings.failure && <Failure text={briefings.failure} retry={briefings.retry} />}
      {briefings.value && <Briefings rows={briefings.value} query={asked} />}
      {deliveries.failure && <Failure text={deliveries.failure} retry={deliveries.retry} />}
      {deliveries.value && <Deliveries rows={deliveries.value} query={asked} />}
    </div>
  );
}

function Choice({ range, own, set }: { range: Range; own: string; set: (change: Partial<Range>) => void }) {
  const zones = useMemo(() => {
    const all = [own, "UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])];
    return [...new Set([range.zone, ...all])].filter(isZone);
  }, [own, range.zone]);
  return (
    <div class="filters">
      <fieldset class="span">
        <legend>{r.range}</legend>
        {[...ranges, 0].map((days) => (
          <button type="button" key={days} aria-pressed={range.days === days} onClick={() => set({ days })}>
            {days === 0 ? r.own : r.last(days)}
          </button>
        ))}
      </fieldset>
      {range.days === 0 && (
        <>
          <label>
            <span>{r.from}</span>
            <input
              type="date"
              value={range.from}
              max={range.to}
              onChange={(e) => e.currentTarget.value && set({ from: e.currentTarget.value })}
            />
          </label>
          <label>
            <span>{r.to}</span>
            <input
              type="date"
              value={range.to}
              min={range.from}
              onChange={(e) => e.currentTarget.value && set({ to: e.currentTarget.value })}
            />
          </label>
        </>
      )}
      <label>
        <span>{r.zone}</span>
        <select value={range.zone} onChange={(e) => set({ zone: e.currentTarget.value })}>
          {zones.map((z) => (
            <option key={z} value={z}>
              {z.replaceAll("_", " ")}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function Report(props: {
  id: string;
  title: string;
  lead?: string;
  csv: string;
  empty: string | false;
  children: ComponentChildren;
}) {
  return (
    <section class="report" aria-labelledby={props.id}>
      <div class="list-head">
        <h2 id={props.id}>{props.title}</h2>
        <a class="csv" href={props.csv} download={`baton-${props.id}.csv`} aria-label={r.csvOf(props.title)}>
          {r.csv}
        </a>
      </div>
      {props.lead && <p class="hint">{props.lead}</p>}
      {props.empty ? <p class="empty">{props.empty}</p> : props.children}
    </section>
  );
}

function Handoffs({ of, range, query }: { of: HandoffReports; range: Range; query: string }) {
  const rows = (group: string) => of.items.filter((row) => row.group === group);
  const csv = (group: string) => api.reportPath("handoffs", `${query}&format=csv&group=${group}`);
  const all = of.items.find((row) => row.group === "all");
  const byDay = new Map(rows("day").map((row) => [row.key, row]));
  const days = daysBetween(range.from, range.to);
  const on = (day: string) => byDay.get(day) ?? null;
  const medians = days.map((d) => on(d)?.median_seconds ?? null);
  const p90s = days.map((d) => on(d)?.p90_seconds ?? null);
  const shares = days.map((d) => on(d)?.share_within_target ?? null);
  const waits = days.map((d) => on(d)?.waits ?? 0);
  const week = Array.from({ length: 168 }, () => 0);
  for (const row of rows("hour")) week[(Number(row.key[0]) - 1) * 24 + Number(row.key.slice(2))] = row.waits;
  const hourName = (i: number) => `${r.weekdays[Math.floor(i / 24)]} ${String(i % 24).padStart(2, "0")}:00`;
  const none = !all || all.waits === 0;
  const name = (i: number) => dayName(days[i] ?? "");
  const tellTime = (i: number) => {
    const row = on(days[i] ?? "");
    const median = row?.median_seconds ?? null;
    return r.tellTime(
      name(i),
      median === null ? null : duration(median),
      duration(row?.p90_seconds ?? null),
      row?.claimed ?? 0,
    );
  };
  const tellShare = (i: number) => {
    const row = on(days[i] ?? "");
    const share = row?.share_within_target ?? null;
    return r.tellShare(
      name(i),
      share === null ? null : t.percent(share),
      row?.within_target ?? 0,
      row?.with_target ?? 0,
    );
  };
  const table = (title: string) => (
    <details>
      <summary>{r.table}</summary>
      <Rows title={title} rows={rows("day")} of="day" name={(row) => dayName(row.key)} />
    </details>
  );
  const most = Math.max(...week);
  return (
    <>
      <Figures of={of} all={all} />
      <Report
        id="time"
        title={r.time}
        lead={r.timeLead}
        csv={csv("day")}
        empty={!all?.claimed && (none ? r.none : r.noneClaimed)}
      >
        <DaysPlot
          label={r.time}
          days={days}
          series={[
            { name: r.lines.p90, kind: "second", values: p90s },
            { name: r.lines.median, kind: "first", values: medians },
          ]}
          ticks={durationTicks(Math.max(...p90s.map((v) => v ?? 0)), 4)}
          format={t.duration}
          tell={tellTime}
        />
        {table(r.time)}
      </Report>
      <div class="pair">
        <Report
          id="share"
          title={r.share}
          lead={r.shareLead}
          csv={csv("day")}
          empty={!all?.with_target && (none ? r.none : r.noneTarget)}
        >
          <DaysPlot
            label={r.share}
            days={days}
            series={[{ name: r.share, kind: "first", values: shares }]}
            ticks={[0, 0.25, 0.5, 0.75, 1]}
            format={t.percent}
            tell={tellShare}
          />
          {table(r.share)}
        </Report>
        <Report id="volume" title={r.volume} lead={r.volumeLead} csv={csv("day")} empty={none && r.none}>
          <DaysPlot
            label={r.volume}
            days={days}
            bars
            series={[{ name: r.volume, kind: "first", values: waits }]}
            ticks={countTicks(Math.max(...waits), 4)}
            format={String}
            tell={(i) => r.tellCount(name(i), waits[i] ?? 0)}
          />
          {table(r.volume)}
        </Report>
      </div>
      <Report id="hours" title={r.hours} lead={r.hoursLead} csv={csv("hour")} empty={none && r.none}>
        <p>{r.busiest(hourName(week.indexOf(most)), most)}</p>
        <WeekPlot label={r.hours} values={week} tell={(i) => r.tellCount(hourName(i), week[i] ?? 0)} />
        <details>
          <summary>{r.table}</summary>
          <Rows title={r.hours} rows={rows("hour")} of="hour" name={(row) => row.name} />
        </details>
      </Report>
      {["priority", "team", "engineer"].map((group) => (
        <Report
          key={group}
          id={group}
          title={r.groups[group] ?? group}
          lead={r.groupLeads[group] ?? ""}
          csv={csv(group)}
          empty={rows(group).length === 0 && (none ? r.none : r.noneClaimed)}
        >
          <Rows
            title={r.groups[group] ?? group}
            rows={rows(group)}
            of={group}
            name={(row) => (group === "priority" ? (t.priorities[row.key] ?? row.key) : row.name)}
          />
        </Report>
      ))}
    </>
  );
}

/** The few figures that one looks for first. */
function Figures({ of, all }: { of: HandoffReports; all: HandoffReport | undefined }) {
  const open = of.waiting.reduce((n, w) => n + w.open, 0);
  const oldest = of.waiting
    .map((w) => w.oldest_open_at ?? "")
    .filter(Boolean)
    .sort()[0];
  const age = oldest && t.age((Date.now() - Date.parse(oldest)) / 1000);
  const share = all?.share_within_target ?? null;
  const list: [string, string, string][] = [
    [r.now, String(open), age ? r.oldest(age) : r.nowNone],
    [r.median, duration(all?.median_seconds ?? null), r.medianOf(all?.claimed ?? 0)],
    [r.p90, duration(all?.p90_seconds ?? null), r.medianOf(all?.claimed ?? 0)],
    [
      r.within,
      share === null ? r.unknown : t.percent(share),
      share === null ? r.noTarget : r.withinOf(all?.within_target ?? 0, all?.with_target ?? 0),
    ],
  ];
  return (
    <dl class="figures" aria-label={r.figures}>
      {list.map(([name, value, more]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong>
            <span>{more}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** A table that a narrow screen scrolls, and a keyboard as well. */
function Table({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by key
    <section class="rows" aria-label={label} tabIndex={0}>
      <table>{children}</table>
    </section>
  );
}

function Rows(props: { title: string; rows: HandoffReport[]; of: string; name: (row: HandoffReport) => string }) {
  const { rows, of, name } = props;
  const c = r.columns;
  const label = r.of[of] ?? of;
  return (
    <Table label={r.tableOf(props.title)}>
      <thead>
        <tr>
          <th scope="col">{label}</th>
          {[c.waits, c.claimed, c.median, c.p90, c.within, c.resolved, ...(of === "engineer" ? [] : [c.open])].map(
            (h) => (
              <th key={h} scope="col" class="n">
                {h}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.key}>
            <th scope="row">{name(row)}</th>
            <td class="n">{row.waits}</td>
            <td class="n">{row.claimed}</td>
            <td class="n">{duration(row.median_seconds)}</td>
            <td class="n">{duration(row.p90_seconds)}</td>
            <td class="n">
              {row.share_within_target === null ? (
                r.unknown
              ) : (
                <>
                  {t.percent(row.share_within_target)} <Part of={row.share_within_target} />
                </>
              )}
            </td>
            <td class="n">{row.resolved}</td>
            {of !== "engineer" && <td class="n">{row.open}</td>}
          </tr>
        ))}
      </tbody>
    </Table>
  );
}

function Briefings({ rows, query }: { rows: BriefingReport[]; query: string }) {
  const c = r.briefingColumns;
  return (
    <Report
      id="briefings"
      title={r.briefings}
      lead={r.briefingsLead}
      csv={api.reportPath("briefings", `${query}&format=csv`)}
      empty={rows.length === 0 && r.noneBriefed}
    >
      <Table label={r.tableOf(r.briefings)}>
        <thead>
          <tr>
            <th scope="col">{c.by}</th>
            {[c.briefings, c.useful, c.cause, c.unusable, c.latency, c.cost].map((h) => (
              <th key={h} scope="col" class="n">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.source} ${row.model} ${row.prompt_version}`}>
              <th scope="row">
                {row.source === "rules" ? r.rules : row.model}
                {row.prompt_version && <small> {`${c.prompt} ${row.prompt_version}`}</small>}
              </th>
              <td class="n">{row.briefings}</td>
              <td class="n">
                {row.graded === 0 ? (
                  r.unknown
                ) : (
                  <>
                    {r.withinOf(row.useful, row.graded)} <Part of={row.useful / row.graded} />
                  </>
                )}
              </td>
              <td class="n">{row.cause_score === null ? r.unknown : r.causeOf(row.cause_score, row.causes)}</td>
              <td class="n">{row.calls ? r.withinOf(row.unusable + row.failed, row.calls) : r.unknown}</td>
              <td class="n">{row.latency_ms === null ? r.unknown : t.duration(row.latency_ms / 1000)}</td>
              <td class="n">{row.calls ? t.dollars(row.cost_usd) : r.unknown}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Report>
  );
}

const states: DeliveryState[] = ["done", "pending", "held", "retrying", "failed", "skipped"];

function Deliveries({ rows, query }: { rows: DeliveryReportRow[]; query: string }) {
  const channels = [...new Set(rows.map((row) => row.channel))];
  const find = (channel: string, state: string) => rows.find((row) => row.channel === channel && row.state === state);
  return (
    <Report
      id="deliveries"
      title={r.deliveries}
      lead={r.deliveriesLead}
      csv={api.reportPath("deliveries", `${query}&format=csv`)}
      empty={rows.length === 0 && r.noneSent}
    >
      <Table label={r.tableOf(r.deliveries)}>
        <thead>
          <tr>
            <th scope="col">{r.channel}</th>
            {[...states.map((s) => r.states[s] ?? s), r.sentAfter].map((h) => (
              <th key={h} scope="col" class="n">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {channels.map((channel) => (
            <tr key={channel}>
              <th scope="row">{r.channels[channel] ?? channel}</th>
              {states.map((s) => {
                const n = find(channel, s)?.count ?? 0;
                return (
                  <td key={s} class={s === "failed" && n > 0 ? "n bad" : "n"}>
                    {n}
                  </td>
                );
              })}
              <td class="n">{duration(find(channel, "done")?.median_seconds ?? null)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Report>
  );
}
