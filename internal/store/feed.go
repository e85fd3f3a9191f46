package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

type event struct {
	Type models.EventType
	Data models.EventData
}

// appendFeed ends a statement that writes what the feed is to be told of: its
// part named told returns a row for each event, or none. The events get the
// next numbers of the account's feed. From here to the commit, which comes
// with the end of the statement, the account's head is locked, which is what
// makes numbers follow the order of commits.
const appendFeed = `,
	head AS (
		INSERT INTO feed_heads (account_id, last_seq) SELECT @account, count(*) FROM told HAVING count(*) > 0
		ON CONFLICT (account_id) DO UPDATE SET last_seq = feed_heads.last_seq + EXCLUDED.last_seq
		RETURNING last_seq)
	INSERT INTO feed_events (account_id, seq, type, handoff_id, data, created_at)
	SELECT @account, head.last_seq - cardinality(@types::text[]) + e.n, e.type, @handoff, e.data::json, @now
	FROM head, unnest(@types::text[], @cards::text[]) WITH ORDINALITY AS e (type, data, n)`

// tell runs a statement that ends with [appendFeed], and reports whether it
// did anything. Being one statement, it is a transaction of its own.
func (s *Store) tell(ctx context.Context, statement string, of models.Handoff, events []event, args pgx.NamedArgs) (bool, error) {
	return tell(ctx, s.pool, statement, of, events, args)
}

// executor is a pool, or a transaction.
type executor interface {
	Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error)
}

func tell(ctx context.Context, on executor, statement string, of models.Handoff, events []event, args pgx.NamedArgs) (bool, error) {
	types, cards := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		data, err := json.Marshal(e.Data)
		if err != nil {
			return false, fmt.Errorf("encoding a feed event: %w", err)
		}
		types[i], cards[i] = string(e.Type), string(data)
	}
	args["account"], args["handoff"], args["now"] = of.AccountID, of.ID, now()
	args["types"], args["cards"] = types, cards
	tag, err := on.Exec(ctx, statement, args)
	return tag.RowsAffected() > 0, err
}

// FeedHead returns the end of an account's feed, and the oldest number that is
// still kept (one past the end when none is).
func (s *Store) FeedHead(ctx context.Context, acct uuid.UUID) (head models.FeedHead, oldest int64, err error) {
	ctx = tenant.With(ctx, acct)
	err = s.db.WithContext(ctx).Exec(`INSERT INTO feed_heads (account_id) SELECT account_id FROM accounts WHERE account_id = ? ON CONFLICT DO NOTHING`, acct).Error
	if err != nil {
		return head, 0, translate("reading the feed's head", err)
	}
	var row struct {
		models.FeedHead
		Oldest *int64
	}
	err = s.db.WithContext(ctx).Raw(`SELECT h.*, (SELECT min(e.seq) FROM feed_events e WHERE e.account_id = h.account_id AND e.seq <= h.last_seq) AS oldest
		FROM feed_heads h WHERE h.account_id = ?`, acct).Scan(&row).Error
	if err != nil {
		return head, 0, translate("reading the feed's head", err)
	}
	oldest = row.LastSeq + 1
	if row.Oldest != nil {
		oldest = *row.Oldest
	}
	return row.FeedHead, oldest, nil
}

// FeedHeads returns the ends of several accounts' feeds, in one query.
func (s *Store) FeedHeads(ctx context.Context, accounts []uuid.UUID) ([]models.FeedHead, error) {
	rows, _ := s.watch.Query(tenant.System(ctx), `SELECT account_id, epoch, last_seq FROM feed_heads WHERE account_id = ANY ($1)`, accounts) // its error is that of the rows
	heads, err := pgx.CollectRows(rows, pgx.RowToStructByName[models.FeedHead])
	return heads, translate("reading feed heads", err)
}

// FeedEvents returns the events of an account after a number, in order.
func (s *Store) FeedEvents(ctx context.Context, acct uuid.UUID, after int64, limit int) ([]models.FeedEvent, error) {
	var events []models.FeedEvent
	err := s.db.WithContext(tenant.With(ctx, acct)).
		Where("account_id = ? AND seq > ?", acct, after).Order("seq").Limit(limit).Find(&events).Error
	return events, translate("reading feed events", err)
}

// NewFeedEpoch declares all feed numbers void, of every account. It is for a
// restore from a backup: numbers that readers have seen may be given again.
func (s *Store) NewFeedEpoch(ctx context.Context) error {
	err := s.db.WithContext(tenant.System(ctx)).
		Exec(`UPDATE feed_heads SET epoch = greatest(epoch + 1, floor(extract(epoch FROM clock_timestamp()) * 1000))`).Error
	return translate("starting a new feed epoch", err)
}

// PruneFeed deletes events older than keep, and returns how many.
func (s *Store) PruneFeed(ctx context.Context, keep time.Duration) (int64, error) {
	res := s.db.WithContext(tenant.System(ctx)).Exec(`DELETE FROM feed_events WHERE created_at < ?`, now().Add(-keep))
	return res.RowsAffected, translate("pruning the feed", res.Error)
}
