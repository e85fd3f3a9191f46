package document

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMiddle(t *testing.T) {
	t.Parallel()
	for n := range 12 {
		for keep := range 14 {
			first, last := middle(n, keep)
			require.Equal(t, max(0, n-keep), last-first+1, "%d of %d", keep, n)
			if keep >= 2 && n > keep {
				require.Positive(t, first)
				require.Less(t, last, n-1)
			}
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	shown, mark := cut("é😀xy", 2, "it")
	require.Equal(t, "é😀xy", shown, "a mark longer than what it replaces helps nobody")
	require.Empty(t, mark)

	long := "é😀" + string(make([]byte, 200))
	shown, mark = cut(long, 2, "it")
	require.Equal(t, "é😀", shown)
	require.Equal(t, "… the last 200 of 202 characters left out here; see it.", mark)
}
