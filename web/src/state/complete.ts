// How complete a handoff's notes are, by the words in them. It nudges and
// blocks nobody; the server's rules grade the whole of it later.

export const parts = ["ask", "problem", "tried", "impact", "promise"] as const;
export type Part = (typeof parts)[number];

const signs: Record<Part, RegExp> = {
  ask: /\?|\b(please|need|needs|want|could you|can you|decide|approve|take over|check|help)\b/i,
  problem:
    /\b(error|fail\w*|drop\w*|down|slow|cannot|can't|won't|not working|broken|crash\w*|stuck|loses?|since|code)\b/i,
  tried:
    /\b(tried|restart\w*|reboot\w*|reset|re-?install\w*|checked|tested|changed|updated|rolled back|ran|swapped|step \d+)\b/i,
  impact:
    /\b(users?|everyone|all of|office|site|branch|staff|production|blocked|cannot work|\d+ (people|users|pcs|machines))\b/i,
  promise:
    /\b(told|promised|expects?|waiting|call(ed)? back|by (noon|tomorrow|monday|tuesday|wednesday|thursday|friday|\d)|until|deadline)\b/i,
};

/** The parts that the notes have. A few words have none. */
export function complete(notes: string): Set<Part> {
  if (notes.trim().length < 15) return new Set();
  return new Set(parts.filter((p) => signs[p].test(notes)));
}

const secret =
  /\b(pass(word|wd|phrase)?|pwd|secret|api[ _-]?key|token)\b\s*(is|[:=])\s*\S{4,}|-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}/i;

/** Whether the notes look as if there were a credential in them. */
export const looksSecret = (notes: string) => secret.test(notes);

const placeholder = /«([a-z0-9_-]+):[0-9a-f]{10}»/;

/** The lines of a redacted text that something was taken out of, shortened around the first of it. */
export function takenOut(redacted: string): string[] {
  const lines: string[] = [];
  for (const line of redacted.split("\n")) {
    const found = placeholder.exec(line);
    if (!found) continue;
    const from = Math.max(0, found.index - 40);
    const to = found.index + found[0].length;
    const shown = `${from > 0 ? "…" : ""}${line.slice(from, to)}${to < line.length ? "…" : ""}`;
    lines.push(shown.replace(placeholder, "«$1»").trim());
  }
  return lines;
}
