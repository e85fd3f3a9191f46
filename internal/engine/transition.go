package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"

	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// Transition asks for one transition of a handoff. What the read model already
// shows to be impossible is refused from there, by the same rules: it is never
// behind what anybody was answered. Everything else is the workflow's to
// decide.
func (e *Engine) Transition(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
	return e.transition(ctx, by, req, req.Verb == models.VerbClaim)
}

// transition carries out a request, in turn with others for the same handoff
// if inTurn is set.
func (e *Engine) transition(ctx context.Context, by models.Principal, req models.TransitionRequest, inTurn bool) (models.HandoffView, error) {
	row, repeated, err := e.records.HandoffHead(ctx, req.SessionID, req.HandoffID, keyedID(by, req))
	if err != nil {
		return models.HandoffView{}, err
	}
	if repeated {
		return e.repeat(ctx, by, req, requestID(by, req, row.Generation))
	}
	ask := workflows.Request{
		HandoffID: row.ID, Generation: cmp.Or(req.Generation, row.Generation),
		ActorID: by.UserID, ActorRole: by.Role, TargetUserID: req.TargetUserID, Door: req.Door,
	}
	decision, refusal := workflows.Decide(workflows.StateOf(row.Handoff), req.Verb, ask, time.Now())
	if refusal != nil {
		return models.HandoffView{}, named(refusal, row)
	}
	if decision.Repeated {
		return e.confirm(ctx, by, req)
	}
	if req.TargetUserID != nil {
		if err := e.records.CheckTarget(ctx, row.Handoff, *req.TargetUserID); err != nil {
			return models.HandoffView{}, err
		}
	}
	if inTurn {
		giveBack, over := e.claims.take(row.ID)
		if over != nil {
			await(ctx, over)
			return e.transition(ctx, by, req, false)
		}
		defer giveBack()
	}
	snap, err := e.ask(ctx, row.Handoff, req, ask, requestID(by, req, row.Generation))
	if err != nil {
		return models.HandoffView{}, err
	}
	view, err := e.show(ctx, snap)
	if err != nil {
		return models.HandoffView{}, err
	}
	return view, superseded(by, req, view)
}

// requestID is the id of the Update that carries a request. Temporal answers a
// repeated id with the first outcome, whatever its arguments, so the id holds
// who asks and for what. Without a key, the same wish about the same
// generation is the same request: a double click decides once.
func requestID(by models.Principal, req models.TransitionRequest, generation int) string {
	if id := keyedID(by, req); id != "" {
		return id
	}
	wish := sha256.Sum256(fmt.Appendf(nil, "%v\x00%s", req.TargetUserID, req.Note))
	return fmt.Sprintf("%s:%s:g%d-%s", req.Verb, by.UserID, generation, hex.EncodeToString(wish[:4]))
}

// keyedID is the id of a request with a key; without one it is empty.
func keyedID(by models.Principal, req models.TransitionRequest) string {
	if req.Key == "" {
		return ""
	}
	// Hashed, because clients may put anything into a key.
	return fmt.Sprintf("%s:%s:%s", req.Verb, by.UserID, uuid.NewSHA1(req.HandoffID, []byte(req.Key)))
}

// repeat answers a request that was accepted before.
func (e *Engine) repeat(ctx context.Context, by models.Principal, req models.TransitionRequest, requestID string) (models.HandoffView, error) {
	if req.Verb != models.VerbClaim {
		// Refuses the same key with another text.
		if err := e.records.SaveTransitionInput(ctx, req.HandoffID, requestID, req); err != nil {
			return models.HandoffView{}, err
		}
	}
	return e.confirm(ctx, by, req)
}

// confirm answers a request for what was so already, unless it is no longer so.
func (e *Engine) confirm(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
	view, err := e.answer(ctx, req.SessionID, req.HandoffID)
	if err != nil {
		return models.HandoffView{}, err
	}
	return view, superseded(by, req, view)
}

// superseded refuses to confirm a claim that was accepted once and is over.
func superseded(by models.Principal, req models.TransitionRequest, view models.HandoffView) error {
	if req.Verb != models.VerbClaim || view.ClaimedBy != nil && *view.ClaimedBy == by.UserID {
		return nil
	}
	return models.Errorf(models.CodeConflict, "Your claim was accepted, but the handoff has since been taken from you again. Look at its timeline.")
}

// ask sends the request to the workflow and returns its decision.
func (e *Engine) ask(ctx context.Context, row models.Handoff, req models.TransitionRequest, ask workflows.Request, requestID string) (models.Snapshot, error) {
	var snap models.Snapshot
	if req.Verb != models.VerbClaim { // a claim has no text, and is in a hurry
		if err := e.records.SaveTransitionInput(ctx, row.ID, requestID, req); err != nil {
			return snap, err
		}
	}
	sent, err := e.update(ctx, row, req.Verb, ask, requestID, &snap)
	if err == nil {
		return snap, nil
	}
	refusal, state := workflows.RefusalFrom(err)
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) || refusal != nil && refusal.Code == models.CodeNotFound {
		// No workflow, or that of another handoff, whose state says nothing.
		state = models.Snapshot{}
		if refusal, err = e.whyGone(ctx, row, err); err != nil {
			return snap, err
		}
	} else if refusal == nil {
		return snap, e.trouble(ctx, "asking the workflow", sent, err)
	}
	if req.Verb != models.VerbClaim {
		after, cancel := afterwards(ctx)
		defer cancel()
		if err := e.records.DiscardTransitionInput(after, row.ID, requestID); err != nil {
			e.log.WarnContext(ctx, "the text of a refused request stays until the handoff is closed", "handoff_id", row.ID, "error", err)
		}
	}
	now, err := e.catchUp(ctx, row, state)
	if err != nil {
		return snap, err
	}
	return snap, named(refusal, now)
}

// catchUp shows readers the state that a refusal is about, before anybody is
// refused because of it. Most often whoever made the decision has done so.
func (e *Engine) catchUp(ctx context.Context, row models.Handoff, state models.Snapshot) (models.HandoffView, error) {
	now, _, err := e.records.HandoffHead(ctx, row.SessionID, row.ID, "")
	if err != nil || len(state.Since(now.Version)) == 0 {
		return now, err
	}
	return e.show(ctx, state)
}

func (e *Engine) update(ctx context.Context, row models.Handoff, verb models.Verb, ask workflows.Request, requestID string, snap *models.Snapshot) (sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	ctx, onWire := watchWire(ctx)
	handle, err := e.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   workflows.WorkflowID(row.AccountID, row.SessionID),
		UpdateID:     requestID,
		UpdateName:   string(verb),
		Args:         []any{ask},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, snap)
	}
	return onWire.Load(), err
}

// whyGone explains that Temporal has no running workflow for an open row: it
// was closed while the request was under way, or it is lost.
func (e *Engine) whyGone(ctx context.Context, row models.Handoff, cause error) (*models.Error, error) {
	now, _, err := e.records.HandoffHead(ctx, row.SessionID, row.ID, "")
	if err != nil {
		return nil, err
	}
	if now.Status.Closed() {
		return models.Errorf(models.CodeClosed, "The handoff is already %s.", now.Status), nil
	}
	e.log.ErrorContext(ctx, "an open handoff has no running workflow; see the runbook", "handoff_id", row.ID, "session_id", row.SessionID, "account_id", row.AccountID)
	return nil, models.Errorf(models.CodeUnavailable, "The workflow of this handoff is missing. Nothing was changed, and trying again does not help: an operator has to repair it.").WithCause(cause)
}

// show projects a decision, so that the caller reads their own write, and
// returns what they are told. The decision stands whether or not this works;
// the workflow's projector does the same without end.
func (e *Engine) show(ctx context.Context, snap models.Snapshot) (models.HandoffView, error) {
	view, err := e.records.Project(ctx, snap)
	if err != nil {
		return view, unknown(fmt.Errorf("projecting a decision: %w", err))
	}
	return view, nil
}

// answer reads what the caller is told after a decision that was made before.
func (e *Engine) answer(ctx context.Context, session, handoff uuid.UUID) (models.HandoffView, error) {
	view, err := e.records.Handoff(ctx, session, handoff)
	if err != nil {
		return view, unknown(err)
	}
	return view, nil
}

// named adds to a refusal the name of who holds the handoff, or of whom it is
// reserved for.
func named(refusal error, row models.HandoffView) error {
	var e *models.Error
	if !errors.As(refusal, &e) {
		return refusal
	}
	refused := *e
	if e.Claim != nil {
		claim := *e.Claim
		claim.ByName = nameOr(row.ClaimedByName, "an engineer who has left")
		refused.Claim, refused.Message = &claim, fmt.Sprintf("Already claimed by %s.", claim.ByName)
	}
	if e.Reservation != nil {
		reservation := *e.Reservation
		reservation.ForName = nameOr(row.TargetUserName, "an engineer who has left")
		refused.Reservation = &reservation
		refused.Message = fmt.Sprintf("The handoff is reserved for %s, who asked its sender, until %s. After that anybody may claim it.",
			reservation.ForName, reservation.Until.UTC().Format("15:04 UTC"))
	}
	return &refused
}

func nameOr(name *string, otherwise string) string {
	if name == nil || *name == "" {
		return otherwise
	}
	return *name
}

// unknown says that a decision may have been made.
func unknown(cause error) error {
	return models.Errorf(models.CodeOutcomeUnknown, "It is not known yet whether this took effect. Repeat the same request with the same Idempotency-Key: that is safe, and tells.").WithCause(cause)
}

// unavailable says that nothing was done.
func unavailable(cause error) error {
	return models.Errorf(models.CodeUnavailable, "The workflow service is not available now. Nothing was changed; try again.").WithCause(cause)
}

// trouble is the one place where errors of Temporal, other than refusals,
// become the domain's. What was not even sent, and what the server says it did
// not take, cannot have happened.
func (e *Engine) trouble(ctx context.Context, op string, sent bool, err error) error {
	cause := fmt.Errorf("%s: %w", op, err)
	if errors.Is(err, context.Canceled) {
		return cause // nobody waits for an answer any more
	}
	if notReady := (*serviceerror.WorkflowNotReady)(nil); errors.As(err, &notReady) {
		e.log.ErrorContext(ctx, "the workflow's tasks fail; see the runbook", "error", cause)
		return unavailable(cause)
	}
	if rejected := (*temporal.ApplicationError)(nil); errors.As(err, &rejected) {
		// No refusal of ours: the worker's SDK has rejected the Update, which is
		// of an older build that does not know it.
		e.log.ErrorContext(ctx, "a worker does not know what it was asked; is a deploy under way?", "error", cause)
		return unavailable(cause)
	}
	switch serviceerror.ToStatus(err).Code() {
	case codes.InvalidArgument, codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition, codes.Unimplemented:
		e.log.ErrorContext(ctx, "Temporal refuses to work for Baton; its namespace, search attributes or permissions are not as they should be", "error", cause)
		return unavailable(cause)
	case codes.ResourceExhausted:
		return unavailable(cause)
	default:
	}
	if !sent {
		return unavailable(cause)
	}
	return unknown(cause)
}
