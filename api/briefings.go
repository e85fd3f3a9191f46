package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/internal/briefing"
	"github.com/baton-handoff/baton/models"
)

// GetBriefing reads a handoff's briefing.
func (h handlers) GetBriefing(ctx context.Context, r gen.GetBriefingRequestObject) (gen.GetBriefingResponseObject, error) {
	view, err := h.o.Records.Briefing(plain(ctx), r.ID, r.Hid, deref(r.Params.Version))
	if err != nil {
		return nil, err
	}
	doc, err := briefingDocument(view)
	return gen.GetBriefing200JSONResponse(doc), err
}

// RenewBriefing has a handoff briefed again.
func (h handlers) RenewBriefing(ctx context.Context, r gen.RenewBriefingRequestObject) (gen.RenewBriefingResponseObject, error) {
	view, err := h.o.Handoffs.RenewBriefing(plain(ctx), r.ID, r.Hid)
	if err != nil {
		return nil, err
	}
	return gen.RenewBriefing202JSONResponse(h.handoff(view, full)), nil
}

// GradeBriefing keeps what the holder thinks of a briefing.
func (h handlers) GradeBriefing(ctx context.Context, r gen.GradeBriefingRequestObject) (gen.GradeBriefingResponseObject, error) {
	ctx, by := caller(ctx)
	body := deref(r.Body)
	grade := models.BriefingGrade{
		HandoffID: r.Hid, UserID: by.UserID, Useful: body.Useful, Wrong: body.Wrong, Cause: (*models.Cause)(body.Cause),
	}
	if grade.Useful == nil && grade.Wrong == nil && grade.Cause == nil {
		return nil, models.Errorf(models.CodeInvalid, "The grade says nothing; send useful, wrong or cause.")
	}
	var wrong fields
	wrong.note("/wrong", deref(grade.Wrong))
	if err := wrong.err(); err != nil {
		return nil, err
	}
	handoff, err := h.o.Records.Handoff(ctx, r.ID, r.Hid)
	if err != nil {
		return nil, err
	}
	if handoff.ClaimedBy == nil || *handoff.ClaimedBy != by.UserID {
		return nil, models.Errorf(models.CodeForbidden, "Only whoever holds the handoff, or resolved it, may grade its briefing.")
	}
	view, err := h.grade(ctx, r.ID, deref(body.Version), grade)
	if err != nil {
		return nil, err
	}
	doc, err := briefingDocument(view)
	return gen.GradeBriefing200JSONResponse(doc), err
}

// grade keeps a grade of one version of a briefing, or of the newest when
// version is 0.
func (h handlers) grade(ctx context.Context, session uuid.UUID, version int, grade models.BriefingGrade) (models.BriefingView, error) {
	view, err := h.o.Records.Briefing(ctx, session, grade.HandoffID, version)
	if err != nil {
		return view, err
	}
	grade.Version = view.Version
	if err := h.o.Records.SaveBriefingGrade(ctx, grade); err != nil {
		return view, err
	}
	return h.o.Records.Briefing(ctx, session, grade.HandoffID, view.Version)
}

// gradeCause keeps what a resolution says of the likely cause in the briefing
// that whoever resolved it had when they claimed: later ones knew more. Without
// one there is nothing to grade. Where it could not be kept, the resolution
// stands, and repeating the request is safe.
func (h handlers) gradeCause(ctx context.Context, handoff gen.Handoff, cause gen.BriefingCause) error {
	ctx, by := caller(ctx)
	version, err := h.o.Records.BriefingVersionAt(ctx, handoff.ID, deref(handoff.ClaimedAt))
	if err == nil && version > 0 {
		err = h.o.Records.SaveBriefingGrade(ctx, models.BriefingGrade{
			HandoffID: handoff.ID, Version: version, UserID: by.UserID, Cause: new(models.Cause(cause)),
		})
	}
	if err != nil {
		return models.Errorf(models.CodeOutcomeUnknown, "The handoff is resolved, but the grade of its briefing was not kept. Repeat the same request: that is safe.").WithCause(err)
	}
	return nil
}

// GetBriefingSettings tells what the account wants of models.
func (h handlers) GetBriefingSettings(ctx context.Context, _ gen.GetBriefingSettingsRequestObject) (gen.GetBriefingSettingsResponseObject, error) {
	settings, err := h.briefingSettings(plain(ctx))
	return gen.GetBriefingSettings200JSONResponse(settings), err
}

// SetBriefingSettings changes what the account wants of models.
func (h handlers) SetBriefingSettings(ctx context.Context, r gen.SetBriefingSettingsRequestObject) (gen.SetBriefingSettingsResponseObject, error) {
	ctx, by := caller(ctx)
	body := deref(r.Body)
	settings := models.BriefingSettings{UseModel: body.UseModel}
	if body.MonthlyBudgetUSD != nil {
		settings.MonthlyMicroUSD = new(int64(math.Round(*body.MonthlyBudgetUSD * microUSD)))
	}
	if err := h.o.Records.SaveBriefingSettings(ctx, by, settings); err != nil {
		return nil, err
	}
	now, err := h.briefingSettings(ctx)
	return gen.SetBriefingSettings200JSONResponse(now), err
}

func (h handlers) briefingSettings(ctx context.Context) (gen.BriefingSettings, error) {
	answer := gen.BriefingSettings{UseModel: true, MonthlyBudgetUSD: nil, DefaultBudgetUSD: usd(h.o.ModelBudget), SpentUSD: 0, Model: orNull(h.o.Model)}
	settings, found, err := h.o.Records.BriefingSettings(ctx)
	if err != nil {
		return answer, err
	}
	if found {
		answer.UseModel = settings.UseModel
		if settings.MonthlyMicroUSD != nil {
			answer.MonthlyBudgetUSD = new(usd(*settings.MonthlyMicroUSD))
		}
	}
	spent, err := h.o.Records.SpentOnModels(ctx)
	answer.SpentUSD = usd(spent)
	return answer, err
}

// microUSD is how many millionths a dollar has.
const microUSD = 1_000_000

func usd(micro int64) float64 { return float64(micro) / microUSD }

func briefingDocument(v models.BriefingView) (gen.BriefingDocument, error) {
	var content briefing.Briefing
	if err := json.Unmarshal(v.Content, &content); err != nil {
		return gen.BriefingDocument{}, fmt.Errorf("reading a stored briefing: %w", err)
	}
	content.Provenance.GeneratedAt = v.CreatedAt.UTC()
	return gen.BriefingDocument{
		HandoffID: v.HandoffID, Version: v.Version, Source: gen.BriefingSource(v.Source),
		State: gen.EffectState(v.Effect.State), Reason: v.Effect.Reason, Attempts: v.Effect.Attempts, NextAttemptAt: utc(v.Effect.NextAttemptAt),
		Stale: v.StepCount < v.SessionSteps && v.Status.Open(), StepCount: v.StepCount, SessionSteps: v.SessionSteps,
		Model: v.Model, PromptVersion: v.PromptVersion, CreatedAt: v.CreatedAt.UTC(), Content: content,
		Grades: convert(v.Grades, func(g models.BriefingGrade) gen.BriefingGrade {
			return gen.BriefingGrade{
				UserID: g.UserID, Version: g.Version, Useful: g.Useful, Wrong: g.Wrong, Cause: (*gen.BriefingCause)(g.Cause), GradedAt: g.GradedAt.UTC(),
			}
		}),
	}, nil
}

// briefingState is how a handoff's briefing stands.
func briefingState(v models.HandoffView, effects map[models.EffectKind]models.Effect) gen.Briefing {
	e, recorded := effects[models.EffectBriefing]
	switch {
	case recorded:
	case v.Status.Closed():
		e.State, e.Reason = models.EffectSkipped, new("The handoff was closed before it was briefed.")
	default:
		e.State = models.EffectPending // it is about to be written
	}
	return gen.Briefing{
		State: gen.EffectState(e.State), Reason: e.Reason, Attempts: e.Attempts, NextAttemptAt: utc(e.NextAttemptAt),
		Version: e.Version, Source: (*gen.BriefingSource)(e.Source), Stale: v.Status.Open() && e.StepCount != nil && *e.StepCount < v.SessionSteps,
	}
}
