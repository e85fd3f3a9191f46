// Package client calls Baton's HTTP API: a typed function for every operation
// of openapi.yaml except the event stream.
package client

//go:generate ../../bin/oapi-codegen -config config.yaml ../openapi.yaml
