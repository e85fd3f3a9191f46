package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"

	"github.com/baton-handoff/baton/api"
	"github.com/baton-handoff/baton/demo"
	"github.com/baton-handoff/baton/internal/app"
	"github.com/baton-handoff/baton/internal/auth"
	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/config"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/devstack"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/sandbox"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/signin"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

type upCmd struct {
	Listen       string `default:"127.0.0.1:8080" env:"BATON_LISTEN" help:"Address of the API."`
	UIPort       int    `name:"ui-port" default:"8233" help:"Port of the Temporal UI."`
	TemporalPort int    `default:"7233" help:"Port of the Temporal server."`
	PostgresPort int    `default:"0" help:"Port of PostgreSQL; 0 is a free one."`
	Dir          string `default:".baton" help:"Where data and logs are kept."`
}

func (upCmd) Help() string {
	return `Uses DATABASE_URL and TEMPORAL_ADDRESS where they are set; otherwise starts a
private PostgreSQL and a Temporal dev server with its UI. Ctrl-C stops all of it.
Example:
  baton up
  baton up --listen 127.0.0.1:9000 --ui-port 9233 --temporal-port 9234`
}

func (c upCmd) Run(ctx context.Context) error {
	began := time.Now()
	if _, err := config.Load(os.Environ()); err != nil {
		return err // before anything is started
	}
	skipPostgres, skipTemporal := os.Getenv("DATABASE_URL") != "", os.Getenv("TEMPORAL_ADDRESS") != ""
	if err := c.portsAreFree(ctx, skipTemporal); err != nil {
		return err
	}
	stack, err := devstack.Start(ctx, devstack.Options{
		Dir: c.Dir, Persistent: true, Logf: progress,
		TemporalPort: c.TemporalPort, UIPort: c.UIPort, PostgresPort: c.PostgresPort,
		SkipPostgres: skipPostgres, SkipTemporal: skipTemporal,
	})
	if err != nil {
		return err
	}
	defer func() {
		progress("stopping …")
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := stack.Stop(stopping); err != nil {
			progress("%v", err)
		}
	}()

	quiet := slog.New(slog.DiscardHandler)
	messages, err := sandbox.StartMessages(ctx, []sandbox.Member{
		{Name: "Sam Okoro", Email: demo.Junior},
		{Name: "Ana Costa", Email: demo.Ana},
		{Name: "Ben Fischer", Email: demo.Ben},
		{Name: "Ada Nowak", Email: demo.Admin},
		{Name: "Olga Petrova", Email: demo.Owner},
	}, c.public()+"/api/v1/slack/interactions", quiet)
	if err != nil {
		return err
	}
	defer messages.Stop()
	signer, cfg, err := c.config(stack, messages.Environ())
	if err != nil {
		return err
	}
	temporal, err := config.TemporalOptions(os.Environ())
	if err != nil {
		return err
	}
	if stack.TemporalAddress != "" {
		temporal = client.Options{HostPort: stack.TemporalAddress}
	}
	if _, err := store.Migrate(ctx, cfg.DatabaseURL.Reveal()); err != nil {
		return err
	}
	if err := registerAttributes(ctx, temporal); err != nil {
		return err
	}
	tickets, err := demoTickets()
	if err != nil {
		return err
	}
	box, err := sandbox.Start(ctx, tickets, []psa.Person{
		{Identifier: "ada", Name: "Ada Nowak", Email: demo.Admin}, {Identifier: "olga", Name: "Olga Petrova", Email: demo.Owner},
	}, logger(cfg))
	if err != nil {
		return err
	}
	defer box.Stop()
	a, err := app.New(ctx, app.Options{
		Config: cfg, Temporal: temporal, API: true, Worker: true, Logger: logger(cfg), Version: version, Demo: demoPeople(),
		Routes: func(a *app.App, s *api.Server) {
			s.Handle(http.MethodPost, "/api/v1/dev/token", devToken{a.Store, signer})
			s.Handle(http.MethodGet, sandbox.Path, box)
			s.Handle(http.MethodPost, sandbox.Path, box)
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				s.Handle(method, sandbox.MailPath, http.HandlerFunc(messages.ServeMail))
				s.Handle(method, sandbox.SlackPath, http.HandlerFunc(messages.ServeSlack))
			}
		},
	})
	if err != nil {
		return err
	}
	if err := seed(ctx, a.Store); err != nil {
		return fmt.Errorf("seeding the demo account: %w", err)
	}
	if err := connectSandbox(ctx, a, box.Connection()); err != nil {
		return fmt.Errorf("connecting the PSA sandbox: %w", err)
	}
	if err := connectSlack(ctx, a, messages); err != nil {
		return fmt.Errorf("connecting the Slack sandbox: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-stack.Failed():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	greet := func() {
		select {
		case <-a.Working():
			c.greet(a.Addr, stack, temporal.HostPort, time.Since(began))
		case <-ctx.Done():
		}
	}
	if err := runApp(ctx, a, cfg, greet); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// portsAreFree refuses early, before anything long is begun.
func (c upCmd) portsAreFree(ctx context.Context, skipTemporal bool) error {
	if err := free(ctx, c.Listen, "--listen or BATON_LISTEN"); err != nil || skipTemporal {
		return err
	}
	if err := free(ctx, "127.0.0.1:"+strconv.Itoa(c.TemporalPort), "--temporal-port"); err != nil || c.UIPort < 0 {
		return err
	}
	return free(ctx, "127.0.0.1:"+strconv.Itoa(c.UIPort), "--ui-port")
}

// free refuses, in one line, an address that something else uses.
func free(ctx context.Context, address, setting string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; choose another with %s (make up ARGS='…')", address, err, setting)
	}
	return l.Close()
}

// secret is what the demo's tokens are signed with. It is kept, so that tokens
// outlive a restart.
func (c upCmd) secret() (string, error) {
	return c.kept("token-secret", func() string { return rand.Text() + rand.Text() })
}

// kept is a secret in the data's folder, which is made when it is not there.
func (c upCmd) kept(name string, fresh func() string) (string, error) {
	file := filepath.Join(c.Dir, name)
	if text, err := os.ReadFile(file); err == nil && len(text) >= 32 {
		return string(text), nil
	}
	secret := fresh()
	return secret, os.WriteFile(file, []byte(secret), 0o600)
}

// config is the configuration of the demo: what the environment says, with the
// stack's addresses and a secret made for this run.
func (c upCmd) config(stack *devstack.Stack, more []string) (auth.DevSigner, config.Config, error) {
	const issuer, audience = "baton-up", "baton"
	secret, err := c.secret()
	if err != nil {
		return auth.DevSigner{}, config.Config{}, err
	}
	environ := []string{
		"BATON_LISTEN=" + c.Listen, "BATON_AUTH_HS256_SECRET=" + secret,
		"BATON_AUTH_ISSUER=" + issuer, "BATON_AUTH_AUDIENCE=" + audience,
	}
	if stack.DatabaseURL != "" {
		environ = append(environ, "DATABASE_URL="+stack.DatabaseURL)
	}
	if stack.TemporalUIURL != "" {
		environ = append(environ, "BATON_TEMPORAL_UI_URL="+stack.TemporalUIURL)
	}
	// A terminal is for people; what they set themselves wins.
	ours := []string{
		"BATON_LOG_FORMAT=text", "BATON_LOG_LEVEL=warn", "BATON_DRAIN=0s", "BATON_PUBLIC_URL=" + c.public(),
		"BATON_PSA_ALLOW_PRIVATE=127.0.0.0/8,::1/128", // a PSA to try things with is on this machine
	}
	if os.Getenv("BATON_SECRET_KEYS_FILE") == "" {
		keys, err := c.kept("secret-keys", secrets.NewKey)
		if err != nil {
			return auth.DevSigner{}, config.Config{}, err
		}
		ours = append(ours, "BATON_SECRET_KEYS="+keys)
	}
	if os.Getenv("BATON_SMTP_HOST") != "" {
		more = nil // the user's own mail server, and with it the real Slack
	}
	environ = slices.Concat(ours, more, os.Environ(), environ)
	cfg, err := config.Load(environ)
	return auth.NewDevSigner([]byte(secret), issuer, audience), cfg, err
}

// public is the address of the API for who is on this machine.
func (c upCmd) public() string {
	if strings.HasPrefix(c.Listen, ":") {
		return "http://127.0.0.1" + c.Listen
	}
	return "http://" + c.Listen
}

func (c upCmd) greet(address string, stack *devstack.Stack, temporal string, took time.Duration) {
	base := "http://" + address
	elsewhere, flag := "", ""
	if address != "127.0.0.1:8080" {
		elsewhere, flag = "BATON_URL="+base+" ", " --url "+base
	}
	lines := []string{
		"", fmt.Sprintf("Baton is up after %.1f s. Ctrl-C stops it.", took.Seconds()), "",
		"  Console        " + base + "   choose who you are",
		"  API reference  " + base + "/docs",
		"  API            " + base + "/api/v1",
		"  PSA sandbox    " + base + sandbox.Path + "   the tickets, and switches for trouble",
		"  Mail sandbox   " + base + sandbox.MailPath + "  what people are told by mail",
		"  Slack sandbox  " + base + sandbox.SlackPath + " and in Slack, where the button claims",
	}
	if stack.TemporalUIURL != "" {
		lines = append(lines, "  Temporal UI    "+stack.TemporalUIURL)
	}
	if host, _, err := net.SplitHostPort(address); err == nil && !net.ParseIP(host).IsLoopback() {
		lines = append(lines, "", "  Anybody who can reach "+address+" can act as anybody of the demo.", "")
	}
	lines = append(lines,
		"  Temporal       "+temporal,
		"  data and logs  "+c.Dir, "",
		"In a second terminal:", "",
		"  "+elsewhere+"make demo                            the story: escalate, appear live, race, resolve",
		"  bin/baton tail --as "+demo.Ana+flag+"    the live feed",
		"  bin/baton queue --as "+demo.Ben+flag+"   the queue", "")
	_, _ = fmt.Fprintln(os.Stdout, strings.Join(lines, "\n"))
}

// demoTickets are the tickets that the demo's sessions name.
func demoTickets() (tickets []sandbox.Ticket, err error) {
	lines := json.NewDecoder(bytes.NewReader(demo.Sessions()))
	for {
		var session struct {
			Title     string `json:"title"`
			PSATicket string `json:"psa_ticket"`
		}
		if err := lines.Decode(&session); errors.Is(err, io.EOF) {
			return tickets, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading the demo's sessions: %w", err)
		}
		if id, err := strconv.ParseInt(session.PSATicket, 10, 64); err == nil {
			tickets = append(tickets, sandbox.Ticket{ID: id, Summary: session.Title})
		}
	}
}

// The demo accounts have ids of their own, so that they are seeded once.
var (
	demoAccount  = uuid.MustParse("d0000000-0000-4000-8000-000000000001")
	demoTeam     = uuid.MustParse("d0000000-0000-4000-8000-000000000002")
	otherAccount = uuid.MustParse("d0000000-0000-4000-8000-000000000003")
)

func seed(ctx context.Context, s *store.Store) error {
	for _, a := range []models.Account{{ID: demoAccount, Name: "Demo MSP"}, {ID: otherAccount, Name: "Other MSP"}} {
		if err := s.EnsureAccount(ctx, a); err != nil {
			return err
		}
	}
	if err := s.EnsureTeam(ctx, models.Team{AccountID: demoAccount, ID: demoTeam, Name: "Service desk"}); err != nil {
		return err
	}
	for i, u := range demoUsers() {
		if u.AccountID == uuid.Nil {
			u.AccountID, u.TeamID = demoAccount, &demoTeam
		}
		u.ID = uuid.MustParse("d0000000-0000-4000-8000-00000000010" + strconv.Itoa(i))
		subject := u.Email
		u.Subject = &subject
		if _, err := s.ProvisionUser(ctx, u); err != nil && models.CodeOf(err) != models.CodeConflict {
			return err
		}
	}
	return nil
}

func demoUsers() []models.User {
	return []models.User{
		{Email: demo.Junior, Name: "Sam Okoro", Role: models.RoleEngineer},
		{Email: demo.Ana, Name: "Ana Costa", Role: models.RoleEngineer},
		{Email: demo.Ben, Name: "Ben Fischer", Role: models.RoleEngineer},
		{Email: demo.Viewer, Name: "Vic Lind", Role: models.RoleViewer},
		{Email: demo.Admin, Name: "Ada Nowak", Role: models.RoleAdmin},
		{Email: demo.Owner, Name: "Olga Petrova", Role: models.RoleOwner},
		{Email: demo.Outsider, Name: "Eve Moreau", Role: models.RoleEngineer, AccountID: otherAccount},
	}
}

// demoPeople are those whom the console offers to be.
func demoPeople() (people []signin.Person) {
	for _, u := range demoUsers() {
		people = append(people, signin.Person{Email: u.Email, Name: u.Name, Role: string(u.Role), Subject: u.Email})
	}
	return people
}

// connectSandbox connects the demo account to the sandbox, unless somebody has
// connected it to another PSA.
func connectSandbox(ctx context.Context, a *app.App, sandbox psa.Connection) error {
	ctx = tenant.With(ctx, demoAccount)
	now, err := a.Connections.Get(ctx)
	if err == nil && !strings.HasPrefix(now.Address, "http://127.0.0.1:") || err != nil && models.CodeOf(err) != models.CodeNotFound {
		return err
	}
	admin, err := a.Store.UserByEmail(ctx, demo.Admin)
	if err != nil {
		return err
	}
	_, err = a.Connections.Set(ctx, models.Principal{UserID: admin.ID, AccountID: demoAccount, Role: admin.Role}, connections.Change{
		Kind: sandbox.Kind, Address: sandbox.Address, Credentials: sandbox.Credentials,
		Settings: connections.Settings{Options: sandbox.Options},
	})
	return err
}

// connectSlack connects the demo account to the Slack of the sandbox, and has
// Ana told there as well, unless she wants it otherwise. The sandbox's
// credentials are other ones each time.
func connectSlack(ctx context.Context, a *app.App, messages *sandbox.Messages) error {
	if os.Getenv("BATON_SMTP_HOST") != "" {
		return nil
	}
	ctx = tenant.With(ctx, demoAccount)
	admin, err := a.Store.UserByEmail(ctx, demo.Admin)
	if err != nil {
		return err
	}
	by := models.Principal{UserID: admin.ID, AccountID: demoAccount, Role: admin.Role}
	token, signing := messages.SlackCredentials()
	change := channels.Change{
		Kind: notify.ChannelSlack, Name: "Slack sandbox", Settings: channels.Settings{Direct: true},
		Credentials: map[string]secrets.Secret{channels.CredToken: secrets.Secret(token), channels.CredSigningSecret: secrets.Secret(signing)},
	}
	now, err := a.Channels.List(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(now, func(v channels.View) bool { return v.Name == change.Name }); i >= 0 {
		_, err = a.Channels.Set(ctx, by, now[i].ID, change)
	} else {
		_, err = a.Channels.Create(ctx, by, change)
	}
	if err != nil {
		return err
	}
	ana, err := a.Store.UserByEmail(ctx, demo.Ana)
	if err != nil {
		return err
	}
	if _, found, err := a.Store.NotificationSettings(ctx, ana.ID); err != nil || found {
		return err
	}
	return a.Store.SaveNotificationSettings(ctx, ana.ID, models.NotificationSettings{Channels: []string{"slack", "email"}})
}

// devToken hands a token to anybody who asks for a person of the demo. It
// exists only in `baton up`.
type devToken struct {
	users  *store.Store
	signer auth.DevSigner
}

func (d devToken) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status int, detail string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": detail})
	}
	var body struct {
		Email string `json:"email"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&body); err != nil || body.Email == "" {
		refuse(http.StatusBadRequest, `Send {"email": "sam@demo.test"}.`)
		return
	}
	user, err := d.users.UserByEmail(r.Context(), body.Email)
	if err != nil || user.AccountID != demoAccount && user.AccountID != otherAccount {
		refuse(http.StatusNotFound, "Nobody of the demo has this address; try sam@demo.test or ana@demo.test.")
		return
	}
	token, err := d.signer.Sign(*user.Subject, user.Email, user.Name, 24*time.Hour)
	if err != nil {
		refuse(http.StatusInternalServerError, "The token could not be signed.")
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
}
