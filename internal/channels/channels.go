// Package channels keeps the means by which accounts tell people: it lets
// people set up and try mail servers, Slack workspaces, workflows of Teams and
// webhooks, seals their credentials, and gives the rest of Baton the channel of
// a notification.
package channels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/notify/teams"
	"github.com/baton-handoff/baton/internal/notify/webhook"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

// Records is where endpoints are stored. The account comes from the context.
type Records interface {
	Endpoints(ctx context.Context) ([]models.Endpoint, error)
	Endpoint(ctx context.Context, id uuid.UUID) (models.Endpoint, error)
	SaveEndpoint(ctx context.Context, by models.Principal, e models.Endpoint, was int64, changes []models.AuditChange) (models.Endpoint, error)
	DeleteEndpoint(ctx context.Context, by models.Principal, id uuid.UUID) error
	NoteEndpoint(ctx context.Context, id uuid.UUID, state models.EndpointState, reason, cure string) (changed bool, err error)
	WorkspaceEndpoints(ctx context.Context, workspace string) ([]models.Endpoint, error)
}

// Options is what [Channels] need.
type Options struct {
	Records Records
	Box     *secrets.Box
	Log     *slog.Logger
	// Mail is the installation's mail server; without a host there is none.
	Mail email.Config
	// Network is what the operator lets endpoints reach besides the public
	// internet. With it, addresses may also begin with http://.
	Network notify.Network
	// SlackURL replaces https://slack.com and https://hooks.slack.com, for tests
	// and the sandbox.
	SlackURL  string
	UserAgent string
}

// Channels are the means of all accounts. They are safe for concurrent use.
type Channels struct {
	o    Options
	mail notify.Channel // nil without one

	mu sync.Mutex
	// clients are shared, with their idle connections.
	clients map[clientKey]*outbound.Client
	people  map[string]string // Slack's ids of users
}

// maxPeople bounds how many of Slack's user ids are remembered.
const maxPeople = 10_000

// New makes them. It calls nobody.
func New(o Options) (*Channels, error) {
	c := &Channels{o: o, clients: map[clientKey]*outbound.Client{}, people: map[string]string{}}
	if o.Mail.Host != "" {
		mail, err := email.New(o.Mail)
		if err != nil {
			return nil, fmt.Errorf("setting up mail: %s", notify.AsError(err).Reason)
		}
		c.mail = mail
	}
	return c, nil
}

// Close lets idle network connections go.
func (c *Channels) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, client := range c.clients {
		client.Close()
	}
}

// The names of credentials.
const (
	CredPassword       = "password"
	CredToken          = "token"
	CredSigningSecret  = "signing_secret"
	CredURL            = "url"
	CredSecret         = "secret"
	CredPreviousSecret = "previous_secret"
)

// Credentials lists the names of a kind's credentials; the first ones, as many
// as required says, have to be there.
func Credentials(kind notify.ChannelName) (names []string, required int) {
	switch kind {
	case notify.ChannelEmail:
		return []string{CredPassword}, 0
	case notify.ChannelSlack:
		return []string{CredToken, CredSigningSecret}, 2
	case notify.ChannelTeams:
		return []string{CredURL}, 1
	case notify.ChannelWebhook:
		return []string{CredURL, CredSecret, CredPreviousSecret}, 2
	}
	return nil, 0
}

// Settings are what an account may choose of an endpoint. Each kind has its own.
type Settings struct {
	// Host, Port, Security, Username and From are of a mail server.
	Host     string         `json:"host,omitempty"`
	Port     uint16         `json:"port,omitempty"`
	Security email.Security `json:"security,omitempty"`
	Username string         `json:"username,omitempty"`
	From     string         `json:"from,omitempty"`
	// To is the mailbox, or Slack's id of the conversation, that is told when the
	// endpoint is told itself.
	To string `json:"to,omitempty"`
	// Direct lets a Slack workspace reach each person by themselves.
	Direct bool `json:"direct,omitempty"`
	// UserID says of a workflow of Teams, or a webhook, that it reaches this
	// person alone.
	UserID uuid.UUID `json:"user_id,omitzero"`
}

// Change is what somebody wants an endpoint to be.
type Change struct {
	Kind     notify.ChannelName
	Name     string
	Settings Settings
	// Credentials replaces those of the same name; an empty one removes it.
	Credentials map[string]secrets.Secret
}

// View is an endpoint as people may see it: without its credentials.
type View struct {
	models.Endpoint
	Settings Settings
	// Secret is that of a webhook, when Baton has just made it. It is not told
	// again.
	Secret secrets.Secret
}

// List lists the endpoints of ctx's account.
func (c *Channels) List(ctx context.Context) ([]View, error) {
	rows, err := c.o.Records.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]View, 0, len(rows))
	for _, r := range rows {
		v, err := view(r)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// Get reads an endpoint of ctx's account.
func (c *Channels) Get(ctx context.Context, id uuid.UUID) (View, error) {
	row, err := c.o.Records.Endpoint(ctx, id)
	if err != nil {
		return View{}, err
	}
	return view(row)
}

func view(row models.Endpoint) (View, error) {
	v := View{Endpoint: row}
	if err := json.Unmarshal(row.Options, &v.Settings); err != nil {
		return v, fmt.Errorf("reading the options of a channel: %w", err)
	}
	return v, nil
}

// Create adds an endpoint to ctx's account. What breaks a rule is refused with
// the fields. A webhook without a secret gets one, which is told this once.
func (c *Channels) Create(ctx context.Context, by models.Principal, ch Change) (View, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return View{}, err
	}
	var made secrets.Secret
	if ch.Kind == notify.ChannelWebhook && ch.Credentials[CredSecret] == "" {
		made = webhook.NewSecret()
		with := map[string]secrets.Secret{CredSecret: made}
		for name, value := range ch.Credentials {
			if name != CredSecret {
				with[name] = value
			}
		}
		ch.Credentials = with
	}
	v, err := c.save(ctx, by, models.Endpoint{AccountID: by.AccountID, ID: id, Kind: string(ch.Kind)}, ch)
	v.Secret = made
	return v, err
}

// Set makes an endpoint of ctx's account what ch says; its kind cannot change.
// Credentials that ch leaves out stay while they go to the same address. A new
// secret of a webhook signs together with the one before it, until that is
// removed.
func (c *Channels) Set(ctx context.Context, by models.Principal, id uuid.UUID, ch Change) (View, error) {
	old, err := c.o.Records.Endpoint(ctx, id)
	if err != nil {
		return View{}, err
	}
	ch.Kind = notify.ChannelName(old.Kind)
	return c.save(ctx, by, old, ch)
}

func (c *Channels) save(ctx context.Context, by models.Principal, old models.Endpoint, ch Change) (View, error) {
	if !c.o.Box.Ready() {
		return View{}, secrets.NoKey()
	}
	all, kept, err := c.merge(old, ch)
	if err != nil {
		return View{}, err
	}
	row := old
	row.Name, row.UpdatedBy, row.CredentialsSet = ch.Name, by.UserID, map[string]time.Time{}
	if row.Options, err = json.Marshal(ch.Settings); err != nil {
		return View{}, fmt.Errorf("encoding the options of a channel: %w", err)
	}
	at := time.Now().UTC().Truncate(time.Second)
	for name := range all {
		row.CredentialsSet[name] = at
		if was, set := old.CredentialsSet[name]; set && kept[name] {
			row.CredentialsSet[name] = was
		}
	}
	if ch.Kind == notify.ChannelSlack && (!kept[CredToken] || row.Workspace == nil) {
		if row.Workspace, err = c.workspace(ctx, ch.Settings, all); err != nil {
			return View{}, err
		}
	}
	shut, err := c.o.Box.SealJSON(place(row), all)
	if err != nil {
		return View{}, err
	}
	row.Sealed, row.KeyID = shut.Data, shut.KeyID
	changes, err := changed(old, row, kept)
	if err != nil {
		return View{}, err
	}
	stored, err := c.o.Records.SaveEndpoint(ctx, by, row, old.Version, changes)
	if err != nil {
		return View{}, err
	}
	c.o.Log.InfoContext(ctx, "a channel was set", "account_id", by.AccountID, "user_id", by.UserID, "endpoint_id", stored.ID,
		"kind", stored.Kind, "version", stored.Version, "credentials_given", len(ch.Credentials) > 0)
	return view(stored)
}

// changed is what the audit log tells of a channel that is set.
func changed(old, row models.Endpoint, kept map[string]bool) ([]models.AuditChange, error) {
	facts := func(e models.Endpoint) any {
		return map[string]any{"kind": e.Kind, "name": e.Name, "options": e.Options}
	}
	var before any
	if old.Version > 0 {
		before = facts(old)
	}
	changes, err := audit.Diff(before, facts(row))
	return append(changes, audit.Secrets("credentials.", old.CredentialsSet, row.CredentialsSet, kept)...), err
}

// workspace asks Slack which workspace a token is of: its callbacks name it.
func (c *Channels) workspace(ctx context.Context, s Settings, credentials map[string]string) (*string, error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	ch, err := c.slack(credentials)
	if err != nil {
		return nil, field("/credentials/token", err)
	}
	w, err := ch.Workspace(ctx)
	if e, ok := errors.AsType[*notify.Error](err); ok && !e.Retryable() {
		return nil, field("/credentials/token", err)
	}
	if err != nil {
		return nil, err
	}
	return &w.TeamID, nil
}

// field is err as a refusal of a field.
func field(name string, err error) error {
	e := notify.AsError(err)
	message := e.Reason
	if e.Cure != "" {
		message += " " + e.Cure
	}
	refusal := models.Errorf(models.CodeInvalid, "%s", message)
	refusal.Fields = []models.FieldError{{Field: name, Message: message}}
	return refusal
}

// merge puts a change together with the credentials that are kept, and checks
// the result.
func (c *Channels) merge(old models.Endpoint, ch Change) (all map[string]string, kept map[string]bool, err error) {
	known, required := Credentials(ch.Kind)
	all, kept = map[string]string{}, map[string]bool{}
	if old.Version > 0 {
		var was Settings
		if err := json.Unmarshal(old.Options, &was); err != nil {
			return nil, nil, fmt.Errorf("reading the options of a channel: %w", err)
		}
		stored, err := c.open(old)
		if err != nil && len(ch.Credentials) < required {
			return nil, nil, secrets.CannotOpen(err)
		}
		// A password must not go to another server than it was meant for.
		if ch.Kind != notify.ChannelEmail || was.Host == ch.Settings.Host && was.Username == ch.Settings.Username {
			for name, value := range stored {
				all[name], kept[name] = value, true
			}
		}
	}
	var wrong []models.FieldError
	for name, value := range ch.Credentials {
		valid := false
		for _, k := range known {
			valid = valid || k == name
		}
		if !valid {
			wrong = append(wrong, models.FieldError{Field: "/credentials/" + name, Message: "is none of this kind of channel; there are " + strings.Join(known, ", ")})
			continue
		}
		if name == CredSecret && value != "" && all[name] != "" && all[name] != value.Reveal() {
			if _, said := ch.Credentials[CredPreviousSecret]; !said {
				all[CredPreviousSecret] = all[name]
			}
		}
		delete(kept, name)
		if value == "" {
			delete(all, name)
			continue
		}
		all[name] = value.Reveal()
	}
	for _, name := range known[:required] {
		if all[name] == "" {
			wrong = append(wrong, models.FieldError{Field: "/credentials/" + name, Message: "is missing"})
		}
	}
	if len(wrong) == 0 {
		if _, err := c.channel(ch.Kind, ch.Settings, all); err != nil {
			return nil, nil, field("", err)
		}
		return all, kept, nil
	}
	refusal := models.Errorf(models.CodeInvalid, "The channel is not complete.")
	refusal.Fields = wrong
	return nil, nil, refusal
}

// Remove ends an endpoint of ctx's account and forgets its credentials.
func (c *Channels) Remove(ctx context.Context, by models.Principal, id uuid.UUID) error {
	if err := c.o.Records.DeleteEndpoint(ctx, by, id); err != nil {
		return err
	}
	c.o.Log.InfoContext(ctx, "a channel was removed", "account_id", by.AccountID, "user_id", by.UserID, "endpoint_id", id)
	return nil
}

// Test sends a test message over an endpoint: to itself where it can be told
// itself, and else to whoever asks. It returns what the service said, an error
// of the channels when it did not take it.
func (c *Channels) Test(ctx context.Context, by models.Principal, id uuid.UUID) error {
	row, err := c.o.Records.Endpoint(ctx, id)
	if err != nil {
		return err
	}
	at := time.Now().UTC()
	m := notify.Message{
		Key:  notify.Key{Account: by.AccountID, Step: "test/" + strconv.FormatInt(at.UnixNano(), 10), Recipient: id.String(), Channel: notify.ChannelName(row.Kind)},
		Kind: notify.KindTest, At: at, To: notify.Recipient{Name: by.Name},
		Facts: notify.Facts{From: by.Name, Why: by.Name + " asked for a test message"},
	}
	ch, settings, err := c.of(row)
	if err == nil {
		if m.To.Address, err = c.address(ctx, row, ch, settings, &models.User{Email: by.Email}, true); err == nil {
			_, err = ch.Send(ctx, m)
		}
	}
	if row.State == models.EndpointDisabled && err == nil {
		err = notify.Errorf(notify.ClassMisconfigured, "", "The channel is disabled, though it took the message.").WithCure("Set it again to use it.")
		return err
	}
	c.Report(ctx, id, err)
	return err
}

// Means is what ctx's account can tell people over.
func (c *Channels) Means(ctx context.Context) (models.Means, error) {
	m := models.Means{Mail: c.mail != nil}
	rows, err := c.o.Records.Endpoints(ctx)
	if err != nil {
		return m, err
	}
	for _, r := range rows {
		v, err := view(r)
		if err != nil {
			return m, err
		}
		if r.State == models.EndpointDisabled {
			continue
		}
		s := v.Settings
		e := models.MeansEndpoint{ID: r.ID, Kind: r.Kind, PersonID: s.UserID}
		switch notify.ChannelName(r.Kind) {
		case notify.ChannelEmail:
			e.Direct, e.Itself, m.Mail = true, s.To != "", true
		case notify.ChannelSlack:
			e.Direct, e.Itself = s.Direct, s.To != ""
		case notify.ChannelTeams, notify.ChannelWebhook:
			e.Itself = s.UserID == uuid.Nil
		}
		m.Endpoints = append(m.Endpoints, e)
	}
	return m, nil
}

const opening = "finding the channel"

// Open returns the channel of a delivery, and the recipient's address there.
func (c *Channels) Open(ctx context.Context, d models.Delivery, user *models.User) (notify.Channel, string, error) {
	if d.EndpointID == nil {
		if c.mail == nil || user == nil {
			return nil, "", notify.Errorf(notify.ClassMisconfigured, opening, "Baton has no mail server any more.").
				WithCure("The operator of Baton has to set one, or an admin of the account adds one.")
		}
		return c.mail, user.Email, nil
	}
	row, err := c.o.Records.Endpoint(ctx, *d.EndpointID)
	switch {
	case models.CodeOf(err) == models.CodeNotFound:
		return nil, "", notify.Errorf(notify.ClassGone, opening, "The channel was removed.")
	case err != nil:
		return nil, "", err
	case row.State == models.EndpointDisabled:
		return nil, "", notify.Errorf(notify.ClassMisconfigured, opening, "The channel is disabled: %s", deref(row.Reason)).WithCure("Set it again to use it.")
	}
	ch, settings, err := c.of(row)
	if err != nil {
		return nil, "", err
	}
	address, err := c.address(ctx, row, ch, settings, user, user == nil)
	return ch, address, err
}

// address is where somebody is told over an endpoint, or it is told itself.
func (c *Channels) address(ctx context.Context, row models.Endpoint, ch notify.Channel, s Settings, user *models.User, itself bool) (string, error) {
	switch {
	case itself && s.To != "":
		return s.To, nil
	case user == nil || row.Kind == string(notify.ChannelTeams) || row.Kind == string(notify.ChannelWebhook):
		return "", nil
	case row.Kind == string(notify.ChannelEmail):
		return user.Email, nil
	}
	workspace, ok := ch.(*slack.Channel)
	if !ok {
		return "", nil
	}
	key := row.ID.String() + "/" + strconv.FormatInt(row.Version, 10) + "/" + user.Email
	c.mu.Lock()
	id := c.people[key]
	c.mu.Unlock()
	if id != "" {
		return id, nil
	}
	found, err := workspace.UserByEmail(ctx, user.Email)
	if err != nil {
		return "", err
	}
	if !found.Member {
		return "", notify.Errorf(notify.ClassRecipientUnknown, opening, "The recipient is no member of the Slack workspace.")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.people) >= maxPeople {
		clear(c.people)
	}
	c.people[key] = found.ID
	return found.ID, nil
}

// of makes the channel of a stored endpoint.
func (c *Channels) of(row models.Endpoint) (notify.Channel, Settings, error) {
	var s Settings
	if err := json.Unmarshal(row.Options, &s); err != nil {
		return nil, s, notify.Errorf(notify.ClassMisconfigured, opening, "The options of the channel cannot be read.").WithCause(err)
	}
	credentials, err := c.open(row)
	if err != nil {
		return nil, s, notify.Errorf(notify.ClassMisconfigured, opening, "The stored credentials cannot be opened.").
			WithCure("The operator of Baton has to give the key %q back to %s; or enter the credentials again.", row.KeyID, secrets.Setting).WithCause(err)
	}
	ch, err := c.channel(notify.ChannelName(row.Kind), s, credentials)
	return ch, s, err
}

func (c *Channels) channel(kind notify.ChannelName, s Settings, credentials map[string]string) (notify.Channel, error) {
	switch kind {
	case notify.ChannelEmail:
		return email.New(email.Config{
			Host: s.Host, Port: s.Port, Security: s.Security, Username: s.Username, Password: secrets.Secret(credentials[CredPassword]),
			From: s.From, Network: c.o.Network,
		})
	case notify.ChannelSlack:
		return c.slack(credentials)
	case notify.ChannelTeams:
		client, err := c.client(credentials[CredURL], false)
		if err != nil {
			return nil, err
		}
		return teams.New(teams.Config{URL: secrets.Secret(credentials[CredURL]), PlainHTTP: len(c.o.Network.Allow) > 0}, client, time.Now)
	case notify.ChannelWebhook:
		client, err := c.client(credentials[CredURL], false)
		if err != nil {
			return nil, err
		}
		keys := []secrets.Secret{secrets.Secret(credentials[CredSecret])}
		if p := credentials[CredPreviousSecret]; p != "" {
			keys = append(keys, secrets.Secret(p))
		}
		return webhook.New(webhook.Config{URL: secrets.Secret(credentials[CredURL]), Secrets: keys, PlainHTTP: len(c.o.Network.Allow) > 0}, client, time.Now)
	}
	return nil, notify.Errorf(notify.ClassMisconfigured, opening, "There is no such kind of channel.")
}

func (c *Channels) slack(credentials map[string]string) (*slack.Channel, error) {
	api := ""
	if c.o.SlackURL != "" {
		api = strings.TrimRight(c.o.SlackURL, "/") + "/api/"
	}
	client, err := c.client(api, api != "")
	if err != nil {
		return nil, err
	}
	return slack.New(slack.Config{Token: secrets.Secret(credentials[CredToken]), APIURL: api}, client, time.Now)
}

// Responder answers presses of buttons in Slack.
func (c *Channels) Responder() (*slack.Responder, error) {
	base := ""
	if c.o.SlackURL != "" {
		base = strings.TrimRight(c.o.SlackURL, "/") + "/actions/"
	}
	client, err := c.client(base, base != "")
	if err != nil {
		return nil, err
	}
	return slack.NewResponder(client, time.Now, base)
}

// clientKey tells guarded clients apart.
type clientKey struct {
	port uint16
	// operators says that the operator of the deployment wrote the address.
	operators bool
}

// client is the guarded client for an address, whose port it may dial. One that
// the operator wrote may be in any private network.
func (c *Channels) client(address string, operators bool) (*outbound.Client, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, notify.Errorf(notify.ClassMisconfigured, opening, "The channel's address is not one.") // its error could quote it
	}
	port := uint64(443)
	if u.Scheme == "http" {
		port = 80
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil {
			return nil, notify.Errorf(notify.ClassMisconfigured, opening, "The port of the channel's address is not one.")
		}
	}
	at, allow := clientKey{uint16(port), operators}, c.o.Network.Allow
	if operators {
		allow = append(outbound.Loopback(), outbound.Private()...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if client := c.clients[at]; client != nil {
		return client, nil
	}
	client, err := outbound.New(outbound.Options{UserAgent: c.o.UserAgent, Allow: allow, Ports: []uint16{at.port}, Timeout: 20 * time.Second})
	if err != nil {
		return nil, notify.Errorf(notify.ClassMisconfigured, opening, "The networks that channels may be in are not valid.").WithCause(err)
	}
	c.clients[at] = client
	return client, nil
}

// Report notes on an endpoint of ctx's account that it works, when err is nil,
// or that somebody has to mend it. One whose receiver wants no more is disabled.
// Other errors say nothing about the endpoint.
func (c *Channels) Report(ctx context.Context, endpoint uuid.UUID, err error) {
	state, reason, cure := models.EndpointOK, "", ""
	if err != nil {
		e := notify.AsError(err)
		switch e.Class {
		case notify.ClassUnauthorized, notify.ClassMisconfigured:
			state = models.EndpointBroken
		case notify.ClassGone:
			state = models.EndpointDisabled
		default:
			return
		}
		reason, cure = e.Reason, e.Cure
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	changed, failure := c.o.Records.NoteEndpoint(ctx, endpoint, state, reason, cure)
	switch {
	case failure != nil:
		c.o.Log.WarnContext(ctx, "the state of a channel was not stored", "endpoint_id", endpoint, "error", failure)
	case changed:
		c.o.Log.InfoContext(ctx, "a channel is in another state", "endpoint_id", endpoint, "state", state, "reason", reason)
	}
}

// place is where a row has its credentials. They are bound to a mail server's
// address: who can write to the database must not have its password sent
// elsewhere.
func place(row models.Endpoint) secrets.Row {
	var s Settings
	_ = json.Unmarshal(row.Options, &s) // what cannot be read opens nothing
	return secrets.Row{
		ID: row.ID, Account: row.AccountID, Purpose: "endpoint\x00" + row.ID.String() + "\x00" + row.Kind + "\x00" + s.Host,
		Sealed: secrets.Sealed{KeyID: row.KeyID, Data: row.Sealed},
	}
}

func (c *Channels) open(row models.Endpoint) (credentials map[string]string, err error) {
	err = c.o.Box.OpenJSON(place(row), &credentials)
	return credentials, err
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Rotation is where endpoints are sealed anew.
type Rotation interface {
	EndpointsNotSealedWith(ctx context.Context, keyID string, after uuid.UUID, limit int) ([]models.Endpoint, error)
	ResealEndpoint(ctx context.Context, e models.Endpoint, keyID string, sealed []byte) (done bool, err error)
}

// Rotate seals with the box's first key what another key has sealed, and tells
// of each account that it could not do so for, and why.
func Rotate(ctx context.Context, records Rotation, box *secrets.Box, failed func(account uuid.UUID, err error)) (done int, err error) {
	return secrets.Rotation[models.Endpoint]{
		Next: records.EndpointsNotSealedWith, Row: place, Reseal: records.ResealEndpoint,
	}.Rotate(ctx, box, failed)
}

// Workspace is a Slack workspace that an account has connected.
type Workspace struct {
	Account uuid.UUID
	Channel *slack.Channel
	// Signing is the secret that Slack signs requests with.
	Signing secrets.Secret
}

// Workspaces finds the accounts that have connected the Slack workspace with
// this id.
func (c *Channels) Workspaces(ctx context.Context, team string) ([]Workspace, error) {
	if team == "" {
		return nil, nil
	}
	rows, err := c.o.Records.WorkspaceEndpoints(ctx, team)
	if err != nil {
		return nil, err
	}
	var list []Workspace
	for _, row := range rows {
		credentials, err := c.open(row)
		if err != nil {
			c.o.Log.ErrorContext(ctx, "the credentials of a channel cannot be opened", "account_id", row.AccountID, "endpoint_id", row.ID, "error", err)
			continue
		}
		ch, err := c.slack(credentials)
		if err != nil {
			continue // it was valid when it was stored
		}
		list = append(list, Workspace{row.AccountID, ch, secrets.Secret(credentials[CredSigningSecret])})
	}
	return list, nil
}
