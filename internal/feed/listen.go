package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// pingEvery is how long a listening connection may be silent before it is
// asked whether it still lives: a firewall that forgot it says nothing.
const pingEvery = 30 * time.Second

// Listen calls wake when it has connected and for each notification on
// channel, until the connection or ctx ends, and returns why it ended. The
// connection must be one of its own: not from a pool, and not through a proxy
// that shares connections between transactions.
func Listen(ctx context.Context, connect func(ctx context.Context) (*pgx.Conn, error), channel string, wake func()) error {
	return listen(ctx, connect, channel, wake, pingEvery)
}

func listen(ctx context.Context, connect func(ctx context.Context) (*pgx.Conn, error), channel string, wake func(), patience time.Duration) error {
	conn, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("connecting to listen: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // it is of no more use either way
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listening on %s: %w", channel, err)
	}
	wake() // what was written before LISTEN will not be notified
	for {
		silence, cancel := context.WithTimeout(ctx, patience)
		_, err := conn.WaitForNotification(silence)
		timedOut := silence.Err() != nil
		cancel()
		switch {
		case err == nil:
			wake()
		case ctx.Err() != nil:
			return ctx.Err()
		case timedOut:
			if err := ping(ctx, conn); err != nil {
				return fmt.Errorf("the connection that listens on %s is dead: %w", channel, err)
			}
		default:
			return fmt.Errorf("waiting for notifications on %s: %w", channel, err)
		}
	}
}

func ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return conn.Ping(ctx)
}
