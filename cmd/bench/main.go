// Command bench measures Baton against its floors and prints a table.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/baton-handoff/baton/internal/bench"
)

// version is set when it is built.
var version = "dev"

type cli struct {
	Temporal []string `default:"sqlite,postgres" enum:"sqlite,postgres" help:"What Temporal keeps its data in: sqlite (the dev server), postgres (Temporal's own server), or both."`
	Only     []string `placeholder:"NAME" help:"Scenarios to run; all when left out."`
	Short    bool     `help:"A rough run, of about a minute for each backend."`
	Rounds   int      `placeholder:"N" help:"Rounds, of which the median counts."`
	Profile  string   `placeholder:"DIR" help:"Write a CPU profile of each scenario there, and what SQL it sent."`
	Out      string   `placeholder:"DIR" help:"Where <backend>.json and <backend>.md go; docs/benchmarks for a complete run, nowhere for a short or partial one."`
	Dir      string   `placeholder:"DIR" help:"Where the servers keep their data meanwhile: a disk like production's. The system's temporary directory when left out."`
	Program  string   `default:"bin/baton" help:"The baton program whose start is measured."`
}

// Help tells the names of the scenarios.
func (cli) Help() string {
	lines := []string{"Starts its own PostgreSQL and Temporal. Scenarios:"}
	for _, s := range bench.Scenarios() {
		lines = append(lines, fmt.Sprintf("  %-11s %s", s[0], s[1]))
	}
	return strings.Join(append(lines, "", "Example:", "  bench --temporal sqlite --only claim,losing --rounds 3"), "\n")
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if was, err := bench.RunChild(ctx); was {
		exit(err)
	}
	var c cli
	kong.Parse(&c, kong.Name("bench"), kong.Description("Measures Baton against its floors."), kong.UsageOnError())
	exit(c.run(ctx))
}

func exit(err error) {
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (c cli) run(ctx context.Context) error {
	began := time.Now()
	say := func(format string, args ...any) {
		_, _ = fmt.Fprintf(os.Stderr, "%4.0fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	var missed int
	for _, backend := range c.Temporal {
		report, err := c.measure(ctx, backend, say)
		if err != nil {
			return err
		}
		missed += len(report.Missed())
		_, _ = fmt.Fprintf(os.Stdout, "\n## Temporal on %s\n\n", backend)
		if err := report.Table(os.Stdout); err != nil {
			return err
		}
		out := c.Out
		if out == "" && len(c.Only) == 0 && !c.Short {
			out = "docs/benchmarks"
		}
		if out == "" {
			continue
		}
		if err := report.Write(out); err != nil {
			return err
		}
		say("written to %s/%s.md", out, backend)
	}
	if missed > 0 {
		say("%d rows miss their target", missed)
	}
	return nil
}

func (c cli) measure(ctx context.Context, backend string, say func(string, ...any)) (bench.Report, error) {
	o := bench.Options{Sizes: bench.Full(), Only: c.Only, Profile: c.Profile, Commit: version, Logf: say}
	if c.Short {
		o.Sizes = bench.Short()
	}
	if c.Rounds > 0 {
		o.Sizes.Rounds = c.Rounds
	}
	// `make up` starts the dev server, whatever the backend measured here.
	if _, err := os.Stat(c.Program); err == nil && backend == bench.SQLite {
		o.Program = c.Program
	} else if slices.Contains(c.Only, "up") {
		say("the start is measured with --temporal sqlite and with %s (make build)", c.Program)
	}
	say("starting PostgreSQL and Temporal on %s …", backend)
	servers, stop, err := bench.StartServers(ctx, backend, c.Dir, say)
	if err != nil {
		return bench.Report{}, err
	}
	defer stop()
	o.Servers = servers
	report, err := bench.Run(ctx, o)
	if errors.Is(err, context.Canceled) {
		return report, errors.New("stopped")
	}
	return report, err
}
