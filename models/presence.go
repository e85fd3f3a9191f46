package models

import (
	"time"

	"github.com/google/uuid"
)

// PresenceLasts is how long somebody counts as looking at a handoff after they
// last said so. Pages say so several times in it.
const PresenceLasts = 45 * time.Second

// Presence says that somebody looks at a handoff. It is no lock, and binds
// nobody.
type Presence struct {
	AccountID uuid.UUID `gorm:"primaryKey"`
	HandoffID uuid.UUID `gorm:"primaryKey"`
	UserID    uuid.UUID `gorm:"primaryKey"`
	SeenAt    time.Time
}

// TableName says what it is about.
func (Presence) TableName() string { return "handoff_presence" }

// PresenceView is a presence with a name.
type PresenceView struct {
	Presence
	UserName string
}
