// A real `baton up` and real browsers, for the tests.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type Axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import type { Handoff, Session } from "../src/api/types";

/** A call of the API as somebody. */
type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>;

const root = resolve(import.meta.dirname, "../..");
export const sam = "sam@demo.test";
export const ana = "ana@demo.test";
export const ben = "ben@demo.test";
export const ada = "ada@demo.test";

async function freePort(): Promise<number> {
  return new Promise((ok, no) => {
    const server = createServer();
    server.on("error", no);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address && typeof address === "object" ? ok(address.port) : no(new Error("no port"))));
    });
  });
}

export async function until<T>(what: string, f: () => Promise<T | null | undefined | false>, ms = 20_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await f().catch(() => null);
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** A process of `baton up` on the servers that `baton devstack` has started. */
export class Baton {
  private process: ChildProcess | null = null;
  private log = "";
  private constructor(
    readonly base: string,
    private readonly dir: string,
    private readonly listen: string,
    private readonly env: Record<string, string>,
  ) {}

  /** Beside is another process, whose keys it shares as replicas do. */
  static async start(beside?: Baton, env: Record<string, string> = {}): Promise<Baton> {
    const dir = await mkdtemp(join(tmpdir(), "baton-e2e-"));
    for (const key of beside ? ["token-secret", "secret-keys"] : [])
      await cp(join(beside?.dir ?? "", key), join(dir, key));
    const listen = `127.0.0.1:${await freePort()}`;
    const baton = new Baton(`http://${listen}`, dir, listen, env);
    await baton.run();
    return baton;
  }

  async run(): Promise<void> {
    const { TEST_DATABASE_URL: database, TEST_TEMPORAL_ADDRESS: temporal } = process.env;
    if (!database || !temporal) throw new Error("run me as: bin/baton devstack -- npm run e2e (or: make test-web)");
    this.process = spawn(join(root, "bin/baton"), ["up", "--listen", this.listen, "--dir", this.dir, "--ui-port=-1"], {
      cwd: root,
      env: {
        ...process.env,
        DATABASE_URL: database,
        TEMPORAL_ADDRESS: temporal,
        BATON_TEMPORAL_UI_URL: "http://127.0.0.1:8233",
        ...this.env,
      },
    });
    for (const out of [this.process.stdout, this.process.stderr]) out?.on("data", (text) => (this.log += text));
    const child = this.process;
    const ready = until(
      "baton up answers",
      async () => child.exitCode !== null || (await fetch(`${this.base}/readyz`)).ok,
      90_000,
    );
    await ready.catch(() => undefined);
    if (child.exitCode !== null || !(await fetch(`${this.base}/readyz`)).ok) throw new Error(this.log);
  }

  /** Kills it as a crash would. */
  async kill(): Promise<void> {
    const gone = new Promise((r) => this.process?.on("exit", r));
    this.process?.kill("SIGKILL");
    await gone;
  }

  async stop(): Promise<void> {
    const gone = new Promise((r) => this.process?.on("exit", r));
    if (this.process?.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGINT");
      await gone;
    }
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Calls the API as somebody of the demo, by bearer token. */
  async as(email: string): Promise<Call> {
    const got = await fetch(`${this.base}/api/v1/dev/token`, { method: "POST", body: JSON.stringify({ email }) });
    const { token } = (await got.json()) as { token: string };
    return async <T>(method: string, path: string, body?: unknown) => {
      const answer = await fetch(`${this.base}/api/v1${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.json();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(text)}`);
      return text as T;
    };
  }

  /** Has Sam make a session of the demo's, and hand it off if wanted. */
  async session(n: number, title?: string): Promise<Session> {
    const call = await this.as(sam);
    const { key: _, handoff: __, ...session } = sample(n);
    const steps = session.steps.map((s) => ({ ...s, id: crypto.randomUUID() }));
    return call<Session>("POST", "/ai-sessions", { ...session, steps, title: title ?? session.title });
  }

  async handOff(n: number, title?: string, change: Record<string, unknown> = {}): Promise<Handoff> {
    const session = await this.session(n, title);
    const call = await this.as(sam);
    return call<Handoff>("POST", `/ai-sessions/${session.id}/handoff`, { ...sample(n).handoff, ...change });
  }
}

interface Sample {
  key: string;
  title: string;
  steps: object[];
  handoff: object;
}

const samples = readFileSync(join(root, "demo/sessions.jsonl"), "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line) as Sample);

function sample(n: number): Sample {
  const found = samples[n % samples.length];
  if (!found) throw new Error("the demo has no sessions");
  return found;
}

export async function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}

/** A browser of its own, signed in by the page as a person would. Whatever goes wrong in it fails the test. */
export async function signIn(browser: Browser, baton: Baton, email: string, options = {}): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await open(context, baton);
  await page.getByRole("button", { name: email }).click();
  await page.waitForURL(`${baton.base}/`);
  await live(page);
  return page;
}

export const troubles: string[] = [];

export async function open(context: BrowserContext, baton: Baton, path = "/"): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (e) => troubles.push(`${e}`));
  page.on("console", (m) => {
    // A refused claim and a server that is down are told by the browser as well.
    if (m.type() === "error" && !/Failed to load resource|net::ERR/.test(m.text())) troubles.push(m.text());
  });
  page.on("request", (r) => {
    if (!r.url().startsWith(baton.base)) troubles.push(`a request to another host: ${r.url()}`);
  });
  await page.goto(baton.base + path);
  return page;
}

export async function live(page: Page): Promise<void> {
  await page.locator('[data-link="live"]').waitFor();
  await page.locator('.cards[aria-busy="false"]').waitFor({ state: "attached" });
}

export const card = (page: Page, id: string) => page.locator(`.queue [data-id="${id}"]`);

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Every rule of axe-core for WCAG 2.2 AA and good practice. */
export async function accessible(page: Page): Promise<void> {
  await page.evaluate(axe); // by the debugger, which the page's policy does not bind
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof Axe };
    const result = await axe.run(document, { resultTypes: ["violations"] });
    return result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(", ")}`);
  });
  expect(found).toEqual([]);
}

export const looks = {
  light: { viewport: { width: 1280, height: 860 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2 },
} as const;

/** With PICTURES=folder it leaves a picture there, to be looked at. */
export async function picture(page: Page, name: string, fullPage = false): Promise<void> {
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${name}.png`, fullPage });
}
