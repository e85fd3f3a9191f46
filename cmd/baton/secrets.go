package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/channels"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/store"
)

type secretsCmd struct {
	Key    secretsKeyCmd    `cmd:"" help:"Print a fresh key for BATON_SECRET_KEYS."`
	Rotate secretsRotateCmd `cmd:"" help:"Seal everything stored with the first key of BATON_SECRET_KEYS."`
}

type secretsKeyCmd struct{}

func (secretsKeyCmd) Help() string {
	return "Put it first into BATON_SECRET_KEYS; the runbook says how keys are changed.\nExample:\n  baton secrets key"
}

func (secretsKeyCmd) Run() error {
	_, err := fmt.Fprintln(os.Stdout, secrets.NewKey())
	return err
}

type secretsRotateCmd struct{}

func (secretsRotateCmd) Help() string {
	return `Opens what another key has sealed and seals it with the first one. Safe to run at any
time and to repeat; every process has to know the first key already. When it says that
nothing was left, the other keys can go.
Example:
  BATON_SECRET_KEYS=new:…,old:… baton secrets rotate`
}

func (secretsRotateCmd) Run(ctx context.Context) error {
	cfg, err := loadForDatabase()
	if err != nil {
		return err
	}
	box, err := secrets.Parse(cfg.SecretKeys.Reveal())
	if err != nil {
		return err
	}
	if !box.Ready() {
		return errors.New(secrets.Setting + ": it is not set, so there is no key to seal with; make one with: baton secrets key")
	}
	return withStore(ctx, func(s *store.Store) error {
		failed := 0
		tell := func(account uuid.UUID, err error) {
			failed++
			progress("account %s: %v", account, err)
		}
		done, err := connections.Rotate(ctx, s, box, tell)
		if err == nil {
			var more int
			more, err = channels.Rotate(ctx, s, box, tell)
			done += more
		}
		if _, printErr := fmt.Fprintf(os.Stdout, "%d connections are newly sealed with %s, %d could not be opened.\n", done, box.KeyID(), failed); err == nil {
			err = printErr
		}
		if err == nil && failed > 0 {
			return exitCode(1)
		}
		return err
	})
}
