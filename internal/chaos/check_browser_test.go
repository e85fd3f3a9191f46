package chaos

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// browsed adds to a record what a browser of Ben's would have shown that was
// looked at twice: as soon as the feed had everything, and in the end.
func browsed(t *testing.T, r *Record) *Browser {
	t.Helper()
	who := slices.IndexFunc(r.People, func(p Person) bool { return p.Name == "Ben 1" })
	require.GreaterOrEqual(t, who, 0)
	b := &Browser{Who: r.People[who].ID, Account: r.People[who].Account}
	last := r.Began
	for _, h := range r.Truth.Handoffs {
		if h.Account != b.Account || len(h.Timeline) == 0 {
			continue
		}
		for _, e := range h.Timeline {
			b.Told = append(b.Told, Told{Card: Card{ID: h.ID, Version: e.Version}, At: e.At})
			last = latest(last, e.At)
		}
		now := h.Timeline[len(h.Timeline)-1]
		card := Card{ID: h.ID, Version: now.Version}
		switch {
		case now.Status == models.StatusQueued && (h.Intent != models.IntentEscalate || h.Sender != b.Who):
			b.Queue = append(b.Queue, card)
		case now.Status == models.StatusClaimed && now.Holder == b.Who:
			b.Held = append(b.Held, card)
		}
	}
	slices.SortFunc(b.Told, func(x, y Told) int { return cmp.Or(x.At.Compare(y.At), x.Version-y.Version) })
	b.Last = Sample{At: last.Add(time.Minute), Same: true, Link: "live", Queue: slices.Clone(b.Queue), Beside: slices.Clone(b.Held)}
	first := b.Last
	first.At, first.Queue = last.Add(time.Second), slices.Clone(b.Queue)
	b.Samples = []Sample{first, b.Last}
	require.NotEmpty(t, b.Queue)
	r.Browser = b
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestABrowserIsHeldToTheQueue(t *testing.T) {
	t.Parallel()
	require.Empty(t, checkBrowser(newIndex(loadRecord(t))), "a run without a browser")
	clean := loadRecord(t)
	browsed(t, clean)
	require.Empty(t, checkBrowser(newIndex(clean)))
	for name, falsify := range map[string]func(*Browser){
		"a handoff is not shown":            func(b *Browser) { b.Last.Queue = b.Last.Queue[1:] },
		"the last handoff is not shown":     func(b *Browser) { b.Last.Queue = b.Last.Queue[:len(b.Last.Queue)-1] },
		"one is shown that is gone":         func(b *Browser) { b.Last.Queue = append(b.Last.Queue, Card{ID: uuid.New(), Version: 1}) },
		"an old version is shown":           func(b *Browser) { b.Last.Queue[0].Version-- },
		"one is shown twice":                func(b *Browser) { b.Last.Queue = append(b.Last.Queue, b.Last.Queue[0]) },
		"what they hold is not shown":       func(b *Browser) { b.Held = append(b.Held, Card{ID: uuid.New(), Version: 2}) },
		"the page never came back":          func(b *Browser) { b.Last.Link = "waiting" },
		"the page says that it is behind":   func(b *Browser) { b.Last.Says = "The queue could not be read" },
		"the page was loaded again":         func(b *Browser) { b.Last.Same = false },
		"the page was another for a moment": func(b *Browser) { b.Samples[0].Same = false },
		"the page broke down":               func(b *Browser) { b.Ended = "the tab crashed" },
		"nobody looked":                     func(b *Browser) { b.Samples = nil },
		"it shows what another account has": func(b *Browser) {
			other := Card{ID: uuid.New(), Version: 1}
			b.Queue, b.Last.Queue = append(b.Queue, other), append(b.Last.Queue, other)
		},
		"it says live, and is older than a page may be": func(b *Browser) {
			b.Samples[0].Queue[0].Version--
			b.Samples[0].At = b.Samples[0].At.Add(time.Hour)
		},
	} {
		r := loadRecord(t)
		b := browsed(t, r)
		falsify(b)
		require.NotEmpty(t, checkBrowser(newIndex(r)), name)
	}
	for name, honest := range map[string]func(*Browser){
		"it says that it is not live": func(b *Browser) {
			b.Samples[0].Queue[0].Version--
			b.Samples[0].At, b.Samples[0].Link = b.Samples[0].At.Add(time.Hour), "waiting"
		},
		"a moment behind": func(b *Browser) { b.Samples[0].Queue[0].Version--; b.Samples[0].At = b.Told[0].At },
	} {
		r := loadRecord(t)
		b := browsed(t, r)
		honest(b)
		require.Empty(t, checkBrowser(newIndex(r)), name)
	}
}
