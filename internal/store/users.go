package store

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

var errUserNotFound = models.Errorf(models.CodeNotFound, "User not found")

// UserBySubject finds the user who signs in with the subject of a token.
func (s *Store) UserBySubject(ctx context.Context, subject string) (models.User, error) {
	var user models.User
	err := s.db.WithContext(tenant.System(ctx)).Where("subject = ?", subject).Take(&user).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return user, errUserNotFound
	}
	return user, translate("looking up a user", err)
}

// UserByEmail finds the one user with an e-mail address, in ctx's account if it
// has one. It fails with [models.CodeConflict] when several accounts have one.
func (s *Store) UserByEmail(ctx context.Context, email string) (models.User, error) {
	if tenant.From(ctx).Account == uuid.Nil {
		ctx = tenant.System(ctx)
	}
	return userByEmail(s.db.WithContext(ctx), email)
}

func userByEmail(tx *gorm.DB, email string) (models.User, error) {
	var users []models.User
	if err := tx.Where("email = ?", strings.ToLower(email)).Limit(2).Find(&users).Error; err != nil {
		return models.User{}, translate("looking up a user", err)
	}
	switch len(users) {
	case 0:
		return models.User{}, errUserNotFound
	case 1:
		return users[0], nil
	}
	return models.User{}, models.Errorf(models.CodeConflict, "Several accounts have a user with this e-mail address; say which account is meant.")
}

// LinkUser gives the user who was invited by e-mail address, and has not
// signed in yet, the subject that they sign in with from now on.
func (s *Store) LinkUser(ctx context.Context, email, subject string) (models.User, error) {
	var user models.User
	err := s.transaction(tenant.System(ctx), "linking a user", func(tx *gorm.DB) error {
		var err error
		if user, err = userByEmail(tx.Where("subject IS NULL AND kind = 'person'"), email); err != nil {
			return err
		}
		user.Subject, user.UpdatedAt = &subject, now()
		res := tx.Model(&models.User{}).Where("account_id = ? AND id = ? AND subject IS NULL AND kind = 'person'", user.AccountID, user.ID).
			Updates(map[string]any{"subject": subject, "updated_at": user.UpdatedAt})
		if res.Error == nil && res.RowsAffected == 0 {
			return errUserNotFound // somebody else was linked meanwhile
		}
		return res.Error
	})
	return user, err
}

// ProvisionUser adds a user by itself; one with the same subject or e-mail
// address in the account is [models.CodeConflict], an unknown account is
// [models.CodeNotFound].
func (s *Store) ProvisionUser(ctx context.Context, user models.User) (models.User, error) {
	by := models.Principal{AccountID: user.AccountID, Role: models.RoleOwner, Actor: models.BySystem}
	view, err := s.CreateUser(tenant.With(ctx, user.AccountID), by, user)
	return view.User, err
}

// EnsureAccount makes sure that an account with this id exists.
func (s *Store) EnsureAccount(ctx context.Context, a models.Account) error {
	a.CreatedAt = now()
	err := s.db.WithContext(tenant.With(ctx, a.ID)).Clauses(clause.OnConflict{DoNothing: true}).Create(&a).Error
	return translate("adding an account", err)
}

// EnsureTeam makes sure that a team with this id exists.
func (s *Store) EnsureTeam(ctx context.Context, t models.Team) error {
	t.CreatedAt = now()
	err := s.db.WithContext(tenant.With(ctx, t.AccountID)).Clauses(clause.OnConflict{DoNothing: true}).Create(&t).Error
	return translate("adding a team", err)
}

// Accounts lists every account, by name.
func (s *Store) Accounts(ctx context.Context) ([]models.Account, error) {
	var rows []models.Account
	err := s.db.WithContext(tenant.System(ctx)).Order("name, account_id").Find(&rows).Error
	return rows, translate("listing accounts", err)
}

// Colleagues lists the people of ctx's account who are not disabled, by name.
func (s *Store) Colleagues(ctx context.Context) ([]models.Colleague, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows := []models.Colleague{}
	err = s.db.WithContext(ctx).Raw(`SELECT u.id, u.name, u.role, u.team_id, t.name AS team_name
		FROM users u LEFT JOIN teams t ON t.account_id = u.account_id AND t.id = u.team_id
		WHERE u.account_id = ? AND u.kind = 'person' AND u.disabled_at IS NULL ORDER BY lower(u.name), u.id`, acct).Scan(&rows).Error
	return rows, translate("listing users", err)
}
