package store

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/models"
)

// RecordEffect stores where a side effect stands, and tells the feed when
// readers can see a difference. What is done stays done: an attempt that was
// given up may still fail after another one has done its work.
func (s *Store) RecordEffect(ctx context.Context, e models.Effect) error {
	return s.effect(ctx, e, nil)
}

// SaveDocumentation stores the note of a handoff together with the effect
// that wrote it.
func (s *Store) SaveDocumentation(ctx context.Context, doc models.Documentation, e models.Effect) error {
	doc.CreatedAt = now()
	return s.effect(ctx, e, &doc)
}

// effectSQL stores a side effect, and the note that it may have made. It locks
// the handoff as advanceSQL does, and does nothing when the version is not the
// expected one any more, or a card could tell of an older version after a
// newer one.
const effectSQL = `WITH still AS (
		SELECT FROM handoffs WHERE account_id = @account AND id = @handoff AND version = @was FOR NO KEY UPDATE),
	documented AS (
		INSERT INTO handoff_documentation (account_id, handoff_id, markdown, plain, truncated, step_count, created_at)
		SELECT d.account_id, d.handoff_id, d.markdown, d.plain, d.truncated, d.step_count, d.created_at
		FROM still, json_populate_recordset(NULL::handoff_documentation, @documentation) AS d
		ON CONFLICT (account_id, handoff_id) DO UPDATE SET markdown = EXCLUDED.markdown, plain = EXCLUDED.plain,
			truncated = EXCLUDED.truncated, step_count = EXCLUDED.step_count, created_at = EXCLUDED.created_at
		RETURNING handoff_id),
	told AS (
		INSERT INTO handoff_effects (account_id, handoff_id, kind, state, reason, attempts, next_attempt_at, updated_at)
		SELECT e.account_id, e.handoff_id, e.kind, e.state, e.reason, e.attempts, e.next_attempt_at, e.updated_at
		FROM still LEFT JOIN documented ON true, json_populate_record(NULL::handoff_effects, @effect) AS e
		ON CONFLICT (account_id, handoff_id, kind) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,
			attempts = EXCLUDED.attempts, next_attempt_at = EXCLUDED.next_attempt_at, updated_at = EXCLUDED.updated_at
		WHERE handoff_effects.state <> 'done' OR EXCLUDED.state = 'done'
		RETURNING kind)` + appendFeed

// effect stores e, and the note it made, with the feed event.
func (s *Store) effect(ctx context.Context, e models.Effect, doc *models.Documentation) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	e.AccountID, e.UpdatedAt = acct, now()
	docs := []models.Documentation{}
	if doc != nil {
		docs = append(docs, *doc)
	}
	for {
		row, err := one[models.HandoffView](ctx, s, viewSQL, pgx.NamedArgs{"account": acct, "handoff": e.HandoffID})
		if errors.Is(err, pgx.ErrNoRows) {
			return errHandoffNotFound
		}
		if err != nil {
			return translate("reading a handoff", err)
		}
		if e.State != models.EffectDone && slices.ContainsFunc(row.Effects, func(was models.Effect) bool {
			return was.Kind == e.Kind && was.State == models.EffectDone
		}) {
			return nil
		}
		data := card(row)
		data.At = e.UpdatedAt
		data.Effect = &models.EffectEvent{Kind: e.Kind, State: e.State, Reason: e.Reason, Attempts: e.Attempts, NextAttemptAt: e.NextAttemptAt}
		done, err := s.tell(ctx, effectSQL, row.Handoff, []event{{models.EventUpdated, data}}, pgx.NamedArgs{
			"was": row.Version, "effect": e, "documentation": docs,
		})
		if err != nil {
			return translate("recording a side effect", err)
		}
		if done {
			s.wake()
			return nil
		}
	}
}
