package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/doors"
	port "github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/models"
)

// Authenticator finds out who a bearer token stands for. It fails with
// [models.CodeUnauthenticated] when the token proves nobody,
// [models.CodeForbidden] when it proves somebody without an account, and
// [models.CodeUnavailable] when that cannot be told now.
type Authenticator interface {
	Authenticate(ctx context.Context, bearer string) (models.Principal, error)
}

// Sessions finds out who the session cookie of a browser stands for. Without
// such a cookie it finds nobody; otherwise it fails as an [Authenticator] does.
type Sessions interface {
	Resume(ctx context.Context, h http.Header) (by models.Principal, found bool, err error)
}

// Handoffs decides about handoffs. Every decision is durable and visible to
// reads when a call returns without error.
type Handoffs interface {
	Create(ctx context.Context, by models.Principal, req models.NewHandoff) (models.HandoffView, error)
	Transition(ctx context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error)
	// RetryPSA has the ticket told again of what failed. It does not wait for
	// the outcome. Without a failure it fails with [models.CodeConflict].
	RetryPSA(ctx context.Context, by models.Principal, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	// RenewBriefing has an open handoff briefed again. It does not wait for the
	// outcome.
	RenewBriefing(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	// RetryDelivery has a failed notification sent again. It does not wait for the
	// outcome. Without a failure it fails with [models.CodeConflict].
	RetryDelivery(ctx context.Context, by models.Principal, sessionID, handoffID, id uuid.UUID) (models.Delivery, error)
	// TellRecipient has it decided anew what a recipient is told, and when.
	TellRecipient(ctx context.Context, account uuid.UUID, recipient string) error
	// StepsAdded is told of a session that has more steps than before.
	StepsAdded(ctx context.Context, s models.Session)
}

// Records reads what is stored, and writes what no workflow guards. The
// account comes from the context (package tenant).
type Records interface {
	CreateSession(ctx context.Context, by models.Principal, s models.NewSession) (models.Session, error)
	AppendSteps(ctx context.Context, by models.Principal, sessionID uuid.UUID, steps []models.Step) (models.Session, error)
	Session(ctx context.Context, id uuid.UUID) (models.Session, error)
	Steps(ctx context.Context, sessionID uuid.UUID) ([]models.Step, error)
	Sessions(ctx context.Context, f models.SessionFilter, p models.Page) (rows []models.Session, next string, err error)
	Handoff(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error)
	SessionHandoffs(ctx context.Context, sessionID uuid.UUID, p models.Page) (rows []models.HandoffView, next string, err error)
	Queue(ctx context.Context, f models.QueueFilter, p models.Page) (rows []models.HandoffView, next string, err error)
	Timeline(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.TimelineView, error)
	// Colleagues are the people of the account who may sign in, by name.
	Colleagues(ctx context.Context) ([]models.Colleague, error)
	BriefingRecords
	LadderRecords
	NotificationRecords
	SettingsRecords
	PresenceRecords
}

// SettingsRecords is what is stored of the account's people, teams and API keys,
// and of who changed what. They decide who may ([models.MayChangeUser] and its
// like).
type SettingsRecords interface {
	// Users are all of them: people and integrations, disabled or not.
	Users(ctx context.Context) ([]models.UserView, error)
	UserView(ctx context.Context, id uuid.UUID) (models.UserView, error)
	CreateUser(ctx context.Context, by models.Principal, u models.User) (models.UserView, error)
	ChangeUser(ctx context.Context, by models.Principal, id uuid.UUID, c models.UserChange) (models.UserView, error)
	Teams(ctx context.Context) ([]models.TeamView, error)
	CreateTeam(ctx context.Context, by models.Principal, name string) (models.TeamView, error)
	RenameTeam(ctx context.Context, by models.Principal, id uuid.UUID, name string) (models.TeamView, error)
	APIKeys(ctx context.Context) ([]models.APIKeyView, error)
	CreateAPIKey(ctx context.Context, by models.Principal, k models.APIKey) (models.APIKeyView, error)
	RevokeAPIKey(ctx context.Context, by models.Principal, id uuid.UUID) error
	Audit(ctx context.Context, f models.AuditFilter, p models.Page) (rows []models.AuditEntry, next string, err error)
}

// LadderRecords is what is stored of ladders.
type LadderRecords interface {
	LadderPolicies(ctx context.Context) ([]models.LadderPolicy, error)
	// SaveLadderPolicies replaces all.
	SaveLadderPolicies(ctx context.Context, by models.Principal, policies []models.LadderPolicy) error
	Ladder(ctx context.Context, sessionID, handoffID uuid.UUID) (models.LadderView, error)
	// HolderSeen notes that a user has looked at a handoff, if they hold it.
	HolderSeen(ctx context.Context, handoffID, user uuid.UUID) error
	// StillHere fails with [models.CodeConflict] when it is too late.
	StillHere(ctx context.Context, sessionID, handoffID, user uuid.UUID) error
	HandoffWaits(ctx context.Context, since, until time.Time, limit int) ([]models.HandoffWait, error)
	WaitingNow(ctx context.Context) ([]models.WaitingNow, error)
}

// NotificationRecords is what is stored of notifications.
type NotificationRecords interface {
	Deliveries(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.DeliveryView, error)
	DeliveryCounts(ctx context.Context, since, until time.Time) ([]models.DeliveryCount, error)
	// ChannelDeliveries lists the last ones over a channel, newest first.
	ChannelDeliveries(ctx context.Context, endpoint uuid.UUID, limit int) ([]models.DeliveryView, error)
	NotificationSettings(ctx context.Context, user uuid.UUID) (settings models.NotificationSettings, found bool, err error)
	SaveNotificationSettings(ctx context.Context, user uuid.UUID, settings models.NotificationSettings) error
}

// BriefingRecords is what is stored of briefings.
type BriefingRecords interface {
	// Briefing returns a version, or with 0 the newest.
	Briefing(ctx context.Context, sessionID, handoffID uuid.UUID, version int) (models.BriefingView, error)
	// BriefingVersionAt is the newest version at a time; 0 without one.
	BriefingVersionAt(ctx context.Context, handoffID uuid.UUID, at time.Time) (int, error)
	SaveBriefingGrade(ctx context.Context, g models.BriefingGrade) error
	BriefingReports(ctx context.Context, since, until time.Time) ([]models.BriefingReport, error)
	BriefingSettings(ctx context.Context) (settings models.BriefingSettings, found bool, err error)
	SaveBriefingSettings(ctx context.Context, by models.Principal, settings models.BriefingSettings) error
	// SpentOnModels is in millionths of a US dollar, for the month so far.
	SpentOnModels(ctx context.Context) (int64, error)
}

// Connections are the accounts' connections to their PSAs. The account comes
// from the context, but for a callback, whose secret finds it.
type Connections interface {
	Get(ctx context.Context) (connections.View, error)
	Set(ctx context.Context, by models.Principal, ch connections.Change) (connections.View, error)
	Remove(ctx context.Context, by models.Principal) error
	// Test tries ch, or the stored connection when it is nil.
	Test(ctx context.Context, by models.Principal, ch *connections.Change, ticket string) (port.Report, error)
	// Callback fails with [models.CodeNotFound] for an unknown secret and
	// [models.CodeForbidden] for a call that does not come from the PSA.
	Callback(ctx context.Context, secret string, header http.Header, body []byte) error
}

// Channels are the means by which accounts tell people. The account comes from
// the context.
type Channels interface {
	List(ctx context.Context) ([]channels.View, error)
	Get(ctx context.Context, id uuid.UUID) (channels.View, error)
	Create(ctx context.Context, by models.Principal, ch channels.Change) (channels.View, error)
	Set(ctx context.Context, by models.Principal, id uuid.UUID, ch channels.Change) (channels.View, error)
	Remove(ctx context.Context, by models.Principal, id uuid.UUID) error
	// Test fails with a [*notify.Error] when the message was not taken.
	Test(ctx context.Context, by models.Principal, id uuid.UUID) error
}

// Doors let people claim from where they are. They find the account themselves.
type Doors interface {
	// Slack fails with [models.CodeForbidden] for what does not come from Slack.
	Slack(ctx context.Context, h http.Header, body []byte) error
	Look(ctx context.Context, token string) (doors.Linked, error)
	Claim(ctx context.Context, token string) (doors.Linked, error)
}

// Feed opens streams of an account's events.
type Feed interface {
	// Subscribe starts after lastEventID; an empty one starts at the end. An id
	// that cannot be continued from is no error: the reader is told in-stream.
	Subscribe(ctx context.Context, account uuid.UUID, lastEventID string) (Subscription, error)
}

// Subscription is one reader's place in the feed of an account. It is used by
// one goroutine at a time.
type Subscription interface {
	// Start is the id after which the subscription begins.
	Start() string
	// Next waits for frames and returns them ready to be written. When alarm
	// fires first it returns none, and when ctx ends first ctx's error, and
	// nothing is lost; any other error is the end of the subscription.
	Next(ctx context.Context, alarm <-chan time.Time) ([][]byte, error)
	Close()
}

// Check tells whether a part that the service needs works. The name is shown
// by /readyz.
type Check struct {
	Name  string
	Probe func(ctx context.Context) error
}
