package connections

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory keeps what the store keeps, as far as these tests need it; package app
// tests against the real one.
type memory struct {
	mu       sync.Mutex
	rows     map[uuid.UUID]models.PSAConnectionView
	handoffs map[uuid.UUID][]models.TicketedHandoff
	noted    chan models.HandoffTicket
}

func (m *memory) PSAConnection(ctx context.Context) (models.PSAConnectionView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, found := m.rows[tenant.From(ctx).Account]
	if !found {
		return row, models.Errorf(models.CodeNotFound, "No PSA is connected.")
	}
	return row, nil
}

func (m *memory) SavePSAConnection(ctx context.Context, _ models.Principal, c models.PSAConnection, was int64, _ []models.AuditChange) (models.PSAConnectionView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.Version = was + 1
	m.rows[tenant.From(ctx).Account] = models.PSAConnectionView{PSAConnection: c}
	return m.rows[tenant.From(ctx).Account], nil
}

func (m *memory) PSAConnectionByCallback(context.Context, []byte) (models.PSAConnectionView, error) {
	panic("not called")
}

func (m *memory) DeletePSAConnection(context.Context, models.Principal) error { panic("not called") }

func (m *memory) NotePSAConnection(context.Context, models.ConnectionState, string, string) (bool, error) {
	return false, nil
}

func (m *memory) HandoffsOfTicket(ctx context.Context, _ ...string) ([]models.TicketedHandoff, error) {
	return m.TicketedHandoffs(ctx, uuid.Nil, 0)
}

func (m *memory) TicketedHandoffs(ctx context.Context, _ uuid.UUID, _ int) ([]models.TicketedHandoff, error) {
	return m.handoffs[tenant.From(ctx).Account], nil
}
func (m *memory) ConnectedAccounts(context.Context) ([]uuid.UUID, error) { panic("not called") }
func (m *memory) NoteTicket(_ context.Context, t models.HandoffTicket) (bool, error) {
	m.noted <- t
	return true, nil
}

type noHandoffs struct{}

func (noHandoffs) Transition(context.Context, models.Principal, models.TransitionRequest) (models.HandoffView, error) {
	panic("not called")
}

// office is some accounts with PSAs, and a watcher.
type office struct {
	memory  *memory
	watcher *Watcher
	waits   chan int
}

func newOffice(t *testing.T, fakes map[uuid.UUID]psatest.Server) *office {
	t.Helper()
	box, err := secrets.Parse(secrets.NewKey())
	require.NoError(t, err)
	o := &office{waits: make(chan int, 100), memory: &memory{
		rows: map[uuid.UUID]models.PSAConnectionView{}, handoffs: map[uuid.UUID][]models.TicketedHandoff{}, noted: make(chan models.HandoffTicket, 100),
	}}
	log := slog.New(slog.DiscardHandler)
	conns := New(Options{Records: o.memory, Box: box, Log: log, Network: psa.Network{Allow: outbound.Loopback()}})
	t.Cleanup(conns.Close)
	for account, fake := range fakes {
		server := httptest.NewServer(fake)
		t.Cleanup(server.Close)
		c := fake.Connection(server.URL)
		_, err := conns.Set(tenant.With(t.Context(), account), models.Principal{AccountID: account}, Change{
			Kind: c.Kind, Address: c.Address, Credentials: c.Credentials, Settings: Settings{Options: c.Options},
		})
		require.NoError(t, err)
		o.memory.handoffs[account] = []models.TicketedHandoff{{HandoffID: account}}
	}
	o.watcher = NewWatcher(WatcherOptions{
		Connections: conns, Records: o.memory, Handoffs: noHandoffs{}, Log: log,
		Wait: func(_ context.Context, attempt int) error { o.waits <- attempt; return nil },
	})
	t.Cleanup(o.watcher.Stop)
	return o
}

func idOf(ticket psatest.Ticket) string { return strconv.FormatInt(ticket.ID, 10) }

func TestOneOutageIsNoOthers(t *testing.T) {
	t.Parallel()
	stalled, well := uuid.New(), uuid.New()
	a, b := psatest.NewHaloPSA(), psatest.NewHaloPSA()
	o := newOffice(t, map[uuid.UUID]psatest.Server{stalled: a, well: b})
	reached := make(chan struct{}, 1)
	a.Desk().Faults().Set(psatest.Fault{Kind: psatest.FaultStall, Reached: reached})
	first, other := a.Desk().AddTicket("x"), b.Desk().AddTicket("y")
	require.NoError(t, o.watcher.TicketChanged(t.Context(), stalled, idOf(first)))
	<-reached
	for range 1000 { // all the same, and waiting for the first
		require.NoError(t, o.watcher.TicketChanged(t.Context(), stalled, idOf(first)))
	}
	require.NoError(t, o.watcher.TicketChanged(t.Context(), well, idOf(other)))
	require.Equal(t, well, (<-o.memory.noted).HandoffID)
	// Beyond what can wait, the PSA shall call again.
	var err error
	for i := 0; err == nil && i <= mostTickets; i++ {
		err = o.watcher.TicketChanged(t.Context(), stalled, "t"+strconv.Itoa(i))
	}
	require.Equal(t, models.CodeUnavailable, models.CodeOf(err))
	o.watcher.Stop() // does not wait for who does not answer
	require.Equal(t, models.CodeUnavailable, models.CodeOf(o.watcher.TicketChanged(t.Context(), well, idOf(other))))
}

func TestALookIsRepeatedWhileThePSAIsDown(t *testing.T) {
	t.Parallel()
	account := uuid.New()
	fake := psatest.NewConnectWise()
	o := newOffice(t, map[uuid.UUID]psatest.Server{account: fake})
	ticket := fake.Desk().AddTicket("x")
	down := psatest.Fault{Kind: psatest.FaultStatus, Status: http.StatusServiceUnavailable, On: []psatest.Op{psatest.OpTicket}}
	fake.Desk().Faults().Next(down, down)
	require.NoError(t, o.watcher.TicketChanged(t.Context(), account, idOf(ticket)))
	require.Equal(t, idOf(ticket), (<-o.memory.noted).TicketID)
	require.Equal(t, []int{1, 2}, []int{<-o.waits, <-o.waits})

	// What is down for long is left to the reconcile.
	fake.Desk().Faults().Set(down)
	require.NoError(t, o.watcher.TicketChanged(t.Context(), account, idOf(ticket)))
	for i := range mostLooks - 1 {
		require.Equal(t, i+1, <-o.waits)
	}
	o.watcher.Stop()
	require.Empty(t, o.waits)
	require.Empty(t, o.memory.noted)
}

func TestTheRateOfOneAccountIsNoOthers(t *testing.T) {
	t.Parallel()
	l := newLimits()
	loud, quiet := uuid.New(), uuid.New()
	n := 0
	for l.allow(loud) {
		if n++; n > 100*callbackBurst {
			t.Fatal("there is no limit")
		}
	}
	require.GreaterOrEqual(t, n, callbackBurst)
	require.True(t, l.allow(quiet))
	for range mostLimits + 1 {
		l.allow(uuid.New())
	}
	require.LessOrEqual(t, len(l.all), mostLimits)
}

func TestWhatIsStoredOfOptions(t *testing.T) {
	t.Parallel()
	s := Settings{Options: psa.Options{SetOwner: true, Status: map[psa.StepName]string{psa.StepClaimed: "In Progress"}}, CancelClosed: true}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"status":{"claimed":"In Progress"},"set_owner":true,"cancel_closed":true}`, string(text))
}

func TestAnAccountWithoutAPSAAnyMore(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	require.NoError(t, o.watcher.TicketChanged(t.Context(), uuid.New(), "1"))
	o.watcher.Stop()
	require.Empty(t, o.memory.noted)
}
