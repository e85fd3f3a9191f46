import { useEffect, useState } from "preact/hooks";
import * as api from "../api/client";
import { Failure } from "../parts/bits";
import { explain } from "../state/store";
import { t } from "../texts";

/** Where to go afterwards: an address of ours, and not this one. */
function next(query: URLSearchParams): string {
  const to = query.get("next") ?? "/";
  return /^\/(?![/\\])/.test(to) && !to.startsWith("/sign-in") ? to : "/";
}

export function SignInPage({ query }: { query: URLSearchParams }) {
  const [methods, setMethods] = useState<api.SignInMethods | null>(null);
  const [failure, setFailure] = useState("");
  const error = query.get("error");
  const load = () => {
    setFailure("");
    api.signInMethods().then(setMethods, (e) => setFailure(explain(e)));
  };
  useEffect(load, []);
  const be = async (email: string) => {
    setFailure("");
    try {
      await api.signInAs(email);
      if ("BroadcastChannel" in window) new BroadcastChannel("baton").postMessage("signed in");
      location.assign(next(query));
    } catch (e) {
      setFailure(explain(e));
    }
  };
  const why =
    error === "ended" ? t.signInPage.ended : error ? (t.signInPage.failed[error] ?? t.signInPage.failed.refused) : "";
  return (
    <main class="sign-in" id="content">
      <h1>
        <img src="/icon.svg" alt="" width="36" height="36" /> {t.product}
      </h1>
      <p class="lead">{t.signInPage.lead}</p>
      {why && (
        <p class="failure" role="status">
          {why}
        </p>
      )}
      {failure && <Failure text={failure} retry={load} />}
      {methods?.oidc && (
        <p>
          <a class="button primary" href={`/auth/login?next=${encodeURIComponent(next(query))}`} target="_self">
            {t.signInPage.oidc}
          </a>
        </p>
      )}
      {methods && methods.demo.length > 0 && (
        <>
          <p id="demo">{t.signInPage.demo}</p>
          <ul class="people" aria-labelledby="demo">
            {methods.demo.map((p) => (
              <li key={p.email}>
                <button type="button" onClick={() => void be(p.email)}>
                  <strong>{p.name}</strong> <span>{p.role}</span> <span>{p.email}</span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      {methods && !methods.oidc && methods.demo.length === 0 && <p>{t.signInPage.none}</p>}
    </main>
  );
}
