package spreadsheet

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHarmless(t *testing.T) {
	t.Parallel()
	for _, cell := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x"} {
		require.Equal(t, "'"+cell, Harmless(cell))
	}
	for _, cell := range []string{"", "Service desk", "a=b", "1-2", "é"} {
		require.Equal(t, cell, Harmless(cell))
	}
	var b bytes.Buffer
	w := NewWriter(&b)
	require.NoError(t, w.Write([]string{"a,b", "c"}))
	w.Flush()
	require.Equal(t, "\"a,b\",c\r\n", b.String())
}
