package ladder

import (
	"iter"
	"slices"
	"time"
	_ "time/tzdata" // so that zones are known wherever a worker runs; the system's own go first
)

// Hours are when patient handoffs may call people. Without windows that is
// always.
type Hours struct {
	// Zone is an IANA name, such as "Europe/Berlin".
	Zone string `json:"zone"`
	// Week is when people are there; what the windows share counts once.
	Week []Window `json:"week"`
	// Holidays are days, such as "2026-12-25", on which nobody is there.
	Holidays []string `json:"holidays"`
}

// Window is a part of some days of the week. A night shift is two: until 24:00,
// and from 00:00 of the next day.
type Window struct {
	// Days are mon, tue, wed, thu, fri, sat and sun.
	Days []string `json:"days"`
	// From and To are times on the wall, from "00:00" to "24:00". To is not part
	// of it.
	From string `json:"from"`
	To   string `json:"to"`
}

// Span is the time from From on and before To.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// horizon bounds how far the next opening is looked for. With [maxHolidays]
// holidays and one open day a week there is always one.
const horizon = (maxHolidays + 2) * 7 * day

const day = 24 * time.Hour

// Calendar is [Hours] ready to reckon with. A nil Calendar is always open.
//
// Open is when the clock on the wall, in the zone, shows a time inside of a
// window, and a date that is no holiday. So a time that the clocks skip in
// spring is never open, one that they show twice in autumn is open twice, and a
// day has the open hours that people are really there.
//
// Rules of zones change by decree, and with them the version of the data that a
// process has. Workflow code must not reckon with it; the instants that it
// waits for are decided in activities.
type Calendar struct {
	zone     *time.Location
	week     [7][]minutes
	holidays map[time.Time]bool // midnights, as if in UTC
}

// minutes is a window in minutes since midnight.
type minutes struct{ from, to int }

// Calendar makes h ready to reckon with. It is nil without windows. What
// [Hours.validate] refuses is an error.
func (h Hours) Calendar() (*Calendar, error) {
	if wrong := h.validate(""); len(wrong) > 0 {
		return nil, invalid(wrong)
	}
	if len(h.Week) == 0 {
		return nil, nil
	}
	zone, err := time.LoadLocation(h.Zone)
	if err != nil {
		return nil, err
	}
	c := &Calendar{zone: zone, holidays: make(map[time.Time]bool, len(h.Holidays))}
	for _, w := range h.Week {
		for _, name := range w.Days {
			d := slices.Index(dayNames, name)
			c.week[d] = append(c.week[d], minutes{minuteOf(w.From), minuteOf(w.To)})
		}
	}
	for d := range c.week {
		c.week[d] = merged(c.week[d])
	}
	for _, text := range h.Holidays {
		date, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, err
		}
		c.holidays[date] = true
	}
	return c, nil
}

// dayNames are in the order of [time.Weekday].
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// minuteOf is the minute of the day that a text such as "08:30" names, or -1.
func minuteOf(text string) int {
	if text == "24:00" {
		return 24 * 60
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return -1
	}
	return t.Hour()*60 + t.Minute()
}

// merged joins windows that overlap or touch.
func merged(windows []minutes) []minutes {
	slices.SortFunc(windows, func(a, b minutes) int { return a.from - b.from })
	var out []minutes
	for _, w := range windows {
		if last := len(out) - 1; last >= 0 && w.from <= out[last].to {
			out[last].to = max(out[last].to, w.to)
			continue
		}
		out = append(out, w)
	}
	return out
}

// Open reports whether it is open at t.
func (c *Calendar) Open(t time.Time) bool {
	for s := range c.spans(t) {
		return !s.From.After(t)
	}
	return false
}

// spans are when it is open from an instant on, in order, up to the horizon.
func (c *Calendar) spans(from time.Time) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		end := from.Add(horizon)
		if c == nil {
			yield(Span{from, end})
			return
		}
		// Inside of one offset from UTC, the clock on the wall runs evenly. What
		// is open is looked for in one such stretch after the other.
		for at := from; at.Before(end); {
			_, until := at.In(c.zone).ZoneBounds()
			if until.IsZero() || until.After(end) {
				until = end
			}
			if !c.even(at, until, yield) {
				return
			}
			at = until
		}
	}
}

// even yields what is open between two instants of one offset.
func (c *Calendar) even(at, until time.Time, yield func(Span) bool) bool {
	_, seconds := at.In(c.zone).Zone()
	offset := time.Duration(seconds) * time.Second
	for date := at.UTC().Add(offset).Truncate(day); ; date = date.Add(day) {
		midnight := date.Add(-offset)
		if !midnight.Before(until) {
			return true
		}
		if c.holidays[date] {
			continue
		}
		for _, w := range c.week[date.Weekday()] {
			s := Span{
				From: latest(at, midnight.Add(time.Duration(w.from)*time.Minute)),
				To:   earliest(until, midnight.Add(time.Duration(w.to)*time.Minute)),
			}
			if s.From.Before(s.To) && !yield(s) {
				return false
			}
		}
	}
}

// Add is the instant at which it has been open for d since from, not counting
// the pauses, which are in order and do not overlap. It is never in a pause nor
// when it is closed: what would fall on the end of a window is at the beginning
// of the next one.
func (c *Calendar) Add(from time.Time, d time.Duration, pauses []Span) time.Time {
	left := d
	for s := range without(c.spans(from), pauses) {
		if length := s.To.Sub(s.From); left >= length {
			left -= length
			continue
		}
		return s.From.Add(left)
	}
	return from.Add(horizon) // cannot be with hours that were validated
}

// without leaves out the pauses.
func without(spans iter.Seq[Span], pauses []Span) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for s := range spans {
			for _, p := range pauses {
				if !p.From.Before(s.To) {
					break
				}
				if s.From.Before(p.From) && !yield(Span{s.From, p.From}) {
					return
				}
				s.From = latest(s.From, p.To)
			}
			if s.From.Before(s.To) && !yield(s) {
				return
			}
		}
	}
}

// NextLocal is the first instant after now at which the clocks of a zone show a
// time of the day such as "08:00", or would if they did not skip it: then it is
// when they have skipped it. Of a time that they show twice it is the first.
func NextLocal(now time.Time, zone *time.Location, clock string) (time.Time, error) {
	minute := minuteOf(clock)
	if minute < 0 || minute == 24*60 {
		return time.Time{}, errClock
	}
	c := &Calendar{zone: zone}
	for d := range c.week {
		c.week[d] = []minutes{{minute, 24 * 60}}
	}
	told := ""
	for s := range c.spans(now.Add(-2 * day)) {
		// A date may have two spans, when the clocks are changed on it.
		date := s.From.In(zone).Format(time.DateOnly)
		if date != told && s.From.After(now) {
			return s.From, nil
		}
		told = date
	}
	return time.Time{}, errClock
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
