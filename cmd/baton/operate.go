package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/baton-handoff/baton/internal/config"
	"github.com/baton-handoff/baton/internal/engine"
	"github.com/baton-handoff/baton/internal/store"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

type restoredCmd struct {
	Since time.Duration `default:"720h" help:"How far back to look for handoffs."`
}

func (restoredCmd) Help() string {
	return `Shows readers every decision that Temporal knows and the database, restored to an
earlier time, does not; then makes every feed reader start over, because event
numbers that they have seen were given again. Needs a running worker.
Example:
  baton restored`
}

func (c restoredCmd) Run(ctx context.Context) error {
	cfg, err := loadForDatabase()
	if err != nil {
		return err
	}
	o, err := config.TemporalOptions(os.Environ())
	if err != nil {
		return err
	}
	temporal, err := engine.Dial(o)
	if err != nil {
		return err
	}
	defer temporal.Close()
	s, err := store.Open(ctx, cfg.DatabaseURL.Reveal(), store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.NewFeedEpoch(ctx); err != nil {
		return err
	}
	done, failed := 0, 0
	err = engine.New(temporal, s, logger(cfg), 0).Reproject(ctx, time.Now().Add(-c.Since), func(snap models.Snapshot, err error) {
		if done++; err != nil {
			failed++
			_, _ = fmt.Fprintf(os.Stderr, "handoff %s: %v\n", snap.HandoffID, err)
		}
		if done%100 == 0 {
			progress("%d handoffs …", done)
		}
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(os.Stdout, "%d handoffs are as Temporal knows them, %d could not be brought there.\n", done-failed, failed); err != nil {
		return err
	}
	if failed > 0 {
		return exitCode(1)
	}
	return nil
}

type healthcheckCmd struct {
	Worker bool `help:"Ask Temporal whether the worker of this host polls, instead of the API of this host."`
}

func (healthcheckCmd) Help() string {
	return "For containers without a shell: ends with 0 when all is well.\nExample:\n  baton healthcheck\n  baton healthcheck --worker"
}

func (c healthcheckCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	if c.Worker {
		return workerPolls(ctx)
	}
	cfg, err := config.Load(os.Environ())
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return err
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}

// workerPolls looks for this host among the pollers of the task queue; the
// SDK names a worker <process>@<host>@.
func workerPolls(ctx context.Context) error {
	o, err := config.TemporalOptions(os.Environ())
	if err != nil {
		return err
	}
	c, err := engine.Dial(o)
	if err != nil {
		return err
	}
	defer c.Close()
	queue, err := c.DescribeTaskQueue(ctx, workflows.TaskQueue, enums.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, p := range queue.GetPollers() {
		// Temporal remembers pollers for minutes after they are gone.
		lately := time.Since(p.GetLastAccessTime().AsTime()) < 2*time.Minute
		if lately && strings.Contains(p.GetIdentity(), "@"+host+"@") {
			return nil
		}
	}
	return errors.New("no worker of this host polls")
}
