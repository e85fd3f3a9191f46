package activities

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// PSA finds the PSA of an account.
type PSA interface {
	// Client returns the account's client and what it wants to happen to its
	// tickets. Found is false for an account without a connection.
	Client(ctx context.Context, account uuid.UUID) (client psa.Client, options psa.Options, found bool, err error)
	// Report hears how each use of the connection went; err is nil for success.
	Report(ctx context.Context, account uuid.UUID, err error)
	// Version changes whenever the account's connection is changed, and not with
	// Report: what failed is tried again as soon as it does. It is empty without
	// a connection.
	Version(ctx context.Context, account uuid.UUID) (string, error)
}

// Tickets hands steps over to the workflow of a ticket. They are durable there
// when it returns; handing the same step over again changes nothing.
type Tickets interface {
	TellTicket(ctx context.Context, account uuid.UUID, ticket string, steps []EffectInput) error
}

// Watcher notes what a ticket looked like at a time. One that was seen open can
// be seen to have been closed by hand.
type Watcher interface {
	Saw(ctx context.Context, account, handoff uuid.UUID, ticket psa.Ticket, at time.Time) error
}

// Ticketing is what telling tickets needs. Without a PSA, no account has one;
// without a watcher, nothing is noted.
type Ticketing struct {
	PSA     PSA
	Tickets Tickets
	Watcher Watcher
}

const (
	// PushTimeout bounds one attempt. The activity's own time-out is longer, so
	// that the attempt's end is recorded.
	PushTimeout = 45 * time.Second
	// PushHeartbeat is how often a running attempt says that it is alive.
	PushHeartbeat = 2 * time.Second
	// stopGrace is how long a running attempt gets when its worker stops.
	stopGrace = 5 * time.Second
	// pushesAtOnce is how many pushes of one account a worker runs at once, so
	// that a PSA that stalls cannot take every slot. Autotask allows three calls
	// of one endpoint at once.
	pushesAtOnce = 3
	// connectionPoll is how often it is looked whether a connection was mended.
	connectionPoll = 2 * time.Minute
)

const noConnection = "No PSA is connected."

// handToTicket gives the ticket's workflow every transition that it is still to
// be told of. It runs with the projection, so everything of a handoff has been
// handed over before its workflow ends and the session's next handoff begins.
// First the step is recorded, then handed over: when something stops in
// between, the next attempt finds the step open and hands it over again.
func (a *Activities) handToTicket(ctx context.Context, snap models.Snapshot, row models.HandoffView) error {
	ticket := deref(row.PSATicket)
	if strings.TrimSpace(ticket) == "" {
		return nil // the API says so; there is nothing to record
	}
	known, err := a.records.PSASteps(ctx, snap.HandoffID)
	if err != nil {
		return err
	}
	stands := map[int]models.PSAStep{}
	for _, s := range known {
		stands[s.Version] = s
	}
	connected, reason := a.connected(ctx, snap.AccountID)
	if !connected && len(known) > 0 {
		return nil // said once is enough
	}
	state := models.EffectPending
	if !connected {
		state = models.EffectSkipped
	}
	var fresh []models.PSAStep
	var open []EffectInput
	for _, t := range snap.Transitions {
		s, found := stands[t.Version]
		if !found || connected && s.State == models.EffectSkipped {
			fresh = append(fresh, models.PSAStep{Version: t.Version, Step: string(stepOf(t.Verb)), State: state, Reason: reason})
			s.State = state
		}
		if s.Open() {
			open = append(open, effectInput(snap, t))
		}
	}
	if len(fresh) > 0 {
		if err := a.records.RecordPSASteps(ctx, snap.HandoffID, fresh); err != nil {
			return err
		}
	}
	if len(open) == 0 || a.ticketing.Tickets == nil {
		return nil
	}
	return a.ticketing.Tickets.TellTicket(ctx, snap.AccountID, ticket, open)
}

// connected reports whether the account has a PSA. When that cannot be told
// now, the ticket's workflow will find out.
func (a *Activities) connected(ctx context.Context, account uuid.UUID) (yes bool, reason *string) {
	none := noConnection
	if a.ticketing.PSA == nil {
		return false, &none
	}
	_, _, found, err := a.ticketing.PSA.Client(ctx, account)
	if err != nil || found {
		return true, nil
	}
	return false, &none
}

func effectInput(snap models.Snapshot, t models.Transition) EffectInput {
	return EffectInput{
		AccountID: snap.AccountID, SessionID: snap.SessionID, HandoffID: snap.HandoffID,
		Verb: t.Verb, Generation: t.Generation, Version: t.Version,
	}
}

// Pushed is how an attempt to tell a ticket of a step ended, when it ended for
// good or needs something that is not the PSA's. Temporary trouble is an error.
type Pushed struct {
	// State is done, skipped, failed, or pending while the step waits for the
	// handoff's documentation.
	State  models.EffectState `json:"state"`
	Reason string             `json:"reason,omitempty"`
	// Noted says of a failed step that its note is in the ticket, and only its
	// status or owner could not be set. It need not keep later steps waiting.
	Noted bool `json:"noted,omitempty"`
	// Connection is the version of the connection that failed.
	Connection string `json:"connection,omitempty"`
}

// PushStep tells the ticket of one step: its note once, then status and owner.
// Temporary trouble is shown and retried without end. Trouble that no retry
// mends is shown with its cure and returned as failed; the ticket's workflow
// waits for the cure.
func (a *Activities) PushStep(ctx context.Context, in EffectInput) (Pushed, error) {
	ctx = tenant.With(ctx, in.AccountID)
	release, ok := a.pushing.acquire(in.AccountID, pushesAtOnce)
	if !ok {
		return Pushed{}, busy(ctx, "Other tickets of the account have their turn first.")
	}
	defer release()
	p := &push{Activities: a, in: in}
	if err := p.read(ctx); err != nil {
		return p.over(ctx, psa.Result{}, err)
	}
	switch {
	case !p.step.Open():
		return Pushed{State: p.step.State, Reason: deref(p.step.Reason)}, nil
	case in.Verb == models.VerbCreate && p.handoff.Documentation == nil:
		return p.undocumented(ctx)
	}
	connection := a.connectionVersion(ctx, in.AccountID)
	result, found, err := p.call(ctx)
	if !found && err == nil {
		p.step.State, p.step.Reason, p.step.NextAttemptAt = models.EffectSkipped, new(noConnection), nil
		return Pushed{State: models.EffectSkipped}, p.record(ctx)
	}
	pushed, err := p.over(ctx, result, err)
	pushed.Connection = connection
	return pushed, err
}

// push is one attempt.
type push struct {
	*Activities
	in      EffectInput
	handoff models.HandoffView
	entry   models.TimelineView
	step    models.PSAStep
	// later says that the ticket was told of a later step already; superseded,
	// that this kept its status or owner from being set.
	later, superseded bool
	// stopped says that the attempt was cut short because the worker stops.
	stopped atomic.Bool
}

func (p *push) read(ctx context.Context) (err error) {
	p.later = p.in.Superseded
	p.step = models.PSAStep{Version: p.in.Version, Step: string(stepOf(p.in.Verb)), State: models.EffectPending}
	steps, err := p.records.PSASteps(ctx, p.in.HandoffID)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if s.Version == p.in.Version {
			p.step = s
		}
		p.later = p.later || s.Version > p.in.Version && s.State == models.EffectDone
	}
	if p.step.State == models.EffectFailed || p.step.State == models.EffectPending {
		p.step.Attempts = 0 // somebody, or time, has mended what had failed: it starts anew
	}
	p.handoff, err = p.records.Handoff(ctx, p.in.SessionID, p.in.HandoffID)
	if models.CodeOf(err) == models.CodeNotFound {
		return models.Errorf(models.CodeUnavailable, "The database does not know the handoff; was it restored to a time before it?").WithCause(err)
	}
	if err != nil {
		return err
	}
	timeline, err := p.records.Timeline(ctx, p.in.SessionID, p.in.HandoffID)
	if err != nil {
		return err
	}
	for _, t := range timeline {
		if t.Version == p.in.Version {
			p.entry = t
			return nil
		}
	}
	return models.Errorf(models.CodeUnavailable, "The decision is not shown yet.")
}

// undocumented waits for the documentation, which is the note of the first
// step. Where that failed for good, so does the step.
func (p *push) undocumented(ctx context.Context) (Pushed, error) {
	for _, e := range p.handoff.Effects {
		if e.Kind == models.EffectDocumentation && e.State == models.EffectFailed {
			return p.over(ctx, psa.Result{}, models.Errorf(models.CodeInvalid, "The documentation, which is the ticket's note, could not be written: %s", deref(e.Reason)))
		}
	}
	return Pushed{State: models.EffectPending, Reason: "It waits for the documentation."}, nil
}

// call calls the PSA.
func (p *push) call(ctx context.Context) (r psa.Result, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, PushTimeout)
	defer cancel()
	defer keepAlive(ctx, PushHeartbeat, func() { p.stopped.Store(true); cancel() })()
	if p.ticketing.PSA == nil {
		return r, false, nil
	}
	client, options, found, err := p.ticketing.PSA.Client(ctx, p.in.AccountID)
	if err != nil || !found {
		return r, found, err
	}
	if err := p.redact(ctx); err != nil {
		return r, true, err
	}
	step := psa.Step{Ticket: deref(p.handoff.PSATicket), Mark: markOf(p.in)}
	var owner psa.Person
	if p.in.Verb == models.VerbCreate {
		step.Title, step.Markdown, step.Plain = "Handed off by "+nameOr(p.handoff.HandedOffByName, "an engineer"),
			p.handoff.Documentation.Markdown, p.handoff.Documentation.Plain
	} else {
		step.Title, step.Markdown, step.Plain = ticketNote(p.handoff, p.entry)
	}
	if p.in.Verb == models.VerbClaim && options.SetOwner && p.entry.HolderID != nil {
		u, err := p.records.User(ctx, *p.entry.HolderID)
		if err != nil && models.CodeOf(err) != models.CodeNotFound { // whom an operator's signal may name
			return r, true, err
		}
		owner = psa.Person{Name: u.Name, Email: u.Email}
	}
	step = options.Apply(step, owner)
	if p.later {
		p.superseded = step.Status != "" || step.Owner != nil
		step.Status, step.Owner = "", nil // they would set the ticket back
	}
	began := time.Now()
	r, err = psa.Push(ctx, client, step)
	if p.ticketing.Watcher != nil {
		if err := p.ticketing.Watcher.Saw(ctx, p.in.AccountID, p.in.HandoffID, r.Ticket, began); err != nil {
			p.log.WarnContext(ctx, "what a ticket looked like was not noted", "handoff_id", p.in.HandoffID, "error", err)
		}
	}
	err = psa.GaveUp(err, p.step.Attempts+1)
	return r, true, err
}

// redact takes credentials out of all that the ticket may be told. The
// documentation has none, unless an older version wrote it.
func (p *push) redact(ctx context.Context) error {
	var texts []*string
	if d := p.handoff.Documentation; d != nil {
		texts = append(texts, &d.Markdown, &d.Plain)
	}
	for _, text := range []*string{p.entry.Note, p.entry.ActorName, p.entry.HolderName, p.entry.TargetUserName, p.handoff.HandedOffByName} {
		if text != nil {
			texts = append(texts, text)
		}
	}
	_, err := p.tell(ctx, BriefingInput{AccountID: p.in.AccountID, SessionID: p.in.SessionID, HandoffID: p.in.HandoffID}, texts...)
	return err
}

// over records how the attempt ended.
func (p *push) over(ctx context.Context, r psa.Result, err error) (Pushed, error) {
	if ctx.Err() != nil {
		return Pushed{}, ctx.Err() // cut short: it says nothing about the PSA
	}
	if err != nil && p.stopped.Load() {
		return Pushed{}, temporal.NewApplicationErrorWithOptions("The worker was stopped.", "stopped", temporal.ApplicationErrorOptions{NextRetryDelay: time.Second})
	}
	p.step.Attempts++
	p.step.NextAttemptAt, p.step.Reason = nil, nil
	if r.Ticket.ID != "" {
		p.step.TicketID = &r.Ticket.ID
	}
	if r.NoteID != "" {
		p.step.NoteID = &r.NoteID
	}
	if err == nil {
		p.report(ctx, nil)
		p.step.State = models.EffectDone
		switch {
		case p.superseded:
			p.step.Reason = new("Its status and owner were not set: the ticket was told of a later step first.")
		case r.Closed:
			p.step.Reason = new("The ticket was closed in the PSA, so its status and owner were left as they are.")
		}
		return Pushed{State: models.EffectDone}, p.record(ctx)
	}
	if _, its := errors.AsType[*psa.Error](err); its {
		p.report(ctx, err)
	}
	reason := reasonOf(err)
	p.step.Reason = &reason
	if permanent(err) {
		p.step.State = models.EffectFailed
		p.log.ErrorContext(ctx, "a ticket could not be told of a handoff; a person has to mend it", "account_id", p.in.AccountID,
			"handoff_id", p.in.HandoffID, "step", p.step.Step, "attempt", p.step.Attempts, "error", err)
		return Pushed{State: models.EffectFailed, Reason: reason, Noted: r.NoteID != ""}, p.record(ctx)
	}
	delay := retryDelay(p.step.Attempts, err)
	next := time.Now().Add(delay)
	p.step.State, p.step.NextAttemptAt = models.EffectRetrying, &next
	p.log.WarnContext(ctx, "a ticket could not be told of a handoff yet", "account_id", p.in.AccountID,
		"handoff_id", p.in.HandoffID, "step", p.step.Step, "attempt", p.step.Attempts, "error", err)
	_ = p.record(ctx) // logged; the trouble with the PSA is what matters
	return Pushed{}, temporal.NewApplicationErrorWithOptions(reason, string(models.CodeOf(err)), temporal.ApplicationErrorOptions{NextRetryDelay: delay})
}

func (p *push) report(ctx context.Context, err error) {
	if p.ticketing.PSA != nil {
		p.ticketing.PSA.Report(ctx, p.in.AccountID, err)
	}
}

func (p *push) record(ctx context.Context) error {
	err := p.records.RecordPSASteps(ctx, p.in.HandoffID, []models.PSAStep{p.step})
	if err != nil {
		p.log.WarnContext(ctx, "the state of a ticket's step could not be recorded", "handoff_id", p.in.HandoffID, "error", err)
		return temporal.NewApplicationError(reasonOf(err), string(models.CodeOf(err))) // the next attempt finds the note
	}
	return nil
}

// ConnectionChanged ends when an account's connection is no longer the version
// that failed. Until then it fails, to be tried again: that costs no history.
func (a *Activities) ConnectionChanged(ctx context.Context, account uuid.UUID, failed string) error {
	now := a.connectionVersion(tenant.With(ctx, account), account)
	if now != "" && now != failed {
		return nil
	}
	return temporal.NewApplicationErrorWithOptions("The connection is as it was.", "unchanged",
		temporal.ApplicationErrorOptions{NextRetryDelay: connectionPoll, Category: temporal.ApplicationErrorCategoryBenign})
}

// connectionVersion tells one state of a connection from another; empty when
// that cannot be told now.
func (a *Activities) connectionVersion(ctx context.Context, account uuid.UUID) string {
	if a.ticketing.PSA == nil {
		return ""
	}
	version, err := a.ticketing.PSA.Version(ctx, account)
	if err != nil {
		a.log.WarnContext(ctx, "the version of a connection could not be read", "account_id", account, "error", err)
		return ""
	}
	return version
}
