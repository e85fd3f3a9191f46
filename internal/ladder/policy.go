// Package ladder is who is called when, while a handoff waits for somebody: the
// policy of an account, and the arithmetic of clocks, working hours and
// pauses. It is pure: what time it is, and what is stored, others tell it.
package ladder

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Seconds is a length of time, as policies are written.
type Seconds int64

// Duration is s as Go reckons.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Policy is what happens to a handoff that waits, or is held without a sign of
// life. It is settled when the handoff is created.
type Policy struct {
	// ClaimWithin is the time in which a handoff should be claimed. Reports
	// count how many were.
	ClaimWithin Seconds `json:"claim_within_seconds"`
	// Steps call people, one after the other, until somebody claims.
	Steps []Step `json:"steps"`
	// Hours hold back the steps of handoffs of low and normal priority.
	Hours Hours `json:"hours"`
	Lease Lease `json:"lease"`
	Park  Park  `json:"park"`
	// Reserve is how long a handoff whose sender has answered is kept for whoever
	// asked: nobody else may claim it, and nobody else is called. Zero keeps it
	// for nobody.
	Reserve Seconds `json:"reserve_seconds"`
}

// Step calls people when a handoff has waited for some time.
type Step struct {
	// After is counted from when the handoff began to wait, in working time if
	// the handoff is patient.
	After Seconds    `json:"after_seconds"`
	To    []Audience `json:"to"`
	// Every and Times repeat the step, until the next one begins. Zero does not.
	Every Seconds `json:"repeat_every_seconds"`
	Times int     `json:"repeat_times"`
}

// Audience is whom a step calls.
type Audience struct {
	// Who is target, team, admins, sender, user or endpoint.
	Who string `json:"who"`
	// UserID is for user, Endpoint for endpoint.
	UserID   *uuid.UUID `json:"user_id"`
	Endpoint *uuid.UUID `json:"endpoint_id"`
	// Channels are those to tell people over; empty means those that they prefer.
	Channels []notify.ChannelName `json:"channels"`
}

// Lease says when a claim ends whose holder shows no activity. All zero, it
// never does.
type Lease struct {
	// Remind is how long after the last activity the holder is reminded, Ask how
	// long after that they are asked, and TakeBack how long after that the
	// handoff goes back into the queue. All count working time if the handoff is
	// patient.
	Remind   Seconds `json:"remind_after_seconds"`
	Ask      Seconds `json:"ask_after_seconds"`
	TakeBack Seconds `json:"take_back_after_seconds"`
}

// On reports whether claims are leases.
func (l Lease) On() bool { return l != Lease{} }

// Park is for parked sessions, which call nobody by themselves.
type Park struct {
	// TellTeam tells the team when a session is parked.
	TellTeam bool `json:"tell_team"`
	// EscalateAfter is how long after it was due a parked session that nobody
	// resumed begins to climb the steps; zero is never.
	EscalateAfter Seconds `json:"escalate_after_seconds"`
}

// Rule is what an account wants otherwise, for everything or for a team, a
// priority or both. What it leaves out is as it would be without the rule.
type Rule struct {
	TeamID   *uuid.UUID       `json:"team_id"`
	Priority *models.Priority `json:"priority"`

	ClaimWithin *Seconds `json:"claim_within_seconds,omitempty"`
	Steps       *[]Step  `json:"steps,omitempty"`
	Hours       *Hours   `json:"hours,omitempty"`
	Lease       *Lease   `json:"lease,omitempty"`
	Park        *Park    `json:"park,omitempty"`
	Reserve     *Seconds `json:"reserve_seconds,omitempty"`
}

// Scope names what the rule is for. There is one rule for a scope.
func (r Rule) Scope() string {
	scope := "account"
	if r.TeamID != nil {
		scope = "team/" + r.TeamID.String()
	}
	if r.Priority != nil {
		scope += "/" + r.Priority.String()
	}
	return scope
}

// Rules reads stored rules.
func Rules(rows []models.LadderPolicy) ([]Rule, error) {
	rules := make([]Rule, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal(row.Rule, &rules[i]); err != nil {
			return nil, fmt.Errorf("reading a stored rule: %w", err)
		}
	}
	return rules, nil
}

// weight orders rules: the account's, a priority's, a team's, a priority's in a
// team. The heavier one has the last word.
func (r Rule) weight() int {
	w := 0
	if r.Priority != nil {
		w++
	}
	if r.TeamID != nil {
		w += 2
	}
	return w
}

func (r Rule) covers(team *uuid.UUID, p models.Priority) bool {
	return (r.Priority == nil || *r.Priority == p) && (r.TeamID == nil || team != nil && *team == *r.TeamID)
}

// For is the policy for a handoff of a team, or of none, and a priority.
func For(rules []Rule, team *uuid.UUID, p models.Priority) Policy {
	policy := Default(p)
	sorted := slices.Clone(rules)
	slices.SortStableFunc(sorted, func(a, b Rule) int { return a.weight() - b.weight() })
	for _, r := range sorted {
		if !r.covers(team, p) {
			continue
		}
		set(&policy.ClaimWithin, r.ClaimWithin)
		set(&policy.Steps, r.Steps)
		set(&policy.Hours, r.Hours)
		set(&policy.Lease, r.Lease)
		set(&policy.Park, r.Park)
		set(&policy.Reserve, r.Reserve)
	}
	return policy
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Default is the policy of an account that has said nothing: whom it is for and
// the team at once, the team again when half of the time is over, and the
// admins when it is, and again and again. There are no working hours, because
// nobody has said where people live; claims are no leases.
func Default(p models.Priority) Policy {
	const minute, hour = Seconds(60), Seconds(3600)
	within, again, times := 4*hour, 4*hour, 5
	switch p {
	case models.PriorityCritical:
		within, again, times = 10*minute, 10*minute, 12
	case models.PriorityHigh:
		within, again, times = 30*minute, 30*minute, 8
	case models.PriorityLow:
		within, again, times = 24*hour, 24*hour, 4
	case models.PriorityNormal:
	}
	team, admins := Audience{Who: WhoTeam}, Audience{Who: WhoAdmins}
	return Policy{
		ClaimWithin: within,
		Steps: []Step{
			{To: []Audience{{Who: WhoTarget}, team}},
			{After: within / 2, To: []Audience{team}},
			{After: within, To: []Audience{team, admins}, Every: again, Times: times},
		},
		Hours:   Hours{Week: []Window{}, Holidays: []string{}},
		Reserve: Seconds(models.ReservedFor / time.Second),
	}
}

// Patient reports whether a handoff of the priority waits for working hours.
func Patient(p models.Priority) bool { return p <= models.PriorityNormal }

// The audiences that a step can have.
const (
	WhoTarget   = "target"
	WhoTeam     = "team"
	WhoAdmins   = "admins"
	WhoSender   = "sender"
	WhoUser     = "user"
	WhoEndpoint = "endpoint"
)

// The bounds of a policy.
const (
	MaxRules     = 200
	maxSteps     = 20
	maxAudiences = 10
	maxRepeats   = 100
	maxWindows   = 50
	maxHolidays  = 400
	// maxSeconds is ninety days; what repeats or takes back does so after at
	// least minSeconds.
	maxSeconds = Seconds(90 * 24 * 3600)
	minSeconds = Seconds(1)
)

var (
	errClock = models.Errorf(models.CodeInvalid, "A time of the day is from 00:00 to 23:59, such as 08:00.")
	whos     = []string{WhoTarget, WhoTeam, WhoAdmins, WhoSender, WhoUser, WhoEndpoint}
)

// Validate says what is wrong with rules, as an error of [models.CodeInvalid]
// whose fields are JSON pointers below prefix; nil for nothing.
func Validate(rules []Rule, prefix string) error {
	var wrong findings
	if len(rules) > MaxRules {
		wrong.add(prefix, "has %d rules; there can be %d", len(rules), MaxRules)
	}
	first := map[string]int{}
	for i, r := range rules {
		at := fmt.Sprintf("%s/%d", prefix, i)
		if before, twice := first[r.Scope()]; twice {
			wrong.add(at, "is for the same team and priority as %s/%d; put both into one", prefix, before)
		}
		first[r.Scope()] = i
		wrong = append(wrong, r.validate(at)...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return invalid(wrong)
}

// findings is what is wrong.
type findings []models.FieldError

func (f *findings) add(field, format string, args ...any) {
	*f = append(*f, models.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (f *findings) between(field string, s, least, most Seconds) {
	if s < least || s > most {
		f.add(field, "must be between %d and %d seconds", least, most)
	}
}

func invalid(wrong findings) error {
	e := models.Errorf(models.CodeInvalid, "%d values of the ladder are not acceptable; see errors.", len(wrong))
	if len(wrong) == 1 {
		e = models.Errorf(models.CodeInvalid, "%s %s.", wrong[0].Field, wrong[0].Message)
	}
	e.Fields = wrong
	return e
}

func (r Rule) validate(at string) (wrong findings) {
	if r.Priority != nil && (*r.Priority < models.PriorityLow || *r.Priority > models.PriorityCritical) {
		wrong.add(at+"/priority", "must be one of low, normal, high, critical")
	}
	if r.ClaimWithin != nil {
		wrong.between(at+"/claim_within_seconds", *r.ClaimWithin, minSeconds, maxSeconds)
	}
	if r.Reserve != nil {
		wrong.between(at+"/reserve_seconds", *r.Reserve, 0, maxSeconds)
	}
	if r.Park != nil {
		wrong.between(at+"/park/escalate_after_seconds", r.Park.EscalateAfter, 0, maxSeconds)
	}
	if r.Lease != nil && r.Lease.On() {
		wrong.between(at+"/lease/remind_after_seconds", r.Lease.Remind, minSeconds, maxSeconds)
		wrong.between(at+"/lease/ask_after_seconds", r.Lease.Ask, minSeconds, maxSeconds)
		wrong.between(at+"/lease/take_back_after_seconds", r.Lease.TakeBack, minSeconds, maxSeconds)
	}
	if r.Hours != nil {
		wrong = append(wrong, r.Hours.validate(at+"/hours")...)
	}
	if r.Steps != nil {
		wrong = append(wrong, validateSteps(*r.Steps, at+"/steps")...)
	}
	return wrong
}

func validateSteps(steps []Step, at string) (wrong findings) {
	if len(steps) > maxSteps {
		wrong.add(at, "has %d steps; there can be %d", len(steps), maxSteps)
	}
	for i, s := range steps {
		at := fmt.Sprintf("%s/%d", at, i)
		wrong.between(at+"/after_seconds", s.After, 0, maxSeconds)
		if i > 0 && s.After <= steps[i-1].After {
			wrong.add(at+"/after_seconds", "must be more than that of the step before, which is %d", steps[i-1].After)
		}
		switch {
		case s.Times < 0 || s.Times > maxRepeats:
			wrong.add(at+"/repeat_times", "must be between 0 and %d", maxRepeats)
		case s.Times > 0:
			wrong.between(at+"/repeat_every_seconds", s.Every, minSeconds, maxSeconds)
		case s.Every != 0:
			wrong.add(at+"/repeat_times", "must say how often the step is repeated")
		}
		if len(s.To) == 0 || len(s.To) > maxAudiences {
			wrong.add(at+"/to", "must name between 1 and %d audiences", maxAudiences)
		}
		for j, a := range s.To {
			wrong = append(wrong, a.validate(fmt.Sprintf("%s/to/%d", at, j))...)
		}
	}
	return wrong
}

func (a Audience) validate(at string) (wrong findings) {
	if !slices.Contains(whos, a.Who) {
		wrong.add(at+"/who", "must be one of target, team, admins, sender, user, endpoint")
	}
	for _, id := range []struct {
		field, who string
		value      *uuid.UUID
	}{{"user_id", WhoUser, a.UserID}, {"endpoint_id", WhoEndpoint, a.Endpoint}} {
		set := id.value != nil && *id.value != uuid.Nil
		switch {
		case a.Who == id.who && !set:
			wrong.add(at+"/"+id.field, "must say which %s", id.who)
		case a.Who != id.who && id.value != nil:
			wrong.add(at+"/"+id.field, "is for who: %s alone", id.who)
		}
	}
	for i, c := range a.Channels {
		if !c.Valid() {
			wrong.add(fmt.Sprintf("%s/channels/%d", at, i), "must be one of email, slack, teams, webhook")
		}
	}
	return wrong
}

func (h Hours) validate(at string) (wrong findings) {
	if len(h.Week) > maxWindows {
		wrong.add(at+"/week", "has %d windows; there can be %d", len(h.Week), maxWindows)
	}
	if len(h.Holidays) > maxHolidays {
		wrong.add(at+"/holidays", "has %d days; there can be %d", len(h.Holidays), maxHolidays)
	}
	if h.Zone == "" && len(h.Week) > 0 {
		wrong.add(at+"/zone", "must name a time zone, such as Europe/Berlin")
	} else if _, err := Zone(h.Zone); err != nil && h.Zone != "" {
		wrong.add(at+"/zone", "must be the IANA name of a time zone, such as Europe/Berlin")
	}
	for i, w := range h.Week {
		at := fmt.Sprintf("%s/week/%d", at, i)
		if len(w.Days) == 0 {
			wrong.add(at+"/days", "must name a day")
		}
		for j, d := range w.Days {
			if !slices.Contains(dayNames, d) {
				wrong.add(fmt.Sprintf("%s/days/%d", at, j), "must be one of mon, tue, wed, thu, fri, sat, sun")
			}
		}
		from, to := minuteOf(w.From), minuteOf(w.To)
		if from < 0 || from == 24*60 {
			wrong.add(at+"/from", "must be a time from 00:00 to 23:59")
		}
		if to < 0 {
			wrong.add(at+"/to", "must be a time from 00:01 to 24:00")
		}
		if from >= 0 && to >= 0 && from >= to {
			wrong.add(at+"/to", "must be after from; write a night as two windows, until 24:00 and from 00:00")
		}
	}
	for i, d := range h.Holidays {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			wrong.add(fmt.Sprintf("%s/holidays/%d", at, i), "must be a date, such as 2026-12-25")
		}
	}
	return wrong
}

// Zone finds a time zone by its IANA name. The machine's own zone is none.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, models.Errorf(models.CodeInvalid, "The time zone has to be an IANA name, such as Europe/Berlin.")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, models.Errorf(models.CodeInvalid, "There is no time zone of this name; use an IANA name, such as Europe/Berlin.").WithCause(err)
	}
	return zone, nil
}
