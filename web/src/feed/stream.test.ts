import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backoff, type Link, type News, Stream, silence } from "./stream";

/** A server whose streams the test writes and ends. */
class Server {
  asked: string[] = [];
  answer: () => Response | Promise<Response> = () => this.stream();
  private out: ReadableStreamDefaultController<Uint8Array> | null = null;

  stream(): Response {
    const start = (out: ReadableStreamDefaultController<Uint8Array>) => {
      this.out = out;
    };
    return new Response(new ReadableStream({ start }), { status: 200 });
  }
  say(text: string): void {
    this.out?.enqueue(new TextEncoder().encode(text));
  }
  end(): void {
    this.out?.close();
  }
  fetch = async (url: unknown, init?: RequestInit): Promise<Response> => {
    this.asked.push(String(url));
    const response = await this.answer();
    init?.signal?.addEventListener("abort", () => {
      try {
        this.out?.error(new Error("aborted"));
      } catch {
        // it has ended already
      }
    });
    return response;
  };
}

let server: Server;
let news: News[];
let links: Link["state"][];
let stream: Stream;
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  news = [];
  links = [];
  stream = new Stream({
    url: "/stream",
    onNews: (n) => news.push(n),
    onLink: (l) => links.push(l.state),
    fetch: server.fetch as typeof fetch,
    random: () => 1,
  });
  stream.start();
});
afterEach(() => {
  stream.stop();
  vi.useRealTimers();
});

const ready = (id: string) => server.say(`id: ${id}\nevent: ready\ndata: {}\n\n`);

test("asks to read everything once, and then goes on from the last id", async () => {
  await settle();
  ready("1-41");
  server.say('id: 1-42\nevent: handoff_created\ndata: {"n":1}\n\n');
  await settle();
  expect(links).toEqual(["connecting", "live"]);
  expect(news).toEqual([{ kind: "fresh" }, { kind: "event", type: "handoff_created", data: { n: 1 } }]);
  server.end();
  await settle();
  expect(stream.current.state).toBe("waiting");
  await vi.advanceTimersByTimeAsync(500);
  ready("1-42");
  await settle();
  expect(server.asked).toEqual(["/stream", "/stream?last_event_id=1-42"]);
  expect(stream.current.state).toBe("live");
  expect(news).toHaveLength(2);
});

test("a resync, and an event that cannot be read, are reasons to read everything", async () => {
  await settle();
  ready("1-1");
  server.say('id: 2-7\nevent: resync\ndata: {"reason":"epoch"}\n\nevent: later\ndata: {oops\n\n');
  await settle();
  expect(news).toEqual([{ kind: "fresh" }, { kind: "fresh" }, { kind: "fresh" }]);
});

test("waits longer with each failure, and as long as the server asks", async () => {
  await settle();
  server.answer = () => Promise.reject(new TypeError("no network"));
  server.end();
  await vi.advanceTimersByTimeAsync(60_000);
  const tries = server.asked.length;
  expect(tries).toBeGreaterThan(4);
  expect(tries).toBeLessThan(12);
  server.answer = () => new Response("retry: 30000\n\n", { status: 200 });
  stream.hurry();
  await settle();
  expect(server.asked.length).toBe(tries + 1);
  await vi.advanceTimersByTimeAsync(29_000);
  expect(server.asked.length).toBe(tries + 1);
  await vi.advanceTimersByTimeAsync(2000);
  expect(server.asked.length).toBe(tries + 2);
});

test("what is shown after a silence is as old as the last sign of life", async () => {
  await settle();
  ready("1-1");
  await vi.advanceTimersByTimeAsync(5000);
  server.say(": keepalive\n\n");
  await settle();
  const heard = Date.now();
  await vi.advanceTimersByTimeAsync(silence - 1);
  expect(stream.current.state).toBe("live");
  await vi.advanceTimersByTimeAsync(1);
  expect(stream.current).toMatchObject({ state: "waiting", heard });
});

test("a silent connection is a dead one", async () => {
  await settle();
  ready("1-1");
  await vi.advanceTimersByTimeAsync(silence - 1000);
  server.say(": keepalive\n\n");
  await vi.advanceTimersByTimeAsync(silence - 1000);
  expect(stream.current.state).toBe("live");
  await vi.advanceTimersByTimeAsync(2000);
  expect(links).toContain("waiting");
});

test.each([
  [401, "signed_out"],
  [403, "refused"],
] as const)("%i ends it", async (status, state) => {
  server.answer = () => new Response("{}", { status });
  await settle();
  stream.stop();
  stream = new Stream({
    url: "/stream",
    onNews: () => undefined,
    onLink: () => undefined,
    fetch: server.fetch as typeof fetch,
  });
  stream.start();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(stream.current.state).toBe(state);
  const asked = server.asked.length;
  await vi.advanceTimersByTimeAsync(120_000);
  expect(server.asked.length).toBe(asked);
});

test("503 does not", async () => {
  await settle();
  server.end();
  server.answer = () => new Response("{}", { status: 503 });
  await vi.advanceTimersByTimeAsync(5000);
  server.answer = () => server.stream();
  await vi.advanceTimersByTimeAsync(20_000);
  ready("1-1");
  await settle();
  expect(stream.current.state).toBe("live");
});

test("the wait is spread and bounded", () => {
  expect(backoff(1, 0)).toBe(250);
  expect(backoff(1, 1)).toBe(500);
  expect(backoff(50, 1)).toBe(15_000);
});
