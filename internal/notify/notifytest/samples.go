package notifytest

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Sample is a plausible message of a kind, the same each time. Its recipient's
// address is empty.
func Sample(kind notify.Kind) notify.Message {
	at := time.Date(2026, time.November, 23, 14, 5, 0, 0, time.UTC)
	m := notify.Message{
		Key: notify.Key{
			Account: uuid.MustParse("0192f7e8-0000-7000-8000-000000000001"), Handoff: uuid.MustParse("0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99"),
			Generation: 2, Step: "ladder/1/0", Recipient: "0192f7e8-0000-7000-8000-000000000002",
		},
		Kind: kind, At: at, Zone: time.FixedZone("CET", 3600),
		To: notify.Recipient{Name: "Bo Lind"},
		Facts: notify.Facts{
			Client: "Contoso", Problem: "Mail flow down after the MX change", Priority: models.PriorityCritical, Ticket: "#69",
			From: "Ana Ruiz", Team: "Tier 2", WaitingSince: at.Add(-10 * time.Minute), Why: "you are in the team Tier 2",
		},
		Links: notify.Links{
			Open:  "https://baton.example/h/0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99",
			Claim: "https://baton.example/claim/SIGNED",
		},
	}
	f := &m.Facts
	switch kind {
	case notify.KindEscalated, notify.KindReassigned:
		f.Ask = "Somebody with Exchange rights:\n1. check the transport rules\n2. call the client back by 15:00"
		f.Due, f.Next = at.Add(20*time.Minute), "the whole team is told"
	case notify.KindReleased:
		f.Reason = "My shift is over."
	case notify.KindReturned, notify.KindAnswered:
		f.Questions = []string{"Which <connector> & rule did you disable?", "Did *anyone* reboot EX01?"}
		if kind == notify.KindAnswered {
			f.Answer = "The inbound one.\nNobody did."
		}
	case notify.KindLeaseReminder, notify.KindLeaseAsked, notify.KindTakenBack:
		f.Holder = "Bo Lind"
		if kind != notify.KindTakenBack {
			f.Due, f.WaitingSince = at.Add(15*time.Minute), time.Time{}
		}
	case notify.KindBundle:
		m.Key.Handoff, m.Key.Generation, m.Key.Step = uuid.Nil, 0, "bundle/2026-11-23T14:05:00Z"
		m.Facts = notify.Facts{Count: 50, Why: f.Why}
		for n := range 10 {
			m.Facts.Items = append(m.Facts.Items, notify.Item{
				Client: "Contoso", Problem: fmt.Sprintf("Site %d is down", n+1), Priority: models.PriorityHigh, Ticket: fmt.Sprintf("#%d", 70+n),
				URL: fmt.Sprintf("https://baton.example/h/%d", n+1),
			})
		}
		m.Links = notify.Links{Open: "https://baton.example/queue"}
	case notify.KindTest:
		m.Key.Handoff, m.Key.Generation, m.Key.Step = uuid.Nil, 0, "test/1"
		m.Facts, m.Links = notify.Facts{}, notify.Links{Open: "https://baton.example/"}
	default:
	}
	return m
}
