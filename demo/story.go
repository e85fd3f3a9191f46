package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/briefing"
	"github.com/baton-handoff/baton/internal/importer"
	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/models"
)

// The people of the demo account.
const (
	Junior = "sam@demo.test"
	Ana    = "ana@demo.test"
	Ben    = "ben@demo.test"
	Viewer = "vic@demo.test"
	Admin  = "ada@demo.test"
	Owner  = "olga@demo.test"
	// Outsider works for another provider.
	Outsider = "eve@other.test"
)

// races is how many of the handoffs the seniors race for.
const races = 4

// story is one telling.
type story struct {
	out    io.Writer
	people map[string]*remote.Client
	// arrived tells what appeared in Ana's queue, and when; briefed, what has a
	// briefing.
	arrived, briefed chan arrival
}

type arrival struct {
	handoff uuid.UUID
	at      time.Time
}

// Tell plays the story against the Baton at base, which has to be a `baton
// up`: a junior hands sessions off, they appear live in a senior's queue, the
// seniors race for them, and one is resolved.
func Tell(ctx context.Context, base string, out io.Writer) error {
	s := &story{out: out, people: map[string]*remote.Client{}, arrived: make(chan arrival, 100), briefed: make(chan arrival, 100)}
	for _, email := range []string{Junior, Ana, Ben, Admin, Owner} {
		c, err := remote.DevClient(ctx, base, email)
		if err != nil {
			return err
		}
		s.people[email] = c
	}
	sessions, err := s.work(ctx)
	if err != nil {
		return err
	}
	stop, err := s.watch(ctx)
	if err != nil {
		return err
	}
	defer stop()
	handoffs, err := s.handOff(ctx, sessions)
	if err != nil {
		return err
	}
	last, winner, err := s.race(ctx, handoffs)
	if err != nil {
		return err
	}
	return s.end(ctx, base, last, winner)
}

func (s *story) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// work is what came before: Sam's sessions with everything that was tried.
func (s *story) work(ctx context.Context) ([]prepared, error) {
	s.say("Sam, a junior, has been troubleshooting:")
	// Each telling has sessions of its own, so that the demo can be repeated.
	prefix := "demo-" + uuid.NewString() + ":"
	var lines []importer.Session
	err := importer.Read(bytes.NewReader(Sessions()),
		func(_, _ int, line importer.Session) { lines = append(lines, line) },
		func(bad importer.BadLine) { s.say("  line %d %s", bad.Number, bad.Reason) })
	if err != nil {
		return nil, err
	}
	var all []prepared
	for _, line := range lines {
		for i := range line.Steps {
			line.Steps[i].ID = uuid.New()
		}
		session, err := importer.Store(ctx, s.people[Junior], prefix, line)
		if err != nil {
			return nil, fmt.Errorf("storing the session %q: %w", line.Title, err)
		}
		s.say("  %-26s %3d steps  %s", cut(line.ClientName, 26), len(line.Steps), line.Title)
		all = append(all, prepared{session.ID, line})
	}
	return all, nil
}

type prepared struct {
	id   uuid.UUID
	line importer.Session
}

// watch opens Ana's queue, live.
func (s *story) watch(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	ended := make(chan error, 1)
	open := make(chan struct{})
	var once sync.Once
	wg.Go(func() {
		ended <- s.people[Ana].Follow(ctx, "", nil, func(e remote.Event) error {
			switch e.Type {
			case remote.Ready:
				once.Do(func() { close(open) })
			case models.EventCreated:
				s.arrived <- arrival{e.Data.HandoffID, time.Now()}
			case models.EventAssessmentReady:
				select {
				case s.briefed <- arrival{e.Data.HandoffID, time.Now()}:
				default: // somebody else's, or one more than is waited for
				}
			default:
			}
			return nil
		})
	})
	select {
	case err := <-ended:
		cancel()
		return nil, fmt.Errorf("opening the feed: %w", err)
	case <-open:
		return func() { cancel(); wg.Wait() }, nil
	}
}

func (s *story) handOff(ctx context.Context, sessions []prepared) ([]*client.Handoff, error) {
	s.say("\nSam is stuck, and hands them off:")
	var handoffs []*client.Handoff
	for _, p := range sessions {
		how := p.line.Handoff
		if how == nil {
			how = &client.NewHandoff{Intent: client.IntentEscalate, EngineerNotes: "I am stuck, please take over."}
		}
		start := time.Now()
		h, err := s.people[Junior].HandOff(ctx, uuid.NewString(), p.id, *how)
		if err != nil {
			return nil, fmt.Errorf("handing off %q: %w", p.line.Title, err)
		}
		s.say("  %-8s  %-26s  %s", h.Intent, cut(p.line.ClientName, 26), cut(p.line.Title, 68))
		answered := time.Since(start)
		arrived, err := s.await(ctx, h.ID, s.arrived, "the handoff did not appear in Ana's queue")
		if err != nil {
			return nil, err
		}
		briefed, err := s.await(ctx, h.ID, s.briefed, "the handoff was not briefed")
		if err != nil {
			return nil, err
		}
		s.say("            ⇢ %s priority, answered in %d ms, live in Ana's queue after %d ms, briefed after %d ms", h.Priority,
			answered.Milliseconds(), arrived.Sub(start).Milliseconds(), briefed.Sub(start).Milliseconds())
		if h.Intent == client.IntentEscalate {
			handoffs = append(handoffs, h)
		}
	}
	return handoffs, nil
}

// await waits until something has happened to a handoff.
func (s *story) await(ctx context.Context, handoff uuid.UUID, what <-chan arrival, otherwise string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		select {
		case a := <-what:
			if a.handoff == handoff {
				return a.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, errors.New(otherwise + " within ten seconds")
		}
	}
}

// race lets everybody claim the same handoff at the same moment.
func (s *story) race(ctx context.Context, handoffs []*client.Handoff) (last *client.Handoff, winner string, err error) {
	runners := []string{Ana, Ben, Admin, Owner}
	for i, h := range handoffs[:min(races, len(handoffs))] {
		s.say("\nRace %d: Ana, Ben, Ada and Olga all claim %s's ticket at once.", i+1, h.Session.ClientName)
		start := make(chan struct{})
		results := make([]error, len(runners))
		var wg sync.WaitGroup
		for j, email := range runners {
			wg.Go(func() {
				<-start
				_, results[j] = s.people[email].Claim(ctx, h.SessionID, h.ID)
			})
		}
		close(start)
		wg.Wait()
		winners := 0
		for j, email := range runners {
			name := nameOf(email)
			var refusal *remote.Refusal
			switch {
			case results[j] == nil:
				winners++
				winner, last = email, h
				s.say("  ✔ %-5s has it", name)
			case errors.As(results[j], &refusal):
				s.say("  ✘ %-5s was told: %s", name, refusal)
			default:
				return nil, "", results[j]
			}
		}
		if winners != 1 {
			return nil, "", fmt.Errorf("%d people were told that they have it; it has to be one", winners)
		}
	}
	return last, winner, nil
}

func (s *story) end(ctx context.Context, base string, h *client.Handoff, winner string) error {
	if h == nil {
		return errors.New("there was nothing to race for")
	}
	name := nameOf(winner)
	s.say("\n%s reads the briefing that was waiting:\n", name)
	doc, err := s.people[winner].Briefing(ctx, h.SessionID, h.ID)
	if err != nil {
		return err
	}
	for _, line := range firstLines(wrap(briefing.Plain(doc.Content), 100), 45) {
		s.say("    │ %s", line)
	}
	note, err := s.people[winner].Handoff(ctx, h.SessionID, h.ID)
	if err != nil {
		return err
	}
	if _, err := s.people[winner].Resolve(ctx, h.SessionID, h.ID, "Fixed it, and wrote down how."); err != nil {
		return err
	}
	s.say("\n%s resolves it. The rest still waits for you:", name)
	s.say("  the queue            bin/baton queue --as %s --url %s", Ben, base)
	s.say("  a briefing           bin/baton briefing --as %s --url %s HANDOFF", Ben, base)
	s.say("  the feed, live       bin/baton tail --as %s --url %s", Ben, base)
	s.say("  the API reference    %s/docs", base)
	if note.Links.Temporal != nil {
		s.say("  this handoff's life  %s", *note.Links.Temporal)
	}
	return nil
}

// nameOf is the first name of a person of the demo.
func nameOf(email string) string {
	name, _, _ := strings.Cut(email, "@")
	return strings.ToUpper(name[:1]) + name[1:]
}

// wrap breaks text into lines of at most width characters, between words, and
// keeps the indent of each.
func wrap(text string, width int) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		current := indent
		for _, word := range strings.Fields(line) {
			if len([]rune(current))+1+len([]rune(word)) > width && current != indent {
				out, current = append(out, current), indent
			}
			if current != indent {
				current += " "
			}
			current += word
		}
		out = append(out, current)
	}
	return out
}

func firstLines(lines []string, n int) []string {
	if len(lines) > n {
		lines = append(lines[:n], fmt.Sprintf("… and %d more lines", len(lines)-n))
	}
	return lines
}

// cut shortens text to n characters.
func cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}
