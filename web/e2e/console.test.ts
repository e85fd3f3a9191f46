import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Handoff } from "../src/api/types";
import {
  accessible,
  ada,
  ana,
  Baton,
  ben,
  card,
  launch,
  live,
  looks,
  open,
  picture,
  sam,
  signIn,
  troubles,
  until,
} from "./baton";

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

const handoffPath = (h: Handoff) => `/sessions/${h.session_id}/handoffs/${h.id}`;

test("a new handoff arrives live in a second browser, and is said aloud", async () => {
  const page = await signIn(browser, baton, ana);
  const began = Date.now();
  const h = await baton.handOff(0, "Arrives live", { priority: "critical" });
  await card(page, h.id).waitFor();
  expect(Date.now() - began).toBeLessThan(10_000);
  await page.getByRole("status").filter({ hasText: "Arrives live" }).waitFor();
  await until("the title counts", async () => /^\(\d+/.test(await page.title()));
});

test("two browsers race for one card: one wins, the other reads who has it", async () => {
  const [one, two] = [await signIn(browser, baton, ana), await signIn(browser, baton, ben)];
  const h = await baton.handOff(1, "Raced for", { intent: "escalate" });
  for (const page of [one, two]) await card(page, h.id).waitFor();
  await Promise.all(
    [one, two].map((page) =>
      card(page, h.id)
        .getByRole("button", { name: /^Claim/ })
        .click(),
    ),
  );
  const won = await until("somebody wins", async () => [one, two].find((p) => p.url().endsWith(handoffPath(h))));
  const lost = won === one ? two : one;
  await won.getByText("You hold this handoff.").waitFor();
  const name = won === one ? "Ana Costa" : "Ben Fischer";
  await card(lost, h.id).getByText(`Already claimed by ${name}, just now`).waitFor();
  expect(lost.url()).toBe(`${baton.base}/`);
  await card(lost, h.id).getByRole("link", { name: "Watch" }).click();
  await lost.locator(".holder").getByText(`Claimed by ${name}`).waitFor();
  expect(await lost.getByRole("button", { name: "Resolve" }).count()).toBe(0);
});

test("a card leaves every other browser the moment somebody claims it", async () => {
  const page = await signIn(browser, baton, ana);
  const h = await baton.handOff(2, "Claimed elsewhere");
  await card(page, h.id).waitFor();
  const call = await baton.as(ben);
  await call("POST", `/ai-sessions/${h.session_id}/handoffs/${h.id}/claim`);
  await card(page, h.id).getByText("Claimed by Ben Fischer").waitFor();
  await card(page, h.id).waitFor({ state: "detached" });
});

test("the API is killed and comes back, and nothing is missed", async () => {
  const other = await Baton.start(baton); // a second replica, where life goes on
  const page = await signIn(browser, baton, ana);
  const before = await baton.handOff(3, "Before the crash");
  await card(page, before.id).waitFor();
  await baton.kill();
  await page.getByText(/Not live: what you see is as of/).waitFor();
  const during = await other.handOff(4, "During the crash");
  const call = await other.as(ben);
  await call("POST", `/ai-sessions/${before.session_id}/handoffs/${before.id}/claim`);
  expect(await card(page, during.id).count()).toBe(0);
  await baton.run();
  await live(page);
  await card(page, during.id).waitFor();
  await card(page, before.id).waitFor({ state: "detached" });
  await other.stop();
});

test("eight tabs of one browser share one stream, and all are live", async () => {
  const page = await signIn(browser, baton, ana);
  const tabs = [page];
  for (let n = 1; n < 8; n++) tabs.push(await open(page.context(), baton));
  for (const tab of tabs) await live(tab);
  const h = await baton.handOff(5, "In all tabs");
  for (const tab of tabs) await card(tab, h.id).waitFor();
  await until("one stream is open", async () => {
    const metrics = await (await fetch(`${baton.base}/metrics`)).text();
    return /^baton_feed_subscribers 1$/m.test(metrics);
  });
  await tabs[3]?.close();
  const again = await baton.handOff(6, "In those that are left");
  for (const tab of tabs.filter((t) => !t.isClosed())) await card(tab, again.id).waitFor();
});

test("with the keyboard alone: find, claim, resolve", async () => {
  const page = await signIn(browser, baton, ben);
  const h = await baton.handOff(7, "By keyboard alone", { priority: "high" });
  await card(page, h.id).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("keyboard alone");
  await until("the filter is in the address", async () => page.url().includes("q=keyboard+alone"));
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("By keyboard alone");
  await page.keyboard.press("c");
  await page.waitForURL(baton.base + handoffPath(h));
  await page.getByText("You hold this handoff.").waitFor();
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
  await page.keyboard.press("e");
  await page.getByRole("dialog", { name: "Resolve it" }).waitFor();
  await page.keyboard.type("Set the lifetimes alike.");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator(".chip.status.resolved").waitFor();
  await page.locator(".handoff > header ~ .columns").getByText("Set the lifetimes alike.").first().waitFor();
});

test("handing off says what is missing, warns of secrets, and says who sees it", async () => {
  const session = await baton.session(0, "To be handed off");
  const page = await signIn(browser, baton, sam);
  await page.keyboard.press("s");
  await page.getByRole("link", { name: "Hand off: To be handed off" }).click();
  const notes = page.getByLabel("What does the next engineer have to know?");
  await notes.fill("The admin password is Sommer2024!");
  await page.getByText("looks as if it holds a password").waitFor();
  await page.getByText("0 of 5 things").or(page.getByText("1 of 5 things")).waitFor();
  await notes.fill(
    "Please decide whether to roll back. The tunnel drops since the update. I restarted it. All users of the branch are hit. Told them: by noon.",
  );
  await page.getByText("5 of 5 things").waitFor();
  await accessible(page);
  await page.getByLabel("Who is it for?").selectOption({ label: "Ana Costa" });
  await page.getByRole("button", { name: "Hand off" }).click();
  await page.getByText(/It is live in the queue of .*Ana Costa/).waitFor();
  await page.getByText("Ana Costa sees it first.").waitFor();
  await accessible(page);
  await page.getByRole("link", { name: "Open the handoff" }).click();
  await page.getByText("You escalated this").waitFor();
  await page.getByRole("link", { name: "Back to the queue" }).click();
  await page.getByRole("region", { name: "Handed off by me" }).getByText("To be handed off").waitFor();
  expect(session.id).toBeTruthy();
});

test("a holder puts it back, and reassigns it to a colleague", async () => {
  const page = await signIn(browser, baton, ana);
  const h = await baton.handOff(1, "Passed around");
  await card(page, h.id)
    .getByRole("button", { name: /^Claim/ })
    .click();
  await page.getByRole("button", { name: "Reassign" }).click();
  await page.getByRole("combobox", { name: "Colleague" }).selectOption({ label: "Ben Fischer, Service desk" });
  await page.getByLabel("Why, for your colleague").fill("Ben built it.");
  await page.getByRole("dialog").getByRole("button", { name: "Reassign" }).click();
  await page.locator(".timeline").getByText("Ben built it.").waitFor();
  await page.getByText("for Ben Fischer").first().waitFor();
  await page.keyboard.press("c");
  await page.getByText("You hold this handoff.").waitFor();
  await page.getByRole("button", { name: "Put back" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Put back" }).click();
  await page.locator(".chip.status.queued").waitFor();
});

test("a citation jumps to its step, and admins get to the workflow", async () => {
  const page = await signIn(browser, baton, ada);
  const h = await baton.handOff(2, "With a briefing");
  await page.goto(baton.base + handoffPath(h));
  const cite = page.locator(".refs a").first();
  await cite.waitFor();
  const step = (await cite.getAttribute("href")) ?? "";
  await cite.click();
  expect(await page.evaluate(() => `#${document.activeElement?.id}`)).toBe(step);
  await page.getByRole("link", { name: "Workflow in Temporal" }).waitFor();
  await page.getByText("Written by rules").waitFor();
});

test("a viewer is told that this is not for them, and another account sees nothing of ours", async () => {
  const h = await baton.handOff(3, "Ours alone");
  const page = await open(await browser.newContext(), baton);
  await page.getByRole("button", { name: "vic@demo.test" }).click();
  await page.getByText("the queue is for engineers").waitFor();
  await accessible(page);
  const other = await signIn(browser, baton, "eve@other.test");
  expect(await other.getByText("Ours alone").count()).toBe(0);
  await other.goto(baton.base + handoffPath(h));
  await other.getByText("does not exist, or belongs to another account").waitFor();
});

test("an ended session leads to the sign-in page and back", async () => {
  const page = await signIn(browser, baton, ana);
  await page.context().clearCookies();
  await page.goto(`${baton.base}/?q=vpn`);
  await page.getByRole("button", { name: ana }).click();
  await live(page);
  expect(page.url()).toBe(`${baton.base}/?q=vpn`);
});

describe("every page, in every look", () => {
  let h: Handoff;
  beforeAll(async () => {
    h = await baton.handOff(0);
    for (const n of [1, 2, 3, 4, 8]) await baton.handOff(n);
    const call = await baton.as(ana);
    await call("POST", `/ai-sessions/${h.session_id}/handoffs/${h.id}/claim`);
  });

  test.each(Object.entries(looks))("axe finds nothing: %s", async (look, options) => {
    const page = await signIn(browser, baton, ana, options);
    await card(page, h.id).waitFor({ state: "detached" });
    await accessible(page);
    await picture(page, `queue-${look}`);
    await page.keyboard.press("?");
    await accessible(page);
    await page.getByRole("button", { name: "Close" }).click();

    await page.goto(baton.base + handoffPath(h));
    await page.locator(".refs a").first().waitFor();
    await accessible(page);
    await picture(page, `handoff-${look}`);
    await page.getByRole("button", { name: "No", exact: true }).click();
    await page.getByLabel("What was wrong with it?").fill("Step 19 was undone.");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("status").filter({ hasText: "Thank you." }).waitFor();
    await page.locator("h1").focus();
    await page.keyboard.press("e");
    await page.getByRole("dialog").waitFor();
    await accessible(page);
    await page.keyboard.press("Escape");
    await page.locator(".refs a").first().click(); // opens the transcript
    await accessible(page);

    await page.goto(`${baton.base}/sessions`);
    await page
      .getByRole("link", { name: /^See the handoff/ })
      .first()
      .waitFor();
    await accessible(page);
    await picture(page, `sessions-${look}`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("Choose who you want to be").waitFor();
    await accessible(page);
    await picture(page, `sign-in-${look}`);
  });
});
