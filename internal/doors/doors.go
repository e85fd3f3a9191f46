// Package doors lets people claim from where they are: by the button of a
// message in Slack, and by a signed link in a mail or card. Both lead to the
// same transition as the API, with the same refusals, in words.
package doors

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/link"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Handoffs decides about claims.
type Handoffs interface {
	Transition(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error)
}

// Records is what doors read. The account comes from the context.
type Records interface {
	SessionOf(ctx context.Context, handoffID uuid.UUID) (uuid.UUID, error)
	Handoff(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	User(ctx context.Context, id uuid.UUID) (models.User, error)
	UserByEmail(ctx context.Context, email string) (models.User, error)
}

// Workspaces finds the Slack workspaces of accounts.
type Workspaces interface {
	Workspaces(ctx context.Context, team string) ([]channels.Workspace, error)
	Responder() (*slack.Responder, error)
}

// Options is what [Doors] need.
type Options struct {
	Handoffs   Handoffs
	Records    Records
	Workspaces Workspaces
	Log        *slog.Logger
	// Links reads links; nil means that there are none.
	Links *link.Signer
}

// Doors are open to everybody who can prove that they may come in. They are safe
// for concurrent use.
type Doors struct {
	o    Options
	busy sync.WaitGroup
}

// New opens them.
func New(o Options) *Doors { return &Doors{o: o} }

// Wait waits for presses of buttons that are still being answered.
func (d *Doors) Wait() { d.busy.Wait() }

// Signer makes the signer of links out of the deployment's keys; nil without
// any.
func Signer(box *secrets.Box) (*link.Signer, error) {
	derived, err := box.Derive("claim links 1")
	if err != nil || len(derived) == 0 {
		return nil, err
	}
	var keys []link.Key
	for _, k := range derived {
		// The key's id in a link is one byte of a digest. Should two be the same,
		// links of the older key are over.
		key := link.Key{ID: sha256.Sum256([]byte(k.ID))[0], Secret: k.Key}
		if !slices.ContainsFunc(keys, func(other link.Key) bool { return other.ID == key.ID }) {
			keys = append(keys, key)
		}
	}
	return link.New(keys...)
}

// claim claims a handoff for somebody, of one generation alone.
func (d *Doors) claim(ctx context.Context, u models.User, handoff uuid.UUID, generation int, door models.Door) (models.HandoffView, error) {
	session, err := d.o.Records.SessionOf(ctx, handoff)
	if err != nil {
		return models.HandoffView{}, err
	}
	if u.DisabledAt != nil {
		return models.HandoffView{}, models.Errorf(models.CodeForbidden, "You are not a user of Baton any more.")
	}
	by := models.Principal{UserID: u.ID, AccountID: u.AccountID, TeamID: u.TeamID, Role: u.Role, Name: u.Name, Email: u.Email}
	// One key for all doors and repetitions: whoever has it has it.
	return d.o.Handoffs.Transition(ctx, by, models.TransitionRequest{
		Verb: models.VerbClaim, SessionID: session, HandoffID: handoff, Generation: generation, Door: door,
		Key: "door/" + strconv.Itoa(generation),
	})
}

// Linked is what a link leads to.
type Linked struct {
	Handoff models.HandoffView
	User    models.User
	// Generation is the one that the link claims.
	Generation int
}

// Waits reports whether there is something to claim.
func (l Linked) Waits() bool {
	return l.Handoff.Status == models.StatusQueued && l.Handoff.Generation == l.Generation
}

// Mine reports whether the handoff is the user's.
func (l Linked) Mine() bool {
	return l.Handoff.ClaimedBy != nil && *l.Handoff.ClaimedBy == l.User.ID && l.Handoff.Status == models.StatusClaimed
}

// Look shows where a link leads, and changes nothing.
func (d *Doors) Look(ctx context.Context, token string) (Linked, error) {
	if d.o.Links == nil {
		return Linked{}, models.Errorf(models.CodeNotFound, "This server makes no links.")
	}
	t, err := d.o.Links.Parse(token, link.PurposeClaim, time.Now())
	if err != nil {
		return Linked{}, err
	}
	ctx = tenant.With(ctx, t.Account)
	l := Linked{Generation: t.Generation}
	if l.User, err = d.o.Records.User(ctx, t.User); err != nil {
		return l, err
	}
	if l.User.DisabledAt != nil {
		return Linked{}, models.Errorf(models.CodeForbidden, "Whoever this link was made for is not a user of Baton any more.")
	}
	session, err := d.o.Records.SessionOf(ctx, t.Handoff)
	if err != nil {
		return l, err
	}
	l.Handoff, err = d.o.Records.Handoff(ctx, session, t.Handoff)
	return l, err
}

// Claim claims what a link leads to, for whom it was made.
func (d *Doors) Claim(ctx context.Context, token string) (Linked, error) {
	l, err := d.Look(ctx, token)
	if err != nil {
		return l, err
	}
	view, err := d.claim(tenant.With(ctx, l.User.AccountID), l.User, l.Handoff.ID, l.Generation, models.DoorLink)
	if err == nil {
		l.Handoff = view
	}
	return l, err
}

const (
	// slackPatience is how long a press waits for its claim before it is
	// acknowledged: Slack wants that within three seconds.
	slackPatience = 2 * time.Second
	// slackWork bounds what is done for a press.
	slackWork = 25 * time.Second
)

// Slack takes the press of a button. The error says that the request was not
// one of Slack's, or that Slack should send it again; what became of the claim
// is told in Slack.
func (d *Doors) Slack(ctx context.Context, h http.Header, body []byte) error {
	press, err := slack.ParseInteraction(body) // read, not yet believed
	if err != nil {
		return err
	}
	installed, err := d.o.Workspaces.Workspaces(ctx, press.TeamID)
	if err != nil {
		return err
	}
	value, isClaim := slack.ParseClaimValue(press.Value)
	var from *channels.Workspace
	err = models.Errorf(models.CodeForbidden, "No Slack workspace of this Baton has made this request.")
	for i, w := range installed {
		if isClaim && w.Account != value.Account {
			continue
		}
		if err = slack.Verify(h, body, time.Now(), w.Signing); err == nil {
			from = &installed[i]
			break
		}
	}
	if from == nil {
		return err
	}
	if press.Action != slack.ActionClaim || !isClaim {
		return nil // it opened a page, or is not known any more
	}
	work, cancel := context.WithTimeout(tenant.With(context.WithoutCancel(ctx), from.Account), slackWork)
	done := make(chan struct{})
	d.busy.Go(func() {
		defer cancel()
		defer close(done)
		d.press(work, *from, press, value)
	})
	timer := time.NewTimer(slackPatience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	return nil
}

// press claims for whoever pressed, and tells them what came of it.
func (d *Doors) press(ctx context.Context, w channels.Workspace, press slack.Interaction, value slack.ClaimValue) {
	answer := func(text string) {
		responder, err := d.o.Workspaces.Responder()
		if err == nil {
			var body []byte
			if body, err = slack.Private(text); err == nil {
				err = responder.Respond(ctx, press.ResponseURL, body)
			}
		}
		if err != nil {
			d.o.Log.WarnContext(ctx, "whoever pressed a button in Slack was not answered", "account_id", w.Account, "error", err)
		}
	}
	user, err := d.presser(ctx, w, press)
	if err != nil {
		d.o.Log.InfoContext(ctx, "a claim from Slack was refused", "account_id", w.Account, "handoff_id", value.Handoff, "error", err)
		answer(words(err))
		return
	}
	view, err := d.claim(ctx, user, value.Handoff, value.Generation, models.DoorSlack)
	if err != nil {
		d.o.Log.InfoContext(ctx, "a claim from Slack was refused", "account_id", w.Account, "handoff_id", value.Handoff, "user_id", user.ID, "error", err)
		answer(words(err))
		return
	}
	// The message itself is changed by who sent it.
	answer("You have claimed " + notify.Line(view.SessionTitle, 120) + ". It is yours.")
}

// presser is the user of Baton who pressed: the one with the address that the
// workspace vouches for.
func (d *Doors) presser(ctx context.Context, w channels.Workspace, press slack.Interaction) (models.User, error) {
	u, err := w.Channel.User(ctx, press.UserID)
	if err != nil {
		return models.User{}, err
	}
	hint := models.Errorf(models.CodeForbidden, "You cannot claim from Slack yet: nobody in Baton has the address of your Slack profile. Ask an admin to invite you to Baton with that address, or claim in Baton itself.")
	if !u.Member || u.Email == "" {
		return models.User{}, models.Errorf(models.CodeForbidden, "You cannot claim from Slack: only members of this workspace with a confirmed address can. Claim in Baton itself.")
	}
	user, err := d.o.Records.UserByEmail(ctx, u.Email)
	if models.CodeOf(err) == models.CodeNotFound || models.CodeOf(err) == models.CodeConflict || err == nil && (user.AccountID != w.Account || user.Kind == models.UserService) {
		return models.User{}, hint
	}
	return user, err
}

// words are an error for whoever asked.
func words(err error) string {
	if e, ok := errors.AsType[*models.Error](err); ok && e.Code != models.CodeInternal {
		return e.Message
	}
	return "Something went wrong. Try again, or claim in Baton itself."
}
