// Pages that most people do not open come when they are opened, each as a script of its own.
import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../texts";
import { Failure } from "./bits";

/** A component that is loaded when it is first shown. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): (props: P) => VNode {
  let loaded: ComponentType<P> | null = null;
  return (props) => {
    const [Page, setPage] = useState(() => loaded);
    const [failed, setFailed] = useState(false);
    const fetch = () => {
      setFailed(false);
      load().then(
        (page) => {
          loaded = page;
          setPage(() => page);
        },
        () => setFailed(true),
      );
    };
    useEffect(() => {
      if (!loaded) fetch();
    }, []);
    // A browser remembers that a script could not be loaded, so only a fresh page tries it again.
    if (failed) return <Failure text={t.lazy} retry={() => location.reload()} />;
    return Page ? <Page {...props} /> : <p class="loading">{t.loading}</p>;
  };
}
