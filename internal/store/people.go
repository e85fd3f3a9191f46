package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

const foreignKeyViolation = "23503"

var (
	errTeamNotFound   = models.Errorf(models.CodeNotFound, "Team not found")
	errAPIKeyNotFound = models.Errorf(models.CodeNotFound, "API key not found")
)

const userSQL = `SELECT u.*, t.name AS team_name FROM users u
	LEFT JOIN teams t ON t.account_id = u.account_id AND t.id = u.team_id WHERE u.account_id = $1 `

// Users lists all users of ctx's account, by name: people and integrations,
// disabled or not.
func (s *Store) Users(ctx context.Context) ([]models.UserView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, userSQL+`ORDER BY lower(u.name), u.id`, acct) // its error is that of the rows
	users, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.UserView])
	return users, translate("listing users", err)
}

// UserView returns a user of ctx's account.
func (s *Store) UserView(ctx context.Context, id uuid.UUID) (models.UserView, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.UserView{}, err
	}
	u, err := one[models.UserView](ctx, s, userSQL+`AND u.id = $2`, acct, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return u, errUserNotFound
	}
	return u, translate("reading a user", err)
}

// userFacts are what the audit log tells of a user.
func userFacts(u models.UserView) any {
	return map[string]any{
		"kind": u.Kind, "email": u.Email, "name": u.Name, "role": u.Role, "team": u.TeamName, "disabled": u.DisabledAt != nil,
	}
}

// CreateUser adds a user to ctx's account, if by may ([models.MayAddUser]). One
// with the same subject or e-mail address is [models.CodeConflict], a team that
// the account does not have [models.CodeInvalid], an unknown account
// [models.CodeNotFound].
func (s *Store) CreateUser(ctx context.Context, by models.Principal, u models.User) (models.UserView, error) {
	var view models.UserView
	id, err := uuid.NewV7()
	if err != nil {
		return view, err
	}
	if u.ID == uuid.Nil {
		u.ID = id
	}
	if u.Kind == "" {
		u.Kind = models.UserPerson
	}
	// Lower case is how addresses are stored: comparing lower(email) could not
	// use an index under row-level security.
	u.Email = strings.ToLower(u.Email)
	err = s.recorded(ctx, "adding a user", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		by, err := enter(ctx, tx, acct, by)
		if err != nil {
			return nil, err
		}
		if err := models.MayAddUser(by, u); err != nil {
			return nil, err
		}
		u.AccountID, u.CreatedAt = acct, now()
		u.UpdatedAt = u.CreatedAt
		teamName, err := teamName(ctx, tx, acct, u.TeamID)
		if err != nil {
			return nil, err
		}
		view = models.UserView{User: u, TeamName: teamName}
		_, err = tx.Exec(ctx, `INSERT INTO users (account_id, id, kind, team_id, subject, email, name, role, disabled_at, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`, acct, u.ID, u.Kind, u.TeamID, u.Subject, u.Email, u.Name, u.Role, u.DisabledAt, u.CreatedAt)
		if violates(err, "users_account_email") || violates(err, "users_subject") || violates(err, "users_pkey") {
			err = models.Errorf(models.CodeConflict, "The account already has a user with this e-mail address or subject.")
		}
		if err != nil {
			return nil, err
		}
		changes, err := audit.Diff(nil, userFacts(view))
		return &models.AuditEntry{Action: models.AuditUserCreate, ThingID: &u.ID, ThingName: &u.Name, Changes: changes}, err
	})
	return view, err
}

// ChangeUser changes a user of ctx's account, if by may
// ([models.MayChangeUser]). A team that the account does not have is
// [models.CodeInvalid].
func (s *Store) ChangeUser(ctx context.Context, by models.Principal, id uuid.UUID, c models.UserChange) (models.UserView, error) {
	var view models.UserView
	err := s.recorded(ctx, "changing a user", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		by, err := enter(ctx, tx, acct, by)
		if err != nil {
			return nil, err
		}
		was, err := find[models.UserView](ctx, tx, userSQL+`AND u.id = $2`, acct, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, errUserNotFound
		}
		if err != nil {
			return nil, err
		}
		var owners int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM users WHERE account_id = $1 AND role = 'owner' AND disabled_at IS NULL AND id <> $2`,
			acct, id).Scan(&owners); err != nil {
			return nil, err
		}
		at := now()
		becomes := c.Apply(was.User, at)
		if err := models.MayChangeUser(by, was.User, becomes, owners); err != nil {
			return nil, err
		}
		view = models.UserView{User: becomes, TeamName: was.TeamName}
		if c.Team != nil {
			if view.TeamName, err = teamName(ctx, tx, acct, becomes.TeamID); err != nil {
				return nil, err
			}
		}
		changes, err := audit.Diff(userFacts(was), userFacts(view))
		if sameTeam := (was.TeamID == nil) == (becomes.TeamID == nil) && (was.TeamID == nil || *was.TeamID == *becomes.TeamID); err != nil || len(changes) == 0 && sameTeam {
			return nil, err
		}
		view.UpdatedAt = at
		_, err = tx.Exec(ctx, `UPDATE users SET name = $3, role = $4, team_id = $5, disabled_at = $6, updated_at = $7 WHERE account_id = $1 AND id = $2`,
			acct, id, becomes.Name, becomes.Role, becomes.TeamID, becomes.DisabledAt, at)
		action := models.AuditUserSet
		if len(changes) == 1 && changes[0].Field == "disabled" {
			action = models.AuditUserEnable
			if becomes.DisabledAt != nil {
				action = models.AuditUserDisable
			}
		}
		return &models.AuditEntry{Action: action, ThingID: &id, ThingName: &becomes.Name, Changes: changes}, err
	})
	return view, err
}

// enter is how changes of people, teams and keys begin: one at a time, by
// somebody who still may.
func enter(ctx context.Context, tx pgx.Tx, acct uuid.UUID, by models.Principal) (models.Principal, error) {
	if err := lockAccount(ctx, tx, acct); err != nil {
		return by, err
	}
	return present(ctx, tx, acct, by)
}

// teamName is the name of a team of the account, or nil for none.
func teamName(ctx context.Context, tx pgx.Tx, acct uuid.UUID, id *uuid.UUID) (*string, error) {
	if id == nil {
		return nil, nil
	}
	var name string
	err := tx.QueryRow(ctx, `SELECT name FROM teams WHERE account_id = $1 AND id = $2`, acct, *id).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		e := models.Errorf(models.CodeInvalid, "The account does not have this team.")
		e.Fields = []models.FieldError{{Field: "/team_id", Message: "is not a team of this account"}}
		return nil, e
	}
	return &name, err
}

// CreateAccount adds an account.
func (s *Store) CreateAccount(ctx context.Context, by models.Principal, a models.Account) error {
	return s.recorded(tenant.With(ctx, a.ID), "adding an account", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		if _, err := tx.Exec(ctx, `INSERT INTO accounts (account_id, name, created_at) VALUES ($1, $2, $3)`, acct, a.Name, now()); err != nil {
			return nil, err
		}
		changes, err := audit.Diff(nil, map[string]any{"name": a.Name})
		return &models.AuditEntry{Action: models.AuditAccountCreate, ThingName: &a.Name, Changes: changes}, err
	})
}

const teamSQL = `SELECT t.*, (SELECT count(*) FROM users u WHERE u.account_id = t.account_id AND u.team_id = t.id
		AND u.kind = 'person' AND u.disabled_at IS NULL) AS members
	FROM teams t WHERE t.account_id = $1 `

// Teams lists the teams of ctx's account, by name.
func (s *Store) Teams(ctx context.Context) ([]models.TeamView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, teamSQL+`ORDER BY lower(t.name), t.id`, acct) // its error is that of the rows
	teams, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.TeamView])
	return teams, translate("listing teams", err)
}

// CreateTeam adds a team to ctx's account. Another one of this name, whatever
// the case, is [models.CodeConflict].
func (s *Store) CreateTeam(ctx context.Context, by models.Principal, name string) (models.TeamView, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return models.TeamView{}, err
	}
	return s.saveTeam(ctx, by, id, name, models.AuditTeamCreate)
}

// RenameTeam gives a team of ctx's account another name. Another one of this
// name, whatever the case, is [models.CodeConflict].
func (s *Store) RenameTeam(ctx context.Context, by models.Principal, id uuid.UUID, name string) (models.TeamView, error) {
	return s.saveTeam(ctx, by, id, name, models.AuditTeamSet)
}

func (s *Store) saveTeam(ctx context.Context, by models.Principal, id uuid.UUID, name string, action models.AuditAction) (models.TeamView, error) {
	var team models.TeamView
	err := s.recorded(ctx, "storing a team", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		if _, err := enter(ctx, tx, acct, by); err != nil {
			return nil, err
		}
		var before any
		was, err := find[models.TeamView](ctx, tx, teamSQL+`AND t.id = $2`, acct, id)
		switch {
		case err == nil:
			before = map[string]any{"name": was.Name}
		case !errors.Is(err, pgx.ErrNoRows):
			return nil, err
		case action == models.AuditTeamSet:
			return nil, errTeamNotFound
		}
		var taken bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM teams WHERE account_id = $1 AND lower(name) = lower($2) AND id <> $3)`,
			acct, name, id).Scan(&taken); err != nil {
			return nil, err
		}
		if taken {
			return nil, models.Errorf(models.CodeConflict, "Another team of the account has this name. Choose another one.")
		}
		if _, err := tx.Exec(ctx, `INSERT INTO teams (account_id, id, name, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account_id, id) DO UPDATE SET name = EXCLUDED.name`, acct, id, name, now()); err != nil {
			return nil, err
		}
		if team, err = find[models.TeamView](ctx, tx, teamSQL+`AND t.id = $2`, acct, id); err != nil {
			return nil, err
		}
		changes, err := audit.Diff(before, map[string]any{"name": name})
		if err != nil || len(changes) == 0 {
			return nil, err
		}
		return &models.AuditEntry{Action: action, ThingID: &id, ThingName: &name, Changes: changes}, nil
	})
	return team, err
}

const keySQL = `SELECT k.*, u.name AS user_name, c.name AS created_by_name FROM api_keys k
	JOIN users u ON u.account_id = k.account_id AND u.id = k.user_id
	LEFT JOIN users c ON c.account_id = k.account_id AND c.id = k.created_by
	WHERE k.account_id = $1 AND k.revoked_at IS NULL `

// APIKeys lists the keys of ctx's account that are not revoked, by name.
func (s *Store) APIKeys(ctx context.Context) ([]models.APIKeyView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, keySQL+`ORDER BY lower(k.name)`, acct) // its error is that of the rows
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.APIKeyView])
	return keys, translate("listing API keys", err)
}

// keyFacts are what the audit log tells of a key.
func keyFacts(k models.APIKeyView) any {
	return map[string]any{"name": k.Name, "prefix": k.Prefix, "user": k.UserName, "role": k.Role, "expires_at": k.ExpiresAt}
}

// CreateAPIKey adds a key of ctx's account, if by may ([models.MayMakeAPIKey]).
// Without a user it acts as by. One of the same name, or one too many, is
// [models.CodeConflict]; a user whom the account does not have is
// [models.CodeInvalid].
func (s *Store) CreateAPIKey(ctx context.Context, by models.Principal, k models.APIKey) (models.APIKeyView, error) {
	var view models.APIKeyView
	id, err := uuid.NewV7()
	if err != nil {
		return view, err
	}
	k.ID, k.CreatedBy = id, by.UserID
	if k.UserID == uuid.Nil {
		k.UserID = by.UserID
	}
	err = s.recorded(ctx, "making an API key", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		by, err := enter(ctx, tx, acct, by)
		if err != nil {
			return nil, err
		}
		user, err := find[models.UserView](ctx, tx, userSQL+`AND u.id = $2`, acct, k.UserID)
		if errors.Is(err, pgx.ErrNoRows) {
			e := models.Errorf(models.CodeInvalid, "The account does not have this user.")
			e.Fields = []models.FieldError{{Field: "/user_id", Message: "is not a user of this account"}}
			return nil, e
		}
		if err != nil {
			return nil, err
		}
		if err := models.MayMakeAPIKey(by, user.User, k.Role); err != nil {
			return nil, err
		}
		var keys int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL`, acct).Scan(&keys); err != nil {
			return nil, err
		}
		if keys >= models.MaxAPIKeys {
			return nil, models.Errorf(models.CodeConflict, "The account has %d API keys, which is the most. Revoke one that is not needed any more.", keys)
		}
		_, err = tx.Exec(ctx, `INSERT INTO api_keys (account_id, id, user_id, name, prefix, hash, role, expires_at, created_at, created_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, acct, k.ID, k.UserID, k.Name, k.Prefix, k.Hash, k.Role, k.ExpiresAt, now(), by.UserID)
		if violates(err, "api_keys_name") {
			err = models.Errorf(models.CodeConflict, "Another API key of the account has this name. Choose another one, or revoke that one first.")
		}
		if err != nil {
			return nil, err
		}
		if view, err = find[models.APIKeyView](ctx, tx, keySQL+`AND k.id = $2`, acct, k.ID); err != nil {
			return nil, err
		}
		changes, err := audit.Diff(nil, keyFacts(view))
		return &models.AuditEntry{Action: models.AuditAPIKeyCreate, ThingID: &k.ID, ThingName: &k.Name, Changes: changes}, err
	})
	return view, err
}

// RevokeAPIKey ends a key of ctx's account for good.
func (s *Store) RevokeAPIKey(ctx context.Context, by models.Principal, id uuid.UUID) error {
	return s.recorded(ctx, "revoking an API key", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		if _, err := enter(ctx, tx, acct, by); err != nil {
			return nil, err
		}
		k, err := find[models.APIKeyView](ctx, tx, keySQL+`AND k.id = $2`, acct, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, errAPIKeyNotFound
		}
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, `UPDATE api_keys SET revoked_at = $3 WHERE account_id = $1 AND id = $2`, acct, id, now()); err != nil {
			return nil, err
		}
		changes, err := audit.Diff(keyFacts(k), nil)
		return &models.AuditEntry{Action: models.AuditAPIKeyRevoke, ThingID: &id, ThingName: &k.Name, Changes: changes}, err
	})
}

// usedEvery is how exactly it is known when a key was last used.
const usedEvery = time.Minute

// UserByAPIKey finds the key with a hash, revoked or not, and its user, in any
// account, and notes that it is used.
func (s *Store) UserByAPIKey(ctx context.Context, hash []byte) (models.APIKey, models.User, error) {
	ctx = tenant.System(ctx)
	keys, _ := s.pool.Query(ctx, `SELECT * FROM api_keys WHERE hash = $1`, hash) // its error is that of the rows
	k, err := pgx.CollectExactlyOneRow(keys, pgx.RowToStructByNameLax[models.APIKey])
	if errors.Is(err, pgx.ErrNoRows) {
		return k, models.User{}, errAPIKeyNotFound
	}
	if err != nil {
		return k, models.User{}, translate("looking up an API key", err)
	}
	user, err := one[models.User](ctx, s, `SELECT * FROM users WHERE account_id = $1 AND id = $2`, k.AccountID, k.UserID)
	if err != nil {
		return k, user, translate("looking up the user of an API key", err)
	}
	at := now()
	if k.LastUsedAt == nil || k.LastUsedAt.Before(at.Add(-usedEvery)) {
		// Whether it can be noted decides nothing: the database may be read-only.
		_, _ = s.pool.Exec(ctx, `UPDATE api_keys SET last_used_at = $3 WHERE account_id = $1 AND id = $2 AND revoked_at IS NULL
			AND (last_used_at IS NULL OR last_used_at < $4)`, k.AccountID, k.ID, at, at.Add(-usedEvery))
	}
	return k, user, nil
}
