// Package audit tells what a change of settings changed, and writes the audit
// log for spreadsheets. Its functions are pure.
package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/sheet"
	"github.com/baton-handoff/baton/models"
)

// Diff lists the fields in which two values differ, by name, as far as their
// JSON shows it. Members of objects are fields of their own, named with a dot;
// lists are compared as a whole. Nil has no fields.
func Diff(before, after any) ([]models.AuditChange, error) {
	was, err := flat(before)
	if err != nil {
		return nil, err
	}
	is, err := flat(after)
	if err != nil {
		return nil, err
	}
	fields := slices.Collect(maps.Keys(was))
	for field := range is {
		if _, known := was[field]; !known {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	changes := []models.AuditChange{}
	for _, field := range fields {
		a, hadIt := was[field]
		b, hasIt := is[field]
		if hadIt != hasIt || a != b {
			changes = append(changes, models.AuditChange{Field: field, Before: orNil(a, hadIt), After: orNil(b, hasIt)})
		}
	}
	return changes, nil
}

func orNil(text string, there bool) *string {
	if !there {
		return nil
	}
	return &text
}

// flat is a value's fields as text. What is null is not there.
func flat(value any) (map[string]string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("audit: a setting is no JSON: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var decoded any
	if err := d.Decode(&decoded); err != nil {
		return nil, fmt.Errorf("audit: a setting is no JSON: %w", err)
	}
	fields := map[string]string{}
	spread(fields, "", decoded)
	return fields, nil
}

func spread(into map[string]string, name string, value any) {
	switch v := value.(type) {
	case nil:
	case map[string]any:
		for member, inner := range v {
			if name != "" {
				member = name + "." + member
			}
			spread(into, member, inner)
		}
	case string:
		into[name] = v
	default:
		text, _ := json.Marshal(v) // it was decoded from JSON
		into[name] = string(text)
	}
}

// Secret says that a secret was changed, or entered, or removed.
func Secret(field string) models.AuditChange { return models.AuditChange{Field: field, Secret: true} }

// Secrets lists the secrets that are there before or after a change and were not
// kept, by name, each as prefix and its name. What they are is not looked at.
func Secrets[B, A any](prefix string, before map[string]B, after map[string]A, kept map[string]bool) []models.AuditChange {
	names := slices.Collect(maps.Keys(after))
	for name := range before {
		if _, known := after[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var changes []models.AuditChange
	for _, name := range names {
		if _, there := after[name]; !there || !kept[name] {
			changes = append(changes, Secret(prefix+name))
		}
	}
	return changes
}

// WriteCSV writes a line for each field that was changed, and one for an entry
// without any, with a line of names first.
func WriteCSV(to io.Writer, entries []models.AuditEntry) error {
	var rows [][]string
	for _, e := range entries {
		changes := e.Changes
		if len(changes) == 0 {
			changes = []models.AuditChange{{}}
		}
		for _, c := range changes {
			rows = append(rows, []string{
				e.At.UTC().Format(time.RFC3339Nano), e.ID.String(), string(e.Action), string(e.ActorKind), id(e.ActorID), text(e.ActorName),
				id(e.APIKeyID), text(e.APIKeyName), id(e.ThingID), text(e.ThingName),
				c.Field, strconv.FormatBool(c.Secret), text(c.Before), text(c.After), text(e.RequestID),
			})
		}
	}
	return sheet.Write(to, []string{
		"at", "id", "action", "actor_kind", "actor_id", "actor_name", "api_key_id", "api_key_name", "thing_id", "thing_name",
		"field", "secret", "before", "after", "request_id",
	}, rows)
}

func id(i *uuid.UUID) string {
	if i == nil {
		return ""
	}
	return i.String()
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
