import { useEffect, useState } from "preact/hooks";
import * as api from "./api/client";
import { HandoffPage } from "./pages/handoff";
import { QueuePage } from "./pages/queue";
import { HandOffPage, SessionsPage } from "./pages/sessions";
import { SignInPage } from "./pages/signin";
import { AlertsDialog } from "./parts/alerts";
import { Dialog, Failure, useClock } from "./parts/bits";
import { keysOn, setKeys, useKeys } from "./parts/keys";
import { lazy } from "./parts/lazy";
import { follows, go, useAddress } from "./router";
import { explain, Store, useStore } from "./state/store";
import { settings, t } from "./texts";

const SettingsPage = lazy(async () => (await import("./pages/settings")).SettingsPage);
const ReportsPage = lazy(async () => (await import("./pages/reports")).ReportsPage);

/** Whether the API tells the reader of reports. */
const reads = (store: Store) => store.me.role === "admin" || store.me.role === "owner";

export function App() {
  const address = useAddress();
  useEffect(() => {
    document.addEventListener("click", follows);
    return () => document.removeEventListener("click", follows);
  }, []);
  return address.pathname === "/sign-in" ? <SignInPage query={address.searchParams} /> : <SignedIn address={address} />;
}

function SignedIn({ address }: { address: URL }) {
  const [store, setStore] = useState<Store | null>(null);
  const [failure, setFailure] = useState("");
  const load = () => {
    setFailure("");
    api.me().then(
      (me) => setStore(new Store(me)),
      (e) => (api.asProblem(e).status === 401 ? location.replace(signInFor(address)) : setFailure(explain(e))),
    );
  };
  useEffect(load, []);
  useEffect(() => {
    if (!store) return;
    store.start();
    // Who signs in as somebody else in another tab is somebody else here as well.
    const others = "BroadcastChannel" in window ? new BroadcastChannel("baton") : null;
    const reload = () => location.reload();
    if (others)
      others.onmessage = () => void api.me().then((me) => me.user_id !== store.me.user_id && reload(), reload);
    return () => {
      store.stop();
      others?.close();
    };
  }, [store]);
  if (failure)
    return (
      <main id="content" class="sign-in">
        <Failure text={failure} retry={load} />
      </main>
    );
  if (!store) return <p class="loading">{t.loading}</p>;
  return <Frame store={store} address={address} />;
}

const signInFor = (address: URL) =>
  address.pathname + address.search === "/"
    ? "/sign-in"
    : `/sign-in?next=${encodeURIComponent(address.pathname + address.search)}`;

const current = { "aria-current": "page" } as const;

function Frame({ store, address }: { store: Store; address: URL }) {
  useStore(store);
  const [help, setHelp] = useState(false);
  const [alerts, setAlerts] = useState(false);
  useKeys({ "?": () => setHelp(true), q: () => go("/"), s: () => go("/sessions") });
  const at = (path: string) => (address.pathname === path ? current : {});
  return (
    <>
      <a class="skip" href="#content">
        {t.skip}
      </a>
      <header class="bar">
        <a class="brand" href="/" aria-label={t.product}>
          <img src="/icon.svg" alt="" width="24" height="24" /> <span>{t.product}</span>
        </a>
        <nav aria-label={t.nav}>
          <a href="/" {...at("/")}>
            {t.queue}
          </a>
          <a href="/sessions" {...at("/sessions")}>
            {t.sessions}
          </a>
          {reads(store) && (
            <a href="/reports" {...at("/reports")}>
              {t.reports}
            </a>
          )}
          {reads(store) && (
            <a href="/settings" {...(/^\/settings(?!\/me$)/.test(address.pathname) ? current : {})}>
              {settings.title}
            </a>
          )}
        </nav>
        <LinkState store={store} />
        <button type="button" class="quiet alerts" onClick={() => setAlerts(true)}>
          {t.alerts.open}
        </button>
        <button type="button" class="quiet keys" onClick={() => setHelp(true)}>
          {t.help} <kbd>?</kbd>
        </button>
        <span class="me">
          {store.me.name} <small>{store.me.role}</small>
          <a href="/settings/me" {...at("/settings/me")}>
            {settings.notifications}
          </a>
        </span>
        <button
          type="button"
          class="quiet"
          onClick={() => void api.signOut().finally(() => location.assign("/sign-in"))}
        >
          {t.signOut}
        </button>
      </header>
      <NotLive store={store} />
      <main id="content" tabIndex={-1}>
        <Page store={store} address={address} />
      </main>
      <div class="aloud" role="status" aria-live="polite">
        {store.said}
      </div>
      {alerts && <AlertsDialog onClose={() => setAlerts(false)} />}
      {help && <Help onClose={() => setHelp(false)} />}
    </>
  );
}

function Page({ store, address }: { store: Store; address: URL }) {
  const path = address.pathname;
  if (/^\/settings(\/|$)/.test(path)) return <SettingsPage store={store} address={address} />;
  if (store.link.state === "refused") return <Nothing title={t.queue} text={t.signInPage.viewer} />;
  if (path === "/" || path === "/queue") return <QueuePage store={store} query={address.searchParams} />;
  const handoff = /^\/sessions\/([0-9a-f-]{36})\/handoffs\/([0-9a-f-]{36})$/.exec(path);
  if (handoff) return <HandoffPage key={path} store={store} session={handoff[1] ?? ""} id={handoff[2] ?? ""} />;
  if (path === "/sessions") return <SessionsPage store={store} />;
  if (path === "/reports")
    return reads(store) ? (
      <ReportsPage query={address.searchParams} />
    ) : (
      <Nothing title={t.reports} text={t.reportsPage.forAdmins} />
    );
  const form = /^\/sessions\/([0-9a-f-]{36})\/hand-off$/.exec(path);
  if (form) return <HandOffPage key={path} store={store} id={form[1] ?? ""} />;
  return <Nothing title={t.product} text={t.nothingHere} />;
}

function Nothing({ title, text }: { title: string; text: string }) {
  return (
    <section>
      <h1>{title}</h1>
      <p class="empty">{text}</p>
    </section>
  );
}

function LinkState({ store }: { store: Store }) {
  return (
    <span class={`link ${store.link.state}`} data-link={store.link.state}>
      {t.link.state(store.link.state)}
    </span>
  );
}

/** Says how old the page is while it is not live. */
function NotLive({ store }: { store: Store }) {
  const text = useClock((now) => {
    if (store.link.state === "waiting") {
      const age = store.asOf ? t.age((now - store.asOf) / 1000) : "–";
      return t.link.waiting(age, Math.max(0, Math.ceil(((store.link.retryAt ?? now) - now) / 1000)));
    }
    return store.stale ? t.link.stale : "";
  });
  if (!text) return null;
  return (
    <div class="not-live">
      <span>{text}</span>
      <button type="button" onClick={() => store.hurry()}>
        {t.link.now}
      </button>
    </div>
  );
}

function Help({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState(keysOn());
  return (
    <Dialog title={t.keys.title} onClose={onClose}>
      <dl class="keys-list">
        {t.keys.list.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={on}
          onChange={(e) => {
            setKeys(e.currentTarget.checked);
            setOn(e.currentTarget.checked);
          }}
        />
        {t.keys.on}
      </label>
      <p class="actions">
        <button type="button" class="primary" onClick={onClose}>
          {t.close}
        </button>
      </p>
    </Dialog>
  );
}
