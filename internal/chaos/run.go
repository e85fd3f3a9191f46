package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"go.temporal.io/sdk/log"
)

// streamsPerAccount is how many readers follow each account's feed.
const streamsPerAccount = 3

// patience is how long a run lasts at the least that has handoffs of which
// people need not be told at once. What is held back is held for two minutes.
const patience = time.Minute

// Options say what to run.
type Options struct {
	// Seed decides what goes wrong when, and what people do.
	Seed uint64
	// Duration is how long things go wrong.
	Duration time.Duration
	// Accounts is how many tenants there are; 3 when 0.
	Accounts int
	// Baton is the program; OldBaton an earlier build of it, to roll between.
	// Without an old one nothing is rolled.
	Baton, OldBaton string
	// Dir keeps data, logs and the record. It must not be in use.
	Dir string
	// Calm lets nothing go wrong.
	Calm bool
	// Only, where it is set, lets only those parts and links suffer whose name
	// holds it, such as "psa".
	Only string
	// Browser is the program of a Chromium that has the console open all the
	// time; without one, none has.
	Browser string
	// Settle is how long everything may take to come to rest once all parts are
	// back; 6 minutes when 0, which is more than the longest back-off that Baton
	// allows itself.
	Settle time.Duration
	// Logf gets lines for a person; nil discards.
	Logf func(format string, args ...any)
}

func (o Options) temporalLogger() log.Logger {
	return log.NewStructuredLogger(slog.New(slog.DiscardHandler))
}

// Run runs Baton under fire and returns what was written down. It fails when
// the run itself could not be carried out; what Baton did wrong is for
// [Record.Check] to find.
func Run(ctx context.Context, o Options) (_ *Record, err error) {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.Accounts == 0 {
		o.Accounts = 3
	}
	if o.Settle == 0 {
		o.Settle = 6 * time.Minute
	}
	if o.Dir, err = prepareDir(o.Dir); err != nil {
		return nil, err
	}
	sys, err := startSystem(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("starting the system: %w", err)
	}
	defer func() { err = errors.Join(err, sys.stop(context.WithoutCancel(ctx))) }()
	if sys.disk == nil && !o.Calm {
		o.Logf("no disk is filled in this run: that takes Linux, and root")
	}
	people, err := sys.people(ctx, o.Accounts)
	if err != nil {
		return nil, fmt.Errorf("making people: %w", err)
	}

	r := &Record{Seed: o.Seed, Calm: o.Calm, Builds: 1, Began: time.Now(), People: people}
	if o.OldBaton != "" && !o.Calm {
		r.Builds = 2
	}
	var noting sync.Mutex
	note := func(kind, what string) {
		noting.Lock()
		defer noting.Unlock()
		at := time.Since(r.Began)
		r.Faults = append(r.Faults, FaultEvent{At: at, What: what, Kind: kind})
		o.Logf("%8.3f  %s", at.Seconds(), what)
	}
	streams := readers(sys, people, streamsPerAccount, o.Seed)
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	var readersDone, opened sync.WaitGroup
	for _, s := range streams {
		opened.Add(1)
		readersDone.Go(func() { s.follow(reading, sync.OnceFunc(opened.Done)) })
	}
	opened.Wait() // what happens before it is open is nobody's promise

	c := newCrowd(sys, r.Began, people)
	c.patient = o.Duration >= patience
	for _, prepare := range []func(context.Context) error{c.connect, c.equip, c.setLadders} {
		if err := prepare(ctx); err != nil {
			return nil, err
		}
	}
	page, err := watch(ctx, sys, o, people)
	if err != nil {
		return nil, err
	}
	if page != nil {
		defer page.close()
		page.follow(ctx)
	}
	working, stopWorking := context.WithTimeout(ctx, o.Duration)
	defer stopWorking()
	var plan []planned
	if !o.Calm {
		plan = makePlan(o.Seed, o.Duration, sys, o.Only)
	}
	var crowdDone sync.WaitGroup
	crowdDone.Go(func() { c.work(working, o.Seed) })
	if err := carryOut(working, sys, plan, r.Began, note); err != nil {
		return nil, fmt.Errorf("breaking things: %w", err)
	}
	<-working.Done()
	crowdDone.Wait()

	note("", "everything is brought back")
	if err := sys.heal(ctx); err != nil {
		return nil, fmt.Errorf("bringing everything back: %w", err)
	}
	if err := await(ctx, readyWithin, "every replica is ready", sys.ready); err != nil {
		return nil, err
	}
	for _, rest := range []struct {
		when  string
		check func(context.Context) error
	}{
		{"every outcome is known", c.askAgain},
		{"briefings know the last steps", c.freshen},
		{"everything has come to rest", func(ctx context.Context) error { return sys.settled(ctx, streams) }},
	} {
		if err := await(ctx, o.Settle, rest.when, rest.check); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			note("", err.Error()) // the checks say what is stuck
		}
	}
	c.look(ctx)
	note("", "everything has come to rest")
	if page != nil {
		r.Browser = page.finish(ctx, c)
		if r.Browser.Told, err = sys.toldAt(ctx, page.who.Account); err != nil {
			return nil, fmt.Errorf("reading when the feed was told: %w", err)
		}
	}
	stopReading()
	readersDone.Wait()
	if r.Truth, err = sys.gather(ctx, people); err != nil {
		return nil, fmt.Errorf("asking the stores what became of it: %w", err)
	}
	r.Ops, r.Deaths, r.Briefings, r.Surprises = c.ops, sys.deaths, c.briefings, c.surprises
	r.Ladders, r.Endpoints, r.Signs = c.ladders, sys.inbox.endpoints, c.signs
	sort.SliceStable(r.Ops, func(i, j int) bool { return r.Ops[i].Call < r.Ops[j].Call })
	for _, s := range streams {
		r.Streams = append(r.Streams, s.seen)
	}
	return r, nil
}

// prepareDir makes the directory, open to the user that PostgreSQL runs as.
func prepareDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("chaos: no directory")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		return "", errors.Join(err, fmt.Errorf("%s is not empty; a run needs a directory of its own", dir))
	}
	return dir, os.Chmod(dir, 0o755)
}

// Rerun is the command that repeats a run. It plans the same, and what happens
// may differ all the same.
func (o Options) Rerun() string {
	args := fmt.Sprintf("--seed %d --duration %s --accounts %d", o.Seed, o.Duration, o.Accounts)
	if o.Calm {
		args += " --calm"
	}
	if o.Only != "" {
		args += " --only " + o.Only
	}
	return fmt.Sprintf("make chaos ARGS='%s'", args)
}
