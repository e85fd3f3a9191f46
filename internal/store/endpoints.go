package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

var errEndpointNotFound = models.Errorf(models.CodeNotFound, "Channel not found")

const endpointSQL = `SELECT account_id, id, kind, name, options, sealed, key_id, credentials_set, workspace, version, state, reason, cure,
	state_at, created_at, created_by, updated_at, updated_by FROM endpoints `

// Endpoints lists the account's channels, by name.
func (s *Store) Endpoints(ctx context.Context) ([]models.Endpoint, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, endpointSQL+`WHERE account_id = $1 ORDER BY lower(name)`, acct)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.Endpoint])
	return all, translate("listing channels", err)
}

// Endpoint returns one channel.
func (s *Store) Endpoint(ctx context.Context, id uuid.UUID) (models.Endpoint, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Endpoint{}, err
	}
	e, err := one[models.Endpoint](ctx, s, endpointSQL+`WHERE account_id = $1 AND id = $2`, acct, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, errEndpointNotFound
	}
	return e, translate("reading a channel", err)
}

// WorkspaceEndpoints lists the channels of all accounts that are a Slack
// workspace.
func (s *Store) WorkspaceEndpoints(ctx context.Context, workspace string) ([]models.Endpoint, error) {
	rows, _ := s.pool.Query(tenant.System(ctx), endpointSQL+`WHERE workspace = $1 ORDER BY account_id, id`, workspace)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.Endpoint])
	return all, translate("looking up a workspace", err)
}

// SaveEndpoint stores a channel in place of the one of version was, or as a new
// one when was is 0. Its version and times are set here. Changes are what the
// audit log tells of it. When somebody else has changed it meanwhile, or another
// one has its name, that is [models.CodeConflict].
func (s *Store) SaveEndpoint(ctx context.Context, by models.Principal, e models.Endpoint, was int64, changes []models.AuditChange) (models.Endpoint, error) {
	action := models.AuditChannelCreate
	statement := `INSERT INTO endpoints (account_id, id, kind, name, options, sealed, key_id, credentials_set, workspace, version, state, state_at,
			created_at, created_by, updated_at, updated_by)
		VALUES (@account, @id, @kind, @name, @options, @sealed, @key, @set, @workspace, 1, 'unknown', @at, @at, @by, @at, @by)
		ON CONFLICT (account_id, id) DO NOTHING`
	if was > 0 {
		action = models.AuditChannelSet
		statement = `UPDATE endpoints SET name = @name, options = @options, sealed = @sealed, key_id = @key, credentials_set = @set,
				workspace = @workspace, version = version + 1, state = 'unknown', reason = NULL, cure = NULL, state_at = @at, updated_at = @at, updated_by = @by
			WHERE account_id = @account AND id = @id AND version = @was AND kind = @kind`
	}
	err := s.recorded(ctx, "storing a channel", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		tag, err := tx.Exec(ctx, statement, pgx.NamedArgs{
			"account": acct, "id": e.ID, "kind": e.Kind, "name": e.Name, "options": e.Options, "sealed": e.Sealed, "key": e.KeyID,
			"set": e.CredentialsSet, "workspace": e.Workspace, "at": now(), "by": by.UserID, "was": was,
		})
		if violates(err, "endpoints_name") {
			err = models.Errorf(models.CodeConflict, "Another channel of the account has this name. Choose another one.")
		}
		if err == nil && tag.RowsAffected() == 0 {
			err = models.Errorf(models.CodeConflict, "Somebody else has changed the channel meanwhile. Look at it again before you change it.")
		}
		return &models.AuditEntry{Action: action, ThingID: &e.ID, ThingName: &e.Name, Changes: changes}, err
	})
	if err != nil {
		return e, err
	}
	return s.Endpoint(ctx, e.ID)
}

// violates reports whether a statement failed at a constraint.
func violates(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.ConstraintName == constraint
}

// DeleteEndpoint removes a channel and its credentials.
func (s *Store) DeleteEndpoint(ctx context.Context, by models.Principal, id uuid.UUID) error {
	return s.recorded(ctx, "removing a channel", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		e, err := find[models.Endpoint](ctx, tx, `DELETE FROM endpoints WHERE account_id = $1 AND id = $2 RETURNING kind, name, options`, acct, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, errEndpointNotFound
		}
		if err != nil {
			return nil, err
		}
		changes, err := audit.Diff(map[string]any{"kind": e.Kind, "name": e.Name, "options": e.Options}, nil)
		return &models.AuditEntry{Action: models.AuditChannelDelete, ThingID: &id, ThingName: &e.Name, Changes: changes}, err
	})
}

// NoteEndpoint stores how a channel is doing, and reports whether that is news.
// One that was disabled stays so until it is changed. Reason and cure are empty
// while it works.
func (s *Store) NoteEndpoint(ctx context.Context, id uuid.UUID, state models.EndpointState, reason, cure string) (changed bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return false, err
	}
	tag, err := s.pool.Exec(ctx, `UPDATE endpoints SET state = $3, reason = nullif($4, ''), cure = nullif($5, ''), state_at = $6
		WHERE account_id = $1 AND id = $2 AND state <> 'disabled' AND (state, coalesce(reason, ''), coalesce(cure, '')) IS DISTINCT FROM ($3, $4, $5)`,
		acct, id, state, reason, cure, now())
	return err == nil && tag.RowsAffected() > 0, translate("noting how a channel is doing", err)
}

// EndpointsNotSealedWith lists channels of all accounts that another key than
// keyID seals.
func (s *Store) EndpointsNotSealedWith(ctx context.Context, keyID string, after uuid.UUID, limit int) ([]models.Endpoint, error) {
	rows, _ := s.pool.Query(tenant.System(ctx), endpointSQL+`WHERE key_id <> $1 AND id > $2 ORDER BY id LIMIT $3`, keyID, after, limit)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.Endpoint])
	return all, translate("listing channels", err)
}

// ResealEndpoint replaces what e's secrets are sealed in, unless that has
// changed since e was read; then done is false.
func (s *Store) ResealEndpoint(ctx context.Context, e models.Endpoint, keyID string, sealed []byte) (done bool, err error) {
	tag, err := s.pool.Exec(tenant.With(ctx, e.AccountID), `UPDATE endpoints SET sealed = $4, key_id = $5
		WHERE account_id = $1 AND id = $2 AND sealed = $3`, e.AccountID, e.ID, e.Sealed, sealed, keyID)
	return err == nil && tag.RowsAffected() > 0, translate("sealing a channel anew", err)
}
