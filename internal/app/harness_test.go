package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/activities"
	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/config"
	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/internal/testenv"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

// workerProcess, when set in the environment, makes the test binary a worker
// that can be killed.
const workerProcess = "BATON_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerProcess) != "" {
		runWorkerProcess()
		return
	}
	testenv.Main(m, testenv.WorkersStop())
}

const (
	secret   = "a-secret-that-only-tests-know-0123456789"
	issuer   = "tests"
	audience = "baton"
)

// baton is an installation: a database, a Temporal namespace, people, and the
// processes that a test starts.
type baton struct {
	t                  *testing.T
	databaseURL        string
	address, namespace string
	store              *store.Store
	temporal           client.Client
	sam, ana, ben      models.User // engineers
	vic, ada           models.User // viewer, admin
	eve                models.User // engineer of another account
	extra              []string    // more settings for apps
	hangUp             func()      // breaks the connections to the model
	// hold is how long workers of their own process hold notifications back.
	hold time.Duration
}

func newBaton(t *testing.T) *baton {
	t.Helper()
	address, namespace := testenv.Temporal(t)
	url := testenv.PostgresTemplate(t, "app", migrate)
	return installBaton(t, url, address, namespace)
}

func migrate(ctx context.Context, url string) error {
	_, err := store.Migrate(ctx, url)
	return err
}

func installBaton(t *testing.T, url, address, namespace string) *baton {
	t.Helper()
	b := &baton{t: t, databaseURL: url, address: address, namespace: namespace}
	var err error
	b.temporal, err = engine.Dial(b.temporalOptions())
	require.NoError(t, err)
	t.Cleanup(b.temporal.Close)
	require.NoError(t, engine.RegisterSearchAttributes(t.Context(), b.temporal, namespace))
	b.store, err = store.Open(t.Context(), url, store.Options{MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(b.store.Close)
	here, there := b.account("Demo MSP"), b.account("Other MSP")
	b.sam, b.ana, b.ben = b.user(here, "Sam", models.RoleEngineer), b.user(here, "Ana", models.RoleEngineer), b.user(here, "Ben", models.RoleEngineer)
	b.vic, b.ada = b.user(here, "Vic", models.RoleViewer), b.user(here, "Ada", models.RoleAdmin)
	b.eve = b.user(there, "Eve", models.RoleEngineer)
	return b
}

func (b *baton) account(name string) uuid.UUID {
	b.t.Helper()
	id := uuid.New()
	require.NoError(b.t, b.store.EnsureAccount(b.t.Context(), models.Account{ID: id, Name: name}))
	return id
}

func (b *baton) user(account uuid.UUID, name string, role models.Role) models.User {
	b.t.Helper()
	subject := uuid.NewString()
	u, err := b.store.ProvisionUser(b.t.Context(), models.User{
		AccountID: account, Email: strings.ToLower(name) + "@" + subject + ".test", Name: name, Role: role, Subject: &subject,
	})
	require.NoError(b.t, err)
	return u
}

// changeUser changes a user as the operator does.
func (b *baton) changeUser(u models.User, c models.UserChange) {
	b.t.Helper()
	_, err := b.store.ChangeUser(tenant.With(b.t.Context(), u.AccountID), models.Operator(u.AccountID), u.ID, c)
	require.NoError(b.t, err)
}

func (b *baton) temporalOptions() client.Options {
	return client.Options{HostPort: b.address, Namespace: b.namespace, Identity: "test"}
}

func (b *baton) environ() []string {
	return append([]string{
		"DATABASE_URL=" + b.databaseURL, "BATON_LISTEN=127.0.0.1:0", "BATON_AUTH_HS256_SECRET=" + secret,
		"BATON_AUTH_ISSUER=" + issuer, "BATON_AUTH_AUDIENCE=" + audience, "BATON_DRAIN=100ms", "BATON_DB_MAX_CONNS=20",
	}, b.extra...)
}

// start runs an app until the test ends, or until the returned function is called.
func (b *baton) start(o app.Options) (*app.App, func()) {
	b.t.Helper()
	cfg, err := config.Load(b.environ())
	require.NoError(b.t, err)
	o.Config, o.Temporal = cfg, b.temporalOptions()
	if o.Logger == nil {
		o.Logger = quiet()
	}
	a, err := app.New(b.t.Context(), o)
	require.NoError(b.t, err)
	require.NoError(b.t, a.Start(b.t.Context()))
	if o.Worker {
		<-a.Working()
	}
	var once sync.Once
	stop := func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(b.t.Context()), 40*time.Second)
			defer cancel()
			a.Stop(ctx)
		})
	}
	b.t.Cleanup(stop)
	return a, stop
}

// quiet logs what a test that fails would want to see.
func quiet() *slog.Logger {
	if os.Getenv("BATON_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func (b *baton) api() string {
	b.t.Helper()
	a, _ := b.start(app.Options{API: true})
	return "http://" + a.Addr
}

func (b *baton) worker() (stop func()) {
	b.t.Helper()
	_, stop = b.start(app.Options{Worker: true})
	return stop
}

// workerProcess starts a worker in a process of its own and returns how to
// kill it, the hard way.
func (b *baton) workerProcess() (kill func()) {
	b.t.Helper()
	cmd, err := b.startWorkerProcess("worker")
	require.NoError(b.t, err)
	return func() {
		require.NoError(b.t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
}

// startWorkerProcess starts a worker in a process of its own, by whose name
// PSAs know it. It may be called on any goroutine.
func (b *baton) startWorkerProcess(name string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(b.t.Context(), os.Args[0])
	cmd.Env = append(b.environ(), workerProcess+"="+b.address, workerProcess+"_NAME="+name, workerProcess+"_HOLD="+b.hold.String(), "TEMPORAL_NAMESPACE="+b.namespace)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting a worker process: %w", err)
	}
	if _, err = io.ReadFull(out, make([]byte, len("ready"))); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("the worker process did not start: %w", err)
	}
	return cmd, nil
}

func runWorkerProcess() {
	ctx := context.Background()
	var mine []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, workerProcess) {
			mine = append(mine, v)
		}
	}
	cfg, err := config.Load(mine)
	if err != nil {
		panic(err)
	}
	hold, err := time.ParseDuration(os.Getenv(workerProcess + "_HOLD"))
	if err != nil {
		panic(err)
	}
	a, err := app.New(ctx, app.Options{
		Limits: activities.Limits{Hold: hold},
		Config: cfg, Worker: true, Logger: quiet(), Version: os.Getenv(workerProcess + "_NAME"),
		Temporal: client.Options{HostPort: os.Getenv(workerProcess), Namespace: os.Getenv("TEMPORAL_NAMESPACE")},
	})
	if err != nil {
		panic(err)
	}
	if err := a.Start(ctx); err != nil {
		panic(err)
	}
	<-a.Working()
	_, _ = os.Stdout.WriteString("ready")
	select {}
}

func (b *baton) token(u models.User) string {
	b.t.Helper()
	token, err := auth.NewDevSigner([]byte(secret), issuer, audience).Sign(*u.Subject, u.Email, u.Name, time.Hour)
	require.NoError(b.t, err)
	return token
}

func (b *baton) as(u models.User, base string) *remote.Client {
	b.t.Helper()
	c, err := remote.New(base, b.token(u))
	require.NoError(b.t, err)
	return c
}

func (b *baton) session(base string) uuid.UUID {
	b.t.Helper()
	problem := "Since Monday no mail arrives."
	s, err := b.as(b.sam, base).CreateSession(b.t.Context(), uuid.NewString(), apiclient.NewSession{
		Title: "Outlook does not sync", ClientName: "Larch Dental", Problem: &problem,
		Steps: &[]apiclient.NewStep{
			{ID: uuid.New(), At: time.Now(), Actor: "user", Kind: "message", Text: "No mail since Monday."},
			{ID: uuid.New(), At: time.Now(), Actor: "engineer", Kind: "command", Text: "PS C:\\> Get-Service ClickToRunSvc\nRunning"},
		},
	})
	require.NoError(b.t, err)
	return s.ID
}

func escalation() apiclient.NewHandoff {
	return apiclient.NewHandoff{Intent: apiclient.IntentEscalate, EngineerNotes: "Please look at the connector."}
}

func (b *baton) handOff(base string) *apiclient.Handoff {
	b.t.Helper()
	h, err := b.as(b.sam, base).HandOff(b.t.Context(), uuid.NewString(), b.session(base), escalation())
	require.NoError(b.t, err)
	return h
}

// call makes one raw request and returns the status and the body.
func (b *baton) call(u models.User, method, url string, body any, header ...string) (int, map[string]any) {
	b.t.Helper()
	status, answer, err := b.tryCall(u, method, url, body, header...)
	require.NoError(b.t, err)
	return status, answer
}

func (b *baton) tryCall(u models.User, method, url string, body any, header ...string) (int, map[string]any, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, reader)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+b.token(u))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	var answer map[string]any
	if len(text) > 0 {
		err = json.Unmarshal(text, &answer)
	}
	return resp.StatusCode, answer, err
}

func claimURL(base string, h *apiclient.Handoff) string {
	return handoffURL(base, h) + "/claim"
}

func handoffURL(base string, h *apiclient.Handoff) string {
	return base + "/api/v1/ai-sessions/" + h.SessionID.String() + "/handoffs/" + h.ID.String()
}

// history returns the events of the newest run of a session's workflow.
func (b *baton) history(h *apiclient.Handoff) []*historypb.HistoryEvent {
	b.t.Helper()
	return b.historyOf(workflows.WorkflowID(h.AccountID, h.SessionID), "")
}

func (b *baton) historyOf(id, run string) []*historypb.HistoryEvent {
	b.t.Helper()
	iter := b.temporal.GetWorkflowHistory(b.t.Context(), id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var events []*historypb.HistoryEvent
	for iter.HasNext() {
		e, err := iter.Next()
		require.NoError(b.t, err)
		events = append(events, e)
	}
	return events
}

func count(events []*historypb.HistoryEvent, kind enums.EventType) (n int) {
	for _, e := range events {
		if e.GetEventType() == kind {
			n++
		}
	}
	return n
}

// sql asks the database, past every door.
func (b *baton) sql(query string, args ...any) (n int) {
	b.t.Helper()
	conn, err := pgx.Connect(b.t.Context(), b.databaseURL)
	require.NoError(b.t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(b.t.Context())) }()
	require.NoError(b.t, conn.QueryRow(b.t.Context(), query, args...).Scan(&n))
	return n
}

// exec changes the database, past every door.
func (b *baton) exec(statement string) {
	b.t.Helper()
	conn, err := pgx.Connect(b.t.Context(), b.databaseURL)
	require.NoError(b.t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(b.t.Context())) }()
	_, err = conn.Exec(b.t.Context(), statement)
	require.NoError(b.t, err)
}

// eventually waits for something that needs nobody's help.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 60*time.Second, 50*time.Millisecond, what)
}
