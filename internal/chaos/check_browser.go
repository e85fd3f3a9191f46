package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// besideMost is how many cards the page shows beside the queue.
const besideMost = 50

// blind is how long a page may call itself live while it hears nothing: it takes
// a minute of silence for an end (web/src/feed/stream.ts), and a machine that is
// busy being broken takes some time as well.
const blind = 75 * time.Second

// checkBrowser holds what the console showed against what it should have shown.
func checkBrowser(ix *index) []Violation {
	b := ix.Browser
	if b == nil {
		return nil // the summary says so
	}
	name := "the browser of " + ix.people[b.Who].Name
	if b.Ended != "" {
		return []Violation{{What: name + " ended: " + b.Ended}}
	}
	var found []Violation
	if len(b.Samples) == 0 {
		found = append(found, Violation{What: name + " was never looked at"})
	}
	if what := b.differs(); what != "" {
		found = append(found, Violation{What: name + ": in the end " + what})
	}
	for _, card := range b.Queue {
		if h := ix.handoffs[card.ID]; h == nil || h.Account != b.Account {
			found = append(found, Violation{Handoff: card.ID, What: fmt.Sprintf("%s shows %s, which its account does not have", name, short(card.ID))})
		}
	}
	versions := map[uuid.UUID][]Told{}
	for _, t := range b.Told {
		versions[t.ID] = append(versions[t.ID], t)
	}
	for _, s := range b.Samples {
		if !s.Same {
			found = append(found, Violation{What: fmt.Sprintf("%s had another page at %s", name, s.At.Format(time.TimeOnly))})
			break
		}
		if v := b.outdated(s, versions); v != nil {
			v.What = name + " " + v.What
			found = append(found, *v)
			break
		}
	}
	return found
}

// differs says how the last that the page showed differs from what the API said,
// first.
func (b *Browser) differs() string {
	if !b.Last.Same {
		return "it is another page"
	}
	if !b.Last.Live() {
		return fmt.Sprintf("it is not live: %q, %s", b.Last.Link, b.Last.Says)
	}
	for i := range max(len(b.Queue), len(b.Last.Queue)) {
		switch {
		case i >= len(b.Last.Queue):
			return fmt.Sprintf("it shows %d handoffs of %d in the queue, and not %s", len(b.Last.Queue), len(b.Queue), short(b.Queue[i].ID))
		case i >= len(b.Queue):
			return fmt.Sprintf("it shows %s, which is not in the queue", short(b.Last.Queue[i].ID))
		case b.Last.Queue[i] != b.Queue[i]:
			return fmt.Sprintf("it shows %s v%d in place %d, where the queue has %s v%d",
				short(b.Last.Queue[i].ID), b.Last.Queue[i].Version, i+1, short(b.Queue[i].ID), b.Queue[i].Version)
		}
	}
	if len(b.Last.Beside) >= besideMost {
		return "" // there may be more than it shows
	}
	for _, card := range b.Held {
		if !slices.Contains(b.Last.Beside, card) {
			return fmt.Sprintf("it does not show that they hold %s v%d", short(card.ID), card.Version)
		}
	}
	return ""
}

// outdated finds a card that the page showed as live though the feed had long
// had a newer version.
func (b *Browser) outdated(s Sample, versions map[uuid.UUID][]Told) *Violation {
	if !s.Live() {
		return nil
	}
	for _, card := range slices.Concat(s.Queue, s.Beside) {
		for _, t := range versions[card.ID] {
			if t.Version > card.Version && s.At.Sub(t.At) > blind {
				return &Violation{
					Handoff: card.ID,
					What:    fmt.Sprintf("said that it is live, and showed %s v%d %s after the feed had v%d", short(card.ID), card.Version, s.At.Sub(t.At).Round(time.Second), t.Version),
				}
			}
		}
	}
	return nil
}
