// Addresses: a link is a link, and the page follows the address.
import { useEffect, useState } from "preact/hooks";

const moved = new EventTarget();

let here = ""; // where the page is, while the address may have moved on already

function arrive(): void {
  here = location.href;
  moved.dispatchEvent(new Event("move"));
}

/** Goes to an address of the console. */
export function go(to: string, replace = false): void {
  if (!mayLeave(location.href, to)) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  arrive();
}

function back(): void {
  if (mayLeave(here, location.href)) arrive();
  else history.pushState(null, "", here);
}

const unsaved = new Set<string>();
const warn = (event: BeforeUnloadEvent) => event.preventDefault();

/** Asks the question before the page is left, until what it returns is called. */
export function holdBack(question: string): () => void {
  unsaved.add(question);
  addEventListener("beforeunload", warn);
  return () => {
    unsaved.delete(question);
    if (unsaved.size === 0) removeEventListener("beforeunload", warn);
  };
}

function mayLeave(from: string, to: string): boolean {
  if (new URL(to, from).pathname === new URL(from).pathname) return true;
  return [...unsaved].every((question) => confirm(question));
}

/** Follows a click on a link of ours, unless it is meant for a new tab. */
export function follows(event: MouseEvent): void {
  const link = (event.target as Element).closest("a");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const to = new URL(link.href, location.href);
  if (to.origin !== location.origin || link.target || link.hasAttribute("download")) return;
  if (/^\/(docs|sandbox|api|auth|openapi\.json)/.test(to.pathname)) return;
  if (to.pathname === location.pathname && to.hash) return;
  event.preventDefault();
  go(to.pathname + to.search);
  scrollTo(0, 0);
}

export function useAddress(): URL {
  const [address, set] = useState(location.href);
  useEffect(() => {
    here = location.href;
    const on = () => set(location.href);
    moved.addEventListener("move", on);
    addEventListener("popstate", back);
    return () => {
      moved.removeEventListener("move", on);
      removeEventListener("popstate", back);
    };
  }, []);
  return new URL(address);
}

export const handoffPath = (h: { session_id: string; id: string }) => `/sessions/${h.session_id}/handoffs/${h.id}`;
