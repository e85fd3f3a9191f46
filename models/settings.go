package models

import (
	"time"

	"github.com/google/uuid"
)

// UserKind says whether a user is somebody.
type UserKind string

// The kinds of users.
const (
	UserPerson  UserKind = "person"  // signs in
	UserService UserKind = "service" // an integration, which acts by API keys alone
)

// MaxAPIKeys is how many keys an account may have that are not revoked.
const MaxAPIKeys = 100

// UserView is a user with the name of their team.
type UserView struct {
	User
	TeamName *string
}

// UserChange is what becomes of a user; what is nil stays as it is.
type UserChange struct {
	Name     *string
	Role     *Role
	Team     *TeamChoice
	Disabled *bool
}

// TeamChoice is a team, or none.
type TeamChoice struct{ ID *uuid.UUID }

// Apply returns the user as they are after a change at a time.
func (c UserChange) Apply(u User, at time.Time) User {
	if c.Name != nil {
		u.Name = *c.Name
	}
	if c.Role != nil {
		u.Role = *c.Role
	}
	if c.Team != nil {
		u.TeamID = c.Team.ID
	}
	switch {
	case c.Disabled == nil || *c.Disabled == (u.DisabledAt != nil):
	case *c.Disabled:
		u.DisabledAt = &at
	default:
		u.DisabledAt = nil
	}
	return u
}

// MayAddUser refuses, with [CodeForbidden] or [CodeInvalid], a user whom by may
// not add.
func MayAddUser(by Principal, u User) error {
	if !by.Role.AtLeast(RoleAdmin) {
		return errAdminsOnly
	}
	if u.Kind == UserService && u.Role == RoleOwner {
		return serviceOwner()
	}
	if u.Role == RoleOwner && by.Role != RoleOwner {
		return Errorf(CodeForbidden, "Only an owner makes somebody an owner.")
	}
	return nil
}

// MayChangeUser refuses, with [CodeForbidden], [CodeInvalid] or [CodeConflict],
// a change of a user that by may not make, or that would leave an account
// without an owner. OtherOwners is how many owners beside them may sign in.
func MayChangeUser(by Principal, was, becomes User, otherOwners int) error {
	self := by.Actor == "" && by.UserID == was.ID
	lower := !becomes.Role.AtLeast(was.Role)
	disables := was.DisabledAt == nil && becomes.DisabledAt != nil
	switch {
	case !by.Role.AtLeast(RoleAdmin):
		return errAdminsOnly
	case was.Role == RoleOwner && by.Role != RoleOwner:
		return Errorf(CodeForbidden, "Only an owner changes an owner.")
	case becomes.Kind == UserService && becomes.Role == RoleOwner:
		return serviceOwner()
	case becomes.Role == RoleOwner && by.Role != RoleOwner:
		return Errorf(CodeForbidden, "Only an owner makes somebody an owner.")
	case self && lower:
		return Errorf(CodeForbidden, "Nobody lowers their own role. Somebody else has to.")
	case self && disables:
		return Errorf(CodeForbidden, "Nobody disables themselves. Somebody else has to.")
	case was.Role == RoleOwner && was.DisabledAt == nil && (lower || disables) && otherOwners == 0:
		return Errorf(CodeConflict, "This is the last owner who may sign in. Make somebody else an owner first.")
	}
	return nil
}

var errAdminsOnly = Errorf(CodeForbidden, "This takes the role %s or a higher one.", RoleAdmin)

func serviceOwner() *Error {
	e := Errorf(CodeInvalid, "An integration is at most an admin.")
	e.Fields = []FieldError{{Field: "/role", Message: "is too high for an integration, which is at most an admin"}}
	return e
}

// TeamView is a team with how many people are in it who may sign in.
type TeamView struct {
	Team
	Members int
}

// APIKey is a key by which a script acts as a user.
type APIKey struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	UserID    uuid.UUID
	Name      string
	// Prefix is how the key begins, and Hash the SHA-256 of all of it.
	Prefix string
	Hash   []byte
	// Role is what it may do at most: never more than its user.
	Role       Role
	ExpiresAt  *time.Time
	LastUsedAt *time.Time
	CreatedAt  time.Time
	CreatedBy  uuid.UUID
	RevokedAt  *time.Time
}

// APIKeyView is a key with names.
type APIKeyView struct {
	APIKey
	UserName      string
	CreatedByName *string
}

// MayMakeAPIKey refuses, with [CodeForbidden], [CodeInvalid] or [CodeConflict],
// a key that by may not make. It acts as its maker or as an integration: nobody
// acts in a colleague's name.
func MayMakeAPIKey(by Principal, u User, role Role) error {
	switch {
	case !by.Role.AtLeast(RoleAdmin):
		return errAdminsOnly
	case u.Kind != UserService && u.ID != by.UserID:
		return Errorf(CodeForbidden, "A key acts as you or as an integration, and not as somebody else.")
	case u.DisabledAt != nil:
		return Errorf(CodeConflict, "The integration is disabled. Enable it first.")
	case !role.Valid() || role == RoleOwner || !u.Role.AtLeast(role):
		e := Errorf(CodeInvalid, "The role of a key is at most its user's, and at most admin.")
		e.Fields = []FieldError{{Field: "/role", Message: "is higher than that of the key's user, which is " + string(u.Role)}}
		return e
	}
	return nil
}

// ActorKind says who changed a setting.
type ActorKind string

// The kinds of actors.
const (
	ByUser     ActorKind = "user"
	ByAPIKey   ActorKind = "api_key"
	ByOperator ActorKind = "operator" // on the server's command line
	BySystem   ActorKind = "system"
)

// AuditAction says what was done, to what.
type AuditAction string

// The actions.
const (
	AuditAccountCreate       AuditAction = "account.create"
	AuditUserCreate          AuditAction = "user.create"
	AuditUserSet             AuditAction = "user.set"
	AuditUserDisable         AuditAction = "user.disable"
	AuditUserEnable          AuditAction = "user.enable"
	AuditTeamCreate          AuditAction = "team.create"
	AuditTeamSet             AuditAction = "team.set"
	AuditAPIKeyCreate        AuditAction = "api_key.create"
	AuditAPIKeyRevoke        AuditAction = "api_key.revoke"
	AuditPSAConnectionSet    AuditAction = "psa_connection.set"
	AuditPSAConnectionDelete AuditAction = "psa_connection.delete"
	AuditChannelCreate       AuditAction = "channel.create"
	AuditChannelSet          AuditAction = "channel.set"
	AuditChannelDelete       AuditAction = "channel.delete"
	AuditLadderSet           AuditAction = "ladder.set"
	AuditBriefingSettingsSet AuditAction = "briefing_settings.set"
)

// AuditEntry is one change of an account's settings. It is final.
type AuditEntry struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	ID        uuid.UUID `gorm:"primaryKey"`
	At        time.Time
	Action    AuditAction
	ActorKind ActorKind
	// ActorID is the user, and of a key whom it acts as. Names are those of the
	// time.
	ActorID    *uuid.UUID
	ActorName  *string
	APIKeyID   *uuid.UUID `gorm:"column:api_key_id"`
	APIKeyName *string    `gorm:"column:api_key_name"`
	// ThingID and ThingName are of what was changed, if there is more than one of
	// its kind.
	ThingID   *uuid.UUID
	ThingName *string
	Changes   []AuditChange `gorm:"serializer:json"`
	RequestID *string
}

// TableName is named after what it holds.
func (AuditEntry) TableName() string { return "audit_log" }

// AuditChange is one field that was changed. Of a secret, nothing is told but
// that it was.
type AuditChange struct {
	Field  string  `json:"field"`
	Secret bool    `json:"secret"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// AuditFilter narrows the audit log. Zero values filter nothing.
type AuditFilter struct {
	ActorID *uuid.UUID
	Action  AuditAction
	Since   *time.Time
	Until   *time.Time
}
