package feed

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/testenv"
)

const testChannel = `baton "feed"` // needs quoting

// listener is a running Listen on a real server.
type listener struct {
	wakes chan struct{}
	ended chan error
	pid   chan uint32
	stop  context.CancelFunc
}

func startListener(t *testing.T, url string, patience time.Duration) *listener {
	ctx, stop := context.WithCancel(t.Context())
	l := &listener{wakes: make(chan struct{}, 100), ended: make(chan error, 1), pid: make(chan uint32, 1), stop: stop}
	connect := func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			l.pid <- conn.PgConn().PID()
		}
		return conn, err
	}
	go func() {
		l.ended <- listen(ctx, connect, testChannel, func() { l.wakes <- struct{}{} }, patience)
	}()
	t.Cleanup(stop)
	<-l.wakes // once it listens
	return l
}

func connect(t *testing.T, url string) *pgx.Conn {
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func notify(t *testing.T, conn *pgx.Conn) {
	_, err := conn.Exec(t.Context(), "SELECT pg_notify($1, '')", testChannel)
	require.NoError(t, err)
}

func TestListenWakesOnEachNotification(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	l, writer := startListener(t, url, pingEvery), connect(t, url)
	for range 3 {
		notify(t, writer)
		<-l.wakes
	}
	l.stop()
	require.ErrorIs(t, <-l.ended, context.Canceled)
}

func TestListenNoticesThatItsConnectionIsGone(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	l, admin := startListener(t, url, pingEvery), connect(t, url)
	_, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend($1)", <-l.pid)
	require.NoError(t, err)
	require.ErrorContains(t, <-l.ended, testChannel)
}

func TestListenPingsASilentConnection(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	l, admin := startListener(t, url, time.Millisecond), connect(t, url)
	pid := <-l.pid
	for pinged := false; !pinged; {
		require.NoError(t, admin.QueryRow(t.Context(),
			"SELECT query NOT LIKE 'LISTEN%' FROM pg_stat_activity WHERE pid = $1", pid).Scan(&pinged))
	}
	notify(t, admin)
	<-l.wakes
}

func TestListenReportsThatItCannotConnect(t *testing.T) {
	t.Parallel()
	away := errors.New("no route to host")
	err := Listen(t.Context(), func(context.Context) (*pgx.Conn, error) { return nil, away }, testChannel, func() { t.Error("woken") })
	require.ErrorIs(t, err, away)
}

// The way of an event from one replica to a stream of another.
func TestNotifierWakesTheHubOfAnotherReplica(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	writer := connect(t, url)
	n := NewNotifier(func(ctx context.Context) error {
		_, err := writer.Exec(ctx, "SELECT pg_notify($1, '')", testChannel)
		return err
	}, time.Millisecond, quiet)
	n.Start()
	defer n.Stop()

	tb := newTable()
	listening := make(chan struct{}, 1)
	h := NewHub(tb, func(ctx context.Context, wake func()) error {
		return Listen(ctx, func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, url) }, testChannel, func() {
			wake()
			select {
			case listening <- struct{}{}:
			default:
			}
		})
	}, Options{Logger: quiet, PollEvery: time.Hour})
	h.Start()
	defer h.Stop()
	s := subscribe(t, h, acme, "")
	<-listening
	for seq := int64(1); seq <= 20; seq++ {
		tb.add(acme, 1)
		n.Wake()
		frames, err := s.Next(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, frames, 1)
		require.Equal(t, position{1, seq}, parse(t, frames[0]).at)
	}
}
