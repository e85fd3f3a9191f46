package workflows

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/activities"
	"github.com/baton-handoff/baton/models"
)

// The task queues. Decisions and their projection have one of their own, so
// that no side effect, however many or slow, can hold up a claim.
const (
	TaskQueue    = "baton"
	TaskQueuePSA = "baton-psa"
	// TaskQueueEnrich is for calls of language models alone, which may be slow
	// and few at once.
	TaskQueueEnrich = "baton-enrich"
	// TaskQueueBrief is for briefings by rules, which take a processor for up to
	// a second.
	TaskQueueBrief = "baton-brief"
	// TaskQueueNotify is for telling people.
	TaskQueueNotify = "baton-notify"
)

// SignalClaim is the operators' door: a claim without an answer, for the
// Temporal UI and CLI. Its payload is a [ClaimSignal].
const SignalClaim = "claim"

// QueryState answers with the [models.Snapshot] of a running handoff.
const QueryState = "state"

// WorkflowID is the id of the workflow of a session's handoffs. Each handoff
// is a run of it, so Temporal itself allows one open handoff per session.
func WorkflowID(account, session uuid.UUID) string {
	return fmt.Sprintf("handoff/%s/%s", account, session)
}

// EffectWorkflowID is the id of the workflow that goes on with a side effect
// of a handoff that has been closed.
func EffectWorkflowID(account, handoff uuid.UUID, kind models.EffectKind) string {
	return fmt.Sprintf("effect/%s/%s/%s", account, handoff, kind)
}

// The signals of a [TicketWorkflow].
const (
	// SignalSteps hands over steps, as [TicketSteps]. It comes with the start.
	SignalSteps = "steps"
	// SignalRetry tries a failed step again at once. It has no payload.
	SignalRetry = "retry"
)

// TicketWorkflowID is the id of the workflow that tells one ticket of its
// handoffs. It is that of the ticket as people write it, with or without "#".
func TicketWorkflowID(account uuid.UUID, ticket string) string {
	ticket = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(ticket), "#"))
	return fmt.Sprintf("ticket/%s/%s", account, strings.ToLower(ticket))
}

// TicketInput starts a [TicketWorkflow].
type TicketInput struct {
	AccountID uuid.UUID `json:"account_id"`
	// Steps are left over from the run before.
	Steps []activities.EffectInput `json:"steps,omitempty"`
	// Noted are earlier ones of which only the note is in the ticket.
	Noted []activities.EffectInput `json:"noted,omitempty"`
}

// TicketSteps is the payload of [SignalSteps].
type TicketSteps struct {
	Steps []activities.EffectInput `json:"steps"`
}

// SignalBrief asks a [BriefingWorkflow] for a briefing, with a [BriefingAsk].
// It comes with the start.
const SignalBrief = "brief"

// BriefingWorkflowID is the id of the workflow that briefs a handoff.
func BriefingWorkflowID(account, handoff uuid.UUID) string {
	return fmt.Sprintf("briefing/%s/%s", account, handoff)
}

// BriefingInput starts a [BriefingWorkflow].
type BriefingInput struct {
	AccountID uuid.UUID `json:"account_id"`
	SessionID uuid.UUID `json:"session_id"`
	HandoffID uuid.UUID `json:"handoff_id"`
	// Asked is left over from the run before.
	Asked models.BriefingReason `json:"asked,omitempty"`
}

// Handoff names the handoff for activities, and why it is briefed.
func (in BriefingInput) Handoff(why models.BriefingReason) activities.BriefingInput {
	return activities.BriefingInput{AccountID: in.AccountID, SessionID: in.SessionID, HandoffID: in.HandoffID, Reason: why}
}

// BriefingAsk is the payload of [SignalBrief].
type BriefingAsk struct {
	Reason models.BriefingReason `json:"reason"`
}

// SignalNews tells a [LadderWorkflow] where its handoff stands, as
// [activities.LadderNews]. It comes with the start.
const SignalNews = "news"

// LadderWorkflowID is the id of the workflow that calls people for a handoff.
func LadderWorkflowID(account, handoff uuid.UUID) string {
	return fmt.Sprintf("ladder/%s/%s", account, handoff)
}

// LadderInput starts a [LadderWorkflow].
type LadderInput struct {
	Of activities.BriefingInput `json:"of"`
	// News, Calls and Lease are where the run before stood.
	News  activities.LadderNews `json:"news,omitzero"`
	Calls int                   `json:"calls,omitempty"`
	Lease activities.LeaseState `json:"lease,omitzero"`
}

// EffectInput starts an [EffectWorkflow].
type EffectInput struct {
	Kind models.EffectKind `json:"kind"`
	// Steps are what is left to do, in order.
	Steps []activities.EffectInput `json:"steps"`
}

// HandoffInput starts a [HandoffWorkflow]. Like every message here it holds
// ids and decided facts, lives in histories, and only ever gains fields.
type HandoffInput struct {
	AccountID    uuid.UUID       `json:"account_id"`
	SessionID    uuid.UUID       `json:"session_id"`
	HandoffID    uuid.UUID       `json:"handoff_id"`
	TeamID       *uuid.UUID      `json:"team_id,omitempty"`
	Intent       models.Intent   `json:"intent"`
	Priority     models.Priority `json:"priority"`
	SenderID     uuid.UUID       `json:"sender_id"`
	TargetUserID *uuid.UUID      `json:"target_user_id,omitempty"`
	CreatedAt    time.Time       `json:"created_at"`
	// ReserveSeconds is for how long an answer reserves the handoff for who asked,
	// by the policy of the day; nil, as earlier versions send it, is
	// [models.ReservedFor].
	ReserveSeconds *int64 `json:"reserve_seconds,omitempty"`
}

// Request is the argument of the Updates claim, release, reassign, resolve,
// cancel, return and answer. The verb is the Update's name.
type Request struct {
	// HandoffID is the handoff that is meant; another one of the same session
	// may be running by now.
	HandoffID uuid.UUID `json:"handoff_id"`
	// Generation is the one that is meant; 0 means whichever it is.
	Generation int         `json:"generation,omitempty"`
	ActorID    uuid.UUID   `json:"actor_id"`
	ActorRole  models.Role `json:"actor_role"`
	// TargetUserID is for reassign alone.
	TargetUserID *uuid.UUID `json:"target_user_id,omitempty"`
	// Door is the way the request came; empty is the API.
	Door models.Door `json:"door,omitempty"`
}

// ClaimSignal is the payload of [SignalClaim]. Who may send signals is decided
// by Temporal; the user is taken to be an engineer.
type ClaimSignal struct {
	HandoffID uuid.UUID `json:"handoff_id"`
	UserID    uuid.UUID `json:"user_id"`
}

// HandoffResult is what a finished [HandoffWorkflow] leaves in its history.
type HandoffResult struct {
	HandoffID  uuid.UUID     `json:"handoff_id"`
	Status     models.Status `json:"status"`
	Generation int           `json:"generation"`
	Version    int           `json:"version"`
}
