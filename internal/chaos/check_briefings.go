package chaos

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/llm/llmtest"
	"github.com/baton-handoff/baton/models"
)

// briefedWithin is how long a handoff has to be open on a calm day to have a
// briefing.
const briefedWithin = 5 * time.Second

// checkBriefed looks at each handoff as its claimer does.
func checkBriefed(ix *index) []Violation {
	var found []Violation
	for id, h := range ix.handoffs {
		wrong := func(format string, args ...any) {
			found = append(found, Violation{Handoff: id, What: fmt.Sprintf(format, args...), Shows: ix.storyOfBriefing(h)})
		}
		if len(h.Timeline) == 0 {
			continue // nothing happened
		}
		if len(h.Briefings) == 0 {
			open := h.Timeline[len(h.Timeline)-1].At.Sub(h.Timeline[0].At)
			if h.State.Status.Open() || ix.Calm && open > briefedWithin {
				wrong("it has no briefing")
			}
			continue
		}
		newest, e := h.Briefings[len(h.Briefings)-1], h.Briefing
		switch {
		case e == nil:
			wrong("it is not known how its briefing stands")
			continue
		case e.State != models.EffectDone && e.State != models.EffectFailed:
			wrong("the making of its briefing is %s", e.State)
		case (e.State == models.EffectFailed || newest.Source == models.SourceRules) && (e.Reason == nil || *e.Reason == ""):
			wrong("nobody is told why a model did not make its briefing")
		}
		if e.Version == nil || *e.Version != newest.Version || e.Source == nil || *e.Source != newest.Source || e.StepCount == nil || *e.StepCount != newest.Steps {
			wrong("its newest briefing is version %d by %s, which is not the one that readers are told of", newest.Version, newest.Source)
		}
		if h.State.Status.Open() && newest.Steps != h.SessionSteps {
			wrong("its briefing knows %d of %d steps", newest.Steps, h.SessionSteps)
		}
		for _, seen := range ix.Briefings[id] {
			want := BriefingSeen{
				HTTP: 200, Version: newest.Version, Source: newest.Source, State: e.State, Reason: e.Reason,
				Stale: newest.Steps < h.SessionSteps && h.State.Status.Open(), Digest: digest(newest.Content),
			}
			if !reflect.DeepEqual(seen, want) {
				wrong("who reads its briefing is answered %+v instead of %+v", seen, want)
			}
		}
		if len(ix.Briefings[id]) == 0 && len(ix.ops[id]) > 0 && ix.created(h) {
			wrong("nobody read its briefing")
		}
	}
	for _, what := range ix.Surprises {
		found = append(found, Violation{What: what})
	}
	for _, run := range ix.Truth.BriefingRuns {
		if run.Status != "Completed" && run.Status != "ContinuedAsNew" && run.Status != "Running" {
			found = append(found, Violation{What: fmt.Sprintf("%s: run %s has %s", run.Workflow, run.ID, run.Status)})
		}
		for _, cause := range run.Failed {
			if ix.Builds < 2 && strings.Contains(cause, "NonDeterministic") {
				found = append(found, Violation{What: fmt.Sprintf("%s: run %s could not be replayed: %s", run.Workflow, run.ID, cause)})
			}
		}
	}
	return found
}

// created reports whether somebody was answered that the handoff was made.
func (ix *index) created(h *HandoffTruth) bool {
	return slices.ContainsFunc(ix.ops[h.ID], func(op Op) bool { return op.Verb == models.VerbCreate && op.Accepted() })
}

// checkBriefings reads all briefings.
func checkBriefings(ix *index) []Violation {
	var found []Violation
	for id, h := range ix.handoffs {
		var rules BriefingTruth
		for i, b := range h.Briefings {
			wrong := func(what string) {
				found = append(found, Violation{Handoff: id, What: fmt.Sprintf("version %d of its briefing: %s", b.Version, what), Shows: ix.storyOfBriefing(h)})
			}
			if b.Version != i+1 {
				wrong(fmt.Sprintf("it comes after %d others", i))
			}
			if b.Steps > h.SessionSteps {
				wrong(fmt.Sprintf("it knows %d of %d steps", b.Steps, h.SessionSteps))
			}
			var content map[string]any
			if err := json.Unmarshal(b.Content, &content); err != nil {
				wrong("it is no JSON")
				continue
			}
			supported("", content, b.Steps, wrong)
			if b.Source == models.SourceRules {
				rules = b
				continue
			}
			if i == 0 {
				wrong("a model wrote it before the rules did")
			}
			if rules.Steps == b.Steps {
				overwritten(rules.Content, content, wrong)
			}
		}
	}
	return found
}

// supported looks for what is shown as a fact and rests on nothing.
func supported(at string, v any, steps int, wrong func(string)) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			supported(fmt.Sprintf("%s[%d]", at, i), e, steps, wrong)
		}
	case map[string]any:
		opinion := v["unsupported"] == true
		for _, name := range []string{"refs", "for", "against"} {
			refs, _ := v[name].([]any)
			for _, ref := range refs {
				if n, ok := ref.(float64); !ok || n < 1 || int(n) > steps {
					wrong(fmt.Sprintf("%s.%s cites step %v of %d", at, name, ref, steps))
				}
			}
			if name == "refs" && v["by"] == "model" && len(refs) == 0 && v["from_handoff"] != true && !opinion {
				wrong(at + " is shown as a fact, and cites nothing")
			}
		}
		for _, name := range []string{"step", "worked_after", "reversed_in"} {
			if n, ok := v[name].(float64); ok && int(n) > steps {
				wrong(fmt.Sprintf("%s.%s cites step %v of %d", at, name, n, steps))
			}
		}
		for name, e := range v {
			if text, ok := e.(string); ok && strings.Contains(text, llmtest.InventedQuote) && !opinion {
				wrong(at + "." + name + " is shown as a fact, and was invented")
			}
			supported(at+"."+name, e, steps, wrong)
		}
	}
}

// overwritten looks for what a model changed though people had said it.
func overwritten(rules json.RawMessage, content map[string]any, wrong func(string)) {
	var before map[string]any
	if json.Unmarshal(rules, &before) != nil {
		return
	}
	for _, path := range [][2]string{{"headline", "title"}, {"headline", "sender"}, {"ask", "notes"}, {"problem", "reported"}, {"problem", "first_report"}} {
		was, _ := before[path[0]].(map[string]any)
		is, _ := content[path[0]].(map[string]any)
		if path[1] == "notes" && strings.HasPrefix(fmt.Sprint(is["notes"]), fmt.Sprint(was["notes"])) {
			continue // more was said when it went back into the queue
		}
		if !reflect.DeepEqual(was[path[1]], is[path[1]]) {
			wrong(fmt.Sprintf("a model changed its %s.%s", path[0], path[1]))
		}
	}
	if !reflect.DeepEqual(before["timeline"], content["timeline"]) {
		wrong("a model changed its timeline")
	}
}

// storyOfBriefing is what is known of a handoff's briefings.
func (ix *index) storyOfBriefing(h *HandoffTruth) []string {
	lines := ix.story(h.ID)
	for _, b := range h.Briefings {
		lines = append(lines, fmt.Sprintf("briefing  version %d by %s of %d steps", b.Version, b.Source, b.Steps))
	}
	if e := h.Briefing; e != nil {
		line := fmt.Sprintf("making    %s after %d attempts at %s", e.State, e.Attempts, e.UpdatedAt.Format("15:04:05.000000"))
		if e.Reason != nil {
			line += ": " + *e.Reason
		}
		lines = append(lines, line)
	}
	return lines
}

// checkBooks holds that Baton knows of all money that it spent.
func checkBooks(ix *index) []Violation {
	m := ix.Truth.Model
	var found []Violation
	if m.Booked < m.Answered {
		found = append(found, Violation{What: fmt.Sprintf("the model billed %d calls, and %d are on the books", m.Answered, m.Booked)})
	}
	if m.Cost < m.Billed {
		found = append(found, Violation{What: fmt.Sprintf("the model billed %d millionths of a dollar, and %d are on the books", m.Billed, m.Cost)})
	}
	return found
}
