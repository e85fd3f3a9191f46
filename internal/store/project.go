package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/models"
)

// Project brings the read model up to snap: the handoff, its session, its
// timeline, and the feed. It returns what readers see then. It is the only
// writer of visible handoff rows and both of its callers, the API and the
// workflow's projector, call it with durable decisions alone, in any order and
// as often as they like: the version decides, and exactly the transitions that
// the row lacks are told.
//
// It reads without a lock, and writes in one statement that does nothing when
// the row has changed since. Then another writer was faster, and it looks again.
func (s *Store) Project(ctx context.Context, snap models.Snapshot) (models.HandoffView, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.HandoffView{}, err
	}
	if acct != snap.AccountID {
		return models.HandoffView{}, models.Errorf(models.CodeInternal, "snapshot of account %s projected for account %s", snap.AccountID, acct)
	}
	for {
		row, err := s.scene(ctx, acct, snap)
		if errors.Is(err, pgx.ErrNoRows) {
			return models.HandoffView{}, models.Errorf(models.CodeNotFound, "handoff %s has no row; was the database restored to a time before it?", snap.HandoffID)
		}
		if err != nil {
			return models.HandoffView{}, translate("reading what to project", err)
		}
		missing := snap.Since(row.Version)
		if len(missing) == 0 {
			return row.HandoffView, nil
		}
		done, err := s.advance(ctx, &row, missing)
		if err != nil {
			return models.HandoffView{}, translate("projecting a handoff", err)
		}
		if done {
			s.wake()
			return row.HandoffView, nil
		}
	}
}

// scene is a handoff as its projection finds it, with all that a projection
// of it may need.
type scene struct {
	models.HandoffView
	// People are the names of everybody in the snapshot.
	People map[uuid.UUID]*string
	// Notes is the free text that came with its requests.
	Notes map[string]*string
}

const sceneSQL = `SELECT ` + viewColumns + `, ` + fullDocumentation + `,
		(SELECT json_object_agg(u.id, u.name) FROM users u WHERE u.account_id = @account AND u.id = ANY (@people)) AS people,
		(SELECT json_object_agg(i.request_id, i.note) FROM transition_inputs i
			WHERE i.account_id = @account AND i.handoff_id = @handoff AND i.request_id = ANY (@requests) AND i.note IS NOT NULL) AS notes
	FROM handoffs h ` + viewJoins + `
	WHERE h.account_id = @account AND h.id = @handoff`

func (s *Store) scene(ctx context.Context, acct uuid.UUID, snap models.Snapshot) (scene, error) {
	people, requests := []uuid.UUID{}, []string{}
	for _, t := range snap.Transitions {
		people = append(people, t.ActorID)
		for _, id := range []*uuid.UUID{t.HolderID, t.TargetUserID} {
			if id != nil {
				people = append(people, *id)
			}
		}
		if t.RequestID != "" {
			requests = append(requests, t.RequestID)
		}
	}
	return one[scene](ctx, s, sceneSQL, pgx.NamedArgs{"account": acct, "handoff": snap.HandoffID, "people": people, "requests": requests})
}

// advanceSQL moves a handoff on by some transitions, unless its version is not
// the expected one any more. Each step reads the one before it, so they happen
// in this order, and not at all when the first finds no row: the handoff's row
// is locked first, the head of the account's feed last.
const advanceSQL = `WITH moved AS (
		UPDATE handoffs SET status = @status, generation = @generation, version = @version, target_user_id = @target,
			claimed_by = @holder, claimed_at = @claimed_at, resolved_at = @resolved_at, resolution = @resolution,
			questions = @questions, answer = @answer, reserved_until = @reserved_until, updated_at = @at
		WHERE account_id = @account AND id = @handoff AND version = @was
		RETURNING session_id),
	-- An operator's signal may name somebody whom this account does not have.
	-- The claim is shown as it is, and can be released; the session stays where
	-- it was.
	followed AS (
		UPDATE ai_sessions s SET status = @session_status, updated_at = @at,
			owner_id = coalesce((SELECT id FROM users WHERE account_id = @account AND id = @owner), s.owner_id)
		FROM moved WHERE s.account_id = @account AND s.id = moved.session_id
		RETURNING s.id),
	-- Nothing more can be accepted of a closed handoff, and all that was is
	-- joined: the texts of other requests are forgotten.
	forgotten AS (
		DELETE FROM transition_inputs i USING followed
		WHERE @closed AND i.account_id = @account AND i.handoff_id = @handoff AND i.request_id <> ALL (@requests)
			AND NOT EXISTS (SELECT FROM handoff_transitions t
				WHERE t.account_id = @account AND t.handoff_id = @handoff AND t.request_id = i.request_id)
		RETURNING i.request_id),
	told AS (
		INSERT INTO handoff_transitions (account_id, handoff_id, version, verb, door, actor_id, at, generation, status, holder_id, target_user_id, reserved_until, request_id, note)
		SELECT t.account_id, t.handoff_id, t.version, t.verb, t.door, t.actor_id, t.at, t.generation, t.status, t.holder_id, t.target_user_id, t.reserved_until, t.request_id, t.note
		FROM followed, (SELECT count(*) FROM forgotten) AS f, json_populate_recordset(NULL::handoff_transitions, @timeline) AS t
		RETURNING version)` + appendFeed

// advance moves row on by transitions, and reports whether it did: not when
// somebody else has moved it.
func (s *Store) advance(ctx context.Context, row *scene, ts []models.Transition) (done bool, err error) {
	was := row.Version
	apply(&row.Handoff, ts, row.Notes)
	row.TargetUserName, row.ClaimedByName = nameOf(row.People, row.TargetUserID), nameOf(row.People, row.ClaimedBy)
	timeline, requests := timelineOf(row, ts)
	status, owner := sessionOf(row.Handoff)
	return s.tell(ctx, advanceSQL, row.Handoff, events(row, ts), pgx.NamedArgs{
		"was": was, "status": row.Status, "generation": row.Generation, "version": row.Version, "target": row.TargetUserID,
		"holder": row.ClaimedBy, "claimed_at": row.ClaimedAt, "resolved_at": row.ResolvedAt, "resolution": row.Resolution,
		"questions": row.Questions, "answer": row.Answer, "reserved_until": row.ReservedUntil,
		"at": row.UpdatedAt, "session_status": status, "owner": owner, "closed": row.Status.Closed(),
		"timeline": timeline, "requests": requests,
	})
}

// apply folds transitions into the row.
func apply(row *models.Handoff, ts []models.Transition, notes map[string]*string) {
	for _, t := range ts {
		at := t.At.UTC().Truncate(time.Microsecond)
		switch t.Verb {
		case models.VerbClaim:
			row.ClaimedAt = &at
		case models.VerbRelease, models.VerbReassign:
			row.ClaimedAt = nil
		case models.VerbReturn:
			row.ClaimedAt, row.Questions, row.Answer = nil, notes[t.RequestID], nil
		case models.VerbAnswer:
			row.Answer = notes[t.RequestID]
		case models.VerbResolve:
			row.ResolvedAt = &at
			if row.ClaimedAt == nil { // who had returned it has it back with that
				row.ClaimedAt = &at
			}
			if note := notes[t.RequestID]; note != nil {
				row.Resolution = note
			}
		case models.VerbCreate, models.VerbCancel:
		}
		row.ClaimedBy = t.HolderID
		row.TargetUserID, row.ReservedUntil = t.TargetUserID, t.ReservedUntil
		row.Status, row.Generation, row.Version, row.UpdatedAt = t.Status, t.Generation, t.Version, at
	}
}

// sessionOf lets the session follow its handoff: it belongs to whoever holds
// it, and to its sender while nobody does. Who is asked something works on it
// again.
func sessionOf(row models.Handoff) (status models.SessionStatus, owner uuid.UUID) {
	switch row.Status {
	case models.StatusQueued:
		if row.Intent == models.IntentPark {
			return models.SessionParked, row.HandedOffBy
		}
		return models.SessionEscalated, row.HandedOffBy
	case models.StatusClaimed:
		return models.SessionActive, *row.ClaimedBy
	case models.StatusResolved:
		return models.SessionResolved, *row.ClaimedBy
	case models.StatusCancelled, models.StatusStarting, models.StatusReturned:
	}
	return models.SessionActive, row.HandedOffBy
}

func timelineOf(row *scene, ts []models.Transition) (entries []models.TimelineEntry, requests []string) {
	for _, t := range ts {
		entries = append(entries, models.TimelineEntry{
			AccountID: row.AccountID, HandoffID: row.ID, Version: t.Version, Verb: t.Verb, Door: t.Door,
			ActorID: t.ActorID, At: t.At.UTC().Truncate(time.Microsecond), Generation: t.Generation,
			Status: t.Status, HolderID: t.HolderID, TargetUserID: t.TargetUserID, ReservedUntil: t.ReservedUntil, RequestID: t.RequestID,
			Note: row.Notes[t.RequestID],
		})
		requests = append(requests, t.RequestID)
	}
	return entries, requests
}

// events are what the feed tells of transitions.
func events(row *scene, ts []models.Transition) []event {
	told := make([]event, len(ts))
	var claimedAt *time.Time
	for i, t := range ts {
		switch t.Verb {
		case models.VerbClaim:
			claimedAt = &t.At
		case models.VerbReturn:
			claimedAt = nil
		case models.VerbCreate, models.VerbRelease, models.VerbReassign, models.VerbResolve, models.VerbCancel, models.VerbAnswer:
		}
		data := card(row.HandoffView)
		data.Version, data.Generation, data.Status, data.At = t.Version, t.Generation, t.Status, t.At
		if t.ActorID != uuid.Nil { // nil: an operator, through Temporal
			data.ActorID, data.ActorName = &t.ActorID, row.People[t.ActorID]
		}
		data.TargetUserID, data.TargetUserName = t.TargetUserID, nameOf(row.People, t.TargetUserID)
		data.ReservedUntil = t.ReservedUntil
		data.QueuedAt, data.ClaimBy = nil, nil // its ladder tells the latter
		if t.Status == models.StatusQueued {
			data.QueuedAt = &t.At
		}
		data.ClaimedBy, data.ClaimedByName = t.HolderID, nameOf(row.People, t.HolderID)
		data.ClaimedAt = nil
		if t.HolderID != nil {
			if data.ClaimedAt = claimedAt; data.ClaimedAt == nil {
				data.ClaimedAt = row.ClaimedAt // claimed in a transition told before
			}
		}
		told[i] = event{t.Verb.Event(), data}
	}
	return told
}

// card is what every event of a handoff carries, as it stands now.
func card(row models.HandoffView) models.EventData {
	return models.EventData{
		AccountID: row.AccountID, HandoffID: row.ID, SessionID: row.SessionID, TeamID: row.TeamID,
		Version: row.Version, Generation: row.Generation, Status: row.Status,
		Intent: row.Intent, Priority: row.Priority, At: row.UpdatedAt,
		Title: row.SessionTitle, ClientName: row.ClientName, PSATicket: row.PSATicket,
		NotesExcerpt: excerpt(row.EngineerNotes),
		HandedOffBy:  row.HandedOffBy, HandedOffByName: row.HandedOffByName,
		TargetUserID: row.TargetUserID, TargetUserName: row.TargetUserName,
		ClaimedBy: row.ClaimedBy, ClaimedByName: row.ClaimedByName, ClaimedAt: row.ClaimedAt,
		CreatedAt: row.CreatedAt, ReservedUntil: row.ReservedUntil,
		QueuedAt: row.QueuedAt(), ClaimBy: row.ClaimBy,
	}
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
