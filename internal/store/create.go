package store

import (
	"bytes"
	"context"
	"errors"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/baton-handoff/baton/models"
)

// PrepareHandoff stores what a handoff will be, invisible, before its workflow
// is started: free text lives here and nowhere else. The returned row is
//   - starting: new, or left by an attempt that did not get further. The
//     caller starts (or finds) the workflow and projects it.
//   - anything else: the same request with the same key was completed before.
//
// It refuses what is refused without asking the workflow: a session that is
// not the engineer's, is handed off already or resolved, and unknown targets.
func (s *Store) PrepareHandoff(ctx context.Context, by models.Principal, in models.NewHandoff) (models.Handoff, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Handoff{}, err
	}
	id, err := idFor(acct, by.UserID, "handoff", in.Key)
	if err != nil {
		return models.Handoff{}, err
	}
	hash := digest(in.SessionID, in.Intent, in.Priority, in.EngineerNotes, in.TargetUserID)
	if in.WakeWish != "" {
		hash = digest(in.SessionID, in.Intent, in.Priority, in.EngineerNotes, in.TargetUserID, in.WakeWish)
	}
	at := now()
	row := models.Handoff{
		AccountID: acct, ID: id, SessionID: in.SessionID, TeamID: by.TeamID,
		Intent: in.Intent, Priority: in.Priority, Status: models.StatusStarting, Generation: 1,
		EngineerNotes: in.EngineerNotes, TargetUserID: in.TargetUserID, HandedOffBy: by.UserID,
		WakeAt: in.WakeAt, RequestHash: hash, CreatedAt: at, UpdatedAt: at,
	}
	for {
		// Not a transaction: it writes once, and only Temporal decides.
		again, err := prepare(s.db.WithContext(ctx), by, in, &row)
		if err != nil {
			return models.Handoff{}, translate("preparing a handoff", err)
		}
		if !again {
			return row, nil
		}
	}
}

// prepare inserts row, or replaces it by what an earlier request with the same
// key left. It asks to be called again when that is being changed right now.
func prepare(tx *gorm.DB, by models.Principal, in models.NewHandoff, row *models.Handoff) (again bool, err error) {
	// A repeated key is answered before the session is looked at, which by now
	// may belong to whoever claimed it.
	var earlier []models.Handoff
	if err := tx.Where("account_id = ? AND id = ?", row.AccountID, row.ID).Limit(1).Find(&earlier).Error; err != nil {
		return false, err
	}
	if len(earlier) == 1 {
		if !bytes.Equal(earlier[0].RequestHash, row.RequestHash) {
			return false, keyMismatch()
		}
		if earlier[0].Status != models.StatusStarting {
			*row = earlier[0]
			return false, nil
		}
	}
	if err := checkSession(tx, row.AccountID, by, in.SessionID); err != nil {
		// A twin with the same key may have got all the way since the row was
		// read; then it is this very handoff that is in the way.
		var shown int64
		if err := tx.Model(&models.Handoff{}).Where("account_id = ? AND id = ? AND version > 0", row.AccountID, row.ID).Count(&shown).Error; err != nil {
			return false, err
		}
		if shown > 0 {
			return true, nil
		}
		return false, err
	}
	if err := checkTarget(tx, row.AccountID, in.Intent, by.UserID, in.TargetUserID); err != nil {
		return false, err
	}
	if len(earlier) == 0 {
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(row)
		return res.RowsAffected == 0, res.Error // a twin with the same key was faster
	}
	// Taken over: from now on neither the sweeper nor the request that made the
	// row removes it.
	res := tx.Model(&models.Handoff{}).Where("account_id = ? AND id = ? AND version = 0", row.AccountID, row.ID).
		UpdateColumn("updated_at", now())
	*row = earlier[0]
	return res.RowsAffected == 0, res.Error
}

func checkSession(tx *gorm.DB, acct uuid.UUID, by models.Principal, id uuid.UUID) error {
	var session struct {
		models.Session
		HandedOff bool
	}
	err := tx.Model(&models.Session{}).Select(`*, EXISTS (SELECT FROM handoffs h WHERE h.account_id = ai_sessions.account_id
			AND h.session_id = ai_sessions.id AND h.status IN ('queued', 'claimed', 'returned')) AS handed_off`).
		Where("account_id = ? AND id = ?", acct, id).Take(&session).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && session.OwnerID != by.UserID {
		return errSessionNotFound
	}
	if err != nil {
		return err
	}
	if session.Status == models.SessionResolved {
		return models.Errorf(models.CodeClosed, "The session is resolved; it cannot be handed off any more.")
	}
	if session.HandedOff {
		return models.AlreadyHandedOff()
	}
	return nil
}

// checkTarget refuses a target who could never claim.
func checkTarget(tx *gorm.DB, acct uuid.UUID, intent models.Intent, sender uuid.UUID, target *uuid.UUID) error {
	if target == nil {
		return nil
	}
	refuse := func(message string) error {
		e := models.Errorf(models.CodeInvalid, "The target user %s.", message)
		e.Fields = []models.FieldError{{Field: "/target_user_id", Message: message}}
		return e
	}
	if intent == models.IntentEscalate && *target == sender {
		return refuse("is who hands the session off; an escalation needs somebody else")
	}
	var user models.User
	err := tx.Where("account_id = ? AND id = ? AND disabled_at IS NULL", acct, *target).Take(&user).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return refuse("is not a user of this account")
	case err != nil:
		return err
	case user.Kind == models.UserService:
		return refuse("is an integration; choose a person")
	case !user.Role.AtLeast(models.RoleEngineer):
		return refuse("is a viewer and cannot claim; choose an engineer")
	}
	return nil
}

// CheckTarget refuses, with [models.CodeInvalid], a target of a reassignment
// who could never claim the handoff.
func (s *Store) CheckTarget(ctx context.Context, h models.Handoff, target uuid.UUID) error {
	return translate("checking a target", checkTarget(s.db.WithContext(ctx), h.AccountID, h.Intent, h.HandedOffBy, &target))
}

// DiscardHandoff removes a row whose workflow its caller certainly did not
// start, unless another request with the same key has taken it over and may
// have started it.
func (s *Store) DiscardHandoff(ctx context.Context, id uuid.UUID) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	err = s.db.WithContext(ctx).Where("account_id = ? AND id = ? AND version = 0 AND updated_at = created_at", acct, id).
		Delete(&models.Handoff{}).Error
	return translate("discarding a handoff", err)
}

// SaveTransitionInput keeps the free text of a transition that is about to be
// asked for. The same request id with another text is
// [models.CodeIdempotencyMismatch].
func (s *Store) SaveTransitionInput(ctx context.Context, handoffID uuid.UUID, requestID string, req models.TransitionRequest) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	row := models.TransitionInput{
		AccountID: acct, HandoffID: handoffID, RequestID: requestID,
		RequestHash: digest(req.Verb, req.TargetUserID, req.Note), CreatedAt: now(),
	}
	if req.Note != "" {
		row.Note = &req.Note
	}
	for {
		res := s.db.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if res.Error != nil || res.RowsAffected == 1 {
			return translate("keeping a request", res.Error)
		}
		var earlier []models.TransitionInput
		err := s.db.WithContext(ctx).Where("account_id = ? AND handoff_id = ? AND request_id = ?", acct, handoffID, requestID).Limit(1).Find(&earlier).Error
		switch {
		case err != nil:
			return translate("keeping a request", err)
		case len(earlier) == 0: // a twin was refused meanwhile, and forgotten
			continue
		case !bytes.Equal(earlier[0].RequestHash, row.RequestHash):
			return keyMismatch()
		}
		return nil
	}
}

// DiscardTransitionInput forgets the text of a request that was refused.
func (s *Store) DiscardTransitionInput(ctx context.Context, handoffID uuid.UUID, requestID string) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	err = s.db.WithContext(ctx).Where("account_id = ? AND handoff_id = ? AND request_id = ?", acct, handoffID, requestID).Delete(&models.TransitionInput{}).Error
	return translate("discarding a request", err)
}
