// The calls of the settings' pages.
import { request } from "./client";
import type { Schemas } from "./types";

const api = "/api/v1";

export type PSAKind = Schemas["PSAKind"];
export type PSAConnection = Schemas["PSAConnection"];
export type NewPSAConnection = Schemas["NewPSAConnection"];
export type PSACheck = Schemas["PSACheck"];
export type Channel = Schemas["Channel"];
export type NewChannel = Schemas["NewChannel"];
export type ChannelKind = Schemas["ChannelName"];
export type ChannelTest = Schemas["ChannelTest"];
export type Ladder = Schemas["Ladder"];
export type NewLadder = Schemas["NewLadder"];
export type BriefingSettings = Schemas["BriefingSettings"];
export type NewBriefingSettings = Schemas["NewBriefingSettings"];
export type NotificationSettings = Schemas["NotificationSettings"];
export type NewNotificationSettings = Schemas["NewNotificationSettings"];
export type Person = Schemas["User"];
export type NewUser = Schemas["NewUser"];
export type SetUser = Schemas["SetUser"];
export type Team = Schemas["Team"];
export type APIKey = Schemas["APIKey"];
export type NewAPIKey = Schemas["NewAPIKey"];
export type AuditPage = Schemas["AuditPage"];
export type AuditEntry = Schemas["AuditEntry"];
export type AuditChange = Schemas["AuditChange"];
export type DeliveryReport = Schemas["DeliveryReport"];

const get = <T>(path: string) => request<T>("GET", api + path);
const post = <T>(path: string, body?: unknown) => request<T>("POST", api + path, body === undefined ? {} : { body });
const set = <T>(path: string, body: unknown) => request<T>("PUT", api + path, { body });
const remove = (path: string) => request<void>("DELETE", api + path);
const items = async <T>(path: string) => (await get<{ items: T[] }>(path)).items;

export const psaKinds = () => items<PSAKind>("/psa/kinds");
export const psaConnection = () => get<PSAConnection>("/psa/connection");
export const setPSAConnection = (body: NewPSAConnection) => set<PSAConnection>("/psa/connection", body);
export const deletePSAConnection = () => remove("/psa/connection");
/** Tries a connection, or without one that which is stored. */
export const testPSAConnection = (connection: NewPSAConnection | null, ticket: string) =>
  post<PSACheck>("/psa/connection/test", { ...(connection ? { connection } : {}), ...(ticket ? { ticket } : {}) });

export const channels = () => items<Channel>("/notifications/channels");
export const channel = (id: string) => get<Channel>(`/notifications/channels/${id}`);
export const createChannel = (body: NewChannel) => post<Channel>("/notifications/channels", body);
export const setChannel = (id: string, body: NewChannel) => set<Channel>(`/notifications/channels/${id}`, body);
export const deleteChannel = (id: string) => remove(`/notifications/channels/${id}`);
export const testChannel = (id: string) => post<ChannelTest>(`/notifications/channels/${id}/test`);
export const deliveries = () => get<DeliveryReport>("/reports/deliveries");

export const ladder = () => get<Ladder>("/ladder");
export const setLadder = (body: NewLadder) => set<Ladder>("/ladder", body);

export const briefings = () => get<BriefingSettings>("/briefings/settings");
export const setBriefings = (body: NewBriefingSettings) => set<BriefingSettings>("/briefings/settings", body);

export const myNotifications = () => get<NotificationSettings>("/me/notifications");
export const setMyNotifications = (body: NewNotificationSettings) =>
  set<NotificationSettings>("/me/notifications", body);

export const people = () => items<Person>("/users?all=true");
export const createUser = (body: NewUser) => post<Person>("/users", body);
export const setUser = (id: string, body: SetUser) => set<Person>(`/users/${id}`, body);
export const disableUser = (id: string) => post<Person>(`/users/${id}/disable`);
export const enableUser = (id: string) => post<Person>(`/users/${id}/enable`);
export const teams = () => items<Team>("/teams");
export const createTeam = (body: { name: string }) => post<Team>("/teams", body);
export const setTeam = (id: string, body: { name: string }) => set<Team>(`/teams/${id}`, body);

export const apiKeys = () => items<APIKey>("/api-keys");
export const createAPIKey = (body: NewAPIKey) => post<APIKey>("/api-keys", body);
export const revokeAPIKey = (id: string) => remove(`/api-keys/${id}`);

export const audit = (query: URLSearchParams) => get<AuditPage>(`/audit?${query}`);
/** The address of the same entries as CSV. */
export const auditCSV = (query: URLSearchParams) =>
  `${api}/audit?${new URLSearchParams([...query, ["format", "csv"]])}`;
