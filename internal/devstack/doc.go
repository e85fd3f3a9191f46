// Package devstack starts the servers that Baton needs on a developer's
// machine: a private PostgreSQL and the Temporal dev server. It finds their
// programs, or installs, fetches or builds them and says so; keeps their data
// in one directory; and stops them when it is told to or when the program that
// started them dies.
//
// Nothing in production imports this package. It is for Unix; on Windows it
// runs under WSL.
package devstack
