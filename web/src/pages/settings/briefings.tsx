import { useRef } from "preact/hooks";
import * as api from "../../api/settings";
import { Check, Count, FormOf, Shown, useForm, useRead } from "../../parts/form";
import { settings as s } from "../../texts";
import { Head } from "../settings";

const w = s.briefings;

export function BriefingsPage() {
  const page = useRead(api.briefings);
  return (
    <>
      <Head name="briefings" />
      <Shown of={page}>{(now) => <Settings now={now} set={page.set} />}</Shown>
    </>
  );
}

const draftOf = (b: api.BriefingSettings): api.NewBriefingSettings => ({
  use_model: b.use_model,
  monthly_budget_usd: b.monthly_budget_usd,
});

function Settings({ now, set }: { now: api.BriefingSettings; set: (b: api.BriefingSettings) => void }) {
  const next = useRef(now);
  const form = useForm(
    draftOf(now),
    async (draft) => {
      next.current = await api.setBriefings(draft);
      return draftOf(next.current);
    },
    { read: async () => draftOf(await api.briefings()), done: () => set(next.current) },
  );
  const budget = form.draft.monthly_budget_usd ?? now.default_budget_usd;
  return (
    <>
      <div class="panel" role="status">
        <p>{now.model ? w.model(now.model) : w.noModel}</p>
        <p>
          {w.spent(now.spent_usd, budget)}{" "}
          <meter
            min={0}
            max={Math.max(budget, 0.01)}
            value={Math.min(now.spent_usd, budget)}
            aria-label={w.spentLabel}
          />
        </p>
        {now.spent_usd >= budget && form.draft.use_model && now.model && <p class="notice">{w.over}</p>}
      </div>
      <FormOf form={form} label={s.pages.briefings.title}>
        <div class="panel">
          <Check form={form} at="/use_model" label={w.use} hint={w.useHint} />
          <Count
            form={form}
            at="/monthly_budget_usd"
            label={w.budget}
            hint={w.budgetHint(now.default_budget_usd)}
            min={0}
            step={1}
            empty={null}
          />
        </div>
      </FormOf>
    </>
  );
}
