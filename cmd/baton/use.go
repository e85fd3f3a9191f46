package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/demo"
	"github.com/baton-handoff/baton/internal/briefing"
	"github.com/baton-handoff/baton/internal/importer"
	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/models"
)

// target is where client commands go, and as whom.
type target struct {
	URL   string `default:"http://127.0.0.1:8080" env:"BATON_URL" help:"Address of Baton."`
	Token string `env:"BATON_TOKEN" help:"Bearer token."`
	As    string `placeholder:"EMAIL" help:"Act as a person of the demo account instead, like ana@demo.test."`
}

func (t target) connect(ctx context.Context) (*remote.Client, error) {
	switch {
	case t.As != "":
		return remote.DevClient(ctx, t.URL, t.As)
	case t.Token != "":
		return remote.New(t.URL, t.Token)
	}
	return nil, errors.New("who are you? Set BATON_TOKEN or --token, or use --as EMAIL against a `baton up`")
}

type demoCmd struct {
	URL string `default:"http://127.0.0.1:8080" env:"BATON_URL" help:"Address of a running 'baton up'."`
}

func (demoCmd) Help() string {
	return "Example:\n  baton up          # in one terminal\n  baton demo        # in another"
}

func (c demoCmd) Run(ctx context.Context) error { return demo.Tell(ctx, c.URL, os.Stdout) }

type tailCmd struct {
	target
	LastEventID string `name:"last-event-id" placeholder:"ID" help:"Replay what came after this event first."`
}

func (tailCmd) Help() string { return "Example:\n  baton tail --as ana@demo.test" }

func (c tailCmd) Run(ctx context.Context) error {
	b, err := c.connect(ctx)
	if err != nil {
		return err
	}
	lost := func(err error, wait time.Duration) {
		_, _ = fmt.Fprintf(os.Stderr, "connection lost (%v); trying again in %s\n", err, wait.Round(100*time.Millisecond))
	}
	return b.Follow(ctx, c.LastEventID, lost, func(e remote.Event) error {
		switch e.Type {
		case remote.Ready:
			_, _ = fmt.Fprintln(os.Stderr, "connected; waiting for events (Ctrl-C ends)")
		case models.EventResync:
			_, err := fmt.Fprintf(os.Stdout, "%s  resync: events are missing here; look at the queue anew\n", e.ID)
			return err
		default:
			_, err := fmt.Fprintf(os.Stdout, "%s  %s  %-19s %-8s %-8s  %s: %s%s\n", e.ID, e.Data.At.Local().Format(time.TimeOnly),
				strings.TrimPrefix(string(e.Type), "handoff_"), e.Data.Priority, e.Data.HandoffID.String()[:8], e.Data.ClientName, e.Data.Title, aside(e))
			return err
		}
		return nil
	})
}

// aside says what else is worth knowing about an event.
func aside(e remote.Event) string {
	switch {
	case e.Data.Ticket != nil:
		return fmt.Sprintf(" (ticket is %s)", e.Data.Ticket.Status)
	case e.Data.Effect != nil:
		return fmt.Sprintf(" (%s %s)", e.Data.Effect.Kind, e.Data.Effect.State)
	case e.Data.ActorName != nil:
		return fmt.Sprintf(" (by %s)", *e.Data.ActorName)
	}
	return ""
}

type queueCmd struct {
	target
	Mine     bool   `help:"Only what you hold, what waits addressed to you, and what was returned to you or by you."`
	Status   string `enum:"queued,claimed,returned," default:"" help:"queued (the default), claimed or returned."`
	Intent   string `enum:"park,escalate," default:"" help:"park or escalate."`
	Priority string `enum:"low,normal,high,critical," default:"" help:"low, normal, high or critical."`
	Search   string `short:"q" help:"Text in title, client, problem or ticket."`
	Limit    int    `default:"50" help:"The most rows to show."`
}

func (queueCmd) Help() string {
	return "Example:\n  baton queue --as ana@demo.test --priority critical"
}

func (c queueCmd) Run(ctx context.Context) error {
	b, err := c.connect(ctx)
	if err != nil {
		return err
	}
	params := client.ListQueueParams{
		Status: optional[client.OpenStatus](c.Status), Intent: optional[client.Intent](c.Intent),
		Priority: optional[client.Priority](c.Priority), Q: optional[client.Search](c.Search),
	}
	if c.Mine {
		params.Mine = &c.Mine
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "HANDOFF\tPRIORITY\tINTENT\tWAITING\tFROM\tFOR\tCLIENT\tTITLE")
	rows := 0
	err = b.Queue(ctx, params, func(h client.Handoff) bool {
		holder := deref(h.TargetUserName)
		if h.ClaimedByName != nil {
			holder = "held by " + *h.ClaimedByName
		}
		if h.Status == client.StatusReturned {
			holder = "asked by " + holder
		}
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.Priority, h.Intent,
			time.Since(h.CreatedAt).Round(time.Second), deref(h.HandedOffByName), holder, h.Session.ClientName, h.Session.Title)
		rows++
		return rows < c.Limit
	})
	if err != nil {
		return err
	}
	if rows == 0 {
		_, err = fmt.Fprintln(os.Stdout, "Nothing waits for you.")
		return err
	}
	return out.Flush()
}

func optional[T ~string](s string) *T {
	if s == "" {
		return nil
	}
	v := T(s)
	return &v
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type handoffCmd struct {
	target
	Session  uuid.UUID  `arg:"" help:"Id of your session."`
	Notes    string     `required:"" help:"What the next engineer has to know, and what you ask of them."`
	Intent   string     `enum:"park,escalate" default:"escalate" help:"park or escalate."`
	Priority string     `enum:"low,normal,high,critical" default:"normal" help:"low, normal, high or critical."`
	To       *uuid.UUID `placeholder:"USER" help:"Id of the colleague it is meant for."`
	Key      string     `help:"Idempotency-Key, to repeat a request safely."`
}

func (handoffCmd) Help() string {
	return "Example:\n  baton handoff 0198b2c4-… --priority high --notes 'VPN is down for the whole site, please take the firewall'"
}

func (c handoffCmd) Run(ctx context.Context) error {
	b, err := c.connect(ctx)
	if err != nil {
		return err
	}
	if c.Key == "" {
		c.Key = uuid.NewString()
	}
	h, err := b.HandOff(ctx, c.Key, c.Session, client.NewHandoff{
		Intent: client.Intent(c.Intent), EngineerNotes: c.Notes,
		Priority: optional[client.Priority](c.Priority), TargetUserID: c.To,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%s is in the queue, %s priority.\n", h.ID, h.Priority)
	return err
}

type claimCmd struct {
	target
	Handoff string `arg:"" help:"Id of the handoff, or the beginning of it."`
}

func (claimCmd) Help() string { return "Example:\n  baton claim 0198b2c4 --as ana@demo.test" }

func (c claimCmd) Run(ctx context.Context) error {
	b, found, err := c.find(ctx, c.Handoff)
	if err != nil {
		return err
	}
	h, err := b.Claim(ctx, found.SessionID, found.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "You have it: %s, %s.\n", h.Session.ClientName, h.Session.Title)
	return err
}

type returnCmd struct {
	target
	Handoff   string `arg:"" help:"Id of the handoff, or the beginning of it."`
	Questions string `required:"" help:"What you have to know to go on with it."`
}

func (returnCmd) Help() string {
	return "Example:\n  baton return 0198b2c4 --as ana@demo.test --questions 'Which firmware did it have before?'"
}

func (c returnCmd) Run(ctx context.Context) error {
	b, found, err := c.find(ctx, c.Handoff)
	if err != nil {
		return err
	}
	h, err := b.Return(ctx, found.SessionID, found.ID, c.Questions)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%s is asked. When they have answered, you get it first.\n", deref(h.HandedOffByName))
	return err
}

type answerCmd struct {
	target
	Handoff string `arg:"" help:"Id of the handoff, or the beginning of it."`
	Answer  string `required:"" help:"What you answer."`
}

func (answerCmd) Help() string {
	return "Example:\n  baton answer 0198b2c4 --as sam@demo.test --answer '7.2.4; see the backup in step 17'"
}

func (c answerCmd) Run(ctx context.Context) error {
	b, found, err := c.find(ctx, c.Handoff)
	if err != nil {
		return err
	}
	h, err := b.Answer(ctx, found.SessionID, found.ID, c.Answer)
	if err != nil {
		return err
	}
	if h.ReservedUntil == nil {
		_, err = fmt.Fprintf(os.Stdout, "It is in the queue, for %s.\n", deref(h.TargetUserName))
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "It is in the queue, kept for %s until %s.\n", deref(h.TargetUserName), h.ReservedUntil.Local().Format(time.TimeOnly))
	return err
}

type briefingCmd struct {
	target
	Handoff string `arg:"" help:"Id of the handoff, or the beginning of it."`
}

func (briefingCmd) Help() string { return "Example:\n  baton briefing 0198b2c4 --as ana@demo.test" }

func (c briefingCmd) Run(ctx context.Context) error {
	b, h, err := c.find(ctx, c.Handoff)
	if err != nil {
		return err
	}
	doc, err := b.Briefing(ctx, h.SessionID, h.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, briefing.Plain(doc.Content))
	return err
}

// find connects, and finds the open handoff of the caller's queue whose id
// begins so.
func (t target) find(ctx context.Context, id string) (*remote.Client, client.Handoff, error) {
	b, err := t.connect(ctx)
	if err != nil {
		return nil, client.Handoff{}, err
	}
	h, err := findHandoff(ctx, b, id)
	return b, h, err
}

func findHandoff(ctx context.Context, b *remote.Client, id string) (client.Handoff, error) {
	var found []client.Handoff
	for _, status := range []client.OpenStatus{client.OpenStatusQueued, client.OpenStatusClaimed, client.OpenStatusReturned} {
		params := client.ListQueueParams{Status: &status}
		if status == client.OpenStatusReturned {
			params.Mine = new(true) // without it, the sender's own escalations are left out
		}
		err := b.Queue(ctx, params, func(h client.Handoff) bool {
			if strings.HasPrefix(h.ID.String(), id) {
				found = append(found, h)
			}
			return true
		})
		if err != nil {
			return client.Handoff{}, err
		}
	}
	switch len(found) {
	case 0:
		return client.Handoff{}, fmt.Errorf("no open handoff of your queue begins with %q; see `baton queue`", id)
	case 1:
		return found[0], nil
	}
	return client.Handoff{}, fmt.Errorf("%d handoffs begin with %q; write more of the id", len(found), id)
}

type importCmd struct {
	target
	File string `arg:"" type:"existingfile" help:"JSON Lines: {key, title, client_name, problem, psa_ticket, steps[]} each."`
}

func (importCmd) Help() string {
	return "Bad lines are reported and left out; running it again changes nothing.\nExample:\n  baton import sessions.jsonl --as sam@demo.test"
}

func (c importCmd) Run(ctx context.Context) error {
	b, err := c.connect(ctx)
	if err != nil {
		return err
	}
	if _, err := b.Me(ctx); err != nil {
		return err // better now than once per line
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	bar := progressbar.NewOptions(len(text), progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))))
	kept, left := 0, 0
	bad := func(line importer.BadLine) {
		left++
		_ = bar.Clear()
		_, _ = fmt.Fprintf(os.Stderr, "line %d %s\n", line.Number, line.Reason)
	}
	var stop error
	err = importer.Read(bytes.NewReader(text), func(number, size int, s importer.Session) {
		if stop != nil {
			return
		}
		_, err := importer.Store(ctx, b, "import:", s)
		var refusal *remote.Refusal
		switch {
		case err == nil:
			kept++
		case errors.As(err, &refusal) && !refusal.Temporary():
			bad(importer.BadLine{Number: number, Reason: err.Error()})
		default:
			stop = fmt.Errorf("line %d: %w; run the same import again to go on", number, err)
		}
		_ = bar.Add(size)
	}, bad)
	_ = bar.Finish()
	if err = errors.Join(err, stop); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(os.Stdout, "%d sessions are there, %d lines were left out.\n", kept, left); err != nil {
		return err
	}
	if left > 0 {
		return exitCode(2)
	}
	return nil
}
