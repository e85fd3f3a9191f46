package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/devstack"
	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/notify"
	secretbox "github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/models"
)

const (
	replicas = 2 // of the API, and of the worker
	// readyWithin is how long the APIs may take until they reach what they need.
	readyWithin = 2 * time.Minute
	issuer      = "chaos"
	audience    = "baton"
)

// part is a process that can be broken.
type part struct {
	name string
	// builds are the same part in its builds, the current one first. One runs.
	builds  []*devstack.Process
	running int
}

func (p *part) process() *devstack.Process { return p.builds[p.running] }

// system is a whole Baton: two APIs and two workers, each with links of its
// own to PostgreSQL and Temporal, a link for clients to each API, a PSA of its
// own, behind a link, for each account, and for all of them a language model and
// what people are told by.
type system struct {
	dir      string
	postgres *devstack.Stack
	temporal *devstack.Stack
	disk     *quota // nil where there can be none

	parts  []*part // API replicas, workers, PostgreSQL, Temporal
	links  []*link
	doors  []*link // the links of clients to the API replicas, also in links
	desks  []*desk // the PSAs of the accounts
	model  *oracle // that makes briefings better
	inbox  *inbox  // where people are told
	server *toxiproxy.ApiServer

	databaseURL string // past all links
	client      client.Client
	store       *store.Store
	signer      auth.DevSigner
	secret      string
	keys        string // that seal credentials
	secrets     *secrets

	mu     sync.Mutex
	deaths []string
}

// startSystem starts everything. On an error what was started is stopped.
func startSystem(ctx context.Context, o Options) (_ *system, err error) {
	s := &system{dir: o.Dir, server: newLinkServer(), secret: rand.Text() + rand.Text(), keys: secretbox.NewKey(), secrets: newSecrets()}
	s.secrets.keep("the secret of the tokens", s.secret)
	_, key, _ := strings.Cut(s.keys, ":")
	s.secrets.keep("the key of the sealed credentials", key)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(context.WithoutCancel(ctx)))
		}
	}()
	if err := s.startStores(ctx, o); err != nil {
		return nil, err
	}
	s.signer = auth.NewDevSigner([]byte(s.secret), issuer, audience)
	for i := range o.Accounts {
		if err := s.addDesk(ctx, i, o.Seed); err != nil {
			return nil, err
		}
	}
	if err := s.addModel(ctx, o.Seed); err != nil {
		return nil, err
	}
	if err := s.addInbox(ctx, o); err != nil {
		return nil, err
	}
	for i := range replicas {
		if err := s.addAPI(i, o); err != nil {
			return nil, err
		}
	}
	for i := range replicas {
		if err := s.addWorker(i, o); err != nil {
			return nil, err
		}
	}
	for _, p := range s.parts {
		if err := p.process().Restart(ctx); err != nil {
			return nil, err
		}
	}
	s.parts = append(s.parts,
		&part{name: "postgres", builds: []*devstack.Process{s.postgres.Postgres()}},
		&part{name: "temporal", builds: []*devstack.Process{s.temporal.Temporal()}})
	return s, await(ctx, readyWithin, "every replica is ready", s.ready)
}

func (s *system) startStores(ctx context.Context, o Options) error {
	home := filepath.Join(s.dir, "postgres")
	var err error
	if s.disk, err = newQuota(home); err != nil {
		return err
	}
	if s.postgres, err = devstack.Start(ctx, devstack.Options{Dir: home, Persistent: true, SkipTemporal: true, Logf: o.Logf}); err != nil {
		return err
	}
	if s.temporal, err = devstack.Start(ctx, devstack.Options{
		Dir: filepath.Join(s.dir, "temporal"), Persistent: true, SkipPostgres: true, UIPort: -1, Logf: o.Logf,
	}); err != nil {
		return err
	}
	s.databaseURL = s.postgres.DatabaseURL
	if s.disk != nil {
		if err := s.shrinkWAL(ctx); err != nil {
			return err
		}
	}
	if _, err := store.Migrate(ctx, s.databaseURL); err != nil {
		return err
	}
	if s.store, err = store.Open(ctx, s.databaseURL, store.Options{MaxConns: 4}); err != nil {
		return err
	}
	if s.client, err = engine.Dial(client.Options{HostPort: s.temporal.TemporalAddress, Logger: o.temporalLogger()}); err != nil {
		return err
	}
	return engine.RegisterSearchAttributes(ctx, s.client, client.DefaultNamespace)
}

// shrinkWAL keeps PostgreSQL from filling its small disk by itself.
func (s *system) shrinkWAL(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.databaseURL)
	if err != nil {
		return fmt.Errorf("setting up PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, statement := range []string{`ALTER SYSTEM SET max_wal_size = '96MB'`, `ALTER SYSTEM SET min_wal_size = '32MB'`, `SELECT pg_reload_conf()`} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("setting up PostgreSQL: %w", err)
		}
	}
	return nil
}

func (s *system) addLink(name, to string) (*link, error) {
	l, err := newLink(s.server, name, to)
	if err == nil {
		s.links = append(s.links, l)
	}
	return l, err
}

// environ is the environment of a process of Baton, with links of its own to
// what it needs.
func (s *system) environ(name string) ([]string, error) {
	u, err := url.Parse(s.databaseURL)
	if err != nil {
		return nil, err
	}
	database, err := s.addLink(name+" ⇄ postgres", u.Host)
	if err != nil {
		return nil, err
	}
	temporal, err := s.addLink(name+" ⇄ temporal", s.temporal.TemporalAddress)
	if err != nil {
		return nil, err
	}
	u.Host = database.address
	return slices.Concat([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir,
		"DATABASE_URL=" + u.String(), "TEMPORAL_ADDRESS=" + temporal.address,
		"GORACE=halt_on_error=1", // for a build with -race
		"BATON_SECRET_KEYS=" + s.keys, "BATON_PSA_ALLOW_PRIVATE=127.0.0.0/8",
		"BATON_DB_MAX_CONNS=20", "BATON_LOG_LEVEL=info", "BATON_DRAIN=1s",
	}, s.model.environ(), s.inbox.environ()), nil
}

func (s *system) addAPI(i int, o Options) error {
	name := fmt.Sprintf("api-%d", i+1)
	ports, err := devstack.FreePorts(1)
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	env, err := s.environ(name)
	if err != nil {
		return err
	}
	env = append(env, "BATON_LISTEN="+address, "BATON_AUTH_HS256_SECRET="+s.secret,
		"BATON_AUTH_ISSUER="+issuer, "BATON_AUTH_AUDIENCE="+audience)
	door, err := s.addLink("clients ⇄ "+name, address)
	if err != nil {
		return err
	}
	s.doors = append(s.doors, door)
	s.addProcess(name, "api", "http://"+address+"/healthz", env, o, o.Baton)
	return nil
}

func (s *system) addWorker(i int, o Options) error {
	name := fmt.Sprintf("worker-%d", i+1)
	ports, err := devstack.FreePorts(1)
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(ports[0])
	env, err := s.environ(name)
	if err != nil {
		return err
	}
	s.addProcess(name, "worker", "http://"+address+"/healthz", append(env, "BATON_WORKER_LISTEN="+address), o, o.Baton, o.OldBaton)
	return nil
}

// addProcess adds a process of Baton in each of the builds that it has.
func (s *system) addProcess(name, command, health string, env []string, o Options, programs ...string) {
	p := &part{name: name}
	for _, program := range programs {
		if program == "" {
			continue
		}
		p.builds = append(p.builds, devstack.NewProcess(devstack.Program{
			Name: name, Path: program, Args: []string{command}, Env: env, Log: filepath.Join(s.dir, name+".log"),
			Ready: func(ctx context.Context) error { return get(ctx, health) },
			Ended: func(err error) { s.died(fmt.Sprintf("%s: %v", name, err)) },
		}))
	}
	p.running = len(p.builds) - 1 // the old one first, where there is one
	s.parts = append(s.parts, p)
}

func (s *system) died(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaths = append(s.deaths, what)
}

// get asks a health endpoint.
func get(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, resp.Status)
	}
	return nil
}

// ready reports what keeps the APIs from being ready.
func (s *system) ready(ctx context.Context) error {
	for _, door := range s.doors {
		if err := get(ctx, "http://"+door.address+"/readyz"); err != nil {
			return err
		}
	}
	return nil
}

// await waits until check finds nothing wrong any more.
func await(ctx context.Context, within time.Duration, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err // not the one that says that time is up
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, errors.Join(last, context.Cause(ctx)))
		case <-tick.C:
		}
	}
}

// people makes accounts with their people.
func (s *system) people(ctx context.Context, accounts int) ([]Person, error) {
	roster := []struct {
		name string
		role models.Role
		by   []notify.ChannelName // empty: in Baton itself, and nowhere else
	}{
		// Who hands off,
		{"Sam", models.RoleEngineer, []notify.ChannelName{notify.ChannelEmail}},
		{"Sue", models.RoleEngineer, []notify.ChannelName{}},
		// and who claims.
		{"Ana", models.RoleEngineer, []notify.ChannelName{notify.ChannelSlack}},
		{"Ben", models.RoleEngineer, []notify.ChannelName{notify.ChannelEmail}},
		{"Cem", models.RoleEngineer, []notify.ChannelName{}},
		{"Ada", models.RoleAdmin, []notify.ChannelName{notify.ChannelSlack, notify.ChannelEmail}},
	}
	var people []Person
	for i := range accounts {
		account := uuid.New()
		if err := s.store.EnsureAccount(ctx, models.Account{ID: account, Name: fmt.Sprintf("MSP %d", i+1)}); err != nil {
			return nil, err
		}
		for _, r := range roster {
			subject := uuid.NewString()
			name := fmt.Sprintf("%s %d", r.name, i+1)
			email := strings.ToLower(r.name) + "@" + account.String() + ".test"
			u, err := s.store.ProvisionUser(ctx, models.User{AccountID: account, Email: email, Name: name, Role: r.role, Subject: &subject})
			if err != nil {
				return nil, err
			}
			token, err := s.signer.Sign(subject, email, name, 48*time.Hour)
			if err != nil {
				return nil, err
			}
			people = append(people, Person{ID: u.ID, Account: account, Name: name, Role: r.role, By: r.by, email: email, subject: subject, token: token})
			s.secrets.keep("the token of "+name, token)
		}
	}
	s.admit(people)
	return people, nil
}

// heal brings everything back: links, disk, and every part in its current
// build.
func (s *system) heal(ctx context.Context) error {
	var errs []error
	for _, l := range s.links {
		errs = append(errs, l.mend(ctx))
	}
	for _, d := range s.desks {
		d.fake.Desk().Faults().Clear()
	}
	s.model.fake.Faults().Clear()
	for _, name := range []string{mailName, slackName, hookName} {
		_ = clearJam(ctx, s, name) // which cannot fail
	}
	if s.disk != nil {
		errs = append(errs, s.disk.empty())
	}
	// The stores first: the others wait for them.
	for i := len(s.parts) - 1; i >= 0; i-- {
		p := s.parts[i]
		if p.running != 0 {
			errs = append(errs, p.process().Stop(ctx))
			p.running = 0
		}
		errs = append(errs, revive(ctx, p.process()))
	}
	return errors.Join(errs...)
}

// revive lets a process run that may be frozen or dead.
func revive(ctx context.Context, p *devstack.Process) error {
	if p.PID() != 0 {
		return p.Resume()
	}
	return p.Restart(ctx)
}

// stop ends everything.
func (s *system) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var errs []error
	for _, p := range s.parts {
		for _, build := range p.builds {
			if p.name != "postgres" && p.name != "temporal" {
				errs = append(errs, build.Stop(ctx))
			}
		}
	}
	for _, l := range s.links {
		l.close()
	}
	for _, d := range s.desks {
		errs = append(errs, d.server.Close())
	}
	if s.model != nil {
		errs = append(errs, s.model.server.Close())
	}
	errs = append(errs, s.inbox.stop())
	if s.client != nil {
		s.client.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	for _, stack := range []*devstack.Stack{s.temporal, s.postgres} {
		if stack != nil {
			errs = append(errs, stack.Stop(ctx))
		}
	}
	if s.disk != nil {
		errs = append(errs, s.keepLog(), s.disk.close())
	}
	return errors.Join(errs...)
}

// keepLog saves PostgreSQL's log from the disk that is about to go.
func (s *system) keepLog() error {
	text, err := os.ReadFile(filepath.Join(s.disk.dir, "postgres.log"))
	if err != nil {
		return nil //nolint:nilerr // it never started, and that is reported already
	}
	return os.WriteFile(filepath.Join(s.dir, "postgres.log"), text, 0o600)
}
