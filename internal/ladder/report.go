package ladder

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/sheet"
	"github.com/baton-handoff/baton/models"
)

// Row sums up how long the handoffs of one group waited for their claim.
type Row struct {
	// Group is all, team, priority, day, hour or engineer; Key is which one of
	// them. That of an hour is the day of the week, from 1 for Monday (ISO 8601),
	// and the hour of the day: "1T09".
	Group string `json:"group"`
	Key   string `json:"key"`
	Name  string `json:"name"`
	// Waits is how often a handoff was put into the queue, Claimed how often it
	// was claimed from there, Resolved how many of these claims solved it.
	Waits    int `json:"waits"`
	Claimed  int `json:"claimed"`
	Resolved int `json:"resolved"`
	// Median and P90 are of the time to the claim, on the wall, in seconds; nil
	// without a claim.
	Median *float64 `json:"median_seconds"`
	P90    *float64 `json:"p90_seconds"`
	// WithTarget counts those with a target that have met or missed it,
	// WithinTarget those that have met it, and Share is the part, from 0 to 1.
	WithTarget   int      `json:"with_target"`
	WithinTarget int      `json:"within_target"`
	Share        *float64 `json:"share_within_target"`
	// Open is how many wait now, the oldest since Oldest.
	Open   int        `json:"open"`
	Oldest *time.Time `json:"oldest_open_at"`

	took []float64
}

// groups are the groups of rows, in their order.
var groups = []string{"all", "team", "priority", "day", "hour", "engineer"}

// Report sums up waits: all together, then by team, priority, day and hour of
// the week in the zone, and who claimed.
func Report(waits []models.HandoffWait, zone *time.Location, now time.Time) []Row {
	type place struct{ group, key string }
	rows := map[place]*Row{{"all", ""}: {Group: "all", Name: "All"}}
	targets := targets{}
	for _, w := range waits {
		in := [][2]string{{"", "All"}, {"", "No team"}, {w.Priority.String(), w.Priority.String()}}
		if w.TeamID != nil {
			in[1] = [2]string{w.TeamID.String(), orUnknown(w.TeamName)}
		}
		at := w.QueuedAt.In(zone)
		date := at.Format(time.DateOnly)
		in = append(in, [2]string{date, date}, hourOf(at))
		if w.ClaimedBy != nil {
			in = append(in, [2]string{w.ClaimedBy.String(), orUnknown(w.ClaimerName)})
		}
		due := targets.due(w)
		for i, of := range in {
			at := place{groups[i], of[0]}
			if rows[at] == nil {
				rows[at] = &Row{Group: at.group, Key: at.key, Name: of[1]}
			}
			rows[at].add(w, due, now)
		}
	}
	out := make([]Row, 0, len(rows))
	for _, r := range rows {
		r.sumUp()
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Row) int {
		return cmp.Or(slices.Index(groups, a.Group)-slices.Index(groups, b.Group), byKey(a, b), strings.Compare(a.Key, b.Key))
	})
	return out
}

// hourOf is the key and the name of an hour of the week.
func hourOf(at time.Time) [2]string {
	day := (int(at.Weekday())+6)%7 + 1
	return [2]string{fmt.Sprintf("%dT%02d", day, at.Hour()), fmt.Sprintf("%s %02d:00", at.Weekday(), at.Hour())}
}

func byKey(a, b Row) int {
	switch a.Group {
	case "priority":
		first, _ := models.ParsePriority(a.Key)
		second, _ := models.ParsePriority(b.Key)
		return int(second) - int(first) // the most urgent first
	case "hour":
		return strings.Compare(a.Key, b.Key)
	default:
		return strings.Compare(a.Name, b.Name)
	}
}

func orUnknown(name *string) string {
	if name == nil || *name == "" {
		return "Unknown"
	}
	return *name
}

func (r *Row) add(w models.HandoffWait, due, now time.Time) {
	r.Waits++
	if w.ClaimedAt == nil {
		r.Open++
		if r.Oldest == nil || w.QueuedAt.Before(*r.Oldest) {
			since := w.QueuedAt.UTC()
			r.Oldest = &since
		}
	} else {
		r.Claimed++
		r.took = append(r.took, max(w.ClaimedAt.Sub(w.QueuedAt).Seconds(), 0))
	}
	if w.ResolvedAt != nil {
		r.Resolved++
	}
	switch {
	case due.IsZero():
	case w.ClaimedAt != nil && !w.ClaimedAt.After(due):
		r.WithTarget++
		r.WithinTarget++
	case w.ClaimedAt != nil || now.After(due):
		r.WithTarget++
	}
}

func (r *Row) sumUp() {
	if len(r.took) > 0 {
		slices.Sort(r.took)
		r.Median, r.P90 = new(quantile(r.took, 0.5)), new(quantile(r.took, 0.9))
	}
	if r.WithTarget > 0 {
		r.Share = new(float64(r.WithinTarget) / float64(r.WithTarget))
	}
	r.took = nil
}

// quantile is that of sorted values, between two of them in proportion.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// targets knows policies by their text; many handoffs have the same.
type targets map[string]target

// target is in what time a handoff should be claimed, and by which clock if it
// is patient.
type target struct {
	within  time.Duration
	patient *Calendar
}

// due is when a handoff should have been claimed; zero without a target.
func (t targets) due(w models.HandoffWait) time.Time {
	if len(w.Policy) == 0 {
		return time.Time{}
	}
	of, known := t[string(w.Policy)]
	if !known {
		var p Policy
		if err := json.Unmarshal(w.Policy, &p); err != nil {
			return time.Time{}
		}
		of = target{within: p.ClaimWithin.Duration(), patient: p.Clock(models.PriorityLow)}
		t[string(w.Policy)] = of
	}
	if Patient(w.Priority) {
		return of.patient.Add(w.QueuedAt, of.within, nil)
	}
	return w.QueuedAt.Add(of.within)
}

// WriteCSV writes rows with a line of names first.
func WriteCSV(to io.Writer, rows []Row) error {
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		cells = append(cells, []string{
			r.Group, r.Key, r.Name, strconv.Itoa(r.Waits), strconv.Itoa(r.Claimed), strconv.Itoa(r.Resolved), sheet.Number(r.Median), sheet.Number(r.P90),
			strconv.Itoa(r.WithTarget), strconv.Itoa(r.WithinTarget), sheet.Number(r.Share), strconv.Itoa(r.Open), sheet.Time(r.Oldest),
		})
	}
	return sheet.Write(to, []string{
		"group", "key", "name", "waits", "claimed", "resolved", "median_seconds", "p90_seconds",
		"with_target", "within_target", "share_within_target", "open", "oldest_open_at",
	}, cells)
}
