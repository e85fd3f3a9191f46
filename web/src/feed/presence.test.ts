import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { askEvery, lookAround, lookAt, sayEvery } from "./presence";

/** As much of a page as presence looks at. */
class Page extends EventTarget {
  visibilityState = "visible";
  show(state: "visible" | "hidden") {
    this.visibilityState = state;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

let page: Page;
let asked: string[];
let items: object[];
let answer: () => Promise<Response>;
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
  asked = [];
  items = [];
  answer = async () => new Response(JSON.stringify({ items }), { status: 200 });
  vi.stubGlobal("document", page);
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    asked.push(`${init.method} ${url.split("/").at(-1)}${init.keepalive ? " keepalive" : ""}`);
    return init.method === "DELETE" ? Promise.resolve(new Response(null, { status: 204 })) : answer();
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const ref = { session_id: "s", id: "h" };
const ana = { handoff_id: "h", user_id: "ana", user_name: "Ana", seen_at: "2026-11-25T10:00:00Z" };

test("a page that is seen says so every so often, and says that it leaves", async () => {
  items = [ana];
  const heard: object[] = [];
  const stop = lookAt(ref, (others) => heard.push(others));
  await vi.advanceTimersByTimeAsync(2 * sayEvery);
  expect(asked).toEqual(["PUT presence", "PUT presence", "PUT presence"]);
  expect(heard.at(-1)).toEqual([ana]);
  page.show("hidden");
  await vi.advanceTimersByTimeAsync(5 * sayEvery);
  expect(asked.slice(3)).toEqual(["DELETE presence keepalive"]);
  page.show("visible");
  await settle();
  stop();
  await vi.advanceTimersByTimeAsync(5 * sayEvery);
  expect(asked.slice(4)).toEqual(["PUT presence", "DELETE presence keepalive"]);
});

test("what arrives after the page was left does not bring the reader back", async () => {
  let arrive: (r: Response) => void = () => undefined;
  answer = () => new Promise((done) => (arrive = done));
  const heard: object[] = [];
  const stop = lookAt(ref, (others) => heard.push(others));
  await settle();
  stop();
  arrive(new Response('{"items":[]}', { status: 200 }));
  await settle();
  expect(asked).toEqual(["PUT presence", "DELETE presence keepalive", "DELETE presence keepalive"]);
  expect(heard).toEqual([]);
});

test("a queue that is seen asks, and is drawn anew when something has changed", async () => {
  const heard: Map<string, object[]>[] = [];
  const stop = lookAround((viewers) => heard.push(viewers));
  await vi.advanceTimersByTimeAsync(3 * askEvery);
  expect(heard).toHaveLength(1);
  items = [ana, { ...ana, user_id: "ben", user_name: "Ben" }];
  await vi.advanceTimersByTimeAsync(askEvery);
  expect(heard).toHaveLength(2);
  expect(heard[1]?.get("h")).toHaveLength(2);
  items = [{ ...ana, seen_at: "2026-11-25T10:00:15Z" }, items[1] as object];
  await vi.advanceTimersByTimeAsync(askEvery);
  expect(heard).toHaveLength(2);
  answer = () => Promise.reject(new TypeError("no network"));
  await vi.advanceTimersByTimeAsync(3 * askEvery);
  expect(heard).toHaveLength(2);
  stop();
  const calls = asked.length;
  await vi.advanceTimersByTimeAsync(3 * askEvery);
  expect(asked).toHaveLength(calls);
});
