import { useRef, useState } from "preact/hooks";
import * as api from "../../api/settings";
import { Ago } from "../../parts/bits";
import { Confirm, FormOf, Once, Pick, Shown, Text, useForm, useRead } from "../../parts/form";
import { Table } from "../../parts/table";
import { settings as s } from "../../texts";
import { Head, type PageProps } from "../settings";

const w = s.keys;

export function KeysPage({ store }: PageProps) {
  const page = useRead(api.apiKeys);
  const people = useRead(api.people);
  const [made, setMade] = useState<api.APIKey | null>(null);
  const [ending, setEnding] = useState<api.APIKey | null>(null);
  const services = people.value?.filter((u) => u.kind === "service" && !u.disabled_at) ?? [];
  return (
    <>
      <Head name="api-keys" />
      {made?.key && <Once label={w.once(made.name)} text={w.onceHint} value={made.key} />}
      <Shown of={page}>
        {(keys) => (
          <>
            <Table
              label={s.pages["api-keys"].title}
              rows={keys}
              id={(k) => k.id}
              empty={w.empty}
              columns={[
                { name: w.name, cell: (k) => k.name },
                { name: w.begins, cell: (k) => <code>{k.prefix}…</code> },
                { name: w.as, cell: (k) => w.asRole(k.user_name, k.role) },
                { name: w.used, cell: (k) => (k.last_used_at ? <Ago since={k.last_used_at} /> : w.never) },
                { name: w.ends, cell: (k) => <Ends at={k.expires_at} /> },
                {
                  name: w.revoke,
                  hidden: true,
                  cell: (k) => (
                    <button
                      type="button"
                      class="danger"
                      aria-label={`${w.revoke}: ${k.name}`}
                      onClick={() => setEnding(k)}
                    >
                      {w.revoke}
                    </button>
                  ),
                },
              ]}
            />
            <New
              key={made?.id ?? ""}
              services={services}
              me={store.me.name}
              onMade={(k) => {
                setMade(k);
                store.say(w.made);
                page.set([...keys, { ...k, key: null }].sort((a, b) => a.name.localeCompare(b.name)));
              }}
            />
            {ending && (
              <Confirm
                title={w.revokeTitle(ending.name)}
                text={w.revokeText}
                action={w.revoke}
                onYes={async () => {
                  await api.revokeAPIKey(ending.id);
                  if (made?.id === ending.id) setMade(null);
                  store.say(w.revoked);
                  page.set(keys.filter((k) => k.id !== ending.id));
                }}
                onClose={() => setEnding(null)}
              />
            )}
          </>
        )}
      </Shown>
    </>
  );
}

function Ends({ at }: { at: string | null }) {
  if (!at) return <span class="notice">{w.never}</span>;
  const ended = Date.parse(at) < Date.now();
  return <span class={ended ? "notice" : ""}>{w.endsOn(new Date(at).toLocaleDateString(), ended)}</span>;
}

const days = [30, 90, 365, 0];

/** A key's request, but for how long it lasts, which is counted when it is made. */
interface Draft {
  name: string;
  user_id: string | null;
  role: api.NewAPIKey["role"];
  expires_at: string;
}

function New(props: { services: api.Person[]; me: string; onMade: (k: api.APIKey) => void }) {
  const made = useRef<api.APIKey | null>(null);
  const form = useForm<Draft>(
    { name: "", user_id: null, role: "engineer", expires_at: "90" },
    async (draft) => {
      const left = Number(draft.expires_at);
      made.current = await api.createAPIKey({
        ...draft,
        expires_at: left ? new Date(Date.now() + left * 86_400_000).toISOString() : null,
      });
      return draft;
    },
    { done: () => made.current && props.onMade(made.current) },
  );
  return (
    <FormOf form={form} label={w.add} action={w.make} fresh>
      <fieldset class="panel group">
        <legend>{w.add}</legend>
        <Text form={form} at="/name" label={w.name} hint={w.nameHint} placeholder={w.nameExample} maxLength={80} />
        <Pick
          form={form}
          at="/user_id"
          label={w.as}
          hint={w.asHint}
          empty={null}
          options={[["", w.you(props.me)], ...props.services.map((u): [string, string] => [u.id, u.name])]}
        />
        <div class="row">
          <Pick
            form={form}
            at="/role"
            label={w.role}
            hint={s.people.roleHints[form.draft.role]}
            options={(["viewer", "engineer", "admin"] as const).map((r) => [r, s.people.roles[r]])}
          />
          <Pick
            form={form}
            at="/expires_at"
            label={w.ends}
            hint={form.draft.expires_at === "0" ? w.foreverHint : w.endsHint}
            options={days.map((d) => [String(d), d ? w.inDays(d) : w.never])}
          />
        </div>
      </fieldset>
    </FormOf>
  );
}
