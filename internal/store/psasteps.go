package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/models"
)

// PSASteps returns how the ticket is told of a handoff, in the order of its
// transitions.
func (s *Store) PSASteps(ctx context.Context, handoffID uuid.UUID) ([]models.PSAStep, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.PSAStep
	err = s.db.WithContext(ctx).Where("account_id = ? AND handoff_id = ?", acct, handoffID).Order("version").Find(&rows).Error
	return rows, translate("reading a ticket's steps", err)
}

// RecordPSASteps stores where steps of one handoff stand, sums all its steps up
// as its effect, and tells the feed when readers can see a difference. It does
// so under the handoff's lock: steps are recorded by the handoff that hands
// them over and by the ticket that is told of them, and a sum of what one of
// them had read before the other wrote would stay wrong.
func (s *Store) RecordPSASteps(ctx context.Context, handoffID uuid.UUID, steps []models.PSAStep) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	at := now()
	for i := range steps {
		steps[i].AccountID, steps[i].HandoffID, steps[i].UpdatedAt = acct, handoffID, at
	}
	return s.changePSASteps(ctx, acct, handoffID, putPSAStepsSQL, steps)
}

// RetryPSASteps shows that failed steps are being tried again. A step that is
// no longer as it was seen has had its attempt meanwhile, and is left alone:
// nobody would end what this began.
func (s *Store) RetryPSASteps(ctx context.Context, handoffID uuid.UUID, seen []models.PSAStep) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	return s.changePSASteps(ctx, acct, handoffID, retryPSAStepsSQL, seen)
}

// changePSASteps changes steps of one handoff and tells the feed.
func (s *Store) changePSASteps(ctx context.Context, acct, handoffID uuid.UUID, change string, steps []models.PSAStep) error {
	told := false
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		told, err = changePSASteps(ctx, tx, acct, handoffID, change, steps)
		return err
	})
	if err != nil {
		return translate("recording a ticket's steps", err)
	}
	if told {
		s.wake()
	}
	return nil
}

const (
	lockHandoffSQL = `SELECT FROM handoffs WHERE account_id = @account AND id = @handoff AND version > 0 FOR NO KEY UPDATE`
	putPSAStepsSQL = `INSERT INTO psa_steps (account_id, handoff_id, version, step, state, ticket_id, note_id, attempts, reason, next_attempt_at, updated_at)
		SELECT p.account_id, p.handoff_id, p.version, p.step, p.state, p.ticket_id, p.note_id, p.attempts, p.reason, p.next_attempt_at, p.updated_at
		FROM json_populate_recordset(NULL::psa_steps, @steps) AS p
		ON CONFLICT (account_id, handoff_id, version) DO UPDATE SET state = EXCLUDED.state,
			ticket_id = coalesce(EXCLUDED.ticket_id, psa_steps.ticket_id), note_id = coalesce(EXCLUDED.note_id, psa_steps.note_id),
			attempts = EXCLUDED.attempts, reason = EXCLUDED.reason, next_attempt_at = EXCLUDED.next_attempt_at, updated_at = EXCLUDED.updated_at
		WHERE psa_steps.state <> 'done' -- what is done stays done, whoever comes late
			AND (EXCLUDED.state <> 'pending' OR psa_steps.state = 'skipped')`
	retryPSAStepsSQL = `UPDATE psa_steps s SET state = 'pending', reason = NULL, next_attempt_at = NULL, updated_at = @at
		FROM json_populate_recordset(NULL::psa_steps, @steps) AS p
		WHERE s.account_id = @account AND s.handoff_id = @handoff AND s.version = p.version
			AND s.state = 'failed' AND s.updated_at = p.updated_at`
	getPSAStepsSQL = `SELECT account_id, handoff_id, version, step, state, ticket_id, note_id, attempts, reason, next_attempt_at, updated_at
		FROM psa_steps WHERE account_id = @account AND handoff_id = @handoff ORDER BY version`
	psaEffectSQL = `WITH told AS (
		INSERT INTO handoff_effects (account_id, handoff_id, kind, state, reason, attempts, next_attempt_at, updated_at, ticket_id, note_id)
		SELECT e.account_id, e.handoff_id, e.kind, e.state, e.reason, e.attempts, e.next_attempt_at, e.updated_at, e.ticket_id, e.note_id
		FROM json_populate_record(NULL::handoff_effects, @effect) AS e
		ON CONFLICT (account_id, handoff_id, kind) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,
			attempts = EXCLUDED.attempts, next_attempt_at = EXCLUDED.next_attempt_at, updated_at = EXCLUDED.updated_at,
			ticket_id = EXCLUDED.ticket_id, note_id = EXCLUDED.note_id
		RETURNING kind)` + appendFeed
)

func changePSASteps(ctx context.Context, tx pgx.Tx, acct, handoffID uuid.UUID, change string, steps []models.PSAStep) (told bool, err error) {
	at := now()
	named := pgx.NamedArgs{"account": acct, "handoff": handoffID, "steps": steps, "at": at}
	tag, err := tx.Exec(ctx, lockHandoffSQL, named)
	if err != nil {
		return false, err
	}
	if tag.RowsAffected() == 0 {
		return false, errHandoffNotFound
	}
	if _, err := tx.Exec(ctx, change, named); err != nil {
		return false, err
	}
	rows, _ := tx.Query(ctx, getPSAStepsSQL, named) // its error is that of the rows
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.PSAStep])
	if err != nil {
		return false, err
	}
	rows, _ = tx.Query(ctx, viewSQL, named)
	view, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[models.HandoffView])
	if err != nil {
		return false, err
	}
	sum := models.SumPSA(all)
	sum.AccountID, sum.HandoffID, sum.UpdatedAt = acct, handoffID, at
	for _, e := range view.Effects {
		if e.Kind == models.EffectPSA && alike(e, sum) {
			return false, nil
		}
	}
	data := card(view)
	data.At = at
	data.Effect = &models.EffectEvent{Kind: sum.Kind, State: sum.State, Reason: sum.Reason, Attempts: sum.Attempts, NextAttemptAt: sum.NextAttemptAt}
	return tell(ctx, tx, psaEffectSQL, view.Handoff, []event{{models.EventUpdated, data}}, pgx.NamedArgs{"effect": sum})
}

// alike reports whether two effects look the same to readers.
func alike(a, b models.Effect) bool {
	b.UpdatedAt = a.UpdatedAt
	if a.NextAttemptAt != nil && b.NextAttemptAt != nil && a.NextAttemptAt.Equal(*b.NextAttemptAt) {
		b.NextAttemptAt = a.NextAttemptAt
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errors.Join(errX, errY) == nil && string(x) == string(y)
}

// User returns a person of the account.
func (s *Store) User(ctx context.Context, id uuid.UUID) (models.User, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.User{}, err
	}
	var users []models.User
	err = s.db.WithContext(ctx).Where("account_id = ? AND id = ?", acct, id).Limit(1).Find(&users).Error
	if err != nil {
		return models.User{}, translate("reading a user", err)
	}
	if len(users) == 0 {
		return models.User{}, models.Errorf(models.CodeNotFound, "User not found").WithCause(fmt.Errorf("user %s", id))
	}
	return users[0], nil
}
