// Package spreadsheet writes CSV that people open in a spreadsheet.
package spreadsheet

import (
	"encoding/csv"
	"io"
	"strings"
)

// NewWriter returns a writer of CSV (RFC 4180).
func NewWriter(to io.Writer) *csv.Writer {
	w := csv.NewWriter(to)
	w.UseCRLF = true
	return w
}

// Harmless keeps spreadsheets from computing what somebody typed into a text,
// which would otherwise be a formula.
func Harmless(cell string) string {
	if strings.ContainsAny(cell[:min(len(cell), 1)], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") ||
		strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}
