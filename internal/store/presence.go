package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// Present notes that a user looks at a handoff now, and returns who else does,
// by name.
func (s *Store) Present(ctx context.Context, sessionID, handoffID, user uuid.UUID) ([]models.PresenceView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	tag, err := s.pool.Exec(ctx, `INSERT INTO handoff_presence (account_id, handoff_id, user_id, seen_at)
		SELECT h.account_id, h.id, $4, $5 FROM handoffs h
		WHERE h.account_id = $1 AND h.id = $2 AND h.session_id = $3 AND h.version > 0
		ON CONFLICT (account_id, handoff_id, user_id) DO UPDATE SET seen_at = greatest(handoff_presence.seen_at, EXCLUDED.seen_at)`,
		acct, handoffID, sessionID, user, now())
	if err != nil {
		return nil, translate("noting who looks at a handoff", err)
	}
	if tag.RowsAffected() == 0 {
		return nil, errHandoffNotFound
	}
	return s.presence(ctx, ` AND p.handoff_id = $4`, acct, user, now().Add(-models.PresenceLasts), handoffID)
}

// Absent forgets that a user looks at a handoff. Whether they did does not matter.
func (s *Store) Absent(ctx context.Context, sessionID, handoffID, user uuid.UUID) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `DELETE FROM handoff_presence p USING handoffs h
		WHERE p.account_id = $1 AND p.handoff_id = $2 AND p.user_id = $4 AND h.account_id = $1 AND h.id = $2 AND h.session_id = $3`,
		acct, handoffID, sessionID, user)
	return translate("forgetting who looks at a handoff", err)
}

// Presence lists who looks at which handoff of the account now, besides the
// user, by name.
func (s *Store) Presence(ctx context.Context, user uuid.UUID) ([]models.PresenceView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	return s.presence(ctx, "", acct, user, now().Add(-models.PresenceLasts))
}

func (s *Store) presence(ctx context.Context, where string, args ...any) ([]models.PresenceView, error) {
	rows, _ := s.pool.Query(ctx, `SELECT p.account_id, p.handoff_id, p.user_id, p.seen_at, u.name AS user_name
		FROM handoff_presence p JOIN users u ON u.account_id = $1 AND u.id = p.user_id AND u.disabled_at IS NULL
		WHERE p.account_id = $1 AND p.user_id <> $2 AND p.seen_at > $3`+where+` ORDER BY u.name, p.user_id, p.handoff_id`, args...) // its error is that of the rows
	found, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.PresenceView])
	return found, translate("reading who looks at handoffs", err)
}

// PrunePresence forgets, for all accounts, who has looked at something longer
// than keep ago, and returns how many.
func (s *Store) PrunePresence(ctx context.Context, keep time.Duration) (int64, error) {
	res := s.db.WithContext(tenant.System(ctx)).Exec(`DELETE FROM handoff_presence WHERE seen_at < ?`, now().Add(-keep))
	return res.RowsAffected, translate("pruning presence", res.Error)
}
