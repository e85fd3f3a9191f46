// Package api is Baton's HTTP face: the REST operations and the event stream
// that openapi.yaml describes, and the reference page made of it.
//
// A request passes, in this order, through observe.go (its id, its log line,
// panics), headers.go (security headers, CORS), access.go (who, and may they),
// validate.go (does it fit the description), and a handler, which converts,
// checks what a schema cannot tell, and calls one of the ports.
package api
