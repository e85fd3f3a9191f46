package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// notice is a notification of a handoff.
type notice struct {
	h *HandoffTruth
	DeliveryTruth
}

func (n notice) box() box { return box{n.Recipient, n.Channel} }

// String is the notification in a few words.
func (n notice) String() string {
	return fmt.Sprintf("%s to %s by %s", n.Step, short(n.Recipient), n.Channel)
}

// over is what made it untrue; nil while it is true.
func (n notice) over() *Entry { return n.h.overAt(n.Version, n.Generation) }

// mark is Baton's name of a notification, and bundleMark that of a message that
// tells of several.
func (n notice) mark() string {
	return notify.Key{
		Account: n.h.Account, Handoff: n.h.ID, Generation: n.Generation, Step: n.Step, Recipient: n.Recipient.String(), Channel: n.Channel,
	}.ID()
}

func (n notice) bundleMark() string {
	return notify.Key{Account: n.h.Account, Step: "bundle/" + n.Bundle.String(), Recipient: n.Recipient.String(), Channel: n.Channel}.ID()
}

// notices are all notifications, by the marks of the messages that tell of them.
func (ix *index) notices() map[string][]notice {
	all := map[string][]notice{}
	for _, h := range ix.handoffs {
		for _, d := range h.Deliveries {
			n := notice{h, d}
			mark := n.mark()
			if d.Bundle != uuid.Nil {
				mark = n.bundleMark()
			}
			all[mark] = append(all[mark], n)
		}
	}
	return all
}

// delivered are all messages, by their marks.
func (ix *index) delivered() map[string][]Message {
	all := map[string][]Message{}
	for _, m := range ix.Truth.Messages {
		all[m.Mark] = append(all[m.Mark], m)
	}
	return all
}

// checkNotified looks for what was due and did not come.
func checkNotified(ix *index) []Violation {
	var found []Violation
	delivered := ix.delivered()
	for mark, told := range ix.notices() {
		for _, n := range told {
			if what := n.astray(delivered[mark]); what != "" {
				found = append(found, Violation{Handoff: n.h.ID, What: fmt.Sprintf("%s %s", n, what), Shows: ix.storyOfCalls(n.h)})
			}
		}
	}
	for id, h := range ix.handoffs {
		there := map[string]map[box]bool{} // by step
		for _, d := range h.Deliveries {
			if there[d.Step] == nil {
				there[d.Step] = map[box]bool{}
			}
			there[d.Step][notice{h, d}.box()] = true
		}
		missing := func(step string, due []box) {
			for _, b := range due {
				if !there[step][b] {
					found = append(found, Violation{Handoff: id, What: fmt.Sprintf("%s: nothing was to go to %s by %s", step, short(b.recipient), b.channel), Shows: ix.storyOfCalls(h)})
				}
			}
		}
		for _, w := range h.waits() {
			for _, c := range ix.Ladders[h.Account].calls(w) {
				if ix.must(w, c) {
					missing(w.step(c), ix.boxes(w, c))
				}
			}
		}
		if last := len(h.Timeline) - 1; last >= 0 && h.Timeline[last].Verb == models.VerbReturn {
			e := h.Timeline[last]
			missing(fmt.Sprintf("returned/%d", e.Version), ix.boxes(waiting{h: h, began: e}, due{kind: notify.KindReturned, to: []Audience{{Who: "sender"}}}))
		}
	}
	for _, why := range ix.Truth.Refused {
		found = append(found, Violation{What: "a mail was refused for its form: " + why})
	}
	return found
}

// astray says what is wrong with how a notification ended, of which these
// messages came.
func (n notice) astray(came []Message) string {
	over := n.over()
	switch n.State {
	case models.DeliveryDone:
		i := slices.IndexFunc(came, func(m Message) bool { return m.ID == n.Message && m.Recipient == n.Recipient && m.Channel == n.Channel })
		switch {
		case i < 0:
			return "is said to be sent, and never came"
		case over != nil && came[i].Claims:
			return "still offers to claim what does not wait for it any more"
		}
	case models.DeliverySkipped:
		switch {
		case over == nil || over.At.After(n.UpdatedAt.Add(slip)):
			return "was not sent, though it was true: " + n.Reason
		case n.Reason == "":
			return "was not sent, and nobody is told why"
		case len(came) > 0 && !n.Maybe && n.Bundle == uuid.Nil:
			return "came, and is said not to have been sent"
		}
	default: // no trouble of a run is lasting
		return fmt.Sprintf("is %s in the end: %s", n.State, n.Reason)
	}
	return ""
}

// checkNotifiedOnce looks for what came twice, or was never to come.
func checkNotifiedOnce(ix *index) []Violation {
	var found []Violation
	notices := ix.notices()
	for mark, came := range ix.delivered() {
		told := notices[mark]
		wrong := func(format string, args ...any) {
			v := Violation{What: fmt.Sprintf(format, args...)}
			for _, m := range came {
				v.Shows = append(v.Shows, fmt.Sprintf("message %s by %s to %s at %s, about %v", m.ID, m.Channel, short(m.Recipient), m.At.Format("15:04:05.000"), m.About))
			}
			for _, n := range told {
				v.Handoff = n.h.ID
				v.Shows = append(v.Shows, fmt.Sprintf("delivery %s of %s is %s", n, n.h.ID, n.State))
			}
			found = append(found, v)
		}
		if len(told) == 0 {
			wrong("somebody was told by %s of what is not announced", came[0].Channel)
			continue
		}
		// A mail that comes again has the same Message-ID, and a webhook the same
		// id: so its receiver can tell. On a calm day none does.
		if len(came) > 1 && (came[0].Channel == notify.ChannelSlack || ix.Calm) {
			wrong("%s came %d times", told[0], len(came))
		}
		var of []uuid.UUID
		for _, n := range told {
			of = append(of, n.h.ID)
		}
		for _, m := range came {
			switch {
			case m.ID != came[0].ID && m.Channel != notify.ChannelSlack:
				wrong("%s came again with another id", told[0])
			case m.Recipient != told[0].Recipient || m.Channel != told[0].Channel:
				wrong("%s came to %s by %s", told[0], short(m.Recipient), m.Channel)
			case len(m.About) == 0 || slices.ContainsFunc(m.About, func(id uuid.UUID) bool { return !slices.Contains(of, id) }):
				wrong("%s came, and is about something else", told[0])
			}
		}
	}
	return found
}

// underWay is how long a message may be under way that was true when its turn
// came. An attempt gives itself 45 seconds.
func (ix *index) underWay() time.Duration {
	if ix.Calm {
		return 10 * time.Second
	}
	return 90 * time.Second
}

// checkRelevant looks for what was sent though it was not true any more. Each
// attempt looks before it sends; so what was begun when somebody had been
// answered already that it is over, must not have sent it.
func checkRelevant(ix *index) []Violation {
	var found []Violation
	wrong := func(n notice, format string, args ...any) {
		found = append(found, Violation{Handoff: n.h.ID, What: fmt.Sprintf("%s %s", n, fmt.Sprintf(format, args...)), Shows: ix.storyOfCalls(n.h)})
	}
	sent := map[uuid.UUID]time.Time{}
	for _, s := range ix.Truth.Sent {
		sent[s.ID] = s.Started
	}
	delivered := ix.delivered()
	for mark, told := range ix.notices() {
		for _, n := range told {
			e := n.over()
			if e == nil || n.State != models.DeliveryDone {
				continue
			}
			over := ix.shownBy(n.h, e.Version)
			if over.IsZero() {
				continue
			}
			began, ok := sent[n.ID]
			if n.Bundle != uuid.Nil {
				began, ok = sent[n.Bundle]
			}
			if ok && began.After(over.Add(slip)) {
				wrong(n, "was sent from %s on, and since %s it was over (%s)", began.Format("15:04:05.000"), over.Format("15:04:05.000"), e.Verb)
			}
			for _, m := range delivered[mark] {
				if m.At.Sub(over) > ix.underWay() {
					wrong(n, "came at %s, and since %s it was over (%s)", m.At.Format("15:04:05.000"), over.Format("15:04:05.000"), e.Verb)
				}
			}
		}
	}
	return found
}

// wallsOfMessages looks for what people were told of other accounts' handoffs.
func (ix *index) wallsOfMessages() []Violation {
	var found []Violation
	home := map[uuid.UUID]uuid.UUID{}
	for _, p := range ix.People {
		home[p.ID] = p.Account
	}
	for _, e := range ix.Endpoints {
		home[e.ID] = e.Account
	}
	for _, m := range ix.Truth.Messages {
		for _, id := range m.About {
			if h := ix.handoffs[id]; h == nil || h.Account != home[m.Recipient] {
				found = append(found, Violation{Handoff: id, What: fmt.Sprintf("somebody of another account was told of it by %s", m.Channel)})
			}
		}
	}
	return found
}
