import { useRef, useState } from "preact/hooks";
import * as api from "../../api/settings";
import {
  Check,
  Count,
  Duration,
  type Form,
  FormOf,
  Group,
  Pick,
  Several,
  Shown,
  Text,
  useForm,
  useRead,
} from "../../parts/form";
import { Zone, zones } from "../../parts/zone";
import {
  type Audience,
  lastCall,
  nextStep,
  overruled,
  type Policy,
  policyFor,
  priorities,
  type Rule,
  type Section,
  type Step,
  scopeOf,
  sections,
  weight,
  without,
} from "../../state/ladder";
import type { Store } from "../../state/store";
import { settings as s, t } from "../../texts";
import { Head, type PageProps } from "../settings";

const w = s.ladder;

type Draft = api.NewLadder;

/** What the sentences name: teams, people and channels of the account. */
interface Known {
  teams: api.Team[];
  channels: api.Channel[];
  store: Store;
}

async function read() {
  const [ladder, teams, channels] = await Promise.all([api.ladder(), api.teams(), api.channels()]);
  return { ladder, teams, channels };
}

export function LadderPage({ store }: PageProps) {
  const page = useRead(read);
  return (
    <>
      <Head name="ladder">
        <p class="hint">{w.keeps}</p>
      </Head>
      <Shown of={page}>
        {({ ladder, teams, channels }) => <Rules ladder={ladder} known={{ teams, channels, store }} />}
      </Shown>
    </>
  );
}

function Rules({ ladder, known }: { ladder: api.Ladder; known: Known }) {
  const now = useRef(ladder);
  const form = useForm<Draft>(
    { rules: ladder.rules },
    async (draft) => {
      now.current = await api.setLadder(draft);
      return { rules: now.current.rules };
    },
    { read: async () => ({ rules: (await api.ladder()).rules }) },
  );
  const { rules } = form.draft;
  // The place of a rule in the request stays; only the page shows them in order.
  const order = rules.map((_, n) => n).sort((a, b) => weight(rules[a] as Rule) - weight(rules[b] as Rule));
  return (
    <FormOf form={form} label={s.pages.ladder.title}>
      <Holds rules={rules} defaults={now.current.defaults} known={known} />
      <h2 class="after-table">{w.rules}</h2>
      <p class="hint">{rules.length === 0 ? w.noRules : w.rulesHint}</p>
      {order.map((n) => (
        <RuleCard
          key={scopeOf(rules[n] as Rule)}
          form={form}
          n={n}
          rule={rules[n] as Rule}
          defaults={now.current.defaults}
          known={known}
        />
      ))}
      <AddRule form={form} known={known} />
    </FormOf>
  );
}

const names = (known: Known) => ({
  team: (id: string) => known.teams.find((x) => x.id === id)?.name ?? t.someone,
  user: (id: string) => known.store.users.find((x) => x.id === id)?.name ?? t.someone,
  channel: (id: string) => known.channels.find((x) => x.id === id)?.name ?? w.aChannel,
});

/** What the draft comes to, in words, for each priority. */
function Holds({ rules, defaults, known }: { rules: Rule[]; defaults: api.Ladder["defaults"]; known: Known }) {
  const [team, setTeam] = useState("");
  return (
    <section class="panel" aria-labelledby="holds-title">
      <h2 id="holds-title">{w.holds}</h2>
      {known.teams.length > 0 && (
        <label>
          <span>{w.holdsFor}</span>
          <select class="short" value={team} onChange={(e) => setTeam(e.currentTarget.value)}>
            <option value="">{w.noTeam}</option>
            {known.teams.map((x) => (
              <option key={x.id} value={x.id}>
                {x.name}
              </option>
            ))}
          </select>
        </label>
      )}
      {priorities.map((p) => {
        const policy = policyFor(rules, defaults, team || null, p);
        const usual = policyFor([], defaults, null, p);
        if (!policy || !usual) return null;
        const differs = sections.filter((x) => JSON.stringify(policy[x]) !== JSON.stringify(usual[x]));
        return (
          <details key={p} open={p === "critical"} class="holds">
            <summary>
              <span class={`chip priority ${p}`}>{t.priorities[p]}</span> {w.within(policy.claim_within_seconds)}{" "}
              {differs.length > 0 ? (
                <span class="chip you">{w.changed(differs.map((x) => w.sections[x].toLowerCase()))}</span>
              ) : (
                <span class="chip">{w.isDefault}</span>
              )}
            </summary>
            <Sentences policy={policy} section="steps" known={known} patient={p === "normal" || p === "low"} />
            {(["hours", "lease", "park", "reserve_seconds"] as const).map((x) => (
              <Sentences key={x} policy={policy} section={x} known={known} />
            ))}
          </details>
        );
      })}
    </section>
  );
}

/** A part of a policy in words. */
function Sentences(props: { policy: Policy; section: Section; known: Known; patient?: boolean }) {
  const { policy: p, section, known } = props;
  if (section === "steps") {
    const end = lastCall(p.steps);
    const working = props.patient && (p.hours.week?.length ?? 0) > 0;
    return (
      <ol class="sentences">
        {p.steps.map((step, n) => (
          <li key={`${step.after_seconds}`}>{w.step(step, p.steps[n + 1], names(known))}</li>
        ))}
        <li class="hint">
          {end === null ? w.nobody : w.end(end)} {working && w.working}
        </li>
      </ol>
    );
  }
  return <p>{w.say[section](p as never)}</p>;
}

function RuleCard(props: { form: Form<Draft>; n: number; rule: Rule; defaults: api.Ladder["defaults"]; known: Known }) {
  const { form, n, rule, known, defaults } = props;
  const title = w.scope(rule.team_id ? names(known).team(rule.team_id) : null, rule.priority ?? null);
  const empty = sections.every((x) => rule[x] === undefined);
  return (
    <Group form={form} at={`/rules/${n}`} label={title} class="panel rule">
      {empty && <p class="notice">{w.emptyRule}</p>}
      {sections.map((section) => (
        <Part
          key={section}
          form={form}
          at={`/rules/${n}/${section}`}
          title={title}
          rule={rule}
          section={section}
          defaults={defaults}
          known={known}
        />
      ))}
      <p class="actions">
        <button type="button" class="danger" onClick={() => form.set(`/rules/${n}`, undefined)}>
          {w.removeRule(title)}
        </button>
      </p>
    </Group>
  );
}

/** One section of a rule: as it is without the rule or, when it is otherwise, its fields beside what they replace. */
function Part(props: {
  form: Form<Draft>;
  at: string;
  title: string;
  rule: Rule;
  section: Section;
  defaults: api.Ladder["defaults"];
  known: Known;
}) {
  const { form, at, rule, section, defaults, known } = props;
  const { rules } = form.draft;
  const on = rule[section] !== undefined;
  const usual = without(rule, rules, defaults, section);
  const above = on ? overruled(rule, rules, section) : [];
  const start = usual[0]?.policy[section];
  return (
    <div class={on ? "section on" : "section"}>
      <label class="check">
        <input
          type="checkbox"
          checked={on}
          aria-label={`${w.sections[section]}: ${props.title}`}
          onChange={(e) => form.set(at, e.currentTarget.checked ? begin(section, start) : undefined)}
        />
        <strong>{w.sections[section]}</strong>
      </label>
      {on && (
        <div class="own">
          {section === "steps" && <Steps form={form} at={at} known={known} />}
          {section === "claim_within_seconds" && (
            <Duration form={form} at={at} label={w.sections[section]} hint={w.withinHint} />
          )}
          {section === "reserve_seconds" && (
            <Duration form={form} at={at} label={w.sections[section]} hint={w.reserveHint} />
          )}
          {section === "hours" && <HoursFields form={form} at={at} />}
          {section === "lease" && <LeaseFields form={form} at={at} />}
          {section === "park" && (
            <>
              <Check form={form} at={`${at}/tell_team`} label={w.tellTeam} hint={w.tellTeamHint} />
              <Duration
                form={form}
                at={`${at}/escalate_after_seconds`}
                label={w.escalateAfter}
                hint={w.escalateAfterHint}
              />
            </>
          )}
          {above.length > 0 && (
            <p class="notice">
              {w.overruled(
                above.map((r) => w.scope(r.team_id ? names(known).team(r.team_id) : null, r.priority ?? null)),
              )}
            </p>
          )}
        </div>
      )}
      <div class={on ? "usual beside-own" : "usual"}>
        {on && <p class="hint">{w.instead}</p>}
        <Usual groups={usual} section={section} known={known} />
      </div>
    </div>
  );
}

/** What holds without a rule; folded when it is another for each priority. */
function Usual(props: { groups: ReturnType<typeof without>; section: Section; known: Known }) {
  const { groups, section, known } = props;
  const each = groups.map((g) => (
    <div key={g.priorities.join()} class="hint">
      {groups.length > 1 && <strong>{g.priorities.map((p) => t.priorities[p]).join(", ")}</strong>}
      <Sentences policy={g.policy} section={section} known={known} />
    </div>
  ));
  if (groups.length < 2) return <>{each}</>;
  return (
    <details>
      <summary class="hint">{w.byPriority}</summary>
      {each}
    </details>
  );
}

/** What a section begins with when it is to be otherwise: as it is, or the most usual when there is nothing yet. */
function begin(section: Section, now: unknown): unknown {
  if (section === "hours") {
    const hours = now as Policy["hours"] | undefined;
    if (hours?.week?.length) return hours;
    return {
      zone: zones.here,
      week: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" }],
      holidays: [],
    };
  }
  if (section === "lease") {
    const lease = now as Policy["lease"] | undefined;
    if (lease?.remind_after_seconds) return lease;
    return { remind_after_seconds: 1800, ask_after_seconds: 900, take_back_after_seconds: 900 };
  }
  return now ?? 0;
}

function Steps({ form, at, known }: { form: Form<Draft>; at: string; known: Known }) {
  const [, i = "0"] = /^\/rules\/(\d+)/.exec(at) ?? [];
  const steps = form.draft.rules[Number(i)]?.steps ?? [];
  return (
    <Group
      form={form}
      at={at}
      label={<span class="aloud">{w.sections.steps}</span>}
      name={w.sections.steps}
      class="bare"
    >
      {steps.map((step, n) => (
        // Steps have no names of their own; their order is what they are.
        <StepFields key={n} form={form} at={`${at}/${n}`} n={n} step={step} next={steps[n + 1]} known={known} />
      ))}
      {steps.length === 0 && <p class="notice">{w.nobody}</p>}
      <p class="actions">
        <button type="button" onClick={() => form.set(`${at}/${steps.length}`, nextStep(steps))}>
          {w.addStep}
        </button>
      </p>
    </Group>
  );
}

function StepFields(props: {
  form: Form<Draft>;
  at: string;
  n: number;
  step: Step;
  next: Step | undefined;
  known: Known;
}) {
  const { form, at, n, step, next, known } = props;
  const repeated = (step.repeat_times ?? 0) > 0;
  const used = new Set(step.to.flatMap((a) => a.channels ?? []));
  const missing = [...used].filter((c) => c !== "email" && !known.channels.some((k) => k.kind === c));
  return (
    <Group form={form} at={at} label={w.stepTitle(n + 1)} class="step">
      <p class="sentence" aria-live="polite">
        {w.step(step, next, names(known))}
      </p>
      <Duration form={form} at={`${at}/after_seconds`} label={w.after} hint={n === 0 ? w.afterHint : undefined} />
      <Group form={form} at={`${at}/to`} label={w.to} class="bare">
        {step.to.map((a, i) => (
          <AudienceFields
            key={i}
            form={form}
            at={`${at}/to/${i}`}
            label={w.audience(n + 1, i + 1)}
            of={a}
            known={known}
            alone={step.to.length === 1}
          />
        ))}
        <button type="button" class="quiet" onClick={() => form.set(`${at}/to/${step.to.length}`, { who: "admins" })}>
          {w.addAudience}
        </button>
      </Group>
      {missing.length > 0 && (
        <p class="notice">{w.missing(missing.map((c) => s.channelKinds[c as api.ChannelKind]))}</p>
      )}
      <label class="check">
        <input
          type="checkbox"
          checked={repeated}
          onChange={(e) =>
            form.set(at, {
              ...step,
              repeat_times: e.currentTarget.checked ? 3 : 0,
              repeat_every_seconds: e.currentTarget.checked ? 600 : 0,
            })
          }
        />
        {w.repeat}
      </label>
      {repeated && (
        <div class="row">
          <Duration form={form} at={`${at}/repeat_every_seconds`} label={w.every} />
          <Count form={form} at={`${at}/repeat_times`} label={w.times} min={1} max={100} />
        </div>
      )}
      <p class="actions">
        <button type="button" class="quiet" onClick={() => form.set(at, undefined)}>
          {w.removeStep(n + 1)}
        </button>
      </p>
    </Group>
  );
}

function AudienceFields(props: {
  form: Form<Draft>;
  at: string;
  label: string;
  of: Audience;
  known: Known;
  alone: boolean;
}) {
  const { form, at, of: a, known } = props;
  const choose = (who: string) => {
    const rest = a.channels?.length ? { channels: a.channels } : {};
    if (who === "user") form.set(at, { who, user_id: known.store.users[0]?.id ?? "", ...rest });
    else if (who === "endpoint") form.set(at, { who, endpoint_id: known.channels[0]?.id ?? "" });
    else form.set(at, { who, ...rest });
  };
  return (
    <Group form={form} at={at} label={<span class="aloud">{props.label}</span>} name={props.label} class="audience">
      <select aria-label={w.who} value={a.who} onChange={(e) => choose(e.currentTarget.value)}>
        {Object.entries(w.whos)
          .filter(([who]) => who !== "endpoint" || known.channels.length > 0 || a.who === "endpoint")
          .map(([who, word]) => (
            <option key={who} value={who}>
              {word}
            </option>
          ))}
      </select>
      {a.who === "user" && (
        <Pick
          form={form}
          at={`${at}/user_id`}
          label={w.whichUser}
          options={known.store.users.map((u) => [u.id, u.name])}
        />
      )}
      {a.who === "endpoint" && (
        <Pick
          form={form}
          at={`${at}/endpoint_id`}
          label={w.whichChannel}
          options={known.channels.map((c) => [c.id, c.name])}
        />
      )}
      {!props.alone && (
        <button type="button" class="quiet" onClick={() => form.set(at, undefined)}>
          {w.removeAudience}
        </button>
      )}
      {a.who !== "endpoint" && (
        <span class="over">
          <span class="hint">{a.channels?.length ? w.over : w.overPreferred}</span>
          <Several
            label={w.over}
            options={Object.entries(s.channelKinds)}
            value={a.channels ?? []}
            onChange={(list) => form.set(`${at}/channels`, list.length > 0 ? list : undefined)}
          />
        </span>
      )}
    </Group>
  );
}

function HoursFields({ form, at }: { form: Form<Draft>; at: string }) {
  const [, i = "0"] = /^\/rules\/(\d+)/.exec(at) ?? [];
  const hours = form.draft.rules[Number(i)]?.hours ?? {};
  const week = hours.week ?? [];
  return (
    <Group
      form={form}
      at={at}
      label={<span class="aloud">{w.sections.hours}</span>}
      name={w.sections.hours}
      class="bare"
    >
      <p class="sentence" aria-live="polite">
        {w.say.hours({ hours })}
      </p>
      <p class="hint">{w.hoursHint}</p>
      <Zone form={form} at={`${at}/zone`} />
      {week.map((window, n) => (
        <Group key={n} form={form} at={`${at}/week/${n}`} label={w.window(n + 1)} class="window">
          <Several
            label={w.days}
            options={Object.entries(w.dayNames)}
            value={window.days}
            onChange={(days) => form.set(`${at}/week/${n}/days`, days)}
          />
          <div class="row">
            <Text form={form} at={`${at}/week/${n}/from`} label={w.fromTime} placeholder="08:00" maxLength={5} />
            <Text form={form} at={`${at}/week/${n}/to`} label={w.toTime} placeholder="18:00" maxLength={5} />
          </div>
          <button type="button" class="quiet" onClick={() => form.set(`${at}/week/${n}`, undefined)}>
            {w.removeWindow(n + 1)}
          </button>
        </Group>
      ))}
      <button
        type="button"
        onClick={() => form.set(`${at}/week`, [...week, { days: ["sat"], from: "09:00", to: "13:00" }])}
      >
        {w.addWindow}
      </button>
      <Holidays form={form} at={`${at}/holidays`} days={hours.holidays ?? []} />
    </Group>
  );
}

/** Days, one in each line. */
function Holidays({ form, at, days }: { form: Form<Draft>; at: string; days: string[] }) {
  const [day, setDay] = useState("");
  const add = () => {
    if (day && !days.includes(day)) form.set(at, [...days, day].sort());
    setDay("");
  };
  return (
    <Group form={form} at={at} label={w.holidays} hint={w.holidaysHint} class="bare">
      {days.length > 0 && (
        <ul class="tags">
          {days.map((d) => (
            <li key={d} class="chip">
              {w.day(d)}
              <button
                type="button"
                class="quiet"
                aria-label={w.removeDay(w.day(d))}
                onClick={() =>
                  form.set(
                    at,
                    days.filter((x) => x !== d),
                  )
                }
              >
                ×
              </button>
            </li>
          ))}
        </ul>
      )}
      <span class="kept">
        <input
          type="date"
          class="short"
          aria-label={w.holiday}
          value={day}
          onInput={(e) => setDay(e.currentTarget.value)}
        />
        <button type="button" onClick={add}>
          {w.addDay}
        </button>
      </span>
    </Group>
  );
}

function LeaseFields({ form, at }: { form: Form<Draft>; at: string }) {
  const [, i = "0"] = /^\/rules\/(\d+)/.exec(at) ?? [];
  const lease = form.draft.rules[Number(i)]?.lease;
  const on =
    !!lease && (lease.remind_after_seconds > 0 || lease.ask_after_seconds > 0 || lease.take_back_after_seconds > 0);
  return (
    <Group
      form={form}
      at={at}
      label={<span class="aloud">{w.sections.lease}</span>}
      name={w.sections.lease}
      class="bare"
    >
      <p class="sentence" aria-live="polite">
        {lease && w.say.lease({ lease })}
      </p>
      <label class="check">
        <input
          type="checkbox"
          checked={on}
          onChange={(e) =>
            form.set(
              at,
              e.currentTarget.checked
                ? begin("lease", undefined)
                : { remind_after_seconds: 0, ask_after_seconds: 0, take_back_after_seconds: 0 },
            )
          }
        />
        {w.leaseOn}
      </label>
      {on && (
        <div class="row">
          <Duration form={form} at={`${at}/remind_after_seconds`} label={w.remind} />
          <Duration form={form} at={`${at}/ask_after_seconds`} label={w.ask} />
          <Duration form={form} at={`${at}/take_back_after_seconds`} label={w.takeBack} />
        </div>
      )}
    </Group>
  );
}

function AddRule({ form, known }: { form: Form<Draft>; known: Known }) {
  const [priority, setPriority] = useState("");
  const [team, setTeam] = useState("");
  const { rules } = form.draft;
  const rule: Rule = { team_id: team || null, priority: (priority || null) as NonNullable<Rule["priority"]> | null };
  const twice = rules.some((r) => scopeOf(r) === scopeOf(rule));
  return (
    <fieldset class="panel group">
      <legend>{w.addRule}</legend>
      <div class="row">
        <label>
          <span>{w.priority}</span>
          <select value={priority} onChange={(e) => setPriority(e.currentTarget.value)}>
            <option value="">{w.everyPriority}</option>
            {priorities.map((p) => (
              <option key={p} value={p}>
                {t.priorities[p]}
              </option>
            ))}
          </select>
        </label>
        {known.teams.length > 0 && (
          <label>
            <span>{w.team}</span>
            <select value={team} onChange={(e) => setTeam(e.currentTarget.value)}>
              <option value="">{w.everyTeam}</option>
              {known.teams.map((x) => (
                <option key={x.id} value={x.id}>
                  {x.name}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <p class="actions">
        <button
          type="button"
          aria-disabled={twice}
          aria-describedby="add-rule-why"
          onClick={() => !twice && form.set(`/rules/${rules.length}`, rule)}
        >
          {w.addRuleFor(w.scope(team ? names(known).team(team) : null, rule.priority ?? null))}
        </button>
        <span id="add-rule-why" class="hint">
          {twice ? w.twice : ""}
        </span>
      </p>
    </fieldset>
  );
}
