// Package connections keeps the accounts' connections to their PSAs: it lets
// people set and try them, seals their credentials, and gives the rest of Baton
// the client of an account's PSA.
package connections

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/vendors"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

const (
	// poolSize is how many accounts' clients a process keeps.
	poolSize = 1000
	// checkTime bounds a test of a connection.
	checkTime = 20 * time.Second
	// CallbackPath is where callbacks arrive, before the secret part.
	CallbackPath = "/api/v1/psa/callbacks/"
)

// Records is where connections are stored.
type Records interface {
	PSAConnection(ctx context.Context) (models.PSAConnectionView, error)
	PSAConnectionByCallback(ctx context.Context, hash []byte) (models.PSAConnectionView, error)
	SavePSAConnection(ctx context.Context, by models.Principal, c models.PSAConnection, was int64, changes []models.AuditChange) (models.PSAConnectionView, error)
	DeletePSAConnection(ctx context.Context, by models.Principal) error
	NotePSAConnection(ctx context.Context, state models.ConnectionState, reason, cure string) (changed bool, err error)
}

// Options is what [Connections] need. PublicURL, Network and Vendors may be
// empty.
type Options struct {
	Records Records
	Box     *secrets.Box
	Log     *slog.Logger
	// Network is what the operator lets connections reach besides the public
	// internet.
	Network psa.Network
	// PublicURL is the address at which the outside reaches the API.
	PublicURL string
	Vendors   vendors.Options
	// Tickets hears of tickets that a PSA called about; nil forgets them.
	Tickets Tickets
}

// Connections are the connections of all accounts. They are safe for concurrent
// use.
type Connections struct {
	o      Options
	pool   *vendors.Pool
	limits *limits
}

// New makes them. It calls nobody.
func New(o Options) *Connections {
	return &Connections{o: o, pool: vendors.NewPool(o.Vendors, poolSize), limits: newLimits()}
}

// Close lets idle network connections go.
func (c *Connections) Close() { c.pool.Close() }

// Settings are what an account may choose, and what it wants to happen.
type Settings struct {
	psa.Options
	// CancelClosed cancels a queued handoff whose ticket is closed by hand.
	CancelClosed bool `json:"cancel_closed,omitempty"`
}

// Change is what somebody wants the connection to be.
type Change struct {
	Kind     psa.Kind
	Address  string
	Settings Settings
	// Credentials replaces those of the same name; an empty one removes it. The
	// others are kept while kind and address stay the same, and forgotten
	// otherwise: they must not go to another address than they were meant for.
	Credentials psa.Credentials
}

// View is a connection as people may see it: without its credentials.
type View struct {
	models.PSAConnectionView
	Settings Settings
	// CallbackPath is the path at which the PSA's callbacks are expected, and
	// CallbackURL its address when the public one is known. Who knows it can
	// make Baton look at a ticket anew, and no more. Both are empty when the key
	// that seals it is not known.
	CallbackPath string
	CallbackURL  string
}

// sealed is what is sealed.
type sealed struct {
	Credentials map[string]string `json:"credentials"`
	Callback    string            `json:"callback"`
}

// Get reads the connection of ctx's account.
func (c *Connections) Get(ctx context.Context) (View, error) {
	row, err := c.o.Records.PSAConnection(ctx)
	if err != nil {
		return View{}, err
	}
	return c.view(ctx, row)
}

func (c *Connections) view(ctx context.Context, row models.PSAConnectionView) (View, error) {
	v := View{PSAConnectionView: row}
	if err := json.Unmarshal(row.Options, &v.Settings); err != nil {
		return v, fmt.Errorf("reading the options of a PSA connection: %w", err)
	}
	secret, err := c.open(row.PSAConnection)
	if err != nil {
		c.o.Log.ErrorContext(ctx, "the secrets of a PSA connection cannot be opened", "account_id", row.AccountID, "error", err)
		return v, nil // all else can be told, and mended
	}
	v.CallbackPath = CallbackPath + secret.Callback
	if c.o.PublicURL != "" {
		v.CallbackURL = strings.TrimRight(c.o.PublicURL, "/") + v.CallbackPath
	}
	return v, nil
}

// Set makes the connection of ctx's account what ch says. What breaks a rule is
// refused with the fields; whether it works is not tried.
func (c *Connections) Set(ctx context.Context, by models.Principal, ch Change) (View, error) {
	if !c.o.Box.Ready() {
		return View{}, secrets.NoKey()
	}
	old, err := c.current(ctx)
	if err != nil {
		return View{}, err
	}
	merged, err := c.merge(ch, old)
	if err != nil {
		return View{}, err
	}
	row := models.PSAConnection{
		AccountID: by.AccountID, Kind: string(merged.conn.Kind), Address: merged.conn.Address, UpdatedBy: by.UserID,
		CredentialsSet: map[string]time.Time{},
	}
	if row.Options, err = json.Marshal(ch.Settings); err != nil {
		return View{}, fmt.Errorf("encoding the options of a PSA connection: %w", err)
	}
	at := time.Now().UTC().Truncate(time.Second)
	for name := range merged.conn.Credentials {
		row.CredentialsSet[name] = at
		if was, kept := old.CredentialsSet[name]; kept && merged.kept[name] {
			row.CredentialsSet[name] = was
		}
	}
	if merged.callback == "" {
		merged.callback = rand.Text()
	}
	row.CallbackHash = hashOf(merged.callback)
	shut, err := c.o.Box.SealJSON(place(row), sealed{merged.conn.Credentials.Reveal(), merged.callback})
	if err != nil {
		return View{}, err
	}
	row.Sealed, row.KeyID = shut.Data, shut.KeyID
	changes, err := changed(old.PSAConnection, row, merged.kept)
	if err != nil {
		return View{}, err
	}
	stored, err := c.o.Records.SavePSAConnection(ctx, by, row, old.Version, changes)
	if err != nil {
		return View{}, err
	}
	c.o.Log.InfoContext(ctx, "the PSA connection was set", "account_id", by.AccountID, "user_id", by.UserID,
		"kind", stored.Kind, "version", stored.Version, "credentials_given", len(ch.Credentials) > 0)
	return c.view(ctx, stored)
}

// changed is what the audit log tells of a connection that is set.
func changed(old, row models.PSAConnection, kept map[string]bool) ([]models.AuditChange, error) {
	facts := func(c models.PSAConnection) any {
		return map[string]any{"kind": c.Kind, "address": c.Address, "options": c.Options}
	}
	var before any
	if old.Version > 0 {
		before = facts(old)
	}
	changes, err := audit.Diff(before, facts(row))
	return append(changes, audit.Secrets("credentials.", old.CredentialsSet, row.CredentialsSet, kept)...), err
}

// Remove ends the connection of ctx's account and forgets its credentials.
func (c *Connections) Remove(ctx context.Context, by models.Principal) error {
	if err := c.o.Records.DeletePSAConnection(ctx, by); err != nil {
		return err
	}
	c.pool.Drop(by.AccountID.String())
	c.o.Log.InfoContext(ctx, "the PSA connection was removed", "account_id", by.AccountID, "user_id", by.UserID)
	return nil
}

// Test tries the connection that ch describes, or the stored one when ch is
// nil, and tells item by item what works. It looks at ticket when one is named.
func (c *Connections) Test(ctx context.Context, by models.Principal, ch *Change, ticket string) (psa.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	old, err := c.current(ctx)
	if err != nil {
		return psa.Report{}, err
	}
	stored := ch == nil
	if stored {
		if old.Version == 0 {
			return psa.Report{}, models.Errorf(models.CodeNotFound, "No PSA is connected. Send the connection that is to be tried.")
		}
		view, err := c.view(ctx, old)
		if err != nil {
			return psa.Report{}, err
		}
		ch = &Change{Kind: psa.Kind(old.Kind), Address: old.Address, Settings: view.Settings}
	}
	merged, err := c.merge(*ch, old)
	if err != nil {
		return psa.Report{}, err
	}
	// A client of its own: what it learns of a connection that may never be
	// stored is for nobody else.
	client, err := vendors.New(merged.conn, c.o.Vendors)
	if err != nil {
		return psa.Report{}, err
	}
	defer client.Close()
	report := client.Check(ctx, psa.Probe{Ticket: ticket})
	if stored {
		c.Report(ctx, by.AccountID, checked(report))
	}
	return report, nil
}

// checked is what a test says about the connection as a whole.
func checked(r psa.Report) error {
	for _, name := range []string{"address", "credentials"} {
		if item, ok := r.Item(name); ok && item.State == psa.CheckFailed {
			if item.Class == psa.ClassUnauthorized || item.Class == psa.ClassMisconfigured {
				return psa.Errorf(item.Class, "trying the connection", "%s", item.Detail).WithCure("%s", item.Cure)
			}
			return psa.Errorf(psa.ClassTemporary, "trying the connection", "%s", item.Detail)
		}
	}
	return nil
}

// current is the stored connection, or the zero one.
func (c *Connections) current(ctx context.Context) (models.PSAConnectionView, error) {
	row, err := c.o.Records.PSAConnection(ctx)
	if models.CodeOf(err) == models.CodeNotFound {
		return models.PSAConnectionView{}, nil
	}
	return row, err
}

// merged is a change together with what is kept of the stored connection.
type merged struct {
	conn     psa.Connection
	kept     map[string]bool
	callback string
}

func (c *Connections) merge(ch Change, old models.PSAConnectionView) (merged, error) {
	address := strings.TrimRight(strings.TrimSpace(ch.Address), "/")
	m := merged{kept: map[string]bool{}, conn: psa.Connection{
		Kind: ch.Kind, Address: address, Credentials: psa.Credentials{}, Options: ch.Settings.Options, Network: c.o.Network,
	}}
	same := old.Version > 0 && old.Kind == string(ch.Kind) && old.Address == address
	if old.Version > 0 {
		secret, err := c.open(old.PSAConnection)
		switch {
		case err == nil:
			m.callback = secret.Callback
		case same && !complete(ch):
			return m, secrets.CannotOpen(err)
		}
		if same {
			for name, value := range secret.Credentials {
				m.conn.Credentials[name], m.kept[name] = secrets.Secret(value), true
			}
		}
	}
	for name, value := range ch.Credentials {
		delete(m.kept, name)
		if value == "" {
			delete(m.conn.Credentials, name)
			continue
		}
		m.conn.Credentials[name] = value
	}
	err := m.conn.Validate()
	var refusal *models.Error
	if old.Version > 0 && !same && !complete(ch) && errors.As(err, &refusal) {
		for i, f := range refusal.Fields {
			if strings.HasPrefix(f.Field, "/credentials/") && f.Message == "is missing" {
				refusal.Fields[i].Message = "has to be entered again, because the kind or the address is another"
			}
		}
	}
	return m, err
}

// complete reports whether the change brings every credential that is needed.
func complete(ch Change) bool {
	for _, f := range psa.Fields(ch.Kind) {
		if f.Required && ch.Credentials[f.Name] == "" {
			return false
		}
	}
	return true
}

// Client gives the client of an account's PSA, and what the account wants to
// happen. Found is false when no PSA is connected. It reads the stored
// connection each time, so a change holds at once in every process. Its errors
// are as those of the client: see [psa.AsError].
func (c *Connections) Client(ctx context.Context, account uuid.UUID) (client psa.Client, options psa.Options, found bool, err error) {
	row, err := c.o.Records.PSAConnection(tenant.With(ctx, account))
	if models.CodeOf(err) == models.CodeNotFound {
		c.pool.Drop(account.String())
		return nil, psa.Options{}, false, nil
	}
	if err != nil {
		return nil, psa.Options{}, false, err
	}
	client, settings, err := c.client(row.PSAConnection)
	return client, settings.Options, true, err
}

// Version changes whenever the account's connection is changed; it is empty
// without one.
func (c *Connections) Version(ctx context.Context, account uuid.UUID) (string, error) {
	row, err := c.o.Records.PSAConnection(tenant.With(ctx, account))
	if models.CodeOf(err) == models.CodeNotFound {
		return "", nil
	}
	return versionOf(row.PSAConnection), err
}

// versionOf tells the states of a connection apart. Its number begins anew with
// a new connection; its time does not.
func versionOf(row models.PSAConnection) string {
	return strconv.FormatInt(row.Version, 10) + "@" + strconv.FormatInt(row.CreatedAt.UnixMicro(), 10)
}

func (c *Connections) client(row models.PSAConnection) (psa.Client, Settings, error) {
	var settings Settings
	if err := json.Unmarshal(row.Options, &settings); err != nil {
		return nil, settings, psa.Errorf(psa.ClassMisconfigured, "", "The options of the connection cannot be read.").
			WithCure("Set the connection again.").WithCause(err)
	}
	client, err := c.pool.Get(row.AccountID.String(), versionOf(row), func() (psa.Connection, error) {
		secret, err := c.open(row)
		if err != nil {
			return psa.Connection{}, psa.Errorf(psa.ClassMisconfigured, "", "The stored credentials cannot be opened.").
				WithCure("The operator of Baton has to give the key %q back to %s; or enter the credentials again.", row.KeyID, secrets.Setting).WithCause(err)
		}
		conn := psa.Connection{
			Kind: psa.Kind(row.Kind), Address: row.Address, Credentials: psa.Credentials{}, Options: settings.Options, Network: c.o.Network,
		}
		for name, value := range secret.Credentials {
			conn.Credentials[name] = secrets.Secret(value)
		}
		return conn, nil
	})
	return client, settings, err
}

// Report notes on an account's connection that it works, when err is nil, or
// that it is broken, when err says that somebody has to mend it. Other errors
// say nothing about the connection.
func (c *Connections) Report(ctx context.Context, account uuid.UUID, err error) {
	state, reason, cure := models.ConnectionOK, "", ""
	if err != nil {
		e := psa.AsError(err)
		if e.Class != psa.ClassUnauthorized && e.Class != psa.ClassMisconfigured {
			return
		}
		state, reason, cure = models.ConnectionBroken, e.Reason, e.Cure
		if reason == "" {
			reason = "The PSA refuses the connection."
		}
	}
	// Also when the work was cancelled: it is one quick statement.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tenant.With(ctx, account)), 3*time.Second)
	defer cancel()
	changed, failure := c.o.Records.NotePSAConnection(ctx, state, reason, cure)
	switch {
	case failure != nil:
		c.o.Log.WarnContext(ctx, "the state of a PSA connection was not stored", "account_id", account, "error", failure)
	case changed:
		c.o.Log.InfoContext(ctx, "a PSA connection is in another state", "account_id", account, "state", state, "reason", reason)
	}
}

// place is where a row has its credentials. They are bound to the PSA's address:
// who can write to the database must not have them sent elsewhere.
func place(row models.PSAConnection) secrets.Row {
	return secrets.Row{
		ID: row.AccountID, Account: row.AccountID, Purpose: "psa_connection\x00" + row.Kind + "\x00" + row.Address,
		Sealed: secrets.Sealed{KeyID: row.KeyID, Data: row.Sealed},
	}
}

func (c *Connections) open(row models.PSAConnection) (secret sealed, err error) {
	err = c.o.Box.OpenJSON(place(row), &secret)
	return secret, err
}

func hashOf(callback string) []byte {
	sum := sha256.Sum256([]byte(callback))
	return sum[:]
}

// Rotation is where connections are sealed anew.
type Rotation interface {
	PSAConnectionsNotSealedWith(ctx context.Context, keyID string, after uuid.UUID, limit int) ([]models.PSAConnection, error)
	ResealPSAConnection(ctx context.Context, c models.PSAConnection, keyID string, sealed []byte) (done bool, err error)
}

// Rotate seals with the box's first key what another key has sealed, and tells
// each account that it could not do so for, and why.
func Rotate(ctx context.Context, records Rotation, box *secrets.Box, failed func(account uuid.UUID, err error)) (done int, err error) {
	return secrets.Rotation[models.PSAConnection]{
		Next: records.PSAConnectionsNotSealedWith, Row: place, Reseal: records.ResealPSAConnection,
	}.Rotate(ctx, box, failed)
}

// Kinds are the PSAs that there are adapters for.
func Kinds() []psa.Kind { return []psa.Kind{psa.KindConnectWise, psa.KindAutotask, psa.KindHaloPSA} }
