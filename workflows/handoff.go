// Package workflows is the life of a handoff as a Temporal workflow. To follow
// it: machine.go decides, handoff.go listens at the doors, projector.go shows
// decisions to readers, effects.go runs what a handoff sets in motion, and
// operator.go is what an operator sees in the Temporal UI.
package workflows

import (
	"fmt"

	"github.com/google/uuid"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

// handoff is the state of a running [HandoffWorkflow].
type handoff struct {
	in   HandoffInput
	snap models.Snapshot
	// projected is the newest version that the projector knows to be in the
	// read model.
	projected int
	// late is set when readers have long seen the handoff closed by decisions
	// that are not this run's: an earlier run lived its whole life while the
	// request that started this one stood still.
	late    *activities.Shown
	effects []*effectRun
	claims  workflow.ReceiveChannel
	// refusals are the last refused signals: they have no other answer.
	refusals []string
	shown    shown
	// lateAttributes is false in histories of older versions.
	lateAttributes bool
}

// HandoffWorkflow runs from the creation of a handoff until it is resolved or
// cancelled, every decision is projected, and every side effect has settled.
func HandoffWorkflow(ctx workflow.Context, in HandoffInput) (HandoffResult, error) {
	// Asking Temporal to cancel the workflow asks for the handoff to be
	// cancelled, by the rules; it must not cut the workflow off in the middle.
	cancelled := ctx.Done()
	ctx, _ = workflow.NewDisconnectedContext(ctx)

	h := &handoff{in: in, snap: Begin(in)}
	if err := h.listen(ctx); err != nil {
		return HandoffResult{}, err
	}
	h.lateAttributes = workflow.GetVersion(ctx, changeLateAttributes, workflow.DefaultVersion, 1) > workflow.DefaultVersion
	h.show(ctx)
	workflow.GoNamed(ctx, "claim-signals", h.receiveClaims)
	workflow.GoNamed(ctx, "cancellation", func(ctx workflow.Context) {
		cancelled.Receive(ctx, nil)
		h.cancelByOperator(ctx)
	})
	workflow.GoNamed(ctx, "projector", h.project)
	h.startEffects(ctx)

	if err := workflow.Await(ctx, func() bool { return h.finished(ctx) }); err != nil {
		return HandoffResult{}, err
	}
	last := h.snap.Last()
	if h.late != nil {
		last.Status, last.Version = h.late.Status, h.late.Version
	}
	return HandoffResult{HandoffID: in.HandoffID, Status: last.Status, Generation: last.Generation, Version: last.Version}, nil
}

// listen opens the doors. It comes before everything that could block, so that
// no request finds them missing.
func (h *handoff) listen(ctx workflow.Context) error {
	h.claims = workflow.GetSignalChannelWithOptions(ctx, SignalClaim, workflow.SignalChannelOptions{
		Description: `Claims the handoff for a user: {"handoff_id": "…", "user_id": "…"}. The result is in the current details.`,
	})
	doors := []struct {
		verb        models.Verb
		description string
	}{
		{models.VerbClaim, "Takes the handoff out of the queue for the actor."},
		{models.VerbRelease, "Puts a claimed handoff back into the queue."},
		{models.VerbReassign, "Puts the handoff into the queue for the target user."},
		{models.VerbResolve, "Closes a claimed handoff as resolved."},
		{models.VerbCancel, "Takes the handoff out of the queue for good; the session returns to its sender."},
		{models.VerbReturn, "Returns a claimed handoff to its sender, with questions."},
		{models.VerbAnswer, "Puts a returned handoff into the queue, reserved for who asked."},
	}
	for _, door := range doors {
		validate := func(ctx workflow.Context, r Request) error {
			_, err := Decide(h.snap, door.verb, r, workflow.Now(ctx))
			return toRefusal(h.snap, err)
		}
		handle := func(ctx workflow.Context, r Request) (models.Snapshot, error) {
			return h.update(ctx, door.verb, r)
		}
		err := workflow.SetUpdateHandlerWithOptions(ctx, string(door.verb), handle, workflow.UpdateHandlerOptions{
			Validator: validate, Description: door.description,
		})
		if err != nil {
			return fmt.Errorf("opening the door %s: %w", door.verb, err)
		}
	}
	return workflow.SetQueryHandlerWithOptions(ctx, QueryState,
		func() (models.Snapshot, error) { return h.snap, nil },
		workflow.QueryHandlerOptions{Description: "The handoff and every transition so far."})
}

// update answers a request that its validator let through. It blocks nowhere:
// between a decision and the end of this function nobody else can decide.
func (h *handoff) update(ctx workflow.Context, verb models.Verb, r Request) (models.Snapshot, error) {
	// Signals that arrived before this request are still in their channel,
	// because updates run first. They are heard first.
	h.drainClaims(ctx)
	door := r.Door
	if !door.Valid() || door == models.DoorOperator {
		door = models.DoorAPI
	}
	err := h.decide(ctx, verb, r, door, workflow.GetCurrentUpdateInfo(ctx).ID)
	return h.snap, toRefusal(h.snap, err)
}

// decide is the one way by which the state changes.
func (h *handoff) decide(ctx workflow.Context, verb models.Verb, r Request, door models.Door, requestID string) error {
	at := workflow.Now(ctx)
	d, err := Decide(h.snap, verb, r, at)
	if err != nil || d.Repeated {
		return err
	}
	accept(&h.snap, d, door, requestID, at)
	h.show(ctx)
	return nil
}

// receiveClaims hears the signals when no update comes along. It waits for the
// channel to fill and never blocks on it: a coroutine inside Receive would be
// handed a signal that an update handler could then not see.
func (h *handoff) receiveClaims(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return h.claims.Len() > 0 }) == nil {
		h.drainClaims(ctx)
	}
}

func (h *handoff) drainClaims(ctx workflow.Context) {
	// As it came: what cannot be read is refused like everything else, and not
	// dropped by the SDK.
	var payload converter.RawValue
	for h.claims.ReceiveAsync(&payload) {
		var signal ClaimSignal
		err := converter.GetDefaultDataConverter().FromPayload(payload.Payload(), &signal)
		if err != nil {
			err = models.Errorf(models.CodeInvalid, `the payload is not {"handoff_id": "…", "user_id": "…"}`)
		} else {
			err = h.claimByOperator(ctx, signal)
		}
		if err != nil {
			h.refused(ctx, fmt.Sprintf("claim for `%s`", signal.UserID), err)
		}
	}
}

func (h *handoff) claimByOperator(ctx workflow.Context, signal ClaimSignal) error {
	if signal.UserID == uuid.Nil {
		return models.Errorf(models.CodeInvalid, "user_id is missing")
	}
	return h.decide(ctx, models.VerbClaim, Request{
		HandoffID: signal.HandoffID, ActorID: signal.UserID, ActorRole: models.RoleEngineer,
	}, models.DoorOperator, "")
}

// cancelByOperator answers a cancellation of the workflow.
func (h *handoff) cancelByOperator(ctx workflow.Context) {
	err := h.decide(ctx, models.VerbCancel, Request{HandoffID: h.in.HandoffID, ActorRole: models.RoleOwner}, models.DoorOperator, "")
	if err != nil {
		h.refused(ctx, "cancellation of the workflow", err)
	}
}

// finished reports whether nothing is left to do. Signals that are still
// unheard keep the workflow open, or the server would not let it close.
func (h *handoff) finished(ctx workflow.Context) bool {
	over := h.late != nil || h.snap.Last().Status.Closed() && h.projected == h.snap.Version() && h.effectsSettled()
	return over && h.claims.Len() == 0 && workflow.AllHandlersFinished(ctx)
}
