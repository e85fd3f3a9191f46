package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

var errConnectionNotFound = models.Errorf(models.CodeNotFound, "No PSA is connected.")

const connectionSQL = `SELECT c.account_id, c.kind, c.address, c.options, c.sealed, c.key_id, c.credentials_set, c.callback_hash, c.version,
		c.state, c.reason, c.cure, c.state_at, c.created_at, c.created_by, c.updated_at, c.updated_by, u.name AS updated_by_name
	FROM psa_connections c LEFT JOIN users u ON u.account_id = c.account_id AND u.id = c.updated_by `

// PSAConnection reads the account's connection to its PSA.
func (s *Store) PSAConnection(ctx context.Context) (models.PSAConnectionView, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.PSAConnectionView{}, err
	}
	return s.connection(ctx, connectionSQL+`WHERE c.account_id = $1`, acct)
}

// PSAConnectionByCallback finds the connection of any account by the digest of
// the secret part of its callbacks' address.
func (s *Store) PSAConnectionByCallback(ctx context.Context, hash []byte) (models.PSAConnectionView, error) {
	return s.connection(tenant.System(ctx), connectionSQL+`WHERE c.callback_hash = $1`, hash)
}

func (s *Store) connection(ctx context.Context, statement string, args ...any) (models.PSAConnectionView, error) {
	row, err := one[models.PSAConnectionView](ctx, s, statement, args...)
	if errors.Is(err, pgx.ErrNoRows) {
		return row, errConnectionNotFound
	}
	return row, translate("reading a PSA connection", err)
}

// SavePSAConnection stores the account's connection in place of the one of
// version was, or as the first one when was is 0. Its version and times are set
// here. Changes are what the audit log tells of it. When somebody else has
// changed it meanwhile, that is [models.CodeConflict].
func (s *Store) SavePSAConnection(ctx context.Context, by models.Principal, c models.PSAConnection, was int64, changes []models.AuditChange) (models.PSAConnectionView, error) {
	at := now()
	args := pgx.NamedArgs{
		"was": was, "kind": c.Kind, "address": c.Address, "options": c.Options, "sealed": c.Sealed, "key": c.KeyID,
		"set": c.CredentialsSet, "callback": c.CallbackHash, "state": models.ConnectionUnknown, "at": at, "by": by.UserID,
	}
	statement := `INSERT INTO psa_connections (account_id, kind, address, options, sealed, key_id, credentials_set, callback_hash,
			version, state, state_at, created_at, created_by, updated_at, updated_by)
		VALUES (@account, @kind, @address, @options, @sealed, @key, @set, @callback, 1, @state, @at, @at, @by, @at, @by)
		ON CONFLICT (account_id) DO NOTHING`
	if was > 0 {
		statement = `UPDATE psa_connections SET kind = @kind, address = @address, options = @options, sealed = @sealed, key_id = @key,
				credentials_set = @set, callback_hash = @callback, version = version + 1, state = @state, reason = NULL, cure = NULL,
				state_at = @at, updated_at = @at, updated_by = @by
			WHERE account_id = @account AND version = @was`
	}
	err := s.recorded(ctx, "storing a PSA connection", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		args["account"] = acct
		tag, err := tx.Exec(ctx, statement, args)
		if err == nil && tag.RowsAffected() == 0 {
			err = models.Errorf(models.CodeConflict, "Somebody else has changed the connection meanwhile. Look at it again before you change it.")
		}
		return &models.AuditEntry{Action: models.AuditPSAConnectionSet, Changes: changes}, err
	})
	if err != nil {
		return models.PSAConnectionView{}, err
	}
	return s.PSAConnection(ctx)
}

// DeletePSAConnection removes the account's connection, and its credentials.
func (s *Store) DeletePSAConnection(ctx context.Context, by models.Principal) error {
	return s.recorded(ctx, "removing a PSA connection", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		c, err := find[models.PSAConnection](ctx, tx, `DELETE FROM psa_connections WHERE account_id = $1 RETURNING kind, address, options`, acct)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, errConnectionNotFound
		}
		if err != nil {
			return nil, err
		}
		changes, err := audit.Diff(map[string]any{"kind": c.Kind, "address": c.Address, "options": c.Options}, nil)
		return &models.AuditEntry{Action: models.AuditPSAConnectionDelete, Changes: changes}, err
	})
}

// NotePSAConnection stores how the account's connection is doing, and reports
// whether that is news. Reason and cure are empty unless it is broken.
func (s *Store) NotePSAConnection(ctx context.Context, state models.ConnectionState, reason, cure string) (changed bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return false, err
	}
	tag, err := s.pool.Exec(ctx, `UPDATE psa_connections SET state = $2, reason = nullif($3, ''), cure = nullif($4, ''), state_at = $5
		WHERE account_id = $1 AND (state, coalesce(reason, ''), coalesce(cure, '')) IS DISTINCT FROM ($2, $3, $4)`, acct, state, reason, cure, now())
	return err == nil && tag.RowsAffected() > 0, translate("noting how a PSA connection is doing", err)
}

// PSAConnectionsNotSealedWith lists connections of all accounts that another
// key than keyID seals, by account, after the account after.
func (s *Store) PSAConnectionsNotSealedWith(ctx context.Context, keyID string, after uuid.UUID, limit int) ([]models.PSAConnection, error) {
	var rows []models.PSAConnection
	err := s.db.WithContext(tenant.System(ctx)).Where("key_id <> ? AND account_id > ?", keyID, after).
		Order("account_id").Limit(limit).Find(&rows).Error
	return rows, translate("listing PSA connections", err)
}

// ResealPSAConnection replaces what c's secrets are sealed in, unless that has
// changed since c was read; then done is false. It is no change of the
// connection, so its version stays.
func (s *Store) ResealPSAConnection(ctx context.Context, c models.PSAConnection, keyID string, sealed []byte) (done bool, err error) {
	tag, err := s.pool.Exec(tenant.With(ctx, c.AccountID), `UPDATE psa_connections SET sealed = $3, key_id = $4
		WHERE account_id = $1 AND sealed = $2`, c.AccountID, c.Sealed, sealed, keyID)
	return err == nil && tag.RowsAffected() > 0, translate("sealing a PSA connection anew", err)
}
