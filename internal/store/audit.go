package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/models"
)

// recorded makes a change of ctx's account together with the entry of the audit
// log that tells of it: both or neither. Change returns the entry without who
// and when, or nil when it changed nothing.
func (s *Store) recorded(ctx context.Context, op string, by models.Principal, change func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error)) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	committing := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		entry, err := change(tx, acct)
		if err == nil && entry != nil {
			err = appendAudit(ctx, tx, acct, by, *entry)
		}
		committing = err == nil
		return err
	})
	if err = translate(op, err); committing && models.CodeOf(err) == models.CodeUnavailable {
		return models.Errorf(models.CodeOutcomeUnknown, "The database was lost at the last moment. Look whether it was changed before you change it again.").WithCause(err)
	}
	return err
}

func appendAudit(ctx context.Context, tx pgx.Tx, acct uuid.UUID, by models.Principal, e models.AuditEntry) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	kind := by.Actor
	switch {
	case kind != "":
	case by.APIKeyID != uuid.Nil:
		kind = models.ByAPIKey
	default:
		kind = models.ByUser
	}
	if e.Changes == nil {
		e.Changes = []models.AuditChange{}
	}
	_, err = tx.Exec(ctx, `INSERT INTO audit_log (account_id, id, at, action, actor_kind, actor_id, actor_name, api_key_id, api_key_name,
			thing_id, thing_name, changes, request_id)
		VALUES (@account, @id, @at, @action, @kind, @actor, (SELECT name FROM users WHERE account_id = @account AND id = @actor),
			@key, nullif(@key_name, ''), @thing, @thing_name, @changes, nullif(@request, ''))`,
		pgx.NamedArgs{
			"account": acct, "id": id, "at": now(), "action": e.Action, "kind": kind, "actor": orNull(by.UserID), "key": orNull(by.APIKeyID),
			"key_name": by.APIKeyName, "thing": e.ThingID, "thing_name": e.ThingName, "changes": e.Changes, "request": by.RequestID,
		})
	return err
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// lockAccount lets changes of an account's people, teams and keys pass one
// after the other, so that what they check stays true until they are made. An
// unknown account is [models.CodeNotFound].
func lockAccount(ctx context.Context, tx pgx.Tx, acct uuid.UUID) error {
	tag, err := tx.Exec(ctx, `SELECT FROM accounts WHERE account_id = $1 FOR NO KEY UPDATE`, acct)
	if err == nil && tag.RowsAffected() == 0 {
		return models.Errorf(models.CodeNotFound, "The account does not exist.")
	}
	return err
}

// present is by as the database knows them now, which may be less than a moment
// ago, when the request was let in.
func present(ctx context.Context, tx pgx.Tx, acct uuid.UUID, by models.Principal) (models.Principal, error) {
	if by.UserID == uuid.Nil {
		return by, nil // no user
	}
	var role models.Role
	err := tx.QueryRow(ctx, `SELECT role FROM users WHERE account_id = $1 AND id = $2 AND disabled_at IS NULL
			AND ($3::uuid IS NULL OR EXISTS (SELECT FROM api_keys WHERE account_id = $1 AND id = $3 AND revoked_at IS NULL))`,
		acct, by.UserID, orNull(by.APIKeyID)).Scan(&role)
	if errors.Is(err, pgx.ErrNoRows) {
		return by, models.Errorf(models.CodeForbidden, "Your user was disabled, or your API key revoked, just now.")
	}
	if !role.AtLeast(by.Role) {
		by.Role = role
	}
	return by, err
}

// find reads the row that a statement returns into a T, as [one] does, within a
// transaction.
func find[T any](ctx context.Context, tx pgx.Tx, statement string, args ...any) (T, error) {
	rows, _ := tx.Query(ctx, statement, args...) // its error is that of the rows
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[T])
}

// byTime is where a page of the audit log ends.
type byTime struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

// Audit lists who changed the account's settings, the newest change first.
func (s *Store) Audit(ctx context.Context, f models.AuditFilter, p models.Page) ([]models.AuditEntry, string, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, "", err
	}
	const kind = "audit"
	after, err := decodeCursor[byTime](kind, p.Cursor)
	if err != nil {
		return nil, "", err
	}
	q := s.db.WithContext(ctx).Where("account_id = ?", acct)
	if f.ActorID != nil {
		q = q.Where("actor_id = ?", *f.ActorID)
	}
	if f.Action != "" {
		q = q.Where("action = ?", f.Action)
	}
	if f.Since != nil {
		q = q.Where("at >= ?", *f.Since)
	}
	if f.Until != nil {
		q = q.Where("at < ?", *f.Until)
	}
	if after != nil {
		q = q.Where("(at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.AuditEntry
	if err := q.Order("at DESC, id DESC").Limit(p.Limit + 1).Find(&rows).Error; err != nil {
		return nil, "", translate("reading the audit log", err)
	}
	rows, next := cut(rows, p.Limit, func(r models.AuditEntry) string { return encodeCursor(kind, byTime{r.At, r.ID}) })
	return rows, next, nil
}
