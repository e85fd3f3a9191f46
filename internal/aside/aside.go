// Package aside keeps the stacks of goroutines that live long small.
package aside

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// Do calls f on a goroutine of its own and waits for it; a panic passes on.
//
// A stack grows to what its goroutine once needed, and shrinks late or never.
// There are ten thousand open streams that wait on theirs: what only opens a
// stream, such as checking a token or asking the database, has to leave it as
// it was.
func Do(f func()) {
	var panicked any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			panicked = recover()
			if panicked != nil && panicked != http.ErrAbortHandler { //nolint:errorlint // a sentinel that is thrown as it is
				panicked = fmt.Sprintf("%v\n\n%s", panicked, debug.Stack()) // the stack is known only here
			}
		}()
		f()
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
}
