package store

import (
	"context"
	"time"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// AbandonedStarts returns starting rows of any account that nobody has worked
// on for at least idle, oldest first.
func (s *Store) AbandonedStarts(ctx context.Context, idle time.Duration, limit int) ([]models.Handoff, error) {
	var rows []models.Handoff
	err := s.db.WithContext(tenant.System(ctx)).Where("status = 'starting' AND updated_at < ?", now().Add(-idle)).
		Order("updated_at").Limit(limit).Find(&rows).Error
	return rows, translate("looking for abandoned starts", err)
}

// DiscardAbandonedStart deletes a starting row unless somebody took it over
// since it was found.
func (s *Store) DiscardAbandonedStart(ctx context.Context, h models.Handoff) error {
	err := s.db.WithContext(tenant.With(ctx, h.AccountID)).
		Where("account_id = ? AND id = ? AND version = 0 AND updated_at = ?", h.AccountID, h.ID, h.UpdatedAt).
		Delete(&models.Handoff{}).Error
	return translate("discarding an abandoned start", err)
}
