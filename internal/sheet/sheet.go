// Package sheet writes tables as CSV that people open in a spreadsheet.
package sheet

import (
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Write writes a line of names and then the rows (RFC 4180). No cell can be
// taken for a formula by a spreadsheet.
func Write(to io.Writer, names []string, rows [][]string) error {
	w := csv.NewWriter(to)
	w.UseCRLF = true
	_ = w.Write(names) // its error is that of the end
	for _, row := range rows {
		cells := slices.Clone(row)
		for i, cell := range cells {
			cells[i] = harmless(cell)
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return w.Error()
}

// Number is a cell of f, with three digits after the point, and empty for nil.
func Number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', 3, 64)
}

// Time is a cell of t (RFC 3339), and empty for nil.
func Time(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}

// harmless keeps spreadsheets from computing what people are called.
func harmless(cell string) string {
	if strings.ContainsAny(cell[:min(len(cell), 1)], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") ||
		strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}
