package main

import (
	"context"
	"fmt"
	"os"

	"github.com/baton-handoff/baton/internal/devstack"
)

type devstackCmd struct {
	Command []string `arg:"" passthrough:"" help:"The command, after --."`
}

func (devstackCmd) Help() string {
	return "The command finds the servers by TEST_DATABASE_URL and TEST_TEMPORAL_ADDRESS.\nExample:\n  baton devstack -- go test ./..."
}

func (c devstackCmd) Run() error {
	argv := c.Command
	if len(argv) > 0 && argv[0] == "--" {
		argv = argv[1:]
	}
	// Not the context that ends on Ctrl-C: Exec passes signals on itself.
	code, err := devstack.Exec(context.Background(), devstack.Options{UIPort: -1, Logf: progress}, argv)
	if err != nil {
		return err
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// progress tells a person what is being done.
func progress(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, format+"\n", args...)
}
