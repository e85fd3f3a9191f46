package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Ladder is who is called when in an account, in the form in which its admin
// sets it. It is quick, so that a run sees all of it.
type Ladder struct {
	Steps []Rung `json:"steps"`
	Lease Lease  `json:"lease"`
	Park  struct {
		TellTeam      bool `json:"tell_team"`
		EscalateAfter int  `json:"escalate_after_seconds"`
	} `json:"park"`
	Reserve int `json:"reserve_seconds"`
}

// Rung is a step of a [Ladder]. Its times are in seconds.
type Rung struct {
	After int        `json:"after_seconds"`
	To    []Audience `json:"to"`
	Every int        `json:"repeat_every_seconds"`
	Times int        `json:"repeat_times"`
}

// Audience is whom a rung calls.
type Audience struct {
	Who      string     `json:"who"`
	User     uuid.UUID  `json:"user_id,omitzero"`
	Endpoint *uuid.UUID `json:"endpoint_id,omitempty"`
}

// Lease is when a silent holder is reminded and asked, and the handoff taken
// back, each so many seconds after the one before. All zero, never.
type Lease struct {
	Remind   int `json:"remind_after_seconds"`
	Ask      int `json:"ask_after_seconds"`
	TakeBack int `json:"take_back_after_seconds"`
}

// silence is how long a holder has to be silent to lose a handoff.
func (l Lease) silence() time.Duration {
	return time.Duration(l.Remind+l.Ask+l.TakeBack) * time.Second
}

// ladderOf is that of an account with the endpoints, which has leases or not.
// Its second step has one repeat more than there is room for.
func ladderOf(hook, channel uuid.UUID, leases bool) Ladder {
	l := Ladder{Steps: []Rung{
		{To: []Audience{{Who: "target"}, {Who: "team"}}},
		{After: 1, To: []Audience{{Who: "endpoint", Endpoint: &hook}}, Every: 1, Times: 2},
		{After: 3, To: []Audience{{Who: "admins"}, {Who: "endpoint", Endpoint: &channel}}},
	}, Reserve: 2}
	l.Park.TellTeam, l.Park.EscalateAfter = true, 1
	if leases {
		l.Lease = Lease{Remind: 2, Ask: 1, TakeBack: 2}
	}
	return l
}

// setLadders sets the ladder of each account, as its admin would. The first one
// has leases.
func (c *crowd) setLadders(ctx context.Context) error {
	for _, p := range c.people {
		if p.Role != models.RoleAdmin {
			continue
		}
		var hook, channel uuid.UUID
		for _, e := range c.sys.inbox.endpoints {
			if e.Account == p.Account && e.Channel == notify.ChannelWebhook {
				hook = e.ID
			} else if e.Account == p.Account {
				channel = e.ID
			}
		}
		l := ladderOf(hook, channel, len(c.ladders) == 0)
		c.ladders[p.Account] = l
		if err := c.demand(ctx, p, http.MethodPut, "/api/v1/ladder", map[string]any{"rules": []Ladder{l}}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Sign is one that somebody gave of working on a handoff.
type Sign struct {
	By      uuid.UUID     `json:"by"`
	Session uuid.UUID     `json:"session"`
	Handoff uuid.UUID     `json:"handoff"`
	Step    bool          `json:"step,omitempty"` // or that they are still here
	Call    time.Duration `json:"call"`
	Return  time.Duration `json:"return"`
}

// sign keeps a sign of life that was accepted.
func (c *crowd) sign(s Sign) {
	s.Return = time.Since(c.began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signs = append(c.signs, s)
}

// stillHere says that somebody is still at it, who may have it or not.
func (c *crowd) stillHere(ctx context.Context, p Person, h handoff, rng *rand.Rand) {
	s := Sign{By: p.ID, Session: h.session, Handoff: h.id, Call: time.Since(c.began)}
	path := fmt.Sprintf("/api/v1/ai-sessions/%s/handoffs/%s/still-here", h.session, h.id)
	if c.aside(ctx, p, rng.IntN(replicas), http.MethodPost, path, nil) == http.StatusOK {
		c.sign(s)
	}
}

// goOn lets somebody who has a lease go on working for a while, and say so.
// Then they fall silent.
func (c *crowd) goOn(ctx context.Context, p Person, h handoff, rng *rand.Rand) {
	for range rng.IntN(2) {
		wait(ctx, time.Duration(500+rng.IntN(1500))*time.Millisecond)
		c.stillHere(ctx, p, h, rng)
	}
}

// LadderTruth is where the ladder of a handoff stands in PostgreSQL.
type LadderTruth struct {
	State      models.LadderState `json:"state"`
	Generation int                `json:"generation"`
	Version    int                `json:"version"`
	NextAt     *time.Time         `json:"next_at,omitempty"`
}

// Call is an announcement that a ladder had made, or the end of a lease.
type Call struct {
	Handoff uuid.UUID   `json:"handoff"`
	Step    string      `json:"step,omitempty"`
	Kind    notify.Kind `json:"kind,omitempty"`
	Version int         `json:"version"`
	// Last is the holder's last activity that was known when a lease ended.
	Last time.Time `json:"last,omitzero"`
	// At is when it was decided, and Started when the attempt began that did it.
	At      time.Time `json:"at"`
	Started time.Time `json:"started,omitzero"`
	Attempt int32     `json:"attempt,omitempty"`
	// Done says that it came to its end, and Taken that a lease did.
	Done  bool `json:"done,omitempty"`
	Taken bool `json:"taken,omitempty"`
}

// LadderRun is a run of the workflow of a ladder, or of a recipient.
type LadderRun struct {
	Workflow string `json:"workflow"`
	ID       string `json:"id"`
	Status   string `json:"status"`
	// Failed are the causes of workflow tasks that failed on the way.
	Failed []string `json:"failed,omitempty"`
}

// Sending is a message that an attempt sent, as the workflow of its recipient
// knows it.
type Sending struct {
	// ID is that of the delivery, or of several as a bundle.
	ID      uuid.UUID `json:"id"`
	Started time.Time `json:"started"`
}

// DeliveryTruth is a notification in PostgreSQL.
type DeliveryTruth struct {
	ID         uuid.UUID            `json:"id"`
	Generation int                  `json:"generation"`
	Version    int                  `json:"version"`
	Step       string               `json:"step"`
	Kind       notify.Kind          `json:"kind"`
	Recipient  uuid.UUID            `json:"recipient"`
	Channel    notify.ChannelName   `json:"channel"`
	State      models.DeliveryState `json:"state"`
	Reason     string               `json:"reason,omitempty"`
	// Maybe says that it is not known whether it was sent.
	Maybe     bool      `json:"maybe,omitempty"`
	Bundle    uuid.UUID `json:"bundle,omitzero"`
	Message   string    `json:"message,omitempty"` // what its service knows it by
	Shown     int       `json:"shown,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// gatherNotices adds ladders and notifications to their handoffs.
func gatherNotices(ctx context.Context, conn *pgx.Conn, handoffs []HandoffTruth) error {
	at := map[uuid.UUID]*HandoffTruth{}
	for i := range handoffs {
		at[handoffs[i].ID] = &handoffs[i]
	}
	var id uuid.UUID
	var l LadderTruth
	rows, err := conn.Query(ctx, `SELECT handoff_id, state, generation, version, next_at FROM handoff_ladders`)
	if err != nil {
		return err
	}
	if _, err = pgx.ForEachRow(rows, []any{&id, &l.State, &l.Generation, &l.Version, &l.NextAt}, func() error {
		stands := l
		at[id].Ladder = &stands
		return nil
	}); err != nil {
		return err
	}
	var d DeliveryTruth
	var bundle *uuid.UUID
	rows, err = conn.Query(ctx, `SELECT handoff_id, id, generation, version, step, kind, recipient::uuid, channel, state, coalesce(reason, ''),
			began_at IS NOT NULL, bundle_id, coalesce(provider_id, ''), coalesce(shown_version, 0), created_at, updated_at
		FROM deliveries ORDER BY created_at, id`)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{
		&id, &d.ID, &d.Generation, &d.Version, &d.Step, &d.Kind, &d.Recipient, &d.Channel, &d.State, &d.Reason,
		&d.Maybe, &bundle, &d.Message, &d.Shown, &d.CreatedAt, &d.UpdatedAt,
	}, func() error {
		d.Bundle = idOf(bundle)
		at[id].Deliveries = append(at[id].Deliveries, d)
		return nil
	})
	return err
}

// gatherCalls reads the workflows of ladders and recipients: what ladders had
// announced, and what was sent to whom.
func (s *system) gatherCalls(ctx context.Context) (runs []LadderRun, calls []Call, sent []Sending, err error) {
	infos, err := s.list(ctx, allPeople)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, info := range infos {
		run := LadderRun{Workflow: info.GetExecution().GetWorkflowId(), ID: info.GetExecution().GetRunId(), Status: info.GetStatus().String()}
		acts := map[int64]*act{}
		events := s.client.GetWorkflowHistory(ctx, run.Workflow, run.ID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if err != nil {
				return nil, nil, nil, err
			}
			s.searchEvent(run.Workflow, e)
			if failed := e.GetWorkflowTaskFailedEventAttributes(); failed != nil {
				run.Failed = append(run.Failed, fmt.Sprintf("%s: %s", failed.GetCause(), failed.GetFailure().GetMessage()))
			}
			note(acts, e)
		}
		runs = append(runs, run)
		for _, a := range acts {
			call, sending, err := a.read()
			if err != nil {
				return nil, nil, nil, fmt.Errorf("%s: %w", run.Workflow, err)
			}
			if call != nil {
				calls = append(calls, *call)
			}
			if sending != nil {
				sent = append(sent, *sending)
			}
		}
	}
	slices.SortFunc(calls, func(a, b Call) int { return a.At.Compare(b.At) })
	slices.SortFunc(sent, func(a, b Sending) int { return a.Started.Compare(b.Started) })
	return runs, calls, sent, nil
}

// act is an activity in a history.
type act struct {
	kind          string
	input, result *common.Payloads
	at, started   time.Time
	attempt       int32
	done          bool
}

// note takes an event down that tells of an activity.
func note(acts map[int64]*act, e *history.HistoryEvent) {
	switch e.GetEventType() {
	case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := e.GetActivityTaskScheduledEventAttributes()
		acts[e.GetEventId()] = &act{kind: a.GetActivityType().GetName(), input: a.GetInput(), at: e.GetEventTime().AsTime()}
	case enums.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		a := e.GetActivityTaskStartedEventAttributes()
		if to := acts[a.GetScheduledEventId()]; to != nil {
			to.started, to.attempt = e.GetEventTime().AsTime(), a.GetAttempt()
		}
	case enums.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		if to := acts[a.GetScheduledEventId()]; to != nil {
			to.result, to.done = a.GetResult(), true
		}
	default:
	}
}

// read is what an activity was about, if it is one that tells people.
func (a *act) read() (*Call, *Sending, error) {
	decode := converter.GetDefaultDataConverter()
	c := Call{At: a.at, Started: a.started, Attempt: a.attempt, Done: a.done}
	switch a.kind {
	case "Announce":
		var in activities.Announcement
		err := decode.FromPayloads(a.input, &in)
		c.Handoff, c.Step, c.Kind, c.Version = in.HandoffID, in.Step, in.Kind, in.Version
		return &c, nil, err
	case "TakeBack":
		var in activities.TakeBackInput
		err := decode.FromPayloads(a.input, &in)
		if err == nil && a.done {
			err = decode.FromPayloads(a.result, &c.Taken)
		}
		c.Handoff, c.Version, c.Last = in.HandoffID, in.Version, in.Last
		return &c, nil, err
	case "Deliver":
		if !a.done {
			return nil, nil, nil
		}
		var in activities.DeliverInput
		var out activities.Delivered
		if err := decode.FromPayloads(a.input, &in); err != nil {
			return nil, nil, err
		}
		if err := decode.FromPayloads(a.result, &out); err != nil || out.State != models.DeliveryDone {
			return nil, nil, err
		}
		return nil, &Sending{ID: in.ID, Started: a.started}, nil
	}
	return nil, nil, nil
}

// calm reports what is still to be told, or will be.
func (s *system) calm(ctx context.Context, conn *pgx.Conn) error {
	var climbing, untold, outdated int
	err := conn.QueryRow(ctx, `SELECT
			(SELECT count(*) FROM handoffs h LEFT JOIN handoff_ladders l ON l.account_id = h.account_id AND l.handoff_id = h.id
				WHERE h.version > 0 AND (l.version IS DISTINCT FROM h.version OR l.next_at IS NOT NULL)),
			(SELECT count(*) FROM deliveries WHERE state IN ('pending', 'held', 'retrying')),
			(SELECT count(*) FROM deliveries d JOIN handoffs h ON h.account_id = d.account_id AND h.id = d.handoff_id
				WHERE d.state = 'done' AND d.channel = 'slack' AND d.shown_version IS NULL AND d.bundle_id IS NULL
					AND NOT (h.version = d.version OR h.status = 'queued' AND h.generation = d.generation))`).Scan(&climbing, &untold, &outdated)
	switch {
	case err != nil:
		return err
	case climbing > 0:
		return fmt.Errorf("%d ladders are being climbed", climbing)
	case untold > 0:
		return fmt.Errorf("%d notifications are to be sent", untold)
	case outdated > 0:
		return fmt.Errorf("%d messages do not say yet what became of their handoff", outdated)
	}
	for _, left := range []struct{ what, query string }{{"recipients are being told", openRecipients}, {"ladders go on without their handoffs", openLadders}} {
		running, err := s.list(ctx, left.query)
		if err != nil {
			return err
		}
		want := 0
		if left.query == openLadders {
			if err := conn.QueryRow(ctx, `SELECT count(*) FROM handoffs WHERE status IN ('queued', 'claimed', 'returned')`).Scan(&want); err != nil {
				return err
			}
		}
		if len(running) != want {
			return fmt.Errorf("%d workflows instead of %d: %s", len(running), want, left.what)
		}
	}
	return nil
}
