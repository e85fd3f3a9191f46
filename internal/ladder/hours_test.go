package ladder_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/ladder"
)

var workdays = []string{"mon", "tue", "wed", "thu", "fri"}

func office(zone string, holidays ...string) ladder.Hours {
	return ladder.Hours{Zone: zone, Week: []ladder.Window{{Days: workdays, From: "08:00", To: "18:00"}}, Holidays: holidays}
}

func calendar(t require.TestingT, h ladder.Hours) *ladder.Calendar {
	c, err := h.Calendar()
	require.NoError(t, err)
	return c
}

func at(t require.TestingT, text string) time.Time {
	when, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return when
}

// TestAddOverClockChanges is about real dates. Times are written with their
// offsets, so that each tells which side of a change it is on.
func TestAddOverClockChanges(t *testing.T) {
	t.Parallel()
	every := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	night := func(zone, from, to string) ladder.Hours {
		return ladder.Hours{Zone: zone, Week: []ladder.Window{{Days: every, From: from, To: to}}}
	}
	for _, c := range []struct {
		name       string
		hours      ladder.Hours
		from, want string
		add        time.Duration
	}{
		{"inside", office("Europe/Berlin"), "2026-11-25T09:00:00+01:00", "2026-11-25T10:00:00+01:00", time.Hour},
		{"before opening", office("Europe/Berlin"), "2026-11-25T06:00:00+01:00", "2026-11-25T08:00:00+01:00", 0},
		{"over a night", office("Europe/Berlin"), "2026-11-25T17:50:00+01:00", "2026-11-26T08:20:00+01:00", 30 * time.Minute},
		{"the end of a day is the beginning of the next", office("Europe/Berlin"), "2026-11-25T17:30:00+01:00", "2026-11-26T08:00:00+01:00", 30 * time.Minute},
		{"over a weekend", office("Europe/Berlin"), "2026-11-27T17:50:00+01:00", "2026-11-30T08:20:00+01:00", 30 * time.Minute},
		{"over holidays", office("Europe/Berlin", "2026-12-25", "2026-12-24"), "2026-12-23T17:00:00+01:00", "2026-12-28T09:00:00+01:00", 2 * time.Hour},
		// Clocks go forward in Berlin on 29 March 2026, 02:00 to 03:00.
		{"a weekend with a spring change", office("Europe/Berlin"), "2026-03-27T17:00:00+01:00", "2026-03-30T09:00:00+02:00", 2 * time.Hour},
		{"a night that lacks an hour", night("Europe/Berlin", "00:00", "06:00"), "2026-03-29T00:00:00+01:00", "2026-03-29T05:00:00+02:00", 4 * time.Hour},
		{"a night that lacks an hour has five", night("Europe/Berlin", "00:00", "06:00"), "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 5 * time.Hour},
		{"an opening that is skipped", night("Europe/Berlin", "02:30", "05:00"), "2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00", 0},
		{"a window that is skipped", night("Europe/Berlin", "02:10", "02:50"), "2026-03-29T00:00:00+01:00", "2026-03-30T02:10:00+02:00", 0},
		{"a closing that is skipped", night("Europe/Berlin", "01:00", "02:30"), "2026-03-29T01:30:00+01:00", "2026-03-30T01:00:00+02:00", 30 * time.Minute},
		// Clocks go back in Berlin on 25 October 2026, 03:00 to 02:00.
		{"a weekend with an autumn change", office("Europe/Berlin"), "2026-10-23T17:00:00+02:00", "2026-10-26T09:00:00+01:00", 2 * time.Hour},
		{"a night with an hour twice", night("Europe/Berlin", "00:00", "06:00"), "2026-10-25T00:00:00+02:00", "2026-10-25T05:00:00+01:00", 6 * time.Hour},
		{"a window that comes twice", night("Europe/Berlin", "02:10", "02:50"), "2026-10-25T00:00:00+02:00", "2026-10-25T02:20:00+01:00", 50 * time.Minute},
		{"its first time", night("Europe/Berlin", "02:10", "02:50"), "2026-10-25T00:00:00+02:00", "2026-10-25T02:20:00+02:00", 10 * time.Minute},
		// New York on 8 March and 1 November 2026.
		{"New York in spring", office("America/New_York"), "2026-03-06T17:00:00-05:00", "2026-03-09T09:00:00-04:00", 2 * time.Hour},
		{"New York in autumn", office("America/New_York"), "2026-10-30T17:00:00-04:00", "2026-11-02T09:00:00-05:00", 2 * time.Hour},
		// Lord Howe Island moves by half an hour: 5 April 2026, 02:00 to 01:30.
		{"half an hour twice", night("Australia/Lord_Howe", "01:00", "02:00"), "2026-04-05T01:00:00+11:00", "2026-04-05T01:45:00+10:30", 75 * time.Minute},
		// Clocks go forward at midnight in Beirut: 29 March 2026, 00:00 to 01:00.
		{"a day that begins at one", night("Asia/Beirut", "00:00", "24:00"), "2026-03-28T23:00:00+02:00", "2026-03-29T01:30:00+03:00", 90 * time.Minute},
		// Samoa left out 30 December 2011, a Friday.
		{"a day that never was", office("Pacific/Apia"), "2011-12-29T17:00:00-10:00", "2012-01-02T09:00:00+14:00", 2 * time.Hour},
		{"halves of hours", office("Asia/Kolkata"), "2026-11-25T17:45:00+05:30", "2026-11-26T08:15:00+05:30", 30 * time.Minute},
		{"always", ladder.Hours{}, "2026-11-28T03:00:00Z", "2026-11-28T04:00:00Z", time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := calendar(t, c.hours).Add(at(t, c.from), c.add, nil)
			require.Equal(t, at(t, c.want).UTC(), got.UTC())
		})
	}
}

func TestPausesDoNotCount(t *testing.T) {
	t.Parallel()
	c := calendar(t, office("Europe/Berlin"))
	from := at(t, "2026-11-25T09:00:00+01:00")
	pause := []ladder.Span{
		{From: at(t, "2026-11-25T09:30:00+01:00"), To: at(t, "2026-11-25T17:30:00+01:00")},
		{From: at(t, "2026-11-25T20:00:00+01:00"), To: at(t, "2026-11-26T09:00:00+01:00")},
	}
	require.Equal(t, at(t, "2026-11-25T17:30:00+01:00").UTC(), c.Add(from, 30*time.Minute, pause).UTC(), "not inside of a pause")
	require.Equal(t, at(t, "2026-11-26T09:15:00+01:00").UTC(), c.Add(from, 75*time.Minute, pause).UTC())
	var always *ladder.Calendar
	require.Equal(t, at(t, "2026-11-26T09:00:00+01:00").UTC(), always.Add(from, 3*time.Hour, pause).UTC())
}

func TestNextLocal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, clock, now, want string }{
		{"Europe/Berlin", "08:00", "2026-11-25T07:59:00+01:00", "2026-11-25T08:00:00+01:00"},
		{"Europe/Berlin", "08:00", "2026-11-25T08:00:00+01:00", "2026-11-26T08:00:00+01:00"},
		{"Europe/Berlin", "08:00", "2026-11-25T22:00:00+01:00", "2026-11-26T08:00:00+01:00"},
		{"Europe/Berlin", "08:00", "2026-03-28T22:00:00+01:00", "2026-03-29T08:00:00+02:00"},
		{"Europe/Berlin", "02:30", "2026-03-28T22:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "02:30", "2026-10-24T22:00:00+02:00", "2026-10-25T02:30:00+02:00"},
		{"Europe/Berlin", "02:30", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		{"Europe/Berlin", "02:30", "2026-10-25T02:10:00+01:00", "2026-10-26T02:30:00+01:00"},
		{"America/New_York", "00:00", "2026-11-25T12:00:00-05:00", "2026-11-26T00:00:00-05:00"},
	} {
		zone, err := ladder.Zone(c.zone)
		require.NoError(t, err)
		got, err := ladder.NextLocal(at(t, c.now), zone, c.clock)
		require.NoError(t, err)
		require.Equal(t, at(t, c.want).UTC(), got.UTC(), "%+v", c)
	}
	for _, wrong := range []string{"", "8:00", "24:00", "25:00", "08:60", "08:00:00", "noon"} {
		_, err := ladder.NextLocal(time.Unix(0, 0), time.UTC, wrong)
		require.Error(t, err, wrong)
	}
}

// zones change their clocks at different hours, by different amounts, and not
// at all.
var zones = []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kolkata", "America/Sao_Paulo", "UTC", "Pacific/Apia", "Africa/Casablanca"}

var anyHours = rapid.Custom(func(t *rapid.T) ladder.Hours {
	h := ladder.Hours{Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
	for range rapid.IntRange(1, 4).Draw(t, "windows") {
		from := rapid.IntRange(0, 47).Draw(t, "from")
		to := rapid.IntRange(from+1, 48).Draw(t, "to")
		h.Week = append(h.Week, ladder.Window{
			Days: rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(workdays), "sat", "sun")), 1, 7, rapid.ID).Draw(t, "days"),
			From: halfHours(from), To: halfHours(to),
		})
	}
	for range rapid.IntRange(0, 5).Draw(t, "holidays") {
		d := time.Date(2026, 1, rapid.IntRange(1, 365).Draw(t, "holiday"), 0, 0, 0, 0, time.UTC)
		h.Holidays = append(h.Holidays, d.Format(time.DateOnly))
	}
	return h
})

func halfHours(n int) string {
	if n == 48 {
		return "24:00"
	}
	return time.Date(2000, 1, 1, 0, 30*n, 0, 0, time.UTC).Format("15:04")
}

// shows is what Open means, said once more and in another way.
func shows(h ladder.Hours, zone *time.Location, when time.Time) bool {
	local := when.In(zone)
	if slices.Contains(h.Holidays, local.Format(time.DateOnly)) {
		return false
	}
	name := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}[local.Weekday()]
	clock := local.Format("15:04")
	for _, w := range h.Week {
		if slices.Contains(w.Days, name) && w.From <= clock && (clock < w.To) {
			return true
		}
	}
	return false
}

var anyInstant = rapid.Custom(func(t *rapid.T) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 365*24*60).Draw(t, "minute")) * time.Minute)
})

func TestAddCountsOpenMinutes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, from := anyHours.Draw(t, "hours"), anyInstant.Draw(t, "from")
		c := calendar(t, h)
		zone, err := ladder.Zone(h.Zone)
		require.NoError(t, err)
		var pauses []ladder.Span
		for begin := from; len(pauses) < rapid.IntRange(0, 3).Draw(t, "pauses"); {
			begin = begin.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "gap")) * time.Minute)
			end := begin.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "length")) * time.Minute)
			pauses = append(pauses, ladder.Span{From: begin, To: end})
			begin = end
		}
		paused := func(when time.Time) bool {
			return slices.ContainsFunc(pauses, func(p ladder.Span) bool { return !when.Before(p.From) && when.Before(p.To) })
		}
		minutes := rapid.IntRange(0, 1200).Draw(t, "minutes")
		got := c.Add(from, time.Duration(minutes)*time.Minute, pauses)
		require.False(t, got.Before(from))
		require.True(t, shows(h, zone, got), "closed at %s", got.In(zone))
		require.False(t, paused(got))
		counted := 0
		for when := from; when.Before(got); when = when.Add(time.Minute) {
			if shows(h, zone, when) && !paused(when) {
				counted++
			}
		}
		require.Equal(t, minutes, counted)
		require.True(t, c.Add(from, time.Duration(minutes+1)*time.Minute, pauses).After(got), "more time is later")
		require.Equal(t, shows(h, zone, from), c.Open(from))
	})
}
