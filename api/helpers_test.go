package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) {
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	goleak.VerifyTestMain(m)
}

var (
	account   = uuid.MustParse("0197a3c0-1f00-7a10-8c55-2b9d6e4f1a01")
	team      = uuid.MustParse("0197a3c0-1f00-7a10-8c55-2b9d6e4f1a02")
	sam       = uuid.MustParse("0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e01")
	ana       = uuid.MustParse("0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e02")
	sessionID = uuid.MustParse("0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44")
	handoffID = uuid.MustParse("0197a3c5-7d44-7b8a-b1f3-6c2e9a8d5f21")
	noon      = time.Date(2026, 11, 4, 12, 0, 0, 0, time.UTC)
)

const (
	sessionsPath = "/api/v1/ai-sessions"
	sessionPath  = sessionsPath + "/0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44"
	aHandoffPath = sessionPath + "/handoffs/0197a3c5-7d44-7b8a-b1f3-6c2e9a8d5f21"
	streamPath   = sessionsPath + "/escalations/stream"
)

// The fakes are structs of functions. A function that is not set must not be
// called.

// authenticate is a function that may be replaced while streams ask it.
type authenticate func(ctx context.Context, bearer string) (models.Principal, error)

type fakeAuth struct{ now atomic.Pointer[authenticate] }

func (f *fakeAuth) set(a authenticate) { f.now.Store(&a) }

func (f *fakeAuth) Authenticate(ctx context.Context, bearer string) (models.Principal, error) {
	return (*f.now.Load())(ctx, bearer)
}

// authenticateByRole takes the name of a role for a token.
func authenticateByRole(_ context.Context, bearer string) (models.Principal, error) {
	if !models.Role(bearer).Valid() {
		return models.Principal{}, models.Errorf(models.CodeUnauthenticated, "The token is not valid.")
	}
	return principal(models.Role(bearer)), nil
}

type fakeHandoffs struct {
	create     func(ctx context.Context, by models.Principal, req models.NewHandoff) (models.HandoffView, error)
	transition func(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error)
	retryPSA   func(ctx context.Context, by models.Principal, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	renew      func(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	stepped    []uuid.UUID // by StepsAdded
	woken      []string    // by TellRecipient

	retryDelivery func(ctx context.Context, by models.Principal, sessionID, handoffID, id uuid.UUID) (models.Delivery, error)
}

func (f *fakeHandoffs) RenewBriefing(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error) {
	return f.renew(ctx, sessionID, handoffID)
}

func (f *fakeHandoffs) RetryDelivery(ctx context.Context, by models.Principal, sessionID, handoffID, id uuid.UUID) (models.Delivery, error) {
	return f.retryDelivery(ctx, by, sessionID, handoffID, id)
}

func (f *fakeHandoffs) TellRecipient(_ context.Context, _ uuid.UUID, recipient string) error {
	f.woken = append(f.woken, recipient)
	return nil
}

func (f *fakeHandoffs) StepsAdded(_ context.Context, s models.Session) {
	f.stepped = append(f.stepped, s.ID)
}

func (f *fakeHandoffs) RetryPSA(ctx context.Context, by models.Principal, sessionID, handoffID uuid.UUID) (models.HandoffView, error) {
	return f.retryPSA(ctx, by, sessionID, handoffID)
}

func (f *fakeHandoffs) Create(ctx context.Context, by models.Principal, req models.NewHandoff) (models.HandoffView, error) {
	return f.create(ctx, by, req)
}

func (f *fakeHandoffs) Transition(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
	return f.transition(ctx, by, req)
}

type fakeRecords struct {
	BriefingRecords // what a test does not set must not be called
	LadderRecords
	NotificationRecords
	SettingsRecords
	PresenceRecords
	createSession   func(ctx context.Context, by models.Principal, s models.NewSession) (models.Session, error)
	appendSteps     func(ctx context.Context, by models.Principal, id uuid.UUID, steps []models.Step) (models.Session, error)
	session         func(ctx context.Context, id uuid.UUID) (models.Session, error)
	steps           func(ctx context.Context, id uuid.UUID) ([]models.Step, error)
	sessions        func(ctx context.Context, f models.SessionFilter, p models.Page) ([]models.Session, string, error)
	handoff         func(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	sessionHandoffs func(ctx context.Context, id uuid.UUID, p models.Page) ([]models.HandoffView, string, error)
	queue           func(ctx context.Context, f models.QueueFilter, p models.Page) ([]models.HandoffView, string, error)
	holderSeen      func(handoffID, user uuid.UUID) error
	colleagues      func(ctx context.Context) ([]models.Colleague, error)
	timeline        func(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.TimelineView, error)
}

func (f *fakeRecords) CreateSession(ctx context.Context, by models.Principal, s models.NewSession) (models.Session, error) {
	return f.createSession(ctx, by, s)
}

func (f *fakeRecords) AppendSteps(ctx context.Context, by models.Principal, id uuid.UUID, steps []models.Step) (models.Session, error) {
	return f.appendSteps(ctx, by, id, steps)
}

func (f *fakeRecords) Session(ctx context.Context, id uuid.UUID) (models.Session, error) {
	return f.session(ctx, id)
}

func (f *fakeRecords) Steps(ctx context.Context, id uuid.UUID) ([]models.Step, error) {
	return f.steps(ctx, id)
}

func (f *fakeRecords) Sessions(ctx context.Context, filter models.SessionFilter, p models.Page) ([]models.Session, string, error) {
	return f.sessions(ctx, filter, p)
}

func (f *fakeRecords) Handoff(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error) {
	return f.handoff(ctx, sessionID, handoffID)
}

func (f *fakeRecords) SessionHandoffs(ctx context.Context, id uuid.UUID, p models.Page) ([]models.HandoffView, string, error) {
	return f.sessionHandoffs(ctx, id, p)
}

func (f *fakeRecords) Queue(ctx context.Context, filter models.QueueFilter, p models.Page) ([]models.HandoffView, string, error) {
	return f.queue(ctx, filter, p)
}

func (f *fakeRecords) HolderSeen(_ context.Context, handoffID, user uuid.UUID) error {
	if f.holderSeen == nil {
		return nil
	}
	return f.holderSeen(handoffID, user)
}

func (f *fakeRecords) Colleagues(ctx context.Context) ([]models.Colleague, error) {
	return f.colleagues(ctx)
}

func (f *fakeRecords) Timeline(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.TimelineView, error) {
	return f.timeline(ctx, sessionID, handoffID)
}

type fakeFeed struct {
	subscribe func(ctx context.Context, account uuid.UUID, lastEventID string) (Subscription, error)
}

func (f *fakeFeed) Subscribe(ctx context.Context, account uuid.UUID, lastEventID string) (Subscription, error) {
	return f.subscribe(ctx, account, lastEventID)
}

// world is a server with its fakes.
type world struct {
	t        testing.TB
	server   *Server
	auth     *fakeAuth
	handoffs *fakeHandoffs
	records  *fakeRecords
	feed     *fakeFeed
	log      *bytes.Buffer
}

func newWorld(t testing.TB, change ...func(*Options)) *world {
	t.Helper()
	w := &world{
		t: t, auth: &fakeAuth{}, handoffs: &fakeHandoffs{}, records: &fakeRecords{}, feed: &fakeFeed{}, log: &bytes.Buffer{},
	}
	w.auth.set(authenticateByRole)
	o := Options{
		Auth: w.auth, Handoffs: w.handoffs, Records: w.records, Feed: w.feed, Version: "1.2.3",
		Logger: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	w.server, err = New(o)
	require.NoError(t, err)
	return w
}

func principal(role models.Role) models.Principal {
	return models.Principal{
		UserID: ana, AccountID: account, TeamID: &team, Role: role, Name: "Ana Ortiz", Email: "ana@demo.test",
	}
}

// ask makes a request of an engineer; change alters it before it is sent.
func ask(method, path, body string, change ...func(*http.Request)) *http.Request {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, path, r)
	req.Header.Set("Authorization", "Bearer engineer")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(req)
	}
	return req
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
}

// do serves the request, and holds the answer against the description.
func (w *world) do(req *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, req)
	w.conforms(req, rec)
	return rec
}

func (w *world) conforms(req *http.Request, rec *httptest.ResponseRecorder) {
	w.t.Helper()
	r, found := w.find(req)
	if !found {
		return
	}
	err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: r},
		Status:                 rec.Code,
		Header:                 rec.Header(),
		Body:                   io.NopCloser(bytes.NewReader(rec.Body.Bytes())),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	})
	require.NoError(w.t, err, "%s %s answers %d %s", req.Method, req.URL.Path, rec.Code, rec.Body)
}

// find is the operation of the description that the request is for.
func (w *world) find(req *http.Request) (*routers.Route, bool) {
	for path, item := range w.server.spec.doc.Paths.Map() {
		if op := item.GetOperation(req.Method); op != nil && matches(path, req.URL.Path) {
			return &routers.Route{Spec: w.server.spec.doc, Path: path, PathItem: item, Method: req.Method, Operation: op}, true
		}
	}
	return nil, false
}

// matches reports whether address fits pattern. Where two do, as with
// {id} and queue or presence, their answers have the same shape of error, and the literal
// one is asked for.
func matches(pattern, address string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(address, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		literal := !strings.HasPrefix(want[i], "{")
		if literal && want[i] != got[i] || !literal && (got[i] == "queue" || got[i] == "presence" || got[i] == "escalations") {
			return false
		}
	}
	return true
}

// problemDoc is a problem as a program reads it.
type problemDoc struct {
	Type      string          `json:"type"`
	Title     string          `json:"title"`
	Status    int             `json:"status"`
	Detail    json.RawMessage `json:"detail"`
	Instance  string          `json:"instance"`
	Code      string          `json:"code"`
	RequestID string          `json:"request_id"`
	Errors    []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

func readProblem(t testing.TB, rec *httptest.ResponseRecorder) problemDoc {
	t.Helper()
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"), rec.Body.String())
	var p problemDoc
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Equal(t, rec.Code, p.Status)
	require.Equal(t, rec.Header().Get("X-Request-Id"), p.RequestID)
	require.NotEmpty(t, p.Title)
	require.NotEmpty(t, p.Detail)
	return p
}

func (p problemDoc) text(t testing.TB) string {
	t.Helper()
	var s string
	require.NoError(t, json.Unmarshal(p.Detail, &s))
	return s
}

// inAccount fails the test when a port gets a context that is not the
// request's own, or not limited to the caller's account.
func inAccount(t testing.TB, ctx context.Context) {
	t.Helper()
	_, isGin := ctx.(*gin.Context)
	require.False(t, isGin, "gin uses its contexts again for other requests")
	require.Equal(t, tenant.Scope{Account: account}, tenant.From(ctx))
}

func aHandoff() models.HandoffView {
	name := "Sam Lee"
	ticket := "T20261104.0017"
	return models.HandoffView{
		Handoff: models.Handoff{
			AccountID: account, ID: handoffID, SessionID: sessionID, TeamID: &team,
			Intent: models.IntentEscalate, Priority: models.PriorityHigh, Status: models.StatusQueued,
			Generation: 1, Version: 1, EngineerNotes: "Tunnel drops every 40 s.", HandedOffBy: sam,
			CreatedAt: noon, UpdatedAt: noon,
		},
		HandedOffByName: &name, SessionTitle: "VPN drops", ClientName: "Contoso Dental", PSATicket: &ticket,
	}
}

func aSession() models.Session {
	return models.Session{
		AccountID: account, ID: sessionID, TeamID: &team, OwnerID: ana, Title: "VPN drops", ClientName: "Contoso Dental",
		Status: models.SessionActive, CreatedAt: noon, UpdatedAt: noon,
	}
}

func ptr[T any](v T) *T { return &v }
