// Calls the public API with the browser's session. Nothing here knows a page.
import type {
  AlreadyClaimed,
  BriefingCause,
  BriefingDocument,
  BriefingReport,
  DeliveryReportRow,
  FieldProblem,
  Handoff,
  HandoffPage,
  HandoffReports,
  Intent,
  Me,
  Priority,
  Session,
  SessionPage,
  Timeline,
  User,
} from "./types";

/** What the API refused, as RFC 9457 has it, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string,
    readonly claimed: AlreadyClaimed | null = null,
    /** Where the request has to change. */
    readonly fields: FieldProblem[] = [],
  ) {
    super(message);
  }
  /** Whether the same request may simply be made again. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 503 || this.status === 504;
  }
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, "unreachable", String(error), "");
}

/** A fresh Idempotency-Key. randomUUID is only there over https and on this machine. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

interface Call {
  body?: unknown;
  key?: string;
  signal?: AbortSignal;
}

async function once<T>(method: string, path: string, call: Call): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-Baton-Console"] = "1";
  if (call.body !== undefined) headers["Content-Type"] = "application/json";
  if (call.key) headers["Idempotency-Key"] = call.key;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      cache: "no-store",
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      ...(call.signal ? { signal: call.signal } : {}),
    });
  } catch (error) {
    throw new Problem(0, "unreachable", "", String(error));
  }
  if (response.status === 204) return undefined as T;
  const body = await response.json().catch(() => null);
  if (response.ok) return body as T;
  const detail = body?.detail;
  throw new Problem(
    response.status,
    body?.code ?? "unknown",
    typeof detail === "string" ? detail : (body?.title ?? response.statusText),
    body?.request_id ?? "",
    detail && typeof detail === "object" && detail.error === "already_claimed" ? detail : null,
    Array.isArray(body?.errors) ? body.errors : [],
  );
}

/** Makes a request. One with a key is repeated while its outcome is unknown: it is carried out once. */
export async function request<T>(method: string, path: string, call: Call = {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once<T>(method, path, call);
    } catch (error) {
      const problem = asProblem(error);
      if (!call.key || !problem.temporary || attempt === 4) throw problem;
      await new Promise((resolve) => setTimeout(resolve, 400 * 2 ** attempt * (0.5 + Math.random())));
    }
  }
}

const api = "/api/v1";
const at = (h: { session_id: string; id: string }) => `${api}/ai-sessions/${h.session_id}/handoffs/${h.id}`;

export interface Ref {
  session_id: string;
  id: string;
}

export const me = () => request<Me>("GET", `${api}/me`);
export const users = async () => (await request<{ items: User[] }>("GET", `${api}/users`)).items;

async function pages(query: string): Promise<Handoff[]> {
  const rows: Handoff[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const more: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const page: HandoffPage = await request<HandoffPage>("GET", `${api}/ai-sessions/queue?limit=200${query}${more}`);
    rows.push(...page.items);
    cursor = page.next_cursor;
  }
  return rows;
}

/** Everything that the queue's page shows: what waits, what is mine, what I handed off. */
export async function snapshot(): Promise<Handoff[]> {
  return (await Promise.all([pages(""), pages("&mine=true"), pages("&sent=true")])).flat();
}

export const handoff = (r: Ref) => request<Handoff>("GET", at(r));
export const timeline = (r: Ref) => request<Timeline>("GET", `${at(r)}/timeline`);
export const briefing = (r: Ref) => request<BriefingDocument>("GET", `${at(r)}/briefing`);
export const session = (id: string) => request<Session>("GET", `${api}/ai-sessions/${id}`);
export const sessionsOf = (owner: string) =>
  request<SessionPage>("GET", `${api}/ai-sessions?limit=200&owner_id=${owner}`);

const change = (verb: string) => (r: Ref, body: Record<string, unknown>, key: string) =>
  request<Handoff>("POST", `${at(r)}/${verb}`, { body, key });
export const claim = change("claim");
export const release = change("release");
export const reassign = change("reassign");
export const resolve = change("resolve");
export const cancel = change("cancel");
export const retryPSA = (r: Ref) => request<Handoff>("POST", `${at(r)}/psa/retry`);
export const renewBriefing = (r: Ref) => request<Handoff>("POST", `${at(r)}/briefing/renew`);
export const gradeBriefing = (
  r: Ref,
  body: { version: number; useful?: boolean; wrong?: string; cause?: BriefingCause },
) => request<BriefingDocument>("PUT", `${at(r)}/briefing/grade`, { body });

export interface NewHandoff {
  intent: Intent;
  engineer_notes: string;
  priority: Priority;
  target_user_id: string | null;
}
export const handOff = (sessionId: string, body: NewHandoff, key: string) =>
  request<Handoff>("POST", `${api}/ai-sessions/${sessionId}/handoff`, { body, key });

export type Report = "handoffs" | "briefings" | "deliveries";
export const reportPath = (of: Report, query: string) => `${api}/reports/${of}?${query}`;
export const reportHandoffs = (query: string) => request<HandoffReports>("GET", reportPath("handoffs", query));
export const reportBriefings = async (query: string) =>
  (await request<{ items: BriefingReport[] }>("GET", reportPath("briefings", query))).items;
export const reportDeliveries = async (query: string) =>
  (await request<{ items: DeliveryReportRow[] }>("GET", reportPath("deliveries", query))).items;

export interface SignInMethods {
  oidc: boolean;
  demo: { email: string; name: string; role: string }[];
}
export const signInMethods = () => request<SignInMethods>("GET", "/auth/methods");
export const signInAs = (email: string) => request<void>("POST", "/auth/demo", { body: { email } });
export const signOut = () => request<void>("POST", "/auth/logout");
