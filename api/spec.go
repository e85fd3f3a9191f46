package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"github.com/baton-handoff/baton/models"
)

//go:embed openapi.yaml
var specYAML []byte

// spec is openapi.yaml in the forms that the server works with.
type spec struct {
	doc *openapi3.T
	// json is the document as it is published, in the order of the source.
	json       []byte
	operations map[route]*operation
}

// route names an operation as gin does: by method and path pattern.
type route struct{ method, path string }

// operation is what the middlewares have to know about an operation.
type operation struct {
	id     string
	access access
	params openapi3.Parameters
	// body is the schema of the JSON body, nil when the operation takes none.
	body         *openapi3.Schema
	bodyRequired bool
	// audit is the action that the audit log tells of it, or "none" for what an
	// admin may do that changes nothing.
	audit string
	// timeout is how long the operation may take, where that is not the server's
	// usual time.
	timeout time.Duration
	// stream is set for the event stream, whose callers are told in-stream what
	// can be told there.
	stream bool
}

// The extensions of an operation that say who may call it, what the audit log
// tells of it and how long it may take, and the operation whose answer does not
// end.
const (
	roleExtension     = "x-baton-role"
	auditExtension    = "x-baton-audit"
	timeoutExtension  = "x-baton-timeout"
	streamOperationID = "streamEvents"
)

// loadSpec reads openapi.yaml, which takes a while and always gives the same.
var loadSpec = sync.OnceValues(func() (*spec, error) {
	doc, err := openapi3.NewLoader().LoadFromData(specYAML)
	if err != nil {
		return nil, fmt.Errorf("loading openapi.yaml: %w", err)
	}
	published, err := yamlToJSON(specYAML)
	if err != nil {
		return nil, fmt.Errorf("converting openapi.yaml: %w", err)
	}
	s := &spec{doc: doc, json: published, operations: map[route]*operation{}}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			op, err := newOperation(item, o)
			if err != nil {
				return nil, fmt.Errorf("openapi.yaml: %s %s: %w", method, path, err)
			}
			s.operations[route{method, ginPath(path)}] = op
		}
	}
	return s, nil
})

func newOperation(item *openapi3.PathItem, o *openapi3.Operation) (*operation, error) {
	name, _ := o.Extensions[roleExtension].(string)
	access, err := parseAccess(name)
	if err != nil {
		return nil, err
	}
	op := &operation{id: o.OperationID, access: access, stream: o.OperationID == streamOperationID}
	op.audit, _ = o.Extensions[auditExtension].(string)
	if text, ok := o.Extensions[timeoutExtension].(string); ok {
		if op.timeout, err = time.ParseDuration(text); err != nil {
			return nil, fmt.Errorf("%s: %w", timeoutExtension, err)
		}
	}
	op.params = append(append(op.params, item.Parameters...), o.Parameters...)
	if o.RequestBody != nil {
		op.body = o.RequestBody.Value.Content["application/json"].Schema.Value
		op.bodyRequired = o.RequestBody.Value.Required
	}
	return op, nil
}

// ginPath writes a path of the description as gin does: {id} becomes :id.
func ginPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}

// access says who may call an operation.
type access struct {
	public bool
	// least is the role it takes; empty when being signed in is enough.
	least models.Role
}

func parseAccess(name string) (access, error) {
	switch role := models.Role(name); {
	case name == "public":
		return access{public: true}, nil
	case name == "signed-in":
		return access{}, nil
	case role.Valid():
		return access{least: role}, nil
	}
	return access{}, fmt.Errorf("%s is %q, which is no role, signed-in or public", roleExtension, name)
}

func (a access) admits(p models.Principal) bool {
	return a.public || a.least == "" || p.Role.AtLeast(a.least)
}

// yamlToJSON keeps the order of the members, which is the order in which
// people read them. Unmarshalling into maps would lose it.
func yamlToJSON(src []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := writeJSON(&b, doc.Content[0]); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			key, err := json.Marshal(n.Content[i].Value)
			if err != nil {
				return err
			}
			b.Write(key)
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		var v any
		if err := n.Decode(&v); err != nil {
			return err
		}
		scalar, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b.Write(scalar)
	}
	return nil
}
