package api

import (
	"context"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

// CreateHandoff hands a session off.
func (h handlers) CreateHandoff(ctx context.Context, r gen.CreateHandoffRequestObject) (gen.CreateHandoffResponseObject, error) {
	ctx, by := caller(ctx)
	req, err := newHandoff(r)
	if err != nil {
		return nil, err
	}
	view, err := h.o.Handoffs.Create(ctx, by, req)
	if err != nil {
		return nil, err
	}
	requestOf(ctx).handoffID = view.ID
	handoff := h.handoff(view, full)
	return gen.CreateHandoff201JSONResponse{
		Body:    handoff,
		Headers: gen.CreateHandoff201ResponseHeaders{Location: handoff.Links.Self},
	}, nil
}

// ClaimHandoff takes a handoff out of the queue.
func (h handlers) ClaimHandoff(ctx context.Context, r gen.ClaimHandoffRequestObject) (gen.ClaimHandoffResponseObject, error) {
	handoff, err := h.transition(ctx, "", models.TransitionRequest{
		Verb: models.VerbClaim, SessionID: r.ID, HandoffID: r.Hid, Key: deref(r.Params.IdempotencyKey),
	})
	return gen.ClaimHandoff200JSONResponse(handoff), err
}

// ReleaseHandoff puts a claimed handoff back into the queue.
func (h handlers) ReleaseHandoff(ctx context.Context, r gen.ReleaseHandoffRequestObject) (gen.ReleaseHandoffResponseObject, error) {
	handoff, err := h.transition(ctx, "/note", models.TransitionRequest{
		Verb: models.VerbRelease, SessionID: r.ID, HandoffID: r.Hid, Key: deref(r.Params.IdempotencyKey),
		Note: deref(deref(r.Body).Note),
	})
	return gen.ReleaseHandoff200JSONResponse(handoff), err
}

// ReassignHandoff addresses a handoff to somebody else.
func (h handlers) ReassignHandoff(ctx context.Context, r gen.ReassignHandoffRequestObject) (gen.ReassignHandoffResponseObject, error) {
	body := deref(r.Body)
	handoff, err := h.transition(ctx, "/note", models.TransitionRequest{
		Verb: models.VerbReassign, SessionID: r.ID, HandoffID: r.Hid, Key: deref(r.Params.IdempotencyKey),
		TargetUserID: &body.TargetUserID, Note: deref(body.Note),
	})
	return gen.ReassignHandoff200JSONResponse(handoff), err
}

// ResolveHandoff ends a claimed handoff.
func (h handlers) ResolveHandoff(ctx context.Context, r gen.ResolveHandoffRequestObject) (gen.ResolveHandoffResponseObject, error) {
	handoff, err := h.transition(ctx, "/resolution", models.TransitionRequest{
		Verb: models.VerbResolve, SessionID: r.ID, HandoffID: r.Hid, Key: deref(r.Params.IdempotencyKey),
		Note: deref(deref(r.Body).Resolution),
	})
	if cause := deref(r.Body).Cause; err == nil && cause != nil {
		err = h.gradeCause(ctx, handoff, *cause)
	}
	return gen.ResolveHandoff200JSONResponse(handoff), err
}

// CancelHandoff takes a handoff back that nobody holds.
func (h handlers) CancelHandoff(ctx context.Context, r gen.CancelHandoffRequestObject) (gen.CancelHandoffResponseObject, error) {
	handoff, err := h.transition(ctx, "/note", models.TransitionRequest{
		Verb: models.VerbCancel, SessionID: r.ID, HandoffID: r.Hid, Key: deref(r.Params.IdempotencyKey),
		Note: deref(deref(r.Body).Note),
	})
	return gen.CancelHandoff200JSONResponse(handoff), err
}

// ReturnHandoff gives a claimed handoff back to its sender, with questions.
func (h handlers) ReturnHandoff(ctx context.Context, r gen.ReturnHandoffRequestObject) (gen.ReturnHandoffResponseObject, error) {
	questions := deref(r.Body).Questions
	var wrong fields
	wrong.prose("/questions", questions)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	handoff, err := h.transition(ctx, "/questions", models.TransitionRequest{
		Verb: models.VerbReturn, SessionID: r.ID, HandoffID: r.Hid, Key: deref(r.Params.IdempotencyKey), Note: questions,
	})
	return gen.ReturnHandoff200JSONResponse(handoff), err
}

// AnswerHandoff puts a returned handoff into the queue, for who asked first.
func (h handlers) AnswerHandoff(ctx context.Context, r gen.AnswerHandoffRequestObject) (gen.AnswerHandoffResponseObject, error) {
	answer := deref(r.Body).Answer
	var wrong fields
	wrong.prose("/answer", answer)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	handoff, err := h.transition(ctx, "/answer", models.TransitionRequest{
		Verb: models.VerbAnswer, SessionID: r.ID, HandoffID: r.Hid, Key: deref(r.Params.IdempotencyKey), Note: answer,
	})
	return gen.AnswerHandoff200JSONResponse(handoff), err
}

// RetryHandoffPSA has the ticket told again of what failed.
func (h handlers) RetryHandoffPSA(ctx context.Context, r gen.RetryHandoffPSARequestObject) (gen.RetryHandoffPSAResponseObject, error) {
	ctx, by := caller(ctx)
	view, err := h.o.Handoffs.RetryPSA(ctx, by, r.ID, r.Hid)
	if err != nil {
		return nil, err
	}
	return gen.RetryHandoffPSA202JSONResponse(h.handoff(view, full)), nil
}

// transition carries out one request. NoteField is where in the body its note
// came from.
func (h handlers) transition(ctx context.Context, noteField string, req models.TransitionRequest) (gen.Handoff, error) {
	ctx, by := caller(ctx)
	var wrong fields
	wrong.note(noteField, req.Note)
	if err := wrong.err(); err != nil {
		return gen.Handoff{}, err
	}
	view, err := h.o.Handoffs.Transition(ctx, by, req)
	if err != nil {
		return gen.Handoff{}, err
	}
	return h.handoff(view, full), nil
}

// GetHandoff reads a handoff.
func (h handlers) GetHandoff(ctx context.Context, r gen.GetHandoffRequestObject) (gen.GetHandoffResponseObject, error) {
	view, err := h.o.Records.Handoff(plain(ctx), r.ID, r.Hid)
	if err != nil {
		return nil, err
	}
	return gen.GetHandoff200JSONResponse(h.handoff(view, full)), nil
}

// GetHandoffTimeline reads what was decided about a handoff.
func (h handlers) GetHandoffTimeline(ctx context.Context, r gen.GetHandoffTimelineRequestObject) (gen.GetHandoffTimelineResponseObject, error) {
	entries, err := h.o.Records.Timeline(plain(ctx), r.ID, r.Hid)
	if err != nil {
		return nil, err
	}
	return gen.GetHandoffTimeline200JSONResponse{Items: convert(entries, timelineEntry), NextCursor: nil}, nil
}

// ListSessionHandoffs lists a session's handoffs.
func (h handlers) ListSessionHandoffs(ctx context.Context, r gen.ListSessionHandoffsRequestObject) (gen.ListSessionHandoffsResponseObject, error) {
	p, err := page(r.Params.Cursor, r.Params.Limit, nil)
	if err != nil {
		return nil, err
	}
	rows, next, err := h.o.Records.SessionHandoffs(plain(ctx), r.ID, p)
	if err != nil {
		return nil, err
	}
	return gen.ListSessionHandoffs200JSONResponse(h.handoffPage(rows, next)), nil
}

// ListQueue lists the open handoffs that the caller may claim.
func (h handlers) ListQueue(ctx context.Context, r gen.ListQueueRequestObject) (gen.ListQueueResponseObject, error) {
	ctx, by := caller(ctx)
	p, err := page(r.Params.Cursor, r.Params.Limit, r.Params.Q)
	if err != nil {
		return nil, err
	}
	filter, err := queueFilter(by, r.Params)
	if err != nil {
		return nil, err
	}
	rows, next, err := h.o.Records.Queue(ctx, filter, p)
	if err != nil {
		return nil, err
	}
	return gen.ListQueue200JSONResponse(h.handoffPage(rows, next)), nil
}
