// Package app puts Baton together and runs it: the API, the worker, or both in
// one process. Tests start the same thing.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/api"
	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/config"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/doors"
	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/feed"
	"github.com/baton-handoff/baton/internal/llm"
	"github.com/baton-handoff/baton/internal/llm/clients"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/link"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/vendors"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/signin"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/internal/telemetry"
	"github.com/baton-handoff/baton/web"
	"github.com/baton-handoff/baton/worker"
)

// Options says what to run.
type Options struct {
	Config config.Config
	// Temporal is how to reach Temporal; see [config.TemporalOptions].
	Temporal client.Options
	// API and Worker choose what this process does; at least one of them.
	API, Worker bool
	Logger      *slog.Logger
	Version     string
	// Limits bound how often one person is told; the zero value is sensible.
	Limits activities.Limits
	// Routes may add handlers that are not part of the public API.
	Routes func(*App, *api.Server)
	// Demo are people as whom anybody may use the console: of a demo only.
	Demo []signin.Person
}

// App is a running Baton.
type App struct {
	Store  *store.Store
	Engine *engine.Engine
	// Connections are the accounts' connections to their PSAs, and Watcher keeps
	// handoffs in step with their tickets.
	Connections *connections.Connections
	Watcher     *connections.Watcher
	// Channels are the means by which accounts tell people.
	Channels *channels.Channels
	// Addr is where the API listens, or a lone worker's metrics, once started.
	Addr string

	o         Options
	log       *slog.Logger
	temporal  client.Client
	metrics   *telemetry.Metrics
	model     llm.Client   // nil without one
	links     *link.Signer // nil without keys
	redaction *redaction
	hub       *feed.Hub
	server    *api.Server
	http      *http.Server
	worker    *worker.Worker
	failed    chan error
	working   chan struct{}

	// undo ends what was started, the last first.
	undo []func(context.Context)
	stop sync.Once
}

// New puts an app together. Nothing connects or listens before Start, so it
// works while PostgreSQL and Temporal are down.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if !o.API && !o.Worker {
		return nil, errors.New("app: neither API nor worker to run")
	}
	a := &App{o: o, log: o.Logger, failed: make(chan error, 4), working: make(chan struct{})}
	defer func() {
		if err != nil {
			a.Stop(context.WithoutCancel(ctx))
		}
	}()

	notifier := feed.NewNotifier(func(ctx context.Context) error { return a.Store.Notify(ctx) }, 10*time.Millisecond, o.Logger)
	a.Store, err = store.Open(ctx, o.Config.DatabaseURL.Reveal(), store.Options{
		MaxConns: int32(o.Config.DBMaxConns),
		Wake: func() {
			notifier.Wake()
			if a.hub != nil {
				a.hub.Wake() // this process need not wait for the NOTIFY
			}
		},
	})
	if err != nil {
		return nil, err
	}
	a.defers(func(context.Context) { a.Store.Close() })
	notifier.Start()
	a.defers(func(context.Context) { notifier.Stop() })

	if a.metrics, err = telemetry.NewMetrics(o.Version, o.Logger); err != nil {
		return nil, err
	}
	o.Temporal.MetricsHandler = a.metrics.TemporalHandler()
	o.Temporal.Logger = telemetry.TemporalLogger(o.Logger)
	if a.temporal, err = engine.Dial(o.Temporal); err != nil {
		return nil, err
	}
	a.defers(func(context.Context) { a.temporal.Close() })
	a.Engine = engine.New(a.temporal, a.Store, o.Logger, 0)

	if err := a.newConnections(); err != nil {
		return nil, err
	}
	if err := a.newModel(); err != nil {
		return nil, err
	}

	if a.redaction, err = newRedaction(a.Store); err != nil {
		return nil, err
	}
	if o.Worker {
		a.newWorker()
	}
	if o.API {
		if err := a.newAPI(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *App) defers(undo func(context.Context)) { a.undo = append(a.undo, undo) }

func (a *App) newConnections() error {
	cfg := a.o.Config
	box, err := secrets.Parse(cfg.SecretKeys.Reveal())
	if err != nil {
		return fmt.Errorf("reading BATON_SECRET_KEYS: %w", err)
	}
	a.Connections = connections.New(connections.Options{
		Records: a.Store, Box: box, Tickets: later{a}, Log: a.log, PublicURL: cfg.PublicURL,
		Network: psa.Network{Allow: cfg.PSAAllowPrivate},
		Vendors: vendors.Options{UserAgent: "baton/" + a.o.Version},
	})
	a.defers(func(context.Context) { a.Connections.Close() })
	a.Watcher = connections.NewWatcher(connections.WatcherOptions{
		Connections: a.Connections, Records: a.Store, Handoffs: a.Engine, Log: a.log,
	})
	a.defers(func(context.Context) { a.Watcher.Stop() })
	if a.links, err = doors.Signer(box); err != nil {
		return fmt.Errorf("deriving keys from BATON_SECRET_KEYS: %w", err)
	}
	a.Channels, err = channels.New(channels.Options{
		Records: a.Store, Box: box, Log: a.log, Mail: cfg.Mail(), Network: notify.Network{Allow: cfg.NotifyAllowPrivate},
		SlackURL: cfg.SlackURL, UserAgent: "baton/" + a.o.Version,
	})
	if err != nil {
		return err
	}
	a.defers(func(context.Context) { a.Channels.Close() })
	return nil
}

// newModel makes the client of the language model, if there is to be one.
func (a *App) newModel() (err error) {
	cfg := a.o.Config.LLM()
	if cfg.Kind == "" {
		return nil
	}
	a.model, err = clients.New(cfg, a.o.Config.LLMKey.Reveal(), clients.Options{UserAgent: "baton/" + a.o.Version})
	if err != nil {
		return fmt.Errorf("setting up the language model: %w", err)
	}
	a.defers(func(context.Context) { a.model.Close() })
	return nil
}

// later passes callbacks on to the watcher, which needs the connections itself.
type later struct{ a *App }

func (l later) TicketChanged(ctx context.Context, account uuid.UUID, ticketID string) error {
	return l.a.Watcher.TicketChanged(ctx, account, ticketID)
}

func (a *App) newWorker() {
	cfg := a.o.Config
	acts := activities.New(activities.Options{
		Records: a.Store,
		Maintenance: activities.Maintenance{
			Records: a.Store, Workflows: a.Engine, Tickets: a.Watcher, Briefings: a.Engine, KeepFeed: cfg.FeedRetention,
		},
		Ticketing: activities.Ticketing{PSA: a.Connections, Tickets: a.Engine, Watcher: a.Watcher},
		Briefings: activities.Briefings{
			Records: a.Store, Asks: a.Engine, Model: a.model, Monthly: cfg.LLMMonthly, ContextTokens: cfg.LLMContextTokens, AtOnce: (cfg.LLMCalls + 1) / 2,
			Price: llm.Price{Input: cfg.LLMPriceInput, Output: cfg.LLMPriceOutput},
		},
		Ladders:   activities.Ladders{Records: a.Store, Follow: a.Engine, Handoffs: a.Engine},
		Redaction: a.redaction,
		Notifying: activities.Notifying{
			Records: a.Store, Channels: a.Channels, Recipients: a.Engine, Links: a.links, PublicURL: cfg.PublicURL, Limits: a.o.Limits,
		},
		Log: a.log,
	})
	a.worker = worker.New(a.temporal, acts, worker.Options{
		WorkflowTasks: cfg.WorkerWorkflowTasks, Activities: cfg.WorkerActivities, ModelCalls: cfg.LLMCalls, OnFatal: a.fail,
	})
}

func (a *App) newAPI() error {
	cfg := a.o.Config
	verifier, err := auth.NewVerifier(auth.Config{
		HS256Secret: []byte(cfg.AuthHS256Secret.Reveal()), JWKSURL: cfg.AuthJWKSURL, Algorithms: cfg.AuthAlgorithms,
		Issuer: cfg.AuthIssuer, Audience: cfg.AuthAudience,
		AccountClaim: cfg.AuthAccountClaim, RoleClaim: cfg.AuthRoleClaim, NameClaim: cfg.AuthNameClaim,
		Logger: a.log,
	})
	if err != nil {
		return err
	}
	listen := func(ctx context.Context, wake func()) error {
		return feed.Listen(ctx, func(ctx context.Context) (*pgx.Conn, error) { return a.Store.Listener(ctx) }, store.FeedChannel, wake)
	}
	a.hub = feed.NewHub(a.Store, listen, feed.Options{Logger: a.log, Observer: a.metrics})
	namespace := a.o.Temporal.Namespace
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	entrance := doors.New(doors.Options{Handoffs: a.Engine, Records: a.Store, Workspaces: a.Channels, Log: a.log, Links: a.links})
	a.defers(func(context.Context) { entrance.Wait() })
	people := auth.NewAuthenticator(verifier, a.Store, auth.Options{CacheFor: cfg.AuthCache, Provision: cfg.AuthProvision, Observer: a.metrics})
	browsers, err := a.newSignIn(people)
	if err != nil {
		return err
	}
	console, err := web.Handler()
	if err != nil {
		return err
	}
	a.server, err = api.New(api.Options{
		Auth:     people,
		Sessions: browsers,
		Fallback: console,
		Handoffs: a.Engine,
		Records:  a.Store,
		Feed:     subscriber{a.hub},

		Connections: a.Connections,
		Channels:    a.Channels,
		Doors:       entrance,
		Redaction:   a.redaction,
		Checks: []api.Check{
			{Name: "postgres", Probe: a.Store.Ping},
			{Name: "temporal", Probe: a.Engine.Ping},
		},
		Logger: a.log, Version: a.o.Version,
		Model: cfg.LLMModel, ModelBudget: int64(cfg.LLMMonthly),
		AllowedOrigins: cfg.AllowedOrigins, TemporalUIURL: cfg.TemporalUIURL, Namespace: namespace,
		RequestTimeout: cfg.RequestTimeout, MaxStreams: cfg.MaxStreams,
		Metrics: a.metrics.Handler(),
		Observe: a.metrics.HTTPRequest,
	})
	if err != nil {
		return err
	}
	browsers.Routes(a.server.Handle)
	if a.o.Routes != nil {
		a.o.Routes(a, a.server)
	}
	a.http = &http.Server{
		Handler:           a.server,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	return nil
}

// newSignIn makes what signs people in to the console.
func (a *App) newSignIn(people signin.People) (*signin.SignIn, error) {
	cfg := a.o.Config
	box, err := secrets.Parse(cfg.SecretKeys.Reveal())
	if err != nil {
		return nil, fmt.Errorf("reading BATON_SECRET_KEYS: %w", err)
	}
	return signin.New(signin.Options{
		Box: box, People: people, PublicURL: cfg.PublicURL, Header: api.ConsoleHeader,
		Issuer: cfg.AuthIssuer, ClientID: cfg.OIDCClientID, ClientSecret: cfg.OIDCClientSecret.Reveal(), Scopes: cfg.OIDCScopes,
		Session: cfg.OIDCSession, Demo: a.o.Demo, Logger: a.log,
	}), nil
}

// subscriber makes the hub's concrete subscription the API's.
type subscriber struct{ hub *feed.Hub }

func (s subscriber) Subscribe(ctx context.Context, account uuid.UUID, lastEventID string) (api.Subscription, error) {
	sub, err := s.hub.Subscribe(ctx, account, lastEventID)
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// Start begins to serve and to work. Neither PostgreSQL nor Temporal has to be
// there yet: the API says in its readiness what is missing, and the worker
// begins when Temporal answers ([App.Working]).
func (a *App) Start(ctx context.Context) error {
	// The worker first, so that it is stopped last: requests that are still
	// under way when the API stops need it.
	if a.worker != nil {
		a.startWorker(ctx)
	}
	if a.hub != nil {
		a.hub.Start()
		a.defers(func(context.Context) { a.hub.Stop() })
		return a.serve(ctx)
	}
	if a.o.Config.WorkerListen != "" {
		return a.serveMetrics(ctx)
	}
	return nil
}

// serveMetrics lets a worker that has no API be watched.
func (a *App) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.Handler())
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	a.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := a.listen(ctx, a.o.Config.WorkerListen, "BATON_WORKER_LISTEN"); err != nil {
		return err
	}
	a.defers(func(context.Context) { _ = a.http.Close() })
	return nil
}

// listen serves a.http on an address, which setting has set.
func (a *App) listen(ctx context.Context, address, setting string) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s (%s): %w", address, setting, err)
	}
	a.Addr = listener.Addr().String()
	go func() {
		if err := a.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.fail(fmt.Errorf("serving: %w", err))
		}
	}()
	return nil
}

func (a *App) serve(ctx context.Context) error {
	if err := a.listen(ctx, a.o.Config.Listen, "BATON_LISTEN"); err != nil {
		return err
	}
	a.defers(func(ctx context.Context) {
		if err := a.server.Drain(ctx, a.o.Config.Drain); err != nil {
			a.log.Warn("not every stream ended in time", "error", err)
		}
		if err := a.http.Shutdown(ctx); err != nil {
			_ = a.http.Close()
		}
	})
	a.log.Info("the API listens", "address", a.Addr)
	return nil
}

// startWorker starts the worker as soon as Temporal answers, which may be now
// or in an hour.
func (a *App) startWorker(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var waiting sync.WaitGroup
	waiting.Go(func() { a.work(ctx) })
	a.defers(func(context.Context) {
		cancel()
		waiting.Wait()
		a.worker.Stop()
	})
}

func (a *App) work(ctx context.Context) {
	for {
		err := a.worker.Start()
		if err == nil {
			break
		}
		a.log.Warn("the worker waits for Temporal", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
	a.log.Info("the worker works")
	close(a.working)
	if err := worker.ScheduleMaintenance(ctx, a.temporal); err != nil {
		a.log.Warn("housekeeping is not scheduled by this worker", "error", err)
	}
	if err := worker.ScheduleReconcile(ctx, a.temporal); err != nil {
		a.log.Warn("comparing with the PSAs is not scheduled by this worker", "error", err)
	}
}

// Working is closed once the worker works.
func (a *App) Working() <-chan struct{} { return a.working }

func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// Failed hears of an error that the app cannot go on with. It still has to be
// stopped then.
func (a *App) Failed() <-chan error { return a.failed }

// Stop ends everything, the last that was started first: streams in a spread
// and requests under way within the time that ctx leaves, then activities
// within the worker's own 30 seconds. It may be called more than once.
func (a *App) Stop(ctx context.Context) {
	a.stop.Do(func() {
		for i := len(a.undo) - 1; i >= 0; i-- {
			a.undo[i](ctx)
		}
	})
}
