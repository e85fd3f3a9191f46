// Package importer reads sessions from JSON Lines and stores them through the
// public API.
package importer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/remote"
	"github.com/baton-handoff/baton/models"
)

// Session is one line of the file.
type Session struct {
	// Key names the session across imports; without one, the line itself does.
	Key        string           `json:"key"`
	Title      string           `json:"title"`
	ClientName string           `json:"client_name"`
	Problem    string           `json:"problem"`
	PSATicket  *string          `json:"psa_ticket"`
	Steps      []client.NewStep `json:"steps"`
	// Handoff is how the demo hands the session off; an import ignores it.
	Handoff *client.NewHandoff `json:"handoff"`
}

// BadLine says why a line was left out.
type BadLine struct {
	Number int
	Reason string
}

// maxLine bounds a line: a full session with its JSON around it.
const maxLine = 8 << 20

// Read calls each with the sessions of r and bad with the lines that hold
// none. Empty lines are passed over. It fails only when r does.
func Read(r io.Reader, each func(line int, size int, s Session), bad func(BadLine)) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, tooLong, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading line %d: %w", number, err)
		}
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // some editors begin a file so
		}
		if text := bytes.TrimSpace(line); tooLong {
			bad(BadLine{number, fmt.Sprintf("is longer than %d MiB", maxLine>>20)})
		} else if len(text) > 0 {
			if s, reason := parse(text); reason != "" {
				bad(BadLine{number, reason})
			} else {
				each(number, len(line), s)
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads one line whole, or passes over one that is too long.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

func parse(text []byte) (s Session, reason string) {
	if !utf8.Valid(text) {
		return s, "is not UTF-8"
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, "is not a session: " + strings.NewReplacer("json: ", "", "Go value of type importer.Session", "a session").Replace(err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, "has more than one JSON value"
	}
	if s.Title == "" || s.ClientName == "" {
		return s, "has no title or no client_name"
	}
	if len(s.Steps) > models.MaxSteps {
		return s, fmt.Sprintf("has %d steps; at most %d fit", len(s.Steps), models.MaxSteps)
	}
	if s.Key == "" {
		sum := sha256.Sum256(text)
		s.Key = hex.EncodeToString(sum[:16])
	}
	seen := make(map[uuid.UUID]bool, len(s.Steps))
	for i := range s.Steps {
		id := &s.Steps[i].ID
		if *id == uuid.Nil {
			*id = uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "baton-import:%s:%d", s.Key, i))
		}
		if seen[*id] {
			return s, fmt.Sprintf("uses the step id %s twice", id)
		}
		seen[*id] = true
		if s.Steps[i].At.IsZero() {
			return s, fmt.Sprintf("has no time (at) in step %d", i+1)
		}
	}
	return s, ""
}

// Store stores a session and its steps. To store it again under the same
// prefix changes nothing.
func Store(ctx context.Context, c *remote.Client, prefix string, s Session) (*client.Session, error) {
	// With the first steps, so that a bad one leaves nothing behind.
	parts := batches(s.Steps)
	session, err := c.CreateSession(ctx, prefix+s.Key, client.NewSession{
		Title: s.Title, ClientName: s.ClientName, Problem: &s.Problem, PSATicket: s.PSATicket, Steps: &parts[0],
	})
	var refusal *remote.Refusal
	if errors.As(err, &refusal) && refusal.Code == models.CodeIdempotencyMismatch {
		refusal.Message = "was imported before with other content"
		return nil, refusal
	}
	if err != nil || session.StepCount >= len(s.Steps) {
		return session, err
	}
	for _, batch := range parts[1:] {
		if err := c.AppendSteps(ctx, session.ID, batch); err != nil {
			return session, err
		}
	}
	return session, nil
}

// batches cuts steps into requests that the API takes, at least one.
func batches(steps []client.NewStep) [][]client.NewStep {
	const maxBytes = 128 << 10 // JSON can make text up to twice as long, or more
	var out [][]client.NewStep
	start, size := 0, 0
	for i, st := range steps {
		encoded, err := json.Marshal(st)
		if err != nil {
			panic(err) // it came from JSON
		}
		if i > start && (size+len(encoded) > maxBytes || i-start == models.MaxStepBatch) {
			out, start, size = append(out, steps[start:i]), i, 0
		}
		size += len(encoded)
	}
	return append(out, slices.Clone(steps[start:]))
}
