package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Row is one line of the table.
type Row struct {
	// Scenario is the name that --only takes.
	Scenario string `json:"scenario"`
	// What is measured, for a person.
	What string `json:"what"`
	Unit string `json:"unit,omitempty"`
	// Baton is what Baton takes; Floor and Ratio are empty for what has no floor.
	Baton Spread  `json:"baton"`
	Floor *Spread `json:"floor,omitempty"`
	Ratio *Spread `json:"ratio,omitempty"`
	// Target is the most that the ratio, or without one Baton, may be; 0 is no
	// target.
	Target float64 `json:"target,omitempty"`
	// How it was measured, in a sentence.
	How string `json:"how,omitempty"`
}

// Met reports whether a row is within its target; a row without one is.
func (r Row) Met() bool {
	if r.Target == 0 {
		return true
	}
	if r.Ratio != nil {
		return r.Ratio.Median <= r.Target
	}
	return r.Baton.Median <= r.Target
}

// ratioRow is a row about a quantile of Baton and the same of its floor.
func ratioRow(what, unit string, rounds []round, q, target float64, how string) Row {
	return ratioRowOf(what, unit, rounds, q, q, target, how)
}

func ratioRowOf(what, unit string, rounds []round, batonQ, floorQ, target float64, how string) Row {
	baton, floor, ratio := ofRounds(rounds, batonQ, floorQ)
	return Row{What: what, Unit: unit, Baton: baton, Floor: &floor, Ratio: &ratio, Target: target, How: how}
}

// Report is what a run found out.
type Report struct {
	Backend string  `json:"backend"`
	Machine Machine `json:"machine"`
	Rounds  int     `json:"rounds"`
	Rows    []Row   `json:"rows"`
}

// Missed are the rows that miss their target.
func (r Report) Missed() (missed []Row) {
	for _, row := range r.Rows {
		if !row.Met() {
			missed = append(missed, row)
		}
	}
	return missed
}

// Table writes the rows as a Markdown table.
func (r Report) Table(w io.Writer) error {
	lines := []string{
		"| what | Baton | floor | ratio (min–max) | target | met |",
		"|---|---:|---:|---:|---:|:-:|",
	}
	for _, row := range r.Rows {
		floor, ratio, target, met := "", "", "", ""
		if row.Floor != nil {
			floor = amount(row.Floor.Median, row.Unit)
		}
		if row.Ratio != nil {
			ratio = fmt.Sprintf("**%.2f** (%.2f–%.2f)", row.Ratio.Median, row.Ratio.Min, row.Ratio.Max)
		}
		if row.Target != 0 {
			target, met = "≤ "+number(row.Target), "no"
			if row.Ratio == nil {
				target = "≤ " + amount(row.Target, row.Unit)
			}
			if row.Met() {
				met = "yes"
			}
		}
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", row.What, amount(row.Baton.Median, row.Unit), floor, ratio, target, met))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// Markdown writes the whole report.
func (r Report) Markdown(w io.Writer) error {
	name := map[string]string{SQLite: "SQLite", Postgres: "PostgreSQL"}[r.Backend]
	var b strings.Builder
	fmt.Fprintf(&b, "# Baton on Temporal with %s\n\nWritten by `make bench`; [README.md](README.md) says how to read it. Medians of %d rounds.\n\n", name, r.Rounds)
	if err := r.Table(&b); err != nil {
		return err
	}
	b.WriteString("\n## The machine\n\n| | |\n|---|---|\n")
	for _, line := range r.Machine.lines() {
		fmt.Fprintf(&b, "| %s | %s |\n", line[0], line[1])
	}
	b.WriteString("\n## How each row was measured\n\n")
	for _, row := range r.Rows {
		if row.How != "" {
			fmt.Fprintf(&b, "- **%s** (`--only %s`): %s\n", row.What, row.Scenario, row.How)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Write leaves the report in a directory, as <backend>.json and <backend>.md.
func (r Report) Write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	var page strings.Builder
	if err := r.Markdown(&page); err != nil {
		return err
	}
	base := filepath.Join(dir, r.Backend)
	if err := errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(base+".json", append(text, '\n'), 0o644),
		os.WriteFile(base+".md", []byte(page.String()), 0o644),
	); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// amount is a value with its unit.
func amount(v float64, unit string) string {
	return strings.TrimSpace(number(v) + " " + unit)
}

// number has three digits that matter, and no more.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v == math.Trunc(v) || math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
