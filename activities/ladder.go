package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Ladders is what calling people needs. Without a Follow nobody is called.
type Ladders struct {
	Records  LadderRecords
	Follow   LadderFollow
	Handoffs Handoffs
}

// LadderRecords is what ladders are kept in. The account comes from the context.
type LadderRecords interface {
	LadderPolicies(ctx context.Context) ([]models.LadderPolicy, error)
	Ladder(ctx context.Context, sessionID, handoffID uuid.UUID) (models.LadderView, error)
	RecordLadder(ctx context.Context, l models.HandoffLadder) error
	// BeginTakeBack decides that a claim is taken back, unless its holder has
	// shown activity after last.
	BeginTakeBack(ctx context.Context, handoffID uuid.UUID, version int, last time.Time) (bool, error)
}

// LadderFollow hands news of a handoff over to the workflow of its ladder. They
// are durable when it returns.
type LadderFollow interface {
	TellLadder(ctx context.Context, of BriefingInput, news LadderNews) error
}

// Handoffs decides about handoffs.
type Handoffs interface {
	Transition(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error)
}

// LadderNews is where a handoff stands for its ladder.
type LadderNews struct {
	Version    int           `json:"version"`
	Generation int           `json:"generation"`
	Status     models.Status `json:"status"`
	// Kind says how it came into the queue the last time, Since when, and Began
	// by which version.
	Kind  notify.Kind `json:"kind"`
	Since time.Time   `json:"since"`
	Began int         `json:"began"`
	// Pauses are the times since then that it was somewhere else and came back.
	Pauses []ladder.Span `json:"pauses,omitempty"`
	// Former held it before that.
	Former *uuid.UUID `json:"former,omitempty"`
	// Reserved is until when nobody but the target may claim it.
	Reserved time.Time `json:"reserved,omitzero"`
}

// NewsOf folds the transitions of a handoff into what its ladder goes by.
func NewsOf(snap models.Snapshot) LadderNews {
	var n LadderNews
	var away time.Time
	var holder *uuid.UUID
	for _, t := range snap.Transitions {
		switch {
		case t.Status == models.StatusQueued && (t.Generation != n.Generation || t.Verb == models.VerbAnswer):
			// It begins to wait, and whatever was before does not count.
			n.Kind, n.Since, n.Began, n.Pauses, n.Former = kindOf(snap.Intent, t), t.At, t.Version, nil, holder
			n.Reserved = deref(t.ReservedUntil)
			away = time.Time{}
		case t.Status == models.StatusQueued && !away.IsZero():
			n.Pauses = append(n.Pauses, ladder.Span{From: away, To: t.At})
			away = time.Time{}
		case t.Status != models.StatusQueued && away.IsZero():
			away = t.At
		}
		if t.HolderID != nil {
			holder = t.HolderID
		}
		n.Version, n.Generation, n.Status = t.Version, t.Generation, t.Status
	}
	return n
}

// kindOf says how a transition put a handoff into the queue.
func kindOf(intent models.Intent, t models.Transition) notify.Kind {
	switch {
	case t.Verb == models.VerbCreate && intent == models.IntentPark:
		return notify.KindParked
	case t.Verb == models.VerbCreate:
		return notify.KindEscalated
	case t.Verb == models.VerbReassign:
		return notify.KindReassigned
	case t.Verb == models.VerbAnswer:
		return notify.KindAnswered
	case t.Door == models.DoorLease:
		return notify.KindTakenBack
	}
	return notify.KindReleased
}

// handToLadder tells the workflow of the handoff's ladder where it stands. It
// runs with the projection, like [Activities.handToTicket].
func (a *Activities) handToLadder(ctx context.Context, snap models.Snapshot) error {
	if a.ladders.Follow == nil {
		return nil
	}
	return a.ladders.Follow.TellLadder(ctx, BriefingInput{AccountID: snap.AccountID, SessionID: snap.SessionID, HandoffID: snap.HandoffID}, NewsOf(snap))
}

// LadderAsk asks what a ladder does next.
type LadderAsk struct {
	BriefingInput
	News LadderNews `json:"news"`
	// Calls is how many calls of this wait were made, or passed over.
	Calls int `json:"calls"`
	// Lease is how far the lease of this claim has come.
	Lease LeaseState `json:"lease,omitzero"`
	// Now is the workflow's time, by which everything is reckoned.
	Now time.Time `json:"now"`
}

// LeaseState is how far the lease of a claim has come: so many of its stages
// since the holder's last activity.
type LeaseState struct {
	Last   time.Time `json:"last,omitzero"`
	Stages int       `json:"stages,omitempty"`
}

// LadderNext is what a ladder does next.
type LadderNext struct {
	// State is empty when newer news are on their way.
	State models.LadderState `json:"state,omitempty"`
	// At is when it is to be done; zero for nothing before there is news.
	At time.Time `json:"at,omitzero"`
	// Announce is whom to tell of what. Without it the claim is taken back.
	Announce *Announcement `json:"announce,omitempty"`
	// Skip is how many calls are passed over.
	Skip int `json:"skip,omitempty"`
	// Lease is what the stage is about, which comes at At.
	Lease LeaseState `json:"lease,omitzero"`
	// Words say for operators what comes next, or why nothing does.
	Words string `json:"words,omitempty"`
}

// LadderStep settles what a handoff's ladder does next, and when, and shows it
// to readers. The first time it also settles the policy, for as long as the
// handoff lives. Instants are reckoned here and not by the workflow, because
// they depend on the rules of time zones that a process knows.
func (a *Activities) LadderStep(ctx context.Context, in LadderAsk) (LadderNext, error) {
	ctx = tenant.With(ctx, in.AccountID)
	next, err := a.ladderStep(ctx, in)
	if err != nil {
		a.log.WarnContext(ctx, "a ladder's next step could not be settled", "handoff_id", in.HandoffID, "error", err)
		return LadderNext{}, forTemporal(err)
	}
	return next, nil
}

func (a *Activities) ladderStep(ctx context.Context, in LadderAsk) (next LadderNext, err error) {
	view, err := a.ladders.Records.Ladder(ctx, in.SessionID, in.HandoffID)
	if err != nil {
		return next, err
	}
	if view.Version > in.News.Version {
		return LadderNext{Words: "it waits for news"}, nil
	}
	policy, text, err := a.policyOf(ctx, view)
	if err != nil {
		return next, err
	}
	row := models.HandoffLadder{HandoffID: in.HandoffID, Policy: text, Generation: in.News.Generation, Version: in.News.Version}
	switch {
	case in.News.Status.Closed():
		next = LadderNext{State: models.LadderEnded, Words: "the handoff is " + string(in.News.Status)}
	case in.News.Status == models.StatusQueued:
		w := waitOf(view, in.News)
		next = call(policy, w, in)
		if by := policy.ClaimBy(w).UTC(); !by.IsZero() {
			row.ClaimBy = &by
		}
	case in.News.Status == models.StatusClaimed:
		next = lease(policy, view, in, &row)
	default:
		next = LadderNext{State: models.LadderPaused, Words: fmt.Sprintf("The handoff is %s. Nobody is called before it is back in the queue.", in.News.Status)}
		row.Reason = &next.Words
	}
	row.State = next.State
	if !next.At.IsZero() {
		row.Next, row.NextAt = &next.Words, &next.At
	}
	return next, a.ladders.Records.RecordLadder(ctx, row)
}

// policyOf is the policy that the handoff began with, or begins with now.
func (a *Activities) policyOf(ctx context.Context, view models.LadderView) (p ladder.Policy, text json.RawMessage, err error) {
	if view.Ladder != nil {
		if err := json.Unmarshal(view.Ladder.Policy, &p); err != nil {
			return p, nil, fmt.Errorf("reading a stored policy: %w", err)
		}
		return p, view.Ladder.Policy, nil
	}
	rows, err := a.ladders.Records.LadderPolicies(ctx)
	if err != nil {
		return p, nil, err
	}
	rules, err := ladder.Rules(rows)
	if err != nil {
		return p, nil, err
	}
	p = ladder.For(rules, view.TeamID, view.Priority)
	text, err = json.Marshal(p)
	return p, text, err
}

func waitOf(view models.LadderView, news LadderNews) ladder.Wait {
	return ladder.Wait{
		Intent: view.Intent, Priority: view.Priority, Kind: news.Kind, Since: news.Since, Pauses: news.Pauses,
		WakeAt: deref(view.WakeAt), Former: deref(news.Former), Reserved: news.Reserved,
	}
}

// call is the next time that people are called for a handoff that waits.
func call(p ladder.Policy, w ladder.Wait, in LadderAsk) LadderNext {
	c, skip, found := p.Next(w, in.Calls, in.Now)
	if !found {
		return LadderNext{State: models.LadderSpent, Words: "everybody was called"}
	}
	next := LadderNext{State: models.LadderCalling, At: c.At.UTC(), Skip: skip, Words: ladder.Told(c.To)}
	next.Announce = in.announcement(fmt.Sprintf("ladder/%d/%s", in.News.Began, c.Name), c.Kind, audiences(c.To))
	if after, _, more := p.Next(w, in.Calls+skip+1, c.At); more {
		next.Announce.Due, next.Announce.Next = after.At.UTC(), ladder.Told(after.To)
	}
	return next
}

// lease is what becomes next of a claim.
func lease(p ladder.Policy, view models.LadderView, in LadderAsk, row *models.HandoffLadder) LadderNext {
	if !p.Lease.On() {
		return LadderNext{State: models.LadderHeld, Words: "it is held"}
	}
	s := in.Lease
	if last := deref(view.ActiveAt).UTC(); !s.Last.Equal(last) {
		s = LeaseState{Last: last}
	}
	stages := ladder.Stages()
	s.Stages = min(s.Stages, len(stages)-1)
	stage := stages[s.Stages]
	until := p.LeaseAt(view.Priority, s.Last, ladder.LeaseTakeBack).UTC()
	row.LeaseUntil = &until
	next := LadderNext{State: models.LadderHeld, Lease: s, At: p.LeaseAt(view.Priority, s.Last, stage).UTC()}
	kind := notify.KindLeaseReminder
	switch stage {
	case ladder.LeaseRemind:
		next.Words = "its holder is reminded"
	case ladder.LeaseAsk:
		kind, next.Words = notify.KindLeaseAsked, "its holder is asked"
	case ladder.LeaseTakeBack:
		next.Words = "it goes back to the queue"
		return next
	}
	next.Announce = in.announcement(fmt.Sprintf("lease/%d/%s/%d", in.News.Version, stage, s.Last.UnixMicro()), kind, []Audience{{Who: WhoHolder}})
	next.Announce.Due, next.Announce.Next = until, "it goes back to the queue"
	return next
}

func (in LadderAsk) announcement(step string, kind notify.Kind, to []Audience) *Announcement {
	return &Announcement{
		AccountID: in.AccountID, SessionID: in.SessionID, HandoffID: in.HandoffID,
		Generation: in.News.Generation, Version: in.News.Version, Step: step, Kind: kind, To: to,
	}
}

func audiences(to []ladder.Audience) []Audience {
	out := make([]Audience, len(to))
	for i, a := range to {
		out[i] = Audience{Who: Who(a.Who), UserID: deref(a.UserID), Endpoint: deref(a.Endpoint), Channels: a.Channels}
	}
	return out
}

// TakeBackInput names a claim, and the holder's last activity that is known.
type TakeBackInput struct {
	BriefingInput
	Version    int       `json:"version"`
	Generation int       `json:"generation"`
	Last       time.Time `json:"last"`
}

// TakeBack puts a handoff back into the queue whose holder shows no activity.
// Taken is false when they have shown some at the last moment. It is also true
// when somebody else has decided about the handoff meanwhile.
func (a *Activities) TakeBack(ctx context.Context, in TakeBackInput) (taken bool, err error) {
	ctx = tenant.With(ctx, in.AccountID)
	taken, err = a.ladders.Records.BeginTakeBack(ctx, in.HandoffID, in.Version, in.Last)
	if err != nil || !taken {
		return false, forTemporalOrNil(err)
	}
	// Baton itself, with an admin's right to release what others hold.
	self := models.Principal{AccountID: in.AccountID, Role: models.RoleAdmin, Name: "Baton"}
	_, err = a.ladders.Handoffs.Transition(ctx, self, models.TransitionRequest{
		Verb: models.VerbRelease, SessionID: in.SessionID, HandoffID: in.HandoffID, Door: models.DoorLease, Generation: in.Generation,
		Note: fmt.Sprintf("Its holder has shown no activity since %s and was asked, so it is back in the queue.", in.Last.UTC().Format("2 January 2006, 15:04 MST")),
	})
	if code := models.CodeOf(err); code == models.CodeClosed || code == models.CodeConflict || code == models.CodeNotFound {
		return true, nil // somebody was faster
	}
	if err == nil {
		a.log.InfoContext(ctx, "a handoff was taken back", "account_id", in.AccountID, "handoff_id", in.HandoffID, "generation", in.Generation)
	}
	return err == nil, forTemporalOrNil(err)
}

func forTemporalOrNil(err error) error {
	if err == nil {
		return nil
	}
	return forTemporal(err)
}
