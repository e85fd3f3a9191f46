// Calls the public API with the browser's session. Nothing here knows a page.
import type {
  AlreadyClaimed,
  BriefingCause,
  BriefingDocument,
  BriefingReport,
  Delivery,
  DeliveryReportRow,
  FieldProblem,
  Handoff,
  HandoffLadder,
  HandoffPage,
  HandoffReports,
  Intent,
  Me,
  Priority,
  Reserved,
  Session,
  SessionPage,
  Timeline,
  User,
  Viewer,
  Wake,
} from "./types";

/** What the API refused, as RFC 9457 has it, or that it could not be reached (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string,
    readonly claimed: AlreadyClaimed | null = null,
    readonly reserved: Reserved | null = null,
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
  /** Whether the page asks by itself, which is no activity of who has it open. */
  refresh?: boolean;
  /** Whether the request outlives the page. */
  keepalive?: boolean;
}

async function once<T>(method: string, path: string, call: Call): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-Baton-Console"] = "1";
  else if (call.refresh) headers["X-Baton-Console"] = "refresh";
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
      ...(call.keepalive ? { keepalive: true } : {}),
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
    detail && typeof detail === "object" && detail.error === "reserved" ? detail : null,
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

export const handoff = (r: Ref, refresh = false) => request<Handoff>("GET", at(r), { refresh });
export const timeline = (r: Ref, refresh = false) => request<Timeline>("GET", `${at(r)}/timeline`, { refresh });
export const briefing = (r: Ref, refresh = false) => request<BriefingDocument>("GET", `${at(r)}/briefing`, { refresh });
export const ladder = (r: Ref, refresh = false) => request<HandoffLadder>("GET", `${at(r)}/ladder`, { refresh });
export const deliveries = async (r: Ref, refresh = false) =>
  (await request<{ items: Delivery[] }>("GET", `${at(r)}/deliveries`, { refresh })).items;
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
export const giveBack = change("return");
export const answer = change("answer");
export const stillHere = (r: Ref) => request<HandoffLadder>("POST", `${at(r)}/still-here`);
export const retryDelivery = (r: Ref, id: string) => request<Delivery>("POST", `${at(r)}/deliveries/${id}/retry`);

/** Says that the reader looks at a handoff, and asks who else does. */
export const present = async (r: Ref) => (await request<{ items: Viewer[] }>("PUT", `${at(r)}/presence`)).items;
export const absent = (r: Ref) => request<void>("DELETE", `${at(r)}/presence`, { keepalive: true });
export const presence = async () => (await request<{ items: Viewer[] }>("GET", `${api}/ai-sessions/presence`)).items;
export const retryPSA = (r: Ref) => request<Handoff>("POST", `${at(r)}/psa/retry`);
export const renewBriefing = (r: Ref) => request<Handoff>("POST", `${at(r)}/briefing/renew`);
export const gradeBriefing = (
  r: Ref,
  body: { version: number; useful?: boolean; wrong?: string; cause?: BriefingCause },
) => request<BriefingDocument>("PUT", `${at(r)}/briefing/grade`, { body });

/** Says how a text is told where credentials must not go, and how many were found in it. */
export const checkCredentials = (text: string) =>
  request<{ found: number; redacted: string }>("POST", `${api}/credentials/check`, { body: { text } });

export interface NewHandoff {
  intent: Intent;
  engineer_notes: string;
  priority: Priority;
  target_user_id: string | null;
  wake?: Wake;
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
