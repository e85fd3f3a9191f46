package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

// PresenceRecords is what is stored of who looks at what.
type PresenceRecords interface {
	// Present returns who else looks at it.
	Present(ctx context.Context, sessionID, handoffID, user uuid.UUID) ([]models.PresenceView, error)
	Absent(ctx context.Context, sessionID, handoffID, user uuid.UUID) error
	// Presence leaves the user out.
	Presence(ctx context.Context, user uuid.UUID) ([]models.PresenceView, error)
}

// SetPresence notes that the caller looks at a handoff.
func (h handlers) SetPresence(ctx context.Context, r gen.SetPresenceRequestObject) (gen.SetPresenceResponseObject, error) {
	ctx, by := caller(ctx)
	rows, err := h.o.Records.Present(ctx, r.ID, r.Hid, by.UserID)
	if err != nil {
		return nil, err
	}
	return gen.SetPresence200JSONResponse{Items: convert(rows, viewer)}, nil
}

// DeletePresence forgets that the caller looks at a handoff.
func (h handlers) DeletePresence(ctx context.Context, r gen.DeletePresenceRequestObject) (gen.DeletePresenceResponseObject, error) {
	ctx, by := caller(ctx)
	if err := h.o.Records.Absent(ctx, r.ID, r.Hid, by.UserID); err != nil {
		return nil, err
	}
	return gen.DeletePresence204Response{}, nil
}

// ListPresence tells who of the caller's colleagues looks at what.
func (h handlers) ListPresence(ctx context.Context, _ gen.ListPresenceRequestObject) (gen.ListPresenceResponseObject, error) {
	ctx, by := caller(ctx)
	rows, err := h.o.Records.Presence(ctx, by.UserID)
	if err != nil {
		return nil, err
	}
	return gen.ListPresence200JSONResponse{Items: convert(rows, viewer)}, nil
}

func viewer(v models.PresenceView) gen.Viewer {
	return gen.Viewer{HandoffID: v.HandoffID, UserID: v.UserID, UserName: v.UserName, SeenAt: v.SeenAt.UTC()}
}
