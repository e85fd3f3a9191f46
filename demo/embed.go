// Package demo holds the sample data that `make up` seeds its demo account
// with: troubleshooting sessions of an invented managed service provider.
//
// Every name, number, address and credential in it is made up. The credentials
// are there on purpose: people do type them into a chat, and the demo shows
// what becomes of them.
package demo

import _ "embed"

//go:embed sessions.jsonl
var sessions string

// Sessions returns the sample sessions as JSON Lines: one object per line with
// key, title, client_name, problem, psa_ticket, steps and the handoff that its
// engineer would write. The slice is the caller's own.
func Sessions() []byte { return []byte(sessions) }
