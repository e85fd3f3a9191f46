package psa

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/baton-handoff/baton/models"
)

// Connection is an account's connection to its PSA.
type Connection struct {
	Kind Kind
	// Address is the PSA's site, such as https://api-na.myconnectwise.net or
	// https://acme.halopsa.com. Autotask finds its zone by the user's name and
	// needs none.
	Address     string
	Credentials Credentials
	Options     Options
	Network     Network
}

// Network is what an operator of the deployment lets a connection reach besides
// the public internet. It is never set by an account itself.
type Network struct {
	// Allow lists private ranges, for a PSA on the premises.
	Allow []netip.Prefix
}

// Visibility is who sees the notes.
type Visibility string

// The visibilities. The empty one is internal.
const (
	VisibilityInternal Visibility = "internal"
	VisibilityCustomer Visibility = "customer"
)

// Options are what an account wants to happen to its tickets.
type Options struct {
	// Status is the name of the status to set at each step. A step that is
	// missing leaves the status alone.
	Status map[StepName]string `json:"status,omitempty"`
	// SetOwner makes the claimer the ticket's owner.
	SetOwner bool `json:"set_owner,omitempty"`
	// Notes is who sees the notes; empty means internal.
	Notes Visibility `json:"notes,omitempty"`

	// OutcomeID is HaloPSA's id of the action that notes are made with, for
	// instance 7 for the stock Private Note. Ids differ per install; zero leaves
	// it to the ticket's workflow.
	OutcomeID int `json:"outcome_id,omitempty"`
	// NoteType is Autotask's label of a note's type. Empty takes the first
	// active one that people may use.
	NoteType string `json:"note_type,omitempty"`
	// InternalLabel and CustomerLabel are Autotask's labels of a note's
	// "publish" values where a tenant renamed them. Empty means
	// "Internal Only" and "All Autotask Users".
	InternalLabel string `json:"internal_label,omitempty"`
	CustomerLabel string `json:"customer_label,omitempty"`
	// OwnerRoleID is the role that Autotask assigns an owner with. Zero takes
	// the engineer's default service desk role.
	OwnerRoleID int `json:"owner_role_id,omitempty"`
	// APIVersion pins ConnectWise's API version, such as "2025.16". Empty means
	// the version that this code was written against.
	APIVersion string `json:"api_version,omitempty"`
}

// Field describes one credential, for forms and their checks.
type Field struct {
	Name     string
	Title    string
	Required bool
	// Help says where the vendor shows it.
	Help string
}

// The names of the credentials. Not all vendors have all of them.
const (
	CredCompanyID       = "company_id"
	CredPublicKey       = "public_key"
	CredPrivateKey      = "private_key"
	CredClientID        = "client_id"
	CredClientSecret    = "client_secret"
	CredTenant          = "tenant"
	CredUsername        = "username"
	CredSecret          = "secret"
	CredIntegrationCode = "integration_code"
	CredWebhookSecret   = "webhook_secret"
)

// Fields lists the credentials that a vendor wants.
func Fields(k Kind) []Field {
	switch k {
	case KindConnectWise:
		return []Field{
			{CredCompanyID, "Company id", true, "what you type as company when you sign in"},
			{CredPublicKey, "Public key", true, "System > Members > API Members > API Keys"},
			{CredPrivateKey, "Private key", true, "shown once, when the key is made"},
			{CredClientID, "Client id", true, "from developer.connectwise.com"},
		}
	case KindAutotask:
		return []Field{
			{CredUsername, "User name (key)", true, "Resources/Users > the API user > Credentials"},
			{CredSecret, "Password (secret)", true, "Resources/Users > the API user > Credentials"},
			{CredIntegrationCode, "API tracking identifier", true, "Resources/Users > the API user > API Tracking Identifier"},
			{CredWebhookSecret, "Webhook secret", false, "the secret key of the ticket webhook"},
		}
	case KindHaloPSA:
		return []Field{
			{CredClientID, "Client id", true, "Configuration > Integrations > Halo API > View Applications"},
			{CredClientSecret, "Client secret", true, "shown once, when the application is made"},
			{CredTenant, "Tenant", false, "for hosted installs that ask for it"},
			{CredWebhookSecret, "Webhook secret", false, "the password or token in the webhook's authentication"},
		}
	}
	return nil
}

// Validate reports what is wrong with the connection, without asking the PSA.
// Its error is a [*models.Error] that names the fields.
func (c Connection) Validate() error {
	var bad []models.FieldError
	add := func(field, format string, args ...any) {
		bad = append(bad, models.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	fields := Fields(c.Kind)
	if fields == nil {
		add("/kind", "is unknown; use connectwise, autotask or halopsa")
	}
	if c.Address != "" || c.Kind != KindAutotask {
		if err := c.checkAddress(); err != "" {
			add("/address", "%s", err)
		}
	}
	known := map[string]bool{}
	for _, f := range fields {
		known[f.Name] = true
		v := c.Credentials[f.Name].Reveal()
		if f.Required && strings.TrimSpace(v) == "" {
			add("/credentials/"+f.Name, "is missing")
		}
		if strings.ContainsAny(v, "\r\n\x00") {
			add("/credentials/"+f.Name, "holds a line break")
		}
		if len(v) > 4096 {
			add("/credentials/"+f.Name, "is too long")
		}
	}
	for name := range c.Credentials {
		if !known[name] && fields != nil {
			add("/credentials/"+Safe(name), "is not a credential of %s", c.Kind.Title())
		}
	}
	for step := range c.Options.Status {
		if !step.Valid() {
			add("/options/status/"+Safe(string(step)), "is unknown; use escalated, claimed, released or resolved")
		}
	}
	if strings.Trim(c.Options.APIVersion, "0123456789.") != "" {
		add("/options/api_version", "is not a version such as 2025.16")
	}
	switch c.Options.Notes {
	case "", VisibilityInternal, VisibilityCustomer:
	default:
		add("/options/notes", "is unknown; use internal or customer")
	}
	if len(bad) == 0 {
		return nil
	}
	e := models.Errorf(models.CodeInvalid, "The connection is not complete: %s %s.", strings.TrimPrefix(bad[0].Field, "/"), bad[0].Message)
	e.Fields = bad
	return e
}

func (c Connection) checkAddress() string {
	u, err := url.Parse(c.Address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return "is not an address such as https://psa.example.com"
	case u.User != nil:
		return "must not hold a user or password"
	case u.RawQuery != "" || u.Fragment != "":
		return "must not hold a query or fragment"
	case u.Scheme == "http" && !c.loopback(u):
		return "must begin with https://"
	case u.Scheme != "https" && u.Scheme != "http":
		return "must begin with https://"
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return "has a bad port"
		}
		if !c.private() && p != "443" {
			return "must use port 443; other ports are for connections that an operator opened to a private network"
		}
	}
	return ""
}

func (c Connection) private() bool { return len(c.Network.Allow) > 0 }

// loopback reports whether u names this machine and the connection may reach
// it. Only then is there nobody on the wire who could read along.
func (c Connection) loopback(u *url.URL) bool {
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return false
	}
	addr, _ := netip.ParseAddr(host)
	for _, p := range c.Network.Allow {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Ports lists the ports that calls to the connection's address may use.
func (c Connection) Ports() []uint16 {
	ports := []uint16{443}
	u, err := url.Parse(c.Address)
	if err != nil || !c.private() {
		return ports
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil && n > 0 {
		ports = append(ports, uint16(n))
	} else if u.Scheme == "http" {
		ports = append(ports, 80)
	}
	return ports
}

// StatusFor is the status to set at a step; empty leaves it alone.
func (o Options) StatusFor(step StepName) string {
	if step == StepReturned || step == StepAnswered {
		step = StepReleased
	}
	return strings.TrimSpace(o.Status[step])
}

// Visible reports whether customers see the notes.
func (o Options) Visible() bool { return o.Notes == VisibilityCustomer }
