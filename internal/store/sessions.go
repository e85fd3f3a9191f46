package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/baton-handoff/baton/models"
)

var errSessionNotFound = models.Errorf(models.CodeNotFound, "Session not found")

// CreateSession stores a session of the engineer by, with its first steps.
// With a key, a repeated request answers with the session it made first;
// another body under that key is [models.CodeIdempotencyMismatch].
func (s *Store) CreateSession(ctx context.Context, by models.Principal, in models.NewSession) (models.Session, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Session{}, err
	}
	id, err := idFor(acct, by.UserID, "session", in.Key)
	if err != nil {
		return models.Session{}, err
	}
	hash := digest(in.Title, in.ClientName, in.Problem, in.PSATicket, in.Steps)
	at := now()
	row := models.Session{
		AccountID: acct, ID: id, TeamID: by.TeamID, OwnerID: by.UserID,
		Title: in.Title, ClientName: in.ClientName, Problem: in.Problem, PSATicket: in.PSATicket,
		Status: models.SessionActive, RequestHash: hash, CreatedAt: at, UpdatedAt: at,
	}
	err = s.transaction(ctx, "creating a session", func(tx *gorm.DB) error {
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			if err := tx.Where("account_id = ? AND id = ?", acct, id).Take(&row).Error; err != nil {
				return err
			}
			if !bytes.Equal(row.RequestHash, hash) {
				return keyMismatch()
			}
			return nil
		}
		return appendSteps(tx, &row, in.Steps)
	})
	return row, err
}

// AppendSteps adds steps to the end of a session of the engineer by, and
// passes over those that are there already. It fails with
// [models.CodeConflict] when a known id comes with other content, and with
// [models.CodeInvalid] when the session would outgrow its bounds; then
// nothing is added.
func (s *Store) AppendSteps(ctx context.Context, by models.Principal, sessionID uuid.UUID, steps []models.Step) (models.Session, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Session{}, err
	}
	var row models.Session
	err = s.transaction(ctx, "appending steps", func(tx *gorm.DB) error {
		// The row lock keeps the numbering of concurrent batches gapless.
		err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
			Where("account_id = ? AND id = ?", acct, sessionID).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errSessionNotFound
		}
		if err != nil {
			return err
		}
		if row.OwnerID != by.UserID {
			return models.Errorf(models.CodeForbidden, "Only the engineer who works on the session adds steps to it.")
		}
		if row.Status == models.SessionResolved {
			return models.Errorf(models.CodeClosed, "The session is resolved; it takes no more steps.")
		}
		return appendSteps(tx, &row, steps)
	})
	return row, err
}

// appendSteps adds the steps that row does not have yet, and counts them. The
// caller holds the lock of row.
func appendSteps(tx *gorm.DB, row *models.Session, steps []models.Step) error {
	if len(steps) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(steps))
	for i, st := range steps {
		ids[i] = st.ID
	}
	var known []models.Step
	if err := tx.Where("account_id = ? AND session_id = ? AND id IN ?", row.AccountID, row.ID, ids).Find(&known).Error; err != nil {
		return err
	}
	have := make(map[uuid.UUID]models.Step, len(known))
	for _, st := range known {
		have[st.ID] = st
	}
	var fresh []models.Step
	for i, st := range steps {
		st.AccountID, st.SessionID = row.AccountID, row.ID
		st.At = st.At.UTC().Truncate(time.Microsecond)
		if old, ok := have[st.ID]; ok {
			if !sameStep(old, st) {
				e := models.Errorf(models.CodeConflict, "Step %s is already stored with other content. Steps cannot be changed; send a new one with a new id.", st.ID)
				e.Fields = []models.FieldError{{Field: fmt.Sprintf("/steps/%d/id", i), Message: "is already used by another step"}}
				return e
			}
			continue
		}
		row.StepCount++
		row.StepBytes += len(st.Text)
		st.Seq = row.StepCount
		fresh = append(fresh, st)
	}
	if len(fresh) == 0 {
		return nil
	}
	if row.StepCount > models.MaxSteps {
		return models.Errorf(models.CodeInvalid, "The session would have %d steps; at most %d fit.", row.StepCount, models.MaxSteps)
	}
	if row.StepBytes > models.MaxSessionBytes {
		return models.Errorf(models.CodeInvalid, "The session's steps would take %d bytes; at most %d fit.", row.StepBytes, models.MaxSessionBytes)
	}
	if err := tx.CreateInBatches(fresh, 500).Error; err != nil {
		return err
	}
	row.UpdatedAt = now()
	return tx.Model(&models.Session{}).Where("account_id = ? AND id = ?", row.AccountID, row.ID).
		Updates(map[string]any{"step_count": row.StepCount, "step_bytes": row.StepBytes, "updated_at": row.UpdatedAt}).Error
}

func sameStep(a, b models.Step) bool {
	sameOutcome := (a.Outcome == nil) == (b.Outcome == nil) && (a.Outcome == nil || *a.Outcome == *b.Outcome)
	return a.At.Equal(b.At) && a.Actor == b.Actor && a.Kind == b.Kind && a.Text == b.Text && sameOutcome
}

// Session returns one session of the account.
func (s *Store) Session(ctx context.Context, id uuid.UUID) (models.Session, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Session{}, err
	}
	var row models.Session
	err = s.db.WithContext(ctx).Where("account_id = ? AND id = ?", acct, id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, errSessionNotFound
	}
	return row, translate("reading a session", err)
}

// Steps returns the steps of a session in their order.
func (s *Store) Steps(ctx context.Context, sessionID uuid.UUID) ([]models.Step, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.Step
	err = s.db.WithContext(ctx).Where("account_id = ? AND session_id = ?", acct, sessionID).Order("seq").Find(&rows).Error
	return rows, translate("reading steps", err)
}

type byCreation struct {
	CreatedAt time.Time `json:"t"`
	ID        uuid.UUID `json:"i"`
}

// Sessions lists the account's sessions, newest first.
func (s *Store) Sessions(ctx context.Context, f models.SessionFilter, p models.Page) ([]models.Session, string, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, "", err
	}
	const kind = "sessions"
	after, err := decodeCursor[byCreation](kind, p.Cursor)
	if err != nil {
		return nil, "", err
	}
	q := s.db.WithContext(ctx).Where("account_id = ?", acct)
	if f.OwnerID != nil {
		q = q.Where("owner_id = ?", *f.OwnerID)
	}
	if f.Status != "" {
		q = q.Where("status = ?", f.Status)
	}
	if f.Query != "" {
		like := likePattern(f.Query)
		q = q.Where("(title ILIKE ? OR client_name ILIKE ? OR problem ILIKE ? OR psa_ticket ILIKE ?)", like, like, like, like)
	}
	if after != nil {
		q = q.Where("(created_at, id) < (?, ?)", after.CreatedAt, after.ID)
	}
	var rows []models.Session
	if err := q.Order("created_at DESC, id DESC").Limit(p.Limit + 1).Find(&rows).Error; err != nil {
		return nil, "", translate("listing sessions", err)
	}
	rows, next := cut(rows, p.Limit, func(r models.Session) string {
		return encodeCursor(kind, byCreation{r.CreatedAt, r.ID})
	})
	return rows, next, nil
}

// likePattern matches text anywhere, with LIKE's own signs taken literally.
func likePattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// namespace is the space of the ids that Baton derives from Idempotency-Keys.
var namespace = uuid.MustParse("6f0d3c1e-5b1a-4f0e-9c59-5a8f4f0b7a11")

// idFor is the id of what a user creates: derived from their Idempotency-Key,
// so that a repeated request finds what the first one made, or else new.
func idFor(acct, user uuid.UUID, kind, key string) (uuid.UUID, error) {
	if key == "" {
		return uuid.NewV7()
	}
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s", acct, user, kind, key)), nil
}

// digest tells whether two requests asked for the same thing.
func digest(parts ...any) []byte {
	b, err := json.Marshal(parts)
	if err != nil {
		panic(err) // requests are plain structs of ours
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

func keyMismatch() *models.Error {
	return models.Errorf(models.CodeIdempotencyMismatch, "This Idempotency-Key was used with another request. Use a new key for a new request, or repeat the first one unchanged.")
}
