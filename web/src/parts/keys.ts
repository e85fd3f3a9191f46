import { useEffect } from "preact/hooks";

const setting = "baton.keys";

export const keysOn = () => {
  try {
    return localStorage.getItem(setting) !== "off";
  } catch {
    return true;
  }
};

export function setKeys(on: boolean): void {
  try {
    localStorage.setItem(setting, on ? "on" : "off");
  } catch {
    // A browser that remembers nothing has them on.
  }
}

/** Whether somebody types, or a dialog is open, so that a key is not a command. */
function busy(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement;
  return (
    at.isContentEditable ||
    /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) ||
    document.querySelector("dialog[open]") !== null
  );
}

/** Binds single keys while a page is shown. */
export function useKeys(keys: Record<string, (event: KeyboardEvent) => void>): void {
  useEffect(() => {
    const on = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || busy(event) || !keysOn()) return;
      const command = keys[event.key];
      if (!command) return;
      event.preventDefault();
      command(event);
    };
    addEventListener("keydown", on);
    return () => removeEventListener("keydown", on);
  });
}
