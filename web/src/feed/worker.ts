// The one stream of all tabs of a browser, in a SharedWorker: browsers allow
// about six connections to a server over HTTP/1.1, and each tab would take one.
import { type Link, type News, Stream } from "./stream";

export type ToTab = { news: News } | { link: Link };
export type FromTab = "join" | "leave" | "hurry";

const tabs = new Set<MessagePort>();
const tell = (message: ToTab) => {
  for (const tab of tabs) tab.postMessage(message);
};
let stream: Stream | null = null;

function open(): Stream {
  const s = new Stream({
    url: "/api/v1/ai-sessions/escalations/stream",
    onNews: (news) => tell({ news }),
    onLink: (link) => tell({ link }),
  });
  s.start();
  return s;
}

function hear(port: MessagePort, message: FromTab): void {
  if (message === "join") {
    tabs.add(port);
    // A stream that has ended, because nobody was signed in, begins anew.
    if (stream && ["signed_out", "refused"].includes(stream.current.state)) stream = null;
    stream ??= open();
    port.postMessage({ link: stream.current } satisfies ToTab);
  } else if (message === "leave") {
    tabs.delete(port);
    if (tabs.size === 0) {
      stream?.stop();
      stream = null;
    }
  } else {
    stream?.hurry();
  }
}

addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  port.addEventListener("message", (m) => hear(port, m.data as FromTab));
  port.start();
});
