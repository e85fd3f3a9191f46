package models

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// BriefingSource is who made a briefing.
type BriefingSource string

// The sources.
const (
	// SourceRules is a briefing made from the steps alone, at once.
	SourceRules BriefingSource = "rules"
	// SourceModel is one that a language model has worked on.
	SourceModel BriefingSource = "model"
)

// Briefing is one version of what a handoff's claimer is told of its session.
type Briefing struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	HandoffID uuid.UUID `gorm:"primaryKey"`
	// Version counts the briefings of a handoff, from 1; the newest counts.
	Version int
	Source  BriefingSource
	// Content is a briefing of package briefing, free of credentials.
	Content json.RawMessage `gorm:"type:json"`
	// Digest tells a repeated content from a new one.
	Digest []byte
	// StepCount is how many steps of the session it knows.
	StepCount int
	// Model and PromptVersion are of [SourceModel] alone.
	Model         *string
	PromptVersion *string
	CreatedAt     time.Time
}

// TableName says what it holds.
func (Briefing) TableName() string { return "briefings" }

// BriefingView is the newest briefing of a handoff, how its making stands, and
// how many steps the session has by now.
type BriefingView struct {
	Briefing
	Effect       Effect `gorm:"serializer:json"`
	Status       Status // of the handoff
	SessionSteps int
	// Grades are those of this version.
	Grades []BriefingGrade `gorm:"serializer:json"`
}

// ModelCallState says what became of a call of a model.
type ModelCallState string

// The states of a call.
const (
	// CallUnderWay is a call without a known end: it runs, or its worker died.
	CallUnderWay ModelCallState = "under_way"
	// CallUsed is an answer that became a briefing.
	CallUsed ModelCallState = "used"
	// CallUnusable is an answer that broke the rules.
	CallUnusable ModelCallState = "unusable"
	// CallFailed is a call without an answer.
	CallFailed ModelCallState = "failed"
)

// ModelCall is one call of a language model: what it used, and what that cost.
type ModelCall struct {
	AccountID     uuid.UUID `gorm:"primaryKey"`
	ID            uuid.UUID `gorm:"primaryKey"`
	HandoffID     uuid.UUID
	Model         string
	PromptVersion string
	State         ModelCallState
	// Reason is the class of what went wrong.
	Reason       *string
	InputTokens  int64
	CachedTokens int64
	OutputTokens int64
	// CostMicroUSD is in millionths of a US dollar; an estimate while the call
	// is under way.
	CostMicroUSD int64 `gorm:"column:cost_micro_usd"`
	LatencyMS    int64 `gorm:"column:latency_ms"`
	StartedAt    time.Time
	EndedAt      *time.Time
}

// TableName says what it holds.
func (ModelCall) TableName() string { return "model_calls" }

// Cause says how near a briefing's likely cause was to the real one.
type Cause string

// The grades of a cause, and what they count in reports: 100, 65, 35 and 0.
const (
	CauseRight        Cause = "right"
	CauseOneStepShort Cause = "one_step_short"
	CauseRightArea    Cause = "right_area"
	CauseWrong        Cause = "wrong"
)

// BriefingGrade is what one person thinks of one version of a briefing.
type BriefingGrade struct {
	AccountID uuid.UUID `gorm:"primaryKey" json:"account_id"`
	HandoffID uuid.UUID `gorm:"primaryKey" json:"handoff_id"`
	Version   int       `gorm:"primaryKey" json:"version"`
	UserID    uuid.UUID `gorm:"primaryKey" json:"user_id"`
	Useful    *bool     `json:"useful"`
	// Wrong says in the grader's words what was wrong.
	Wrong    *string   `json:"wrong"`
	Cause    *Cause    `json:"cause"`
	GradedAt time.Time `json:"graded_at"`
}

// TableName says what it holds.
func (BriefingGrade) TableName() string { return "briefing_grades" }

// BriefingSettings is what an account wants of models.
type BriefingSettings struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	UseModel  bool
	// MonthlyMicroUSD bounds what models may cost in a calendar month (UTC), in
	// millionths of a US dollar; nil is the installation's bound.
	MonthlyMicroUSD *int64 `gorm:"column:monthly_micro_usd"`
	UpdatedAt       time.Time
	UpdatedBy       uuid.UUID
}

// TableName says what it holds.
func (BriefingSettings) TableName() string { return "briefing_settings" }

// BriefingReport sums up the briefings of one model and prompt version, or
// those of the rules.
type BriefingReport struct {
	Source        BriefingSource
	Model         *string
	PromptVersion *string
	// Briefings is how many handoffs had such a briefing as their newest one.
	Briefings int
	Graded    int
	Useful    int
	// Causes counts the grades of the likely cause, and CauseScore is their
	// mean, from 0 to 100; nil without any.
	Causes     int
	CauseScore *float64
	// Calls are those of the model, whatever came of them.
	Calls        int
	Unusable     int
	Failed       int
	InputTokens  int64
	OutputTokens int64
	CostMicroUSD int64 `gorm:"column:cost_micro_usd"`
	// LatencyMS is the median of answered calls.
	LatencyMS *float64 `gorm:"column:latency_ms"`
}

// BriefingReason says why a handoff is briefed.
type BriefingReason string

// The reasons.
const (
	BriefCreated BriefingReason = "created"
	BriefSteps   BriefingReason = "steps" // were added since
	BriefRenewed BriefingReason = "renewed"
	BriefClosed  BriefingReason = "closed" // no more
)

// MaxGradeText bounds what a grade says, in characters.
const MaxGradeText = 2_000
