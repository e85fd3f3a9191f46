package feed

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

func TestEventFrame(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event models.FeedEvent
		want  string
	}{
		"plain": {
			models.FeedEvent{Seq: 7, Type: models.EventClaimed, Data: []byte(`{"a":1}`)},
			"id: 1700-7\nevent: handoff_claimed\ndata: {\"a\":1}\n\n",
		},
		"data over several lines": {
			models.FeedEvent{Seq: 8, Type: models.EventCreated, Data: []byte("{\n\t\"a\":\r\n1}")},
			"id: 1700-8\nevent: handoff_created\ndata: { \t\"a\":  1}\n\n",
		},
		"line break in the type": {
			models.FeedEvent{Seq: 9, Type: "x\rid: 9", Data: []byte(`{}`)},
			"id: 1700-9\nevent: x id: 9\ndata: {}\n\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, string(eventFrame(1700, test.event)))
		})
	}
}

func TestResyncFrame(t *testing.T) {
	t.Parallel()
	require.Equal(t, "id: 3-9\nevent: resync\ndata: {\"reason\":\"slow\"}\n\n",
		string(resyncFrame(position{3, 9}, ReasonSlow)))
}

func TestParsePosition(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"0-0", "1-0", "1764000000000-42", "9223372036854775807-9223372036854775807"} {
		p, err := parsePosition(id)
		require.NoError(t, err, id)
		require.Equal(t, id, p.String())
	}
	for _, id := range []string{
		"", "-", "1", "1-", "-1", "1-2-3", "a-1", "1-a", "01-1", "1-01", "+1-1", "1-+1", " 1-1", "1-1 ", "1-1\n",
		"1--1", "9223372036854775808-1", "1-9223372036854775808", "1_0-1", "0x1-1", "١-1", strings.Repeat("9", 10_000) + "-1",
	} {
		_, err := parsePosition(id)
		require.Error(t, err, "%q", id)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, id := range []string{"", "1-2", "1764000000000-42", "-1-2", "1-2-3", "9223372036854775808-1", "\x00", "1-2\r\n"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		p, err := parsePosition(id)
		if err != nil {
			require.Zero(t, p)
			return
		}
		require.Equal(t, id, p.String())
		require.GreaterOrEqual(t, p.epoch, int64(0))
		require.GreaterOrEqual(t, p.seq, int64(0))
	})
}

func TestLocate(t *testing.T) {
	t.Parallel()
	const oldest = 5
	head := position{3, 9}
	for id, test := range map[string]struct {
		at  position
		why Reason
	}{
		"":      {head, ""},
		"3-9":   {head, ""},
		"3-6":   {position{3, 6}, ""},
		"3-4":   {position{3, 4}, ""}, // 5 is the next, and kept
		"3-3":   {head, ReasonExpired},
		"3-0":   {head, ReasonExpired},
		"3-10":  {head, ReasonUnknownID},
		"2-9":   {head, ReasonEpoch},
		"4-1":   {head, ReasonEpoch},
		"three": {head, ReasonUnknownID},
	} {
		at, why := locate(id, head, oldest)
		require.Equal(t, test.at, at, id)
		require.Equal(t, test.why, why, id)
	}
}
