package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/models"
)

// The search attributes of a handoff. They hold ids and states, never names:
// Temporal shows and indexes them in clear.
var (
	AttrAccount  = temporal.NewSearchAttributeKeyKeyword("BatonAccount")
	AttrTeam     = temporal.NewSearchAttributeKeyKeyword("BatonTeam")
	AttrStatus   = temporal.NewSearchAttributeKeyKeyword("BatonStatus")
	AttrIntent   = temporal.NewSearchAttributeKeyKeyword("BatonIntent")
	AttrPriority = temporal.NewSearchAttributeKeyKeyword("BatonPriority")
	AttrHolder   = temporal.NewSearchAttributeKeyKeyword("BatonHolder")
	// AttrEffects is pending, done or failed: the worst of the side effects.
	AttrEffects = temporal.NewSearchAttributeKeyKeyword("BatonEffects")
)

// SearchAttributes are the names to register, all of type Keyword.
func SearchAttributes() []string {
	keys := []temporal.SearchAttributeKeyKeyword{AttrAccount, AttrTeam, AttrStatus, AttrIntent, AttrPriority, AttrHolder, AttrEffects}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.GetName()
	}
	return names
}

// StartAttributes are the search attributes that a handoff starts with.
func StartAttributes(in HandoffInput) temporal.SearchAttributes {
	updates := []temporal.SearchAttributeUpdate{
		AttrAccount.ValueSet(in.AccountID.String()),
		AttrStatus.ValueSet(string(models.StatusQueued)),
		AttrIntent.ValueSet(string(in.Intent)),
		AttrPriority.ValueSet(in.Priority.String()),
		AttrEffects.ValueSet(string(models.EffectPending)),
	}
	if in.TeamID != nil {
		updates = append(updates, AttrTeam.ValueSet(in.TeamID.String()))
	}
	return temporal.NewSearchAttributes(updates...)
}

// Summary is the line that the Temporal UI lists a handoff with.
func Summary(in HandoffInput) string {
	if in.Intent == models.IntentPark {
		return fmt.Sprintf("Parked session, %s priority", in.Priority)
	}
	return fmt.Sprintf("Escalated session, %s priority", in.Priority)
}

// Details is the static description of a handoff in the Temporal UI.
func Details(in HandoffInput) string {
	return fmt.Sprintf("One engineer handed a session to another. Handoff `%s` of session `%s`.\n\n"+
		"People decide through Baton's API. In an emergency, send the signal `claim` with "+
		"`{\"handoff_id\": \"%s\", \"user_id\": \"…\"}`, or request cancellation to cancel a handoff that nobody has claimed. "+
		"Do not terminate: the queue would go on showing it.", in.HandoffID, in.SessionID, in.HandoffID)
}

// shown is what the search attributes say now; changing one costs an event.
type shown struct {
	status  models.Status
	holder  uuid.UUID
	effects models.EffectState
}

// changeLateAttributes marks histories whose search attributes follow with the
// projection. Before, they were set together with the decision.
const changeLateAttributes = "attributes-after-projection"

// show tells operators where the handoff stands, in the current details. The
// search attributes follow with the projection ([handoff.index]): they cost the
// workflow task that decides a tenth of its time, and somebody waits for it.
func (h *handoff) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, h.details())
	if !h.lateAttributes {
		h.index(ctx)
	}
}

// index lets operators find the handoff by where it stands.
func (h *handoff) index(ctx workflow.Context) {
	last := h.snap.Last()
	now := shown{status: last.Status, effects: h.worstEffect()}
	if last.HolderID != nil {
		now.holder = *last.HolderID
	}
	was := h.shown
	if was == (shown{}) {
		was = shown{status: models.StatusQueued, effects: models.EffectPending} // StartAttributes
	}
	var changes []temporal.SearchAttributeUpdate
	if now.status != was.status {
		changes = append(changes, AttrStatus.ValueSet(string(now.status)))
	}
	if now.holder != was.holder {
		if now.holder == uuid.Nil {
			changes = append(changes, AttrHolder.ValueUnset())
		} else {
			changes = append(changes, AttrHolder.ValueSet(now.holder.String()))
		}
	}
	if now.effects != was.effects {
		changes = append(changes, AttrEffects.ValueSet(string(now.effects)))
	}
	h.shown = now
	if len(changes) == 0 {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, changes...); err != nil {
		workflow.GetLogger(ctx).Error("search attributes could not be set", "error", err)
	}
}

func (h *handoff) worstEffect() models.EffectState {
	worst := models.EffectDone
	for _, run := range h.effects {
		switch run.state {
		case models.EffectFailed:
			return models.EffectFailed
		case models.EffectPending:
			worst = models.EffectPending
		case models.EffectRetrying, models.EffectDone, models.EffectSkipped:
		}
	}
	if len(h.effects) == 0 {
		return models.EffectPending // before they are started
	}
	return worst
}

// refused notes a request that has no other way to be answered.
func (h *handoff) refused(ctx workflow.Context, what string, err error) {
	const keep = 5
	line := fmt.Sprintf("%s, %s: %s", workflow.Now(ctx).UTC().Format(time.RFC3339), what, messageOf(err))
	h.refusals = append(h.refusals, line)
	if len(h.refusals) > keep {
		h.refusals = h.refusals[len(h.refusals)-keep:]
	}
	h.show(ctx)
}

func messageOf(err error) string {
	var e *models.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// details is the Markdown that the Temporal UI shows as the current details.
func (h *handoff) details() string {
	last := h.snap.Last()
	var lines []string
	line := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }

	line("### %s · generation %d · version %d\n", strings.ToUpper(string(last.Status)), last.Generation, last.Version)
	line("- intent: **%s**, priority: **%s**", h.in.Intent, h.in.Priority)
	line("- sender: `%s`", h.in.SenderID)
	if last.TargetUserID != nil {
		line("- addressed to: `%s`", *last.TargetUserID)
	}
	if last.ReservedUntil != nil {
		line("- reserved for them until: %s", last.ReservedUntil.Format(time.RFC3339))
	}
	if last.HolderID != nil {
		line("- holder: `%s`", *last.HolderID)
	}
	line("\n**Side effects**\n")
	for _, run := range h.effects {
		reason := ""
		if run.reason != "" {
			reason = " (" + run.reason + ")"
		}
		line("- %s: **%s**%s", run.kind, run.state, reason)
	}
	line("\n**History**\n\n| version | what | by | door | at |\n|---|---|---|---|---|")
	for _, t := range h.snap.Transitions {
		line("| %d | %s | `%s` | %s | %s |", t.Version, t.Verb, t.ActorID, t.Door, t.At.Format(time.RFC3339))
	}
	if len(h.refusals) > 0 {
		line("\n**Refused**\n")
		for _, refusal := range h.refusals {
			line("- %s", refusal)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
