import { useEffect, useState } from "preact/hooks";
import * as api from "../api/client";
import { looksSecret, takenOut } from "../state/complete";
import { t } from "../texts";

/** How long somebody has to have stopped typing before the server is asked, in ms. */
const pause = 600;

/** Warns of credentials in a text before it is sent. What the server finds it also takes out of tickets and messages. */
export function Secrets({ text }: { text: string }) {
  const [answer, setAnswer] = useState<{ of: string; lines: string[] }>({ of: "", lines: [] });
  useEffect(() => {
    if (text.trim() === "") return;
    let on = true;
    const timer = setTimeout(() => {
      api.checkCredentials(text).then(
        (a) => on && setAnswer({ of: text, lines: a.found > 0 ? takenOut(a.redacted) : [] }),
        () => undefined, // the page's own look has to do
      );
    }, pause);
    return () => {
      on = false;
      clearTimeout(timer);
    };
  }, [text]);
  // Until the newest text is answered, what was found stays.
  const lines = text.trim() === "" ? [] : answer.lines;
  return (
    <div role="status">
      {(lines.length > 0 || (answer.of !== text && looksSecret(text))) && (
        <div class="failure">
          <p>{t.form.secret}</p>
          <ul>
            {lines.map((line) => (
              <li key={line}>
                <code>{line}</code>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
