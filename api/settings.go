package api

import (
	"context"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

var errNotYet = models.Errorf(models.CodeUnavailable, "This is described, and not served yet.")

// CreateUser is not served yet.
func (h handlers) CreateUser(context.Context, gen.CreateUserRequestObject) (gen.CreateUserResponseObject, error) {
	return nil, errNotYet
}

// GetUser is not served yet.
func (h handlers) GetUser(context.Context, gen.GetUserRequestObject) (gen.GetUserResponseObject, error) {
	return nil, errNotYet
}

// SetUser is not served yet.
func (h handlers) SetUser(context.Context, gen.SetUserRequestObject) (gen.SetUserResponseObject, error) {
	return nil, errNotYet
}

// DisableUser is not served yet.
func (h handlers) DisableUser(context.Context, gen.DisableUserRequestObject) (gen.DisableUserResponseObject, error) {
	return nil, errNotYet
}

// EnableUser is not served yet.
func (h handlers) EnableUser(context.Context, gen.EnableUserRequestObject) (gen.EnableUserResponseObject, error) {
	return nil, errNotYet
}

// ListTeams is not served yet.
func (h handlers) ListTeams(context.Context, gen.ListTeamsRequestObject) (gen.ListTeamsResponseObject, error) {
	return nil, errNotYet
}

// CreateTeam is not served yet.
func (h handlers) CreateTeam(context.Context, gen.CreateTeamRequestObject) (gen.CreateTeamResponseObject, error) {
	return nil, errNotYet
}

// SetTeam is not served yet.
func (h handlers) SetTeam(context.Context, gen.SetTeamRequestObject) (gen.SetTeamResponseObject, error) {
	return nil, errNotYet
}

// ListAPIKeys is not served yet.
func (h handlers) ListAPIKeys(context.Context, gen.ListAPIKeysRequestObject) (gen.ListAPIKeysResponseObject, error) {
	return nil, errNotYet
}

// CreateAPIKey is not served yet.
func (h handlers) CreateAPIKey(context.Context, gen.CreateAPIKeyRequestObject) (gen.CreateAPIKeyResponseObject, error) {
	return nil, errNotYet
}

// RevokeAPIKey is not served yet.
func (h handlers) RevokeAPIKey(context.Context, gen.RevokeAPIKeyRequestObject) (gen.RevokeAPIKeyResponseObject, error) {
	return nil, errNotYet
}

// ListAudit is not served yet.
func (h handlers) ListAudit(context.Context, gen.ListAuditRequestObject) (gen.ListAuditResponseObject, error) {
	return nil, errNotYet
}
