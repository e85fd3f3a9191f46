package llmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// parse reads JSON as a tree that keeps numbers as they were written.
func parse(raw []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	return v, true
}

// dialect is the subset of JSON schema that a service takes.
type dialect struct {
	keywords []string
	// allRequired says that an object has to require all its properties.
	allRequired bool
	recursion   bool
	minItems    []string
	maxDepth    int
	// maxOptional bounds the properties that are not required, and maxUnions the
	// anyOf's and types with alternatives. Zero means no bound.
	maxOptional, maxUnions int
}

type schemaCheck struct {
	dialect
	defs             map[string]any
	optional, unions int
}

// check says where a schema is not in the dialect, and why.
func (d dialect) check(schema any) (at, why string) {
	root, ok := schema.(map[string]any)
	if !ok || root["type"] != "object" {
		return "", "the root must be of type 'object'"
	}
	defs, _ := root["$defs"].(map[string]any)
	c := &schemaCheck{dialect: d, defs: defs}
	if at, why = c.node("", root, nil, 0); why != "" {
		return at, why
	}
	for _, name := range slices.Sorted(maps.Keys(defs)) {
		if at, why = c.node("$defs."+name, defs[name], []string{name}, 0); why != "" {
			return at, why
		}
	}
	if d.maxOptional > 0 && c.optional > d.maxOptional || d.maxUnions > 0 && c.unions > d.maxUnions {
		return "", tooComplex
	}
	return "", ""
}

const tooComplex = "Schema is too complex"

func (c *schemaCheck) node(at string, schema any, open []string, depth int) (string, string) {
	s, ok := schema.(map[string]any)
	if !ok {
		return at, "schema must be an object"
	}
	if depth > c.maxDepth {
		return at, fmt.Sprintf("exceeds the maximum nesting depth of %d", c.maxDepth)
	}
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		if !slices.Contains(c.keywords, keyword) {
			return at, fmt.Sprintf("'%s' is not supported", keyword)
		}
	}
	if n, ok := s["minItems"].(json.Number); ok && !slices.Contains(c.minItems, n.String()) {
		return at, "'minItems' " + n.String() + " is not supported"
	}
	if ref, ok := s["$ref"].(string); ok {
		name, local := strings.CutPrefix(ref, "#/$defs/")
		if _, found := c.defs[name]; !local || !found {
			return at, "reference '" + ref + "' not found"
		}
		if slices.Contains(open, name) {
			if !c.recursion {
				return at, "recursive schemas are not supported"
			}
			return "", ""
		}
		optional, unions := c.optional, c.unions // counted where they are written
		at, why := c.node(at, c.defs[name], append(slices.Clone(open), name), depth)
		c.optional, c.unions = optional, unions
		return at, why
	}
	kinds, several := s["type"].([]any)
	if several || s["anyOf"] != nil {
		c.unions++
	}
	if s["type"] == "object" || slices.Contains(kinds, any("object")) {
		if at, why := c.object(at, s, open, depth); why != "" {
			return at, why
		}
	} else if s["properties"] != nil {
		return at, "'properties' need type 'object'"
	}
	if s["type"] == "array" || s["items"] != nil {
		if at, why := c.node(join(at, "items"), s["items"], open, depth+1); why != "" {
			return at, why
		}
	}
	for _, keyword := range []string{"anyOf", "allOf"} {
		alternatives, _ := s[keyword].([]any)
		for i, a := range alternatives {
			if at, why := c.node(join(at, fmt.Sprintf("%s.%d", keyword, i)), a, open, depth+1); why != "" {
				return at, why
			}
		}
	}
	if s["type"] == nil && s["anyOf"] == nil && s["allOf"] == nil && s["enum"] == nil && s["const"] == nil {
		return at, "schema must have a 'type' key"
	}
	return "", ""
}

func (c *schemaCheck) object(at string, s map[string]any, open []string, depth int) (string, string) {
	if s["additionalProperties"] != false {
		return at, "'additionalProperties' is required to be supplied and to be false"
	}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for _, r := range required {
		if name, ok := r.(string); !ok || properties[name] == nil {
			return at, fmt.Sprintf("'required' names '%v', which is no property", r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !slices.Contains(required, any(name)) {
			if c.allRequired {
				return at, "'required' is required to be supplied and to be an array including every key in properties. Missing '" + name + "'"
			}
			c.optional++
		}
		if at, why := c.node(join(at, name), properties[name], open, depth+1); why != "" {
			return at, why
		}
	}
	return "", ""
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// extra is the first member of m that is not allowed, in order.
func extra(m map[string]any, allowed ...string) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(allowed, name) {
			return name, true
		}
	}
	return "", false
}

// whole reads a positive whole number.
func whole(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil && i > 0
}
