// A measurement rather than a test: `make measure-web` prints how long the
// page's thread was held up while it loaded, and while events poured in. Tasks
// are those of Chromium's own trace. Each has the time on the clock, and the
// time that its thread really ran (tdur), which a busy machine does not change.
import { writeFileSync } from "node:fs";
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Handoff, HandoffPage } from "../src/api/types";
import { FrameParser } from "../src/feed/frames";
import { ana, Baton, ben, launch, live, signIn } from "./baton";

const rows = Number(process.env.ROWS || 2000);
const wanted = Number(process.env.EVENTS || 1000);
const seconds = Number(process.env.SECONDS || 60);
/** How many times slower the page's processor is made. */
const throttle = Number(process.env.THROTTLE || 1);

let baton: Baton;
let browser: Browser;

beforeAll(async () => {
  if (!process.env.MEASURE) return;
  baton = await Baton.start();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await baton?.stop();
});

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
  args: { name?: string; data?: Record<string, unknown> };
}

/** Chromium's trace, from now until it is ended. */
async function trace(cdp: CDPSession): Promise<() => Promise<TraceEvent[]>> {
  const events: TraceEvent[] = [];
  cdp.on("Tracing.dataCollected", (e) => events.push(...(e.value as unknown as TraceEvent[])));
  await cdp.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: {
      recordMode: "recordAsMuchAsPossible",
      includedCategories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline", "v8"],
    },
  });
  return async () => {
    const complete = new Promise((done) => cdp.once("Tracing.tracingComplete", done));
    await cdp.send("Tracing.end");
    await complete;
    return events;
  };
}

/** The tasks of the page's own thread: the one that ran its script. */
function tasks(events: TraceEvent[]) {
  const mains = events.filter((e) => e.name === "thread_name" && e.args.name === "CrRendererMain");
  const ran = (m: TraceEvent) =>
    events.filter((e) => e.pid === m.pid && e.tid === m.tid && e.name === "FunctionCall").length;
  const main = mains.sort((a, b) => ran(b) - ran(a))[0];
  const own = events.filter((e) => e.pid === main?.pid && e.tid === main?.tid && e.ph === "X");
  const all = own.filter((e) => e.name === "RunTask");
  return all
    .map((e) => {
      const inside = own.filter((i) => i !== e && i.ts >= e.ts && i.ts + (i.dur ?? 0) <= e.ts + (e.dur ?? 0));
      const parts: Record<string, number> = {};
      for (const i of inside) parts[i.name] = (parts[i.name] ?? 0) + (i.tdur ?? 0) / 1000;
      return { wall: (e.dur ?? 0) / 1000, cpu: (e.tdur ?? 0) / 1000, parts };
    })
    .sort((a, b) => b.cpu - a.cpu);
}

function report(what: string, events: TraceEvent[]): void {
  const all = tasks(events);
  expect(all.length).toBeGreaterThan(10);
  const over = (f: (t: (typeof all)[0]) => number) => all.filter((t) => f(t) > 50).length;
  const sum = all.reduce((n, t) => n + t.cpu, 0);
  const ms = (n: number) => `${n.toFixed(n < 10 ? 1 : 0)} ms`;
  const longest = all.toSorted((a, b) => b.wall - a.wall)[0];
  console.log(
    `${what}: longest task ${ms(all[0]?.cpu ?? 0)} of CPU, ${ms(longest?.wall ?? 0)} on the clock (${ms(longest?.cpu ?? 0)} of it CPU); over 50 ms: ` +
      `${over((t) => t.cpu)} by CPU, ${over((t) => t.wall)} by the clock; ${ms(sum)} of CPU in all`,
  );
  if (process.env.DETAIL)
    for (const t of all.slice(0, 6)) {
      const parts = Object.entries(t.parts).sort((a, b) => b[1] - a[1]);
      console.log(
        `  ${ms(t.cpu)} (${ms(t.wall)}): ${parts
          .slice(0, 9)
          .map(([k, v]) => `${k} ${ms(v)}`)
          .join(", ")}`,
      );
    }
}

/** Has the queue be longer by rows that nobody made, in pages as the API has them. */
async function lengthen(page: Page, sample: Handoff): Promise<void> {
  const made = Array.from({ length: rows }, (_, n) => ({
    ...sample,
    id: crypto.randomUUID(),
    created_at: new Date(Date.parse(sample.created_at) - n * 60_000).toISOString(),
    session: { ...sample.session, title: `${sample.session.title} ${n}` },
  }));
  await page.route("**/api/v1/ai-sessions/queue?*", async (route) => {
    const url = new URL(route.request().url());
    if (url.searchParams.has("mine") || url.searchParams.has("sent")) return route.continue();
    const from = url.searchParams.get("cursor");
    const body: HandoffPage = from
      ? { items: [], next_cursor: null }
      : ((await (await route.fetch()).json()) as HandoffPage);
    const at = from ? Number(from) : 0;
    const next = at + 200 - body.items.length;
    body.items.push(...made.slice(at, next));
    body.next_cursor = next < rows ? String(next) : null;
    await route.fulfill({ json: body });
  });
}

/** Counts the events of the feed, as another reader. */
async function counter(): Promise<{ events: () => number; stop: () => void }> {
  const got = await fetch(`${baton.base}/api/v1/dev/token`, { method: "POST", body: JSON.stringify({ email: ben }) });
  const { token } = (await got.json()) as { token: string };
  const abort = new AbortController();
  const stream = await fetch(`${baton.base}/api/v1/ai-sessions/escalations/stream`, {
    headers: { Authorization: `Bearer ${token}` },
    signal: abort.signal,
  });
  let events = 0;
  const reader = stream.body?.getReader();
  const parser = new FrameParser();
  const decoder = new TextDecoder();
  const read = async () => {
    for (;;) {
      const part = await reader?.read();
      if (!part?.value) return;
      events += parser.push(decoder.decode(part.value, { stream: true })).filter((f) => f.event !== "ready").length;
    }
  };
  read().catch(() => undefined);
  return { events: () => events, stop: () => abort.abort() };
}

test.runIf(process.env.MEASURE)(
  "long tasks of a page load, and of a stream of events",
  async () => {
    const handoffs = await Promise.all(Array.from({ length: 6 }, (_, n) => baton.handOff(n)));
    const page = await signIn(browser, baton, ana);
    await lengthen(page, handoffs[0] as Handoff);
    const cdp = await browser.newBrowserCDPSession();
    if (throttle > 1)
      await (await page.context().newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: throttle });

    let end = await trace(cdp);
    await page.goto(`${baton.base}/`);
    await live(page);
    await page.getByText(`${rows + handoffs.length} handoffs wait`).waitFor();
    await page.waitForTimeout(2000);
    report(`a load with ${rows} rows`, await end());

    const call = await baton.as(ben);
    const count = await counter();
    end = await trace(cdp);
    const began = Date.now();
    const late = () => count.events() < ((Date.now() - began) / 1000 / seconds) * wanted;
    await Promise.all(
      handoffs.map(async (h) => {
        while (Date.now() - began < seconds * 1000) {
          if (!late()) {
            await new Promise((r) => setTimeout(r, 20));
            continue;
          }
          // A busy machine may not answer in time: then the next verb finds out what came of it.
          for (const verb of ["claim", "release"])
            await call("POST", `/ai-sessions/${h.session_id}/handoffs/${h.id}/${verb}`).catch(() => undefined);
        }
      }),
    );
    const events = await end();
    count.stop();
    if (process.env.TRACE) writeFileSync(process.env.TRACE, JSON.stringify({ traceEvents: events }));
    report(`${count.events()} events in ${seconds} s with ${rows} rows`, events);
  },
  300_000,
);
