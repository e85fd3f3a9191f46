package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/models"
)

// maxWake is how far ahead a parked session may be due.
const maxWake = 90 * 24 * time.Hour

// GetLadder tells the account's rules, and what follows from them.
func (h handlers) GetLadder(ctx context.Context, _ gen.GetLadderRequestObject) (gen.GetLadderResponseObject, error) {
	answer, err := h.ladder(plain(ctx))
	return gen.GetLadder200JSONResponse(answer), err
}

// SetLadder replaces the account's rules.
func (h handlers) SetLadder(ctx context.Context, r gen.SetLadderRequestObject) (gen.SetLadderResponseObject, error) {
	ctx, by := caller(ctx)
	rules := deref(r.Body).Rules
	if err := ladder.Validate(rules, "/rules"); err != nil {
		return nil, err
	}
	rows := make([]models.LadderPolicy, len(rules))
	for i, rule := range rules {
		text, err := json.Marshal(rule)
		if err != nil {
			return nil, fmt.Errorf("writing a rule of the ladder: %w", err)
		}
		rows[i] = models.LadderPolicy{Scope: rule.Scope(), TeamID: rule.TeamID, Priority: rule.Priority, Rule: text}
	}
	if err := h.o.Records.SaveLadderPolicies(ctx, by, rows); err != nil {
		return nil, err
	}
	answer, err := h.ladder(ctx)
	return gen.SetLadder200JSONResponse(answer), err
}

func (h handlers) ladder(ctx context.Context) (answer gen.Ladder, err error) {
	rows, err := h.o.Records.LadderPolicies(ctx)
	if err != nil {
		return answer, err
	}
	rules, err := ladder.Rules(rows)
	if err != nil {
		return answer, err
	}
	answer = gen.Ladder{Rules: rules, Effective: []gen.EffectiveLadder{}, Defaults: policies(nil, nil)}
	teams, known := []*uuid.UUID{nil}, map[uuid.UUID]bool{}
	for _, rule := range rules {
		if rule.TeamID != nil && !known[*rule.TeamID] {
			known[*rule.TeamID] = true
			teams = append(teams, rule.TeamID)
		}
	}
	for _, team := range teams {
		answer.Effective = append(answer.Effective, policies(answer.Rules, team)...)
	}
	return answer, nil
}

// policies are what follows from rules for a team, by priority.
func policies(rules []ladder.Rule, team *uuid.UUID) (list []gen.EffectiveLadder) {
	for p := models.PriorityCritical; p >= models.PriorityLow; p-- {
		list = append(list, gen.EffectiveLadder{TeamID: team, Priority: gen.Priority(p.String()), Policy: ladder.For(rules, team, p)})
	}
	return list
}

// GetHandoffLadder tells where the ladder of a handoff stands.
func (h handlers) GetHandoffLadder(ctx context.Context, r gen.GetHandoffLadderRequestObject) (gen.GetHandoffLadderResponseObject, error) {
	answer, err := h.handoffLadder(plain(ctx), r.ID, r.Hid)
	return gen.GetHandoffLadder200JSONResponse(answer), err
}

// StillHere keeps a claim whose holder says that they are still at it.
func (h handlers) StillHere(ctx context.Context, r gen.StillHereRequestObject) (gen.StillHereResponseObject, error) {
	ctx, by := caller(ctx)
	if err := h.o.Records.StillHere(ctx, r.ID, r.Hid, by.UserID); err != nil {
		return nil, err
	}
	answer, err := h.handoffLadder(ctx, r.ID, r.Hid)
	return gen.StillHere200JSONResponse(answer), err
}

func (h handlers) handoffLadder(ctx context.Context, session, handoff uuid.UUID) (gen.HandoffLadder, error) {
	v, err := h.o.Records.Ladder(ctx, session, handoff)
	if err != nil {
		return gen.HandoffLadder{}, err
	}
	answer := gen.HandoffLadder{
		HandoffID: v.ID, Generation: v.Generation, Version: v.Version, State: nil, Reason: nil, Next: nil, NextAt: nil,
		WakeAt: utc(v.WakeAt), Lease: nil, Policy: nil, UpdatedAt: nil,
	}
	l := v.Ladder
	if l == nil {
		return answer, nil
	}
	var policy ladder.Policy
	if err := json.Unmarshal(l.Policy, &policy); err != nil {
		return answer, fmt.Errorf("reading a stored policy: %w", err)
	}
	answer.Policy, answer.UpdatedAt = &policy, utc(&l.UpdatedAt)
	if l.Version == v.Version { // or it has not heard of the newest decision yet
		answer.State, answer.Reason = new(gen.LadderState(l.State)), l.Reason
		answer.Next, answer.NextAt = l.Next, utc(l.NextAt)
	}
	if v.ActiveAt != nil && policy.Lease.On() {
		answer.Lease = &gen.HeldLease{
			ActiveAt: v.ActiveAt.UTC(), Until: policy.LeaseAt(v.Priority, *v.ActiveAt, ladder.LeaseTakeBack).UTC(),
			Over: l.Taking != nil && *l.Taking == v.Generation,
		}
	}
	return answer, nil
}

// wake reads when a parked session is due, and returns the wish as well, which
// a repeated request repeats while the instant moves on.
func wake(intent models.Intent, w *gen.Wake, now time.Time) (at *time.Time, wish string, err error) {
	if w == nil {
		return nil, "", nil
	}
	var wrong fields
	said := 0
	for _, set := range []bool{w.At != nil, w.AfterMinutes != nil, w.LocalTime != nil} {
		if set {
			said++
		}
	}
	var due time.Time
	switch {
	case intent != models.IntentPark:
		wrong.wrong("/wake", "is for the intent park alone")
	case said != 1:
		wrong.wrong("/wake", "must say one of at, after_minutes and local_time")
	case w.Zone != nil && w.LocalTime == nil:
		wrong.wrong("/wake/zone", "is for local_time alone")
	case w.At != nil:
		due, wish = w.At.UTC().Truncate(time.Microsecond), "at "+w.At.UTC().Format(time.RFC3339Nano)
		// Not of the very moment: a request may be repeated for a while.
		if due.Before(now.Add(-time.Hour)) || due.After(now.Add(maxWake)) {
			wrong.wrong("/wake/at", "must be in the future, and no more than 90 days ahead")
		}
	case w.AfterMinutes != nil:
		due, wish = now.Add(time.Duration(*w.AfterMinutes)*time.Minute), fmt.Sprintf("after %d", *w.AfterMinutes)
	default:
		zone, zoneErr := ladder.Zone(deref(w.Zone))
		if zoneErr != nil {
			wrong.wrong("/wake/zone", "must be the IANA name of a time zone, such as Europe/Berlin")
			break
		}
		if due, err = ladder.NextLocal(now, zone, *w.LocalTime); err != nil {
			wrong.wrong("/wake/local_time", "must be a time from 00:00 to 23:59, such as 08:00")
		}
		wish = "local " + *w.LocalTime + " " + *w.Zone
	}
	if err := wrong.err(); err != nil {
		return nil, "", err
	}
	due = due.UTC().Truncate(time.Microsecond)
	return &due, wish, nil
}

const (
	presenceRoute = "/api/v1/ai-sessions/:id/handoffs/:hid/presence"
	// refreshes is how the console's page says, in [ConsoleHeader], that it reads
	// anew by itself. A page that was left open holds no claim.
	refreshes = "refresh"
)

// seen lets whoever looks at a handoff that they hold count as active. What
// they decide about it ends the claim, or says so itself.
func (s *Server) seen(c *gin.Context) {
	c.Next()
	hid, err := uuid.Parse(c.Param("hid"))
	if err != nil || c.Request.Method == http.MethodPost || c.Writer.Status() >= http.StatusBadRequest ||
		c.FullPath() == presenceRoute || c.GetHeader(ConsoleHeader) == refreshes {
		return
	}
	ctx := c.Request.Context()
	if err := s.o.Records.HolderSeen(ctx, hid, requestOf(ctx).by.UserID); err != nil {
		s.o.Logger.WarnContext(ctx, "The activity of a holder was not noted.", "handoff_id", hid, "error", err)
	}
}
