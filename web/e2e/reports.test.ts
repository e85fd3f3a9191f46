import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { HandoffReports } from "../src/api/types";
import { daysBetween, plusDays } from "../src/state/range";
import { accessible, ada, ana, Baton, ben, launch, looks, picture, signIn, troubles, until } from "./baton";

let baton: Baton;
let browser: Browser;

beforeAll(async () => {
  baton = await Baton.start();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await baton?.stop();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  expect(troubles.splice(0)).toEqual([]);
});

async function reports(page: Page, query = ""): Promise<void> {
  await page.goto(`${baton.base}/reports${query}`);
  await ready(page);
}
const ready = (page: Page) => page.locator('.reports[aria-busy="false"] .figures').waitFor();
const plot = (page: Page, name: string) => page.getByRole("group", { name });

/** A report of 90 days, which no test can wait for: weekends and a week off have nothing. */
function madeUp(until: string): HandoffReports {
  const row = { name: "", waits: 0, claimed: 0, resolved: 0, open: 0, oldest_open_at: null };
  const figures = (waits: number, median: number, share: number) => ({
    ...row,
    ...{ waits, claimed: waits, resolved: Math.round(waits * 0.9) },
    ...{ median_seconds: median, p90_seconds: median * 3.4, with_target: waits },
    ...{ within_target: Math.round(waits * share), share_within_target: share },
  });
  const items: HandoffReports["items"] = [
    { group: "all", key: "", ...figures(1312, 372, 0.91), name: "All" },
    { group: "team", key: "1", ...figures(812, 260, 0.94), name: "Service desk" },
    { group: "team", key: "2", ...figures(500, 1021, 0.85), name: "Projects and network operations" },
    ...["critical", "high", "normal", "low"].map((key, i) => ({
      ...{ group: "priority", key, ...figures(40 * 3 ** i, 60 * 4 ** i, 0.98 - i * 0.06), name: key },
    })),
    ...["Ana Costa", "Ben Fischer", "Ada Lindqvist"].map((name, i) => ({
      ...{ group: "engineer", key: name, ...figures(500 - i * 160, 290 + i * 200, 0.95 - i * 0.07), name },
    })),
  ];
  daysBetween(plusDays(until, -89), until).forEach((key, i) => {
    const weekday = new Date(`${key}T12:00:00Z`).getUTCDay();
    if (weekday === 0 || weekday === 6 || (i > 40 && i < 48)) return;
    const wave = Math.sin(i / 3) + Math.sin(i * 1.7);
    items.push({
      group: "day",
      key,
      ...figures(Math.round(20 + 5 * wave), 400 + 120 * wave, 0.9 + 0.04 * wave),
      name: key,
    });
  });
  for (let d = 1; d <= 7; d++)
    for (let h = 0; h < 24; h++) {
      const busy = Math.exp(-((h - 9.5) ** 2) / 6) + 0.7 * Math.exp(-((h - 15) ** 2) / 8) + 0.03;
      const waits = Math.round(busy * (d > 5 ? 3 : 30 - 3 * d));
      if (waits > 0)
        items.push({ group: "hour", key: `${d}T${String(h).padStart(2, "0")}`, ...figures(waits, 300, 0.9) });
    }
  const since = `${plusDays(until, -89)}T00:00:00Z`;
  const waiting: HandoffReports["waiting"] = [
    { priority: "high", open: 2, oldest_open_at: new Date(Date.now() - 1_400_000).toISOString() },
    { priority: "normal", open: 9, oldest_open_at: new Date(Date.now() - 9_000_000).toISOString() },
  ];
  return { since, until: `${until}T00:00:00Z`, items, waiting };
}

test("reports are for admins", async () => {
  const page = await signIn(browser, baton, ana);
  expect(await page.getByRole("link", { name: "Reports" }).count()).toBe(0);
  await page.goto(`${baton.base}/reports`);
  await page.getByText("Reports are for admins.").waitFor();
});

test("an account in which nothing happened is told so", async () => {
  const page = await signIn(browser, baton, ada);
  await reports(page, "?from=2020-01-01&to=2020-01-07");
  await page.getByText("Nothing was handed off in this time.").first().waitFor();
  await page.getByText("Nobody was notified in this time.").waitFor();
  expect(await page.locator(".plot").count()).toBe(0);
  await accessible(page);
});

describe("with handoffs", () => {
  beforeAll(async () => {
    for (const n of [0, 1, 2, 3]) {
      const h = await baton.handOff(n);
      if (n === 3) continue;
      const call = await baton.as(n === 0 ? ana : ben);
      const path = `/ai-sessions/${h.session_id}/handoffs/${h.id}`;
      await call("POST", `${path}/claim`);
      await call("POST", `${path}/resolve`, { resolution: "Restarted it." });
    }
  });

  test("what the page says is what the API says", async () => {
    const page = await signIn(browser, baton, ada);
    const fetched: string[] = [];
    page.on("request", (r) => fetched.push(new URL(r.url()).pathname));
    expect(fetched.filter((path) => /reports-.*\.js$/.test(path))).toEqual([]);
    await page.getByRole("link", { name: "Reports" }).click();
    await ready(page);
    expect(fetched.filter((path) => /reports-.*\.js$/.test(path))).toHaveLength(1);
    const call = await baton.as(ada);
    const truth = await call<HandoffReports>("GET", "/reports/handoffs?zone=UTC");
    // Other files of tests work with the same account.
    const row = (group: string, name: string) => truth.items.find((i) => i.group === group && i.name === name);
    const all = truth.items.find((i) => i.group === "all");
    const [anas, bens] = [row("engineer", "Ana Costa"), row("engineer", "Ben Fischer")];
    const day = truth.items.filter((i) => i.group === "day").at(-1);
    expect(all?.waits).toBeGreaterThanOrEqual(4);
    expect(anas?.claimed).toBeGreaterThanOrEqual(1);
    expect(bens?.claimed).toBeGreaterThanOrEqual(2);
    const figures = page.locator(".figures");
    await figures.getByText(`of ${all?.claimed} claims`).first().waitFor();
    await figures.getByText(`${all?.within_target} of ${all?.with_target}`).waitFor();
    const engineers = page.getByRole("region", { name: "By engineer", exact: true });
    await engineers.getByRole("row", { name: new RegExp(`^Ben Fischer ${bens?.waits} ${bens?.claimed}`) }).waitFor();
    await engineers.getByRole("row", { name: new RegExp(`^Ana Costa ${anas?.waits} ${anas?.claimed}`) }).waitFor();
    await page
      .getByRole("region", { name: "Briefings", exact: true })
      .getByRole("row", { name: /^Rules [1-9]/ })
      .waitFor();
    await page.getByText(/^Busiest: \w{3} \d\d:00, \d+ handoffs?\.$/).waitFor();
    await page.getByRole("region", { name: "Handoffs a day", exact: true }).getByText("Show as table").click();
    await page
      .getByRole("region", { name: "Table: Handoffs a day" })
      .getByRole("row", { name: new RegExp(`^\\w{3}.* ${day?.waits} ${day?.claimed}`) })
      .waitFor();
  });

  test("each report is there as CSV", async () => {
    const page = await signIn(browser, baton, ada);
    await reports(page);
    for (const [name, first] of [
      ["Time to claim", /^group,key,name,waits[^\n]*\r\nday,\d{4}-\d\d-\d\d,[^\n]*\r\n$/],
      ["Handoffs by hour", /\r\nhour,\dT\d\d,/],
      ["By engineer", /\r\nengineer,[^,]*,Ana Costa,[1-9]\d*,[1-9]\d*,[1-9]\d*,/],
      ["Briefings", /^source,model,prompt_version,briefings[^\n]*\r\nrules,,,[1-9]\d*,/],
    ] as const) {
      const download = page.waitForEvent("download");
      await page.getByRole("link", { name: `${name} as CSV`, exact: true }).click();
      const file = await download;
      expect(file.suggestedFilename()).toMatch(/^baton-[a-z]+\.csv$/);
      expect(readFileSync(await file.path(), "utf8")).toMatch(first);
    }
  });

  test("the time and the zone are in the address", async () => {
    const page = await signIn(browser, baton, ada, { timezoneId: "Europe/Berlin" });
    await reports(page);
    expect(await page.getByLabel("Time zone").inputValue()).toBe("Europe/Berlin");
    await page.getByRole("button", { name: "7 days" }).click();
    await page.getByLabel("Time zone").selectOption("UTC");
    await until("the address", async () => page.url().endsWith("/reports?days=7&zone=UTC"));
    await page.getByRole("button", { name: "Other days" }).click();
    await page.getByLabel("From").fill("2026-01-01");
    await until("the address", async () => page.url().includes("from=2026-01-01&to="));
    await page.reload();
    await ready(page);
    expect(await page.getByLabel("From").inputValue()).toBe("2026-01-01");
  });

  test("a plot is walked with the keyboard, and tells each value", async () => {
    const page = await signIn(browser, baton, ada);
    await reports(page, "?days=7");
    const told = page.getByRole("region", { name: "Time to claim", exact: true }).locator(".told");
    const points = plot(page, "Time to claim").getByRole("img");
    expect(await points.count()).toBe(7);
    await points.last().focus();
    expect(await points.last().getAttribute("aria-label")).toMatch(/: median .+, 9 of 10 within .+, \d+ claims$/);
    expect(await told.textContent()).toBe(await points.last().getAttribute("aria-label"));
    await page.keyboard.press("ArrowLeft");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toMatch(/: nothing claimed$/);
    await page.keyboard.press("Home");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-i"))).toBe("0");
    await page.keyboard.press("Tab"); // one stop, and on to the table
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Show as table");
    // One day is one point: nothing to draw a line of, and no line through the days before it.
    expect(await plot(page, "Time to claim").locator("polyline").count()).toBe(0);
    expect(await plot(page, "Time to claim").locator("circle.dot").count()).toBe(2);
  });

  test.each(Object.entries(looks))("axe finds nothing: %s", async (look, options) => {
    const page = await signIn(browser, baton, ada, { ...options, timezoneId: "UTC" });
    await reports(page);
    await accessible(page);
    await picture(page, `reports-first-${look}`, true);
    await page.route("**/api/v1/reports/handoffs?*", (route) =>
      route.fulfill({ json: madeUp(new Date().toISOString().slice(0, 10)) }),
    );
    await page.getByRole("button", { name: "90 days" }).click();
    await page.getByText("1312").first().waitFor();
    // A weekend is a gap.
    expect(await plot(page, "Time to claim").locator(".first polyline").count()).toBeGreaterThan(10);
    await page.getByText("Show as table").first().click();
    await accessible(page);
    await page.getByText("Show as table").first().click();
    await plot(page, "Time to claim").getByRole("img").nth(85).hover();
    await picture(page, `reports-${look}`, true);
    // The page does not scroll sideways, whatever is in it.
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});
