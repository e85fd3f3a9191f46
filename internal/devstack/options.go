package devstack

import (
	"sync"
)

// Options says what to start and where to keep it.
type Options struct {
	// Dir keeps data, passwords and logs. It is created. Two stacks cannot use
	// one directory at the same time. When it is empty, Start makes a temporary
	// directory, and Stop removes it; data in it survive the death of a server,
	// but are not synced to disk.
	Dir string
	// Persistent keeps the data for the next Start with the same Dir, and for
	// [Process.Restart]. Otherwise each Start begins with nothing, writes are
	// not synced to disk, Temporal works in memory, and Stop discards everything
	// but the logs.
	Persistent bool

	// PostgresPort is the port of PostgreSQL on 127.0.0.1; 0 is a free one.
	PostgresPort int
	// TemporalPort is the port of Temporal's frontend on 127.0.0.1; 0 is a free
	// one.
	TemporalPort int
	// UIPort is the port of the Temporal UI on 127.0.0.1; 0 is a free one, less
	// than 0 means no UI.
	UIPort int

	// SearchAttributes are registered with Temporal's default namespace when it
	// is created: from the name to the type, such as "Keyword" or "Int". They
	// do nothing to a namespace that Dir already holds.
	SearchAttributes map[string]string

	// Logf gets lines for a person: what is being done, whenever it takes over
	// two seconds. It is never called by two goroutines at once; nil discards.
	Logf func(format string, args ...any)

	// TemporalOnPostgres runs Temporal's own server, with its data in the
	// PostgreSQL of the stack as in production, instead of the dev server. It
	// has no UI and no SearchAttributes, and needs the programs that
	// `make bin/temporal-server bin/temporal-sql-tool` builds.
	TemporalOnPostgres bool

	// SkipPostgres and SkipTemporal leave a part out.
	SkipPostgres, SkipTemporal bool
}

// logfFunc is the type of Options.Logf.
type logfFunc = func(format string, args ...any)

// serialized returns a logf that may be called by several goroutines and is
// never nil.
func serialized(logf logfFunc) logfFunc {
	if logf == nil {
		return func(string, ...any) {}
	}
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		logf(format, args...)
	}
}
