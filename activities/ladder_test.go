package activities

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

func TestNewsFoldTransitions(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	ana, ben := uuid.New(), uuid.New()
	at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
	transition := func(minutes int, verb models.Verb, status models.Status, generation int, holder *uuid.UUID) models.Transition {
		return models.Transition{Verb: verb, Status: status, Generation: generation, HolderID: holder, At: at(minutes), Door: models.DoorAPI}
	}
	create := transition(0, models.VerbCreate, models.StatusQueued, 1, nil)
	lease := transition(9, models.VerbRelease, models.StatusQueued, 2, nil)
	lease.Door = models.DoorLease
	answer := transition(9, models.VerbAnswer, models.StatusQueued, 2, nil)
	answer.ReservedUntil = new(at(39))
	for _, c := range []struct {
		name string
		ts   []models.Transition
		want LadderNews
	}{
		{
			"answered",
			[]models.Transition{create, transition(5, models.VerbClaim, models.StatusClaimed, 1, &ana), transition(7, models.VerbReturn, models.StatusReturned, 1, nil), answer},
			LadderNews{Generation: 2, Status: models.StatusQueued, Kind: notify.KindAnswered, Since: at(9), Began: 4, Former: &ana, Reserved: at(39)},
		},
		{
			"answered and put back",
			[]models.Transition{create, answer, transition(11, models.VerbReassign, models.StatusQueued, 3, nil)},
			LadderNews{Generation: 3, Status: models.StatusQueued, Kind: notify.KindReassigned, Since: at(11), Began: 3},
		},
		{"created", []models.Transition{create}, LadderNews{Generation: 1, Status: models.StatusQueued, Kind: notify.KindEscalated, Since: at(0), Began: 1}},
		{
			"claimed",
			[]models.Transition{create, transition(5, models.VerbClaim, models.StatusClaimed, 1, &ana)},
			LadderNews{Generation: 1, Status: models.StatusClaimed, Kind: notify.KindEscalated, Since: at(0), Began: 1},
		},
		{
			"taken back",
			[]models.Transition{create, transition(5, models.VerbClaim, models.StatusClaimed, 1, &ana), lease},
			LadderNews{Generation: 2, Status: models.StatusQueued, Kind: notify.KindTakenBack, Since: at(9), Began: 3, Former: &ana},
		},
		{
			"elsewhere and back",
			[]models.Transition{create, transition(5, "return", "returned", 1, nil), transition(7, "other", models.StatusQueued, 1, nil), transition(8, "return", "returned", 1, nil)},
			LadderNews{Generation: 1, Status: "returned", Kind: notify.KindEscalated, Since: at(0), Began: 1, Pauses: []ladder.Span{{From: at(5), To: at(7)}}},
		},
		{
			"answered",
			[]models.Transition{create, transition(5, models.VerbClaim, models.StatusClaimed, 1, &ana), transition(6, "return", "returned", 1, nil), transition(8, models.VerbAnswer, models.StatusQueued, 1, nil)},
			LadderNews{Generation: 1, Status: models.StatusQueued, Kind: notify.KindAnswered, Since: at(8), Began: 4, Former: &ana},
		},
		{
			"reassigned",
			[]models.Transition{create, transition(5, models.VerbReassign, models.StatusQueued, 2, nil), transition(6, models.VerbClaim, models.StatusClaimed, 2, &ben)},
			LadderNews{Generation: 2, Status: models.StatusClaimed, Kind: notify.KindReassigned, Since: at(5), Began: 2},
		},
	} {
		snap := models.Snapshot{Intent: models.IntentEscalate, Transitions: c.ts}
		for i := range snap.Transitions {
			snap.Transitions[i].Version = i + 1
		}
		c.want.Version = len(c.ts)
		require.Equal(t, c.want, NewsOf(snap), c.name)
	}
	require.Equal(t, notify.KindParked, NewsOf(models.Snapshot{Intent: models.IntentPark, Transitions: []models.Transition{create}}).Kind)
}

// ladders is one handoff's records, and what was decided about it.
type ladders struct {
	view     models.LadderView
	rules    []models.LadderPolicy
	recorded []models.HandoffLadder
	last     time.Time
	refusal  error
	asked    []models.TransitionRequest
}

func (l *ladders) LadderPolicies(context.Context) ([]models.LadderPolicy, error) { return l.rules, nil }

func (l *ladders) Ladder(context.Context, uuid.UUID, uuid.UUID) (models.LadderView, error) {
	return l.view, nil
}

func (l *ladders) RecordLadder(_ context.Context, row models.HandoffLadder) error {
	l.recorded = append(l.recorded, row)
	return nil
}

func (l *ladders) BeginTakeBack(_ context.Context, _ uuid.UUID, _ int, last time.Time) (bool, error) {
	return !l.last.After(last), nil
}

func (l *ladders) Transition(_ context.Context, by models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
	if by.UserID != uuid.Nil || by.Role != models.RoleAdmin {
		return models.HandoffView{}, models.Errorf(models.CodeForbidden, "Not Baton.")
	}
	l.asked = append(l.asked, req)
	return models.HandoffView{}, l.refusal
}

func (l *ladders) activities() *Activities {
	return New(Options{Log: slog.New(slog.DiscardHandler), Ladders: Ladders{Records: l, Handoffs: l}})
}

func TestTakeBack(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		name    string
		last    time.Time
		refusal error
		taken   bool
		asked   int
		fails   bool
	}{
		{"idle", now, nil, true, 1, false},
		{"active at the last moment", now.Add(time.Second), nil, false, 0, false},
		{"resolved meanwhile", now, models.Errorf(models.CodeClosed, "The handoff is already resolved."), true, 1, false},
		{"released meanwhile", now, models.Errorf(models.CodeConflict, "In the queue."), true, 1, false},
		{"Temporal is down", now, models.Errorf(models.CodeUnavailable, "Not now."), false, 1, true},
	} {
		l := &ladders{last: c.last, refusal: c.refusal}
		taken, err := l.activities().TakeBack(t.Context(), TakeBackInput{Version: 2, Generation: 7, Last: now})
		require.Equal(t, c.fails, err != nil, c.name)
		require.Equal(t, c.taken, taken, c.name)
		require.Len(t, l.asked, c.asked, c.name)
		if c.asked > 0 {
			require.Equal(t, 7, l.asked[0].Generation, "it is bound to the claim")
			require.Equal(t, models.DoorLease, l.asked[0].Door)
		}
	}
}

// TestNothingIsDoneWhenNewsAreOnTheirWay: the row is newer than the news, so
// that what they say may no longer be true.
func TestNothingIsDoneWhenNewsAreOnTheirWay(t *testing.T) {
	t.Parallel()
	l := &ladders{view: models.LadderView{Handoff: models.Handoff{Version: 2, Status: models.StatusClaimed}}}
	next, err := l.activities().LadderStep(t.Context(), LadderAsk{News: LadderNews{Version: 1, Status: models.StatusQueued}})
	require.NoError(t, err)
	require.Zero(t, next.At)
	require.Empty(t, next.State)
	require.Empty(t, l.recorded)
}

// TestAZoneThatIsGone: a stored policy whose zone no process knows any more
// calls at once and not never.
func TestAZoneThatIsGone(t *testing.T) {
	t.Parallel()
	p := ladder.Default(models.PriorityNormal)
	p.Hours = ladder.Hours{Zone: "Mars/Olympus", Week: []ladder.Window{{Days: []string{"mon"}, From: "08:00", To: "09:00"}}}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	l := &ladders{view: models.LadderView{
		Handoff: models.Handoff{Version: 1, Priority: models.PriorityNormal, Intent: models.IntentEscalate}, Ladder: &models.HandoffLadder{Policy: text},
	}}
	at := time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC)
	next, err := l.activities().LadderStep(t.Context(), LadderAsk{Now: at, News: LadderNews{Version: 1, Status: models.StatusQueued, Since: at, Began: 1, Kind: notify.KindEscalated}})
	require.NoError(t, err)
	require.Equal(t, at, next.At)
	require.Equal(t, "ladder/1/0/0", next.Announce.Step)
	require.JSONEq(t, string(text), string(l.recorded[0].Policy))
}
