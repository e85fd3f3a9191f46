import { go, handoffPath } from "../router";
import { asks, type Card } from "../state/cards";
import type { Store } from "../state/store";
import { t } from "../texts";
import { Age, Ago, clockTime, Priority, useClock } from "./bits";
import { Viewers } from "./people";
import { Wait } from "./wait";

/** Claims, and leads to the handoff when it is won. */
export async function claimAndOpen(store: Store, card: { id: string; session_id: string }): Promise<void> {
  const won = await store.claim(card);
  if (won) go(handoffPath(won));
}

/** A handoff in the queue. */
export function QueueCard({ card, store }: { card: Card; store: Store }) {
  const notice = store.notices.get(card.id);
  const gone = card.status !== "queued";
  const busy = store.claiming.has(card.id);
  const me = store.me.user_id;
  // While it lasts; the clock looks at it each second.
  const kept = useClock((now) =>
    card.status === "queued" && card.reservedUntil && Date.parse(card.reservedUntil) > now ? card.reservedUntil : "",
  );
  const classes = ["card", card.priority, card.intent];
  if (store.arrived.has(card.id)) classes.push("arrived");
  if (gone) classes.push("gone");
  return (
    <li class={classes.join(" ")} data-id={card.id} data-version={card.version}>
      <div class="card-head">
        <Priority of={card.priority} />
        <span class={`chip intent ${card.intent}`}>{t.intents[card.intent] ?? card.intent}</span>
        {card.target === me && !kept && <span class="chip you">{t.list.forYou}</span>}
        {kept && (
          <span class={card.target === me ? "chip you" : "chip kept"}>
            {card.target === me
              ? t.list.reservedForYou(clockTime(kept))
              : t.list.reserved(card.targetName ?? t.someone, clockTime(kept))}
          </span>
        )}
        {card.wakeAt && <span class="chip">{t.list.wakes(clockTime(card.wakeAt))}</span>}
        {card.generation > 1 && <span class="chip">{t.list.again(card.generation)}</span>}
        <span class="age">
          <Viewers of={store.viewers.get(card.id) ?? []} />
          {!gone && <Wait card={card} />}
        </span>
      </div>
      <h2>
        <a href={handoffPath(card)} data-card={card.id}>
          {card.title}
        </a>
      </h2>
      <p class="facts">
        <strong>{card.client}</strong>
        {card.ticket && <span>#{card.ticket}</span>}
        <span>
          {t.list.from(card.senderName ?? t.someone)}
          {card.target && card.target !== me ? ` ${t.list.target(card.targetName ?? t.someone)}` : ""}
        </span>
      </p>
      <Trouble card={card} />
      <p class="excerpt">{card.excerpt}</p>
      <div class={notice || gone ? "card-foot" : "card-foot side"}>
        {notice ? (
          <p class="notice">
            {notice.text ?? (
              <>
                {t.claim.lost(notice.name, "")}
                {notice.at !== null && <Ago since={notice.at} />}
              </>
            )}
          </p>
        ) : gone ? (
          <p class="notice">
            {card.holder
              ? t.list.heldBy(card.holderName ?? t.someone)
              : card.status === "returned"
                ? t.list.waitsForAnswer(card.senderName ?? t.someone)
                : t.claim.gone}
          </p>
        ) : null}
        {(notice || gone) && (
          <a class="button" href={handoffPath(card)}>
            {t.claim.watch}
          </a>
        )}
        {notice && (
          <button type="button" class="quiet" onClick={() => store.dismiss(card.id)}>
            {t.claim.dismiss}
          </button>
        )}
        {!gone && !notice?.at && (!kept || card.target === me) && (
          <button
            type="button"
            class="primary"
            aria-disabled={busy}
            aria-label={`${t.claim.do}: ${card.title}`}
            onClick={() => void claimAndOpen(store, card)}
          >
            {busy ? t.claim.busy : t.claim.do}
          </button>
        )}
      </div>
    </li>
  );
}

function Trouble({ card }: { card: Card }) {
  const list = Object.entries(card.trouble);
  if (list.length === 0) return null;
  return (
    <p class="trouble">
      {list.map(([kind, e]) => (
        <span key={kind}>
          {t.effects[kind] ?? kind}: {t.effectStates[e.state] ?? e.state}
          {e.next ? `, ${t.nextTry(clockTime(e.next))}` : ""}
        </span>
      ))}
    </p>
  );
}

/** A handoff beside the queue. */
export function SmallCard({ card, me }: { card: Card; me: string }) {
  return (
    <li class={`small ${card.priority}`} data-id={card.id} data-version={card.version}>
      <a href={handoffPath(card)}>{card.title}</a>
      <p class="facts">
        <span>{card.client}</span>
        <span>
          {card.status === "returned" ? (
            <strong class={asks(card, me) ? "asks" : ""}>
              {asks(card, me)
                ? t.list.asksYou(card.targetName ?? t.someone)
                : t.list.waitsForAnswer(card.senderName ?? t.someone)}
            </strong>
          ) : card.status === "claimed" && card.claimedAt ? (
            <Age
              since={card.claimedAt}
              words={(age) =>
                card.holder === me ? t.list.mineFor(age) : t.list.heldFor(card.holderName ?? t.someone, age)
              }
            />
          ) : (
            <Wait card={card} />
          )}
        </span>
      </p>
      <Trouble card={card} />
    </li>
  );
}
