package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

const aHandoffJSON = `{
	"id": "0197a3c5-7d44-7b8a-b1f3-6c2e9a8d5f21", "session_id": "0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44",
	"account_id": "0197a3c0-1f00-7a10-8c55-2b9d6e4f1a01", "team_id": "0197a3c0-1f00-7a10-8c55-2b9d6e4f1a02",
	"intent": "escalate", "priority": "high", "status": "queued", "generation": 1, "version": 1,
	"engineer_notes": "Tunnel drops every 40 s.", "target_user_id": null, "target_user_name": null,
	"handed_off_by": "0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e01", "handed_off_by_name": "Sam Lee",
	"claimed_by": null, "claimed_by_name": null, "claimed_at": null,
	"created_at": "2026-11-04T12:00:00Z", "updated_at": "2026-11-04T12:00:00Z", "resolved_at": null, "resolution": null, "questions": null, "answer": null, "reserved_until": null, "wake_at": null,
	"queued_at": "2026-11-04T12:00:00Z", "claim_by": null,
	"session": {"title": "VPN drops", "client_name": "Contoso Dental", "psa_ticket": "T20261104.0017"},
	"documentation": {"state": "pending", "reason": null, "attempts": 0, "next_attempt_at": null, "markdown": null, "plain": null, "truncated": false, "step_count": 0, "created_at": null},
	"psa": {"state": "pending", "reason": null, "ticket_id": null, "note_id": null, "attempts": 0, "last_error": null, "next_attempt_at": null, "ticket_status": null, "ticket_closed": null, "ticket_owner": null, "ticket_noted_at": null},
	"briefing": {"state": "pending", "reason": null, "attempts": 0, "next_attempt_at": null, "version": null, "source": null, "stale": false},
	"notifications": {"pending": 0, "held": 0, "retrying": 0, "done": 0, "failed": 0, "skipped": 0},
	"links": {"self": "/api/v1/ai-sessions/0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44/handoffs/0197a3c5-7d44-7b8a-b1f3-6c2e9a8d5f21", "temporal": null, "ticket": null}
}`

func TestCreateHandoff(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body, key string
		want            models.NewHandoff
	}{
		{
			name: "least", body: `{"intent":"park","engineer_notes":" as it is \n"}`,
			want: models.NewHandoff{Intent: models.IntentPark, Priority: models.PriorityNormal, EngineerNotes: " as it is \n"},
		},
		{
			name: "all", body: `{"intent":"escalate","engineer_notes":"n","priority":"critical","target_user_id":"` + sam.String() + `"}`, key: "k-1",
			want: models.NewHandoff{Intent: models.IntentEscalate, Priority: models.PriorityCritical, EngineerNotes: "n", TargetUserID: &sam, Key: "k-1"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.handoffs.create = func(ctx context.Context, by models.Principal, req models.NewHandoff) (models.HandoffView, error) {
				inAccount(t, ctx)
				require.Equal(t, principal(models.RoleEngineer), by)
				tc.want.SessionID = sessionID
				require.Equal(t, tc.want, req)
				return aHandoff(), nil
			}
			rec := w.do(ask("POST", sessionPath+"/handoff", tc.body, header("Idempotency-Key", tc.key)))
			require.Equal(t, 201, rec.Code, rec.Body.String())
			require.Equal(t, aHandoffPath, rec.Header().Get("Location"))
			require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
			require.JSONEq(t, aHandoffJSON, rec.Body.String())
			require.Equal(t, handoffID.String(), w.logLine(t)["handoff_id"], "the log names the new handoff")
		})
	}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		verb models.Verb
		body string
		want models.TransitionRequest
	}{
		{models.VerbClaim, ``, models.TransitionRequest{}},
		{models.VerbRelease, ``, models.TransitionRequest{}},
		{models.VerbRelease, `{"note":"off home"}`, models.TransitionRequest{Note: "off home"}},
		{models.VerbReassign, `{"target_user_id":"` + sam.String() + `","note":"yours"}`, models.TransitionRequest{TargetUserID: &sam, Note: "yours"}},
		{models.VerbResolve, ``, models.TransitionRequest{}},
		{models.VerbResolve, `{"resolution":"rebooted"}`, models.TransitionRequest{Note: "rebooted"}},
		{models.VerbCancel, ``, models.TransitionRequest{}},
		{models.VerbCancel, `{"note":"solved"}`, models.TransitionRequest{Note: "solved"}},
		{models.VerbReturn, `{"questions":"which firmware?"}`, models.TransitionRequest{Note: "which firmware?"}},
		{models.VerbAnswer, `{"answer":"7.2.4"}`, models.TransitionRequest{Note: "7.2.4"}},
	} {
		t.Run(string(tc.verb)+tc.body, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.handoffs.transition = func(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
				inAccount(t, ctx)
				require.Equal(t, principal(models.RoleEngineer), by)
				tc.want.Verb, tc.want.SessionID, tc.want.HandoffID, tc.want.Key = tc.verb, sessionID, handoffID, "k-2"
				require.Equal(t, tc.want, req)
				return aHandoff(), nil
			}
			rec := w.do(ask("POST", aHandoffPath+"/"+string(tc.verb), tc.body, header("Idempotency-Key", "k-2")))
			require.Equal(t, 200, rec.Code, rec.Body.String())
			require.JSONEq(t, aHandoffJSON, rec.Body.String())
		})
	}
}

// TestHandoffInFull holds every member of a handoff that has everything, and
// that times are told in UTC.
func TestHandoffInFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *Options) {
		o.TemporalUIURL, o.Namespace = "https://temporal.example.com/", "msp one"
	})
	abroad := noon.In(time.FixedZone("", 2*3600))
	v := aHandoff()
	v.Status, v.Generation, v.Version = models.StatusResolved, 2, 5
	v.TargetUserID, v.TargetUserName = &ana, ptr("Ana Ortiz")
	v.ClaimedBy, v.ClaimedByName, v.ClaimedAt = &ana, ptr("Ana Ortiz"), &abroad
	v.ResolvedAt, v.Resolution = &abroad, ptr("rebooted")
	v.Questions, v.Answer, v.ReservedUntil = ptr("which firmware?"), ptr("7.2.4"), &abroad
	v.CreatedAt, v.UpdatedAt, v.ClaimBy = abroad, abroad, &abroad
	v.PSAKind, v.PSAAddress = ptr("halopsa"), ptr("https://msp.halopsa.com/api")
	v.Effects = []models.Effect{
		{Kind: models.EffectDocumentation, State: models.EffectDone, Attempts: 1},
		{Kind: models.EffectPSA, State: models.EffectRetrying, Reason: ptr("the PSA answered 503"), Attempts: 3, NextAttemptAt: &abroad, TicketID: ptr("4711")},
		{
			Kind: models.EffectBriefing, State: models.EffectFailed, Reason: ptr("the model refused"), Attempts: 2,
			Version: ptr(3), Source: ptr(models.SourceRules), StepCount: ptr(13),
		},
	}
	v.SessionSteps = 14
	v.Documentation = &models.Documentation{Markdown: "# VPN", Plain: "VPN", Truncated: true, StepCount: 14, CreatedAt: abroad}
	w.records.handoff = func(ctx context.Context, session, handoff uuid.UUID) (models.HandoffView, error) {
		inAccount(t, ctx)
		require.Equal(t, sessionID, session)
		require.Equal(t, handoffID, handoff)
		return v, nil
	}
	w.records.sessionHandoffs = func(ctx context.Context, session uuid.UUID, p models.Page) ([]models.HandoffView, string, error) {
		inAccount(t, ctx)
		require.Equal(t, sessionID, session)
		require.Equal(t, models.Page{Cursor: "c1", Limit: 7}, p)
		return []models.HandoffView{v}, "c2", nil
	}
	want := strings.NewReplacer(
		`"status": "queued", "generation": 1, "version": 1`, `"status": "resolved", "generation": 2, "version": 5`,
		`"target_user_id": null, "target_user_name": null`, `"target_user_id": "`+ana.String()+`", "target_user_name": "Ana Ortiz"`,
		`"claimed_by": null, "claimed_by_name": null, "claimed_at": null`, `"claimed_by": "`+ana.String()+`", "claimed_by_name": "Ana Ortiz", "claimed_at": "2026-11-04T12:00:00Z"`,
		`"resolved_at": null, "resolution": null, "questions": null, "answer": null, "reserved_until": null`,
		`"resolved_at": "2026-11-04T12:00:00Z", "resolution": "rebooted", "questions": "which firmware?", "answer": "7.2.4", "reserved_until": "2026-11-04T12:00:00Z"`,
		`{"state": "pending", "reason": null, "attempts": 0, "next_attempt_at": null, "markdown": null, "plain": null, "truncated": false, "step_count": 0, "created_at": null}`,
		`{"state": "done", "reason": null, "attempts": 1, "next_attempt_at": null, "markdown": "# VPN", "plain": "VPN", "truncated": true, "step_count": 14, "created_at": "2026-11-04T12:00:00Z"}`,
		`{"state": "pending", "reason": null, "ticket_id": null, "note_id": null, "attempts": 0, "last_error": null, "next_attempt_at": null, "ticket_status": null, "ticket_closed": null, "ticket_owner": null, "ticket_noted_at": null}`,
		`{"state": "retrying", "reason": "the PSA answered 503", "ticket_id": "4711", "note_id": null, "attempts": 3, "last_error": "the PSA answered 503", "next_attempt_at": "2026-11-04T12:00:00Z", "ticket_status": null, "ticket_closed": null, "ticket_owner": null, "ticket_noted_at": null}`,
		`{"state": "pending", "reason": null, "attempts": 0, "next_attempt_at": null, "version": null, "source": null, "stale": false}`,
		`{"state": "failed", "reason": "the model refused", "attempts": 2, "next_attempt_at": null, "version": 3, "source": "rules", "stale": false}`,
		`"queued_at": "2026-11-04T12:00:00Z", "claim_by": null`, `"queued_at": null, "claim_by": "2026-11-04T12:00:00Z"`,
		`"ticket": null`, `"ticket": "https://msp.halopsa.com/ticket?id=4711"`,
		`"temporal": null`, `"temporal": "https://temporal.example.com/namespaces/msp%20one/workflows/handoff%2F0197a3c0-1f00-7a10-8c55-2b9d6e4f1a01%2F0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44"`,
	).Replace(aHandoffJSON)
	rec := w.do(ask("GET", aHandoffPath, ""))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, want, rec.Body.String())

	inList := strings.NewReplacer(`"markdown": "# VPN", "plain": "VPN"`, `"markdown": null, "plain": null`).Replace(want)
	rec = w.do(ask("GET", sessionPath+"/handoffs?cursor=c1&limit=7", ""))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"items":[`+inList+`],"next_cursor":"c2"}`, rec.Body.String())
}

// TestPSAWithoutARecord: what nothing is recorded of is told by the reason.
func TestPSAWithoutARecord(t *testing.T) {
	t.Parallel()
	v := aHandoff()
	v.PSATicket = nil
	require.Equal(t, "The session names no ticket.", *psa(v, nil).Reason)
	v = aHandoff()
	require.EqualValues(t, models.EffectPending, psa(v, nil).State, "it is about to be handed over")
	v.Status = models.StatusCancelled
	require.EqualValues(t, models.EffectSkipped, psa(v, nil).State)
}

func TestRetryPSA(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.handoffs.retryPSA = func(ctx context.Context, by models.Principal, session, handoff uuid.UUID) (models.HandoffView, error) {
		inAccount(t, ctx)
		require.Equal(t, principal(models.RoleEngineer), by)
		require.Equal(t, sessionID, session)
		require.Equal(t, handoffID, handoff)
		return aHandoff(), nil
	}
	rec := w.do(ask("POST", aHandoffPath+"/psa/retry", ""))
	require.Equal(t, 202, rec.Code, rec.Body.String())
	require.JSONEq(t, aHandoffJSON, rec.Body.String())
	w.handoffs.retryPSA = func(context.Context, models.Principal, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
		return models.HandoffView{}, models.Errorf(models.CodeConflict, "Nothing has failed.")
	}
	require.Equal(t, 409, w.do(ask("POST", aHandoffPath+"/psa/retry", "")).Code)
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.records.timeline = func(ctx context.Context, session, handoff uuid.UUID) ([]models.TimelineView, error) {
		inAccount(t, ctx)
		require.Equal(t, sessionID, session)
		require.Equal(t, handoffID, handoff)
		return []models.TimelineView{{
			TimelineEntry: models.TimelineEntry{
				Version: 2, Verb: models.VerbClaim, Door: models.DoorOperator, ActorID: ana, At: noon, Generation: 1,
				Status: models.StatusClaimed, HolderID: &ana, Note: ptr("n"),
			},
			ActorName: ptr("Ana Ortiz"), HolderName: ptr("Ana Ortiz"),
			PSA: &models.PSAStep{Version: 2, Step: "claimed", State: models.EffectRetrying, Attempts: 3, Reason: ptr("503"), NextAttemptAt: &noon, NoteID: ptr("9")},
		}}, nil
	}
	rec := w.do(ask("GET", aHandoffPath+"/timeline", ""))
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"items":[{"version":2,"verb":"claim","door":"operator","actor_id":"`+ana.String()+`","actor_name":"Ana Ortiz",
		"at":"2026-11-04T12:00:00Z","generation":1,"status":"claimed","holder_id":"`+ana.String()+`","holder_name":"Ana Ortiz",
		"target_user_id":null,"target_user_name":null,"note":"n",
		"psa":{"step":"claimed","state":"retrying","reason":"503","note_id":"9","attempts":3,"next_attempt_at":"2026-11-04T12:00:00Z"}}],"next_cursor":null}`, rec.Body.String())
}

func TestQueue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		query  string
		filter models.QueueFilter
		page   models.Page
	}{
		{"", models.QueueFilter{Sort: models.SortPriority}, models.Page{Limit: 50}},
		{
			"?intent=park&status=claimed&priority=low&team_id=" + team.String() + "&mine=true&q=VPN%20drops&sort=-created_at&cursor=c1&limit=200&_=1730721151",
			models.QueueFilter{Intent: models.IntentPark, Status: models.StatusClaimed, Priority: models.PriorityLow, TeamID: &team, Mine: true, Query: "VPN drops", Sort: models.SortNewest},
			models.Page{Cursor: "c1", Limit: 200},
		},
		{"?mine=false&q=&cursor=", models.QueueFilter{Sort: models.SortPriority}, models.Page{Limit: 50}},
	} {
		t.Run(tc.query, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.records.queue = func(ctx context.Context, f models.QueueFilter, p models.Page) ([]models.HandoffView, string, error) {
				inAccount(t, ctx)
				tc.filter.Reader = ana
				require.Equal(t, tc.filter, f)
				require.Equal(t, tc.page, p)
				return nil, "", nil
			}
			rec := w.do(ask("GET", sessionsPath+"/queue"+tc.query, ""))
			require.Equal(t, 200, rec.Code, rec.Body.String())
			require.JSONEq(t, `{"items":[],"next_cursor":null}`, rec.Body.String())
		})
	}
}

const aSessionJSON = `{
	"id": "0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44", "account_id": "0197a3c0-1f00-7a10-8c55-2b9d6e4f1a01",
	"team_id": "0197a3c0-1f00-7a10-8c55-2b9d6e4f1a02", "owner_id": "0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e02",
	"title": "VPN drops", "client_name": "Contoso Dental", "problem": "", "psa_ticket": null, "status": "active",
	"step_count": 0, "steps": null, "created_at": "2026-11-04T12:00:00Z", "updated_at": "2026-11-04T12:00:00Z",
	"links": {"self": "/api/v1/ai-sessions/0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44", "handoffs": "/api/v1/ai-sessions/0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44/handoffs"}
}`

const aStepJSON = `{"id":"0197a3c2-0a51-7e3d-a5b4-7f3c1d2e8b10","at":"2026-11-04T13:00:00.5+01:00","actor":"engineer","kind":"command","text":"show\tvpn","outcome":"no_change"}`

func aStep() models.Step {
	return models.Step{
		ID: uuid.MustParse("0197a3c2-0a51-7e3d-a5b4-7f3c1d2e8b10"), At: noon.Add(500 * time.Millisecond), Actor: models.ActorEngineer,
		Kind: models.StepCommand, Text: "show\tvpn", Outcome: ptr(models.OutcomeNoChange),
	}
}

func TestCreateSession(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		want       models.NewSession
	}{
		{"least", `{"title":"t","client_name":"c"}`, models.NewSession{Title: "t", ClientName: "c", Steps: []models.Step{}, Key: "k-3"}},
		{
			"all", `{"title":"t","client_name":"c","problem":"p\nq","psa_ticket":"T1","steps":[` + aStepJSON + `]}`,
			models.NewSession{Title: "t", ClientName: "c", Problem: "p\nq", PSATicket: ptr("T1"), Steps: []models.Step{aStep()}, Key: "k-3"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.records.createSession = func(ctx context.Context, by models.Principal, s models.NewSession) (models.Session, error) {
				inAccount(t, ctx)
				require.Equal(t, principal(models.RoleEngineer), by)
				require.Equal(t, tc.want, s)
				return aSession(), nil
			}
			rec := w.do(ask("POST", sessionsPath, tc.body, header("Idempotency-Key", "k-3")))
			require.Equal(t, 201, rec.Code, rec.Body.String())
			require.Equal(t, sessionPath, rec.Header().Get("Location"))
			require.JSONEq(t, aSessionJSON, rec.Body.String())
		})
	}
}

func TestAppendSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.records.appendSteps = func(ctx context.Context, by models.Principal, id uuid.UUID, steps []models.Step) (models.Session, error) {
		inAccount(t, ctx)
		require.Equal(t, principal(models.RoleEngineer), by)
		require.Equal(t, sessionID, id)
		unknown := aStep()
		unknown.ID, unknown.Outcome = sam, nil
		require.Equal(t, []models.Step{aStep(), unknown}, steps)
		return aSession(), nil
	}
	second := strings.NewReplacer("0197a3c2-0a51-7e3d-a5b4-7f3c1d2e8b10", sam.String(), `"no_change"`, `null`).Replace(aStepJSON)
	rec := w.do(ask("POST", sessionPath+"/steps", `{"steps":[`+aStepJSON+`,`+second+`]}`))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.JSONEq(t, aSessionJSON, rec.Body.String())
}

func TestReadSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	row := aSession()
	row.StepCount = 1
	w.records.session = func(ctx context.Context, id uuid.UUID) (models.Session, error) {
		inAccount(t, ctx)
		require.Equal(t, sessionID, id)
		return row, nil
	}
	w.records.steps = func(ctx context.Context, id uuid.UUID) ([]models.Step, error) {
		inAccount(t, ctx)
		require.Equal(t, sessionID, id)
		st := aStep()
		st.Seq = 1
		return []models.Step{st}, nil
	}
	rec := w.do(ask("GET", sessionPath, ""))
	require.Equal(t, 200, rec.Code)
	want := strings.NewReplacer(`"step_count": 0, "steps": null`, `"step_count": 1, "steps": [{"id":"0197a3c2-0a51-7e3d-a5b4-7f3c1d2e8b10","seq":1,
		"at":"2026-11-04T12:00:00.5Z","actor":"engineer","kind":"command","text":"show\tvpn","outcome":"no_change"}]`).Replace(aSessionJSON)
	require.JSONEq(t, want, rec.Body.String())
}

func TestListSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.records.sessions = func(ctx context.Context, f models.SessionFilter, p models.Page) ([]models.Session, string, error) {
		inAccount(t, ctx)
		require.Equal(t, models.SessionFilter{OwnerID: &sam, Status: models.SessionParked, Query: "vpn"}, f)
		require.Equal(t, models.Page{Limit: 50}, p)
		return []models.Session{aSession()}, "c2", nil
	}
	rec := w.do(ask("GET", sessionsPath+"?owner_id="+sam.String()+"&status=parked&q=vpn", ""))
	require.Equal(t, 200, rec.Code, rec.Body.String())
	require.JSONEq(t, `{"items":[`+aSessionJSON+`],"next_cursor":"c2"}`, rec.Body.String())
}

// TestErrorsOfReads holds that every read passes its port's error on.
func TestErrorsOfReads(t *testing.T) {
	t.Parallel()
	gone := models.Errorf(models.CodeNotFound, "Session not found")
	w := newWorld(t)
	w.records.session = func(context.Context, uuid.UUID) (models.Session, error) { return models.Session{}, gone }
	w.records.handoff = func(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
		return models.HandoffView{}, gone
	}
	w.records.timeline = func(context.Context, uuid.UUID, uuid.UUID) ([]models.TimelineView, error) { return nil, gone }
	w.records.sessionHandoffs = func(context.Context, uuid.UUID, models.Page) ([]models.HandoffView, string, error) {
		return nil, "", gone
	}
	w.records.appendSteps = func(context.Context, models.Principal, uuid.UUID, []models.Step) (models.Session, error) {
		return models.Session{}, gone
	}
	w.handoffs.create = func(context.Context, models.Principal, models.NewHandoff) (models.HandoffView, error) {
		return models.HandoffView{}, gone
	}
	for _, req := range []struct{ method, path, body string }{
		{"GET", sessionPath, ""},
		{"GET", sessionPath + "/handoffs", ""},
		{"GET", aHandoffPath, ""},
		{"GET", aHandoffPath + "/timeline", ""},
		{"POST", sessionPath + "/steps", `{"steps":[` + aStepJSON + `]}`},
		{"POST", sessionPath + "/handoff", `{"intent":"park","engineer_notes":"n"}`},
	} {
		rec := w.do(ask(req.method, req.path, req.body))
		require.Equal(t, 404, rec.Code, req)
		require.Equal(t, "Session not found", readProblem(t, rec).text(t))
	}

	unreadable := models.Errorf(models.CodeUnavailable, "The database is not available now.")
	w.records.sessions = func(context.Context, models.SessionFilter, models.Page) ([]models.Session, string, error) {
		return nil, "", unreadable
	}
	w.records.createSession = func(context.Context, models.Principal, models.NewSession) (models.Session, error) {
		return models.Session{}, unreadable
	}
	w.records.session = func(context.Context, uuid.UUID) (models.Session, error) { return aSession(), nil }
	w.records.steps = func(context.Context, uuid.UUID) ([]models.Step, error) { return nil, unreadable }
	require.Equal(t, 503, w.do(ask("GET", sessionsPath, "")).Code)
	require.Equal(t, 503, w.do(ask("POST", sessionsPath, `{"title":"t","client_name":"c"}`)).Code)
	require.Equal(t, 503, w.do(ask("GET", sessionPath, "")).Code)
}
