import { createHmac } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { accessible, ada, ana, Baton, launch, looks, open, picture, sam, signIn, troubles, until } from "./baton";

import { hook, mailSink } from "./sinks";

let baton: Baton;
let browser: Browser;
const olga = "olga@demo.test";
const vic = "vic@demo.test";
/** Told apart from what an earlier run left in the same database. */
const run = Date.now().toString(36);

beforeAll(async () => {
  // What a test listens with is on this machine, where channels may not go otherwise.
  baton = await Baton.start(undefined, { BATON_NOTIFY_ALLOW_PRIVATE: "127.0.0.0/8" });
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

/** Opens a page of the settings as somebody, and waits for its title. */
async function settings(email: string, page: string, title: string, options = {}): Promise<Page> {
  const tab = await signIn(browser, baton, email, options);
  await tab.goto(`${baton.base}/settings/${page}`);
  await tab.getByRole("heading", { level: 1, name: title }).waitFor();
  return tab;
}

const saved = (page: Page) => page.getByText(/^Saved at /).waitFor();

test("an engineer is told whose the settings are, and finds their own", async () => {
  const page = await signIn(browser, baton, ana);
  expect(await page.getByRole("link", { name: "Settings" }).count()).toBe(0);
  await page.goto(`${baton.base}/settings/psa`);
  await page.getByText("These settings are for admins and owners of your account; you are an engineer.").waitFor();
  await page.getByText("Ask Ada Nowak or Olga Petrova.").waitFor();
  await accessible(page);
  const call = await baton.as(ana);
  await expect(call("GET", "/psa/connection")).rejects.toThrow("403");
  await page.getByRole("link", { name: "Notifications", exact: true }).click();
  await page.getByRole("heading", { name: "My notifications" }).waitFor();
  await accessible(page);
});

test("my notifications are kept, with the keyboard alone, and read as a sentence", async () => {
  const call = await baton.as(sam);
  await call("PUT", "/me/notifications", {});
  const page = await settings(sam, "me", "My notifications");
  await page.getByText("You are told by e-mail.").waitFor();
  // From the title, which has the focus, to the first box, and on.
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await page.getByText("You are told by e-mail and Slack.").waitFor();
  await page.getByLabel("I have quiet hours, every day").focus();
  await page.keyboard.press("Space");
  await page.getByLabel("From").fill("1800");
  await page.getByLabel("Time zone").fill("Europe/Berlin");
  await page.keyboard.press("Control+Enter");
  await page
    .getByText("From has to be a time of day such as 18:00.")
    .or(page.getByText(/^From .*18:00/).last())
    .waitFor();
  await page.getByText("One field needs another look.").waitFor();
  expect(await page.getByLabel("From").inputValue()).toBe("1800");
  await accessible(page);
  await page.getByLabel("From").fill("18:00");
  await page.keyboard.press("Control+Enter");
  await saved(page);
  await page.reload();
  await page.getByText("From 18:00 to 08:00 (Europe/Berlin) only critical ones come at once").waitFor();
  expect(await page.getByLabel("Slack").first().isChecked()).toBe(true);
});

test("the PSA connection: a test fails with a reason, another key mends it, nothing typed is lost", async () => {
  const page = await settings(ada, "psa", "PSA");
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await page.locator(".findings").getByText("It works.").waitFor();
  await page.getByRole("button", { name: "Replace: Private key" }).click();
  await page.getByLabel("Private key").fill("wrong");
  await page.getByText("1 change is not saved yet.").waitFor();
  await page.getByRole("button", { name: "Test without saving" }).click();
  await page.locator(".findings").getByText("It does not work yet.").waitFor();
  await page.locator(".findings li.failed").getByText("What to do:").first().waitFor();
  expect(await page.locator(".state").getByText("Works").count()).toBe(1); // what is stored is as it was

  // Whoever leaves is asked, and may stay.
  page.once("dialog", (d) => void d.dismiss());
  await page.getByRole("link", { name: "Queue" }).click();
  expect(page.url()).toBe(`${baton.base}/settings/psa`);
  expect(await page.getByLabel("Private key").inputValue()).toBe("wrong");

  // A refusal is at its field, and leaves what was typed.
  const address = await page.getByLabel("Address", { exact: true }).inputValue();
  await page.getByLabel("Address", { exact: true }).fill("ftp://psa.example.com");
  await page.getByText("The address is another one: enter the credentials again").waitFor();
  await page.getByLabel("Company id").fill("demo");
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.getByText("Address must begin with https://.").waitFor();
  await page.getByText("Public key has to be entered again", { exact: false }).waitFor();
  expect(await page.getByLabel("Company id").inputValue()).toBe("demo");
  await page.locator('[aria-invalid="true"]:focus').waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Undo changes" }).click();
  expect(await page.getByLabel("Address", { exact: true }).inputValue()).toBe(address);

  await page.getByRole("button", { name: "Replace: Private key" }).click();
  await page.getByLabel("Private key").fill("wrong");
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.locator(".state.broken").getByText("Needs you").waitFor();
  await page.locator(".state.broken").getByText("What to do:").waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Replace: Private key" }).click();
  await page.getByLabel("Private key").fill("privkey-demo-0"); // the sandbox's
  await page.getByRole("button", { name: "Save and test" }).click();
  await page.locator(".findings").getByText("It works.").waitFor();
  await page.locator(".state.ok").getByText("Works").waitFor();
  expect(await page.content()).not.toContain("privkey-demo-0");
});

test("a mail server is added, and its test message arrives", async () => {
  const sink = await mailSink();
  const page = await settings(ada, "channels", "Channels");
  await page.getByRole("link", { name: "E-mail" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Our mail server");
  await page.getByLabel("Host").fill("127.0.0.1");
  await page.getByRole("spinbutton", { name: "Port" }).fill("1");
  await page.getByLabel("Protection").selectOption("none");
  await page.getByText("Anybody on the way can read these mails").waitFor();
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.locator(".failure").waitFor(); // the sender is missing
  expect(await page.getByLabel("Host").inputValue()).toBe("127.0.0.1");
  await page.getByLabel("Sender").fill("Baton <baton@demo.test>");
  await page.getByLabel("Mailbox of the team").fill("desk@demo.test");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Our mail server" }).waitFor();
  await page.getByRole("button", { name: "Send a test message" }).click();
  await page.locator(".findings.failed").getByText("The test message was not taken.").waitFor();
  await page.getByRole("spinbutton", { name: "Port" }).fill(String(sink.port));
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await saved(page);
  await page.getByRole("button", { name: "Send a test message" }).click();
  await page.locator(".findings.ok").getByText("Look into the mailbox desk@demo.test.").waitFor();
  await page.locator(".state.ok").getByText("Works").waitFor();
  expect(sink.mails[0]).toContain("desk@demo.test");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("heading", { level: 1, name: "Channels" }).waitFor();
  expect(await page.getByRole("link", { name: "Our mail server" }).count()).toBe(0);
  sink.stop();
});

test("a webhook's secret is shown once, is replaced beside the old one, and a receiver that is gone is told", async () => {
  const receiver = await hook();
  const page = await settings(ada, "channels/new?kind=webhook", "Add: Webhook");
  await page.getByLabel("Name", { exact: true }).fill(`Dispatch board ${run}`);
  await page.getByLabel("Address", { exact: true }).fill(receiver.url);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const secret = await page.getByLabel("The secret that signs").inputValue();
  expect(secret).toMatch(/^whsec_/);
  await accessible(page);
  const test = async () => {
    await page.getByRole("button", { name: "Send a test message" }).click();
    await page.locator(".findings").waitFor();
    const last = receiver.got.at(-1);
    if (!last) throw new Error("nothing came");
    return last;
  };
  const signs = (request: Awaited<ReturnType<typeof test>>, by: string) => {
    const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signatures } = request.headers;
    const key = Buffer.from(by.replace("whsec_", ""), "base64");
    const own = createHmac("sha256", key).update(`${id}.${at}.${request.body}`).digest("base64");
    return String(signatures).split(" ").includes(`v1,${own}`);
  };
  expect(signs(await test(), secret)).toBe(true);
  await page.reload();
  await page.getByRole("heading", { level: 1, name: `Dispatch board ${run}` }).waitFor();
  expect(await page.content()).not.toContain(secret);

  await page.getByRole("button", { name: "Make a new secret" }).click();
  const next = await page.getByLabel("The secret that signs").inputValue();
  await page.getByText("Two secrets sign at the moment.").waitFor();
  const both = await test();
  expect([signs(both, secret), signs(both, next)]).toEqual([true, true]);
  await page.getByRole("button", { name: "End the old secret" }).click();
  await page.getByRole("button", { name: "Make a new secret" }).waitFor();
  const one = await test();
  expect([signs(one, secret), signs(one, next)]).toEqual([false, true]);

  receiver.status = 410;
  await test();
  await page.locator(".state.disabled").getByText("Switched off", { exact: true }).waitFor();
  await accessible(page);
  receiver.status = 204;
  await page.getByRole("button", { name: "Use it again" }).click();
  await page.locator(".state.disabled").waitFor({ state: "detached" });
  await test();
  await page.locator(".state.ok").getByText("Works").waitFor();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("heading", { level: 1, name: "Channels" }).waitFor();
  receiver.stop();
});

test("the ladder is edited, reads back, and says what holds", async () => {
  const call = await baton.as(ada);
  await call("PUT", "/ladder", { rules: [] });
  const page = await settings(ada, "ladder", "Ladder");
  await page.getByText("Handoffs that wait already keep the rules").waitFor();
  await page.getByText("At once: whom it is for and the whole team.").first().waitFor();
  await page.getByRole("combobox", { name: "Priority" }).selectOption("critical");
  await page.getByRole("button", { name: "Add a rule for: Critical" }).click();
  const rule = page.getByRole("group", { name: "Critical", exact: true });
  await rule.getByText("This rule changes nothing yet.").waitFor();
  await rule.getByRole("checkbox", { name: "Who is called when: Critical" }).check();
  const third = rule.getByRole("group", { name: "Step 3", exact: true });
  await third.getByRole("button", { name: "Remove step 3" }).click();
  const second = rule.getByRole("group", { name: "Step 2", exact: true });
  await second.getByLabel("After", { exact: true }).fill("10");
  await second.getByLabel("Who", { exact: true }).selectOption("admins");
  await second.getByLabel("E-mail").check();
  await second.getByLabel("Slack").check();
  await second.getByLabel(/^Repeat until/).check();
  await second.getByLabel("Every", { exact: true }).fill("2");
  await second.getByLabel("Times").fill("4");
  const sentence = "After 10 min: the admins by e-mail and Slack; then every 2 min, 4 times.";
  await second.getByText(sentence).waitFor();
  // Beside it stands what it replaces, and above what holds then.
  await rule.getByText("After 10 min: the whole team and the admins; then every 10 min, 12 times.").waitFor();
  await page.getByRole("region", { name: "What holds" }).getByText(sentence).waitFor();

  // A step that begins before the one above it is refused at its field.
  await second.getByLabel("After", { exact: true }).fill("0");
  await page.keyboard.press("Control+Enter");
  await second.getByText(/^After must be more than that of the step before/).waitFor();
  await second.getByLabel("After", { exact: true }).fill("10");
  await page.keyboard.press("Control+Enter");
  await saved(page);

  await page.getByRole("combobox", { name: "Priority" }).selectOption("");
  await page.getByRole("button", { name: "Add a rule for: Everything" }).click();
  const all = page.getByRole("group", { name: "Everything", exact: true });
  await all.getByRole("checkbox", { name: "Working hours: Everything" }).check();
  await all.getByLabel("Time zone").fill("Mars/Olympus");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await all.getByText("Time zone must be the IANA name of a time zone").waitFor();
  await all.getByLabel("Time zone").fill("Europe/Berlin");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await saved(page);
  await accessible(page);
  await page.reload();
  await page.getByRole("region", { name: "What holds" }).getByText(sentence).waitFor();
  await page
    .getByText("Normal and low ones call people Mon to Fri 08:00 to 18:00 (Europe/Berlin). Critical and high")
    .first()
    .waitFor();
  const stored = await call<{ rules: { priority: string | null; steps?: unknown[] }[] }>("GET", "/ladder");
  expect(stored.rules.find((r) => r.priority === "critical")?.steps).toHaveLength(2);
  await page.getByRole("button", { name: "Remove the rule for: Critical" }).click();
  await page.getByRole("button", { name: "Remove the rule for: Everything" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await saved(page);
});

test("a person and a team are added; who is disabled is let in no more", async () => {
  const page = await settings(ada, "users", "People");
  await page.getByRole("button", { name: "Add a team" }).click();
  await page.getByLabel("Name of the team").fill(`Network ${run}`);
  await page.keyboard.press("Enter");
  await page.getByRole("table", { name: "Teams" }).getByText(`Network ${run}`).waitFor();
  await page.getByRole("button", { name: "Add somebody" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill(`Kim ${run}`);
  await dialog.getByLabel("E-mail address").fill("ana@demo.test");
  await dialog.getByLabel("Role").selectOption("engineer");
  await dialog.getByLabel("Team").selectOption({ label: `Network ${run}` });
  expect(await dialog.getByRole("option", { name: "Owner" }).count()).toBe(0);
  await accessible(page);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.locator(".failure").waitFor(); // the address is Ana's
  expect(await dialog.getByLabel("Name").inputValue()).toBe(`Kim ${run}`);
  await dialog.getByLabel("E-mail address").fill(`kim-${run}@demo.test`);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.waitFor({ state: "detached" });
  const row = page.getByRole("row", { name: new RegExp(`Kim ${run}`) });
  await row.getByText("Not signed in yet").waitFor();
  await row.getByText(`Network ${run}`).waitFor();
  await row.getByRole("button", { name: `Change: Kim ${run}` }).click();
  await dialog.getByLabel("Role").selectOption("viewer");
  await dialog.getByRole("button", { name: "Save" }).click();
  await row.getByText("Viewer").waitFor();

  const as = await baton.as(vic);
  await as("GET", "/me");
  const his = page.getByRole("row", { name: /Vic Lind/ });
  await his.getByRole("button", { name: "Disable: Vic Lind" }).click();
  await dialog.getByRole("button", { name: "Disable" }).click();
  await his.getByText("Disabled").waitFor();
  await until("Vic is let in no more", () =>
    as("GET", "/me").then(
      () => false,
      (e: unknown) => /40[13]/.test(String(e)),
    ),
  );
  await his.getByRole("button", { name: "Enable: Vic Lind" }).click();
  await dialog.getByRole("button", { name: "Enable" }).click();
  await his.getByText("Disabled").waitFor({ state: "detached" });
  expect(await page.getByRole("button", { name: /: Olga Petrova$/ }).count()).toBe(0); // an owner is for owners
});

test("an API key is shown once, works, and is revoked", async () => {
  const page = await settings(ada, "api-keys", "API keys");
  await page.getByLabel("What it is for").fill("RMM alerts");
  await page.getByLabel("May do at most").selectOption("engineer");
  await page.getByRole("button", { name: "Make the key" }).click();
  const key = await page.getByLabel("The key RMM alerts").inputValue();
  expect(key).toMatch(/^baton_/);
  await accessible(page);
  const use = async (path: string) =>
    (await fetch(`${baton.base}/api/v1${path}`, { headers: { Authorization: `Bearer ${key}` } })).status;
  expect(await use("/me")).toBe(200);
  expect(await use("/psa/connection")).toBe(403); // an engineer's key, though an admin made it
  await page.reload();
  const row = page.getByRole("row", { name: /RMM alerts/ });
  await row.getByText("Ada Nowak, at most Engineer").waitFor();
  expect(await page.content()).not.toContain(key);
  await row.getByRole("button", { name: "Revoke: RMM alerts" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await row.waitFor({ state: "detached" });
  await until("the key is refused", async () => (await use("/me")) === 401);
});

test("the audit log tells who changed what, filtered, and as CSV", async () => {
  const call = await baton.as(olga);
  await call("PUT", "/briefings/settings", { use_model: true, monthly_budget_usd: 12 });
  const page = await settings(ada, "audit", "Audit log");
  const row = page.getByRole("row", { name: /Olga Petrova.*Briefing settings changed/ });
  await row
    .getByText(/^budget in US dollars a month:/)
    .first()
    .waitFor();
  for (const what of [
    "Person disabled",
    "API key revoked",
    "Ladder changed",
    "Channel removed",
    "PSA connection changed",
  ])
    await page
      .getByRole("cell", { name: new RegExp(what) })
      .first()
      .waitFor();
  expect(await page.content()).not.toContain("privkey");
  await page.getByLabel("What").selectOption({ label: "Briefing settings changed" });
  await until(
    "only those",
    async () =>
      (await page.getByRole("row", { name: /Channel|Person|Ladder|PSA/ }).count()) === 0 && row.first().isVisible(),
  );
  expect(page.url()).toContain("action=briefing_settings.set");
  const csv = await page.getByRole("link", { name: "As CSV" }).getAttribute("href");
  const text = await page.evaluate(async (path) => (await fetch(path ?? "")).text(), csv);
  expect(text).toContain("Olga Petrova");
  expect(text).not.toContain("Channel");
});

test("the briefings' budget is saved, and so is that it is the installation's again", async () => {
  const page = await settings(olga, "briefings", "Briefings");
  await page.getByLabel("Budget in US dollars a month").fill("25");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await saved(page);
  await page.getByText("of 25.00 US dollars spent").waitFor();
  await page.getByLabel("Budget in US dollars a month").fill("");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const call = await baton.as(olga);
  await until("the bound is the installation's", async () => {
    const s = await call<{ monthly_budget_usd: number | null }>("GET", "/briefings/settings");
    return s.monthly_budget_usd === null;
  });
});

test("what somebody else changed meanwhile is not overwritten unseen", async () => {
  const page = await settings(ada, "briefings", "Briefings");
  const call = await baton.as(olga);
  await page.getByLabel("Budget in US dollars a month").fill("40");
  await call("PUT", "/briefings/settings", { use_model: false, monthly_budget_usd: 30 });
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Somebody else changed these settings since you opened them.").waitFor();
  expect(await page.getByLabel("Budget in US dollars a month").inputValue()).toBe("40");
  await page.getByRole("button", { name: "Undo changes" }).click();
  expect(await page.getByLabel("Budget in US dollars a month").inputValue()).toBe("30");
  await page.getByLabel("Budget in US dollars a month").fill("40");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await saved(page);
});

test("an ended session loses nothing: one signs in beside it, and saves", async () => {
  const page = await settings(ada, "briefings", "Briefings");
  await page.getByLabel("Budget in US dollars a month").fill("50");
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Your session has ended.").waitFor();
  const opened = page.context().waitForEvent("page");
  await page.getByRole("link", { name: "Sign in in another tab, then save again" }).click();
  const other = await opened;
  await other.getByRole("button", { name: ada }).click();
  await other.waitForURL(`${baton.base}/`);
  expect(await page.getByLabel("Budget in US dollars a month").inputValue()).toBe("50");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await saved(page);
});

describe("every page of the settings, in every look", () => {
  beforeAll(async () => {
    const call = await baton.as(ada);
    const teams = await call<{ items: { id: string }[] }>("GET", "/teams");
    await call("PUT", "/ladder", {
      rules: [
        {
          team_id: null,
          priority: null,
          hours: {
            zone: "Europe/Berlin",
            week: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" }],
            holidays: ["2026-12-25"],
          },
          lease: { remind_after_seconds: 1800, ask_after_seconds: 900, take_back_after_seconds: 900 },
        },
        {
          team_id: teams.items[0]?.id ?? null,
          priority: "critical",
          claim_within_seconds: 300,
          steps: [
            { after_seconds: 0, to: [{ who: "target" }, { who: "team" }], repeat_every_seconds: 120, repeat_times: 4 },
            { after_seconds: 600, to: [{ who: "admins", channels: ["email", "slack"] }] },
          ],
        },
      ],
    });
    await call("POST", "/users", { email: `rmm-${run}@demo.test`, name: "RMM", role: "engineer", kind: "service" });
    await call("POST", "/api-keys", { name: `Wallboard ${run}`, role: "viewer" });
  });

  test.each(Object.entries(looks))("axe finds nothing: %s", async (look, options) => {
    const page = await settings(ada, "", "Settings", options);
    await accessible(page);
    await picture(page, `settings-${look}`, true);
    const pages = {
      psa: "PSA",
      channels: "Channels",
      "channels/new?kind=email": "Add: E-mail",
      "channels/new?kind=slack": "Add: Slack",
      "channels/new?kind=teams": "Add: Teams",
      ladder: "Ladder",
      briefings: "Briefings",
      users: "People",
      "api-keys": "API keys",
      audit: "Audit log",
      me: "My notifications",
    };
    for (const [path, title] of Object.entries(pages)) {
      await page.goto(`${baton.base}/settings/${path}`);
      await page.getByRole("heading", { level: 1, name: title }).waitFor();
      await until("all is loaded", async () => (await page.locator(".loading").count()) === 0);
      await accessible(page);
      await picture(page, `settings-${path.replaceAll(/\W/g, "-")}-${look}`, true);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      expect(wide, `${path} is wider than its window`).toBe(false);
    }
    await page.goto(`${baton.base}/settings/users`);
    await page.getByRole("button", { name: "Change: Ana Costa" }).click();
    await page.getByRole("dialog").waitFor();
    await accessible(page);
    await picture(page, `settings-person-${look}`, true);
  });
});

test("a page that is loaded later comes with its address, and an unknown one says so", async () => {
  const page = await open(await browser.newContext(), baton, "/settings/psa");
  await page.getByRole("button", { name: ada }).click();
  await page.waitForURL(`${baton.base}/settings/psa`);
  await page.getByRole("heading", { level: 1, name: "PSA" }).waitFor();
  await page.goto(`${baton.base}/settings/nothing`);
  await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
});
