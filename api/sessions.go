package api

import (
	"context"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

// CreateSession creates a session that the caller works on.
func (h handlers) CreateSession(ctx context.Context, r gen.CreateSessionRequestObject) (gen.CreateSessionResponseObject, error) {
	ctx, by := caller(ctx)
	req, err := newSession(r)
	if err != nil {
		return nil, err
	}
	row, err := h.o.Records.CreateSession(ctx, by, req)
	if err != nil {
		return nil, err
	}
	s := session(row)
	return gen.CreateSession201JSONResponse{
		Body:    s,
		Headers: gen.CreateSession201ResponseHeaders{Location: s.Links.Self},
	}, nil
}

// AppendSteps adds a batch of steps to a session.
func (h handlers) AppendSteps(ctx context.Context, r gen.AppendStepsRequestObject) (gen.AppendStepsResponseObject, error) {
	ctx, by := caller(ctx)
	batch, err := newSteps(deref(r.Body).Steps)
	if err != nil {
		return nil, err
	}
	row, err := h.o.Records.AppendSteps(ctx, by, r.ID, batch)
	if err != nil {
		return nil, err
	}
	h.o.Handoffs.StepsAdded(ctx, row)
	return gen.AppendSteps200JSONResponse(session(row)), nil
}

// GetSession reads a session with its steps.
func (h handlers) GetSession(ctx context.Context, r gen.GetSessionRequestObject) (gen.GetSessionResponseObject, error) {
	ctx = plain(ctx)
	row, err := h.o.Records.Session(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	rows, err := h.o.Records.Steps(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	s := session(row)
	steps := convert(rows, step)
	s.Steps = &steps
	return gen.GetSession200JSONResponse(s), nil
}

// ListSessions lists the account's sessions.
func (h handlers) ListSessions(ctx context.Context, r gen.ListSessionsRequestObject) (gen.ListSessionsResponseObject, error) {
	p, err := page(r.Params.Cursor, r.Params.Limit, r.Params.Q)
	if err != nil {
		return nil, err
	}
	rows, next, err := h.o.Records.Sessions(plain(ctx), models.SessionFilter{
		OwnerID: r.Params.OwnerID, Status: models.SessionStatus(deref(r.Params.Status)), Query: deref(r.Params.Q),
	}, p)
	if err != nil {
		return nil, err
	}
	return gen.ListSessions200JSONResponse{Items: convert(rows, session), NextCursor: orNull(next)}, nil
}
