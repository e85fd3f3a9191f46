package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

func TestErrorsInTheDomainsTerms(t *testing.T) {
	t.Parallel()
	for class, want := range map[notify.Class]struct {
		code  models.Code
		retry bool
	}{
		notify.ClassTemporary:        {models.CodeUnavailable, true},
		notify.ClassRateLimited:      {models.CodeUnavailable, true},
		notify.ClassUnclear:          {models.CodeOutcomeUnknown, true},
		notify.ClassUnauthorized:     {models.CodeUnauthenticated, false},
		notify.ClassRecipientUnknown: {models.CodeNotFound, false},
		notify.ClassRejected:         {models.CodeInvalid, false},
		notify.ClassGone:             {models.CodeNotFound, false},
		notify.ClassMisconfigured:    {models.CodeInvalid, false},
		notify.ClassForged:           {models.CodeForbidden, false},
	} {
		cause := errors.New("dial tcp 10.0.0.1: secret")
		e := notify.Errorf(class, "sending", "It is %s.", "so").WithCure("Do that.").WithCause(cause)
		e.RetryAfter = time.Minute
		err := fmt.Errorf("wrapped: %w", e)
		var m *models.Error
		require.ErrorAs(t, err, &m, class)
		require.Equal(t, want.code, m.Code)
		require.Equal(t, "It is so. Do that.", m.Message)
		require.Equal(t, time.Minute, m.RetryAfter)
		require.Equal(t, want.retry, e.Retryable())
		require.Equal(t, class, notify.ClassOf(err))
		require.ErrorIs(t, err, cause)
		require.NotContains(t, m.Error(), "secret")
	}
	require.Empty(t, notify.ClassOf(nil))
	require.Equal(t, notify.ClassTemporary, notify.ClassOf(context.Canceled))
	require.Equal(t, notify.ClassTemporary, notify.ClassOf(errors.New("x")))

	doubtful := notify.Errorf(notify.ClassTemporary, "", "Hm.")
	doubtful.GiveUpAfter = 3
	require.Equal(t, notify.ClassTemporary, notify.ClassOf(notify.GaveUp(doubtful, 2)))
	require.Equal(t, notify.ClassRejected, notify.ClassOf(notify.GaveUp(doubtful, 3)))
	require.NoError(t, notify.GaveUp(nil, 3))
}

func TestLinksThatMayBeShown(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://baton.example/h/1?a=b&c=%20#x", "http://[::1]:8080/", "https://baton.example/(x)"} {
		require.Equal(t, good, notify.WebURL(good))
	}
	for _, bad := range []string{
		"", "javascript:alert(1)", "data:text/html,x", "//evil.example", "/h/1", "https://", "https://u:p@x.example/", "https://x.example/a b", "https://x.example/\n",
		"https://x.example/>|<", "https://x.example/\"", "https://x.example/é", "https://x.example/" + strings.Repeat("x", notify.MaxURL),
	} {
		require.Empty(t, notify.WebURL(bad), bad)
	}
}

func checkClean(t interface {
	require.TestingT
	Helper()
}, in string, limit int,
) {
	t.Helper()
	line, text := notify.Line(in, limit), notify.Text(in, limit)
	require.NotContains(t, line, "\n")
	require.NotContains(t, text, "\n\n\n")
	for _, s := range []string{line, text} {
		require.True(t, utf8.ValidString(s))
		require.LessOrEqual(t, utf8.RuneCountInString(s), limit)
		require.Equal(t, strings.TrimSpace(s), s)
		for _, r := range s {
			require.True(t, unicode.IsPrint(r) || r == '\n' || r == '\u200c' || r == '\u200d', "%q", r)
		}
	}
	require.Equal(t, line, notify.Line(line, limit))
	require.Equal(t, text, notify.Text(text, limit))
}

func TestCleanTexts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		checkClean(t, rapid.String().Draw(t, "text"), rapid.IntRange(1, 50).Draw(t, "limit"))
	})
	checkClean(t, strings.Repeat("a\x00\r\n", 1<<20), 100)
	require.Equal(t, "a b", notify.Line(" a\r\n\t\u00a0 b\x1b ", 10))
	require.Equal(t, "a\nb\n\nc", notify.Text("a  \r\nb\r\r\n\n\n\n c"[:0]+"a  \r\nb\n\n\n\n\nc", 10))
	require.Equal(t, "abcd…", notify.Line("abcdefgh", 5))
	require.Equal(t, "👩‍👧 é", notify.Line("👩‍👧 é", 10))
}

func FuzzText(f *testing.F) {
	f.Add("a\u2028b\r\n\r\n\x85", 10)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		if limit < 1 || limit > 10_000 {
			return
		}
		checkClean(t, in, limit)
	})
}
