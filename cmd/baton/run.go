package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"os"
	"strings"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/config"
	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/internal/telemetry"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

const settings = "Settings are environment variables; `baton config` lists them, docs/configuration.md explains.\n"

type apiCmd struct {
	Worker bool `help:"Run a worker in the same process."`
}

func (apiCmd) Help() string { return settings + "Example:\n  baton api" }

func (c apiCmd) Run(ctx context.Context) error {
	return serve(ctx, app.Options{API: true, Worker: c.Worker})
}

type workerCmd struct{}

func (workerCmd) Help() string { return settings + "Example:\n  baton worker" }

func (workerCmd) Run(ctx context.Context) error { return serve(ctx, app.Options{Worker: true}) }

// serve runs an app until ctx ends, and stops it gracefully.
func serve(ctx context.Context, o app.Options) error {
	cfg, err := config.Load(os.Environ())
	if err != nil {
		return err
	}
	o.Config, o.Version = cfg, version
	if err := cfg.RequireDatabase(); err != nil {
		return err
	}
	if o.Temporal, err = config.TemporalOptions(os.Environ()); err != nil {
		return err
	}
	o.Logger = logger(cfg)
	if o.API {
		if err := cfg.RequireAuth(); err != nil {
			return err
		}
	}
	o.Logger.Info("starting", "version", version, "config", cfg.Redacted())
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	return runApp(ctx, a, cfg, func() {})
}

// runApp starts an app, says so, waits for ctx or a failure, and stops it.
func runApp(ctx context.Context, a *app.App, cfg config.Config, started func()) error {
	err := a.Start(ctx)
	if err == nil {
		started()
		select {
		case <-ctx.Done():
		case err = <-a.Failed():
		}
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	a.Stop(stopping)
	return err
}

func logger(cfg config.Config) *slog.Logger {
	return telemetry.NewLogger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
}

func loadForDatabase() (config.Config, error) {
	cfg, err := config.Load(os.Environ())
	if err != nil {
		return cfg, err
	}
	return cfg, cfg.RequireDatabase()
}

type migrateCmd struct {
	NoTemporal bool `help:"Leave Temporal's search attributes alone, as for Temporal Cloud."`
}

func (migrateCmd) Help() string {
	return "Safe to run at any time, by any number of processes.\nExample:\n  DATABASE_URL=postgres://… TEMPORAL_ADDRESS=… baton migrate"
}

func (c migrateCmd) Run(ctx context.Context) error {
	cfg, err := loadForDatabase()
	if err != nil {
		return err
	}
	applied, err := store.Migrate(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(os.Stdout, "database: %d migrations applied\n", len(applied)); err != nil {
		return err
	}
	if c.NoTemporal {
		return nil
	}
	o, err := config.TemporalOptions(os.Environ())
	if err != nil {
		return err
	}
	if err := registerAttributes(ctx, o); err != nil {
		return fmt.Errorf("%w (with --no-temporal they are left alone)", err)
	}
	_, err = fmt.Fprintln(os.Stdout, "temporal: search attributes are registered")
	return err
}

func registerAttributes(ctx context.Context, o client.Options) error {
	c, err := engine.Dial(o)
	if err != nil {
		return err
	}
	defer c.Close()
	namespace := o.Namespace
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	return engine.RegisterSearchAttributes(ctx, c, namespace)
}

// withStore runs fn on the configured database.
func withStore(ctx context.Context, fn func(*store.Store) error) error {
	cfg, err := loadForDatabase()
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	return fn(s)
}

type accountCmd struct {
	List    accountListCmd `cmd:"" help:"List the accounts."`
	Add     accountAddCmd  `cmd:"" help:"Add an account with its first owner."`
	AddUser userAddCmd     `cmd:"" help:"Invite a user into an account."`
	SetUser userSetCmd     `cmd:"" help:"Change the role of a user, or disable them."`
}

type accountListCmd struct{}

func (accountListCmd) Help() string { return "Example:\n  baton account list" }

func (accountListCmd) Run(ctx context.Context) error {
	return withStore(ctx, func(s *store.Store) error {
		accounts, err := s.Accounts(ctx)
		for _, a := range accounts {
			_, _ = fmt.Fprintf(os.Stdout, "%s  %s\n", a.ID, a.Name)
		}
		return err
	})
}

type accountAddCmd struct {
	Name  string `arg:"" help:"Name of the account."`
	Owner string `required:"" placeholder:"EMAIL" help:"E-mail address of its first owner."`
}

func (accountAddCmd) Help() string {
	return "Example:\n  baton account add 'Northwind IT' --owner jo@northwind.example"
}

func (c accountAddCmd) Run(ctx context.Context) error {
	if strings.TrimSpace(c.Name) == "" {
		return errors.New("the account needs a name")
	}
	if err := checkEmail(c.Owner); err != nil {
		return err
	}
	return withStore(ctx, func(s *store.Store) error {
		if _, err := s.UserByEmail(ctx, c.Owner); models.CodeOf(err) != models.CodeNotFound {
			if err == nil {
				err = fmt.Errorf("%s is a user already; who signs in by e-mail address can be in one account", c.Owner)
			}
			return errors.New(message(err))
		}
		account := models.Account{ID: uuid.New(), Name: c.Name}
		if err := s.CreateAccount(ctx, models.Operator(account.ID), account); err != nil {
			return err
		}
		return addUser(ctx, s, models.User{AccountID: account.ID, Email: c.Owner, Name: nameFrom(c.Owner), Role: models.RoleOwner})
	})
}

type userAddCmd struct {
	Account uuid.UUID `required:"" help:"Id of the account."`
	Email   string    `arg:"" help:"E-mail address, which links the user to their first sign-in."`
	Name    string    `help:"Their name; the part before the @ when left out."`
	Role    string    `enum:"viewer,engineer,admin,owner" default:"engineer" help:"viewer, engineer, admin or owner."`
	Subject string    `help:"The sub claim of their tokens, when it is known already."`
}

func (userAddCmd) Help() string {
	return "Example:\n  baton account add-user sam@northwind.example --account 0198… --role engineer"
}

func (c userAddCmd) Run(ctx context.Context) error {
	if err := checkEmail(c.Email); err != nil {
		return err
	}
	return withStore(ctx, func(s *store.Store) error {
		u := models.User{AccountID: c.Account, Email: c.Email, Name: c.Name, Role: models.Role(c.Role)}
		if u.Name == "" {
			u.Name = nameFrom(c.Email)
		}
		if c.Subject != "" {
			u.Subject = &c.Subject
		}
		return addUser(ctx, s, u)
	})
}

func checkEmail(address string) error {
	if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
		return fmt.Errorf("%q is not an e-mail address; write it like jo@northwind.example", address)
	}
	return nil
}

func nameFrom(email string) string {
	name, _, _ := strings.Cut(email, "@")
	return name
}

func addUser(ctx context.Context, s *store.Store, u models.User) error {
	made, err := s.CreateUser(tenant.With(ctx, u.AccountID), models.Operator(u.AccountID), u)
	if err != nil {
		return errors.New(message(err))
	}
	u = made.User
	_, err = fmt.Fprintf(os.Stdout, "account %s: %s is %s (user %s)\n", u.AccountID, u.Email, u.Role, u.ID)
	return err
}

type userSetCmd struct {
	Email   string     `arg:"" help:"E-mail address of the user."`
	Account *uuid.UUID `help:"Id of the account, when several have a user with this address."`
	Role    string     `enum:"viewer,engineer,admin,owner," default:"" help:"viewer, engineer, admin or owner."`
	Disable bool       `xor:"state" help:"Let them in no more. Their streams end within a minute."`
	Enable  bool       `xor:"state" help:"Let them in again."`
}

func (userSetCmd) Help() string {
	return "Changes only what is said.\nExample:\n  baton account set-user sam@northwind.example --disable"
}

func (c userSetCmd) Run(ctx context.Context) error {
	return withStore(ctx, func(s *store.Store) error {
		if c.Account != nil {
			ctx = tenant.With(ctx, *c.Account)
		}
		u, err := s.UserByEmail(ctx, c.Email)
		if err != nil {
			return errors.New(message(err))
		}
		var changes []models.UserChange // each told by itself in the audit log
		if c.Role != "" {
			changes = append(changes, models.UserChange{Role: new(models.Role(c.Role))})
		}
		if c.Disable || c.Enable {
			changes = append(changes, models.UserChange{Disabled: &c.Disable})
		}
		if len(changes) == 0 {
			return errors.New("nothing to change: use --role, --disable or --enable")
		}
		for _, change := range changes {
			if _, err := s.ChangeUser(tenant.With(ctx, u.AccountID), models.Operator(u.AccountID), u.ID, change); err != nil {
				return errors.New(message(err))
			}
		}
		return nil
	})
}

// message is what an error says to a person.
func message(err error) string {
	var e *models.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

//go:generate sh -c "go run . config > ../../docs/configuration.md"

type configCmd struct{}

func (configCmd) Help() string { return "Example:\n  baton config > docs/configuration.md" }

func (configCmd) Run() error {
	_, err := fmt.Fprint(os.Stdout, config.Markdown())
	return err
}
