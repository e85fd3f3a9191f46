import { useState } from "preact/hooks";
import { type Alert, alertOn, notify, permission, play, setAlert } from "../feed/alerts";
import { t } from "../texts";
import { Dialog } from "./bits";

/** Where a sound and desktop notifications are asked for. The browser is asked on a click, and never before. */
export function AlertsDialog({ onClose }: { onClose: () => void }) {
  const [on, setOn] = useState({ sound: alertOn("sound"), desktop: alertOn("desktop") });
  const [refused, setRefused] = useState("");
  const turn = async (what: Alert, wanted: boolean) => {
    const is = await setAlert(what, wanted);
    setOn((was) => ({ ...was, [what]: is }));
    if (what === "desktop")
      setRefused(!wanted || is ? "" : permission() === "missing" ? t.alerts.missing : t.alerts.denied);
    if (what === "sound" && is) play();
  };
  const box = (what: Alert) => (
    <label class="check">
      <input type="checkbox" checked={on[what]} onChange={(e) => void turn(what, e.currentTarget.checked)} />
      {t.alerts[what]}
    </label>
  );
  return (
    <Dialog title={t.alerts.title} onClose={onClose}>
      {box("sound")}
      {box("desktop")}
      {refused && (
        <p class="failure" role="status">
          {refused}
        </p>
      )}
      <p class="hint">{t.alerts.note}</p>
      <p class="actions">
        <button type="button" class="primary" onClick={onClose}>
          {t.close}
        </button>
        {on.desktop && (
          <button type="button" onClick={() => notify(t.product, t.alerts.testTitle, "baton.test", () => undefined)}>
            {t.alerts.test}
          </button>
        )}
      </p>
    </Dialog>
  );
}
