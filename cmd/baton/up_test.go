package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/demo"
	"github.com/baton-handoff/baton/internal/devstack"
)

func freePort(t *testing.T) int {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().(*net.TCPAddr).Port
}

// TestFirstRunOfAStranger does what the README says: up, demo, import, and
// everything else from the terminal.
func TestFirstRunOfAStranger(t *testing.T) {
	for _, name := range []string{"DATABASE_URL", "TEMPORAL_ADDRESS"} {
		t.Setenv(name, "") // its own servers, wherever the test runs
	}
	port := freePort(t)
	base := "http://127.0.0.1:" + strconv.Itoa(port)
	dir := filepath.Join(t.TempDir(), "baton")
	t.Cleanup(func() { require.NoError(t, devstack.Remove(context.WithoutCancel(t.Context()), dir)) })
	up := upCmd{Listen: "127.0.0.1:" + strconv.Itoa(port), UIPort: -1, TemporalPort: freePort(t), Dir: dir}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- up.Run(ctx) }()
	require.Eventually(t, func() bool {
		select {
		case err := <-ended:
			t.Fatalf("baton up ended: %v", err)
		default:
		}
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode == http.StatusOK
	}, 5*time.Minute, 200*time.Millisecond)

	var story bytes.Buffer
	require.NoError(t, demo.Tell(ctx, base, &story), story.String())
	t.Log(story.String())
	require.Equal(t, 4, strings.Count(story.String(), "✔"), "four races, four winners")
	require.Equal(t, 12, strings.Count(story.String(), "Already claimed by"))
	require.Contains(t, story.String(), "live in Ana's queue")

	t.Run("the tickets tell the story", func(t *testing.T) {
		require.Eventually(t, func() bool {
			resp, err := http.Get(base + "/sandbox/psa")
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			text, err := io.ReadAll(resp.Body)
			return err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(text), ":resolved:") && strings.Contains(string(text), "Completed")
		}, time.Minute, 200*time.Millisecond)
	})
	t.Run("import twice, with bad lines", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "sessions.jsonl")
		text := string(demo.Sessions()) + "\n{not json}\n{\"title\":\"\"}\n{\"title\":\"x\",\"client_name\":\"y\",\"colour\":\"red\"}\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		before := sessions(t, base)
		for range 2 {
			err := importCmd{target: target{URL: base, As: demo.Junior}, File: file}.Run(ctx)
			require.Equal(t, exitCode(2), err, "bad lines are told by the exit code")
		}
		require.Equal(t, before+13, sessions(t, base), "the second time changed nothing")
	})
	t.Run("a question and its answer", func(t *testing.T) {
		junior, ana := target{URL: base, As: demo.Junior}, target{URL: base, As: demo.Ana}
		b, err := junior.connect(ctx)
		require.NoError(t, err)
		s, err := b.CreateSession(ctx, "question", client.NewSession{Title: "VPN", ClientName: "Larch Dental"})
		require.NoError(t, err)
		h, err := b.HandOff(ctx, "question", s.ID, client.NewHandoff{Intent: client.IntentEscalate, EngineerNotes: "Please look."})
		require.NoError(t, err)
		id := h.ID.String()
		require.NoError(t, claimCmd{target: ana, Handoff: id}.Run(ctx))
		require.NoError(t, returnCmd{target: ana, Handoff: id, Questions: "Which firmware?"}.Run(ctx))
		require.NoError(t, answerCmd{target: junior, Handoff: id, Answer: "7.2.4"}.Run(ctx))
		h, err = b.Handoff(ctx, s.ID, h.ID)
		require.NoError(t, err)
		require.Equal(t, "7.2.4", *h.Answer)
		require.Equal(t, "Which firmware?", *h.Questions)
		require.NotNil(t, h.ReservedUntil)
	})
	t.Run("refusals", func(t *testing.T) {
		require.ErrorContains(t, claimCmd{target: target{URL: base, As: demo.Ana}, Handoff: "zzzz"}.Run(ctx), "no open handoff")
		require.ErrorContains(t, queueCmd{target: target{URL: base}}.Run(ctx), "who are you?")
		require.ErrorContains(t, queueCmd{target: target{URL: base, As: "nobody@demo.test"}}.Run(ctx), "no token for nobody@demo.test")
		require.ErrorContains(t, queueCmd{target: target{URL: base, As: demo.Viewer}, Limit: 5}.Run(ctx), "HTTP 403")
		require.NoError(t, queueCmd{target: target{URL: base, As: demo.Ben}, Limit: 5}.Run(ctx))
		require.ErrorContains(t, free(ctx, up.Listen, "--listen"), "choose another with --listen")
	})

	cancel()
	require.NoError(t, <-ended, "Ctrl-C is a clean end")
	require.NoError(t, free(t.Context(), up.Listen, ""), "the port is free again")
}

// sessions counts the sessions of the demo account.
func sessions(t *testing.T, base string) (n int) {
	t.Helper()
	cursor := ""
	for {
		status, page := page(t, base, cursor)
		require.Equal(t, http.StatusOK, status)
		n += len(page.Items)
		if page.Next == nil {
			return n
		}
		cursor = *page.Next
	}
}

type sessionPage struct {
	Items []json.RawMessage `json:"items"`
	Next  *string           `json:"next_cursor"`
}

func page(t *testing.T, base, cursor string) (int, sessionPage) {
	t.Helper()
	url := base + "/api/v1/ai-sessions?limit=200"
	if cursor != "" {
		url += "&cursor=" + cursor
	}
	token := devTokenFor(t, base, demo.Junior)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var p sessionPage
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&p))
	return resp.StatusCode, p
}

func devTokenFor(t *testing.T, base, email string) string {
	t.Helper()
	resp, err := http.Post(base+"/api/v1/dev/token", "application/json", strings.NewReader(fmt.Sprintf(`{"email":%q}`, email)))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var answer struct{ Token string }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Token
}
