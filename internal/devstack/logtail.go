package devstack

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	headLines = 5 // of a panic, whose reason is above the stacks
	tailLines = 15
	logBytes  = 64 << 10
)

// logTail returns the last lines that were written to path from offset on, and
// the first few of them, each indented and beginning on a new line, or "" when
// there are none.
func logTail(path string, offset int64) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.NewSectionReader(file, max(offset, size-logBytes), logBytes))
	if err != nil {
		return ""
	}
	return indentTail(string(text))
}

// indentTail returns the first and last lines of text the way that logTail does.
func indentTail(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	if len(lines) > headLines+tailLines+1 {
		lines = slices.Concat(lines[:headLines], []string{"…"}, lines[len(lines)-tailLines:])
	}
	return "\n\t" + strings.Join(lines, "\n\t")
}

// rotate renames the log of the run before this one to <path>.1, so that it can
// still be read after a restart that was meant to cure what it says.
func rotate(path string) error {
	if err := os.Rename(path, path+".1"); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("keep the previous log: %w", err)
	}
	return nil
}
