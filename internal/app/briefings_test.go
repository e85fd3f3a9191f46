package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/llm/llmtest"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// connectModel gives the installation a model. It has to come before the
// processes are started.
func (b *baton) connectModel(kind llmtest.Kind) *llmtest.Fake {
	b.t.Helper()
	fake := llmtest.New(kind)
	server := httptest.NewServer(fake)
	b.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	b.hangUp = server.CloseClientConnections
	c := fake.Config(server.URL)
	b.extra = append(
		b.extra, "BATON_LLM="+string(c.Kind), "BATON_LLM_MODEL="+c.Model, "BATON_LLM_ADDRESS="+c.Address,
		"BATON_LLM_ALLOW_PRIVATE=127.0.0.0/8", "BATON_LLM_PRICE_INPUT=3", "BATON_LLM_PRICE_OUTPUT=15",
		"BATON_LLM_TOKEN_LIMIT="+string(c.WithDefaults().TokenLimit), "BATON_LLM_FORMAT="+string(c.WithDefaults().Format),
	)
	if fake.Key() != "" {
		b.extra = append(b.extra, "BATON_LLM_KEY="+fake.Key())
	}
	return fake
}

func (b *baton) briefing(base string, h *apiclient.Handoff) (int, map[string]any) {
	b.t.Helper()
	return b.call(b.ana, http.MethodGet, handoffURL(base, h)+"/briefing", nil)
}

func (b *baton) awaitBriefing(base string, h *apiclient.Handoff, what string, done func(map[string]any) bool) map[string]any {
	b.t.Helper()
	var doc map[string]any
	ok := waitFor(90*time.Second, func() bool {
		status, body := b.briefing(base, h)
		doc = body
		return status == http.StatusOK && done(body)
	})
	require.True(b.t, ok, "%s: %v", what, doc)
	return doc
}

// longAgo makes briefings old enough to be renewed: one that was just asked for
// is on its way.
func (b *baton) longAgo() {
	b.t.Helper()
	b.exec(`UPDATE handoff_effects SET updated_at = updated_at - interval '1 minute' WHERE kind = 'briefing'`)
}

func by(source, state string) func(map[string]any) bool {
	return func(doc map[string]any) bool { return doc["source"] == source && doc["state"] == state }
}

// TestRulesBriefAtOnce is what there is without a model: a briefing by rules,
// said to be one, told on the feed, and renewed once steps were added.
func TestRulesBriefAtOnce(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	doc := b.awaitBriefing(base, h, "rules", by("rules", "done"))
	require.Equal(t, "Written by rules: no model is configured.", doc["reason"])
	require.EqualValues(t, 1, doc["version"])
	content := doc["content"].(map[string]any)
	require.Equal(t, "rules", content["provenance"].(map[string]any)["source"])
	require.NotEmpty(t, content["attempts"])
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM feed_events WHERE handoff_id = $1 AND type = 'handoff_assessment_ready'`, h.ID))
	status, got := b.call(b.ana, http.MethodGet, handoffURL(base, h), nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[string]any{
		"state": "done", "reason": "Written by rules: no model is configured.", "attempts": 0.0, "next_attempt_at": nil,
		"version": 1.0, "source": "rules", "stale": false,
	}, got["briefing"])

	// The holder goes on: the briefing is stale, and a renewal knows the steps.
	b.ask(base, b.ana, h, "claim", nil)
	status, _ = b.call(b.ana, http.MethodPost, base+"/api/v1/ai-sessions/"+h.SessionID.String()+"/steps", map[string]any{"steps": []any{
		map[string]any{"id": uuid.New(), "at": time.Now(), "actor": "engineer", "kind": "command", "text": "PS C:\\> Restart-Service ClickToRunSvc", "outcome": "worked"},
	}})
	require.Equal(t, http.StatusOK, status)
	_, doc = b.briefing(base, h)
	require.Equal(t, true, doc["stale"])
	status, _ = b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/briefing/renew", nil)
	require.Equal(t, http.StatusAccepted, status)
	doc = b.awaitBriefing(base, h, "renewed", func(doc map[string]any) bool { return doc["version"] == 2.0 })
	require.Equal(t, false, doc["stale"])
	require.EqualValues(t, 3, doc["step_count"])

	// Another account knows nothing of it; nobody but the holder grades it.
	status, _ = b.call(b.eve, http.MethodGet, handoffURL(base, h)+"/briefing", nil)
	require.Equal(t, http.StatusNotFound, status)
	status, body := b.call(b.ben, http.MethodPut, handoffURL(base, h)+"/briefing/grade", map[string]any{"useful": true})
	require.Equal(t, http.StatusForbidden, status, body)
	status, body = b.call(b.ana, http.MethodPut, handoffURL(base, h)+"/briefing/grade", map[string]any{})
	require.Equal(t, http.StatusBadRequest, status, body)
	status, body = b.call(b.ana, http.MethodPut, handoffURL(base, h)+"/briefing/grade", map[string]any{"useful": true, "wrong": "The order."})
	require.Equal(t, http.StatusOK, status, body)
	b.ask(base, b.ana, h, "resolve", map[string]any{"resolution": "Restarted.", "cause": "one_step_short"})
	_, doc = b.briefing(base, h)
	grade := doc["grades"].([]any)[0].(map[string]any)
	require.Equal(t, []any{true, "The order.", nil}, []any{grade["useful"], grade["wrong"], grade["cause"]})
	// The cause is that of the briefing which Ana had when she claimed.
	_, doc = b.call(b.ana, http.MethodGet, handoffURL(base, h)+"/briefing?version=1", nil)
	grade = doc["grades"].([]any)[0].(map[string]any)
	require.Equal(t, []any{nil, nil, "one_step_short"}, []any{grade["useful"], grade["wrong"], grade["cause"]})
	status, body = b.call(b.ana, http.MethodGet, handoffURL(base, h)+"/briefing?version=99", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body["detail"], "no briefing of version 99")
	status, body = b.call(b.ada, http.MethodGet, base+"/api/v1/reports/briefings", nil)
	require.Equal(t, http.StatusOK, status)
	require.Len(t, body["items"], 1)
	row := body["items"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"rules", 1.0, 1.0, 1.0, 65.0}, []any{row["source"], row["briefings"], row["graded"], row["useful"], row["cause_score"]})
	status, body = b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/briefing/renew", nil)
	require.Equal(t, http.StatusConflict, status, body)
}

// TestModelsBrief takes each service through its faults: what passes heals by
// itself, what does not is shown with its cure, and the rules' briefing is there
// all the while.
func TestModelsBrief(t *testing.T) {
	t.Parallel()
	for _, kind := range llmtest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := newBaton(t)
			model := b.connectModel(kind)
			model.SetContext(200_000)
			b.worker()
			base := b.api()
			heals := []llmtest.Fault{
				{Kind: llmtest.FaultRateLimit, RetryAfter: "1"},
				{Kind: llmtest.FaultRateLimit},
				{Kind: llmtest.FaultOverloaded},
				{Kind: llmtest.FaultStatus, Status: 500},
				{Kind: llmtest.FaultCut},
				{Kind: llmtest.FaultCutBody},
				{Kind: llmtest.FaultGarbage},
				{Kind: llmtest.FaultMaxTokens},
				{Kind: llmtest.FaultAnswer, Answer: llmtest.InvalidJSON},
				{Kind: llmtest.FaultAnswer, Answer: llmtest.WrongSchema},
			}
			for i, fault := range heals {
				reached := make(chan struct{}, 1)
				fault.Reached = reached
				model.Faults().Next(fault)
				h := b.handOff(base)
				<-reached
				doc := b.awaitBriefing(base, h, fmt.Sprint(i, fault.Kind), by("model", "done"))
				require.EqualValues(t, 2, doc["version"], fault.Kind)
				require.NotEmpty(t, doc["model"])
			}
			failures := []llmtest.Fault{{Kind: llmtest.FaultModelGone}}
			if kind != llmtest.Ollama { // which knows neither money nor manners
				failures = append(failures, llmtest.Fault{Kind: llmtest.FaultRefusal},
					llmtest.Fault{Kind: llmtest.FaultSpendLimit}, llmtest.Fault{Kind: llmtest.FaultCredentials})
			}
			for _, fault := range failures {
				model.Faults().Next(fault)
				h := b.handOff(base)
				doc := b.awaitBriefing(base, h, string(fault.Kind), by("rules", "failed"))
				require.NotEmpty(t, doc["reason"], fault.Kind)
				require.NotContains(t, doc["reason"], "unexpected", fault.Kind)
				// Mended, and asked for again.
				status, _ := b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/briefing/renew", nil)
				require.Equal(t, http.StatusAccepted, status)
				b.awaitBriefing(base, h, "mended after "+string(fault.Kind), by("model", "done"))
			}
			// Two answers that break the rules, and the rules' briefing stays.
			model.Faults().Next(llmtest.Fault{Kind: llmtest.FaultAnswer, Answer: llmtest.WrongSchema}, llmtest.Fault{Kind: llmtest.FaultAnswer, Answer: llmtest.Prose})
			h := b.handOff(base)
			doc := b.awaitBriefing(base, h, "unusable", by("rules", "failed"))
			require.Contains(t, doc["reason"], "could not be used")
			// What a model invents is not shown as fact.
			model.Faults().Next(llmtest.Fault{Kind: llmtest.FaultAnswer, Answer: llmtest.InventedCitations})
			h = b.handOff(base)
			doc = b.awaitBriefing(base, h, "invented", by("model", "done"))
			findings := doc["content"].(map[string]any)["provenance"].(map[string]any)["findings"].(map[string]any)
			require.NotEmpty(t, findings)
		})
	}
}

// TestNobodyWaitsForAModel is promise 3: while the model stalls, a claim is
// accepted; when the handoff is closed, the call is given up.
func TestNobodyWaitsForAModel(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	model := b.connectModel(llmtest.Anthropic)
	reached := make(chan struct{}, 1)
	model.Faults().Set(llmtest.Fault{Kind: llmtest.FaultStall, Reached: reached})
	b.worker()
	base := b.api()
	h := b.handOff(base)
	<-reached
	doc := b.awaitBriefing(base, h, "pending", by("rules", "pending"))
	require.Nil(t, doc["reason"])
	b.ask(base, b.ana, h, "claim", nil)
	b.ask(base, b.ana, h, "resolve", map[string]any{})
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "").Get(t.Context(), nil))
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.BriefingWorkflowID(h.AccountID, h.ID), "").Get(t.Context(), nil))
	doc = b.awaitBriefing(base, h, "left", by("rules", "done"))
	require.Contains(t, doc["reason"], "closed before")
	require.Equal(t, false, doc["stale"])

	// A worker that died once the rules' briefing was stored leaves it pending;
	// the next attempt finds the handoff closed.
	b.exec(`UPDATE handoff_effects SET state = 'pending', reason = NULL WHERE kind = 'briefing'`)
	id := workflows.BriefingWorkflowID(h.AccountID, h.ID)
	_, err := b.temporal.SignalWithStartWorkflow(t.Context(), id, workflows.SignalBrief, workflows.BriefingAsk{Reason: models.BriefCreated},
		client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue, TypedSearchAttributes: workflows.AccountAttributes(h.AccountID)},
		workflows.BriefingWorkflow, workflows.BriefingInput{AccountID: h.AccountID, SessionID: h.SessionID, HandoffID: h.ID})
	require.NoError(t, err)
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
	_, doc = b.briefing(base, h)
	require.Equal(t, "done", doc["state"])
}

// TestAWorkerIsKilledWhileAModelThinks loses a worker with a call under way.
func TestAWorkerIsKilledWhileAModelThinks(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	model := b.connectModel(llmtest.OpenAI)
	reached := make(chan struct{}, 1)
	model.Faults().Next(llmtest.Fault{Kind: llmtest.FaultStall, Reached: reached})
	kill := b.workerProcess()
	base := b.api()
	h := b.handOff(base)
	<-reached
	kill()
	b.worker()
	doc := b.awaitBriefing(base, h, "after a kill", by("model", "done"))
	require.EqualValues(t, 2, doc["version"])
	require.Equal(t, 1, b.sql(`SELECT count(*) FROM model_calls WHERE state = 'under_way'`), "what the lost call may have cost stays on the books")
}

// TestAQuestionFailsOnceGivenUp holds that a call which breaks after it was given
// up, and which the server does not repeat for that reason, takes nothing else
// with it.
func TestAQuestionFailsOnceGivenUp(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	model := b.connectModel(llmtest.OpenAI)
	reached := make(chan struct{}, 1)
	model.Faults().Next(llmtest.Fault{Kind: llmtest.FaultStall, Reached: reached})
	b.worker()
	base := b.api()
	h := b.handOff(base)
	<-reached
	b.longAgo()
	status, _ := b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/briefing/renew", nil)
	require.Equal(t, http.StatusAccepted, status)
	id := workflows.BriefingWorkflowID(h.AccountID, h.ID)
	require.True(t, waitFor(10*time.Second, func() bool {
		return slices.ContainsFunc(b.historyOf(id, ""), func(e *historypb.HistoryEvent) bool {
			return e.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED
		})
	}))
	b.hangUp()
	b.awaitBriefing(base, h, "asked again", by("model", "done"))
}

// TestModelsKeepToTheBudget holds that an account past its bound is briefed by
// rules and told so, and that its settings are its own.
func TestModelsKeepToTheBudget(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	model := b.connectModel(llmtest.Anthropic)
	b.worker()
	base := b.api()
	status, body := b.call(b.ada, http.MethodPut, base+"/api/v1/briefings/settings", map[string]any{"use_model": true, "monthly_budget_usd": 0.01})
	require.Equal(t, http.StatusOK, status, body)
	require.InDelta(t, 0.01, body["monthly_budget_usd"], 1e-9)
	h := b.handOff(base)
	doc := b.awaitBriefing(base, h, "budget", by("rules", "done"))
	require.Contains(t, doc["reason"], "of the $0.01 that models may cost the account this month")
	require.Zero(t, model.Count())
	status, _ = b.call(b.ada, http.MethodPut, base+"/api/v1/briefings/settings", map[string]any{"use_model": false})
	require.Equal(t, http.StatusOK, status)
	doc = b.awaitBriefing(base, b.handOff(base), "off", by("rules", "done"))
	require.Equal(t, "Written by rules: the account uses no model.", doc["reason"])
	status, _ = b.call(b.ada, http.MethodPut, base+"/api/v1/briefings/settings", map[string]any{"use_model": true})
	require.Equal(t, http.StatusOK, status)
	b.awaitBriefing(base, b.handOff(base), "on", by("model", "done"))
	status, body = b.call(b.ada, http.MethodGet, base+"/api/v1/briefings/settings", nil)
	require.Equal(t, http.StatusOK, status)
	require.Positive(t, body["spent_usd"])
	status, body = b.call(b.ana, http.MethodGet, base+"/api/v1/briefings/settings", nil)
	require.Equal(t, http.StatusForbidden, status, body)
}

// TestSecretsStayHome is promise 8: credentials that people type into a session
// reach no model, no ticket, no history and no log.
func TestSecretsStayHome(t *testing.T) {
	t.Parallel()
	planted := []string{"Welcome1!Larch", "P@ssw0rd!77", "ghp_" + strings.Repeat("aB3dE6", 6), "Acme#2025x", "hunter2-Xy9"}
	b := newBaton(t)
	model := b.connectModel(llmtest.Anthropic)
	model.SetAnswer(llmtest.PromptRepeated) // what leaks to it, leaks
	base, d := b.connectPSA()
	logs := &journal{}
	b.start(app.Options{Worker: true, Logger: logs.logger()})
	ticket := d.Desk().AddTicket("t").ID
	number := fmt.Sprintf("#%d", ticket)
	problem := "Cannot sign in; password is " + planted[0]
	s, err := b.as(b.sam, base).CreateSession(t.Context(), uuid.NewString(), apiclient.NewSession{
		Title: "Sign-in fails", ClientName: "Larch Dental", Problem: &problem, PSATicket: &number,
		Steps: &[]apiclient.NewStep{
			{ID: uuid.New(), At: time.Now(), Actor: "user", Kind: "message", Text: "I tried " + planted[0] + " three times."},
			{ID: uuid.New(), At: time.Now(), Actor: "engineer", Kind: "command", Text: "net user bob " + planted[1] + " /add"},
			{ID: uuid.New(), At: time.Now(), Actor: "engineer", Kind: "note", Text: "token " + planted[2] + " in the script"},
		},
	})
	require.NoError(t, err)
	h, err := b.as(b.sam, base).HandOff(t.Context(), uuid.NewString(), s.ID, apiclient.NewHandoff{
		Intent: apiclient.IntentEscalate, EngineerNotes: "Local admin pw: " + planted[3] + ". Please look.",
	})
	require.NoError(t, err)
	b.awaitBriefing(base, h, "briefed", by("model", "done"))
	b.ask(base, b.ana, h, "claim", nil)
	b.ask(base, b.ana, h, "resolve", map[string]any{"resolution": "Reset. New password: " + planted[4] + ", and " + planted[0] + " is void."})
	b.told(base, h, 3)
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.WorkflowID(h.AccountID, h.SessionID), "").Get(t.Context(), nil))

	var gone []string
	for _, r := range model.Requests() {
		gone = append(gone, string(r.Body))
	}
	require.NotEmpty(t, gone)
	told, _ := d.Desk().Ticket(ticket)
	gone = append(gone, fmt.Sprintf("%+v", told))
	_, doc := b.briefing(base, h)
	gone = append(gone, fmt.Sprint(doc))
	for _, id := range []string{
		workflows.WorkflowID(h.AccountID, h.SessionID), workflows.BriefingWorkflowID(h.AccountID, h.ID), workflows.TicketWorkflowID(h.AccountID, number),
	} {
		for _, e := range b.historyOf(id, "") {
			gone = append(gone, e.String())
		}
	}
	all := strings.Join(gone, "\n")
	for i, secret := range planted {
		require.NotContains(t, strings.ReplaceAll(all, `\`, ""), secret, "planted secret %d", i)
	}
	require.Contains(t, all, "«password:")
	for _, secret := range planted {
		require.NotContains(t, logs.String(), secret)
	}
}

// TestAStaleBriefingIsFound needs no help: the housekeeping finds
// what nobody was told of.
func TestAStaleBriefingIsFound(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	b.awaitBriefing(base, h, "rules", by("rules", "done"))
	// Temporal did not hear of these steps, and they are three minutes old.
	_, err := b.store.AppendSteps(tenantOf(t, b.sam), models.Principal{UserID: b.sam.ID, AccountID: b.sam.AccountID, Role: b.sam.Role}, h.SessionID, []models.Step{
		{ID: uuid.New(), At: time.Now(), Actor: models.ActorEngineer, Kind: models.StepNote, Text: "The connector is fine."},
	})
	require.NoError(t, err)
	b.exec(`UPDATE ai_sessions SET updated_at = updated_at - interval '3 minutes'`)
	stale, err := b.store.StaleBriefings(t.Context(), 2*time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, stale, 1)
	require.Equal(t, h.ID, stale[0].ID)
}

// TestARenewalOutlivesItsWorker asks for another briefing while the worker that
// asked the model is gone: the attempt that was to be cancelled times out.
func TestARenewalOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	model := b.connectModel(llmtest.Anthropic)
	reached := make(chan struct{}, 1)
	model.Faults().Next(llmtest.Fault{Kind: llmtest.FaultStall, Reached: reached})
	kill := b.workerProcess()
	base := b.api()
	h := b.handOff(base)
	<-reached
	kill()
	b.longAgo()
	status, _ := b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/briefing/renew", nil)
	require.Equal(t, http.StatusAccepted, status)
	b.worker()
	b.awaitBriefing(base, h, "renewed", by("model", "done"))
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.BriefingWorkflowID(h.AccountID, h.ID), "").Get(t.Context(), nil))
}

// TestAModelsBriefingStays while it is written anew, and when it cannot be;
// steps that were known already change nothing.
func TestAModelsBriefingStays(t *testing.T) {
	t.Parallel()
	b := newBaton(t)
	model := b.connectModel(llmtest.OpenAI)
	b.worker()
	base := b.api()
	h := b.handOff(base)
	b.awaitBriefing(base, h, "briefed", by("model", "done"))
	require.Equal(t, 1, model.Count())
	require.NoError(t, b.temporal.GetWorkflow(t.Context(), workflows.BriefingWorkflowID(h.AccountID, h.ID), "").Get(t.Context(), nil))

	ask := func(why models.BriefingReason) {
		t.Helper()
		a, stop := b.start(app.Options{API: true})
		defer stop()
		require.NoError(t, a.Engine.Brief(t.Context(), h.AccountID, h.SessionID, h.ID, why))
	}
	model.Faults().Set(llmtest.Fault{Kind: llmtest.FaultRefusal})
	ask(models.BriefRenewed)
	doc := b.awaitBriefing(base, h, "refused", by("model", "failed"))
	require.EqualValues(t, 2, doc["version"])
	require.Equal(t, 2, model.Count())

	// With steps that it lacks, the rules' is better than an old one.
	b.ask(base, b.ana, h, "claim", nil)
	status, _ := b.call(b.ana, http.MethodPost, base+"/api/v1/ai-sessions/"+h.SessionID.String()+"/steps", map[string]any{"steps": []any{
		map[string]any{"id": uuid.New(), "at": time.Now(), "actor": "engineer", "kind": "command", "text": "PS C:\\> Restart-Service ClickToRunSvc", "outcome": "worked"},
	}})
	require.Equal(t, http.StatusOK, status)
	status, _ = b.call(b.ana, http.MethodPost, handoffURL(base, h)+"/briefing/renew", nil)
	require.Equal(t, http.StatusAccepted, status)
	doc = b.awaitBriefing(base, h, "rules again", by("rules", "failed"))
	require.EqualValues(t, 3, doc["version"])
	require.Equal(t, false, doc["stale"])
	require.Contains(t, doc["reason"], "declined")
}
