package sheet_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/sheet"
)

// TestNoCellIsAFormula writes any text.
func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.String().Draw(t, "cell")
		if rapid.Bool().Draw(t, "evil") {
			cell = rapid.SampledFrom([]string{"=", "+", "-", "@", "\t", "\r", "＝"}).Draw(t, "sign") + cell
		}
		rows := [][]string{{cell, "1"}}
		var text strings.Builder
		require.NoError(t, sheet.Write(&text, []string{"name", "count"}, rows))
		require.Equal(t, cell, rows[0][0], "what was given stays as it is")
		lines, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, 2)
		require.Equal(t, "1", lines[1][1])
		got := []rune(lines[1][0])
		require.False(t, len(got) > 0 && slices.Contains([]rune("=+-@\t\r\n＝＋－＠"), got[0]), "%q", lines[1][0])
	})
}
