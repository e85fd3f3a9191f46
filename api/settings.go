package api

import (
	"context"
	"io"
	"net/mail"
	"strings"
	"time"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/internal/apikey"
	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/models"
)

// maxAudited bounds how many entries of the audit log are told at once as CSV.
const maxAudited = 10_000

// ListUsers lists the people of the account, or, for admins, all its users.
func (h handlers) ListUsers(ctx context.Context, r gen.ListUsersRequestObject) (gen.ListUsersResponseObject, error) {
	ctx, by := caller(ctx)
	if !deref(r.Params.All) {
		rows, err := h.o.Records.Colleagues(ctx)
		if err != nil {
			return nil, err
		}
		return gen.ListUsers200JSONResponse{NextCursor: nil, Items: convert(rows, colleague)}, nil
	}
	if !by.Role.AtLeast(models.RoleAdmin) {
		return nil, models.Errorf(models.CodeForbidden, "To see all users takes the role %s or a higher one; yours is %s.", models.RoleAdmin, by.Role)
	}
	rows, err := h.o.Records.Users(ctx)
	if err != nil {
		return nil, err
	}
	return gen.ListUsers200JSONResponse{NextCursor: nil, Items: convert(rows, userOf)}, nil
}

// CreateUser adds somebody to the account.
func (h handlers) CreateUser(ctx context.Context, r gen.CreateUserRequestObject) (gen.CreateUserResponseObject, error) {
	ctx, by := caller(ctx)
	body := deref(r.Body)
	u := models.User{
		Kind: models.UserKind(deref(body.Kind)), Email: strings.ToLower(body.Email), Name: strings.TrimSpace(body.Name), Role: models.Role(body.Role), TeamID: body.TeamID,
	}
	var wrong fields
	wrong.line("/name", u.Name)
	if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email {
		wrong.wrong("/email", "must be an e-mail address, such as jo@example.com")
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	made, err := h.o.Records.CreateUser(ctx, by, u)
	if err != nil {
		return nil, err
	}
	return gen.CreateUser201JSONResponse{
		Body: userOf(made), Headers: gen.CreateUser201ResponseHeaders{Location: "/api/v1/users/" + made.ID.String()},
	}, nil
}

// GetUser reads a user of the account.
func (h handlers) GetUser(ctx context.Context, r gen.GetUserRequestObject) (gen.GetUserResponseObject, error) {
	u, err := h.o.Records.UserView(plain(ctx), r.UID)
	if err != nil {
		return nil, err
	}
	return gen.GetUser200JSONResponse(userOf(u)), nil
}

// SetUser changes the name, the role and the team of a user.
func (h handlers) SetUser(ctx context.Context, r gen.SetUserRequestObject) (gen.SetUserResponseObject, error) {
	ctx, by := caller(ctx)
	body := deref(r.Body)
	var wrong fields
	wrong.line("/name", body.Name)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	name, role := strings.TrimSpace(body.Name), models.Role(body.Role)
	u, err := h.o.Records.ChangeUser(ctx, by, r.UID, models.UserChange{Name: &name, Role: &role, Team: &models.TeamChoice{ID: body.TeamID}})
	if err != nil {
		return nil, err
	}
	return gen.SetUser200JSONResponse(userOf(u)), nil
}

// DisableUser lets somebody in no more.
func (h handlers) DisableUser(ctx context.Context, r gen.DisableUserRequestObject) (gen.DisableUserResponseObject, error) {
	ctx, by := caller(ctx)
	u, err := h.o.Records.ChangeUser(ctx, by, r.UID, models.UserChange{Disabled: new(true)})
	if err != nil {
		return nil, err
	}
	return gen.DisableUser200JSONResponse(userOf(u)), nil
}

// EnableUser lets somebody in again.
func (h handlers) EnableUser(ctx context.Context, r gen.EnableUserRequestObject) (gen.EnableUserResponseObject, error) {
	ctx, by := caller(ctx)
	u, err := h.o.Records.ChangeUser(ctx, by, r.UID, models.UserChange{Disabled: new(false)})
	if err != nil {
		return nil, err
	}
	return gen.EnableUser200JSONResponse(userOf(u)), nil
}

// ListTeams lists the account's teams.
func (h handlers) ListTeams(ctx context.Context, _ gen.ListTeamsRequestObject) (gen.ListTeamsResponseObject, error) {
	rows, err := h.o.Records.Teams(plain(ctx))
	if err != nil {
		return nil, err
	}
	return gen.ListTeams200JSONResponse{NextCursor: nil, Items: convert(rows, teamOf)}, nil
}

// CreateTeam adds a team.
func (h handlers) CreateTeam(ctx context.Context, r gen.CreateTeamRequestObject) (gen.CreateTeamResponseObject, error) {
	ctx, by := caller(ctx)
	name, err := teamName(r.Body)
	if err != nil {
		return nil, err
	}
	made, err := h.o.Records.CreateTeam(ctx, by, name)
	if err != nil {
		return nil, err
	}
	return gen.CreateTeam201JSONResponse(teamOf(made)), nil
}

// SetTeam renames a team.
func (h handlers) SetTeam(ctx context.Context, r gen.SetTeamRequestObject) (gen.SetTeamResponseObject, error) {
	ctx, by := caller(ctx)
	name, err := teamName(r.Body)
	if err != nil {
		return nil, err
	}
	is, err := h.o.Records.RenameTeam(ctx, by, r.Tid, name)
	if err != nil {
		return nil, err
	}
	return gen.SetTeam200JSONResponse(teamOf(is)), nil
}

func teamName(body *gen.NewTeam) (string, error) {
	name := deref(body).Name
	var wrong fields
	wrong.line("/name", name)
	return strings.TrimSpace(name), wrong.err()
}

// ListAPIKeys lists the account's keys.
func (h handlers) ListAPIKeys(ctx context.Context, _ gen.ListAPIKeysRequestObject) (gen.ListAPIKeysResponseObject, error) {
	rows, err := h.o.Records.APIKeys(plain(ctx))
	if err != nil {
		return nil, err
	}
	return gen.ListAPIKeys200JSONResponse{NextCursor: nil, Items: convert(rows, apiKey)}, nil
}

// CreateAPIKey makes a key, and tells it this once.
func (h handlers) CreateAPIKey(ctx context.Context, r gen.CreateAPIKeyRequestObject) (gen.CreateAPIKeyResponseObject, error) {
	ctx, by := caller(ctx)
	body := deref(r.Body)
	var wrong fields
	wrong.line("/name", body.Name)
	if body.ExpiresAt != nil && !body.ExpiresAt.After(time.Now()) {
		wrong.wrong("/expires_at", "must be in the future")
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	key := apikey.New()
	hash := key.Hash()
	made, err := h.o.Records.CreateAPIKey(ctx, by, models.APIKey{
		UserID: deref(body.UserID), Name: strings.TrimSpace(body.Name), Prefix: key.Shown(), Hash: hash[:], Role: models.Role(body.Role), ExpiresAt: body.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	answer := apiKey(made)
	answer.Key = new(key.Reveal())
	return gen.CreateAPIKey201JSONResponse(answer), nil
}

// RevokeAPIKey ends a key.
func (h handlers) RevokeAPIKey(ctx context.Context, r gen.RevokeAPIKeyRequestObject) (gen.RevokeAPIKeyResponseObject, error) {
	ctx, by := caller(ctx)
	if err := h.o.Records.RevokeAPIKey(ctx, by, r.Kid); err != nil {
		return nil, err
	}
	return gen.RevokeAPIKey204Response{}, nil
}

// ListAudit tells who changed what.
func (h handlers) ListAudit(ctx context.Context, r gen.ListAuditRequestObject) (gen.ListAuditResponseObject, error) {
	p, err := page(r.Params.Cursor, r.Params.Limit, nil)
	if err != nil {
		return nil, err
	}
	f := models.AuditFilter{
		ActorID: r.Params.Actor, Action: models.AuditAction(deref(r.Params.Action)), Since: utc(r.Params.Since), Until: utc(r.Params.Until),
	}
	csv := asCSV(r.Params.Format, r.Params.Accept)
	if csv {
		p = models.Page{Cursor: "", Limit: maxAudited}
	}
	rows, next, err := h.o.Records.Audit(plain(ctx), f, p)
	if err != nil {
		return nil, err
	}
	if !csv {
		return gen.ListAudit200JSONResponse{Items: convert(rows, auditEntry), NextCursor: orNull(next)}, nil
	}
	if next != "" {
		return nil, models.Errorf(models.CodeInvalid, "There are more than %d entries. Ask for a shorter time, with since and until.", maxAudited)
	}
	text, err := table(func(to io.Writer) error { return audit.WriteCSV(to, rows) })
	return gen.ListAudit200TextCsvResponse{Body: text, ContentLength: int64(text.Len())}, err
}

func colleague(c models.Colleague) gen.User {
	return gen.User{
		ID: c.ID, Kind: gen.UserKindPerson, Name: c.Name, Role: gen.Role(c.Role), TeamID: c.TeamID, TeamName: c.TeamName,
		Email: nil, SignedIn: nil, DisabledAt: nil,
	}
}

func userOf(u models.UserView) gen.User {
	return gen.User{
		ID: u.ID, Kind: gen.UserKind(u.Kind), Name: u.Name, Role: gen.Role(u.Role), TeamID: u.TeamID, TeamName: u.TeamName,
		Email: &u.Email, SignedIn: new(u.Subject != nil), DisabledAt: utc(u.DisabledAt),
	}
}

func teamOf(t models.TeamView) gen.Team {
	return gen.Team{ID: t.ID, Name: t.Name, Members: t.Members, CreatedAt: t.CreatedAt.UTC()}
}

func apiKey(k models.APIKeyView) gen.APIKey {
	return gen.APIKey{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Key: nil, UserID: k.UserID, UserName: k.UserName, Role: gen.Role(k.Role),
		CreatedAt: k.CreatedAt.UTC(), CreatedBy: k.CreatedBy, CreatedByName: k.CreatedByName, ExpiresAt: utc(k.ExpiresAt), LastUsedAt: utc(k.LastUsedAt),
	}
}

func auditEntry(e models.AuditEntry) gen.AuditEntry {
	return gen.AuditEntry{
		ID: e.ID, At: e.At.UTC(), Action: gen.AuditAction(e.Action), ActorKind: gen.AuditEntryActorKind(e.ActorKind), ActorID: e.ActorID, ActorName: e.ActorName,
		APIKeyID: e.APIKeyID, APIKeyName: e.APIKeyName, ThingID: e.ThingID, ThingName: e.ThingName, RequestID: e.RequestID,
		Changes: convert(e.Changes, func(c models.AuditChange) gen.AuditChange {
			return gen.AuditChange{Field: c.Field, Secret: c.Secret, Before: c.Before, After: c.After}
		}),
	}
}
