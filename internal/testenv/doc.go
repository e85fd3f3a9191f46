// Package testenv gives tests a real PostgreSQL and a real Temporal server.
//
// The servers are those that TEST_DATABASE_URL and TEST_TEMPORAL_ADDRESS name,
// as "baton devstack -- go test ./..." sets them for all packages. Without the
// variables each test process starts its own, when the first test asks for one.
// Tests that share a server do not share data: each gets a database or a
// namespace of its own.
//
// A package that uses testenv has
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// which stops what was started and looks for leaked goroutines. What a process
// leaves behind that is killed before that, the next one removes.
package testenv
