// Who looks at what, as far as pages that are seen say and ask. Nothing here
// runs while nobody sees the page.
import * as api from "../api/client";
import type { Viewer } from "../api/types";

/** How often a page says that it is looked at, and asks who looks at what, in ms. The server forgets after 45 s. */
export const sayEvery = 15_000;
export const askEvery = 5000;

/** Does something now and every so often while the page is seen; left is called when it no longer is. */
export function whileSeen(every: number, todo: () => void, left: () => void = () => undefined): () => void {
  let timer: ReturnType<typeof setInterval> | null = null;
  const stop = () => {
    if (timer === null) return;
    clearInterval(timer);
    timer = null;
    left();
  };
  const look = () => {
    if (document.visibilityState !== "visible") stop();
    else if (timer === null) {
      timer = setInterval(todo, every);
      todo();
    }
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", stop);
  addEventListener("pageshow", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    removeEventListener("pagehide", stop);
    removeEventListener("pageshow", look);
    stop();
  };
}

// What fails is tried again by itself at the next turn.
const ignore = () => undefined;

/** Says that the reader looks at a handoff, while they do, and hears who else does. */
export function lookAt(ref: api.Ref, onOthers: (others: Viewer[]) => void): () => void {
  let on = false;
  const leave = () => {
    on = false;
    void api.absent(ref).catch(ignore);
  };
  const say = () => {
    on = true;
    // What arrives after the page was left would bring the reader back.
    void api.present(ref).then((others) => (on ? onOthers(others) : leave()), ignore);
  };
  return whileSeen(sayEvery, say, leave);
}

/** Hears who of the others looks at what, by handoff, whenever it has changed. */
export function lookAround(onChange: (viewers: Map<string, Viewer[]>) => void): () => void {
  let on = true;
  let was = "";
  const ask = () =>
    void api.presence().then((list) => {
      const now = JSON.stringify(list.map((v) => [v.handoff_id, v.user_id, v.user_name]));
      if (!on || now === was) return;
      was = now;
      onChange(group(list));
    }, ignore);
  const stop = whileSeen(askEvery, ask);
  return () => {
    on = false;
    stop();
  };
}

function group(list: Viewer[]): Map<string, Viewer[]> {
  const by = new Map<string, Viewer[]>();
  for (const v of list) by.set(v.handoff_id, [...(by.get(v.handoff_id) ?? []), v]);
  return by;
}
