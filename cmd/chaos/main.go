// Command chaos proves Baton's promises under fire; see internal/chaos.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/baton-handoff/baton/internal/chaos"
)

type cli struct {
	Run   runCmd   `cmd:"" default:"withargs" help:"Run Baton under fire, and check that it kept its promises."`
	Check checkCmd `cmd:"" help:"Check the record of an earlier run again."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parsed := kong.Parse(&c, kong.Name("chaos"), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)))
	if err := parsed.Run(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

type runCmd struct {
	Seed     uint64        `help:"What decides what goes wrong when; by chance when left out."`
	Duration time.Duration `default:"2m" help:"How long things go wrong in each round."`
	Rounds   int           `default:"1" help:"How many rounds, each with a seed and a system of its own."`
	For      time.Duration `help:"Begin rounds for as long as this, instead."`
	Accounts int           `default:"3" help:"How many tenants."`
	Settle   time.Duration `default:"6m" help:"How long everything may take to come to rest in the end."`
	Calm     bool          `help:"Let nothing go wrong, to tell the instrument's mistakes from Baton's."`
	Only     string        `help:"Break only what has this in its name, such as psa or worker-1."`
	Baton    string        `default:"bin/baton" type:"path" help:"The program to break."`
	OldBaton string        `type:"path" help:"An earlier build, to roll between the two."`
	Browser  string        `default:"auto" help:"A Chromium that has the console open all the time; auto takes the machine's, off takes none."`
	Dir      string        `help:"Where data, logs and records are kept; a temporary directory when left out."`
	Keep     bool          `help:"Keep the logs also when all is well."`
	Quiet    bool          `help:"Do not tell each fault as it happens."`
}

func (runCmd) Help() string {
	return `Examples:
  make chaos                                      two minutes, another seed each time
  make chaos ARGS='--for 1h'                      an hour of rounds
  make chaos ARGS='--seed 7 --duration 30s'       the same again`
}

func (c runCmd) Run(ctx context.Context) error {
	base := c.Dir
	if base == "" {
		var err error
		if base, err = os.MkdirTemp("", "baton-chaos-*"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(base, 0o755); err != nil { //nolint:gosec // PostgreSQL's user has to pass
		return err
	}
	seed := c.Seed
	if seed == 0 {
		seed = uint64(rand.Uint32())
	}
	began := time.Now()
	for round := 0; c.For > 0 && time.Since(began) < c.For || c.For == 0 && round < c.Rounds; round++ {
		kept, err := c.round(ctx, base, seed+uint64(round), round)
		if err != nil {
			return err
		}
		if !kept {
			return errors.New("promises were broken")
		}
	}
	if c.Dir == "" && !c.Keep {
		return os.RemoveAll(base)
	}
	return nil
}

// round runs once, says what came of it, and reports whether all promises
// were kept.
func (c runCmd) round(ctx context.Context, base string, seed uint64, n int) (bool, error) {
	dir := filepath.Join(base, fmt.Sprintf("seed-%d", seed))
	browser := c.Browser
	switch browser {
	case "off":
		browser = ""
	case "auto":
		if browser = chaos.FindBrowser(); browser == "" {
			say("no Chromium is on this machine, so no browser takes part; see --browser")
		}
	}
	o := chaos.Options{
		Seed: seed, Duration: c.Duration, Accounts: c.Accounts, Calm: c.Calm, Only: c.Only, Settle: c.Settle,
		Baton: c.Baton, OldBaton: c.OldBaton, Browser: browser, Dir: dir, Logf: say,
	}
	if c.Quiet {
		o.Logf = nil
	}
	if err := os.RemoveAll(dir); err != nil { // of an earlier run with this seed
		return false, err
	}
	say("round %d, seed %d, %s (%s)", n+1, seed, c.Duration, dir)
	r, err := chaos.Run(ctx, o)
	if err != nil {
		return false, fmt.Errorf("seed %d: %w\nlogs are in %s", seed, err, dir)
	}
	record := filepath.Join(base, fmt.Sprintf("seed-%d.json.gz", seed))
	if err := r.Save(record); err != nil {
		return false, err
	}
	kept, err := judge(r)
	if err != nil {
		return false, err
	}
	if !kept {
		say("\nthe record is %s, logs are in %s\nagain: %s", record, dir, o.Rerun())
		return false, nil
	}
	if c.Keep {
		return true, nil
	}
	return true, os.RemoveAll(dir)
}

// judge checks a record and writes what came of it.
func judge(r *chaos.Record) (bool, error) {
	violations := r.Check()
	if err := r.Summary(os.Stdout, violations); err != nil {
		return false, err
	}
	if len(violations) > 0 {
		r.Explain(os.Stdout, violations)
	}
	return len(violations) == 0, nil
}

type checkCmd struct {
	Record string `arg:"" type:"existingfile" help:"A file that a run has kept."`
}

func (checkCmd) Help() string { return "Example:\n  chaos check seed-7.json.gz" }

func (c checkCmd) Run() error {
	r, err := chaos.Load(c.Record)
	if err != nil {
		return err
	}
	kept, err := judge(r)
	if err == nil && !kept {
		return errors.New("promises were broken")
	}
	return err
}

// say tells a person what happens.
func say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, format+"\n", args...)
}
