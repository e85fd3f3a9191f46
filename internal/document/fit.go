package document

import (
	"sort"

	"github.com/baton-handoff/baton/internal/transcript"
)

// cuts says how much of each part of a note is written. What is cut away is
// replaced by a line that says so.
type cuts struct {
	line     int // characters of one-line texts: names, titles, commands, results
	attempts int // how many attempts are listed
	changed  int // how many attempts are listed as "worked", and as "worse"
	said     int // how many things that were said to the customer
	facts    int // how many facts of each kind
	output   int // characters of one verbatim text from the session
	problem  int // characters of the problem
	notes    int // characters of the engineer's notes
}

// What a note says when it has all the room it wants. Longer one-liners and
// longer lists of facts would not tell a reader more.
const (
	lineLength  = 160
	factsOfKind = 8
)

func uncut(d digest) cuts {
	return cuts{
		line:     lineLength,
		attempts: len(d.attempts),
		changed:  len(d.attempts),
		said:     len(d.said),
		facts:    factsOfKind,
		output:   d.longestVerbatim(),
		problem:  transcript.Runes(d.Problem),
		notes:    transcript.Runes(d.EngineerNotes),
	}
}

// fit finds the cuts that make the note fit, and reports whether it made any.
//
// The parts give way one after the other, each down to its floor before the
// next one is touched and none further than it has to. The middle of the
// attempts goes first, because the first ones tell how the engineer understood
// the problem and the last ones where it stands. The engineer's notes go last.
func fit(d digest, limit int) (Note, bool) {
	c := uncut(d)
	note := write(d, c)
	if note.length() <= limit {
		return note, false
	}
	stages := []struct {
		part  *int
		floor int
	}{
		{&c.output, limit / 5}, // no single output may crowd out the attempts
		{&c.changed, 12},
		{&c.attempts, 12},
		{&c.output, 600},
		{&c.facts, 3},
		{&c.line, 80},
		{&c.attempts, 4},
		{&c.output, 100},
		{&c.changed, 2},
		{&c.attempts, 2},
		{&c.facts, 1},
		{&c.line, 40},
		{&c.said, 2},
		{&c.problem, 400},
		{&c.line, 20},
		{&c.output, 20},
		{&c.problem, 30},
		{&c.notes, 30},
	}
	for _, s := range stages {
		most := *s.part
		if most <= s.floor {
			continue
		}
		*s.part = s.floor
		if note = write(d, c); note.length() > limit {
			continue
		}
		// The mildest cut that fits. Every i that sort.Search settles on has
		// been seen to fit, also where a mark is longer than what it replaces.
		i := sort.Search(most-s.floor, func(i int) bool {
			*s.part = most - i
			return write(d, c).length() <= limit
		})
		*s.part = most - i
		return write(d, c), true
	}
	return note, true
}
