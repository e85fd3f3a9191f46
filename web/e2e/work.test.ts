// The stories of those who work with handoffs: questions and answers, who is
// told and called, targets, presence, alerts.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Delivery, Handoff } from "../src/api/types";
import { accessible } from "./axe";
import { ada, ana, Baton, ben, card, launch, live, open, sam, signIn, troubles, until } from "./baton";

let baton: Baton;
let browser: Browser;

beforeAll(async () => {
  process.env.BATON_NOTIFY_ALLOW_PRIVATE = "127.0.0.0/8"; // for the webhook below
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

const path = (h: Handoff) => `/sessions/${h.session_id}/handoffs/${h.id}`;
const api = (h: Handoff, what: string) => `/ai-sessions/${h.session_id}/handoffs/${h.id}${what}`;

async function show(page: Page, h: Handoff): Promise<void> {
  await page.goto(baton.base + path(h));
  await page.locator("article.handoff h1").waitFor();
}

/** Waits until a handoff has its policy, so that those of later ones can be changed. */
async function begun(h: Handoff): Promise<void> {
  const admin = await baton.as(ada);
  await until("its ladder has begun", async () => (await admin<Handoff>("GET", api(h, ""))).claim_by);
}

const buttons = async (page: Page) =>
  (await page.getByRole("group", { name: "Actions" }).getByRole("button").allInnerTexts()).map((t) =>
    t.replace(/\s+[a-z]$/, "").trim(),
  );

describe("a question to the sender", () => {
  test("is asked, answered by keyboard alone, and brings the handoff back to who asked", async () => {
    const [holder, sender, other] = await Promise.all([
      signIn(browser, baton, ana),
      signIn(browser, baton, sam),
      signIn(browser, baton, ben),
    ]);
    const h = await baton.handOff(1, "Which firmware was it?", { priority: "critical" });
    await card(holder, h.id)
      .getByRole("button", { name: /^Claim/ })
      .click();
    await holder.getByRole("button", { name: "Return with questions" }).click();
    const dialog = holder.getByRole("dialog", { name: "Return it to its sender" });
    await dialog.getByLabel(/^What has Sam .* to tell you/).fill("Which firmware did the firewall have before?");
    await accessible(holder);
    await dialog.getByRole("button", { name: "Return with questions" }).click();
    await holder.getByText(/^Returned to Sam .*: it waits for the answer/).waitFor();
    await holder.locator(".chip.status.returned").waitFor();
    expect(await buttons(holder)).toEqual(["Resolve", "Put back", "Reassign"]);
    await accessible(holder);

    const sent = sender.getByRole("region", { name: "Handed off by me" });
    await sent.locator("li", { hasText: "Which firmware was it?" }).getByText("Ana Costa asks you").waitFor();
    await sender.getByRole("status").filter({ hasText: "Ana Costa asks you something about" }).waitFor();
    await until("the title counts it", async () => /\b1 mine\b/.test(await sender.title()));
    await accessible(sender);
    await sent.getByRole("link", { name: "Which firmware was it?" }).click();
    await sender.getByRole("heading", { name: "Ana Costa needs an answer from you" }).waitFor();
    await sender.getByText("Which firmware did the firewall have before?").first().waitFor();
    expect(await buttons(sender)).toEqual(["Answer", "Take back"]);
    await accessible(sender);
    await sender.keyboard.press("a");
    await sender.getByRole("dialog", { name: "Answer the questions" }).waitFor();
    await accessible(sender);
    await sender.keyboard.type("7.2.4; the backup is in step 17.");
    await sender.keyboard.press("Tab");
    await sender.keyboard.press("Enter");
    await sender.locator(".chip.status.queued").waitFor();

    await holder.getByText(/^Reserved for you until/).waitFor();
    await holder.getByText("7.2.4; the backup is in step 17.").first().waitFor();
    await other
      .locator(`.queue [data-id="${h.id}"]`)
      .getByText(/^Answered: reserved for Ana Costa until/)
      .waitFor();
    expect(
      await card(other, h.id)
        .getByRole("button", { name: /^Claim/ })
        .count(),
    ).toBe(0);
    await accessible(other);
    await show(other, h);
    await other.getByText(/^Reserved for Ana Costa until/).waitFor();
    expect(await other.getByRole("group", { name: "Actions" }).count()).toBe(0);
    // Who asks for it all the same, by a stale page or the API, is told for whom it is kept.
    const call = await baton.as(ben);
    await expect(call("POST", api(h, "/claim"))).rejects.toThrow(/409.*reserved/);

    await holder.keyboard.press("c");
    await holder.getByText("You hold this handoff.").waitFor();
    const said = holder.locator(".exchange li");
    expect(await said.count()).toBe(2);
    await holder.locator(".timeline").getByText("returned it with questions").waitFor();
    await accessible(holder);
  });

  test("stands beside the queue of who asked, and need not be waited for", async () => {
    const h = await baton.handOff(2, "Asked and forgotten");
    const call = await baton.as(ana);
    await call("POST", api(h, "/claim"));
    await call("POST", api(h, "/return"), { questions: "Who has the contract?" });
    const page = await signIn(browser, baton, ana);
    const mine = page.getByRole("region", { name: "My claims" }).locator("li", { hasText: "Asked and forgotten" });
    await mine.getByText(/^Returned: waits for Sam/).waitFor();
    await mine.getByRole("link").click();
    await page.getByRole("button", { name: "Resolve" }).click();
    await page.getByLabel("What solved it").fill("It was in the CRM.");
    await page.getByRole("dialog").getByRole("button", { name: "Resolve" }).click();
    await page.locator(".chip.status.resolved").waitFor();
    const sender = await signIn(browser, baton, sam);
    await show(sender, h);
    expect(await sender.getByRole("group", { name: "Actions" }).count()).toBe(0);
  });

  test("an admin answers for somebody who is away", async () => {
    const h = await baton.handOff(3, "Sam is on holiday");
    const call = await baton.as(ben);
    await call("POST", api(h, "/claim"));
    const page = await signIn(browser, baton, ada);
    await show(page, h);
    expect(await buttons(page)).toEqual(["Resolve", "Return with questions", "Put back", "Reassign"]);
    await page.getByRole("button", { name: "Return with questions" }).click();
    await page.getByRole("dialog").getByRole("textbox").fill("Which switch?");
    await page.getByRole("dialog").getByRole("button", { name: "Return with questions" }).click();
    await page.locator(".chip.status.returned").waitFor();
    expect(await buttons(page)).toEqual(["Answer", "Resolve", "Put back", "Reassign", "Take back"]);
    await page.getByRole("button", { name: "Answer" }).click();
    await page.getByRole("dialog").getByText("Which switch?").waitFor();
    await page.getByLabel("Your answer").fill("The one in the cellar.");
    await page.getByRole("dialog").getByRole("button", { name: "Answer" }).click();
    await page.locator(".exchange").getByText("The one in the cellar.").waitFor();
  });
});

test("credentials are warned of before they are sent, by the rules that tickets are kept clean by", async () => {
  const session = await baton.session(0, "With a secret");
  const page = await signIn(browser, baton, sam);
  await page.goto(`${baton.base}/sessions/${session.id}/hand-off`);
  const notes = page.getByLabel("What does the next engineer have to know?");
  // Too subtle for the page itself.
  await notes.fill("Please look at it.\nnet use Z: \\\\srv01\\data /user:CORP\\admin Winter#2026x");
  const warning = page.getByRole("status").filter({ hasText: "looks as if it holds a password" });
  await warning.locator("code", { hasText: /«[a-z-]+»/ }).waitFor();
  expect(await warning.textContent()).not.toContain("Winter#2026x");
  await accessible(page);
  await notes.fill("Please look at it.");
  await warning.waitFor({ state: "detached" });
});

describe("who is told", () => {
  let hook: Server;
  let status = 404;
  let heard = 0;
  beforeAll(async () => {
    hook = createServer((_, answer) => {
      heard++;
      answer.writeHead(status).end();
    });
    await new Promise<void>((ready) => hook.listen(0, "127.0.0.1", ready));
  });
  afterAll(() => hook.close());

  test("is said after handing off, and with each message on the handoff's page", async () => {
    const session = await baton.session(0, "Told about");
    const page = await signIn(browser, baton, sam);
    await page.goto(`${baton.base}/sessions/${session.id}/hand-off`);
    await page.getByLabel("What does the next engineer have to know?").fill("Please decide whether to roll back.");
    await page.getByRole("button", { name: "Hand off" }).click();
    await page.getByRole("heading", { name: "Who is told" }).waitFor();
    await page
      .locator(".told-names li", { hasText: "Ana Costa" })
      .getByText(/: told$/)
      .first()
      .waitFor();
    await accessible(page);
    await page.getByRole("link", { name: "Open the handoff" }).click();
    const told = page.getByRole("region", { name: "Who is told" });
    await told.getByText(/messages? sent|held back|on the way/).click();
    await told.locator("li", { hasText: "Ben Fischer" }).first().getByText("escalated to them").waitFor();
    await accessible(page);
  });

  test("what failed says why, and is tried again by hand once it is mended", async () => {
    const admin = await baton.as(ada);
    const { port } = hook.address() as AddressInfo;
    const channel = await admin<{ id: string }>("POST", "/notifications/channels", {
      kind: "webhook",
      name: "On-call bridge",
      options: {},
      credentials: { url: `http://127.0.0.1:${port}/` },
    });
    const to = [{ who: "endpoint", endpoint_id: channel.id }];
    await admin("PUT", "/ladder", { rules: [{ priority: "low", steps: [{ after_seconds: 0, to }] }] });
    const h = await baton.handOff(4, "Told to a bridge", { priority: "low" });
    const page = await signIn(browser, baton, sam);
    await show(page, h);
    const row = page.getByRole("region", { name: "Who is told" }).locator("li", { hasText: "On-call bridge" });
    await row.locator(".chip.failed").waitFor();
    await row.locator(".why").waitFor();
    await accessible(page);
    // Who has no part in it sees it, and is not offered to try again.
    const other = await signIn(browser, baton, ben);
    await show(other, h);
    await other.locator(".told li", { hasText: "On-call bridge" }).waitFor();
    expect(await other.getByRole("button", { name: /^Try again/ }).count()).toBe(0);
    status = 204;
    const before = heard;
    await page.getByRole("button", { name: "Try again: On-call bridge, webhook" }).click();
    await until("the webhook hears it", async () => heard > before);
    await row.locator(".chip.done").waitFor({ state: "attached" });
    const rows = (await admin<{ items: Delivery[] }>("GET", api(h, "/deliveries"))).items;
    expect(rows.map((d) => d.state)).toEqual(["done"]);
    await admin("PUT", "/ladder", { rules: [] });
  });
});

describe("who is called next", () => {
  test("stands on the page, with its time, its steps, and the target", async () => {
    const h = await baton.handOff(5, "Called for", { priority: "high" });
    const page = await signIn(browser, baton, ana);
    await card(page, h.id)
      .getByText(/^Waits .* of 30 min$/)
      .waitFor();
    await show(page, h);
    const ladder = page.getByRole("region", { name: "Who is called next" });
    await ladder.getByText(/^The whole team is told, at/).waitFor();
    await ladder.getByText(/^\(in 1[45] min\)/).waitFor();
    await ladder.getByText(/^Somebody should claim it by/).waitFor();
    await ladder.getByText("All steps").click();
    await ladder.getByText("After 30 min: the team, the admins, again every 30 min, 8 times").waitFor();
    await accessible(page);
  });

  test("a holder who shows no activity is asked, and says that they are still there", async () => {
    const admin = await baton.as(ada);
    const lease = { remind_after_seconds: 2, ask_after_seconds: 1, take_back_after_seconds: 600 };
    await admin("PUT", "/ladder", { rules: [{ priority: "critical", lease }] });
    const h = await baton.handOff(6, "Held for long", { priority: "critical" });
    const call = await baton.as(ana);
    await call("POST", api(h, "/claim"));
    const page = await signIn(browser, baton, ana);
    await show(page, h);
    await page.getByText(/^Are you still at it\? It goes back to the queue in (10 min|9 min)/).waitFor();
    await accessible(page);
    const ladder = await admin<{ lease: { active_at: string } }>("GET", api(h, "/ladder"));
    // What the page reads by itself, because of the question, is no answer to it.
    await until("the holder was asked", async () =>
      (await admin<{ items: Delivery[] }>("GET", api(h, "/deliveries"))).items.some((d) => d.kind === "lease_asked"),
    );
    const later = await admin<{ lease: { active_at: string } }>("GET", api(h, "/ladder"));
    expect(later.lease.active_at).toBe(ladder.lease.active_at);
    if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/lease.png` });
    await page.getByRole("button", { name: "I am still here" }).click();
    await page.getByRole("status").filter({ hasText: "It stays yours." }).waitFor();
    await until("it counts", async () => {
      const now = await admin<{ lease: { active_at: string } }>("GET", api(h, "/ladder"));
      return now.lease.active_at > ladder.lease.active_at;
    });
    const other = await signIn(browser, baton, ben);
    await show(other, h);
    await other.getByText(/^The claim lasts until/).waitFor();
    expect(await other.getByRole("button", { name: "I am still here" }).count()).toBe(0);
    await admin("PUT", "/ladder", { rules: [] });
  });

  test("an overdue card says so, and 'due first' brings it up", async () => {
    const admin = await baton.as(ada);
    await admin("PUT", "/ladder", { rules: [{ priority: "low", claim_within_seconds: 1 }] });
    const late = await baton.handOff(7, "Late already", { priority: "low" });
    await begun(late);
    await admin("PUT", "/ladder", { rules: [] });
    const page = await signIn(browser, baton, ana);
    await card(page, late.id)
      .getByText(/^Overdue by/)
      .waitFor();
    await page.getByLabel("Order").selectOption({ label: "Due first" });
    await until("the order is in the address", async () => page.url().includes("sort=due"));
    await until(
      "it comes first",
      async () => (await page.locator(".queue .card").first().getAttribute("data-id")) === late.id,
    );
    await page.reload();
    await live(page);
    expect(await page.locator(".queue .card").first().getAttribute("data-id")).toBe(late.id);
  });

  test("a session is parked until tomorrow, and shows when it is due", async () => {
    const session = await baton.session(8, "Waits for the carrier");
    const page = await signIn(browser, baton, sam);
    await page.goto(`${baton.base}/sessions/${session.id}/hand-off`);
    await page.getByLabel(/^Park/).check();
    await page.getByLabel("When is it due?").selectOption({ label: "In four hours" });
    await page.getByLabel("What does the next engineer have to know?").fill("The carrier calls back.");
    await accessible(page);
    await page.getByRole("button", { name: "Hand off" }).click();
    await page.getByRole("link", { name: "Open the handoff" }).click();
    await page.getByText(/^It is due .*; its sender is told then/).waitFor();
    await page.locator(".chip", { hasText: /^Due / }).waitFor();
    await accessible(page);
  });
});

describe("presence", () => {
  test("shows on the card and on the page who looks at it, and ends when they leave", async () => {
    const h = await baton.handOff(1, "Looked at", { priority: "critical" });
    const [one, two] = [await signIn(browser, baton, ana), await signIn(browser, baton, ben)];
    await show(one, h);
    await card(two, h.id).getByText("Ana Costa is looking at this").waitFor({ state: "attached" });
    await card(two, h.id).getByText("AC", { exact: true }).waitFor();
    await accessible(two);
    await show(two, h);
    await two.locator(".handoff > header").getByText("Ana Costa is looking at this").waitFor();
    await one.locator(".handoff > header").getByText("Ben Fischer is looking at this").waitFor();
    await accessible(one);
    await one.getByRole("link", { name: "Back to the queue" }).click();
    await two.locator(".handoff > header .viewers").waitFor({ state: "detached" });
    await two.close(); // closing the tab says it as well
    await card(one, h.id).locator(".viewers").waitFor({ state: "detached" });
    // A viewer of another account sees nothing of it.
    const eve = await baton.as("eve@other.test");
    expect((await eve<{ items: object[] }>("GET", "/ai-sessions/presence")).items).toEqual([]);
  });
});

test.each(["no-preference", "reduce"] as const)(
  "a new card slides in within 200 ms, if motion is wanted: %s",
  async (motion) => {
    const page = await signIn(browser, baton, ana, { reducedMotion: motion });
    const h = await baton.handOff(3, `Slides in: ${motion}`, { priority: "critical" });
    await card(page, h.id).waitFor();
    const moves = await card(page, h.id).evaluate((e) => {
      const { animationName, animationDuration } = getComputedStyle(e);
      return animationName === "none" ? 0 : Number.parseFloat(animationDuration) * 1000;
    });
    expect(moves).toBe(motion === "reduce" ? 0 : 200);
  },
);

describe("alerts", () => {
  /** Counts what a browser would play and show, over all of its tabs. */
  async function counted(context: BrowserContext) {
    let sounds = 0;
    const shown: string[] = [];
    await context.exposeFunction("heardSound", () => void sounds++);
    await context.exposeFunction("shownNote", (title: string) => void shown.push(title));
    await context.addInitScript(() => {
      const w = window as unknown as Record<string, (x?: string) => void>;
      class Note {
        static permission = localStorage.getItem("test.permission") ?? "default";
        static async requestPermission() {
          localStorage.setItem("test.permission", "granted");
          Note.permission = "granted";
          return "granted";
        }
        constructor(title: string) {
          w.shownNote?.(title);
        }
      }
      Object.assign(window, { Notification: Note });
      const real = AudioContext;
      Object.assign(window, {
        AudioContext: class extends real {
          constructor() {
            super();
            w.heardSound?.();
          }
        },
      });
    });
    return { sounds: () => sounds, shown };
  }

  test("are off until asked for, then come once per browser, for what the reader may claim", async () => {
    const context = await browser.newContext({ reducedMotion: "reduce" });
    const count = await counted(context);
    const page = await open(context, baton);
    await page.getByRole("button", { name: ben }).click();
    await live(page);
    const silent = await baton.handOff(2, "Comes in silence");
    await card(page, silent.id).waitFor();
    expect([count.sounds(), count.shown.length]).toEqual([0, 0]);

    await page.getByRole("button", { name: "Alerts" }).click();
    await accessible(page);
    expect(await page.evaluate(() => Notification.permission)).toBe("default");
    await page.getByLabel("Play a sound").check();
    await page.getByLabel("Show a desktop notification").check();
    await page.getByRole("button", { name: "Close" }).click();
    const sounds = count.sounds(); // it lets one hear what it will be

    const tabs = [page, await open(context, baton), await open(context, baton)];
    for (const tab of tabs) await live(tab);
    const own = await (await baton.as(ben))<{ id: string }>("POST", "/ai-sessions", {
      title: "Ben's own",
      client_name: "Contoso",
    });
    const mine = await (await baton.as(ben))<Handoff>("POST", `/ai-sessions/${own.id}/handoff`, {
      intent: "escalate",
      engineer_notes: "Somebody else has to.",
    });
    await page.getByRole("region", { name: "Handed off by me" }).getByText("Ben's own").waitFor();
    const h = await baton.handOff(3, "Comes with a bell");
    for (const tab of tabs) await card(tab, h.id).waitFor();
    await until("it is shown", async () => count.shown.length > 0);
    expect(count.shown).toEqual([expect.stringContaining("Comes with a bell")]);
    expect(count.sounds()).toBe(sounds + 1);
    // The tab that alerts is closed, and another one goes on.
    await page.close();
    await new Promise((r) => setTimeout(r, 1600)); // sounds keep a distance
    const again = await baton.handOff(4, "Comes to those that are left");
    for (const tab of tabs.slice(1)) await card(tab, again.id).waitFor();
    await until("it is shown", async () => count.shown.length > 1);
    expect(count.shown).toHaveLength(2);
    expect(mine.status).toBe("queued");
  });

  test("a browser that refuses is believed", async () => {
    const page = await signIn(browser, baton, ana); // headless Chromium refuses
    await page.getByRole("button", { name: "Alerts" }).click();
    const box = page.getByLabel("Show a desktop notification");
    await box.click();
    await page.getByText(/does not allow notifications/).waitFor();
    expect(await box.isChecked()).toBe(false);
    await accessible(page);
  });
});

test("the ticket's number leads to the ticket in the PSA", async () => {
  const h = await baton.handOff(0, "With a ticket");
  expect(h.session.psa_ticket).toBeTruthy();
  const page = await signIn(browser, baton, ana);
  await show(page, h);
  const link = page.getByRole("link", { name: `#${h.session.psa_ticket}` });
  await link.waitFor(); // once the PSA has said what it calls the ticket
  const answer = await fetch((await link.getAttribute("href")) ?? "", { redirect: "manual" });
  expect(answer.headers.get("Location")).toBe(`/sandbox/psa#ticket-${h.session.psa_ticket}`);
});

/** By how much the page is wider than its window, in pixels. */
const sideways = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

const looks = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2 },
} as const;

describe("every state, in every look", () => {
  let states: Record<string, Handoff>;
  beforeAll(async () => {
    const call = await baton.as(ana);
    const admin = await baton.as(ada);
    await admin("PUT", "/ladder", { rules: [{ priority: "low", claim_within_seconds: 1 }] });
    const overdue = await baton.handOff(7, undefined, { priority: "low" });
    await begun(overdue);
    await admin("PUT", "/ladder", { rules: [] });
    const of = async (n: number, change = {}) => baton.handOff(n, undefined, change);
    const queued = await of(0, { priority: "high" });
    const returned = await of(1, { priority: "critical" });
    const answered = await of(2, { priority: "high" });
    const claimed = await of(3);
    const resolved = await of(4);
    const parked = await of(8, { intent: "park", wake: { after_minutes: 90 } });
    for (const h of [returned, answered, claimed, resolved]) await call("POST", api(h, "/claim"));
    for (const h of [returned, answered])
      await call("POST", api(h, "/return"), { questions: "Which firmware did the firewall have before the update?" });
    const sender = await baton.as(sam);
    await sender("POST", api(answered, "/answer"), { answer: "7.2.4; the backup of its configuration is in step 17." });
    await call("POST", api(resolved, "/resolve"), { resolution: "Rolled back." });
    states = { queued, returned, answered, claimed, resolved, parked, overdue };
  });

  // With PICTURES=folder it leaves pictures there, to be looked at.
  test.each(Object.entries(looks))("axe finds nothing: %s", { timeout: 300_000 }, async (look, options) => {
    const watcher = await signIn(browser, baton, ben);
    await show(watcher, states.queued as Handoff);
    for (const [who, email] of Object.entries({ holder: ana, sender: sam })) {
      const page = await signIn(browser, baton, email, options);
      const picture = async (name: string) => {
        const file = `${process.env.PICTURES}/${name}-${who}-${look}.png`;
        if (process.env.PICTURES) await page.screenshot({ path: file, fullPage: name !== "queue" });
      };
      if (who === "holder")
        await card(page, (states.queued as Handoff).id)
          .locator(".avatar")
          .waitFor();
      await accessible(page);
      expect(await sideways(page)).toBeLessThanOrEqual(0);
      await picture("queue");
      await page.getByRole("button", { name: "Alerts" }).click();
      await accessible(page);
      await picture("alerts");
      await page.keyboard.press("Escape");
      for (const [state, h] of Object.entries(states)) {
        await show(page, h);
        await page.locator(".timeline li").first().waitFor();
        await page.locator(".told ul, .told .empty").first().waitFor({ state: "attached" });
        await accessible(page);
        await picture(state);
        expect(await sideways(page)).toBeLessThanOrEqual(0);
        for (const name of who === "holder" && state === "claimed" ? ["Return with questions", "Reassign"] : []) {
          await page.getByRole("button", { name, exact: true }).click();
          await page.getByRole("dialog").waitFor();
          await accessible(page);
          await picture(name.split(" ")[0]?.toLowerCase() ?? name);
          await page.keyboard.press("Escape");
        }
        if (who === "sender" && state === "returned") {
          await page.keyboard.press("a");
          await page.getByRole("dialog").getByLabel("Your answer").fill("The password is Sommer2024!");
          await page.getByRole("dialog").locator("code").waitFor();
          await accessible(page);
          await picture("answer");
          await page.keyboard.press("Escape");
        }
      }
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
      await accessible(page);
      await picture("help");
      if (who === "sender") await handOff(page, picture);
      await page.goto(`${baton.base}/sessions`);
      await page.locator(".sessions .card").first().waitFor();
      await accessible(page);
      await picture("sessions");
    }
  });

  /** The form with all that it can show, and what comes after it. */
  async function handOff(page: Page, picture: (name: string) => Promise<void>): Promise<void> {
    const session = await baton.session(5);
    await page.goto(`${baton.base}/sessions/${session.id}/hand-off`);
    await page.getByLabel(/^Park/).check();
    await page.getByLabel("When is it due?").selectOption({ label: "At a time of mine" });
    await page
      .getByLabel("What does the next engineer have to know?")
      .fill("I restarted it; the admin password is Sommer2024! Please check tomorrow.");
    await page.locator(".failure code").waitFor();
    await accessible(page);
    await picture("form");
    await page.getByLabel(/^Escalate/).check();
    await page.getByRole("button", { name: "Hand off" }).click();
    await page.locator(".told-names li").first().waitFor();
    await accessible(page);
    await picture("sent");
  }
});
