import { useRef, useState } from "preact/hooks";
import * as api from "../../api/settings";
import { Ago, Failure } from "../../parts/bits";
import {
  Check,
  Confirm,
  Count,
  type Form,
  FormOf,
  Group,
  Once,
  Pick,
  Secret,
  Shown,
  Text,
  useForm,
  useRead,
} from "../../parts/form";
import { Table } from "../../parts/table";
import { go } from "../../router";
import { explain, type Store } from "../../state/store";
import { settings as s } from "../../texts";
import { Head, type PageProps } from "../settings";

const w = s.channels;
const kinds = Object.keys(s.channelKinds) as api.ChannelKind[];
const isKind = (x: string | null): x is api.ChannelKind => kinds.some((k) => k === x);
const base = "/settings/channels";

/** A secret that Baton or this page has just made, which nobody shows again. */
interface Made {
  id: string;
  secret: string;
}

export function ChannelsPage({ store, rest, query }: PageProps) {
  const page = useRead(api.channels);
  const [made, setMade] = useState<Made | null>(null);
  const [id] = rest;
  const learn = (c: api.Channel) => {
    page.set([...(page.value ?? []).filter((x) => x.id !== c.id), c].sort((a, b) => a.name.localeCompare(b.name)));
  };
  return (
    <Shown of={page}>
      {(list) => {
        if (id === "new") {
          const kind = query.get("kind");
          return <Add store={store} kind={isKind(kind) ? kind : null} learn={learn} onMade={setMade} />;
        }
        if (id) {
          const channel = list.find((c) => c.id === id);
          if (!channel) return <p class="empty">{w.gone}</p>;
          return (
            <Change
              key={id}
              store={store}
              channel={channel}
              learn={learn}
              made={made?.id === id ? made : null}
              onMade={setMade}
              onRemoved={() => page.set(list.filter((c) => c.id !== id))}
            />
          );
        }
        return <List list={list} />;
      }}
    </Shown>
  );
}

function List({ list }: { list: api.Channel[] }) {
  return (
    <>
      <Head name="channels" />
      <Table
        label={s.pages.channels.title}
        rows={list}
        id={(c) => c.id}
        empty={w.empty}
        columns={[
          { name: w.name, cell: (c) => <a href={`${base}/${c.id}`}>{c.name}</a> },
          { name: w.kind, cell: (c) => s.channelKinds[c.kind] },
          { name: w.reaches, cell: (c) => w.reach(c.kind, c.options) },
          { name: w.state, cell: (c) => <State channel={c} /> },
        ]}
      />
      <h2 class="after-table">{w.add}</h2>
      <ul class="overview">
        {kinds.map((k) => (
          <li key={k} class="panel">
            <h3>
              <a href={`${base}/new?kind=${k}`}>{s.channelKinds[k]}</a>
            </h3>
            <p>{w.kinds[k]}</p>
          </li>
        ))}
      </ul>
      <Deliveries />
    </>
  );
}

function State({ channel: c }: { channel: api.Channel }) {
  const chip = { ok: "done", broken: "failed", disabled: "failed", unknown: "" }[c.state];
  return (
    <span class="state-cell">
      <span class={`chip ${chip}`}>{w.states[c.state]}</span>{" "}
      <span class="hint">
        <Ago since={c.state_at} />
      </span>
      {c.reason && <p>{c.reason}</p>}
      {c.cure && (
        <p>
          <strong>{s.cure}</strong> {c.cure}
        </p>
      )}
    </span>
  );
}

/** What became of the notifications of the last month, so that a silent channel is seen. */
function Deliveries() {
  const report = useRead(api.deliveries);
  const rows = kinds
    .map((k) => ({ kind: k, of: report.value?.items.filter((r) => r.channel === k) ?? [] }))
    .filter((r) => r.of.length > 0);
  if (!report.value) return null;
  return (
    <section aria-labelledby="deliveries-title">
      <h2 id="deliveries-title" class="after-table">
        {w.lately}
      </h2>
      <Table
        label={w.lately}
        rows={rows}
        id={(r) => r.kind}
        empty={w.latelyNone}
        columns={[
          { name: w.kind, cell: (r) => s.channelKinds[r.kind] },
          { name: w.counts, cell: (r) => w.countsOf(r.of) },
          { name: w.speed, cell: (r) => w.speedOf(r.of.find((x) => x.state === "done")?.median_seconds ?? null) },
        ]}
      />
    </section>
  );
}

const starts: Record<api.ChannelKind, api.NewChannel["options"]> = {
  email: { security: "starttls" },
  slack: { direct: true },
  teams: {},
  webhook: {},
};

function Add(props: {
  store: Store;
  kind: api.ChannelKind | null;
  learn: (c: api.Channel) => void;
  onMade: (m: Made) => void;
}) {
  if (!props.kind) return <p class="empty">{w.gone}</p>;
  return <AddForm {...props} kind={props.kind} />;
}

function AddForm(props: {
  store: Store;
  kind: api.ChannelKind;
  learn: (c: api.Channel) => void;
  onMade: (m: Made) => void;
}) {
  const { kind, store } = props;
  const added = useRef<api.Channel | null>(null);
  const form = useForm<api.NewChannel>(
    { kind, name: "", options: starts[kind] ?? {}, credentials: {} },
    async (draft) => {
      added.current = await api.createChannel(draft);
      return draft;
    },
    {
      done: () => {
        const c = added.current;
        if (!c) return;
        props.learn(c);
        if (c.secret) props.onMade({ id: c.id, secret: c.secret });
        store.say(w.added);
        go(`${base}/${c.id}`, true);
      },
    },
  );
  return (
    <>
      <Back />
      <header class="settings-head">
        <h1 tabIndex={-1}>{w.addTitle(s.channelKinds[kind])}</h1>
        <p class="lead">{w.kinds[kind]}</p>
      </header>
      <FormOf form={form} label={w.addTitle(s.channelKinds[kind])} action={w.addAction} fresh>
        <Fields form={form} kind={kind} store={store} stored={null} />
      </FormOf>
    </>
  );
}

const Back = () => (
  <p>
    <a href={base}>← {s.pages.channels.title}</a>
  </p>
);

const draftOf = (c: api.Channel): api.NewChannel => ({
  kind: c.kind,
  name: c.name,
  options: c.options,
  credentials: {},
});

function Change(props: {
  store: Store;
  channel: api.Channel;
  made: Made | null;
  learn: (c: api.Channel) => void;
  onMade: (m: Made | null) => void;
  onRemoved: () => void;
}) {
  const { channel: c, store } = props;
  const stored = useRef(c);
  const [removing, setRemoving] = useState(false);
  const form = useForm<api.NewChannel>(
    draftOf(c),
    async (draft) => {
      stored.current = await api.setChannel(c.id, draft);
      return draftOf(stored.current);
    },
    { read: async () => draftOf(await api.channel(c.id)), done: () => props.learn(stored.current) },
  );
  /** Changes what is saved, beside whatever is being typed. */
  const change = async (credentials: api.NewChannel["credentials"]) =>
    props.learn(await api.setChannel(c.id, { ...draftOf(c), ...(credentials ? { credentials } : {}) }));
  return (
    <>
      <Back />
      <header class="settings-head">
        <h1 tabIndex={-1}>{c.name}</h1>
        <p class="lead">{s.channelKinds[c.kind]}</p>
      </header>
      {props.made && <Once label={w.secretOnce} text={w.secretOnceHint} value={props.made.secret} />}
      <Doing store={store} channel={c} learn={props.learn} again={() => change(undefined)} />
      <FormOf form={form} label={c.name}>
        <Fields form={form} kind={c.kind} store={store} stored={c} />
      </FormOf>
      {c.kind === "webhook" && <Rotation channel={c} change={change} onMade={props.onMade} />}
      <section class="panel" aria-labelledby="remove-title">
        <h2 id="remove-title">{w.remove}</h2>
        <p>{w.removeHint}</p>
        <p class="actions">
          <button type="button" class="danger" onClick={() => setRemoving(true)}>
            {w.remove}
          </button>
        </p>
      </section>
      {removing && (
        <Confirm
          title={w.removeTitle(c.name)}
          text={w.removeHint}
          action={w.remove}
          onYes={async () => {
            await api.deleteChannel(c.id);
            store.say(w.removed);
            form.reset();
            props.onRemoved();
            go(base, true);
          }}
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  );
}

/** How the channel is doing, and the button that tries it. */
function Doing(props: {
  store: Store;
  channel: api.Channel;
  learn: (c: api.Channel) => void;
  again: () => Promise<void>;
}) {
  const { channel: c, store } = props;
  const [result, setResult] = useState<api.ChannelTest | "running" | null>(null);
  const [failure, setFailure] = useState("");
  const test = async () => {
    if (result === "running") return;
    setResult("running");
    setFailure("");
    try {
      const found = await api.testChannel(c.id);
      setResult(found);
      store.say(found.ok ? w.testOk(c.kind, c.options.to ?? "") : w.testFailed);
      props.learn(await api.channel(c.id));
    } catch (e) {
      setResult(null);
      setFailure(explain(e));
    }
  };
  return (
    <section class={`panel state ${c.state}`} aria-label={w.state}>
      <State channel={c} />
      {c.state === "disabled" && <p>{w.disabledHint}</p>}
      <p class="actions">
        <button type="button" aria-disabled={result === "running"} onClick={() => void test()}>
          {result === "running" ? w.testing : w.test}
        </button>
        {c.state === "disabled" && (
          <button type="button" class="primary" onClick={() => void props.again().catch((e) => setFailure(explain(e)))}>
            {w.again}
          </button>
        )}
      </p>
      {failure && <Failure text={failure} />}
      {result !== null && result !== "running" && (
        <div class={`findings ${result.ok ? "ok" : "failed"}`} role="status">
          <p>
            <strong>{result.ok ? w.testOk(c.kind, c.options.to ?? "") : w.testFailed}</strong> {result.reason}
          </p>
          {result.cure && (
            <p>
              <strong>{s.cure}</strong> {result.cure}
            </p>
          )}
        </div>
      )}
    </section>
  );
}

function Fields(props: {
  form: Form<api.NewChannel>;
  kind: api.ChannelKind;
  store: Store;
  stored: api.Channel | null;
}) {
  const { form, kind, store, stored } = props;
  const since = (name: string) => stored?.credentials.find((x) => x.name === name)?.set_at ?? null;
  const o = form.draft.options ?? {};
  // A password must not go to another server than it was meant for, so it has to be entered again.
  const sameServer = stored && (stored.options.host ?? "") === (o.host ?? "") && stored.options.username === o.username;
  const people: [string, string][] = [
    ["", w.everybody],
    ...store.users.map((u): [string, string] => [u.id, w.only(u.name)]),
  ];
  return (
    <Group form={form} at="/options" label={w.settings} class="panel" name={w.settings}>
      <Text form={form} at="/name" label={w.name} hint={w.nameHint} placeholder={w.names[kind]} maxLength={80} />
      {kind === "email" && (
        <>
          <div class="row">
            <Text
              form={form}
              at="/options/host"
              label={w.host}
              placeholder="smtp.example.com"
              maxLength={255}
              optional
            />
            <Count
              form={form}
              at="/options/port"
              label={w.port}
              placeholder={w.portUsual}
              min={0}
              max={65535}
              empty={0}
            />
          </div>
          <Pick form={form} at="/options/security" label={w.security} options={Object.entries(w.securities)} />
          {o.security === "none" && <p class="notice">{w.noSecurity}</p>}
          <Text form={form} at="/options/username" label={w.username} maxLength={255} optional />
          <Secret
            key={`password-${sameServer}`}
            form={form}
            at="/credentials/password"
            label={w.password}
            hint={w.passwordHint}
            since={sameServer ? since("password") : null}
            optional
          />
          <Text
            form={form}
            at="/options/from"
            label={w.from}
            hint={w.fromHint}
            placeholder="Baton <baton@example.com>"
            maxLength={320}
            optional
          />
          <Text form={form} at="/options/to" label={w.mailbox} hint={w.mailboxHint} maxLength={320} optional />
        </>
      )}
      {kind === "slack" && (
        <>
          <ol class="needs">
            {w.slackNeeds(`${location.origin}/api/v1/slack/interactions`).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ol>
          <Secret form={form} at="/credentials/token" label={w.token} hint={w.tokenHint} since={since("token")} />
          <Secret
            form={form}
            at="/credentials/signing_secret"
            label={w.signing}
            hint={w.signingHint}
            since={since("signing_secret")}
          />
          <Check form={form} at="/options/direct" label={w.direct} hint={w.directHint} />
          <Text
            form={form}
            at="/options/to"
            label={w.conversation}
            hint={w.conversationHint}
            placeholder="C0HELPDESK"
            maxLength={320}
            optional
            code
          />
        </>
      )}
      {(kind === "teams" || kind === "webhook") && (
        <>
          <Secret form={form} at="/credentials/url" label={w.url[kind]} hint={w.urlHint[kind]} since={since("url")} />
          <Pick form={form} at="/options/user_id" label={w.whom} hint={w.whomHint} options={people} empty={null} />
        </>
      )}
      {kind === "webhook" && !stored && <p class="hint">{w.secretHint}</p>}
    </Group>
  );
}

/** A secret of 32 random bytes, as the Standard Webhooks have it. */
function newSecret(): string {
  return `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`;
}

function Rotation(props: {
  channel: api.Channel;
  change: (credentials: api.NewChannel["credentials"]) => Promise<void>;
  onMade: (m: Made | null) => void;
}) {
  const { channel: c } = props;
  const [failure, setFailure] = useState("");
  const previous = c.credentials.find((x) => x.name === "previous_secret")?.set_at;
  const rotate = async () => {
    const secret = newSecret();
    setFailure("");
    try {
      await props.change({ secret });
      props.onMade({ id: c.id, secret });
    } catch (e) {
      setFailure(explain(e));
    }
  };
  const end = async () => {
    setFailure("");
    try {
      await props.change({ previous_secret: "" });
      props.onMade(null);
    } catch (e) {
      setFailure(explain(e));
    }
  };
  return (
    <section class="panel" aria-labelledby="rotation-title">
      <h2 id="rotation-title">{w.rotation}</h2>
      <p>{previous ? w.rotating : w.rotationHint}</p>
      {failure && <Failure text={failure} />}
      <p class="actions">
        {previous ? (
          <button type="button" class="primary" onClick={() => void end()}>
            {w.rotationEnd}
          </button>
        ) : (
          <button type="button" onClick={() => void rotate()}>
            {w.rotate}
          </button>
        )}
      </p>
    </section>
  );
}
