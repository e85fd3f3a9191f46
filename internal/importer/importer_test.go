package importer

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/models"
)

func TestReadKeepsTheGoodLines(t *testing.T) {
	t.Parallel()
	good := `{"key":"a","title":"T","client_name":"C","steps":[{"at":"2026-11-02T09:00:00Z","actor":"engineer","kind":"note","text":"x"}]}`
	text := strings.Join([]string{
		"\ufeff" + good, "", "{not json}", `{"title":"T"}`, `{"title":"T","client_name":"C","colour":"red"}`, good + good,
		`{"title":"T","client_name":"C","steps":[{"actor":"engineer","kind":"note","text":"x"}]}`,
		"{\"title\":\"\xff\",\"client_name\":\"C\"}", `{"title":"last","client_name":"C"}`,
	}, "\n")
	var titles []string
	bad := map[int]string{}
	require.NoError(t, Read(strings.NewReader(text),
		func(_, _ int, s Session) { titles = append(titles, s.Title) },
		func(b BadLine) { bad[b.Number] = b.Reason }))
	require.Equal(t, []string{"T", "last"}, titles)
	require.Len(t, bad, 6)
	require.Contains(t, bad[3], "is not a session")
	require.Contains(t, bad[4], "no client_name")
	require.Contains(t, bad[5], "colour")
	require.Contains(t, bad[6], "more than one JSON value")
	require.Contains(t, bad[7], "no time (at) in step 1")
	require.Contains(t, bad[8], "UTF-8")
}

func TestReadPassesOverALineThatIsTooLong(t *testing.T) {
	t.Parallel()
	text := `{"title":"` + strings.Repeat("x", maxLine) + "\"}\n" + `{"title":"T","client_name":"C"}`
	var good, bad int
	require.NoError(t, Read(strings.NewReader(text), func(int, int, Session) { good++ }, func(BadLine) { bad++ }))
	require.Equal(t, 1, good)
	require.Equal(t, 1, bad)
}

func TestStepsWithoutAnIDGetTheSameEachTime(t *testing.T) {
	t.Parallel()
	line := `{"title":"T","client_name":"C","steps":[{"at":"2026-11-02T09:00:00Z","text":"x"},{"at":"2026-11-02T09:00:00Z","text":"y"}]}`
	one, reason := parse([]byte(line))
	require.Empty(t, reason)
	two, _ := parse([]byte(line))
	require.Equal(t, one, two)
	require.NotEqual(t, one.Steps[0].ID, one.Steps[1].ID)
}

func TestBatchesFitTheAPI(t *testing.T) {
	t.Parallel()
	require.Len(t, batches(nil), 1)
	steps := make([]client.NewStep, 1200)
	for i := range steps {
		steps[i] = client.NewStep{ID: uuid.New(), Text: strings.Repeat("x", i)}
	}
	n := 0
	for _, b := range batches(steps) {
		require.LessOrEqual(t, len(b), models.MaxStepBatch)
		n += len(b)
	}
	require.Equal(t, len(steps), n)
}
