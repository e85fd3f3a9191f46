package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Summary writes what a run was, as tables.
func (r *Record) Summary(w io.Writer, violations []Violation) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...any) {
		for _, c := range cells {
			_, _ = fmt.Fprintf(out, "%v\t", c)
		}
		_, _ = fmt.Fprintln(out)
	}
	line("request", "made", "2xx", "409", "403", "404", "503", "504", "no answer")
	for _, verb := range []models.Verb{models.VerbCreate, models.VerbClaim, models.VerbRelease, models.VerbReassign, models.VerbResolve, models.VerbCancel, models.VerbReturn, models.VerbAnswer, VerbRead} {
		n := map[string]int{}
		for _, op := range r.Ops {
			if op.Verb != verb || op.Signal {
				continue
			}
			n["made"]++
			if op.Accepted() {
				n["2xx"]++
			} else {
				n[fmt.Sprint(op.HTTP)]++
			}
		}
		line(verb, n["made"], n["2xx"], n["409"], n["403"], n["404"], n["503"], n["504"], n["0"])
	}
	_, _ = fmt.Fprintln(out)
	if err := out.Flush(); err != nil {
		return err
	}

	faults := map[string]int{}
	for _, f := range r.Faults {
		if f.Kind != "" {
			faults[f.Kind]++
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(faults)) {
		line(kind, faults[kind])
	}
	transitions, calls, notes, events, frames, connections, history := 0, 0, 0, 0, 0, 0, 0
	doors, states := map[models.Door]int{}, map[models.DeliveryState]int{}
	for _, h := range r.Truth.Handoffs {
		transitions += len(h.Timeline)
		for _, e := range h.Timeline {
			doors[e.Door]++
		}
		for _, d := range h.Deliveries {
			states[d.State]++
		}
	}
	for _, c := range r.Truth.Calls {
		if c.Done && c.Step != "" {
			calls++
		}
	}
	for _, t := range r.Truth.Tickets {
		notes += len(t.Notes)
	}
	for _, f := range r.Truth.Feeds {
		events += len(f.Events)
	}
	for _, s := range r.Streams {
		frames += len(s.Frames)
		connections += s.Connections
	}
	for _, run := range r.Truth.Runs {
		history += run.Events
	}
	_, _ = fmt.Fprintln(out)
	line("handoffs", len(r.Truth.Handoffs))
	line("accepted transitions", transitions)
	line("tickets", len(r.Truth.Tickets))
	line("notes in tickets", notes)
	line("calls of ladders", calls)
	line("leases that ended", doors[models.DoorLease])
	line("claims by links", doors[models.DoorLink])
	line("claims in Slack", doors[models.DoorSlack])
	line("notifications sent", states[models.DeliveryDone])
	line("skipped as over", states[models.DeliverySkipped])
	line("messages", len(r.Truth.Messages))
	for _, channel := range notify.ChannelNames() {
		if n := r.again()[channel]; n > 0 {
			line(fmt.Sprintf("repeated by %s", channel), n)
		}
	}
	line("history events", history)
	line("feed events", events)
	line("frames read", frames)
	line("by streams", len(r.Streams))
	line("over connections", connections)
	if r.Browser != nil {
		line("looks at a browser", len(r.Browser.Samples))
	}
	_, _ = fmt.Fprintln(out)
	if err := out.Flush(); err != nil {
		return err
	}

	if r.Browser == nil {
		if _, err := fmt.Fprintln(w, "– no browser took part"); err != nil {
			return err
		}
	}
	broken := map[string]int{}
	for _, v := range violations {
		broken[v.Check]++
	}
	for _, c := range Checks() {
		mark, how := "✔", ""
		if n := broken[c.Name]; n > 0 {
			mark, how = "✘", fmt.Sprintf(": broken %d times", n)
		}
		if _, err := fmt.Fprintf(w, "%s %-15s %s%s\n", mark, c.Name, c.Promise, how); err != nil {
			return err
		}
	}
	return nil
}

// again counts the messages that came more than once, by channel.
func (r *Record) again() map[notify.ChannelName]int {
	seen, again := map[string]bool{}, map[notify.ChannelName]int{}
	for _, m := range r.Truth.Messages {
		if seen[m.Mark] {
			again[m.Channel]++
		}
		seen[m.Mark] = true
	}
	return again
}

// most is how many violations of one check are shown in full.
const most = 3

// Explain writes what was wrong: the violations, and what was done to the
// system meanwhile.
func (r *Record) Explain(w io.Writer, violations []Violation) {
	shown := map[string]int{}
	for _, v := range violations {
		if shown[v.Check]++; shown[v.Check] > most {
			continue
		}
		_, _ = fmt.Fprintf(w, "\n✘ %s: handoff %s: %s\n", v.Check, v.Handoff, v.What)
		for _, s := range v.Shows {
			_, _ = fmt.Fprintf(w, "    %s\n", s)
		}
	}
	_, _ = fmt.Fprintf(w, "\nWhat was done (seed %d):\n", r.Seed)
	for _, f := range r.Faults {
		_, _ = fmt.Fprintf(w, "  %8.3f  %s\n", f.At.Seconds(), f.What)
	}
}
