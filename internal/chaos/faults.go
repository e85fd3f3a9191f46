package chaos

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/devstack"
	"github.com/baton-handoff/baton/internal/llm/llmtest"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/psa/psatest"
)

// fault is one kind of thing that can go wrong.
type fault struct {
	name string
	// weight is how often it is picked, against the others.
	weight int
	// on are the parts or links that it can be done to.
	on []string
	// least and most are how long it is left so.
	least, most time.Duration
	strike      func(ctx context.Context, s *system, on string) error
	// end is nil for what is over at once.
	end func(ctx context.Context, s *system, on string) error
}

// faults are all that this system can suffer.
func faults(s *system) []fault {
	var batons, stores, workers, links, desks []string
	rolls := false
	for _, p := range s.parts {
		switch p.name {
		case "postgres", "temporal":
			stores = append(stores, p.name)
		default:
			batons = append(batons, p.name)
			if strings.HasPrefix(p.name, "worker") {
				workers = append(workers, p.name)
				rolls = len(p.builds) > 1
			}
		}
	}
	for _, l := range s.links {
		links = append(links, l.name)
	}
	for _, d := range s.desks {
		desks = append(desks, d.name)
	}
	minds, outlets := []string{oracleName}, []string{mailName, slackName, hookName}
	writes := []psatest.Op{psatest.OpAddNote, psatest.OpUpdate}
	all := []fault{
		{name: "kill -9", weight: 6, on: batons, least: 200 * time.Millisecond, most: 4 * time.Second, strike: ifRunning((*devstack.Process).Kill), end: start},
		{name: "kill -9", weight: 2, on: stores, least: 100 * time.Millisecond, most: 2 * time.Second, strike: ifRunning((*devstack.Process).Kill), end: start},
		{name: "freeze", weight: 5, on: append(batons, stores...), least: 500 * time.Millisecond, most: 7 * time.Second, strike: ifRunning((*devstack.Process).Pause), end: start},
		{name: "restart", weight: 2, on: batons, strike: restart},
		{name: "cut", weight: 4, on: links, least: 300 * time.Millisecond, most: 4 * time.Second, strike: cut, end: mend},
		{name: "break the connections of", weight: 4, on: links, strike: reset},
		{name: "slow down", weight: 4, on: links, least: time.Second, most: 6 * time.Second, strike: slow, end: mend},
		{name: "lose the requests on", weight: 2, on: links, least: time.Second, most: 5 * time.Second, strike: swallow("upstream"), end: mend},
		{name: "lose the answers on", weight: 4, on: links, least: time.Second, most: 5 * time.Second, strike: swallow("downstream"), end: mend},
		{name: "take down", weight: 2, on: desks, least: time.Second, most: 6 * time.Second, strike: misbehave(1, psatest.Fault{Kind: psatest.FaultRefuse}), end: behave},
		{name: "limit the calls of", weight: 2, on: desks, least: time.Second, most: 6 * time.Second, strike: misbehave(0.6, psatest.Fault{Kind: psatest.FaultRateLimit, RetryAfter: "2"}), end: behave},
		{name: "fail the calls of", weight: 2, on: desks, least: time.Second, most: 6 * time.Second, strike: misbehave(0.6, psatest.Fault{Kind: psatest.FaultStatus, Status: http.StatusInternalServerError}), end: behave},
		{name: "let dawdle", weight: 2, on: desks, least: time.Second, most: 6 * time.Second, strike: misbehave(0.6, psatest.Fault{Kind: psatest.FaultSlow, Delay: 2 * time.Second}), end: behave},
		{name: "lose the answers to writes of", weight: 4, on: desks, least: 2 * time.Second, most: 8 * time.Second, strike: misbehave(0.7, psatest.Fault{Kind: psatest.FaultCommitThenDrop, On: writes}), end: behave},
		{name: "limit the calls of", weight: 2, on: minds, least: time.Second, most: 6 * time.Second, strike: confuse(limits()...), end: calmDown},
		{name: "fail the calls of", weight: 2, on: minds, least: time.Second, most: 6 * time.Second, strike: confuse(trouble()...), end: calmDown},
		{name: "let dawdle", weight: 2, on: minds, least: time.Second, most: 6 * time.Second, strike: confuse(llmtest.Fault{Kind: llmtest.FaultSlow, Delay: 4 * time.Second}), end: calmDown},
		{name: "confuse", weight: 4, on: minds, least: 2 * time.Second, most: 8 * time.Second, strike: confuse(wrong()...), end: calmDown},
	}
	all = append(
		all,
		fault{name: "take down", weight: 2, on: outlets, least: time.Second, most: 6 * time.Second, strike: jam(1, notifytest.Fault{Kind: notifytest.FaultDrop}), end: clearJam},
		fault{name: "limit the calls of", weight: 2, on: outlets, least: time.Second, most: 6 * time.Second, strike: busySignal, end: clearJam},
		fault{name: "fail the calls of", weight: 2, on: outlets, least: time.Second, most: 6 * time.Second, strike: outOfOrderSign, end: clearJam},
		fault{name: "let dawdle", weight: 2, on: outlets, least: time.Second, most: 6 * time.Second, strike: jam(0.6, notifytest.Fault{Kind: notifytest.FaultSlow, Delay: 2 * time.Second}), end: clearJam},
		fault{name: "hold the calls of", weight: 2, on: outlets, least: time.Second, most: 6 * time.Second, strike: jam(0.3, notifytest.Fault{Kind: notifytest.FaultStall}), end: clearJam},
		fault{name: "lose the answers to sends of", weight: 4, on: outlets, least: 2 * time.Second, most: 8 * time.Second, strike: jamSends(0.7, notifytest.Fault{Kind: notifytest.FaultCommitThenDrop}), end: clearJam},
	)
	if rolls {
		all = append(all, fault{name: "roll the build of", weight: 6, on: workers, strike: roll})
	}
	if s.disk != nil {
		all = append(all, fault{name: "fill the disk of", weight: 1, on: []string{"postgres"}, least: time.Second, most: 4 * time.Second, strike: fillDisk, end: emptyDisk})
	}
	return all
}

func (s *system) part(name string) *part {
	for _, p := range s.parts {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (s *system) link(name string) *link {
	for _, l := range s.links {
		if l.name == name {
			return l
		}
	}
	return nil
}

// ifRunning does something to a process, unless it has died by itself: that is
// written down, and the end of the fault brings it back.
func ifRunning(do func(*devstack.Process) error) func(context.Context, *system, string) error {
	return func(_ context.Context, s *system, on string) error {
		p := s.part(on).process()
		if p.PID() == 0 {
			return nil
		}
		return do(p)
	}
}

// start brings a part back, however it is.
func start(ctx context.Context, s *system, on string) error {
	return revive(ctx, s.part(on).process())
}

func restart(ctx context.Context, s *system, on string) error {
	return s.part(on).process().Restart(ctx)
}

// roll stops a part as a deployment does and starts its other build.
func roll(ctx context.Context, s *system, on string) error {
	p := s.part(on)
	if err := p.process().Stop(ctx); err != nil {
		return err
	}
	p.running = (p.running + 1) % len(p.builds)
	return p.process().Restart(ctx)
}

func cut(_ context.Context, s *system, on string) error   { return s.link(on).cut() }
func reset(_ context.Context, s *system, on string) error { return s.link(on).reset() }
func mend(ctx context.Context, s *system, on string) error {
	return s.link(on).mend(ctx)
}

func slow(_ context.Context, s *system, on string) error {
	return s.link(on).delay(150*time.Millisecond, 140*time.Millisecond)
}

func swallow(direction string) func(context.Context, *system, string) error {
	return func(_ context.Context, s *system, on string) error { return s.link(on).swallow(direction) }
}

// fillDisk leaves no room, and lets PostgreSQL need some: its log always has a
// few segments in reserve, which a busy day would use up.
func fillDisk(ctx context.Context, s *system, _ string) error {
	if err := s.disk.fill(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.databaseURL)
	for range 10 {
		if err != nil {
			break // as it should be
		}
		_, err = conn.Exec(ctx, `SELECT pg_switch_wal(), pg_logical_emit_message(true, 'chaos', 'something to log')`)
	}
	if conn != nil {
		_ = conn.Close(ctx)
	}
	return nil
}

// emptyDisk makes room and does what an operator would: PostgreSQL ends by
// itself when it cannot write its log.
func emptyDisk(ctx context.Context, s *system, on string) error {
	if err := s.disk.empty(); err != nil {
		return err
	}
	if err := start(ctx, s, on); err != nil {
		return fmt.Errorf("after there was room again: %w", err)
	}
	return nil
}
