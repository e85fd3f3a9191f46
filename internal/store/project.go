package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/baton-handoff/baton/models"
)

// Project brings the read model up to snap: the handoff, its session, its
// timeline, and the feed. It is the only writer of visible handoff rows and
// both of its callers, the API and the workflow's projector, call it with
// durable decisions alone, in any order and as often as they like: the version
// decides, and exactly the transitions that the row lacks are told.
func (s *Store) Project(ctx context.Context, snap models.Snapshot) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	if acct != snap.AccountID {
		return models.Errorf(models.CodeInternal, "snapshot of account %s projected for account %s", snap.AccountID, acct)
	}
	appended := false
	err = s.transaction(ctx, "projecting a handoff", func(tx *gorm.DB) error {
		var row models.Handoff
		err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).
			Where("account_id = ? AND id = ?", acct, snap.HandoffID).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return models.Errorf(models.CodeNotFound, "handoff %s has no row; was the database restored to a time before it?", snap.HandoffID)
		}
		if err != nil {
			return err
		}
		missing := snap.Since(row.Version)
		if len(missing) == 0 {
			return nil
		}
		notes, err := requestNotes(tx, row, missing)
		if err != nil {
			return err
		}
		apply(&row, missing, notes)
		if err := writeHandoff(tx, row); err != nil {
			return err
		}
		if err := writeSession(tx, row); err != nil {
			return err
		}
		if err := writeTimeline(tx, row, missing, notes); err != nil {
			return err
		}
		if row.Status.Closed() {
			if err := dropUnusedInputs(tx, row); err != nil {
				return err
			}
		}
		appended = true
		return appendTransitions(tx, row, missing)
	})
	if err == nil && appended {
		s.wake()
	}
	return err
}

// requestNotes finds the free text that came with the requests of transitions.
func requestNotes(tx *gorm.DB, row models.Handoff, ts []models.Transition) (map[string]string, error) {
	var ids []string
	for _, t := range ts {
		if t.RequestID != "" && t.Verb != models.VerbCreate && t.Verb != models.VerbClaim {
			ids = append(ids, t.RequestID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var inputs []models.TransitionInput
	err := tx.Where("account_id = ? AND handoff_id = ? AND request_id IN ? AND note IS NOT NULL", row.AccountID, row.ID, ids).Find(&inputs).Error
	notes := make(map[string]string, len(inputs))
	for _, in := range inputs {
		notes[in.RequestID] = *in.Note
	}
	return notes, err
}

// apply folds transitions into the row.
func apply(row *models.Handoff, ts []models.Transition, notes map[string]string) {
	for _, t := range ts {
		at := t.At.UTC().Truncate(time.Microsecond)
		switch t.Verb {
		case models.VerbClaim:
			row.ClaimedAt = &at
		case models.VerbRelease, models.VerbReassign:
			row.ClaimedAt = nil
		case models.VerbResolve:
			row.ResolvedAt = &at
			if note, ok := notes[t.RequestID]; ok {
				row.Resolution = &note
			}
		case models.VerbCreate, models.VerbCancel:
		}
		row.ClaimedBy = t.HolderID
		row.TargetUserID = t.TargetUserID
		row.Status, row.Generation, row.Version, row.UpdatedAt = t.Status, t.Generation, t.Version, at
	}
}

func writeHandoff(tx *gorm.DB, row models.Handoff) error {
	return tx.Model(&models.Handoff{}).Where("account_id = ? AND id = ?", row.AccountID, row.ID).
		Select("Status", "Generation", "Version", "TargetUserID", "ClaimedBy", "ClaimedAt", "ResolvedAt", "Resolution", "UpdatedAt").
		UpdateColumns(&row).Error
}

// writeSession lets the session follow its handoff: it belongs to whoever
// holds it, and to its sender while nobody does.
func writeSession(tx *gorm.DB, row models.Handoff) error {
	status, owner := models.SessionActive, row.HandedOffBy
	switch row.Status {
	case models.StatusQueued:
		status = models.SessionEscalated
		if row.Intent == models.IntentPark {
			status = models.SessionParked
		}
	case models.StatusClaimed:
		owner = *row.ClaimedBy
	case models.StatusResolved:
		status, owner = models.SessionResolved, *row.ClaimedBy
	case models.StatusCancelled, models.StatusStarting:
	}
	// An operator's signal may name somebody whom this account does not have.
	// The claim is shown as it is, and can be released; the session stays where
	// it was.
	known := gorm.Expr("COALESCE((SELECT id FROM users WHERE account_id = ? AND id = ?), owner_id)", row.AccountID, owner)
	return tx.Model(&models.Session{}).Where("account_id = ? AND id = ?", row.AccountID, row.SessionID).
		UpdateColumns(map[string]any{"status": status, "owner_id": known, "updated_at": row.UpdatedAt}).Error
}

func writeTimeline(tx *gorm.DB, row models.Handoff, ts []models.Transition, notes map[string]string) error {
	entries := make([]models.TimelineEntry, len(ts))
	for i, t := range ts {
		entries[i] = models.TimelineEntry{
			AccountID: row.AccountID, HandoffID: row.ID, Version: t.Version, Verb: t.Verb, Door: t.Door,
			ActorID: t.ActorID, At: t.At.UTC().Truncate(time.Microsecond), Generation: t.Generation,
			Status: t.Status, HolderID: t.HolderID, TargetUserID: t.TargetUserID, RequestID: t.RequestID,
		}
		if note, ok := notes[t.RequestID]; ok {
			entries[i].Note = &note
		}
	}
	return tx.Create(&entries).Error
}

// dropUnusedInputs forgets the texts of requests that were never accepted.
// Nothing more can be accepted of a closed handoff, and all that was is joined.
func dropUnusedInputs(tx *gorm.DB, row models.Handoff) error {
	return tx.Where(`account_id = ? AND handoff_id = ? AND NOT EXISTS (SELECT FROM handoff_transitions t
			WHERE t.account_id = transition_inputs.account_id AND t.handoff_id = transition_inputs.handoff_id
			AND t.request_id = transition_inputs.request_id)`, row.AccountID, row.ID).
		Delete(&models.TransitionInput{}).Error
}

// appendTransitions tells the feed of transitions. Being the last statements
// of the transaction, they hold the account's head for as short as can be.
func appendTransitions(tx *gorm.DB, row models.Handoff, ts []models.Transition) error {
	people := []*uuid.UUID{&row.HandedOffBy}
	for _, t := range ts {
		people = append(people, &t.ActorID, t.HolderID, t.TargetUserID)
	}
	card, names, err := card(tx, row, people)
	if err != nil {
		return err
	}
	events := make([]feedAppend, len(ts))
	var claimedAt *time.Time
	for i, t := range ts {
		if t.Verb == models.VerbClaim {
			claimedAt = &t.At
		}
		data := card
		data.Version, data.Generation, data.Status, data.At = t.Version, t.Generation, t.Status, t.At
		if t.ActorID != uuid.Nil { // nil: an operator, through Temporal
			data.ActorID, data.ActorName = &t.ActorID, names[t.ActorID]
		}
		data.TargetUserID, data.TargetUserName = t.TargetUserID, nameOf(names, t.TargetUserID)
		data.ClaimedBy, data.ClaimedByName = t.HolderID, nameOf(names, t.HolderID)
		data.ClaimedAt = nil
		if t.HolderID != nil {
			if data.ClaimedAt = claimedAt; data.ClaimedAt == nil {
				data.ClaimedAt = row.ClaimedAt // claimed in a transition told before
			}
		}
		events[i] = feedAppend{t.Verb.Event(), data}
	}
	return appendFeed(tx, row.AccountID, row.ID, events)
}

// card is what every event of a handoff carries, as it stands now, and the
// names of people.
func card(tx *gorm.DB, row models.Handoff, people []*uuid.UUID) (models.EventData, map[uuid.UUID]*string, error) {
	var session models.Session
	err := tx.Select("title", "client_name", "psa_ticket").Where("account_id = ? AND id = ?", row.AccountID, row.SessionID).Take(&session).Error
	if err != nil {
		return models.EventData{}, nil, err
	}
	ids := make([]uuid.UUID, 0, len(people))
	for _, id := range people {
		if id != nil {
			ids = append(ids, *id)
		}
	}
	var users []models.User
	if err := tx.Select("id", "name").Where("account_id = ? AND id IN ?", row.AccountID, ids).Find(&users).Error; err != nil {
		return models.EventData{}, nil, err
	}
	names := make(map[uuid.UUID]*string, len(users))
	for _, u := range users {
		names[u.ID] = &u.Name
	}
	return models.EventData{
		AccountID: row.AccountID, HandoffID: row.ID, SessionID: row.SessionID, TeamID: row.TeamID,
		Version: row.Version, Generation: row.Generation, Status: row.Status,
		Intent: row.Intent, Priority: row.Priority, At: row.UpdatedAt,
		Title: session.Title, ClientName: session.ClientName, PSATicket: session.PSATicket,
		NotesExcerpt: excerpt(row.EngineerNotes),
		HandedOffBy:  row.HandedOffBy, HandedOffByName: names[row.HandedOffBy],
		TargetUserID: row.TargetUserID, TargetUserName: nameOf(names, row.TargetUserID),
		ClaimedBy: row.ClaimedBy, ClaimedByName: nameOf(names, row.ClaimedBy), ClaimedAt: row.ClaimedAt,
		CreatedAt: row.CreatedAt,
	}, names, nil
}

func nameOf(names map[uuid.UUID]*string, id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	return names[*id]
}

// excerpt is the beginning of notes, cut between characters.
func excerpt(notes string) string {
	n := 0
	for i := range notes {
		if n == models.NotesExcerpt {
			return notes[:i] + "…"
		}
		n++
	}
	return notes
}
