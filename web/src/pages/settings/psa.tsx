import { useRef, useState } from "preact/hooks";
import * as plain from "../../api/client";
import * as api from "../../api/settings";
import { Ago, Failure } from "../../parts/bits";
import {
  Check,
  Confirm,
  Copy,
  Count,
  type Form,
  FormOf,
  Group,
  Pick,
  Secret,
  Shown,
  Text,
  useForm,
  useRead,
} from "../../parts/form";
import { explain, type Store } from "../../state/store";
import { settings as s, t } from "../../texts";
import { Head, type PageProps } from "../settings";

const w = s.psa;

type Draft = api.NewPSAConnection;

interface Read {
  kinds: api.PSAKind[];
  connection: api.PSAConnection | null;
}

async function read(): Promise<Read> {
  const [kinds, connection] = await Promise.all([
    api.psaKinds(),
    api.psaConnection().catch((e) => {
      if (plain.asProblem(e).status === 404) return null;
      throw e;
    }),
  ]);
  return { kinds, connection };
}

export function PSAPage({ store }: PageProps) {
  const page = useRead(read);
  return (
    <>
      <Head name="psa" />
      <Shown of={page}>
        {({ kinds, connection }) => (
          <Connection
            key={connection ? "is" : "is not"}
            store={store}
            kinds={kinds}
            connection={connection}
            set={(c) => page.set({ kinds, connection: c })}
          />
        )}
      </Shown>
    </>
  );
}

const defaults: NonNullable<Draft["options"]> = {
  status: {},
  set_owner: true,
  notes: "internal",
  cancel_closed: false,
  outcome_id: 0,
  note_type: "",
  internal_label: "",
  customer_label: "",
  owner_role_id: 0,
  api_version: "",
};

/** What can be sent of a connection: everything but its credentials, which stay as they are. */
const draftOf = (c: api.PSAConnection | null): Draft =>
  c
    ? { kind: c.kind, address: c.address, credentials: {}, options: c.options }
    : { kind: "" as Draft["kind"], address: "", credentials: {}, options: defaults };

interface Parts {
  store: Store;
  kinds: api.PSAKind[];
  connection: api.PSAConnection | null;
  set: (c: api.PSAConnection | null) => void;
}

function Connection({ store, kinds, connection, set }: Parts) {
  const [report, setReport] = useState<api.PSACheck | "running" | null>(null);
  const [failure, setFailure] = useState("");
  const [ticket, setTicket] = useState("");
  const [leaving, setLeaving] = useState(false);
  const stored = useRef(connection);
  const form = useForm<Draft>(
    draftOf(connection),
    async (draft) => {
      stored.current = await api.setPSAConnection(draft);
      return draftOf(stored.current);
    },
    {
      read: async () => draftOf((await read()).connection),
      done: () => {
        if (!stored.current) return;
        set(stored.current);
        void test(null); // saving does not try it
      },
    },
  );
  const kind = kinds.find((k) => k.kind === form.draft.kind);

  const test = async (draft: Draft | null) => {
    setReport("running");
    setFailure("");
    try {
      const found = await api.testPSAConnection(draft, ticket.trim());
      setReport(found);
      store.say(found.ok ? w.testOk : w.testFailed);
      if (!draft) {
        const now = await api.psaConnection();
        stored.current = now;
        set(now);
      }
    } catch (e) {
      setReport(null);
      const problem = plain.asProblem(e);
      if (problem.fields.length > 0) {
        const fields = problem.fields.map((f) => ({ ...f, field: f.field.replace(/^\/connection/, "") }));
        form.refuse(
          new plain.Problem(problem.status, problem.code, problem.message, problem.requestId, null, null, fields),
        );
      } else setFailure(explain(problem));
    }
  };

  return (
    <>
      {connection && <State connection={connection} />}
      <FormOf
        form={form}
        label={s.pages.psa.title}
        action={form.changed.length > 0 ? w.save : s.form.save}
        also={
          kind && (
            <button
              type="button"
              aria-disabled={report === "running"}
              onClick={() => report !== "running" && void test(form.changed.length > 0 ? form.draft : null)}
            >
              {report === "running" ? w.testing : form.changed.length > 0 ? w.testDraft : w.test}
            </button>
          )
        }
      >
        <fieldset class="panel">
          <legend>{w.which}</legend>
          <div class="choices">
            {kinds.map((k) => (
              <label key={k.kind} class="choice">
                <input
                  type="radio"
                  name="kind"
                  checked={form.draft.kind === k.kind}
                  onChange={() => {
                    form.set("/kind", k.kind);
                    // The credentials of another PSA must not go along.
                    form.set("/credentials", {});
                    form.set("/address", k.kind === connection?.kind ? connection.address : "");
                  }}
                />
                <span>
                  <strong>{k.title}</strong>
                </span>
              </label>
            ))}
          </div>
        </fieldset>
        {kind && (
          <>
            <Access form={form} kind={kind} connection={connection} />
            <Tickets form={form} kind={kind} />
            <div class="panel">
              <label>
                <span>{w.ticket}</span>
                <input class="short" value={ticket} maxLength={64} onInput={(e) => setTicket(e.currentTarget.value)} />
              </label>
              <p class="hint">{w.ticketHint}</p>
              {failure && <Failure text={failure} />}
              <Report report={report} />
            </div>
          </>
        )}
      </FormOf>
      {connection?.callback_path && (
        <section class="panel" aria-labelledby="callback-title">
          <h2 id="callback-title">{w.callback}</h2>
          <Copy
            label={w.callbackLabel}
            text={w.callbackHint}
            value={connection.callback_url ?? location.origin + connection.callback_path}
          />
        </section>
      )}
      {connection && (
        <section class="panel" aria-labelledby="remove-title">
          <h2 id="remove-title">{w.remove}</h2>
          <p>{w.removeHint}</p>
          <p class="actions">
            <button type="button" class="danger" onClick={() => setLeaving(true)}>
              {w.remove}
            </button>
          </p>
        </section>
      )}
      {leaving && connection && (
        <Confirm
          title={w.removeTitle(connection.title)}
          text={w.removeText}
          action={w.remove}
          onYes={async () => {
            await api.deletePSAConnection();
            store.say(w.removed);
            set(null);
          }}
          onClose={() => setLeaving(false)}
        />
      )}
    </>
  );
}

function State({ connection: c }: { connection: api.PSAConnection }) {
  return (
    <div class={`panel state ${c.state}`} role="status">
      <p>
        <span class={`chip ${c.state === "ok" ? "done" : c.state === "broken" ? "failed" : ""}`}>
          {w.states[c.state]}
        </span>{" "}
        <strong>{c.title}</strong> {c.address} · <Ago since={c.state_at} />
      </p>
      {c.reason && <p>{c.reason}</p>}
      {c.cure && (
        <p>
          <strong>{s.cure}</strong> {c.cure}
        </p>
      )}
      <p class="hint">
        {w.changedBy(c.updated_by_name ?? t.someone)} <Ago since={c.updated_at} />
      </p>
    </div>
  );
}

function Access(props: { form: Form<Draft>; kind: api.PSAKind; connection: api.PSAConnection | null }) {
  const { form, kind, connection } = props;
  const trimmed = (x: string | null | undefined) => (x ?? "").trim().replace(/\/+$/, "");
  // Credentials are kept for the same kind and address alone.
  const same = connection?.kind === kind.kind && trimmed(connection.address) === trimmed(form.draft.address);
  return (
    <Group form={form} at="/credentials" label={w.access} class="panel">
      {kind.needs_address && (
        <Text
          form={form}
          at="/address"
          type="url"
          label={w.address}
          hint={w.addressHints[kind.kind]}
          placeholder="https://"
          maxLength={500}
          code
        />
      )}
      {connection?.kind === kind.kind && !same && <p class="notice">{w.again}</p>}
      {kind.credentials.map((c) => (
        <Secret
          key={`${kind.kind}-${c.name}-${same}`}
          form={form}
          at={`/credentials/${c.name}`}
          label={c.required ? c.title : w.optional(c.title)}
          hint={w.where(c.help)}
          optional={!c.required}
          since={(same && connection?.credentials.find((x) => x.name === c.name)?.set_at) || null}
        />
      ))}
    </Group>
  );
}

function Tickets({ form, kind }: { form: Form<Draft>; kind: api.PSAKind }) {
  return (
    <Group form={form} at="/options" label={w.tickets} class="panel" hint={w.ticketsHint}>
      <div class="row">
        {(["escalated", "claimed", "released", "resolved"] as const).map((step) => (
          <Text
            key={step}
            form={form}
            at={`/options/status/${step}`}
            label={w.status[step]}
            placeholder={w.statusNone}
            maxLength={100}
            optional
          />
        ))}
      </div>
      <Check form={form} at="/options/set_owner" label={w.setOwner} hint={w.setOwnerHint} />
      <Check form={form} at="/options/cancel_closed" label={w.cancelClosed} hint={w.cancelClosedHint} />
      <Pick form={form} at="/options/notes" label={w.notes} options={Object.entries(w.visibility)} />
      {form.draft.options?.notes === "customer" && <p class="notice">{w.customerWarning}</p>}
      <details>
        <summary>{w.special(kind.title)}</summary>
        {kind.kind === "connectwise" && (
          <Text form={form} at="/options/api_version" label={w.apiVersion} hint={w.apiVersionHint} maxLength={20} />
        )}
        {kind.kind === "halopsa" && (
          <Count form={form} at="/options/outcome_id" label={w.outcome} hint={w.outcomeHint} min={0} empty={0} />
        )}
        {kind.kind === "autotask" && (
          <>
            <Text form={form} at="/options/note_type" label={w.noteType} hint={w.noteTypeHint} maxLength={100} />
            <Text form={form} at="/options/internal_label" label={w.internalLabel} hint={w.labelHint} maxLength={100} />
            <Text form={form} at="/options/customer_label" label={w.customerLabel} hint={w.labelHint} maxLength={100} />
            <Count
              form={form}
              at="/options/owner_role_id"
              label={w.ownerRole}
              hint={w.ownerRoleHint}
              min={0}
              empty={0}
            />
          </>
        )}
      </details>
    </Group>
  );
}

function Report({ report }: { report: api.PSACheck | "running" | null }) {
  if (report === null) return null;
  if (report === "running")
    return (
      <p role="status" class="loading">
        {w.testingLong}
      </p>
    );
  return (
    <div class="findings" role="status">
      <p>
        <strong>{report.ok ? w.testOk : w.testFailed}</strong>
      </p>
      <ul>
        {report.items.map((item) => (
          <li key={item.name} class={item.state}>
            <span class={`chip ${w.checkChips[item.state]}`}>{w.checkStates[item.state]}</span>{" "}
            <strong>{w.checks(item.name)}</strong> <span>{item.detail}</span>
            {item.cure && (
              <p>
                <strong>{s.cure}</strong> {item.cure}
              </p>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
