// Command baton is the whole of Baton: the service, its operator's tools and
// a client.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // containers have none

	"github.com/alecthomas/kong"
)

// version is set when a release is built.
var version = "dev"

type cli struct {
	Up          upCmd          `cmd:"" group:"try" help:"Run everything on this machine, with a demo account."`
	Demo        demoCmd        `cmd:"" group:"try" help:"Play the story of an escalation against a running 'baton up'."`
	API         apiCmd         `cmd:"" group:"run" name:"api" help:"Serve the API and the live feed."`
	Worker      workerCmd      `cmd:"" group:"run" help:"Run workflows and side effects."`
	Migrate     migrateCmd     `cmd:"" group:"run" help:"Bring the database and Temporal's search attributes up to date."`
	Account     accountCmd     `cmd:"" group:"run" help:"Add accounts and users."`
	Secrets     secretsCmd     `cmd:"" group:"run" help:"Make and change the keys that seal stored credentials."`
	Restored    restoredCmd    `cmd:"" group:"run" help:"Put things right after the database was restored from a backup."`
	Healthcheck healthcheckCmd `cmd:"" group:"run" help:"Tell whether the API or the worker of this host is well."`
	Tail        tailCmd        `cmd:"" group:"use" help:"Show the live feed."`
	Queue       queueCmd       `cmd:"" group:"use" help:"List the handoffs that you may claim."`
	Handoff     handoffCmd     `cmd:"" group:"use" help:"Hand a session off."`
	Claim       claimCmd       `cmd:"" group:"use" help:"Claim a handoff."`
	Return      returnCmd      `cmd:"" group:"use" help:"Return a handoff that you hold to its sender, with questions."`
	Answer      answerCmd      `cmd:"" group:"use" help:"Answer the questions of a handoff that was returned to you."`
	Briefing    briefingCmd    `cmd:"" group:"use" help:"Read what whoever claims a handoff should know."`
	Import      importCmd      `cmd:"" group:"use" help:"Import sessions from a JSON Lines file."`
	Redact      redactCmd      `cmd:"" group:"use" help:"Take the credentials out of a text."`

	Devstack devstackCmd `cmd:"" group:"develop" help:"Run a command with a throw-away PostgreSQL and Temporal."`
	Config   configCmd   `cmd:"" group:"develop" help:"Print the reference of all settings, in Markdown."`
	Version  versionCmd  `cmd:"" group:"develop" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parsed := kong.Parse(&c,
		kong.Name("baton"),
		kong.Description("Baton hands a troubleshooting session from one engineer to another, and never drops it."),
		kong.ExplicitGroups([]kong.Group{
			{Key: "try", Title: "Try it:"},
			{Key: "use", Title: "Use it from the terminal:"},
			{Key: "run", Title: "Run it in production:"},
			{Key: "develop", Title: "Develop it:"},
		}),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	err := parsed.Run()
	var exit exitCode
	switch {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil && !errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(os.Stderr, "baton:", err)
		os.Exit(1)
	}
}

// exitCode ends the process with the code of a command that it ran.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

type versionCmd struct{}

func (versionCmd) Help() string { return "Example:\n  baton version" }

func (versionCmd) Run() error {
	_, err := fmt.Fprintln(os.Stdout, version)
	return err
}
