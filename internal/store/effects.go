package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/baton-handoff/baton/models"
)

// RecordEffect stores where a side effect stands, and tells the feed when
// readers can see a difference.
func (s *Store) RecordEffect(ctx context.Context, e models.Effect) error {
	return s.effect(ctx, e, nil)
}

// SaveDocumentation stores the note of a handoff together with the effect
// that wrote it.
func (s *Store) SaveDocumentation(ctx context.Context, doc models.Documentation, e models.Effect) error {
	return s.effect(ctx, e, func(tx *gorm.DB) error {
		doc.CreatedAt = now()
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&doc).Error
	})
}

// effect stores e, and what it made, in one transaction with the feed event.
func (s *Store) effect(ctx context.Context, e models.Effect, made func(tx *gorm.DB) error) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	e.AccountID, e.UpdatedAt = acct, now()
	err = s.transaction(ctx, "recording a side effect", func(tx *gorm.DB) error {
		var row models.Handoff
		// Locked as Project does, or a card could tell of an older version
		// after a newer one.
		err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
			Where("account_id = ? AND id = ? AND version > 0", acct, e.HandoffID).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errHandoffNotFound
		}
		if err != nil {
			return err
		}
		if made != nil {
			if err := made(tx); err != nil {
				return err
			}
		}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&e).Error; err != nil {
			return err
		}
		data, _, err := card(tx, row, []*uuid.UUID{&row.HandedOffBy, row.TargetUserID, row.ClaimedBy})
		if err != nil {
			return err
		}
		data.At = e.UpdatedAt
		data.Effect = &models.EffectEvent{Kind: e.Kind, State: e.State, Reason: e.Reason, Attempts: e.Attempts, NextAttemptAt: e.NextAttemptAt}
		return appendFeed(tx, acct, row.ID, []feedAppend{{models.EventUpdated, data}})
	})
	if err == nil {
		s.wake()
	}
	return err
}
