// What an entry of the audit log says, in words. The log has paths and values as they are stored.
import type { AuditChange } from "../api/settings";
import { settings as s, t } from "../texts";
import type { Step } from "./ladder";

/** Finds the names of what the log names by ids. */
export interface Names {
  team: (id: string) => string;
  user: (id: string) => string;
  channel: (id: string) => string;
}

const rule = /^rules\.(?:account|team\/([0-9a-f-]{36}))(?:\/(\w+))?\.(.+)$/;
const w = s.audit;

/** A path as people would say it: "Critical in Network › Who is called when". */
function fieldOf(field: string, names: Names): string {
  const [, team, priority, rest] = rule.exec(field) ?? [];
  const path = rest ?? field.replace(/^(credentials|options)\./, "");
  const said = w.fields[path] ?? path.replaceAll("_", " ").replaceAll(".", " › ");
  return rest ? `${s.ladder.scope(team ? names.team(team) : null, priority ?? null)} › ${said}` : said;
}

/** A value as people would say it. What is not understood is told as it stands there. */
function saidOf(field: string, value: string | null, names: Names): string {
  if (value === null) return w.nothing;
  if (/_seconds$/.test(field) && /^\d+$/.test(value)) return s.inFull(Number(value));
  if (value === "true" || value === "false") return value === "true" ? w.yes : w.no;
  if (!/^[[{]/.test(value)) return value;
  try {
    const parsed: unknown = JSON.parse(value);
    if (!Array.isArray(parsed)) return value;
    if (parsed.length === 0) return w.nothing;
    if (/\.steps$/.test(field))
      return (parsed as Step[])
        .map((step, n, all) => s.ladder.step(step, all[n + 1] as Step | undefined, names))
        .join(" ");
    if (/\.week$/.test(field)) return s.ladder.windows(parsed);
    if (parsed.every((x) => typeof x === "string")) return parsed.join(", ");
  } catch {
    // It is a text that looks like JSON.
  }
  return value;
}

/** A change as a line; null for one that its field's name tells already. */
export function inWords(c: AuditChange, names: Names): string | null {
  if (/^rules\..+\.(team_id|priority)$/.test(c.field)) return null;
  const field = fieldOf(c.field, names);
  if (c.secret) return w.secret(field);
  const after = saidOf(c.field, c.after, names);
  return c.before === null ? `${field}: ${after}` : `${field}: ${saidOf(c.field, c.before, names)} → ${after}`;
}

/** Who did it. */
export function actorOf(e: { actor_kind: string; actor_name: string | null; api_key_name: string | null }): string {
  if (e.actor_kind === "system") return t.system;
  if (e.actor_kind === "operator") return w.operator;
  const name = e.actor_name ?? t.someone;
  return e.actor_kind === "api_key" ? w.byKey(name, e.api_key_name ?? "–") : name;
}
