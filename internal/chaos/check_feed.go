package chaos

import (
	"fmt"

	"github.com/baton-handoff/baton/models"
)

// checkFeed holds what each reader saw against the feed of its account.
func checkFeed(ix *index) []Violation {
	var found []Violation
	for _, s := range ix.Streams {
		if what, shows := ix.misread(s); what != "" {
			found = append(found, Violation{What: fmt.Sprintf("%s: %s", s.Name, what), Shows: shows})
		}
	}
	for account, feed := range ix.feeds {
		for i, e := range feed.Events {
			if _, seq, _ := position(e.ID); seq != int64(i+1) {
				found = append(found, Violation{What: fmt.Sprintf("the feed of account %s has number %d where %d belongs", account, seq, i+1)})
				break
			}
		}
		if int64(len(feed.Events)) != feed.LastSeq {
			found = append(found, Violation{What: fmt.Sprintf("the feed of account %s has %d events, and its head says %d", account, len(feed.Events), feed.LastSeq)})
		}
	}
	return found
}

// misread says what was wrong with a stream, first.
func (ix *index) misread(s Stream) (what string, shows []string) {
	feed := ix.feeds[s.Account]
	if feed == nil {
		return "its account has no feed", nil
	}
	if s.Ended != "" {
		return "it ended: " + s.Ended, nil
	}
	_, next, ok := position(s.Start)
	if !ok {
		return fmt.Sprintf("it began at %q, which is no place in a feed", s.Start), nil
	}
	for i, f := range s.Frames {
		context := func() []string {
			var lines []string
			for _, g := range s.Frames[max(0, i-3) : i+1] {
				lines = append(lines, fmt.Sprintf("saw %s %s %s", g.ID, g.Type, short(g.Handoff)))
			}
			return lines
		}
		switch {
		case f.Type == models.EventResync:
			return "it was told to resync, and nothing was lost", context()
		case f.Type == eventReady:
			return fmt.Sprintf("a connection began at %s, which is not where the last one had ended", f.ID), context()
		case f.Account != s.Account:
			return "it saw an event of another account", context()
		}
		next++
		if next > int64(len(feed.Events)) {
			return "it saw more than the feed has", context()
		}
		if e := feed.Events[next-1]; f != e {
			return fmt.Sprintf("where the feed has %s %s %s, it saw something else", e.ID, e.Type, short(e.Handoff)), context()
		}
	}
	if next != int64(len(feed.Events)) {
		return fmt.Sprintf("it saw everything up to %d, and the feed ends at %d", next, len(feed.Events)), nil
	}
	return "", nil
}
