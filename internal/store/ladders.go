package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/models"
)

// LadderPolicies lists the account's rules of who is called when.
func (s *Store) LadderPolicies(ctx context.Context) ([]models.LadderPolicy, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `SELECT account_id, scope, team_id, priority, rule, updated_at, updated_by
		FROM ladder_policies WHERE account_id = $1 ORDER BY scope`, acct) // its error is that of the rows
	found, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.LadderPolicy])
	return found, translate("reading the ladder's rules", err)
}

// SaveLadderPolicies makes the account's rules what policies says, all of them.
// A team that the account does not have is [models.CodeInvalid].
func (s *Store) SaveLadderPolicies(ctx context.Context, by models.Principal, policies []models.LadderPolicy) error {
	at := now()
	return s.recorded(ctx, "storing the ladder's rules", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		if err := lockAccount(ctx, tx, acct); err != nil {
			return nil, err
		}
		rows, _ := tx.Query(ctx, `DELETE FROM ladder_policies WHERE account_id = $1 RETURNING scope, rule`, acct) // its error is that of the rows
		was, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.LadderPolicy])
		if err != nil {
			return nil, err
		}
		changes, err := audit.Diff(ladderFacts(was), ladderFacts(policies))
		if err != nil {
			return nil, err
		}
		batch := &pgx.Batch{}
		for _, p := range policies {
			batch.Queue(`INSERT INTO ladder_policies (account_id, scope, team_id, priority, rule, updated_at, updated_by)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`, acct, p.Scope, p.TeamID, p.Priority, p.Rule, at, by.UserID)
		}
		err = tx.SendBatch(ctx, batch).Close()
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == foreignKeyViolation {
			err = models.Errorf(models.CodeInvalid, "A rule is for a team that the account does not have.")
		}
		if len(changes) == 0 {
			return nil, err
		}
		return &models.AuditEntry{Action: models.AuditLadderSet, Changes: changes}, err
	})
}

// ladderFacts are rules by what they are for, for the audit log.
func ladderFacts(policies []models.LadderPolicy) any {
	rules := map[string]json.RawMessage{}
	for _, p := range policies {
		rules[p.Scope] = p.Rule
	}
	return map[string]any{"rules": rules}
}

// ladderSQL reads a handoff and its ladder. The holder's last activity is the
// claim, a step that they added, or a request that was noted. While a handoff
// is held its session is the holder's, and nobody else adds steps to it.
const ladderSQL = `SELECT h.account_id, h.id, h.session_id, h.team_id, h.intent, h.priority, h.status, h.generation, h.version,
		h.target_user_id, h.handed_off_by, h.claimed_by, h.claimed_at, h.wake_at, h.created_at, h.updated_at,
		CASE WHEN l.handoff_id IS NOT NULL THEN row_to_json(l) END AS ladder,
		CASE WHEN h.status = 'claimed' THEN ` + activeAt + ` END AS active_at
	FROM handoffs h JOIN ai_sessions s ON s.account_id = @account AND s.id = h.session_id
		LEFT JOIN handoff_ladders l ON l.account_id = @account AND l.handoff_id = h.id
	WHERE h.account_id = @account AND h.id = @handoff AND h.session_id = @session AND h.version > 0`

const activeAt = `greatest(h.claimed_at, s.updated_at, l.seen_at)`

// Ladder returns a visible handoff with where its ladder stands.
func (s *Store) Ladder(ctx context.Context, sessionID, handoffID uuid.UUID) (models.LadderView, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.LadderView{}, err
	}
	view, err := one[models.LadderView](ctx, s, ladderSQL, pgx.NamedArgs{"account": acct, "handoff": handoffID, "session": sessionID})
	if errors.Is(err, pgx.ErrNoRows) {
		return view, errHandoffNotFound
	}
	return view, translate("reading a ladder", err)
}

const (
	// recordLadderSQL keeps the policy of the first time, and what the holder
	// showed: they may have done so before the ladder heard of their claim. What
	// an earlier holder showed is before that, and so does not count.
	recordLadderSQL = `INSERT INTO handoff_ladders AS l (account_id, handoff_id, policy, state, reason, generation, version,
			next, next_at, claim_by, lease_until, created_at, updated_at)
		SELECT @account, @handoff, @policy, @state, @reason, @generation, @version, @next, @next_at, @claim_by, @lease_until, @updated, @updated
		FROM still
		ON CONFLICT (account_id, handoff_id) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,
			generation = EXCLUDED.generation, version = EXCLUDED.version, next = EXCLUDED.next, next_at = EXCLUDED.next_at,
			claim_by = EXCLUDED.claim_by, lease_until = EXCLUDED.lease_until, updated_at = EXCLUDED.updated_at,
			taking = CASE WHEN EXCLUDED.generation = l.generation THEN l.taking END
		WHERE l.version <= EXCLUDED.version`
	stillSQL = `WITH still AS (
		SELECT FROM handoffs WHERE account_id = @account AND id = @handoff AND version = @was FOR NO KEY UPDATE)`
	quietLadderSQL = stillSQL + recordLadderSQL
	tellLadderSQL  = stillSQL + `, told AS (` + recordLadderSQL + ` RETURNING handoff_id)` + appendFeed
)

// RecordLadder stores where a ladder stands, and tells the feed when readers
// can see a difference that no transition tells them. The policy stays the one
// that was stored first. What is about an older version of the handoff than there
// is changes nothing.
func (s *Store) RecordLadder(ctx context.Context, l models.HandoffLadder) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	for {
		row, err := one[ladderScene](ctx, s, ladderSceneSQL, pgx.NamedArgs{"account": acct, "handoff": l.HandoffID})
		if errors.Is(err, pgx.ErrNoRows) {
			return errHandoffNotFound
		}
		if err != nil {
			return translate("reading a handoff", err)
		}
		if row.Version > l.Version {
			return nil // what is decided since, comes after it
		}
		args := pgx.NamedArgs{
			"account": acct, "handoff": l.HandoffID, "was": row.Version, "policy": l.Policy, "state": l.State, "reason": l.Reason,
			"generation": l.Generation, "version": l.Version, "next": l.Next, "next_at": l.NextAt, "claim_by": l.ClaimBy, "lease_until": l.LeaseUntil, "updated": now(),
		}
		var done bool
		if tells(row.Ladder, l) {
			data := card(row.HandoffView)
			data.At, data.ClaimBy = now(), l.ClaimBy
			data.Ladder = &models.LadderEvent{State: l.State, Reason: l.Reason, Next: l.Next, NextAt: l.NextAt}
			if done, err = s.tell(ctx, tellLadderSQL, row.Handoff, []event{{models.EventUpdated, data}}, args); done {
				s.wake()
			}
		} else {
			tag, execErr := s.pool.Exec(ctx, quietLadderSQL, args)
			err, done = execErr, tag.RowsAffected() > 0
		}
		if err != nil {
			return translate("recording a ladder", err)
		}
		if done {
			return nil
		}
	}
}

// ladderScene is a handoff, and where its ladder stood.
type ladderScene struct {
	models.HandoffView
	Ladder *models.HandoffLadder
}

const ladderSceneSQL = `SELECT ` + viewColumns + `, NULL::json AS documentation,
		(SELECT row_to_json(l) FROM handoff_ladders l WHERE l.account_id = @account AND l.handoff_id = h.id) AS ladder
	FROM handoffs h ` + viewJoins + ` WHERE h.account_id = @account AND h.id = @handoff AND h.version > 0`

// tells reports whether the feed is to be told: of what comes next, and when,
// and of the pause. That it is held or over, the transitions tell.
func tells(was *models.HandoffLadder, l models.HandoffLadder) bool {
	if l.State == models.LadderEnded || l.State == models.LadderHeld && l.NextAt == nil {
		return false
	}
	return was == nil || was.State != l.State || !equal(was.Reason, l.Reason) || !equal(was.Next, l.Next) ||
		!sameTime(was.NextAt, l.NextAt) || !sameTime(was.ClaimBy, l.ClaimBy)
}

func sameTime(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond)))
}

func equal(a, b *string) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// seenEvery is how exactly the holder's activity is known. Leases are longer.
const seenEvery = 10 * time.Second

// HolderSeen notes that a user has shown activity on a handoff, if they hold it
// and the claim is a lease.
func (s *Store) HolderSeen(ctx context.Context, handoffID, user uuid.UUID) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	at := now()
	_, err = s.pool.Exec(ctx, `UPDATE handoff_ladders l SET seen_at = $4 FROM handoffs h
		WHERE l.account_id = $1 AND l.handoff_id = $2 AND h.account_id = $1 AND h.id = $2
			AND h.status = 'claimed' AND h.claimed_by = $3 AND l.taking IS DISTINCT FROM h.generation
			AND l.lease_until IS NOT NULL AND (l.seen_at IS NULL OR l.seen_at < $5)`, acct, handoffID, user, at, at.Add(-seenEvery))
	return translate("noting a holder's activity", err)
}

// StillHere notes that the holder of a handoff says that they are still at it.
// It fails with [models.CodeForbidden] for anybody else, with
// [models.CodeConflict] when nobody holds it, or when it is being taken back
// already: then it is too late; and with [models.CodeUnavailable] as long as the
// ladder has not begun. Without an error it counts.
func (s *Store) StillHere(ctx context.Context, sessionID, handoffID, user uuid.UUID) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	head, _, err := s.HandoffHead(ctx, sessionID, handoffID, "")
	switch {
	case err != nil:
		return err
	case head.Status.Closed():
		return models.Errorf(models.CodeClosed, "The handoff is already %s.", head.Status)
	case head.ClaimedBy == nil:
		return models.Errorf(models.CodeConflict, "Nobody holds the handoff. Claim it to go on with it.")
	case *head.ClaimedBy != user:
		return models.Errorf(models.CodeForbidden, "Somebody else holds the handoff.")
	}
	// The same row decides here and in BeginTakeBack: one of them is first.
	var taking *int
	err = s.pool.QueryRow(ctx, `UPDATE handoff_ladders SET seen_at = CASE WHEN taking IS DISTINCT FROM $3 THEN $4 ELSE seen_at END
		WHERE account_id = $1 AND handoff_id = $2 RETURNING taking`, acct, handoffID, head.Generation, now()).Scan(&taking)
	if errors.Is(err, pgx.ErrNoRows) {
		e := models.Errorf(models.CodeUnavailable, "The handoff's ladder has not begun yet, so this could not be noted. Try again in a moment.")
		e.RetryAfter = time.Second
		return e
	}
	if err == nil && taking != nil && *taking == head.Generation {
		return models.Errorf(models.CodeConflict, "Too late: the handoff is being put back into the queue. Claim it again to go on with it.")
	}
	return translate("noting a holder's activity", err)
}

// BeginTakeBack decides that a generation of a handoff is taken from its
// holder, unless they have shown activity after last or it is no longer as it
// was. Once it is decided, [Store.StillHere] refuses; deciding it again is the
// same decision.
func (s *Store) BeginTakeBack(ctx context.Context, handoffID uuid.UUID, version int, last time.Time) (bool, error) {
	acct, err := account(ctx)
	if err != nil {
		return false, err
	}
	tag, err := s.pool.Exec(ctx, `UPDATE handoff_ladders l SET taking = h.generation
		FROM handoffs h JOIN ai_sessions s ON s.account_id = $1 AND s.id = h.session_id
		WHERE l.account_id = $1 AND l.handoff_id = $2 AND h.account_id = $1 AND h.id = $2
			AND h.status = 'claimed' AND h.version = $3 AND (l.taking = h.generation OR `+activeAt+` <= $4)`, acct, handoffID, version, last)
	return tag.RowsAffected() > 0, translate("taking a handoff back", err)
}

// handoffWaits reads the times that an account's handoffs began to wait. The
// limit is there to find out that there are too many, so nothing is sorted.
const handoffWaits = `SELECT h.id AS handoff_id, h.team_id, team.name AS team_name, h.priority, h.intent, q.at AS queued_at,
		c.at AS claimed_at, c.holder_id AS claimed_by, u.name AS claimer_name,
		CASE WHEN h.status = 'resolved' AND h.generation = q.generation THEN h.resolved_at END AS resolved_at,
		l.policy
	FROM (SELECT DISTINCT ON (account_id, handoff_id, generation) * FROM handoff_transitions
			WHERE account_id = $1 AND status = 'queued' AND at >= $2 AND at < $3 ORDER BY account_id, handoff_id, generation, version) q
		JOIN handoffs h ON h.account_id = $1 AND h.id = q.handoff_id
		LEFT JOIN LATERAL (SELECT t.at, t.holder_id FROM handoff_transitions t
			WHERE t.account_id = $1 AND t.handoff_id = q.handoff_id AND t.generation = q.generation AND t.verb = 'claim'
			ORDER BY t.version LIMIT 1) c ON true
		LEFT JOIN handoff_ladders l ON l.account_id = $1 AND l.handoff_id = h.id
		LEFT JOIN teams team ON team.account_id = $1 AND team.id = h.team_id
		LEFT JOIN users u ON u.account_id = $1 AND u.id = c.holder_id
	WHERE c.at IS NOT NULL OR h.status = 'queued' AND h.generation = q.generation
	LIMIT $4`

// HandoffWaits lists the times that the account's handoffs began to wait for a
// claim since a time, in no order, at most limit. Those that were neither
// claimed nor wait any more are left out. Equal policies share their memory:
// tens of thousands of handoffs have a handful of them.
func (s *Store) HandoffWaits(ctx context.Context, since, until time.Time, limit int) ([]models.HandoffWait, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, handoffWaits, acct, since, until, limit) // its error is that of the rows
	policies := map[string]json.RawMessage{}
	waits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w models.HandoffWait, err error) {
		var policy pgtype.DriverBytes
		err = row.Scan(&w.HandoffID, &w.TeamID, &w.TeamName, &w.Priority, &w.Intent, &w.QueuedAt, &w.ClaimedAt, &w.ClaimedBy, &w.ClaimerName, &w.ResolvedAt, &policy)
		if policy != nil {
			known, ok := policies[string(policy)]
			if !ok {
				known = json.RawMessage(bytes.Clone(policy))
				policies[string(policy)] = known
			}
			w.Policy = known
		}
		return w, err
	})
	return waits, translate("summing up handoffs", err)
}

// WaitingNow sums up what waits in the account's queue at this moment, by
// priority, the most urgent first.
func (s *Store) WaitingNow(ctx context.Context) ([]models.WaitingNow, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `SELECT h.priority, count(*) AS open, min(q.at) AS oldest
		FROM handoffs h LEFT JOIN LATERAL (SELECT t.at FROM handoff_transitions t
			WHERE t.account_id = $1 AND t.handoff_id = h.id AND t.generation = h.generation AND t.status = 'queued'
			ORDER BY t.version LIMIT 1) q ON true
		WHERE h.account_id = $1 AND h.status = 'queued' GROUP BY 1 ORDER BY 1 DESC`, acct) // its error is that of the rows
	waiting, err := pgx.CollectRows(rows, pgx.RowToStructByName[models.WaitingNow])
	return waiting, translate("summing up the queue", err)
}
