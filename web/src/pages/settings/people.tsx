import { useRef, useState } from "preact/hooks";
import * as api from "../../api/settings";
import { Ago, Dialog } from "../../parts/bits";
import { Confirm, FormOf, Pick, Shown, Text, useForm, useRead } from "../../parts/form";
import { Table } from "../../parts/table";
import type { Store } from "../../state/store";
import { settings as s } from "../../texts";
import { Head, type PageProps } from "../settings";

const w = s.people;

export function PeoplePage({ store }: PageProps) {
  const people = useRead(api.people);
  const teams = useRead(api.teams);
  const [changing, setChanging] = useState<api.Person | "new" | null>(null);
  const [disabling, setDisabling] = useState<api.Person | null>(null);
  const [naming, setNaming] = useState<api.Team | "new" | null>(null);
  const learn = (u: api.Person) => {
    people.set(sorted([...(people.value ?? []).filter((x) => x.id !== u.id), u]));
    teams.again(); // how many are in each may have changed
  };
  const mayTouch = (u: api.Person) => store.me.role === "owner" || u.role !== "owner";
  return (
    <>
      <Head name="users" />
      <Shown of={people}>
        {(list) => (
          <Table
            label={s.pages.users.title}
            rows={list}
            id={(u) => u.id}
            empty={w.empty}
            class={(u) => (u.disabled_at ? "gone" : "")}
            columns={[
              {
                name: w.name,
                cell: (u) => (
                  <>
                    {u.name} {u.id === store.me.user_id && <span class="chip you">{w.you}</span>}
                    {u.kind === "service" && <span class="chip">{w.service}</span>}
                    <span class="hint below">{u.email}</span>
                  </>
                ),
              },
              { name: w.role, cell: (u) => w.roles[u.role] },
              { name: w.team, cell: (u) => u.team_name ?? w.noTeam },
              { name: w.state, cell: (u) => <Standing of={u} /> },
              {
                name: w.actions,
                hidden: true,
                cell: (u) =>
                  mayTouch(u) && (
                    <span class="row-actions">
                      <button type="button" aria-label={`${w.change}: ${u.name}`} onClick={() => setChanging(u)}>
                        {w.change}
                      </button>
                      {u.disabled_at ? (
                        <Enable of={u} onDone={learn} store={store} />
                      ) : (
                        u.id !== store.me.user_id && (
                          <button
                            type="button"
                            class="danger"
                            aria-label={`${w.disable}: ${u.name}`}
                            onClick={() => setDisabling(u)}
                          >
                            {w.disable}
                          </button>
                        )
                      )}
                    </span>
                  ),
              },
            ]}
          />
        )}
      </Shown>
      <p class="actions">
        <button type="button" class="primary" onClick={() => setChanging("new")}>
          {w.add}
        </button>
      </p>
      <h2 class="after-table" id="teams">
        {w.teams}
      </h2>
      <p class="hint">{w.teamsHint}</p>
      <Shown of={teams}>
        {(list) => (
          <Table
            label={w.teams}
            rows={list}
            id={(x) => x.id}
            empty={w.noTeams}
            columns={[
              { name: w.name, cell: (x) => x.name },
              { name: w.members, cell: (x) => w.membersOf(x.members) },
              {
                name: w.actions,
                hidden: true,
                cell: (x) => (
                  <button type="button" aria-label={`${w.rename}: ${x.name}`} onClick={() => setNaming(x)}>
                    {w.rename}
                  </button>
                ),
              },
            ]}
          />
        )}
      </Shown>
      <p class="actions">
        <button type="button" onClick={() => setNaming("new")}>
          {w.addTeam}
        </button>
      </p>
      {changing && (
        <PersonForm
          store={store}
          of={changing === "new" ? null : changing}
          teams={teams.value ?? []}
          onDone={learn}
          onClose={() => setChanging(null)}
        />
      )}
      {naming && (
        <TeamForm
          of={naming === "new" ? null : naming}
          onDone={() => {
            store.say(w.saved);
            teams.again();
            people.again();
          }}
          onClose={() => setNaming(null)}
        />
      )}
      {disabling && (
        <Confirm
          title={w.disableTitle(disabling.name)}
          text={w.disableText}
          action={w.disable}
          onYes={async () => {
            learn(await api.disableUser(disabling.id));
            store.say(w.disabledNow(disabling.name));
          }}
          onClose={() => setDisabling(null)}
        />
      )}
    </>
  );
}

/** Who may sign in first, by name. */
const sorted = (list: api.Person[]) =>
  list.sort((a, b) => Number(!!a.disabled_at) - Number(!!b.disabled_at) || a.name.localeCompare(b.name));

function Standing({ of: u }: { of: api.Person }) {
  if (u.disabled_at)
    return (
      <>
        <span class="chip failed">{w.disabled}</span> <Ago since={u.disabled_at} />
      </>
    );
  if (u.kind === "service") return <span>{w.byKeys}</span>;
  return u.signed_in ? <span class="chip done">{w.active}</span> : <span class="chip">{w.notYet}</span>;
}

function Enable({ of: u, onDone, store }: { of: api.Person; onDone: (u: api.Person) => void; store: Store }) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <button type="button" aria-label={`${w.enable}: ${u.name}`} onClick={() => setAsking(true)}>
        {w.enable}
      </button>
      {asking && (
        <Confirm
          title={w.enableTitle(u.name)}
          text={w.enableText(w.roles[u.role])}
          action={w.enable}
          calm
          onYes={async () => {
            onDone(await api.enableUser(u.id));
            store.say(w.enabledNow(u.name));
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

function PersonForm(props: {
  store: Store;
  of: api.Person | null;
  teams: api.Team[];
  onDone: (u: api.Person) => void;
  onClose: () => void;
}) {
  const { of: u, store } = props;
  const done = useRef<api.Person | null>(null);
  const form = useForm<api.NewUser>(
    u
      ? { email: u.email ?? "", kind: u.kind, name: u.name, role: u.role, team_id: u.team_id }
      : { email: "", kind: "person", name: "", role: "engineer", team_id: null },
    async (draft) => {
      const { name, role, team_id } = draft;
      done.current = u
        ? await api.setUser(u.id, { name, role, team_id: team_id ?? null })
        : await api.createUser(draft);
      return draft;
    },
    {
      done: () => {
        if (done.current) props.onDone(done.current);
        store.say(u ? w.saved : w.added);
        props.onClose();
      },
    },
  );
  const roles = (["viewer", "engineer", "admin", "owner"] as const).filter(
    (r) => (r !== "owner" || store.me.role === "owner") && !(r === "owner" && form.draft.kind === "service"),
  );
  const close = () => {
    if (form.changed.length === 0 || confirm(s.form.leave)) props.onClose();
  };
  return (
    <Dialog title={u ? w.changeTitle(u.name) : w.add} onClose={close}>
      <FormOf
        form={form}
        fresh={!u}
        label={u ? w.changeTitle(u.name) : w.add}
        action={u ? s.form.save : w.addAction}
        onClose={close}
      >
        {!u && (
          <Pick
            form={form}
            at="/kind"
            label={w.kind}
            hint={w.kindHints[form.draft.kind ?? "person"]}
            options={Object.entries(w.kinds)}
          />
        )}
        <Text form={form} at="/name" label={w.name} maxLength={200} />
        {!u && (
          <Text
            form={form}
            at="/email"
            type="email"
            label={w.email}
            hint={w.emailHints[form.draft.kind ?? "person"]}
            maxLength={254}
          />
        )}
        <Pick
          form={form}
          at="/role"
          label={w.role}
          hint={w.roleHints[form.draft.role]}
          options={roles.map((r) => [r, w.roles[r]])}
        />
        <Pick
          form={form}
          at="/team_id"
          label={w.team}
          hint={w.teamHint}
          empty={null}
          options={[["", w.noTeam], ...props.teams.map((x): [string, string] => [x.id, x.name])]}
        />
      </FormOf>
    </Dialog>
  );
}

function TeamForm(props: { of: api.Team | null; onDone: () => void; onClose: () => void }) {
  const { of: team } = props;
  const form = useForm(
    { name: team?.name ?? "" },
    async (draft) => {
      await (team ? api.setTeam(team.id, draft) : api.createTeam(draft));
      return draft;
    },
    {
      done: () => {
        props.onDone();
        props.onClose();
      },
    },
  );
  const close = () => {
    if (form.changed.length === 0 || confirm(s.form.leave)) props.onClose();
  };
  const title = team ? w.renameTitle(team.name) : w.addTeam;
  return (
    <Dialog title={title} onClose={close}>
      <FormOf form={form} label={title} action={team ? s.form.save : w.addAction} fresh={!team} onClose={close}>
        <Text form={form} at="/name" label={w.teamName} maxLength={200} />
      </FormOf>
    </Dialog>
  );
}
