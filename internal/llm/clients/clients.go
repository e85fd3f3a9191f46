// Package clients picks the adapter for a model. It is the one package that
// knows all adapters.
package clients
