package feed

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func events(from, to int64) (list []models.FeedEvent) {
	for seq := from; seq <= to; seq++ {
		list = append(list, models.FeedEvent{Seq: seq, Type: models.EventCreated, Data: []byte(`{}`)})
	}
	return list
}

func TestTopicKeepsTheNewestFrames(t *testing.T) {
	t.Parallel()
	size := len(eventFrame(1, events(5, 5)[0]))
	for name, test := range map[string]struct {
		maxFrames, maxBytes int
		want                int
	}{
		"bounded by number":        {maxFrames: 4, maxBytes: 1 << 20, want: 4},
		"bounded by bytes":         {maxFrames: 100, maxBytes: 3*size + 1, want: 3},
		"always one":               {maxFrames: 100, maxBytes: 1, want: 1},
		"everything, while it can": {maxFrames: 100, maxBytes: 1 << 20, want: 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tp := newTopic(models.FeedHead{AccountID: uuid.New(), Epoch: 1})
			for _, e := range events(1, 9) {
				require.True(t, tp.publish(1, []models.FeedEvent{e}, test.maxFrames, test.maxBytes))
			}
			st := tp.state.Load()
			require.Equal(t, int64(9), st.head)
			require.Len(t, st.frames, test.want)
			require.Equal(t, test.want*size, st.size)

			oldest := int64(9 - test.want)
			frames, ok := st.after(oldest, 100)
			require.True(t, ok)
			require.Len(t, frames, test.want)
			require.Equal(t, string(eventFrame(1, events(oldest+1, oldest+1)[0])), string(frames[0]))
			_, ok = st.after(oldest-1, 100)
			require.False(t, ok, "before the ring")
			frames, ok = st.after(9, 100)
			require.True(t, ok)
			require.Empty(t, frames)
			_, ok = st.after(10, 100)
			require.False(t, ok, "after the head")
		})
	}
}

// A reader may still hold frames of an old state while newer ones are added.
func TestStatesDoNotChange(t *testing.T) {
	t.Parallel()
	tp := newTopic(models.FeedHead{Epoch: 1})
	tp.publish(1, events(1, 3), 4, 1<<20)
	old := tp.state.Load()
	held, _ := old.after(0, 100)
	first := string(held[0])
	tp.publish(1, events(4, 50), 4, 1<<20)
	require.Equal(t, first, string(held[0]))
	require.Len(t, old.frames, 3)
	require.Equal(t, len(held), cap(held), "a reader that appends must not reach the shared array")
	select {
	case <-old.changed:
	default:
		t.Fatal("readers of the old state were not woken")
	}
}

func TestTopicRefusesWhatIsOlderThanItsReset(t *testing.T) {
	t.Parallel()
	tp := newTopic(models.FeedHead{Epoch: 1, LastSeq: 5})
	require.True(t, tp.reset(1, models.FeedHead{Epoch: 2, LastSeq: 1}, ReasonEpoch))
	require.False(t, tp.publish(1, events(6, 7), 4, 1<<20))
	require.False(t, tp.reset(1, models.FeedHead{Epoch: 1, LastSeq: 7}, ReasonEpoch))
	require.Equal(t, position{2, 1}, tp.state.Load().position())
	tp.close()
	require.False(t, tp.publish(2, events(2, 2), 4, 1<<20))
}
