package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/baton-handoff/baton/internal/redact"
)

type redactCmd struct{}

func (redactCmd) Help() string {
	return `Reads a text, writes it with placeholders in the place of credentials, and says on
standard error how many of which kind there were. The placeholders are of this run alone.
Example:
  baton redact < transcript.txt`
}

func (redactCmd) Run() error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	r, err := redact.New(key)
	if err != nil {
		return err
	}
	return redactText(r, os.Stdin, os.Stdout, os.Stderr)
}

// redactText redacts what in holds, to out, and tells the counts to notes.
func redactText(r *redact.Redactor, in io.Reader, out, notes io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	texts, counts := r.Session([]string{string(text)})
	if _, err := io.WriteString(out, texts[0]); err != nil {
		return err
	}
	ids := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for _, id := range ids {
		if _, err := fmt.Fprintf(notes, "%5d %s\n", counts[id], id); err != nil {
			return err
		}
	}
	return nil
}
