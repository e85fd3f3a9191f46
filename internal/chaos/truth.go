package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// Truth is what the stores say when a run is over.
type Truth struct {
	Handoffs []HandoffTruth `json:"handoffs"`
	// Feeds are the events of each account, in order.
	Feeds []FeedTruth   `json:"feeds"`
	Runs  []WorkflowRun `json:"runs"`
	// Tickets are those in the accounts' PSAs, and TicketRuns the runs of the
	// workflows that tell them.
	Tickets    []TicketTruth `json:"tickets"`
	TicketRuns []TicketRun   `json:"ticket_runs"`
	// BriefingRuns are the runs of the workflows that brief handoffs, and Model
	// what that cost.
	BriefingRuns []BriefingRun `json:"briefing_runs"`
	Model        ModelTruth    `json:"model"`
	// PeopleRuns are the runs of the workflows of ladders and recipients, Calls
	// what ladders had announced, Sent what was sent by whom, and Messages what
	// came to whom. Refused is why a mail was refused for its form.
	PeopleRuns []LadderRun `json:"people_runs"`
	Calls      []Call      `json:"calls"`
	Sent       []Sending   `json:"sent"`
	Messages   []Message   `json:"messages"`
	Refused    []string    `json:"refused,omitempty"`
	// Leaks say where a secret was found that does not belong there.
	Leaks []string `json:"leaks,omitempty"`
	// Outlived are open workflows of side effects that their handoff did not
	// wait for.
	Outlived []string `json:"outlived,omitempty"`
}

// HandoffTruth is a handoff in PostgreSQL.
type HandoffTruth struct {
	Account uuid.UUID     `json:"account"`
	ID      uuid.UUID     `json:"id"`
	Session uuid.UUID     `json:"session"`
	Intent  models.Intent `json:"intent"`
	Sender  uuid.UUID     `json:"sender"`
	State   State         `json:"state"`
	// SessionStatus and SessionOwner are those of its session, which follows the
	// newest of its handoffs.
	SessionStatus models.SessionStatus `json:"session_status"`
	SessionOwner  uuid.UUID            `json:"session_owner"`
	// Resolution is the text of whoever resolved it.
	Resolution string `json:"resolution,omitempty"`
	// Timeline are its accepted transitions.
	Timeline []Entry `json:"timeline"`
	// Effects are the states of its side effects, by kind.
	Effects map[string]string `json:"effects"`
	// Ticket is that of its session, as people wrote it.
	Ticket string `json:"ticket,omitempty"`
	// Steps are how its ticket was told, and PSA what readers see of that.
	Steps []models.PSAStep `json:"steps,omitempty"`
	PSA   *models.Effect   `json:"psa,omitempty"`
	// SessionSteps is how many steps its session has, Briefings what was made of
	// them, oldest first, and Briefing how that stands.
	SessionSteps int             `json:"session_steps"`
	Briefings    []BriefingTruth `json:"briefings,omitempty"`
	Briefing     *models.Effect  `json:"briefing,omitempty"`
	// WakeAt is when a parked session is due, Ladder where its ladder stands, and
	// Deliveries who was to be told of it.
	WakeAt     time.Time       `json:"wake_at,omitzero"`
	Ladder     *LadderTruth    `json:"ladder,omitempty"`
	Deliveries []DeliveryTruth `json:"deliveries,omitempty"`
}

// Entry is an accepted transition in the timeline.
type Entry struct {
	State
	Verb      models.Verb `json:"verb"`
	Door      models.Door `json:"door"`
	By        uuid.UUID   `json:"by"`
	At        time.Time   `json:"at"`
	RequestID string      `json:"request_id"`
}

// FeedTruth is the feed of an account.
type FeedTruth struct {
	Account uuid.UUID `json:"account"`
	Epoch   int64     `json:"epoch"`
	LastSeq int64     `json:"last_seq"`
	Events  []Frame   `json:"events"`
}

// WorkflowRun is one run of a handoff's workflow.
type WorkflowRun struct {
	Workflow string    `json:"workflow"`
	ID       string    `json:"id"`
	Handoff  uuid.UUID `json:"handoff"`
	Status   string    `json:"status"`
	// Snapshot is what the workflow says of itself.
	Snapshot models.Snapshot `json:"snapshot"`
	// Outcomes are the versions of each accepted update's answer, as recorded
	// in the history: they must be beginnings of one and the same story.
	Outcomes []models.Snapshot `json:"outcomes"`
	Events   int               `json:"events"`
	// Began and Ended are when; the second is zero for an open run.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
	// Failed are the causes of workflow tasks that failed on the way.
	Failed []string `json:"failed,omitempty"`
	// Trouble is what keeps an open run from going on.
	Trouble []string `json:"trouble,omitempty"`
}

// TicketRun is one run of the workflow that tells a ticket.
type TicketRun struct {
	Workflow string    `json:"workflow"`
	ID       string    `json:"id"`
	Status   string    `json:"status"`
	Began    time.Time `json:"began"`
	// Steps are those that it was handed, in the order of their arrival, also
	// those that it had been handed before.
	Steps []activities.EffectInput `json:"steps"`
	// Failed are the causes of workflow tasks that failed on the way.
	Failed []string `json:"failed,omitempty"`
}

// Open reports whether the run has not ended.
func (r WorkflowRun) Open() bool {
	return r.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING.String()
}

// gather asks the stores.
func (s *system) gather(ctx context.Context, people []Person) (Truth, error) {
	var t Truth
	conn, err := pgx.Connect(ctx, s.databaseURL)
	if err != nil {
		return t, fmt.Errorf("asking PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if t.Handoffs, err = gatherHandoffs(ctx, conn); err != nil {
		return t, fmt.Errorf("reading handoffs: %w", err)
	}
	if err = gatherBriefings(ctx, conn, t.Handoffs); err != nil {
		return t, fmt.Errorf("reading briefings: %w", err)
	}
	if err = gatherNotices(ctx, conn, t.Handoffs); err != nil {
		return t, fmt.Errorf("reading notifications: %w", err)
	}
	if t.Model, err = s.gatherModel(ctx, conn); err != nil {
		return t, fmt.Errorf("reading what the model cost: %w", err)
	}
	if t.Feeds, err = gatherFeeds(ctx, conn); err != nil {
		return t, fmt.Errorf("reading feeds: %w", err)
	}
	if t.Runs, err = s.gatherRuns(ctx); err != nil {
		return t, fmt.Errorf("reading workflows: %w", err)
	}
	if t.TicketRuns, err = s.gatherTicketRuns(ctx); err != nil {
		return t, fmt.Errorf("reading workflows of tickets: %w", err)
	}
	if t.BriefingRuns, err = s.gatherBriefingRuns(ctx); err != nil {
		return t, fmt.Errorf("reading workflows of briefings: %w", err)
	}
	if t.PeopleRuns, t.Calls, t.Sent, err = s.gatherCalls(ctx); err != nil {
		return t, fmt.Errorf("reading workflows of ladders and recipients: %w", err)
	}
	t.Messages, t.Refused = s.gatherMessages(people)
	t.Tickets = s.gatherTickets()
	if err := errors.Join(s.searchLogs(), s.searchTables(ctx, conn), s.searchHistories(ctx)); err != nil {
		return t, fmt.Errorf("looking for secrets: %w", err)
	}
	t.Leaks = s.secrets.leaks()
	left, err := s.list(ctx, openEffects)
	if err != nil {
		return t, fmt.Errorf("reading workflows: %w", err)
	}
	for _, info := range left {
		t.Outlived = append(t.Outlived, info.GetExecution().GetWorkflowId())
	}
	return t, nil
}

// Which workflows to list.
const (
	allHandoffs  = "WorkflowType = 'HandoffWorkflow'"
	openHandoffs = allHandoffs + " AND ExecutionStatus = 'Running'"
	allTickets   = "WorkflowType = 'TicketWorkflow'"
	allBriefings = "WorkflowType = 'BriefingWorkflow'"
	allPeople    = "WorkflowType IN ('LadderWorkflow', 'RecipientWorkflow')"
	// openLadders end with their handoffs, openRecipients when all is told.
	openLadders    = "WorkflowType = 'LadderWorkflow' AND ExecutionStatus = 'Running'"
	openRecipients = "WorkflowType = 'RecipientWorkflow' AND ExecutionStatus = 'Running'"
	openEffects  = "WorkflowType IN ('EffectWorkflow', 'TicketWorkflow', 'BriefingWorkflow') AND ExecutionStatus = 'Running'"
)

func gatherHandoffs(ctx context.Context, conn *pgx.Conn) ([]HandoffTruth, error) {
	var all []HandoffTruth
	at := map[uuid.UUID]int{}
	rows, err := conn.Query(ctx, `SELECT h.account_id, h.id, h.session_id, h.intent, h.handed_off_by, h.version, h.generation, h.status,
			h.claimed_by, h.target_user_id, h.reserved_until, h.wake_at, s.status, s.owner_id, coalesce(h.resolution, ''), coalesce(s.psa_ticket, ''), s.step_count
		FROM handoffs h JOIN ai_sessions s ON s.account_id = h.account_id AND s.id = h.session_id ORDER BY h.created_at, h.id`)
	if err != nil {
		return nil, err
	}
	var h HandoffTruth
	var holder, target *uuid.UUID
	var until, wake *time.Time
	_, err = pgx.ForEachRow(rows, []any{
		&h.Account, &h.ID, &h.Session, &h.Intent, &h.Sender, &h.State.Version, &h.State.Generation, &h.State.Status,
		&holder, &target, &until, &wake, &h.SessionStatus, &h.SessionOwner, &h.Resolution, &h.Ticket, &h.SessionSteps,
	}, func() error {
		h.State.Holder, h.State.Target, h.State.Reserved = idOf(holder), idOf(target), reserved(until)
		h.Effects, h.Resolution, h.WakeAt = map[string]string{}, masked(h.Resolution), time.Time{}
		if wake != nil {
			h.WakeAt = *wake
		}
		at[h.ID] = len(all)
		all = append(all, h)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err = conn.Query(ctx, `SELECT handoff_id, version, generation, status, holder_id, target_user_id, reserved_until, verb, door, actor_id, at, request_id
		FROM handoff_transitions ORDER BY handoff_id, version`)
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	var e Entry
	_, err = pgx.ForEachRow(rows, []any{
		&id, &e.Version, &e.Generation, &e.Status, &holder, &target, &until, &e.Verb, &e.Door, &e.By, &e.At, &e.RequestID,
	}, func() error {
		e.Holder, e.Target, e.Reserved = idOf(holder), idOf(target), reserved(until)
		all[at[id]].Timeline = append(all[at[id]].Timeline, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, _ = conn.Query(ctx, `SELECT * FROM handoff_effects`) // its error is that of the rows
	effects, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.Effect])
	if err != nil {
		return nil, err
	}
	for _, e := range effects {
		h := &all[at[e.HandoffID]]
		h.Effects[string(e.Kind)] = string(e.State)
		if e.Kind == models.EffectPSA {
			h.PSA = &e
		}
		if e.Kind == models.EffectBriefing {
			h.Briefing = &e
		}
	}
	rows, _ = conn.Query(ctx, `SELECT * FROM psa_steps ORDER BY handoff_id, version`)
	steps, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.PSAStep])
	for _, step := range steps {
		h := &all[at[step.HandoffID]]
		h.Steps = append(h.Steps, step)
	}
	return all, err
}

func gatherFeeds(ctx context.Context, conn *pgx.Conn) ([]FeedTruth, error) {
	var feeds []FeedTruth
	at := map[uuid.UUID]int{}
	rows, err := conn.Query(ctx, `SELECT account_id, epoch, last_seq FROM feed_heads`)
	if err != nil {
		return nil, err
	}
	var f FeedTruth
	if _, err = pgx.ForEachRow(rows, []any{&f.Account, &f.Epoch, &f.LastSeq}, func() error {
		at[f.Account] = len(feeds)
		feeds = append(feeds, f)
		return nil
	}); err != nil {
		return nil, err
	}
	rows, err = conn.Query(ctx, `SELECT account_id, seq, type, handoff_id, data FROM feed_events ORDER BY account_id, seq`)
	if err != nil {
		return nil, err
	}
	var account uuid.UUID
	var seq int64
	var e Frame
	var data models.EventData
	_, err = pgx.ForEachRow(rows, []any{&account, &seq, &e.Type, &e.Handoff, &data}, func() error {
		feed := &feeds[at[account]]
		e.ID, e.Account = fmt.Sprintf("%d-%d", feed.Epoch, seq), data.AccountID
		e.State = State{Version: data.Version, Generation: data.Generation, Status: data.Status, Holder: idOf(data.ClaimedBy), Target: idOf(data.TargetUserID), Reserved: reserved(data.ReservedUntil)}
		feed.Events = append(feed.Events, e)
		data = models.EventData{}
		return nil
	})
	return feeds, err
}

// list asks Temporal for workflows.
func (s *system) list(ctx context.Context, query string) ([]*workflow.WorkflowExecutionInfo, error) {
	var runs []*workflow.WorkflowExecutionInfo
	var next []byte
	for {
		page, err := s.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: query, NextPageToken: next,
		})
		if err != nil {
			return nil, err
		}
		runs = append(runs, page.GetExecutions()...)
		if next = page.GetNextPageToken(); len(next) == 0 {
			return runs, nil
		}
	}
}

func (s *system) gatherRuns(ctx context.Context) ([]WorkflowRun, error) {
	infos, err := s.list(ctx, allHandoffs)
	if err != nil {
		return nil, err
	}
	runs := make([]WorkflowRun, 0, len(infos))
	for _, info := range infos {
		run, err := s.gatherRun(ctx, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", info.GetExecution().GetWorkflowId(), err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func (s *system) gatherRun(ctx context.Context, workflowID, runID string) (WorkflowRun, error) {
	run := WorkflowRun{Workflow: workflowID, ID: runID}
	desc, err := s.client.DescribeWorkflowExecution(ctx, workflowID, runID)
	if err != nil {
		return run, err
	}
	info := desc.GetWorkflowExecutionInfo()
	run.Status, run.Began = info.GetStatus().String(), info.GetStartTime().AsTime()
	if closed := info.GetCloseTime(); closed != nil {
		run.Ended = closed.AsTime()
	}
	if task := desc.GetPendingWorkflowTask(); task != nil {
		run.Trouble = append(run.Trouble, fmt.Sprintf("a workflow task is %s, attempt %d", task.GetState(), task.GetAttempt()))
	}
	for _, a := range desc.GetPendingActivities() {
		if !run.Open() {
			break // given up when the handoff was closed; the server keeps the entry
		}
		run.Trouble = append(run.Trouble, fmt.Sprintf("activity %s is %s, attempt %d: %s",
			a.GetActivityType().GetName(), a.GetState(), a.GetAttempt(), a.GetLastFailure().GetMessage()))
	}
	history := s.client.GetWorkflowHistory(ctx, workflowID, runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	decode := converter.GetDefaultDataConverter()
	for history.HasNext() {
		e, err := history.Next()
		if err != nil {
			return run, err
		}
		run.Events++
		s.searchEvent(workflowID, e)
		switch e.GetEventType() {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			var in workflows.HandoffInput
			if err := decode.FromPayloads(e.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in); err != nil {
				return run, err
			}
			run.Handoff = in.HandoffID
		case enums.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			failed := e.GetWorkflowTaskFailedEventAttributes()
			run.Failed = append(run.Failed, fmt.Sprintf("%s: %s", failed.GetCause(), failed.GetFailure().GetMessage()))
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
			var snap models.Snapshot
			payloads := e.GetWorkflowExecutionUpdateCompletedEventAttributes().GetOutcome().GetSuccess()
			if payloads == nil {
				continue // refused by the handler
			}
			if err := decode.FromPayloads(payloads, &snap); err != nil {
				return run, err
			}
			run.Outcomes = append(run.Outcomes, snap)
		default:
		}
	}
	value, err := s.client.QueryWorkflow(ctx, workflowID, runID, workflows.QueryState)
	if err != nil {
		run.Trouble = append(run.Trouble, "it does not answer: "+err.Error())
		return run, nil
	}
	return run, value.Get(&run.Snapshot)
}

// gatherTicketRuns reads the workflows that tell tickets, oldest first.
func (s *system) gatherTicketRuns(ctx context.Context) ([]TicketRun, error) {
	infos, err := s.list(ctx, allTickets)
	if err != nil {
		return nil, err
	}
	decode := converter.GetDefaultDataConverter()
	runs := make([]TicketRun, 0, len(infos))
	for _, info := range infos {
		run := TicketRun{
			Workflow: info.GetExecution().GetWorkflowId(), ID: info.GetExecution().GetRunId(),
			Status: info.GetStatus().String(), Began: info.GetStartTime().AsTime(),
		}
		history := s.client.GetWorkflowHistory(ctx, run.Workflow, run.ID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			e, err := history.Next()
			if err != nil {
				return nil, err
			}
			s.searchEvent(run.Workflow, e)
			if failed := e.GetWorkflowTaskFailedEventAttributes(); failed != nil {
				run.Failed = append(run.Failed, fmt.Sprintf("%s: %s", failed.GetCause(), failed.GetFailure().GetMessage()))
			}
			signal := e.GetWorkflowExecutionSignaledEventAttributes()
			if signal.GetSignalName() != workflows.SignalSteps {
				continue
			}
			var told workflows.TicketSteps
			if err := decode.FromPayloads(signal.GetInput(), &told); err != nil {
				return nil, err
			}
			run.Steps = append(run.Steps, told.Steps...)
		}
		runs = append(runs, run)
	}
	slices.SortStableFunc(runs, func(a, b TicketRun) int { return a.Began.Compare(b.Began) })
	return runs, nil
}

// settled reports what has not come to rest yet.
func (s *system) settled(ctx context.Context, readers []*reader) error {
	conn, err := pgx.Connect(ctx, s.databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var unsettled int
	err = conn.QueryRow(ctx, `SELECT count(*) FROM handoffs h WHERE version > 0 AND (NOT EXISTS
			(SELECT FROM handoff_effects e WHERE e.account_id = h.account_id AND e.handoff_id = h.id AND e.kind = 'documentation')
		OR EXISTS
			(SELECT FROM handoff_effects e WHERE e.account_id = h.account_id AND e.handoff_id = h.id AND e.state NOT IN ('done', 'skipped') AND (e.kind <> 'briefing' OR e.state <> 'failed'))
		OR h.status IN ('queued', 'claimed', 'returned') AND NOT EXISTS
			(SELECT FROM handoff_effects e WHERE e.account_id = h.account_id AND e.handoff_id = h.id AND e.kind = 'briefing'))`).Scan(&unsettled)
	if err != nil {
		return err
	}
	if unsettled > 0 {
		return fmt.Errorf("%d handoffs have side effects to go", unsettled)
	}
	var open int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM handoffs WHERE status IN ('queued', 'claimed', 'returned')`).Scan(&open); err != nil {
		return err
	}
	running, err := s.list(ctx, openHandoffs)
	if err != nil {
		return err
	}
	if len(running) != open {
		return fmt.Errorf("%d handoffs are open, and %d workflows run", open, len(running))
	}
	if err := s.calm(ctx, conn); err != nil {
		return err
	}
	if outlived, err := s.list(ctx, openEffects); err != nil || len(outlived) > 0 {
		return errors.Join(err, fmt.Errorf("%d side effects go on by themselves", len(outlived)))
	}
	for _, info := range running {
		desc, err := s.client.DescribeWorkflowExecution(ctx, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId())
		if err != nil {
			return err
		}
		if n := len(desc.GetPendingActivities()); n > 0 || desc.GetPendingWorkflowTask() != nil {
			return fmt.Errorf("%s has %d activities and a workflow task (%v) to go", info.GetExecution().GetWorkflowId(), n, desc.GetPendingWorkflowTask() != nil)
		}
	}
	feeds, err := gatherFeeds(ctx, conn)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range feeds {
		for _, r := range readers {
			if r.who.Account == f.Account && r.reached.Load() < f.LastSeq {
				errs = append(errs, fmt.Errorf("%s is behind", r.seen.Name))
			}
		}
	}
	return errors.Join(errs...)
}
