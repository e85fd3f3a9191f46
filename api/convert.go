package api

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/api/gen"
	port "github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/models"
)

// defaultLimit is how many items a page has when nobody says.
const defaultLimit = 50

// From requests to the domain. These functions check what a schema cannot tell.

func newHandoff(r gen.CreateHandoffRequestObject) (models.NewHandoff, error) {
	body := deref(r.Body)
	var wrong fields
	wrong.prose("/engineer_notes", body.EngineerNotes)
	if !models.Intent(body.Intent).Valid() {
		wrong.wrong("/intent", "must be one of park, escalate")
	}
	if err := wrong.err(); err != nil {
		return models.NewHandoff{}, err
	}
	priority := models.PriorityNormal
	if body.Priority != nil {
		var err error
		if priority, err = models.ParsePriority(string(*body.Priority)); err != nil {
			return models.NewHandoff{}, err
		}
	}
	wakeAt, wish, err := wake(models.Intent(body.Intent), body.Wake, time.Now())
	if err != nil {
		return models.NewHandoff{}, err
	}
	return models.NewHandoff{
		WakeAt: wakeAt, WakeWish: wish,
		SessionID: r.ID, Intent: models.Intent(body.Intent), Priority: priority,
		EngineerNotes: body.EngineerNotes, TargetUserID: body.TargetUserID, Key: deref(r.Params.IdempotencyKey),
	}, nil
}

func newSession(r gen.CreateSessionRequestObject) (models.NewSession, error) {
	body := deref(r.Body)
	var wrong fields
	wrong.line("/title", body.Title)
	wrong.line("/client_name", body.ClientName)
	wrong.text("/problem", deref(body.Problem))
	if body.PSATicket != nil {
		wrong.line("/psa_ticket", *body.PSATicket)
	}
	steps := wrong.steps(deref(body.Steps))
	return models.NewSession{
		Title: body.Title, ClientName: body.ClientName, Problem: deref(body.Problem), PSATicket: body.PSATicket,
		Steps: steps, Key: deref(r.Params.IdempotencyKey),
	}, wrong.err()
}

func newSteps(steps []gen.NewStep) ([]models.Step, error) {
	var wrong fields
	rows := wrong.steps(steps)
	return rows, wrong.err()
}

func (f *fields) steps(steps []gen.NewStep) []models.Step {
	first := make(map[uuid.UUID]int, len(steps))
	rows := make([]models.Step, len(steps))
	for i, st := range steps {
		at := fmt.Sprintf("/steps/%d", i)
		if before, twice := first[st.ID]; twice {
			f.wrong(at+"/id", "is the id of /steps/%d too; each step needs its own", before)
		} else {
			first[st.ID] = i
		}
		f.text(at+"/text", st.Text)
		if utc := st.At.UTC(); utc.Year() < 1970 || utc.Year() > 9998 {
			f.wrong(at+"/at", "is in the year %d; it has to be when the step was made", utc.Year())
		}
		rows[i] = models.Step{
			ID: st.ID, At: st.At.UTC(), Actor: models.Actor(st.Actor), Kind: models.StepKind(st.Kind),
			Text: st.Text, Outcome: (*models.Outcome)(st.Outcome),
		}
	}
	return rows
}

func queueFilter(by models.Principal, p gen.ListQueueParams) (models.QueueFilter, error) {
	var priority models.Priority
	if p.Priority != nil {
		var err error
		if priority, err = models.ParsePriority(string(*p.Priority)); err != nil {
			return models.QueueFilter{}, err
		}
	}
	sort := models.SortPriority
	if p.Sort != nil {
		sort = models.QueueSort(*p.Sort)
	}
	return models.QueueFilter{
		Reader: by.UserID, Status: models.Status(deref(p.Status)), Intent: models.Intent(deref(p.Intent)),
		Priority: priority, TeamID: p.TeamID, Mine: deref(p.Mine), Sent: deref(p.Sent), Query: deref(p.Q), Sort: sort,
	}, nil
}

// page is the part of a list that is asked for. It checks the free text among
// the list's parameters.
func page(cursor *string, limit *int, query *string) (models.Page, error) {
	var wrong fields
	wrong.text("cursor", deref(cursor))
	wrong.text("q", deref(query))
	p := models.Page{Cursor: deref(cursor), Limit: defaultLimit}
	if limit != nil {
		p.Limit = *limit
	}
	return p, wrong.err()
}

// From the domain to answers.

// detailLevel says how much of a handoff is told.
type detailLevel bool

const (
	full  detailLevel = true
	brief detailLevel = false // without the text of the documentation, for lists
)

func (s *Server) handoff(v models.HandoffView, level detailLevel) gen.Handoff {
	effects := make(map[models.EffectKind]models.Effect, len(v.Effects))
	for _, e := range v.Effects {
		effects[e.Kind] = e
	}
	return gen.Handoff{
		ID: v.ID, SessionID: v.SessionID, AccountID: v.AccountID, TeamID: v.TeamID,
		Intent: gen.Intent(v.Intent), Priority: gen.Priority(v.Priority.String()), Status: gen.Status(v.Status),
		Generation: v.Generation, Version: v.Version, EngineerNotes: v.EngineerNotes,
		TargetUserID: v.TargetUserID, TargetUserName: v.TargetUserName,
		HandedOffBy: v.HandedOffBy, HandedOffByName: v.HandedOffByName,
		ClaimedBy: v.ClaimedBy, ClaimedByName: v.ClaimedByName, ClaimedAt: utc(v.ClaimedAt),
		CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(),
		ResolvedAt: utc(v.ResolvedAt), Resolution: v.Resolution, WakeAt: utc(v.WakeAt),
		QueuedAt: utc(v.QueuedAt()), ClaimBy: utc(v.ClaimBy),
		Questions: v.Questions, Answer: v.Answer, ReservedUntil: utc(v.ReservedUntil),
		Session:       gen.SessionHeadline{Title: v.SessionTitle, ClientName: v.ClientName, PSATicket: v.PSATicket},
		Documentation: documentation(effects, v.Documentation, level),
		PSA:           psa(v, effects),
		Briefing:      briefingState(v, effects),
		Notifications: notifications(v.Notifications),
		Links:         gen.HandoffLinks{Self: handoffPath(v.SessionID, v.ID), Temporal: s.temporalLink(v.AccountID, v.SessionID), Ticket: ticketLink(v, effects)},
	}
}

// ticketLink is the page of the ticket in the PSA, which knows it by an id that
// is learnt when the ticket is told of the handoff.
func ticketLink(v models.HandoffView, effects map[models.EffectKind]models.Effect) *string {
	id := deref(effects[models.EffectPSA].TicketID)
	if v.Ticket != nil {
		id = v.Ticket.TicketID
	}
	return orNull(port.TicketURL(port.Kind(deref(v.PSAKind)), deref(v.PSAAddress), id))
}

func (s *Server) handoffPage(rows []models.HandoffView, next string) gen.HandoffPage {
	return gen.HandoffPage{
		Items:      convert(rows, func(v models.HandoffView) gen.Handoff { return s.handoff(v, brief) }),
		NextCursor: orNull(next),
	}
}

func documentation(effects map[models.EffectKind]models.Effect, d *models.Documentation, level detailLevel) gen.Documentation {
	e, recorded := effects[models.EffectDocumentation]
	if !recorded {
		e.State = models.EffectPending
		if d != nil {
			e.State = models.EffectDone
		}
	}
	answer := gen.Documentation{
		State: gen.EffectState(e.State), Reason: e.Reason, Attempts: e.Attempts, NextAttemptAt: utc(e.NextAttemptAt),
		Markdown: nil, Plain: nil, Truncated: false, StepCount: 0, CreatedAt: nil,
	}
	if d != nil {
		answer.Truncated, answer.StepCount, answer.CreatedAt = d.Truncated, d.StepCount, utc(&d.CreatedAt)
		if level == full {
			answer.Markdown, answer.Plain = &d.Markdown, &d.Plain
		}
	}
	return answer
}

func psa(v models.HandoffView, effects map[models.EffectKind]models.Effect) gen.PSA {
	e, recorded := effects[models.EffectPSA]
	switch {
	case recorded:
	case v.PSATicket == nil:
		e.State, e.Reason = models.EffectSkipped, new("The session names no ticket.")
	case v.Status.Closed():
		e.State, e.Reason = models.EffectSkipped, new("No PSA is connected.")
	default:
		e.State = models.EffectPending // it is about to be handed over
	}
	answer := gen.PSA{
		State: gen.EffectState(e.State), Reason: e.Reason, TicketID: e.TicketID, NoteID: e.NoteID,
		Attempts: e.Attempts, LastError: nil, NextAttemptAt: utc(e.NextAttemptAt),
		TicketStatus: nil, TicketClosed: nil, TicketOwner: nil, TicketNotedAt: nil,
	}
	if ticket := v.Ticket; ticket != nil {
		answer.TicketID = &ticket.TicketID
		answer.TicketStatus, answer.TicketClosed = &ticket.Status, &ticket.Closed
		answer.TicketOwner, answer.TicketNotedAt = ticket.Owner, utc(&ticket.NotedAt)
	}
	if e.State == models.EffectRetrying || e.State == models.EffectFailed {
		answer.LastError = e.Reason
	}
	return answer
}

func psaStep(s *models.PSAStep) *gen.PSAStep {
	if s == nil {
		return nil
	}
	return &gen.PSAStep{
		Step: gen.PSAStepName(s.Step), State: gen.EffectState(s.State), Reason: s.Reason, NoteID: s.NoteID,
		Attempts: s.Attempts, NextAttemptAt: utc(s.NextAttemptAt),
	}
}

func timelineEntry(v models.TimelineView) gen.TimelineEntry {
	return gen.TimelineEntry{
		Version: v.Version, Verb: gen.Verb(v.Verb), Door: gen.Door(v.Door),
		ActorID: known(v.ActorID), ActorName: v.ActorName, At: v.At.UTC(),
		Generation: v.Generation, Status: gen.Status(v.Status),
		HolderID: v.HolderID, HolderName: v.HolderName,
		TargetUserID: v.TargetUserID, TargetUserName: v.TargetUserName, Note: v.Note, PSA: psaStep(v.PSA),
	}
}

// known is nil for the nil id, which stands for an operator of Temporal.
func known(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func session(v models.Session) gen.Session {
	self := "/api/v1/ai-sessions/" + v.ID.String()
	return gen.Session{
		ID: v.ID, AccountID: v.AccountID, TeamID: v.TeamID, OwnerID: v.OwnerID,
		Title: v.Title, ClientName: v.ClientName, Problem: v.Problem, PSATicket: v.PSATicket,
		Status: gen.SessionStatus(v.Status), StepCount: v.StepCount, Steps: nil,
		CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(),
		Links: gen.SessionLinks{Self: self, Handoffs: self + "/handoffs"},
	}
}

func step(v models.Step) gen.Step {
	return gen.Step{
		ID: v.ID, Seq: v.Seq, At: v.At.UTC(), Actor: gen.Actor(v.Actor), Kind: gen.StepKind(v.Kind),
		Text: v.Text, Outcome: (*gen.Outcome)(v.Outcome),
	}
}

func me(by models.Principal) gen.Me {
	m := gen.Me{
		UserID: by.UserID, AccountID: by.AccountID, TeamID: by.TeamID, Role: gen.Role(by.Role),
		Name: by.Name, Email: by.Email, ExpiresAt: nil,
	}
	if !by.ExpiresAt.IsZero() {
		m.ExpiresAt = utc(&by.ExpiresAt)
	}
	return m
}

func handoffPath(session, handoff uuid.UUID) string {
	return "/api/v1/ai-sessions/" + session.String() + "/handoffs/" + handoff.String()
}

// temporalLink is the page of a session's workflow in the Temporal UI, whose
// id has slashes of its own.
func (s *Server) temporalLink(account, session uuid.UUID) *string {
	if s.o.TemporalUIURL == "" {
		return nil
	}
	link := strings.TrimSuffix(s.o.TemporalUIURL, "/") + "/namespaces/" + url.PathEscape(s.o.Namespace) +
		"/workflows/" + url.PathEscape("handoff/"+account.String()+"/"+session.String())
	return &link
}

// convert maps a list. The result is never nil, because a list is never null.
func convert[From, To any](rows []From, one func(From) To) []To {
	items := make([]To, len(rows))
	for i, row := range rows {
		items[i] = one(row)
	}
	return items
}

// deref is what p points to, or the zero value.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
