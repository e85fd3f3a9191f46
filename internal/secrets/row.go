package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// Setting names the keys in Baton's configuration.
const Setting = "BATON_SECRET_KEYS"

// NoKey tells people that nothing can be sealed.
func NoKey() *models.Error {
	e := models.Errorf(models.CodeUnavailable, "Credentials cannot be stored, because %s is not set. The operator of Baton has to set it.", Setting)
	e.RetryAfter = time.Hour
	return e
}

// CannotOpen tells people that what is stored cannot be opened. It wraps err.
func CannotOpen(err error) *models.Error {
	e := models.Errorf(models.CodeUnavailable, "The stored credentials cannot be opened: the operator of Baton has to give their key back to %s. Or enter all credentials again.", Setting).WithCause(err)
	e.RetryAfter = time.Hour
	return e
}

// Row is a row of the database that holds something sealed.
type Row struct {
	// ID is what rows are read in order of.
	ID      uuid.UUID
	Account uuid.UUID
	// Purpose binds what is sealed to what it is for, an address included: who
	// can write to the database must not have credentials sent elsewhere.
	Purpose string
	Sealed  Sealed
}

// SealJSON seals v for a row, whatever is sealed in it now. Without a key its
// error is [NoKey].
func (b *Box) SealJSON(r Row, v any) (Sealed, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return Sealed{}, fmt.Errorf("encoding credentials: %w", err)
	}
	s, err := b.Seal(r.Account, r.Purpose, text)
	if err != nil {
		return Sealed{}, NoKey().WithCause(err)
	}
	return s, nil
}

var errNotJSON = errors.New("secrets: what was sealed is not JSON")

// OpenJSON reads what is sealed in a row into v.
func (b *Box) OpenJSON(r Row, v any) error {
	text, err := b.Open(r.Account, r.Purpose, r.Sealed)
	if err != nil {
		return err
	}
	if json.Unmarshal(text, v) != nil {
		return errNotJSON // the decoder's could quote the text
	}
	return nil
}

// Rotation is a table whose rows are sealed anew.
type Rotation[R any] struct {
	// Next reads at most limit rows after an id that another key has sealed.
	Next func(ctx context.Context, keyID string, after uuid.UUID, limit int) ([]R, error)
	Row  func(R) Row
	// Reseal stores what was sealed anew, unless the row was changed meanwhile.
	Reseal func(ctx context.Context, r R, keyID string, sealed []byte) (done bool, err error)
}

// Rotate seals with the box's first key what another key has sealed, and tells
// of each account that it could not do so for, and why.
func (t Rotation[R]) Rotate(ctx context.Context, box *Box, failed func(account uuid.UUID, err error)) (done int, err error) {
	if !box.Ready() {
		return 0, ErrNoKey
	}
	var after uuid.UUID
	for {
		rows, err := t.Next(ctx, box.KeyID(), after, 100)
		if err != nil || len(rows) == 0 {
			return done, err
		}
		for _, row := range rows {
			r := t.Row(row)
			after = r.ID
			text, err := box.Open(r.Account, r.Purpose, r.Sealed)
			if err != nil {
				failed(r.Account, err)
				continue
			}
			s, err := box.Seal(r.Account, r.Purpose, text)
			if err != nil {
				return done, err
			}
			changed, err := t.Reseal(ctx, row, s.KeyID, s.Data)
			if err != nil {
				return done, err
			}
			if changed { // or somebody set it meanwhile, with the key of their process
				done++
			}
		}
	}
}
