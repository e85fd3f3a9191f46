// A tab's end of the stream: by the worker that all tabs share or, where the
// browser has no such thing, by a stream of its own.
import { type Link, type News, Stream } from "./stream";
import type { FromTab, ToTab } from "./worker";

export interface Following {
  hurry(): void;
  stop(): void;
}

/** Follows the account's feed. The user's id keeps apart who signs in one after the other. */
export function follow(user: string, onNews: (n: News) => void, onLink: (l: Link) => void): Following {
  if (typeof SharedWorker === "undefined") {
    const stream = new Stream({ url: "/api/v1/ai-sessions/escalations/stream", onNews, onLink });
    stream.start();
    const hurry = () => stream.hurry();
    addEventListener("online", hurry);
    return {
      hurry,
      stop() {
        removeEventListener("online", hurry);
        stream.stop();
      },
    };
  }
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: `baton ${user}` });
  const say = (message: FromTab) => worker.port.postMessage(message);
  worker.port.addEventListener("message", (event) => {
    const message = event.data as ToTab;
    if ("news" in message) onNews(message.news);
    else onLink(message.link);
  });
  worker.port.start();
  const join = () => say("join");
  const leave = () => say("leave");
  const hurry = () => say("hurry");
  const shown = (event: PageTransitionEvent) => {
    if (!event.persisted) return; // back from the browser's cache: much may have happened
    join();
    onNews({ kind: "fresh" });
  };
  addEventListener("pagehide", leave);
  addEventListener("pageshow", shown);
  addEventListener("online", hurry);
  join();
  return {
    hurry,
    stop() {
      removeEventListener("pagehide", leave);
      removeEventListener("pageshow", shown);
      removeEventListener("online", hurry);
      leave();
    },
  };
}
