package workflows

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/models"
)

var (
	sender = uuid.MustParse("00000000-0000-4000-8000-00000000005a")
	ana    = uuid.MustParse("00000000-0000-4000-8000-0000000000aa")
	ben    = uuid.MustParse("00000000-0000-4000-8000-0000000000be")
	vic    = uuid.MustParse("00000000-0000-4000-8000-0000000000f1")
	ada    = uuid.MustParse("00000000-0000-4000-8000-0000000000ad")
	olga   = uuid.MustParse("00000000-0000-4000-8000-0000000000a0")
)

var roles = map[uuid.UUID]models.Role{
	sender: models.RoleEngineer, ana: models.RoleEngineer, ben: models.RoleEngineer,
	vic: models.RoleViewer, ada: models.RoleAdmin, olga: models.RoleOwner,
}

var testEpoch = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func begin(intent models.Intent) models.Snapshot {
	return Begin(HandoffInput{
		AccountID: uuid.MustParse("00000000-0000-4000-8000-000000000001"),
		SessionID: uuid.MustParse("00000000-0000-4000-8000-000000000002"),
		HandoffID: uuid.MustParse("00000000-0000-4000-8000-000000000003"),
		Intent:    intent, Priority: models.PriorityHigh, SenderID: sender, CreatedAt: testEpoch,
	})
}

// act is one request in a story.
type act struct {
	verb       models.Verb
	who        uuid.UUID
	target     *uuid.UUID
	generation int
	// after is how long after the last transition; a minute when it is zero.
	after time.Duration
}

func (a act) at(s models.Snapshot) time.Time {
	return s.Last().At.Add(cmp.Or(a.after, time.Minute))
}

func (a act) request(s models.Snapshot) Request {
	return Request{HandoffID: s.HandoffID, Generation: a.generation, ActorID: a.who, ActorRole: roles[a.who], TargetUserID: a.target}
}

func perform(t require.TestingT, s *models.Snapshot, acts ...act) {
	for _, a := range acts {
		d, err := Decide(*s, a.verb, a.request(*s), a.at(*s))
		require.NoError(t, err, "%s by %s", a.verb, a.who)
		require.False(t, d.Repeated)
		accept(s, d, models.DoorAPI, "", a.at(*s))
	}
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	claimedByAna := []act{{verb: models.VerbClaim, who: ana}}
	resolved := []act{{verb: models.VerbClaim, who: ana}, {verb: models.VerbResolve, who: ana}}
	cancelled := []act{{verb: models.VerbCancel, who: sender}}
	released := []act{{verb: models.VerbClaim, who: ana}, {verb: models.VerbRelease, who: ana}}
	returned := []act{{verb: models.VerbClaim, who: ana}, {verb: models.VerbReturn, who: ana}}
	answered := append(slices.Clone(returned), act{verb: models.VerbAnswer, who: sender})

	type want struct {
		code       models.Code // refusal, or
		status     models.Status
		generation int
		holder     *uuid.UUID
		target     *uuid.UUID
		repeated   bool
	}
	for name, c := range map[string]struct {
		intent models.Intent
		before []act
		do     act
		want   want
	}{
		"an engineer claims":                     {do: act{verb: models.VerbClaim, who: ana}, want: want{status: models.StatusClaimed, generation: 1, holder: &ana}},
		"an admin claims":                        {do: act{verb: models.VerbClaim, who: ada}, want: want{status: models.StatusClaimed, generation: 1, holder: &ada}},
		"an owner claims":                        {do: act{verb: models.VerbClaim, who: olga}, want: want{status: models.StatusClaimed, generation: 1, holder: &olga}},
		"a viewer may not claim":                 {do: act{verb: models.VerbClaim, who: vic}, want: want{code: models.CodeForbidden}},
		"the sender may not claim an escalation": {do: act{verb: models.VerbClaim, who: sender}, want: want{code: models.CodeForbidden}},
		"the sender resumes what they parked":    {intent: models.IntentPark, do: act{verb: models.VerbClaim, who: sender}, want: want{status: models.StatusClaimed, generation: 1, holder: &sender}},
		"a second claim is refused":              {before: claimedByAna, do: act{verb: models.VerbClaim, who: ben}, want: want{code: models.CodeAlreadyClaimed}},
		"the holder claims again":                {before: claimedByAna, do: act{verb: models.VerbClaim, who: ana}, want: want{repeated: true}},
		"a claim of a resolved one":              {before: resolved, do: act{verb: models.VerbClaim, who: ben}, want: want{code: models.CodeClosed}},
		"a claim of a cancelled one":             {before: cancelled, do: act{verb: models.VerbClaim, who: ben}, want: want{code: models.CodeClosed}},
		"a claim of an older generation":         {before: released, do: act{verb: models.VerbClaim, who: ben, generation: 1}, want: want{code: models.CodeConflict}},
		"a claim of the right generation":        {before: released, do: act{verb: models.VerbClaim, who: ben, generation: 2}, want: want{status: models.StatusClaimed, generation: 2, holder: &ben}},

		"the holder releases":        {before: claimedByAna, do: act{verb: models.VerbRelease, who: ana}, want: want{status: models.StatusQueued, generation: 2}},
		"an admin releases":          {before: claimedByAna, do: act{verb: models.VerbRelease, who: ada}, want: want{status: models.StatusQueued, generation: 2}},
		"a bystander may not":        {before: claimedByAna, do: act{verb: models.VerbRelease, who: ben}, want: want{code: models.CodeForbidden}},
		"nor the sender":             {before: claimedByAna, do: act{verb: models.VerbRelease, who: sender}, want: want{code: models.CodeForbidden}},
		"nothing to release":         {do: act{verb: models.VerbRelease, who: ada}, want: want{code: models.CodeConflict}},
		"release of a resolved one":  {before: resolved, do: act{verb: models.VerbRelease, who: ana}, want: want{code: models.CodeClosed}},
		"release of what was before": {before: append(slices.Clone(released), act{verb: models.VerbClaim, who: ana}), do: act{verb: models.VerbRelease, who: ana, generation: 1}, want: want{code: models.CodeConflict}},

		"the holder reassigns":          {before: claimedByAna, do: act{verb: models.VerbReassign, who: ana, target: &ben}, want: want{status: models.StatusQueued, generation: 2, target: &ben}},
		"an admin reassigns queued":     {do: act{verb: models.VerbReassign, who: ada, target: &ben}, want: want{status: models.StatusQueued, generation: 2, target: &ben}},
		"a bystander may not reassign":  {do: act{verb: models.VerbReassign, who: ben, target: &ana}, want: want{code: models.CodeForbidden}},
		"reassign without a target":     {before: claimedByAna, do: act{verb: models.VerbReassign, who: ana}, want: want{code: models.CodeInvalid}},
		"an escalation to its sender":   {before: claimedByAna, do: act{verb: models.VerbReassign, who: ana, target: &sender}, want: want{code: models.CodeInvalid}},
		"a parked one to its sender":    {intent: models.IntentPark, before: claimedByAna, do: act{verb: models.VerbReassign, who: ana, target: &sender}, want: want{status: models.StatusQueued, generation: 2, target: &sender}},
		"reassign to who has it":        {before: []act{{verb: models.VerbReassign, who: ada, target: &ben}}, do: act{verb: models.VerbReassign, who: ada, target: &ben}, want: want{repeated: true}},
		"reassign of a cancelled one":   {before: cancelled, do: act{verb: models.VerbReassign, who: ada, target: &ben}, want: want{code: models.CodeClosed}},
		"a release forgets the target":  {before: []act{{verb: models.VerbReassign, who: ada, target: &ben}, {verb: models.VerbClaim, who: ben}}, do: act{verb: models.VerbRelease, who: ben}, want: want{status: models.StatusQueued, generation: 3}},
		"a target is no lock":           {before: []act{{verb: models.VerbReassign, who: ada, target: &ben}}, do: act{verb: models.VerbClaim, who: ana}, want: want{status: models.StatusClaimed, generation: 2, holder: &ana, target: &ben}},
		"the holder resolves":           {before: claimedByAna, do: act{verb: models.VerbResolve, who: ana}, want: want{status: models.StatusResolved, generation: 1, holder: &ana}},
		"an admin resolves for holder":  {before: claimedByAna, do: act{verb: models.VerbResolve, who: ada}, want: want{status: models.StatusResolved, generation: 1, holder: &ana}},
		"a bystander may not resolve":   {before: claimedByAna, do: act{verb: models.VerbResolve, who: ben}, want: want{code: models.CodeForbidden}},
		"an unclaimed one is no answer": {do: act{verb: models.VerbResolve, who: ada}, want: want{code: models.CodeConflict}},
		"resolve twice":                 {before: resolved, do: act{verb: models.VerbResolve, who: ana}, want: want{code: models.CodeClosed}},

		"the sender cancels":                {do: act{verb: models.VerbCancel, who: sender}, want: want{status: models.StatusCancelled, generation: 1}},
		"an admin cancels":                  {do: act{verb: models.VerbCancel, who: ada}, want: want{status: models.StatusCancelled, generation: 1}},
		"a bystander may not cancel":        {do: act{verb: models.VerbCancel, who: ana}, want: want{code: models.CodeForbidden}},
		"a claimed one is not to stop":      {before: claimedByAna, do: act{verb: models.VerbCancel, who: sender}, want: want{code: models.CodeConflict}},
		"the holder returns it":             {before: claimedByAna, do: act{verb: models.VerbReturn, who: ana}, want: want{status: models.StatusReturned, generation: 1, target: &ana}},
		"an admin returns it for them":      {before: claimedByAna, do: act{verb: models.VerbReturn, who: ada}, want: want{status: models.StatusReturned, generation: 1, target: &ana}},
		"a bystander may not return it":     {before: claimedByAna, do: act{verb: models.VerbReturn, who: ben}, want: want{code: models.CodeForbidden}},
		"the sender may not return it":      {before: claimedByAna, do: act{verb: models.VerbReturn, who: sender}, want: want{code: models.CodeForbidden}},
		"an unclaimed one is not returned":  {do: act{verb: models.VerbReturn, who: ada}, want: want{code: models.CodeConflict}},
		"nor one that is returned":          {before: returned, do: act{verb: models.VerbReturn, who: ana}, want: want{code: models.CodeConflict}},
		"nor a resolved one":                {before: resolved, do: act{verb: models.VerbReturn, who: ana}, want: want{code: models.CodeClosed}},
		"nobody asks themselves":            {intent: models.IntentPark, before: []act{{verb: models.VerbClaim, who: sender}}, do: act{verb: models.VerbReturn, who: sender}, want: want{code: models.CodeConflict}},
		"also not through an admin":         {intent: models.IntentPark, before: []act{{verb: models.VerbClaim, who: sender}}, do: act{verb: models.VerbReturn, who: ada}, want: want{code: models.CodeConflict}},
		"the sender answers":                {before: returned, do: act{verb: models.VerbAnswer, who: sender}, want: want{status: models.StatusQueued, generation: 2, target: &ana}},
		"an owner answers":                  {before: returned, do: act{verb: models.VerbAnswer, who: olga}, want: want{status: models.StatusQueued, generation: 2, target: &ana}},
		"who asked may not answer":          {before: returned, do: act{verb: models.VerbAnswer, who: ana}, want: want{code: models.CodeForbidden}},
		"nobody asked":                      {before: claimedByAna, do: act{verb: models.VerbAnswer, who: sender}, want: want{code: models.CodeConflict}},
		"it is answered once":               {before: answered, do: act{verb: models.VerbAnswer, who: sender}, want: want{code: models.CodeConflict}},
		"a returned one is not claimed":     {before: returned, do: act{verb: models.VerbClaim, who: ben}, want: want{code: models.CodeConflict}},
		"not even by who asked":             {before: returned, do: act{verb: models.VerbClaim, who: ana}, want: want{code: models.CodeConflict}},
		"who asked gives up waiting":        {before: returned, do: act{verb: models.VerbRelease, who: ana}, want: want{status: models.StatusQueued, generation: 2}},
		"who asked passes it on":            {before: returned, do: act{verb: models.VerbReassign, who: ana, target: &ben}, want: want{status: models.StatusQueued, generation: 2, target: &ben}},
		"who asked takes it back":           {before: returned, do: act{verb: models.VerbReassign, who: ana, target: &ana}, want: want{status: models.StatusQueued, generation: 2, target: &ana}},
		"who asked has solved it":           {before: returned, do: act{verb: models.VerbResolve, who: ana}, want: want{status: models.StatusResolved, generation: 1, holder: &ana, target: &ana}},
		"an admin resolves a returned one":  {before: returned, do: act{verb: models.VerbResolve, who: ada}, want: want{status: models.StatusResolved, generation: 1, holder: &ana, target: &ana}},
		"an admin reassigns a returned one": {before: returned, do: act{verb: models.VerbReassign, who: ada, target: &ben}, want: want{status: models.StatusQueued, generation: 2, target: &ben}},
		"the sender may not resolve it":     {before: returned, do: act{verb: models.VerbResolve, who: sender}, want: want{code: models.CodeForbidden}},
		"a bystander may not release it":    {before: returned, do: act{verb: models.VerbRelease, who: ben}, want: want{code: models.CodeForbidden}},
		"the sender takes it back":          {before: returned, do: act{verb: models.VerbCancel, who: sender}, want: want{status: models.StatusCancelled, generation: 1, target: &ana}},
		"who asked cannot cancel it":        {before: returned, do: act{verb: models.VerbCancel, who: ana}, want: want{code: models.CodeForbidden}},

		"who asked claims it first":          {before: answered, do: act{verb: models.VerbClaim, who: ana}, want: want{status: models.StatusClaimed, generation: 2, holder: &ana, target: &ana}},
		"others wait":                        {before: answered, do: act{verb: models.VerbClaim, who: ben, after: models.ReservedFor - 1}, want: want{code: models.CodeReserved}},
		"admins wait as well":                {before: answered, do: act{verb: models.VerbClaim, who: ada}, want: want{code: models.CodeReserved}},
		"a viewer is told what they are":     {before: answered, do: act{verb: models.VerbClaim, who: vic}, want: want{code: models.CodeForbidden}},
		"a reservation ends":                 {before: answered, do: act{verb: models.VerbClaim, who: ben, after: models.ReservedFor}, want: want{status: models.StatusClaimed, generation: 2, holder: &ben, target: &ana}},
		"a reassignment ends it":             {before: append(slices.Clone(answered), act{verb: models.VerbReassign, who: ada, target: &ben}), do: act{verb: models.VerbClaim, who: sender}, intent: models.IntentPark, want: want{status: models.StatusClaimed, generation: 3, holder: &sender, target: &ben}},
		"an answered one can be cancelled":   {before: answered, do: act{verb: models.VerbCancel, who: sender}, want: want{status: models.StatusCancelled, generation: 2, target: &ana}},
		"a claim and release end it as well": {before: append(slices.Clone(answered), act{verb: models.VerbClaim, who: ana}, act{verb: models.VerbRelease, who: ana}), do: act{verb: models.VerbClaim, who: ben}, want: want{status: models.StatusClaimed, generation: 3, holder: &ben}},
		"cancel twice":                       {before: cancelled, do: act{verb: models.VerbCancel, who: sender}, want: want{code: models.CodeClosed}},
		"there is no second creation":        {do: act{verb: models.VerbCreate, who: sender}, want: want{code: models.CodeInvalid}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(models.IntentEscalate)
			if c.intent != "" {
				s = begin(c.intent)
			}
			perform(t, &s, c.before...)
			d, err := Decide(s, c.do.verb, c.do.request(s), c.do.at(s))
			require.Equal(t, c.want.code, models.CodeOf(err), "%v", err)
			require.Equal(t, c.want.repeated, d.Repeated)
			if err != nil || d.Repeated {
				require.Zero(t, d.Next)
				return
			}
			require.Equal(t, s.Version()+1, d.Next.Version)
			require.Equal(t, c.want.status, d.Next.Status)
			require.Equal(t, c.want.generation, d.Next.Generation)
			require.Equal(t, c.want.holder, d.Next.HolderID)
			require.Equal(t, c.want.target, d.Next.TargetUserID)
		})
	}
}

func TestAlreadyClaimedNamesTheHolder(t *testing.T) {
	t.Parallel()
	s := begin(models.IntentEscalate)
	perform(t, &s, act{verb: models.VerbClaim, who: ana})
	_, err := Decide(s, models.VerbClaim, act{who: ben}.request(s), testEpoch)
	var e *models.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, &models.Claim{ByID: ana, At: testEpoch.Add(time.Minute)}, e.Claim)

	back, state := RefusalFrom(toRefusal(s, err))
	require.Equal(t, s, state)
	require.NotNil(t, back)
	require.Equal(t, models.CodeAlreadyClaimed, back.Code)
}

// TestReservedSaysForWhom: and until when, also across Temporal.
func TestReservedSaysForWhom(t *testing.T) {
	t.Parallel()
	s := begin(models.IntentEscalate)
	perform(t, &s, act{verb: models.VerbClaim, who: ana}, act{verb: models.VerbReturn, who: ana}, act{verb: models.VerbAnswer, who: sender})
	until := s.Last().At.Add(models.ReservedFor)
	require.Equal(t, until, *s.Last().ReservedUntil)
	_, err := Decide(s, models.VerbClaim, act{who: ben}.request(s), until.Add(-time.Nanosecond))
	var e *models.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, &models.Reservation{ForID: ana, Until: until}, e.Reservation)

	back, state := RefusalFrom(toRefusal(s, err))
	require.Equal(t, s, state)
	require.Equal(t, models.CodeReserved, back.Code)
	require.Equal(t, e.Reservation, back.Reservation)
}

// TestThePolicySaysForHowLongAnAnswerReserves: nothing said, as before there was
// a policy, is the default.
func TestThePolicySaysForHowLongAnAnswerReserves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		seconds *int64
		want    time.Duration
	}{
		"nothing said": {nil, models.ReservedFor}, "two hours": {new(int64(7200)), 2 * time.Hour}, "not at all": {new(int64(0)), 0},
	} {
		s := Begin(HandoffInput{HandoffID: uuid.New(), Intent: models.IntentEscalate, SenderID: sender, CreatedAt: testEpoch, ReserveSeconds: c.seconds})
		perform(t, &s, act{verb: models.VerbClaim, who: ana}, act{verb: models.VerbReturn, who: ana}, act{verb: models.VerbAnswer, who: sender})
		answered := s.Last()
		require.Equal(t, ana, *answered.TargetUserID, name)
		claim := act{verb: models.VerbClaim, who: ben}.request(s)
		_, err := Decide(s, models.VerbClaim, claim, answered.At.Add(c.want))
		require.NoError(t, err, name)
		if c.want == 0 {
			require.Nil(t, answered.ReservedUntil, name)
			continue
		}
		require.Equal(t, answered.At.Add(c.want), *answered.ReservedUntil, name)
		_, err = Decide(s, models.VerbClaim, claim, answered.At.Add(c.want-1))
		require.Equal(t, models.CodeReserved, models.CodeOf(err), name)
	}
}

func TestRequestOfAnotherHandoffIsRefused(t *testing.T) {
	t.Parallel()
	s := begin(models.IntentEscalate)
	r := act{verb: models.VerbClaim, who: ana}.request(s)
	r.HandoffID = uuid.New()
	_, err := Decide(s, models.VerbClaim, r, testEpoch)
	require.Equal(t, models.CodeNotFound, models.CodeOf(err))
}

func TestGenerationsAreBounded(t *testing.T) {
	t.Parallel()
	s := begin(models.IntentEscalate)
	for s.Last().Generation < models.MaxGenerations {
		target := &ben
		if s.Last().Generation%2 == 0 {
			target = &ana
		}
		perform(t, &s, act{verb: models.VerbReassign, who: ada, target: target})
	}
	perform(t, &s, act{verb: models.VerbClaim, who: ana})
	for _, a := range []act{{verb: models.VerbReassign, who: ada, target: &ana}, {verb: models.VerbReturn, who: ana}} {
		_, err := Decide(s, a.verb, a.request(s), a.at(s))
		require.Equal(t, models.CodeConflict, models.CodeOf(err))
	}
	perform(t, &s, act{verb: models.VerbResolve, who: ana})
}

// TestInvariants drives the machine with arbitrary requests and holds what
// DESIGN promises against every state that it reaches.
func TestInvariants(t *testing.T) {
	t.Parallel()
	people := []uuid.UUID{sender, ana, ben, vic, ada, olga, uuid.New()}
	verbs := []models.Verb{models.VerbClaim, models.VerbClaim, models.VerbRelease, models.VerbReassign, models.VerbResolve, models.VerbCancel, models.VerbReturn, models.VerbReturn, models.VerbAnswer, models.VerbAnswer, models.VerbCreate, "nonsense"}
	rapid.Check(t, func(t *rapid.T) {
		intent := rapid.SampledFrom([]models.Intent{models.IntentEscalate, models.IntentPark}).Draw(t, "intent")
		s := begin(intent)
		holders := map[int]uuid.UUID{} // by generation
		returns := map[int]int{}
		at := testEpoch
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			a := act{
				verb:       rapid.SampledFrom(verbs).Draw(t, "verb"),
				who:        rapid.SampledFrom(people).Draw(t, "who"),
				generation: rapid.IntRange(0, 4).Draw(t, "generation"),
			}
			if rapid.Bool().Draw(t, "with target") {
				target := rapid.SampledFrom(people).Draw(t, "target")
				a.target = &target
			}
			at = at.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
			before := s.Last()
			length := len(s.Transitions)

			d, err := Decide(s, a.verb, a.request(s), at)
			require.Len(t, s.Transitions, length, "Decide changes nothing")
			again, errAgain := Decide(s, a.verb, a.request(s), at)
			require.Equal(t, d, again, "Decide is a function")
			require.Equal(t, err == nil, errAgain == nil)
			fromRow, errRow := Decide(StateOf(rowOf(s)), a.verb, a.request(s), at)
			require.Equal(t, models.CodeOf(err), models.CodeOf(errRow), "the row refuses what the workflow refuses")
			require.Equal(t, d, fromRow)
			if err != nil || d.Repeated {
				if err != nil {
					require.NotEqual(t, models.CodeInternal, models.CodeOf(err), "refusals are typed")
				}
				continue
			}
			require.False(t, before.Status.Closed(), "closed is closed")
			accept(&s, d, models.DoorAPI, "r", at)
			now := s.Last()

			require.Equal(t, before.Version+1, now.Version, "each transition is one version")
			require.Equal(t, now.Status == models.StatusClaimed || now.Status == models.StatusResolved, now.HolderID != nil)
			requeued := now.Verb == models.VerbRelease || now.Verb == models.VerbReassign || now.Verb == models.VerbAnswer
			require.Equal(t, requeued, now.Generation == before.Generation+1, "generation counts the ways into the queue")
			if now.Verb == models.VerbClaim {
				_, taken := holders[now.Generation]
				require.False(t, taken, "one accepted claim per generation")
				holders[now.Generation] = *now.HolderID
				require.Equal(t, a.who, *now.HolderID)
				require.True(t, roles[a.who].AtLeast(models.RoleEngineer))
				require.False(t, intent == models.IntentEscalate && a.who == sender, "nobody claims their own escalation")
				require.True(t, before.ReservedUntil == nil || !at.Before(*before.ReservedUntil) || a.who == *before.TargetUserID, "nobody but who asked claims before the time")
			}
			require.Equal(t, now.Verb == models.VerbAnswer, now.ReservedUntil != nil, "an answer reserves, and everything else ends that")
			switch now.Verb {
			case models.VerbReturn:
				returns[now.Generation]++
				require.Equal(t, 1, returns[now.Generation], "a generation is returned once, so that its note has a mark of its own")
				require.Equal(t, holders[now.Generation], *now.TargetUserID, "it goes back to who held it")
				require.NotEqual(t, sender, *now.TargetUserID, "nobody asks themselves")
				answer := act{verb: models.VerbAnswer, who: sender}
				_, err := Decide(s, answer.verb, answer.request(s), at)
				require.NoError(t, err, "what is returned can be answered")
			case models.VerbAnswer:
				require.Equal(t, *before.TargetUserID, *now.TargetUserID, "the answer goes to who asked")
			default:
			}
			if now.HolderID != nil {
				require.Equal(t, holders[now.Generation], *now.HolderID, "the holder is who claimed this generation")
			}
		}
		for i, tr := range s.Transitions {
			require.Equal(t, i+1, tr.Version)
		}
	})
}

// rowOf is the row that a projection of s leaves.
func rowOf(s models.Snapshot) models.Handoff {
	last := s.Last()
	row := models.Handoff{
		AccountID: s.AccountID, ID: s.HandoffID, SessionID: s.SessionID, Intent: s.Intent, HandedOffBy: s.SenderID,
		Status: last.Status, Generation: last.Generation, Version: last.Version,
		ClaimedBy: last.HolderID, TargetUserID: last.TargetUserID, ReservedUntil: last.ReservedUntil, UpdatedAt: last.At,
	}
	if last.HolderID != nil {
		at := last.At
		row.ClaimedAt = &at
	}
	return row
}
