package ladder_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

func TestRulesOverrideFromTheGeneralToTheParticular(t *testing.T) {
	t.Parallel()
	team, other := uuid.New(), uuid.New()
	within := func(s ladder.Seconds) *ladder.Seconds { return &s }
	rules := []ladder.Rule{
		{TeamID: &team, Priority: new(models.PriorityHigh), ClaimWithin: within(4)},
		{TeamID: &team, ClaimWithin: within(3), Reserve: within(30)},
		{Priority: new(models.PriorityHigh), ClaimWithin: within(2), Lease: &ladder.Lease{Remind: 1, Ask: 1, TakeBack: 1}},
		{ClaimWithin: within(1)},
	}
	require.NoError(t, ladder.Validate(rules, "/rules"))
	for _, c := range []struct {
		team     *uuid.UUID
		priority models.Priority
		want     ladder.Seconds
	}{
		{nil, models.PriorityLow, 1},
		{nil, models.PriorityHigh, 2},
		{&other, models.PriorityHigh, 2},
		{&team, models.PriorityLow, 3},
		{&team, models.PriorityHigh, 4},
	} {
		require.Equal(t, c.want, ladder.For(rules, c.team, c.priority).ClaimWithin, "%+v", c)
	}
	mixed := ladder.For(rules, &team, models.PriorityHigh)
	require.True(t, mixed.Lease.On())
	require.EqualValues(t, 30, mixed.Reserve)
	require.Equal(t, ladder.Default(models.PriorityHigh).Steps, mixed.Steps, "what nobody said is the default")
}

func TestDefaultsAreValidAndCallPeople(t *testing.T) {
	t.Parallel()
	for _, p := range []models.Priority{models.PriorityLow, models.PriorityNormal, models.PriorityHigh, models.PriorityCritical} {
		d := ladder.For(nil, nil, p)
		require.NoError(t, ladder.Validate([]ladder.Rule{{
			ClaimWithin: &d.ClaimWithin, Steps: &d.Steps, Hours: &d.Hours, Lease: &d.Lease, Park: &d.Park, Reserve: &d.Reserve,
		}}, ""))
		require.False(t, d.Lease.On(), "off by default")
		first, _, found := d.Next(ladder.Wait{Intent: models.IntentEscalate, Priority: p, Kind: notify.KindEscalated, Since: time.Unix(0, 0)}, 0, time.Unix(0, 0))
		require.True(t, found)
		require.Equal(t, time.Unix(0, 0).UTC(), first.At.UTC(), "somebody is told at once")
	}
}

func TestWhatIsWrongWithRulesIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, field string }{
		{`[{"claim_within_seconds":0}]`, "/rules/0/claim_within_seconds"},
		{`[{},{}]`, "/rules/1"},
		{`[{"steps":[{"after_seconds":5,"to":[{"who":"team"}]},{"after_seconds":5,"to":[{"who":"team"}]}]}]`, "/rules/0/steps/1/after_seconds"},
		{`[{"steps":[{"after_seconds":-1,"to":[{"who":"team"}]}]}]`, "/rules/0/steps/0/after_seconds"},
		{`[{"steps":[{"to":[]}]}]`, "/rules/0/steps/0/to"},
		{`[{"steps":[{"to":[{"who":"cat"}]}]}]`, "/rules/0/steps/0/to/0/who"},
		{`[{"steps":[{"to":[{"who":"user"}]}]}]`, "/rules/0/steps/0/to/0/user_id"},
		{`[{"steps":[{"to":[{"who":"endpoint","endpoint_id":"00000000-0000-0000-0000-000000000000"}]}]}]`, "/rules/0/steps/0/to/0/endpoint_id"},
		{`[{"steps":[{"to":[{"who":"team","user_id":"0197a3c0-6f2b-7c11-9d0e-4b1f5a2c7e05"}]}]}]`, "/rules/0/steps/0/to/0/user_id"},
		{`[{"steps":[{"to":[{"who":"team","channels":["fax"]}]}]}]`, "/rules/0/steps/0/to/0/channels/0"},
		{`[{"steps":[{"to":[{"who":"team"}],"repeat_times":3}]}]`, "/rules/0/steps/0/repeat_every_seconds"},
		{`[{"steps":[{"to":[{"who":"team"}],"repeat_every_seconds":3}]}]`, "/rules/0/steps/0/repeat_times"},
		{`[{"steps":[{"to":[{"who":"team"}],"repeat_every_seconds":3,"repeat_times":101}]}]`, "/rules/0/steps/0/repeat_times"},
		{`[{"lease":{"remind_after_seconds":60}}]`, "/rules/0/lease/ask_after_seconds"},
		{`[{"park":{"escalate_after_seconds":-1}}]`, "/rules/0/park/escalate_after_seconds"},
		{`[{"reserve_seconds":-1}]`, "/rules/0/reserve_seconds"},
		{`[{"hours":{"zone":"Mars/Olympus"}}]`, "/rules/0/hours/zone"},
		{`[{"hours":{"zone":"Local"}}]`, "/rules/0/hours/zone"},
		{`[{"hours":{"week":[{"days":["mon"],"from":"08:00","to":"18:00"}]}}]`, "/rules/0/hours/zone"},
		{`[{"hours":{"zone":"UTC","week":[{"days":["monday"],"from":"08:00","to":"18:00"}]}}]`, "/rules/0/hours/week/0/days/0"},
		{`[{"hours":{"zone":"UTC","week":[{"days":["mon"],"from":"18:00","to":"08:00"}]}}]`, "/rules/0/hours/week/0/to"},
		{`[{"hours":{"zone":"UTC","week":[{"days":["mon"],"from":"24:00","to":"24:00"}]}}]`, "/rules/0/hours/week/0/from"},
		{`[{"hours":{"zone":"UTC","week":[{"days":[],"from":"08:00","to":"18:00"}]}}]`, "/rules/0/hours/week/0/days"},
		{`[{"hours":{"zone":"UTC","holidays":["2026-02-30"]}}]`, "/rules/0/hours/holidays/0"},
	} {
		var rules []ladder.Rule
		require.NoError(t, json.Unmarshal([]byte(c.body), &rules), c.body)
		err := ladder.Validate(rules, "/rules")
		var e *models.Error
		require.ErrorAs(t, err, &e, c.body)
		require.Equal(t, models.CodeInvalid, e.Code)
		var fields []string
		for _, f := range e.Fields {
			fields = append(fields, f.Field)
		}
		require.Contains(t, fields, c.field, c.body)
	}
}

// story is the calls of a wait, each as its name, kind and minute.
func story(p ladder.Policy, w ladder.Wait) (told []string) {
	for n := 0; ; n++ {
		call, skip, found := p.Next(w, n, w.Since)
		if !found {
			return told
		}
		n += skip
		told = append(told, fmt.Sprintf("%s %s +%d %s", call.Name, call.Kind, int(call.At.Sub(w.Since).Minutes()), ladder.Told(call.To)))
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	since := at(t, "2026-11-25T12:00:00Z")
	p := ladder.Policy{
		Steps: []ladder.Step{
			{To: []ladder.Audience{{Who: ladder.WhoTeam}}, Every: 600, Times: 5},
			{After: 1500, To: []ladder.Audience{{Who: ladder.WhoTeam}, {Who: ladder.WhoAdmins}}, Every: 1800, Times: 1},
		},
		Park: ladder.Park{TellTeam: true, EscalateAfter: 3600}, Reserve: 900,
	}
	climb := func(kind notify.Kind, delay int) []string {
		told := []string{
			"0/0 %s +%d the whole team is told", "0/1 waiting +%d the whole team is told", "0/2 waiting +%d the whole team is told",
			"1/0 waiting +%d the whole team and the admins are told", "1/1 waiting +%d the whole team and the admins are told",
		}
		told[0] = fmt.Sprintf(told[0], kind, delay)
		for i, after := range []int{10, 20, 25, 55} {
			told[i+1] = fmt.Sprintf(told[i+1], after+delay)
		}
		return told
	}
	wait := func(intent models.Intent, kind notify.Kind) ladder.Wait {
		return ladder.Wait{Intent: intent, Priority: models.PriorityHigh, Kind: kind, Since: since}
	}
	require.Equal(t, climb(notify.KindEscalated, 0), story(p, wait(models.IntentEscalate, notify.KindEscalated)))
	require.Equal(t, climb(notify.KindReleased, 0), story(p, wait(models.IntentEscalate, notify.KindReleased)))
	require.Equal(t, append([]string{"answered answered +0 whom it is for is told"}, climb(notify.KindWaiting, 15)...),
		story(p, wait(models.IntentEscalate, notify.KindAnswered)), "whoever asked has it to themselves for a time")
	reserved := wait(models.IntentEscalate, notify.KindAnswered)
	reserved.Reserved = since.Add(40 * time.Minute)
	require.Equal(t, append([]string{"answered answered +0 whom it is for is told"}, climb(notify.KindWaiting, 40)...),
		story(p, reserved), "what it is reserved for goes before the policy")

	back := wait(models.IntentEscalate, notify.KindTakenBack)
	back.Former = uuid.New()
	told := story(p, back)
	require.Equal(t, "0/0 taken_back +0 its sender, a colleague and the whole team are told", told[0])
	require.Equal(t, climb(notify.KindTakenBack, 0)[1:], told[1:])

	parked := wait(models.IntentPark, notify.KindParked)
	require.Equal(t, []string{"parked parked +0 the whole team is told"}, story(p, parked), "nobody is called for what was put down")
	parked.WakeAt = since.Add(8 * time.Hour)
	require.Equal(t, append([]string{"parked parked +0 the whole team is told", "woken woken +480 its sender is told"}, climb(notify.KindWaiting, 540)...), story(p, parked))
	parked.Kind, parked.WakeAt = notify.KindReleased, since.Add(-time.Hour)
	require.Equal(t, append([]string{"parked released +0 its sender is told"}, climb(notify.KindWaiting, 60)...), story(p, parked), "it was woken before")
	p.Park = ladder.Park{}
	parked = wait(models.IntentPark, notify.KindParked)
	require.Empty(t, story(p, parked))
}

// TestMissedRepeatsAreMadeUpForOnce is an outage: each step that came due is
// told, and its missed repeats are not.
func TestMissedRepeatsAreMadeUpForOnce(t *testing.T) {
	t.Parallel()
	p := ladder.Policy{Steps: []ladder.Step{
		{To: []ladder.Audience{{Who: ladder.WhoTeam}}, Every: 60, Times: 9},
		{After: 600, To: []ladder.Audience{{Who: ladder.WhoAdmins}}, Every: 60, Times: 99},
	}}
	w := ladder.Wait{Intent: models.IntentEscalate, Priority: models.PriorityHigh, Kind: notify.KindEscalated, Since: at(t, "2026-11-25T12:00:00Z")}
	now := w.Since.Add(20*time.Minute + time.Second)
	var names []string
	for n := 0; ; n++ {
		call, skip, found := p.Next(w, n, now)
		require.True(t, found)
		n += skip
		if call.At.After(now) {
			break
		}
		names = append(names, call.Name)
	}
	require.Equal(t, []string{"0/0", "1/0", "1/10"}, names)
}

// TestNoCallIsLostOrEarly holds of any policy: calls come in order, those of
// patient handoffs when it is open, each once, and a pause only ever delays.
func TestNoCallIsLostOrEarly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p ladder.Policy
		after := ladder.Seconds(0)
		for i := range rapid.IntRange(1, 4).Draw(t, "steps") {
			if i > 0 {
				after += ladder.Seconds(rapid.IntRange(1, 90_000).Draw(t, "after"))
			}
			p.Steps = append(p.Steps, ladder.Step{
				After: after, To: []ladder.Audience{{Who: ladder.WhoTeam}},
				Every: ladder.Seconds(rapid.IntRange(1, 30_000).Draw(t, "every")), Times: rapid.IntRange(1, 4).Draw(t, "times"),
			})
		}
		p.Hours, p.Reserve = anyHours.Draw(t, "hours"), ladder.Seconds(rapid.IntRange(0, 4000).Draw(t, "reserve"))
		p.Park = ladder.Park{TellTeam: rapid.Bool().Draw(t, "tell"), EscalateAfter: ladder.Seconds(rapid.IntRange(0, 9000).Draw(t, "escalate"))}
		w := ladder.Wait{
			Intent:   rapid.SampledFrom([]models.Intent{models.IntentPark, models.IntentEscalate}).Draw(t, "intent"),
			Priority: models.Priority(rapid.IntRange(1, 4).Draw(t, "priority")), Since: anyInstant.Draw(t, "since"),
			Kind: rapid.SampledFrom([]notify.Kind{notify.KindEscalated, notify.KindParked, notify.KindReleased, notify.KindAnswered, notify.KindTakenBack}).Draw(t, "kind"),
		}
		if rapid.Bool().Draw(t, "wakes") {
			w.WakeAt = anyInstant.Draw(t, "wake")
		}
		later := w
		begin := w.Since.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause")) * time.Minute)
		later.Pauses = []ladder.Span{{From: begin, To: begin.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "length")) * time.Minute)}}

		zone, err := ladder.Zone(p.Hours.Zone)
		require.NoError(t, err)
		before, names := w.Since, map[string]bool{}
		for n := 0; ; n++ {
			call, skip, found := p.Next(w, n, w.Since.Add(-time.Second))
			paused, _, foundToo := p.Next(later, n, w.Since.Add(-time.Second))
			require.Equal(t, found, foundToo)
			if !found {
				require.GreaterOrEqual(t, n, 0)
				return
			}
			require.Zero(t, skip, "nothing is passed over that is not late")
			require.False(t, call.At.Before(before), "%s", call.Name)
			require.False(t, paused.At.Before(call.At))
			require.False(t, names[call.Name], call.Name)
			if call.Name[0] >= '0' && call.Name[0] <= '9' && ladder.Patient(w.Priority) {
				require.True(t, shows(p.Hours, zone, call.At), "%s is called at %s", call.Name, call.At.In(zone))
			}
			before, names[call.Name] = call.At, true
		}
	})
}

func TestLeaseStagesComeInOrder(t *testing.T) {
	t.Parallel()
	p := ladder.Policy{Hours: office("Europe/Berlin"), Lease: ladder.Lease{Remind: 3600, Ask: 1800, TakeBack: 900}}
	last := at(t, "2026-11-27T17:30:00+01:00") // a Friday
	want := map[ladder.LeaseStage]string{
		ladder.LeaseRemind: "2026-11-30T08:30:00+01:00", ladder.LeaseAsk: "2026-11-30T09:00:00+01:00", ladder.LeaseTakeBack: "2026-11-30T09:15:00+01:00",
	}
	for _, stage := range ladder.Stages() {
		require.Equal(t, at(t, want[stage]).UTC(), p.LeaseAt(models.PriorityNormal, last, stage).UTC(), "nobody is asked at night")
	}
	require.Equal(t, last.Add(105*time.Minute), p.LeaseAt(models.PriorityCritical, last, ladder.LeaseTakeBack))
}

func TestClaimBy(t *testing.T) {
	t.Parallel()
	since := at(t, "2026-11-25T17:50:00+01:00")
	policy := ladder.Default(models.PriorityNormal)
	policy.ClaimWithin, policy.Hours = 1800, office("Europe/Berlin")
	escalated := ladder.Wait{Intent: models.IntentEscalate, Priority: models.PriorityNormal, Kind: notify.KindEscalated, Since: since}
	urgent, parked, due := escalated, escalated, escalated
	urgent.Priority = models.PriorityHigh
	parked.Intent, parked.Kind = models.IntentPark, notify.KindParked
	due.Intent, due.Kind, due.WakeAt = models.IntentPark, notify.KindParked, at(t, "2026-11-26T09:00:00+01:00")
	paused := escalated
	paused.Pauses = []ladder.Span{{From: since.Add(5 * time.Minute), To: at(t, "2026-11-26T10:00:00+01:00")}}
	climbs := policy
	climbs.Park.EscalateAfter = 600
	never := policy
	never.ClaimWithin = 0
	for name, c := range map[string]struct {
		policy ladder.Policy
		wait   ladder.Wait
		want   string
	}{
		"in working time":                   {policy, escalated, "2026-11-26T08:20:00+01:00"},
		"what is urgent waits for no hours": {policy, urgent, "2026-11-25T18:20:00+01:00"},
		"pauses do not count":               {policy, paused, "2026-11-26T10:25:00+01:00"},
		"parked for good":                   {policy, parked, ""},
		"parked, and calls nobody":          {policy, due, ""},
		"parked, and calls people when due": {climbs, due, "2026-11-26T09:40:00+01:00"},
		"without a target":                  {never, urgent, ""},
	} {
		got := c.policy.ClaimBy(c.wait)
		if c.want == "" {
			require.Zero(t, got, name)
			continue
		}
		require.Equal(t, at(t, c.want).UTC(), got.UTC(), name)
	}
}
