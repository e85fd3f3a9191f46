// Package chaos proves Baton's promises under fire. It runs Baton as it runs in
// production, as separate processes, lets people of several accounts work with
// it, breaks its parts by a seeded plan, brings everything back, and holds what
// every client was told against what the database, Temporal and the feed say.
//
// To follow it: run.go is the whole; system.go the processes, psa.go the PSAs,
// model.go the language model, inbox.go what people are told by, and links.go
// the network between them; faults.go what can go wrong and plan.go when;
// people.go, doors.go and reader.go the clients; ladders.go who is called when;
// record.go what is written down of them; truth.go what the stores and the
// tickets say in the end; secrets.go what must be found nowhere; and check_*.go
// the checks. A side effect that comes
// later adds its process to system.go and its checks to [Checks].
package chaos
