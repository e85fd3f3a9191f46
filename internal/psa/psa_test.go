package psa_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/models"
)

func TestMark(t *testing.T) {
	t.Parallel()
	m := psa.Mark{Handoff: uuid.MustParse("0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99"), Step: psa.StepClaimed, Generation: 1}
	require.Equal(t, "[baton:0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99:claimed:1]", m.String())
	near := m
	near.Generation = 12
	other := m
	other.Step = psa.StepResolved
	for name, text := range map[string]string{
		"plain":    "done\n\n" + m.String(),
		"html":     "<div><p>done</p><p>" + m.String() + "</p></div>",
		"escaped":  "<p>&#91;baton&#58;0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99:claimed:1&#93;</p>",
		"tagged":   "<p>[baton:<span>0192f7e8</span>-7a5c-7c3e-8f61-2f4d3c1b0a99:claimed:1]</p>",
		"one line": "done " + m.String() + " -- sent by Halo",
	} {
		require.True(t, m.In(text), name)
		require.False(t, near.In(text), name)
		require.False(t, other.In(text), name)
	}
	require.False(t, m.In(near.String()))
	require.False(t, m.In(strings.ToUpper(m.String())))
	require.False(t, m.In(m.Inner()))
	require.False(t, m.In(""))
}

// Whatever people write, only the note's own mark is found in it.
func TestOnlyTheOwnMark(t *testing.T) {
	t.Parallel()
	handoff := uuid.MustParse("0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99")
	own := psa.Mark{Handoff: handoff, Step: psa.StepEscalated, Generation: 1}
	next := psa.Mark{Handoff: handoff, Step: psa.StepClaimed, Generation: 1}
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{
		next.String(), "[", "]", "&#91;", "&amp;#91;", "&amp;amp;#91;", "&lsqb;", "&#x5b;", next.Inner(), next.Inner() + "]", "<b>", "</b>", "[ba<i></i>ton:",
		"[bat&#111;n:", strings.TrimPrefix(next.Inner(), "baton:") + "]", "[BATON:", " ", "\n", "<", ">", "&", "text", "&lt;b&gt;", "[baton:",
	}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		text := psa.WithMark(strings.Join(parts.Draw(t, "parts"), ""), own)
		for range 4 { // vendors unescape more or less often
			if !own.In(text) || next.In(text) {
				t.Fatalf("%q", text)
			}
			text = psa.StripHTML(text)
		}
	})
	require.Equal(t, "a < b && c > d\n\n"+own.String(), psa.WithMark(" a < b && c > d\n", own))
	require.Equal(t, own.String(), psa.WithMark("", own))
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	c := psa.Connection{Kind: psa.KindHaloPSA, Credentials: psa.Credentials{psa.CredClientSecret: "hunter2hunter2"}}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "conn", c, "secret", c.Credentials[psa.CredClientSecret])
	raw, err := json.Marshal(c)
	require.NoError(t, err)
	out := log.String() + string(raw)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, c.Credentials[psa.CredClientSecret])
	}
	require.NotContains(t, out, "hunter2")
	require.NotContains(t, out, "68756e74") // in hex
	require.Contains(t, out, "[redacted]")
	require.Equal(t, "it is [redacted].", c.Credentials.Redact("it is hunter2hunter2."))
	for range 20 { // in whatever order
		nested := psa.Credentials{"a": "hunter2", "b": " hunter2hunter2\n", "c": "2hunt"}
		require.Equal(t, "[redacted] or [redacted]", nested.Redact("hunter2hunter2 or hunter2"), "one that holds another, and as it is sent")
	}
	require.Equal(t, map[string]string{psa.CredClientSecret: "hunter2hunter2"}, c.Credentials.Reveal())
	var back psa.Credentials
	require.NoError(t, json.Unmarshal([]byte(`{"client_secret":"s"}`), &back))
	require.Equal(t, "s", back[psa.CredClientSecret].Reveal())
}

func TestErrorsAreModels(t *testing.T) {
	t.Parallel()
	for class, code := range map[psa.Class]models.Code{
		psa.ClassTemporary: models.CodeUnavailable, psa.ClassRateLimited: models.CodeUnavailable, psa.ClassUnclear: models.CodeOutcomeUnknown,
		psa.ClassUnauthorized: models.CodeUnauthenticated, psa.ClassTicketGone: models.CodeNotFound, psa.ClassRejected: models.CodeInvalid,
		psa.ClassMisconfigured: models.CodeInvalid, psa.ClassForged: models.CodeForbidden,
	} {
		e := psa.Errorf(class, "reading", "It broke.").WithCure("Mend it.").WithCause(context.Canceled)
		e.RetryAfter = time.Second
		err := fmt.Errorf("pushing: %w", e)
		require.Equal(t, code, models.CodeOf(err), class)
		var m *models.Error
		require.ErrorAs(t, err, &m)
		require.Equal(t, "It broke. Mend it.", m.Message)
		require.Equal(t, time.Second, m.RetryAfter)
		require.Equal(t, class, psa.ClassOf(err))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, m, context.Canceled)
	}
	require.Equal(t, psa.ClassTemporary, psa.ClassOf(errors.New("x")))
	require.Equal(t, psa.ClassMisconfigured, psa.ClassOf(psa.Connection{}.Validate()))
	require.Empty(t, psa.ClassOf(nil))

	gone, down := psa.Errorf(psa.ClassTicketGone, "", "x"), psa.Errorf(psa.ClassTemporary, "", "y")
	require.Equal(t, down, psa.Worst(nil, gone, down))
	require.Equal(t, down, psa.Worst(down, gone))
	require.NoError(t, psa.Worst(nil, nil))
}

func TestSafe(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a b c", psa.Safe("<p>a\r\n\tb</p>\x00\u202e c"))
	require.Len(t, []rune(psa.Safe(strings.Repeat("é", 1<<20))), 200)
	require.Empty(t, psa.Safe("\xff\xfe"))
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := func() psa.Connection {
		return psa.Connection{
			Kind: psa.KindHaloPSA, Address: "https://acme.halopsa.com",
			Credentials: psa.Credentials{psa.CredClientID: "id", psa.CredClientSecret: "secret"},
		}
	}
	require.NoError(t, good().Validate())
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, c := range map[string]struct {
		change func(*psa.Connection)
		field  string // empty: valid
	}{
		"kind":           {func(c *psa.Connection) { c.Kind = "jira" }, "/kind"},
		"no address":     {func(c *psa.Connection) { c.Address = "" }, "/address"},
		"http":           {func(c *psa.Connection) { c.Address = "http://acme.halopsa.com" }, "/address"},
		"file":           {func(c *psa.Connection) { c.Address = "file:///etc/passwd" }, "/address"},
		"user":           {func(c *psa.Connection) { c.Address = "https://u:p@acme.halopsa.com" }, "/address"},
		"query":          {func(c *psa.Connection) { c.Address = "https://acme.halopsa.com?x=1" }, "/address"},
		"port":           {func(c *psa.Connection) { c.Address = "https://acme.halopsa.com:5432" }, "/address"},
		"http loopback":  {func(c *psa.Connection) { c.Address = "http://127.0.0.1:80" }, "/address"},
		"http allowed":   {func(c *psa.Connection) { c.Address, c.Network.Allow = "http://127.0.0.1:8090", loopback }, ""},
		"http localhost": {func(c *psa.Connection) { c.Address, c.Network.Allow = "http://localhost:8090", loopback }, ""},
		"http elsewhere": {func(c *psa.Connection) { c.Address, c.Network.Allow = "http://10.0.0.1", loopback }, "/address"},
		"missing":        {func(c *psa.Connection) { delete(c.Credentials, psa.CredClientSecret) }, "/credentials/client_secret"},
		"line break":     {func(c *psa.Connection) { c.Credentials[psa.CredClientID] = "a\r\nHost: x" }, "/credentials/client_id"},
		"foreign":        {func(c *psa.Connection) { c.Credentials[psa.CredPublicKey] = "x" }, "/credentials/public_key"},
		"step":           {func(c *psa.Connection) { c.Options.Status = map[psa.StepName]string{"parked": "x"} }, "/options/status/parked"},
		"version":        {func(c *psa.Connection) { c.Options.APIVersion = "2025.16\r\nX: y" }, "/options/api_version"},
		"notes":          {func(c *psa.Connection) { c.Options.Notes = "everybody" }, "/options/notes"},
	} {
		conn := good()
		c.change(&conn)
		err := conn.Validate()
		if c.field == "" {
			require.NoError(t, err, name)
			continue
		}
		var m *models.Error
		require.ErrorAs(t, err, &m, name)
		require.Equal(t, models.CodeInvalid, m.Code)
		require.Equal(t, c.field, m.Fields[0].Field, name)
	}
	autotask := psa.Connection{Kind: psa.KindAutotask, Credentials: psa.Credentials{
		psa.CredUsername: "u", psa.CredSecret: "s", psa.CredIntegrationCode: "c",
	}}
	require.NoError(t, autotask.Validate())
}

func TestCache(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	reads := 0
	c := psa.NewCache[int](func() time.Time { return now }, time.Minute, 10*time.Second, 2)
	get := func(key string, good func(int) bool) int {
		v, err := c.Get(t.Context(), key, good, func(context.Context) (int, error) { reads++; return reads, nil })
		require.NoError(t, err)
		return v
	}
	never := func(int) bool { return false }
	require.Equal(t, 1, get("a", nil))
	require.Equal(t, 1, get("a", never)) // just read
	now = now.Add(11 * time.Second)
	require.Equal(t, 1, get("a", nil))
	require.Equal(t, 2, get("a", never)) // worth another look
	now = now.Add(time.Minute)
	require.Equal(t, 3, get("a", nil)) // too old
	get("b", nil)
	get("c", nil) // makes room
	require.Equal(t, 6, get("a", nil))
	c.Drop()
	require.Equal(t, 7, get("a", nil))
	broken := errors.New("broken")
	_, err := c.Get(t.Context(), "d", nil, func(context.Context) (int, error) { return 0, broken })
	require.ErrorIs(t, err, broken)
	require.Equal(t, 8, get("d", nil)) // an error is not kept
}
