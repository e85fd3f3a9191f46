package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"github.com/baton-handoff/baton/internal/document"
	"github.com/baton-handoff/baton/models"
)

// Document writes the note that people read in the ticket, from the session's
// steps and the engineer's notes as they stand now, without credentials.
func (a *Activities) Document(ctx context.Context, in EffectInput) error {
	return a.effect(ctx, models.EffectDocumentation, in, func(ctx context.Context) error {
		s, err := a.tell(ctx, BriefingInput{AccountID: in.AccountID, SessionID: in.SessionID, HandoffID: in.HandoffID})
		if err != nil {
			return err
		}
		note := document.Render(documentInput(s.handoff, s.session, s.steps))
		return a.records.SaveDocumentation(ctx,
			models.Documentation{
				AccountID: in.AccountID, HandoffID: in.HandoffID,
				Markdown: note.Markdown, Plain: note.Plain, Truncated: note.Truncated, StepCount: len(s.steps),
			},
			models.Effect{HandoffID: in.HandoffID, Kind: models.EffectDocumentation, State: models.EffectDone, Attempts: attempt(ctx)})
	})
}

func documentInput(h models.HandoffView, s models.Session, steps []models.Step) document.Input {
	return document.Input{
		Intent: h.Intent, Priority: h.Priority,
		SenderName: deref(h.HandedOffByName), TargetName: deref(h.TargetUserName),
		CreatedAt: h.CreatedAt, EngineerNotes: h.EngineerNotes,
		SessionTitle: s.Title, ClientName: s.ClientName, Problem: s.Problem, Ticket: deref(s.PSATicket),
		Steps: steps,
	}
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// attempt is the number of the running attempt, from 1.
func attempt(ctx context.Context) int { return int(activity.GetInfo(ctx).Attempt) }
