// Plots as SVG that is drawn at the width that there is, so that its text keeps
// its size. Each value can be reached by pointer and by key, and is told in
// words; colours only add to what labels, dashes and places say.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../texts";
import { dayTicks, runs, shade, spread } from "./scale";

/** How wide the element is, in CSS pixels; 0 until it is known. */
function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, set] = useState(0);
  useEffect(() => {
    if (!ref.current) return;
    const seen = new ResizeObserver((entries) => set(Math.round(entries[0]?.contentRect.width ?? 0)));
    seen.observe(ref.current);
    return () => seen.disconnect();
  }, []);
  return [ref, width] as const;
}

/** About how wide a text is in a plot. */
const widthOf = (texts: string[]) => Math.max(0, ...texts.map((s) => s.length)) * 7.2;

/** One stop for the tab key, and arrows from there; step says where a key leads. */
function useWalk(start: number, step: (from: number, key: string) => number | null) {
  const ref = useRef<SVGSVGElement>(null);
  const [at, set] = useState<number | null>(null);
  const [seen, see] = useState(false);
  const onKeyDown = (e: KeyboardEvent) => {
    const to = step(at ?? start, e.key);
    if (to === null) return;
    e.preventDefault();
    set(to);
    ref.current?.querySelector<SVGElement>(`[data-i="${to}"]`)?.focus();
  };
  const place = (i: number, told: string) => ({
    "data-i": i,
    role: "img" as const,
    "aria-label": told,
    tabindex: i === (at ?? start) ? 0 : -1, // in SVG an attribute's case counts
    onFocus: () => {
      set(i);
      see(true);
    },
    onBlur: () => see(false),
    onPointerEnter: () => {
      set(i);
      see(true);
    },
  });
  const stage = { ref, role: "group" as const, onKeyDown, onPointerLeave: () => see(false) };
  return { stage, place, shown: seen ? at : null };
}

/** What the words of the values tell as well. */
const decoration = { "aria-hidden": true } as const;

/** A plot, and in words the value in hand. */
function Figure({ told, children }: { told: string; children: ComponentChildren }) {
  return (
    <div class="plot">
      {children}
      <p class="told" aria-hidden="true">
        {told}
      </p>
    </div>
  );
}

export interface Series {
  name: string;
  /** A class of the style sheet, which has its colour and its dashes. */
  kind: string;
  /** Null is a gap. */
  values: (number | null)[];
}

export interface DaysProps {
  label: string;
  days: string[];
  series: Series[];
  bars?: boolean;
  ticks: number[];
  format: (value: number) => string;
  /** What is told of a day. */
  tell: (i: number) => string;
}

const shortDay = new Intl.DateTimeFormat(undefined, { timeZone: "UTC", day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(undefined, {
  timeZone: "UTC",
  weekday: "short",
  day: "numeric",
  month: "short",
});
export const dayName = (day: string, long = true) => (long ? longDay : shortDay).format(Date.parse(`${day}T12:00:00Z`));

/** Values by day, as lines or bars. */
export function DaysPlot(props: DaysProps) {
  const { days, series, ticks, format } = props;
  const [box, width] = useWidth();
  const last = days.length - 1;
  const walk = useWalk(last, (from, key) => {
    if (key === "ArrowLeft") return Math.max(0, from - 1);
    if (key === "ArrowRight") return Math.min(last, from + 1);
    if (key === "Home") return 0;
    return key === "End" ? last : null;
  });

  const height = 190;
  const bottom = 22;
  const top = 10;
  const left = Math.ceil(widthOf(ticks.map(format))) + 8;
  const named = series.length > 1;
  const right = named ? Math.ceil(widthOf(series.map((s) => s.name))) + 14 : 14;
  const inner = Math.max(0, width - left - right);
  const most = ticks.at(-1) ?? 1;
  const slot = inner / days.length;
  const x = (i: number) => left + (i + 0.5) * slot;
  const y = (v: number) => top + (1 - v / most) * (height - top - bottom);

  const ends = series.map((s) => s.values.findLast((v) => v !== null) ?? null);
  const labels = spread(
    ends.map((v) => y(v ?? 0)),
    15,
    height - bottom,
  );
  const shown = walk.shown;
  return (
    <Figure told={shown === null ? "" : props.tell(shown)}>
      <div ref={box}>
        {width > 0 && (
          <svg {...walk.stage} aria-label={`${props.label}. ${t.reportsPage.hint}`} width={width} height={height}>
            <g {...decoration}>
              {ticks.map((v) => (
                <g key={v}>
                  <line class={v === 0 ? "axis" : "grid"} x1={left} x2={width - right} y1={y(v)} y2={y(v)} />
                  <text x={left - 6} y={y(v)} dy="0.35em" text-anchor="end">
                    {format(v)}
                  </text>
                </g>
              ))}
              {dayTicks(days, Math.max(2, Math.floor(inner / 64))).map((i) => (
                <text key={i} x={x(i)} y={height - 5} text-anchor="middle">
                  {dayName(days[i] ?? "", false)}
                </text>
              ))}
              {shown !== null && <line class="cursor" x1={x(shown)} x2={x(shown)} y1={top} y2={height - bottom} />}
              {series.map((s) =>
                props.bars ? (
                  <Bars key={s.name} of={s} x={x} y={y} width={Math.min(36, Math.max(1, slot * 0.72))} />
                ) : (
                  <Line key={s.name} of={s} x={x} y={y} dots={slot > 10} />
                ),
              )}
              {named &&
                series.map(
                  (s, i) =>
                    ends[i] !== null && (
                      <text key={s.name} class={`name ${s.kind}`} x={width - right + 6} y={labels[i]} dy="0.35em">
                        {s.name}
                      </text>
                    ),
                )}
            </g>
            {days.map((day, i) => (
              <g key={day} {...walk.place(i, props.tell(i))}>
                <rect class="hit" x={left + i * slot} y={top} width={slot} height={height - top - bottom} />
                {shown === i &&
                  !props.bars &&
                  series.map((s) => {
                    const v = s.values[i] ?? null;
                    return v === null ? null : (
                      <circle key={s.name} class={`dot ${s.kind}`} cx={x(i)} cy={y(v)} r="5" />
                    );
                  })}
              </g>
            ))}
          </svg>
        )}
      </div>
    </Figure>
  );
}

interface Drawn {
  of: Series;
  x: (i: number) => number;
  y: (v: number) => number;
}

/** A line that breaks where there is no value; a value alone is a dot. */
function Line({ of, x, y, dots }: Drawn & { dots: boolean }) {
  const at = (i: number) => `${x(i).toFixed(1)},${y(of.values[i] ?? 0).toFixed(1)}`;
  const parts = runs(of.values);
  return (
    <g class={`series ${of.kind}`}>
      {parts.map((run) => run.length > 1 && <polyline key={run[0]} class="line" points={run.map(at).join(" ")} />)}
      {parts.map((run) =>
        run.map(
          (i) => (dots || run.length === 1) && <circle key={i} class="dot" cx={x(i)} cy={y(of.values[i] ?? 0)} r="3" />,
        ),
      )}
    </g>
  );
}

function Bars({ of, x, y, width }: Drawn & { width: number }) {
  return (
    <g class={`series ${of.kind}`}>
      {of.values.map(
        (v, i) =>
          v !== null &&
          v > 0 && (
            <rect
              key={i}
              class="bar"
              x={x(i) - width / 2}
              y={y(v)}
              width={width}
              height={Math.max(1, y(0) - y(v))}
              rx={Math.min(2, width / 4)}
            />
          ),
      )}
    </g>
  );
}

const hours = 24;
const shades = 5;

/** Counts by day of the week and hour. Values go by hours, from Monday 00:00. */
export function WeekPlot(props: { label: string; values: number[]; tell: (i: number) => string }) {
  const { values } = props;
  const [box, width] = useWidth();
  const most = Math.max(1, ...values);
  const busiest = values.indexOf(most);
  const walk = useWalk(Math.max(0, busiest), (from, key) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -hours, ArrowDown: hours }[key];
    if (by === undefined) return null;
    const to = from + by;
    return to >= 0 && to < values.length ? to : from;
  });
  const left = 36;
  const cell = Math.max(0, (width - left) / hours);
  const tall = Math.min(30, Math.max(18, cell));
  const height = 7 * tall + 20;
  const shown = walk.shown;
  return (
    <Figure told={shown === null ? "" : props.tell(shown)}>
      <div ref={box}>
        {width > 0 && (
          <svg {...walk.stage} aria-label={`${props.label}. ${t.reportsPage.hint}`} width={width} height={height}>
            <g {...decoration}>
              {t.reportsPage.weekdays.map((name, d) => (
                <text key={name} x="0" y={(d + 0.5) * tall} dy="0.35em">
                  {name}
                </text>
              ))}
              {[0, 6, 12, 18].map((h) => (
                <text key={h} x={left + h * cell} y={height - 5}>
                  {`${String(h).padStart(2, "0")}:00`}
                </text>
              ))}
            </g>
            {values.map((v, i) => (
              <g key={i} {...walk.place(i, props.tell(i))}>
                <rect
                  class={`heat s${shade(v, most, shades)}`}
                  x={left + (i % hours) * cell + 1}
                  y={Math.floor(i / hours) * tall + 1}
                  width={Math.max(0, cell - 2)}
                  height={tall - 2}
                  rx="2"
                />
              </g>
            ))}
          </svg>
        )}
      </div>
      <p class="scale" aria-hidden="true">
        {t.reportsPage.fewer}
        <svg aria-hidden="true" width={(shades + 1) * 18} height="14">
          {Array.from({ length: shades + 1 }, (_, n) => (
            <rect key={n} class={`heat s${n}`} x={n * 18 + 1} y="1" width="16" height="12" rx="2" />
          ))}
        </svg>
        {t.reportsPage.more}
      </p>
    </Figure>
  );
}

/** A part of a whole beside its words, for a table. */
export function Part({ of }: { of: number }) {
  return (
    <svg class="part" width="64" height="8" aria-hidden="true">
      <rect class="whole" width="64" height="8" rx="2" />
      <rect class="bar" width={Math.max(0, Math.min(1, of)) * 64} height="8" rx="2" />
    </svg>
  );
}
