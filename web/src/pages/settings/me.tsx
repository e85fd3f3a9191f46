import * as api from "../../api/settings";
import { FormOf, Group, Several, Shown, Text, useForm, useRead } from "../../parts/form";
import { Zone, zones } from "../../parts/zone";
import { settings as s, t } from "../../texts";
import { Head } from "../settings";

const w = s.me;
const names = Object.entries(s.channelKinds);
const priorities = ["critical", "high", "normal", "low"] as const;

export function MePage() {
  const page = useRead(api.myNotifications);
  return (
    <>
      <Head name="me" />
      <Shown of={page}>{(now) => <Settings now={now} />}</Shown>
    </>
  );
}

/** What is not set is left out, so that it is as Baton does for everybody. */
function draftOf(n: api.NotificationSettings): api.NewNotificationSettings {
  return {
    ...(n.channels ? { channels: n.channels } : {}),
    priorities: n.priorities,
    ...(n.quiet ? { quiet: n.quiet } : {}),
    zone: n.zone || (n.quiet ? "UTC" : zones.here),
  };
}

function Settings({ now }: { now: api.NotificationSettings }) {
  const form = useForm(draftOf(now), async (draft) => draftOf(await api.setMyNotifications(draft)));
  const { draft } = form;
  const usual = draft.channels ?? ["email"];
  return (
    <FormOf form={form} label={s.pages.me.title}>
      <p class="panel sentence" role="status">
        {w.sentence(draft)}
      </p>
      <Group form={form} at="/channels" label={w.channels} hint={w.channelsHint} class="panel">
        <Several label={w.channels} options={names} value={usual} onChange={(list) => form.set("/channels", list)} />
        {draft.channels?.length === 0 && <p class="notice">{w.none}</p>}
        <ul class="hints">
          {names.map(([name, word]) => (
            <li key={name} class="hint">
              {word}: {w.means[name as api.ChannelKind]}
            </li>
          ))}
        </ul>
      </Group>
      <Group form={form} at="/priorities" label={w.priorities} hint={w.prioritiesHint} class="panel">
        {priorities.map((p) => {
          const own = draft.priorities?.[p];
          return (
            <div key={p} class="by-priority">
              <label class="check">
                <input
                  type="checkbox"
                  checked={own !== undefined}
                  onChange={(e) => form.set(`/priorities/${p}`, e.currentTarget.checked ? usual : undefined)}
                />
                {w.otherwise(t.priorities[p] ?? p)}
              </label>
              {own ? (
                <>
                  <Several
                    label={t.priorities[p] ?? p}
                    options={names}
                    value={own}
                    onChange={(list) => form.set(`/priorities/${p}`, list)}
                  />
                  {own.length === 0 && <span class="notice">{w.noneOf(t.priorities[p] ?? p)}</span>}
                </>
              ) : (
                <span class="hint">{w.same}</span>
              )}
            </div>
          );
        })}
      </Group>
      <Group form={form} at="/quiet" label={w.quiet} hint={w.quietHint} class="panel">
        <label class="check">
          <input
            type="checkbox"
            checked={draft.quiet !== undefined}
            onChange={(e) => form.set("/quiet", e.currentTarget.checked ? { from: "18:00", to: "08:00" } : undefined)}
          />
          {w.quietOn}
        </label>
        {draft.quiet && (
          <div class="row">
            <Text form={form} at="/quiet/from" label={w.from} maxLength={5} placeholder="18:00" />
            <Text form={form} at="/quiet/to" label={w.to} maxLength={5} placeholder="08:00" />
          </div>
        )}
        <Zone form={form} at="/zone" hint={w.zoneHint} />
      </Group>
    </FormOf>
  );
}
