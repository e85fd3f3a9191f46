package app_test

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"

	"github.com/baton-handoff/baton/activities"
	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/llm/llmtest"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

var record = flag.Bool("record", false, "write the histories that workflows' replay test replays")

// TestRecordHistories lives the main stories on a real server. With -record it
// writes their histories into workflows/testdata, where every later version of
// the workflow has to replay them.
func TestRecordHistories(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	ask := func(u models.User, h *apiclient.Handoff, verb string, body any) {
		t.Helper()
		status, answer := b.call(u, http.MethodPost, handoffURL(base, h)+"/"+verb, body)
		require.Equal(t, http.StatusOK, status, "%s: %v", verb, answer)
	}
	signal := func(h *apiclient.Handoff, u models.User) {
		t.Helper()
		require.NoError(t, b.temporal.SignalWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "",
			workflows.SignalClaim, workflows.ClaimSignal{HandoffID: h.ID, UserID: u.ID}))
	}
	documented := func(h *apiclient.Handoff) {
		t.Helper()
		eventually(t, "documented", func() bool {
			return b.sql(`SELECT count(*) FROM handoff_effects WHERE handoff_id = $1 AND kind = 'documentation' AND state = 'done'`, h.ID) == 1
		})
	}
	claimed := func(h *apiclient.Handoff) {
		t.Helper()
		eventually(t, "claimed", func() bool {
			return b.sql(`SELECT count(*) FROM handoffs WHERE id = $1 AND status = 'claimed'`, h.ID) == 1
		})
	}

	const breakDocuments = `ALTER TABLE handoff_documentation ADD CONSTRAINT broken CHECK (markdown IS NULL) NOT VALID`
	for name, story := range map[string]func(h *apiclient.Handoff){
		"handed-over": func(h *apiclient.Handoff) { // its documentation outlives it
			ask(b.sam, h, "cancel", map[string]any{})
		},
		"claimed-and-resolved": func(h *apiclient.Handoff) {
			documented(h)
			ask(b.ana, h, "claim", nil)
			ask(b.ana, h, "resolve", map[string]any{"resolution": "Fixed."})
		},
		"released-and-reassigned": func(h *apiclient.Handoff) {
			ask(b.ana, h, "claim", nil)
			ask(b.ana, h, "release", map[string]any{})
			ask(b.ada, h, "reassign", map[string]any{"target_user_id": b.ben.ID})
			ask(b.ben, h, "claim", nil)
			ask(b.ben, h, "resolve", map[string]any{})
		},
		"returned-and-answered": func(h *apiclient.Handoff) {
			documented(h)
			ask(b.ana, h, "claim", nil)
			ask(b.ana, h, "return", map[string]any{"questions": "Which firmware?"})
			ask(b.sam, h, "answer", map[string]any{"answer": "7.2.4"})
			signal(h, b.ben) // refused: it is reserved
			ask(b.ana, h, "claim", nil)
			ask(b.ana, h, "return", map[string]any{"questions": "Is it stable now?"})
			ask(b.ana, h, "resolve", map[string]any{})
		},
		"cancelled": func(h *apiclient.Handoff) {
			ask(b.sam, h, "cancel", map[string]any{})
		},
		"claimed-by-operator": func(h *apiclient.Handoff) {
			documented(h)
			signal(h, b.sam) // refused: their own escalation
			signal(h, b.ana)
			claimed(h)
			ask(b.ana, h, "resolve", map[string]any{})
		},
		"cancelled-by-operator": func(h *apiclient.Handoff) {
			documented(h)
			require.NoError(t, b.temporal.CancelWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), ""))
		},
	} {
		if name == "handed-over" {
			b.exec(breakDocuments)
		}
		h := b.handOff(base)
		story(h)
		require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "").Get(t.Context(), nil))
		if name == "handed-over" {
			b.exec(`ALTER TABLE handoff_documentation DROP CONSTRAINT broken`)
			id := workflows.EffectWorkflowID(h.AccountID, h.ID, models.EffectDocumentation)
			require.NoError(t, b.temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
			keepHistory(t, "effect", b.historyOf(id, ""))
		}
		keepHistory(t, name, b.history(h))
	}
}

// TestRecordTicketHistories does the same for tickets.
func TestRecordTicketHistories(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	base, d := b.connectPSA()
	b.worker()
	for name, story := range map[string]func(h *apiclient.Handoff){
		"ticket-told": func(h *apiclient.Handoff) {
			b.ask(base, b.sam, h, "cancel", nil)
			b.told(base, h, 2)
		},
		"ticket-failed-and-mended": func(h *apiclient.Handoff) {
			b.awaitPSA(base, h, "failed", func(p apiclient.PSA) bool { return p.State == apiclient.EffectStateFailed })
			d.Desk().Faults().Clear()
			b.ask(base, b.sam, h, "psa/retry", nil)
			b.told(base, h, 1)
			b.ask(base, b.sam, h, "cancel", nil)
		},
	} {
		if name == "ticket-failed-and-mended" {
			d.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultCredentials})
		}
		ticket := d.Desk().AddTicket("t").ID
		h := b.ticketed(base, ticket)
		id := workflows.TicketWorkflowID(h.AccountID, strconv.FormatInt(ticket, 10))
		run := ""
		eventually(t, "the ticket has a workflow", func() bool {
			d, err := b.temporal.DescribeWorkflowExecution(t.Context(), id, "")
			run = d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
			return err == nil
		})
		story(h)
		require.NoError(t, b.temporal.GetWorkflow(t.Context(), id, run).Get(t.Context(), nil))
		keepHistory(t, name, b.historyOf(id, run))
	}
}

// TestRecordBriefingHistories does the same for briefings.
func TestRecordBriefingHistories(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	model := b.connectModel(llmtest.Anthropic)
	b.worker()
	base := b.api()
	for name, story := range map[string]func(h *apiclient.Handoff){
		"briefed": func(h *apiclient.Handoff) { b.awaitBriefing(base, h, "briefed", by("model", "done")) },
		"briefing-renewed": func(h *apiclient.Handoff) {
			b.awaitBriefing(base, h, "stalled", by("rules", "pending"))
			model.Faults().Clear()
			b.longAgo()
			status, _ := b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/briefing/renew", nil)
			require.Equal(t, http.StatusAccepted, status)
			b.awaitBriefing(base, h, "renewed", by("model", "done"))
		},
		"briefing-of-a-closed": func(h *apiclient.Handoff) {
			b.awaitBriefing(base, h, "stalled", by("rules", "pending"))
			b.ask(base, b.sam, h, "cancel", nil)
		},
	} {
		if name != "briefed" {
			model.Faults().Set(llmtest.Fault{Kind: llmtest.FaultStall})
		}
		h := b.handOff(base)
		story(h)
		id := workflows.BriefingWorkflowID(h.AccountID, h.ID)
		require.NoError(t, b.temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		keepHistory(t, name, b.historyOf(id, ""))
		model.Faults().Clear()
	}
}

// TestRecordRecipientHistories does the same for those who are told: one message
// that is changed later, and many that trouble and a ceiling hold back, so that
// they become one.
func TestRecordRecipientHistories(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.connectSlack()
	_, _ = w.start(app.Options{Worker: true, Limits: activities.Limits{Singles: 2, Hold: time.Second}})
	for name, c := range map[string]struct {
		who   models.User
		story func(u models.User)
		holds []string // activities, and timers
	}{
		"recipient-told-and-changed": {w.ana, func(u models.User) {
			h := w.escalateTo(u)
			w.await(h, "done")
			w.ask(w.base, w.ben, h, "claim", nil)
			eventually(t, "the message says who has it", func() bool { return w.slack.Messages(dmAna)[0].Edits > 0 })
		}, []string{"UpdateSent"}},
		"recipient-held-and-bundled": {w.ben, func(u models.User) {
			w.mail.Faults().Next(notifytest.Fault{Kind: notifytest.FaultStatus, Status: 451, On: []notifytest.Op{notifytest.OpMailFrom}})
			for range 6 {
				w.escalateTo(u)
			}
			eventually(t, "all are told", func() bool {
				return w.sql(`SELECT count(*) FROM deliveries WHERE user_id = $1 AND state = 'done'`, u.ID) == 6
			})
			require.Positive(t, w.sql(`SELECT count(*) FROM deliveries WHERE user_id = $1 AND bundle_id IS NOT NULL`, u.ID))
		}, []string{"Deliver", "TimerStarted"}},
	} {
		c.story(c.who)
		id := workflows.RecipientWorkflowID(c.who.AccountID, c.who.ID.String())
		require.NoError(t, w.temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
		events := w.historyOf(id, "")
		seen := map[string]bool{}
		for _, e := range events {
			seen[e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()] = true
			seen[e.GetEventType().String()] = true
		}
		for _, what := range c.holds {
			require.True(t, seen[what], "%s has no %s", name, what)
		}
		keepHistory(t, name, events)
	}
}

// keepHistory writes a history into the files of the replay test, with -record.
func keepHistory(t *testing.T, name string, events []*historypb.HistoryEvent) {
	t.Helper()
	t.Logf("%s: %d events", name, len(events))
	if !*record {
		return
	}
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&historypb.History{Events: events})
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	text = bytes.ReplaceAll(text, []byte(`"`+host+`:`), []byte(`"worker:`)) // names of sticky queues
	dir := filepath.Join("..", "..", "workflows", "testdata", "histories")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644))
}
