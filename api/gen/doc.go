// Package gen is the server's side of openapi.yaml as Go: the routes, the
// shapes of requests and answers. Package api fills it with life.
package gen

//go:generate ../../bin/oapi-codegen -config config.yaml ../openapi.yaml
