package chaos

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPromisesUnderFire is `make chaos`, short, with a seed that is always the
// same, and with programs that end at a data race.
func TestPromisesUnderFire(t *testing.T) {
	baton := buildBaton(t, "-race")
	r := runOnce(t, Options{Seed: 1, Duration: 20 * time.Second, Accounts: 2, Baton: baton, OldBaton: baton, Browser: FindBrowser()})
	violations := r.Check()
	var report strings.Builder
	require.NoError(t, r.Summary(&report, violations))
	if len(violations) > 0 {
		r.Explain(&report, violations)
	}
	t.Log("\n" + report.String())
	require.Empty(t, violations)
	require.NotEmpty(t, r.Faults)
}

// guard is a precaution in Baton's code that can be taken out.
type guard struct {
	name string
	file string // in the repository
	// from is the code as it is, once in the file; to is without the guard.
	from, to string
	// caught are the checks of which at least one has to notice.
	caught []string
	often  bool // with every `go test`, not only with all
	// only is what has to break for it to be noticed, as [Options.Only] has it;
	// the others show on a calm day.
	only string
	seed uint64 // of a plan that breaks that early; 1 when 0
}

// guards are the precautions that the promises rest on, each with what
// notices that it is gone.
var guards = []guard{
	{
		name: "a handoff that somebody holds cannot be claimed", file: "workflows/machine.go", often: true,
		from:   `if verb == models.VerbClaim && now.Status == models.StatusClaimed && !holds {`,
		to:     `if false {`,
		caught: []string{"one-holder"},
	},
	{
		name: "what is reserved is not claimed by others", file: "workflows/machine.go",
		from:   `at.Before(*until) && *now.TargetUserID != r.ActorID {`,
		to:     `false {`,
		caught: []string{"linearizable"},
	},
	{
		name: "only the holder or an admin resolves", file: "workflows/machine.go",
		from:   `return refuse(models.CodeForbidden, "Only who holds the handoff, or an admin, can resolve it.")`,
		to:     `_ = admin`,
		caught: []string{"linearizable"},
	},
	{
		name: "a closed handoff stays closed", file: "workflows/machine.go",
		from:   `if now.Status.Closed() {`,
		to:     `if now.Status.Closed() && verb != models.VerbClaim {`,
		caught: []string{"linearizable", "agreement", "nothing-stuck"},
	},
	{
		name: "the id of an update says who asks", file: "internal/engine/transition.go",
		from:   `return fmt.Sprintf("%s:%s:g%d-%s", req.Verb, by.UserID, generation, hex.EncodeToString(wish[:4]))`,
		to:     `return fmt.Sprintf("%s:%s:g%d-%s", req.Verb, req.HandoffID, generation, hex.EncodeToString(wish[:4]))`,
		caught: []string{"linearizable", "kept"},
	},
	{
		name: "2xx is given once readers can see it", file: "internal/engine/transition.go", often: true,
		from:   `view, err := e.records.Project(ctx, snap)`,
		to:     `view, err := e.records.Handoff(ctx, snap.SessionID, snap.HandoffID)`,
		caught: []string{"kept", "linearizable"},
	},
	{
		name: "the workflow shows what the API does not", file: "workflows/projector.go",
		from:   `if err := workflow.ExecuteActivity(ctx, a.Project, h.snap).Get(ctx, &shown); err != nil {`,
		to:     `if _ = a; ctx.Err() != nil {` + "\n\t\t\terr := ctx.Err()",
		caught: []string{"agreement", "documented"},
	},
	{
		name: "the id of a handoff is that of its key", file: "internal/store/sessions.go",
		from:   `if key == "" {`,
		to:     `if key == "" || kind == "handoff" {`,
		caught: []string{"true-refusals"},
	},
	{
		name: "readers go on where they were", file: "internal/feed/subscription.go", often: true,
		from:   `if lastEventID == "" {` + "\n\t\treturn head, \"\"",
		to:     `if lastEventID != "\x00" {` + "\n\t\treturn head, \"\"",
		caught: []string{"feed"},
	},
	{
		name: "the feed is that of the reader's account", file: "internal/store/feed.go",
		from: `err := s.db.WithContext(tenant.With(ctx, acct)).
		Where("account_id = ? AND seq > ?", acct, after)`,
		to: `err := s.db.WithContext(tenant.System(ctx)).
		Where("account_id <> ? AND seq > ?", acct, after)`,
		caught: []string{"feed"},
	},
	{
		name: "a note is looked for before it is written", file: "internal/psa/push.go", only: "psa",
		from:   `if !r.Found {`,
		to:     `if true {`,
		caught: []string{"told-once"},
	},
	{
		name: "a step waits for the one before it", file: "workflows/ticket.go",
		from:   `case pushed.State == models.EffectPending:`,
		to:     "case pushed.State == models.EffectPending && len(t.queue) > 1:\n\t\t\tt.queue = append(t.queue[1:], t.queue[0])\n\t\tcase pushed.State == models.EffectPending:",
		caught: []string{"ticket-story"},
	},
	{
		name: "a mark names the generation that ends", file: "activities/ticketnote.go",
		from: `case models.VerbRelease, models.VerbReassign, models.VerbAnswer:
		generation--
	case models.VerbCreate,`,
		to: `case models.VerbRelease, models.VerbAnswer:
		generation--
	case models.VerbReassign, models.VerbCreate,`,
		caught: []string{"told-once"},
	},
	{
		name: "credentials are sealed", file: "internal/secrets/secrets.go",
		from:   `Data: b.keys[b.first].Seal(nil, nil, text, bound(b.first, account, purpose))`,
		to:     `Data: text`,
		caught: []string{"secrets"},
	},
	{
		name: "a story is told without secrets", file: "activities/redaction.go",
		from:   `texts, s.counts, err = a.redaction.Texts(ctx, texts)`,
		to:     `_, s.counts, err = a.redaction.Texts(ctx, texts)`,
		caught: []string{"secrets"},
	},
	{
		name: "a model cites what is there", file: "internal/briefing/check.go",
		from:   `case !ok:` + "\n",
		to:     `case !ok && ref < 0:` + "\n",
		caught: []string{"briefings"},
	},
	{
		name: "what rests on nothing is marked", file: "internal/briefing/check.go",
		from:   `basis.Unsupported = len(basis.Refs) == 0 && !basis.FromHandoff`,
		to:     `basis.Unsupported = false`,
		caught: []string{"briefings"},
	},
	{
		name: "a call is on the books before it is made", file: "internal/store/briefings.go",
		from:   `if allowed = most > 0 && spent+c.CostMicroUSD <= most; !allowed {`,
		to:     `if allowed = true; true {`,
		caught: []string{"books"},
	},
	{
		name: "what is over is not sent", file: "activities/deliver.go",
		from:   `if why := moved(r, h.Handoff); why != "" {`,
		to:     `if why := moved(r, h.Handoff); why != "" && false {`,
		caught: []string{"relevant"},
	},
	{
		name: "a message is looked for before it is sent again", file: "internal/notify/slack/slack.go", only: "slack", seed: 33,
		from:   `if m.MaybeSent {`,
		to:     `if m.MaybeSent && false {`,
		caught: []string{"notified-once"},
	},
	{
		name: "nobody is called before it is due", file: "workflows/ladder.go",
		from:   `if wait := next.At.Sub(workflow.Now(ctx)); wait > 0 {`,
		to:     `if wait := next.At.Sub(workflow.Now(ctx)); wait > time.Hour {`,
		caught: []string{"ladders"},
	},
	{
		name: "repeats end where the next step begins", file: "internal/ladder/plan.go",
		from:   `after >= p.Steps[i+1].After {`,
		to:     `false {`,
		caught: []string{"ladders"},
	},
	{
		name: "whoever lost a handoff is told why", file: "internal/ladder/plan.go",
		from:   `calls[0].To = append(p.concerned(w), calls[0].To...)`,
		to:     `_ = p.concerned`,
		caught: []string{"notified"},
	},
	{
		name: "who is still there keeps what they hold", file: "internal/store/ladders.go",
		from:   "const activeAt = `greatest(h.claimed_at, s.updated_at, l.seen_at)`",
		to:     "const activeAt = `greatest(h.claimed_at, s.updated_at)`",
		caught: []string{"leases"},
	},
	{
		name: "messages have no secrets", file: "activities/message.go",
		from:   `s, err := d.tell(ctx, BriefingInput{AccountID: r.AccountID, SessionID: r.SessionID, HandoffID: r.HandoffID}, &note)`,
		to:     `unmasked := note` + "\n\t" + `s, err := d.tell(ctx, BriefingInput{AccountID: r.AccountID, SessionID: r.SessionID, HandoffID: r.HandoffID}, &note)` + "\n\t" + `note = unmasked`,
		caught: []string{"secrets"},
	},
	{
		name: "a ticket gets its note", file: "workflows/effects.go",
		from:   `due: func(t models.Transition) bool { return t.Verb == models.VerbCreate },`,
		to:     `due: func(t models.Transition) bool { return false },`,
		caught: []string{"documented"},
	},
}

// TestGuards takes each precaution out of Baton's code, one at a time, and
// requires that the checks notice. With BATON_CHAOS_GUARDS=all it is done for
// all of them (`make chaos-guards`).
func TestGuards(t *testing.T) {
	for _, g := range guards {
		t.Run(g.name, func(t *testing.T) {
			overlay := g.overlay(t) // a guard that has moved is noticed always
			if !g.often && os.Getenv("BATON_CHAOS_GUARDS") != "all" {
				t.Skip("run with BATON_CHAOS_GUARDS=all")
			}
			baton := buildBaton(t, "-overlay", overlay)
			o := Options{Seed: cmp.Or(g.seed, 1), Duration: 8 * time.Second, Accounts: 2, Baton: baton, Calm: true, Settle: 30 * time.Second}
			if g.only != "" {
				o.Calm, o.Only, o.Duration, o.Settle = false, g.only, 15*time.Second, time.Minute
			}
			r := runOnce(t, o)
			found := map[string]string{}
			for _, v := range r.Check() {
				found[v.Check] = v.What
			}
			t.Logf("noticed: %v", found)
			for _, c := range g.caught {
				if found[c] != "" {
					return
				}
			}
			t.Errorf("none of %v noticed", g.caught)
		})
	}
}

// overlay writes what `go build -overlay` wants: the file without the guard in
// place of the real one.
func (g guard) overlay(t *testing.T) string {
	t.Helper()
	path := filepath.Join(root(t), g.file)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), g.from), "the guard is not where it was; say here how to take it out of %s", g.file)
	dir := t.TempDir()
	without := filepath.Join(dir, filepath.Base(g.file))
	require.NoError(t, os.WriteFile(without, []byte(strings.Replace(string(source), g.from, g.to, 1)), 0o600))
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{path: without}})
	require.NoError(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, text, 0o600))
	return overlay
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

func buildBaton(t *testing.T, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "baton")
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build"}, flags...), "-o", program, "./cmd/baton")...)
	cmd.Dir = root(t)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

func runOnce(t *testing.T, o Options) *Record {
	t.Helper()
	dir, err := os.MkdirTemp("", "baton-chaos-*")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs are in %s", dir)
			return
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	o.Dir = filepath.Join(dir, "run")
	require.NoError(t, os.Chmod(dir, 0o755)) // PostgreSQL's user has to pass
	o.Logf = t.Logf
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	r, err := Run(ctx, o)
	require.NoError(t, err)
	require.NoError(t, r.Save(filepath.Join(dir, "record.json.gz"))) // what a seed does is not the same twice
	return r
}
