package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxDepth is how deep OpenAI lets schemas nest, and maxUnions how many choices
// of types Anthropic takes before it calls a schema too complex.
const (
	maxDepth  = 10
	maxUnions = 16
)

// CheckSchema says why a schema is not within the subset that every service
// takes in its strict mode (Anthropic's output_config and OpenAI's strict
// json_schema): a root that is an object; additionalProperties false and all
// properties required in each object; no recursion; at most 16 choices of types
// (anyOf, or a list of types); and no keywords but $defs, $ref, type,
// properties, required, additionalProperties, items, anyOf, enum, const, title
// and description.
func CheckSchema(schema json.RawMessage) error {
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		return fmt.Errorf("the schema is not a JSON object: %w", err)
	}
	if root["type"] != "object" {
		return errors.New("the schema's root has to be of the type object")
	}
	if n := unions(root); n > maxUnions {
		return fmt.Errorf("the schema has %d choices of types; more than %d are too complex", n, maxUnions)
	}
	defs, _ := root["$defs"].(map[string]any)
	c := checker{defs}
	for name, def := range defs {
		if err := c.check("/$defs/"+name, def, []string{name}); err != nil {
			return err
		}
	}
	return c.check("", root, nil)
}

// unions counts the choices of types where they are written.
func unions(v any) (n int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += unions(e)
		}
	case map[string]any:
		_, alternatives := v["anyOf"].([]any)
		_, types := v["type"].([]any)
		if alternatives || types {
			n++
		}
		for _, e := range v {
			n += unions(e)
		}
	}
	return n
}

type checker struct{ defs map[string]any }

func (c checker) check(at string, schema any, open []string) error {
	s, ok := schema.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: a schema has to be an object", where(at))
	}
	if strings.Count(at, "/") > 2*maxDepth {
		return fmt.Errorf("%s: nested too deep", where(at))
	}
	for keyword := range s {
		switch keyword {
		case "$ref", "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "title", "description":
		case "$defs":
			if at != "" {
				return fmt.Errorf("%s: $defs belong to the root", where(at))
			}
		default:
			return fmt.Errorf("%s: the keyword %q is not known to all services", where(at), keyword)
		}
	}
	if ref, ok := s["$ref"].(string); ok {
		name, local := strings.CutPrefix(ref, "#/$defs/")
		def, found := c.defs[name]
		if !local || !found {
			return fmt.Errorf("%s: there is no %s", where(at), ref)
		}
		if slices.Contains(open, name) {
			return fmt.Errorf("%s: %s contains itself", where(at), ref)
		}
		return c.check(at, def, append(slices.Clone(open), name))
	}
	types, _ := s["type"].([]any)
	if s["type"] == nil && s["anyOf"] == nil && s["enum"] == nil && s["const"] == nil {
		return fmt.Errorf("%s: a schema needs a type", where(at))
	}
	if s["type"] == "object" || slices.Contains(types, any("object")) || s["properties"] != nil {
		if err := c.object(at, s, open); err != nil {
			return err
		}
	}
	if s["type"] == "array" || slices.Contains(types, any("array")) || s["items"] != nil {
		if err := c.check(at+"/items", s["items"], open); err != nil {
			return err
		}
	}
	alternatives, _ := s["anyOf"].([]any)
	for i, a := range alternatives {
		if err := c.check(fmt.Sprintf("%s/anyOf/%d", at, i), a, open); err != nil {
			return err
		}
	}
	return nil
}

func (c checker) object(at string, s map[string]any, open []string) error {
	if s["additionalProperties"] != false {
		return fmt.Errorf("%s: an object needs additionalProperties false", where(at))
	}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	if len(required) != len(properties) {
		return fmt.Errorf("%s: an object has to require all its properties", where(at))
	}
	for _, r := range required {
		if name, _ := r.(string); properties[name] == nil {
			return fmt.Errorf("%s: the required %v is no property", where(at), r)
		}
	}
	for name, p := range properties {
		if err := c.check(at+"/properties/"+name, p, open); err != nil {
			return err
		}
	}
	return nil
}

func where(at string) string {
	if at == "" {
		return "the schema"
	}
	return at
}

// Unfence takes the Markdown fence off an answer that is nothing but one fenced
// block. Models that are not held to a schema like to write one.
func Unfence(text []byte) []byte {
	t := bytes.TrimSpace(text)
	inner, ok := bytes.CutPrefix(t, []byte("```"))
	if !ok {
		return text
	}
	inner, ok = bytes.CutSuffix(inner, []byte("```"))
	_, inner, line := bytes.Cut(inner, []byte("\n"))
	if !ok || !line {
		return text
	}
	return bytes.TrimSpace(inner)
}
