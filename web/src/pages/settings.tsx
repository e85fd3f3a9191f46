// The settings: one script for all of their pages, which is loaded when the first of them is opened.
import type { ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import * as api from "../api/settings";
import { useRead } from "../parts/form";
import { type Store, useStore } from "../state/store";
import { settings as s } from "../texts";
import { AuditPage } from "./settings/audit";
import { BriefingsPage } from "./settings/briefings";
import { ChannelsPage } from "./settings/channels";
import { KeysPage } from "./settings/keys";
import { LadderPage } from "./settings/ladder";
import { MePage } from "./settings/me";
import { PeoplePage } from "./settings/people";
import { PSAPage } from "./settings/psa";

/** What each page is given. Rest is what follows the page's own part of the address. */
export interface PageProps {
  store: Store;
  rest: string[];
  query: URLSearchParams;
}

type Name = keyof typeof s.pages;

const pages: Record<Name, ComponentType<PageProps>> = {
  psa: PSAPage,
  channels: ChannelsPage,
  ladder: LadderPage,
  briefings: BriefingsPage,
  users: PeoplePage,
  "api-keys": KeysPage,
  audit: AuditPage,
  me: MePage,
};

const isName = (x: string): x is Name => Object.hasOwn(pages, x);
const names = Object.keys(pages).filter(isName);

export function SettingsPage({ store, address }: { store: Store; address: URL }) {
  useStore(store);
  const [, , page = "", ...rest] = address.pathname.split("/");
  const chief = store.me.role === "admin" || store.me.role === "owner";
  const Page = isName(page) ? pages[page] : null;
  const title = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Whoever reads by ear begins with the page's title.
    title.current?.querySelector("h1")?.focus({ preventScroll: true });
  }, [page]);
  if (!chief && page !== "me") return <NotForYou store={store} />;
  return (
    <div class="settings">
      {chief && (
        <nav aria-label={s.title} class="pages">
          {names.map((name) => (
            <a key={name} href={`/settings/${name}`} {...(name === page ? { "aria-current": "page" } : {})}>
              {s.pages[name].title}
            </a>
          ))}
        </nav>
      )}
      <div class="settings-page" ref={title}>
        {Page ? <Page store={store} rest={rest.filter(Boolean)} query={address.searchParams} /> : <Overview />}
      </div>
    </div>
  );
}

/** The head of a page: what it is for, in a sentence. */
export function Head({ name, children }: { name: Name; children?: preact.ComponentChildren }) {
  return (
    <header class="settings-head">
      <h1 tabIndex={-1}>{s.pages[name].title}</h1>
      <p class="lead">{s.pages[name].lead}</p>
      {children}
    </header>
  );
}

/** How it goes with what can break, so that nobody has to look for it. */
async function readState(): Promise<Partial<Record<Name, { text: string; trouble: boolean }>>> {
  const [psa, channels] = await Promise.all([api.psaConnection().catch(() => null), api.channels()]);
  const broken = channels.filter((c) => c.state === "broken" || c.state === "disabled").length;
  return {
    psa: psa
      ? { text: `${psa.title}: ${s.psa.states[psa.state]}`, trouble: psa.state === "broken" }
      : { text: s.notConnected, trouble: false },
    channels: { text: s.channelsAre(channels.length, broken), trouble: broken > 0 },
  };
}

function Overview() {
  const state = useRead(readState).value ?? {};
  return (
    <>
      <header class="settings-head">
        <h1 tabIndex={-1}>{s.title}</h1>
        <p class="lead">{s.lead}</p>
      </header>
      <ul class="overview">
        {names.map((name) => (
          <li key={name} class="panel">
            <h2>
              <a href={`/settings/${name}`}>{s.pages[name].title}</a>
            </h2>
            <p>{s.pages[name].lead}</p>
            {state[name] && <p class={state[name].trouble ? "trouble" : "hint"}>{state[name].text}</p>}
          </li>
        ))}
      </ul>
    </>
  );
}

function NotForYou({ store }: { store: Store }) {
  const chiefs = store.users.filter((u) => u.role === "admin" || u.role === "owner").map((u) => u.name);
  return (
    <section class="narrow">
      <h1>{s.title}</h1>
      <p class="empty">{s.notForYou(store.me.role, chiefs)}</p>
      <p>
        <a class="button" href="/settings/me">
          {s.pages.me.title}
        </a>
      </p>
    </section>
  );
}
