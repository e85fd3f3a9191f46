package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"golang.org/x/sync/errgroup"

	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/config"
	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

const (
	tokenSecret   = "only-this-run-knows-it-and-only-on-loopback"
	tokenIssuer   = "bench"
	tokenAudience = "baton"
	stopWithin    = 40 * time.Second
	// atOnce is how many requests prepare a round at a time.
	atOnce = 8
)

// installation is a Baton to measure: a database of its own, people, and the
// processes that a scenario starts.
type installation struct {
	servers     Servers
	databaseURL string
	database    string
	temporal    client.Client
	account     uuid.UUID
	sam         person   // hands off
	seniors     []person // claim
	secretKeys  string
	extra       []string // more configuration, of one scenario
	drop        func()
}

// person is a user with a client of their own.
type person struct {
	models.User
	caller
}

// install makes an installation with as many seniors as are asked for.
func install(ctx context.Context, s Servers, database string, seniors int) (_ *installation, err error) {
	in := &installation{servers: s, database: fmt.Sprintf("%s_%d", database, time.Now().UnixNano()), secretKeys: secrets.NewKey()}
	if in.databaseURL, err = in.createDatabase(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			in.remove()
		}
	}()
	if _, err := store.Migrate(ctx, in.databaseURL); err != nil {
		return nil, err
	}
	if in.temporal, err = engine.Dial(in.temporalOptions()); err != nil {
		return nil, err
	}
	if err := engine.RegisterSearchAttributes(ctx, in.temporal, s.Namespace); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, in.databaseURL, store.Options{MaxConns: 2})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	in.account = uuid.New()
	if err := db.EnsureAccount(ctx, models.Account{ID: in.account, Name: "Bench MSP"}); err != nil {
		return nil, err
	}
	if in.sam, err = in.engineer(ctx, db, "Sam"); err != nil {
		return nil, err
	}
	for i := range seniors {
		senior, err := in.engineer(ctx, db, "Senior "+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		in.seniors = append(in.seniors, senior)
	}
	return in, nil
}

func (in *installation) engineer(ctx context.Context, db *store.Store, name string) (person, error) {
	return in.user(ctx, db, name, models.RoleEngineer)
}

func (in *installation) user(ctx context.Context, db *store.Store, name string, role models.Role) (person, error) {
	subject := uuid.NewString()
	user, err := db.ProvisionUser(ctx, models.User{
		AccountID: in.account, Email: subject + "@bench.test", Name: name, Role: role, Subject: &subject,
	})
	if err != nil {
		return person{}, err
	}
	token, err := auth.NewDevSigner([]byte(tokenSecret), tokenIssuer, tokenAudience).Sign(subject, user.Email, name, 24*time.Hour)
	return person{user, newCaller(token)}, err
}

func (in *installation) createDatabase(ctx context.Context) (string, error) {
	admin, err := url.Parse(in.servers.DatabaseURL)
	if err != nil {
		return "", err
	}
	execute := func(ctx context.Context, statement string) error {
		conn, err := pgx.Connect(ctx, admin.String())
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, statement)
		return errors.Join(err, conn.Close(ctx))
	}
	name := pgx.Identifier{in.database}.Sanitize()
	if err := execute(ctx, `CREATE DATABASE `+name); err != nil {
		return "", fmt.Errorf("creating a database: %w", err)
	}
	in.drop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		_ = execute(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`) // it goes with the server at the latest
	}
	own := *admin
	own.Path = "/" + in.database
	return own.String(), nil
}

// remove drops the database. What the installation left in Temporal goes with
// the server.
func (in *installation) remove() {
	if in.temporal != nil {
		in.temporal.Close()
	}
	in.drop()
}

// temporalOptions are the client's options, of Baton and of the floor.
func (in *installation) temporalOptions() client.Options {
	return client.Options{
		HostPort: in.servers.TemporalAddress, Namespace: in.servers.Namespace,
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}

// environ is the configuration of Baton: its defaults, wherever it can be.
func (in *installation) environ() []string {
	return append([]string{
		"DATABASE_URL=" + in.databaseURL, "BATON_LISTEN=127.0.0.1:0", "BATON_AUTH_HS256_SECRET=" + tokenSecret,
		"BATON_AUTH_ISSUER=" + tokenIssuer, "BATON_AUTH_AUDIENCE=" + tokenAudience, "BATON_DRAIN=0s", "BATON_MAX_STREAMS=20000",
		"BATON_SECRET_KEYS=" + in.secretKeys, "BATON_PSA_ALLOW_PRIVATE=127.0.0.0/8",
	}, in.extra...)
}

// start runs an app in this process; o says whether API, worker or both.
func (in *installation) start(ctx context.Context, o app.Options) (base string, stop func(), err error) {
	a, err := startApp(ctx, in.environ(), in.temporalOptions(), o)
	if err != nil {
		return "", nil, err
	}
	if o.Worker {
		select {
		case <-a.Working():
		case <-ctx.Done():
			stopApp(ctx, a)
			return "", nil, ctx.Err()
		}
	}
	return "http://" + a.Addr, func() { stopApp(ctx, a) }, nil
}

func startApp(ctx context.Context, environ []string, temporal client.Options, o app.Options) (*app.App, error) {
	cfg, err := config.Load(environ)
	if err != nil {
		return nil, err
	}
	o.Config, o.Temporal, o.Logger = cfg, temporal, slog.New(slog.DiscardHandler)
	a, err := app.New(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := a.Start(ctx); err != nil {
		stopApp(ctx, a)
		return nil, err
	}
	return a, nil
}

func stopApp(ctx context.Context, a *app.App) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	a.Stop(ctx)
}

// caller makes requests over connections of its own, which it keeps open. It
// is the client of Baton and of the floors alike.
type caller struct {
	http  *http.Client
	token string
}

func newCaller(token string) caller {
	return caller{&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}, Timeout: 30 * time.Second}, token}
}

// call makes a request and reads the answer to its end. It takes as long as it
// says.
func (c caller) call(ctx context.Context, method, url, body string) (status int, answer []byte, took time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, 0, err
	}
	answer, err = io.ReadAll(resp.Body)
	took = time.Since(began)
	return resp.StatusCode, answer, took, errors.Join(err, resp.Body.Close())
}

// expect is call with a status that it has to have.
func (c caller) expect(ctx context.Context, status int, method, url, body string) ([]byte, time.Duration, error) {
	got, answer, took, err := c.call(ctx, method, url, body)
	if err == nil && got != status {
		err = fmt.Errorf("%s %s: HTTP %d instead of %d: %s", method, url, got, status, answer)
	}
	return answer, took, err
}

// handoff is what a scenario needs to know of one.
type handoff struct {
	ID        uuid.UUID `json:"id"`
	SessionID uuid.UUID `json:"session_id"`
	AccountID uuid.UUID `json:"account_id"`
}

func (h handoff) url(base string) string {
	return fmt.Sprintf("%s/api/v1/ai-sessions/%s/handoffs/%s", base, h.SessionID, h.ID)
}

func (h handoff) workflow() string { return workflows.WorkflowID(h.AccountID, h.SessionID) }

// session creates a session of the size that people have.
func (in *installation) session(ctx context.Context, base string) (uuid.UUID, error) {
	return in.sessionOf(ctx, base, "T20261104.0017")
}

func (in *installation) sessionOf(ctx context.Context, base, ticket string) (uuid.UUID, error) {
	steps := make([]map[string]any, 6)
	for i := range steps {
		steps[i] = map[string]any{
			"id": uuid.New(), "at": time.Now().UTC(), "actor": "engineer", "kind": "command",
			"text": "PS C:\\> Get-Service ClickToRunSvc | Restart-Service -PassThru\nRunning. The add-in still reports 0x8004010F.",
		}
	}
	body, err := json.Marshal(map[string]any{
		"title": "Outlook does not sync", "client_name": "Larch Dental", "problem": "Since Monday no mail arrives.",
		"psa_ticket": ticket, "steps": steps,
	})
	if err != nil {
		return uuid.Nil, err
	}
	answer, _, err := in.sam.expect(ctx, http.StatusCreated, http.MethodPost, base+"/api/v1/ai-sessions", string(body))
	if err != nil {
		return uuid.Nil, err
	}
	var session struct{ ID uuid.UUID }
	return session.ID, json.Unmarshal(answer, &session)
}

// handOff hands a session off and says how long that took.
func (in *installation) handOff(ctx context.Context, base string, session uuid.UUID) (h handoff, took time.Duration, err error) {
	answer, took, err := in.sam.expect(ctx, http.StatusCreated, http.MethodPost, base+"/api/v1/ai-sessions/"+session.String()+"/handoff",
		`{"intent":"escalate","priority":"high","engineer_notes":"Profile rebuilt twice, add-ins off, the connector still fails. Please look at the mail flow."}`)
	if err != nil {
		return h, took, err
	}
	return h, took, json.Unmarshal(answer, &h)
}

// handoffs makes n handoffs that wait in the queue and have nothing under way.
func (in *installation) handoffs(ctx context.Context, base string, n int) ([]handoff, error) {
	list := make([]handoff, n)
	err := each(ctx, n, func(ctx context.Context, i int) error {
		session, err := in.session(ctx, base)
		if err != nil {
			return err
		}
		if list[i], _, err = in.handOff(ctx, base, session); err != nil {
			return err
		}
		return in.settled(ctx, list[i].workflow())
	})
	return list, err
}

// each calls do for 0 to n-1, a few at a time.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// settled waits until a workflow has nothing under way: no task, no activity.
func (in *installation) settled(ctx context.Context, workflow string) error {
	const every, within = 5 * time.Millisecond, 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		state, err := in.temporal.DescribeWorkflowExecution(ctx, workflow, "")
		if err != nil {
			return fmt.Errorf("waiting for %s to settle: %w", workflow, err)
		}
		if state.GetPendingWorkflowTask() == nil && len(state.GetPendingActivities()) == 0 {
			return nil
		}
		if err := pause(ctx, every); err != nil {
			return fmt.Errorf("waiting for %s to settle: %w", workflow, err)
		}
	}
}
