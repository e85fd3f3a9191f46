// What a form holds is the body of its request. A field is a JSON pointer into that, by which the API also names the
// fields that it refuses.
import type { FieldProblem } from "../api/types";

const parts = (pointer: string) =>
  pointer
    .split("/")
    .slice(1)
    .map((p) => p.replaceAll("~1", "/").replaceAll("~0", "~"));

/** What is at a pointer; undefined when nothing is. */
export function at(body: unknown, pointer: string): unknown {
  let found = body;
  for (const part of parts(pointer)) {
    if (found === null || typeof found !== "object") return undefined;
    found = (found as Record<string, unknown>)[part];
  }
  return found;
}

/** The body with something else at a pointer. Undefined takes it out; the body itself stays as it is. */
export function put<T>(body: T, pointer: string, value: unknown): T {
  const [first, ...rest] = parts(pointer);
  if (first === undefined) return value as T;
  const below = rest.map((p) => `/${p.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  const next = below === "" ? value : put(at(body, `/${first}`) ?? {}, below, value);
  if (Array.isArray(body)) {
    const list = [...body];
    if (next === undefined) list.splice(Number(first), 1);
    else list[Number(first)] = next;
    return list as T;
  }
  const { [first]: _, ...others } = (body ?? {}) as Record<string, unknown>;
  // The order of members stays, so that bodies can be compared as text.
  if (next === undefined) return others as T;
  return { ...(body as object), [first]: next } as T;
}

const isObject = (x: unknown): x is Record<string, unknown> => x !== null && typeof x === "object" && !Array.isArray(x);

/** The pointers of what differs. A list that became longer or shorter counts as one; no member is the same as null. */
export function changes(before: unknown, after: unknown, pointer = ""): string[] {
  if (Object.is(before ?? null, after ?? null)) return [];
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length !== after.length) return [pointer];
    return before.flatMap((x, i) => changes(x, after[i], `${pointer}/${i}`));
  }
  if (isObject(before) && isObject(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((k) =>
      changes(before[k], after[k], `${pointer}/${k.replaceAll("~", "~0").replaceAll("/", "~1")}`),
    );
  return [pointer];
}

const within = (pointer: string, scope: string) => pointer === scope || pointer.startsWith(`${scope}/`);

/** Whether one pointer is at, below or above another. */
export const related = (a: string, b: string) => within(a, b) || within(b, a);

/** Whether a change is at a pointer or below it. What came with something new is not marked once more by itself. */
export const touched = (list: string[], pointer: string) => list.some((p) => within(p, pointer));

/** The problems that none of the fields shows: those have to be told somewhere else. */
export function unplaced(problems: FieldProblem[], fields: string[]): FieldProblem[] {
  return problems.filter((p) => !fields.some((f) => within(p.field, f)));
}

/** The most particular of the fields that shows a problem. */
export function place(problem: FieldProblem, fields: string[]): string | undefined {
  return fields.filter((f) => within(problem.field, f)).sort((a, b) => b.length - a.length)[0];
}

/** A field's problem as a sentence: messages read on from the field's name, or are sentences themselves. */
export function sentence(label: string, message: string): string {
  const text = /^\p{Lu}/u.test(message) ? message : `${label} ${message}`;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
