package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// Options says what to measure, and how long.
type Options struct {
	Servers Servers
	Sizes   Sizes
	// Only names the scenarios to run; none is all.
	Only []string
	// Profile is a directory for a CPU profile of each scenario; empty is none.
	Profile string
	// Program is the baton binary whose start is measured; empty leaves it out.
	Program string
	// Commit is the version of what is measured.
	Commit string
	// Logf gets a line for a person whenever something begins.
	Logf func(format string, args ...any)
}

// Sizes says how much of everything. All counts are per round, except where
// they say otherwise.
type Sizes struct {
	Rounds                int
	Claims, Losing, Races int
	Clients               int // who race for one handoff
	Creates               int
	Outages               int   // handoffs of each account, whose PSA or model is well or not
	Streams               []int // of one replica
	Events                int   // to the smallest number of streams; fewer to more
	IdleStreams           int
	SmallQueue, OpenQueue int // handoffs, once
	ClosedQueue           int
	Pages                 int
	Handoffs              int // whose cost is counted, once
	Projections           int // of decisions, for one account and for many
	Starts                int // of `baton up`, after the first, once
	Workers               []int
	Batch                 int // handoffs at once, for each number of workers
	// Busier are how many times as busy as it is the busiest hour is played,
	// and Hour how much of it, once.
	Busier []int
	Hour   time.Duration
}

// Full takes about eight minutes on two cores.
func Full() Sizes {
	return Sizes{
		Rounds: 5, Claims: 100, Losing: 400, Races: 8, Clients: 50, Creates: 40, Outages: 15,
		Streams: []int{1_000, 10_000}, Events: 40, IdleStreams: 5_000,
		SmallQueue: 1_000, OpenQueue: 100_000, ClosedQueue: 1_000_000, Pages: 40,
		Handoffs: 60, Projections: 1_500, Starts: 3, Workers: []int{1, 2, 4}, Batch: 48,
		Busier: []int{1, 10, 30}, Hour: 40 * time.Second,
	}
}

// Short takes about a minute, and is too rough to conclude anything from.
func Short() Sizes {
	return Sizes{
		Rounds: 3, Claims: 25, Losing: 100, Races: 3, Clients: 50, Creates: 10, Outages: 5,
		Streams: []int{1_000}, Events: 10, IdleStreams: 1_000,
		SmallQueue: 1_000, OpenQueue: 20_000, ClosedQueue: 100_000, Pages: 10,
		Handoffs: 10, Projections: 200, Starts: 1, Workers: []int{1, 2}, Batch: 32,
		Busier: []int{10}, Hour: 8 * time.Second,
	}
}

// scenario measures one thing, and returns the rows about it.
type scenario struct {
	name string
	help string
	run  func(context.Context, *bench) ([]Row, error)
}

func scenarios() []scenario {
	return []scenario{
		{"claim", "a claim that wins", measureClaims},
		{"anatomy", "where the time of a claim goes", measureAnatomy},
		{"losing", "a claim that loses", measureLosing},
		{"race", "many who want the same handoff", measureRaces},
		{"live", "from a create to a frame of another replica", measureLive},
		{"fanout", "one event to many streams", measureFanOut},
		{"memory", "what an idle stream takes", measureMemory},
		{"queue", "a page of a long queue", measureQueue},
		{"cost", "what a handoff leaves in Temporal and PostgreSQL", measureCost},
		{"throughput", "many creates and claims at once", measureThroughput},
		{"account", "what one account's feed lets through", measureAccount},
		{"outage", "claims and creates while the PSA is down", measureOutage},
		{"stall", "claims and creates while the model stalls", measureStall},
		{"hour", "the busiest hour of a large provider", measureHour},
		{"up", "the start of `make up`", measureStart},
	}
}

// Scenarios lists the names that Options.Only takes, each with what it
// measures.
func Scenarios() (list [][2]string) {
	for _, s := range scenarios() {
		list = append(list, [2]string{s.name, s.help})
	}
	return list
}

// bench is one run.
type bench struct {
	Options
	installed *installation
}

// Run measures, and returns what it found. An error of one scenario ends the
// run: it means that Baton does not do what it promises, or that the
// instrument is broken.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	list := scenarios()
	for _, name := range o.Only {
		if !slices.ContainsFunc(list, func(s scenario) bool { return s.name == name }) {
			return Report{}, fmt.Errorf("there is no scenario %q; see --help for the names", name)
		}
	}
	if err := raiseFileLimit(); err != nil {
		return Report{}, err
	}
	b := &bench{Options: o}
	var err error
	if b.installed, err = install(ctx, o.Servers, "bench", max(o.Sizes.Clients, 2)); err != nil {
		return Report{}, err
	}
	defer b.installed.remove()
	report := Report{
		Backend: o.Servers.Backend, Rounds: o.Sizes.Rounds,
		Machine: describe(ctx, o.Servers, b.installed.temporal, o.Commit),
	}
	for _, s := range list {
		if len(o.Only) > 0 && !slices.Contains(o.Only, s.name) {
			continue
		}
		began := time.Now()
		o.Logf("%s %-10s %s …", o.Servers.Backend, s.name, s.help)
		rows, err := b.profiled(ctx, s)
		if err != nil {
			return report, fmt.Errorf("measuring %s: %w", s.help, err)
		}
		for i := range rows {
			rows[i].Scenario = s.name
		}
		report.Rows = append(report.Rows, rows...)
		o.Logf("%s %-10s took %.0f s%s", o.Servers.Backend, s.name, time.Since(began).Seconds(), gist(rows))
	}
	return report, nil
}

// gist is the ratios of some rows, to look at while the rest is being measured.
func gist(rows []Row) string {
	var parts []string
	for _, row := range rows {
		if row.Ratio != nil && row.Target != 0 {
			parts = append(parts, number(row.Ratio.Median)+" (≤ "+number(row.Target)+")")
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// profiled runs a scenario, with a CPU profile of this process and a list of
// the SQL that Baton sent, where they are wanted.
func (b *bench) profiled(ctx context.Context, s scenario) (rows []Row, err error) {
	if b.Profile == "" {
		return s.run(ctx, b)
	}
	if err := os.MkdirAll(b.Profile, 0o755); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, b.installed.databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	counter, err := countedStatements(ctx, conn)
	if err == nil {
		err = counter.reset(ctx)
	}
	if err != nil {
		return nil, err
	}
	file, err := os.Create(b.profile(s.name) + ".cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	rows, err = s.run(ctx, b)
	pprof.StopCPUProfile()
	if err = errors.Join(err, file.Close()); err != nil {
		return rows, err
	}
	sent, err := counter.count(ctx, 1)
	if err != nil {
		return rows, err
	}
	return rows, os.WriteFile(b.profile(s.name)+".sql.txt", []byte(sent.list), 0o644)
}

// profile is where a profile goes.
func (b *bench) profile(name string) string {
	return filepath.Join(b.Profile, b.Servers.Backend+"-"+name)
}

// raiseFileLimit lets this process and its children open as many files as the
// system allows: a stream is one on either side.
func raiseFileLimit() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("asking for the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raising the limit of open files: %w", err)
	}
	return nil
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
