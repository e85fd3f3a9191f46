import type { Viewer } from "../api/types";
import { t } from "../texts";

export const initials = (name: string) => {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((w) => (w ? [...w][0] : ""));
  return letters.join("").toUpperCase() || "?";
};

/** Who looks at something now: initials for the eye, a sentence for the ear. */
export function Viewers({ of, words = false }: { of: Viewer[]; words?: boolean }) {
  const first = of[0];
  if (!first) return null;
  const sentence = t.presence.looks(of.map((v) => v.user_name));
  return (
    <span class="viewers" title={sentence}>
      {of.slice(0, 3).map((v) => (
        <span key={v.user_id} class="avatar" aria-hidden="true">
          {initials(v.user_name)}
        </span>
      ))}
      {words ? (
        <span>{sentence}</span>
      ) : (
        <>
          <span aria-hidden="true">
            {of.length === 1 ? first.user_name : of.length > 3 && t.presence.more(of.length - 3)}
          </span>
          <span class="aloud">{sentence}</span>
        </>
      )}
    </span>
  );
}
