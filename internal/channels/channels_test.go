package channels_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf keeps endpoints of one account.
type shelf struct{ rows map[uuid.UUID]models.Endpoint }

func (s *shelf) Endpoints(context.Context) (all []models.Endpoint, err error) {
	for _, e := range s.rows {
		all = append(all, e)
	}
	return all, nil
}

func (s *shelf) Endpoint(_ context.Context, id uuid.UUID) (models.Endpoint, error) {
	if e, ok := s.rows[id]; ok {
		return e, nil
	}
	return models.Endpoint{}, models.Errorf(models.CodeNotFound, "Channel not found")
}

func (s *shelf) SaveEndpoint(_ context.Context, _ models.Principal, e models.Endpoint, was int64, _ []models.AuditChange) (models.Endpoint, error) {
	e.Version, e.State, e.Reason, e.Cure = was+1, models.EndpointUnknown, nil, nil
	s.rows[e.ID] = e
	return e, nil
}

func (s *shelf) DeleteEndpoint(_ context.Context, _ models.Principal, id uuid.UUID) error {
	delete(s.rows, id)
	return nil
}

func (s *shelf) NoteEndpoint(_ context.Context, id uuid.UUID, state models.EndpointState, reason, _ string) (bool, error) {
	e := s.rows[id]
	e.State, e.Reason = state, &reason
	s.rows[id] = e
	return true, nil
}

func (s *shelf) WorkspaceEndpoints(_ context.Context, workspace string) (all []models.Endpoint, err error) {
	for _, e := range s.rows {
		if e.Workspace != nil && *e.Workspace == workspace {
			all = append(all, e)
		}
	}
	return all, nil
}

func setUp(t *testing.T, slackURL string) (*channels.Channels, *shelf, models.Principal) {
	t.Helper()
	box, err := secrets.Parse(secrets.NewKey())
	require.NoError(t, err)
	s := &shelf{rows: map[uuid.UUID]models.Endpoint{}}
	c, err := channels.New(channels.Options{
		Records: s, Box: box, Log: slog.New(slog.DiscardHandler), Network: notify.Network{Allow: outbound.Loopback()}, SlackURL: slackURL,
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, s, models.Principal{AccountID: uuid.New(), UserID: uuid.New(), Name: "Ada", Email: "ada@demo.test", Role: models.RoleAdmin}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

func fields(t *testing.T, err error) (names []string) {
	t.Helper()
	require.Equal(t, models.CodeInvalid, models.CodeOf(err), "%v", err)
	var refusal *models.Error
	require.ErrorAs(t, err, &refusal)
	for _, f := range refusal.Fields {
		names = append(names, f.Field)
	}
	return names
}

// TestAWebhooksSecretIsRotated holds that a secret is made and told once, that
// two sign while it is being rotated, and that 410 ends it.
func TestAWebhooksSecretIsRotated(t *testing.T) {
	t.Parallel()
	c, s, ada := setUp(t, "")
	receiver := notifytest.NewWebhook(time.Now, "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw")
	url := secrets.Secret(serve(t, receiver))
	v, err := c.Create(t.Context(), ada, channels.Change{Kind: notify.ChannelWebhook, Name: "Board", Credentials: map[string]secrets.Secret{"url": url}})
	require.NoError(t, err)
	require.NotEmpty(t, v.Secret.Reveal())
	again, err := c.Get(t.Context(), v.ID)
	require.NoError(t, err)
	require.Empty(t, again.Secret)
	for _, secret := range []string{url.Reveal(), v.Secret.Reveal()} {
		require.NotContains(t, fmt.Sprintf("%s %+v", s.rows[v.ID].Sealed, s.rows[v.ID]), secret)
	}
	receiver.Accept(v.Secret.Reveal())
	require.NoError(t, c.Test(t.Context(), ada, v.ID))
	require.Equal(t, models.EndpointOK, s.rows[v.ID].State)

	// The receiver knows the old secret alone, then the new one alone.
	fresh := secrets.Secret("whsec_MTExMTExMTExMTExMTExMTExMTExMTEx")
	_, err = c.Set(t.Context(), ada, v.ID, channels.Change{Name: "Board", Credentials: map[string]secrets.Secret{"secret": fresh}})
	require.NoError(t, err)
	require.NoError(t, c.Test(t.Context(), ada, v.ID))
	receiver.Accept(fresh.Reveal())
	require.NoError(t, c.Test(t.Context(), ada, v.ID))
	_, err = c.Set(t.Context(), ada, v.ID, channels.Change{Name: "Board", Credentials: map[string]secrets.Secret{"previous_secret": ""}})
	require.NoError(t, err)
	require.NoError(t, c.Test(t.Context(), ada, v.ID))
	require.Len(t, s.rows[v.ID].CredentialsSet, 2)

	receiver.Faults().Next(notifytest.Fault{Kind: notifytest.FaultStatus, Status: http.StatusGone})
	require.Equal(t, notify.ClassGone, notify.ClassOf(c.Test(t.Context(), ada, v.ID)))
	require.Equal(t, models.EndpointDisabled, s.rows[v.ID].State)
	means, err := c.Means(t.Context())
	require.NoError(t, err)
	require.Empty(t, means.Endpoints)
	_, _, err = c.Open(t.Context(), models.Delivery{EndpointID: &v.ID}, nil)
	require.Equal(t, notify.ClassMisconfigured, notify.ClassOf(err))
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	c, _, ada := setUp(t, "")
	create := func(kind notify.ChannelName, s channels.Settings, credentials map[string]secrets.Secret) error {
		_, err := c.Create(t.Context(), ada, channels.Change{Kind: kind, Name: "x", Settings: s, Credentials: credentials})
		return err
	}
	require.Equal(t, []string{"/credentials/url"}, fields(t, create(notify.ChannelTeams, channels.Settings{}, nil)))
	require.Equal(t, []string{"/credentials/token", "/credentials/signing_secret"}, fields(t, create(notify.ChannelSlack, channels.Settings{}, nil)))
	require.Equal(t, []string{"/credentials/token"}, fields(t, create(notify.ChannelTeams, channels.Settings{}, map[string]secrets.Secret{"url": "https://x.test", "token": "t"})))
	require.ErrorContains(t, create(notify.ChannelTeams, channels.Settings{}, map[string]secrets.Secret{"url": "https://acme.webhook.office.com/x"}), "retired")
	require.ErrorContains(t, create(notify.ChannelEmail, channels.Settings{Host: "smtp.test"}, nil), "sender")

	none, err := secrets.Parse("")
	require.NoError(t, err)
	c, err = channels.New(channels.Options{Records: &shelf{rows: map[uuid.UUID]models.Endpoint{}}, Box: none, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.Equal(t, models.CodeUnavailable, models.CodeOf(create(notify.ChannelTeams, channels.Settings{}, nil)))
}

// TestAPasswordGoesToItsServerAlone holds that it has to be entered again for
// another one, also when somebody writes that into the database.
func TestAPasswordGoesToItsServerAlone(t *testing.T) {
	t.Parallel()
	c, s, ada := setUp(t, "")
	mail := channels.Settings{Host: "smtp.one.test", Username: "baton", From: "baton@one.test"}
	v, err := c.Create(t.Context(), ada, channels.Change{Kind: notify.ChannelEmail, Name: "Mail", Settings: mail, Credentials: map[string]secrets.Secret{"password": "hunter2"}})
	require.NoError(t, err)
	mail.From = "desk@one.test"
	_, err = c.Set(t.Context(), ada, v.ID, channels.Change{Name: "Mail", Settings: mail})
	require.NoError(t, err, "the password stays")
	other := mail
	other.Host = "smtp.two.test"
	_, err = c.Set(t.Context(), ada, v.ID, channels.Change{Name: "Mail", Settings: other})
	require.Error(t, err)
	row := s.rows[v.ID]
	row.Options = []byte(`{"host":"smtp.two.test","username":"baton","from":"desk@one.test"}`)
	s.rows[v.ID] = row
	_, _, err = c.Open(t.Context(), models.Delivery{EndpointID: &v.ID}, &models.User{Email: "ana@demo.test"})
	require.Equal(t, notify.ClassMisconfigured, notify.ClassOf(err))
}

func TestASlackWorkspace(t *testing.T) {
	t.Parallel()
	fake := notifytest.NewSlack(time.Now)
	fake.AddUser(notifytest.SlackUser{ID: "U1", Name: "Ana", Email: "ana@demo.test"})
	fake.AddUser(notifytest.SlackUser{ID: "U2", Name: "Bot", Email: "bot@demo.test", Bot: true})
	fake.AddChannel("C1")
	c, s, ada := setUp(t, serve(t, fake))
	ch := channels.Change{Kind: notify.ChannelSlack, Name: "Slack", Settings: channels.Settings{Direct: true, To: "C1"}, Credentials: map[string]secrets.Secret{
		"token": "xoxb-wrong", "signing_secret": secrets.Secret(fake.SigningSecret()),
	}}
	_, err := c.Create(t.Context(), ada, ch)
	require.Equal(t, []string{"/credentials/token"}, fields(t, err))
	ch.Credentials["token"] = secrets.Secret(fake.Token())
	v, err := c.Create(t.Context(), ada, ch)
	require.NoError(t, err)
	require.Equal(t, fake.Team(), *s.rows[v.ID].Workspace)
	require.NoError(t, c.Test(t.Context(), ada, v.ID))
	require.Len(t, fake.Messages("C1"), 1)

	d := models.Delivery{EndpointID: &v.ID}
	for range 2 { // the second time it is remembered
		_, address, err := c.Open(t.Context(), d, &models.User{Email: "ana@demo.test"})
		require.NoError(t, err)
		require.Equal(t, "U1", address)
		fake.RevokeScope("users:read.email")
	}
	_, address, err := c.Open(t.Context(), d, nil)
	require.NoError(t, err)
	require.Equal(t, "C1", address)
	_, _, err = c.Open(t.Context(), d, &models.User{Email: "nobody@demo.test"})
	require.Equal(t, notify.ClassUnauthorized, notify.ClassOf(err))
	found, err := c.Workspaces(t.Context(), fake.Team())
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, fake.SigningSecret(), found[0].Signing.Reveal())
	none, err := c.Workspaces(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, none)

	require.NoError(t, c.Remove(t.Context(), ada, v.ID))
	_, _, err = c.Open(t.Context(), d, nil)
	require.Equal(t, notify.ClassGone, notify.ClassOf(err))
	_, _, err = c.Open(t.Context(), models.Delivery{}, &models.User{})
	require.Equal(t, notify.ClassMisconfigured, notify.ClassOf(err), "there is no mail server")
}
