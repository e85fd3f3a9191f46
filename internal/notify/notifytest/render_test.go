package notifytest_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/email"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/internal/notify/teams"
	"github.com/baton-handoff/baton/internal/notify/webhook"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run: go test ./internal/notify/notifytest -update")
	require.Equal(t, string(want), got)
}

// indented is JSON as a person reads it.
func indented(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(v))
	return b.String()
}

// TestRenderings are for reading: is this what we want people to see?
func TestRenderings(t *testing.T) {
	t.Parallel()
	claimed := notifytest.Sample(notify.KindEscalated)
	claimed.Facts.Outcome = notify.Outcome{Verb: models.VerbClaim, By: "Bo Lind", At: claimed.At.Add(3 * time.Minute)}
	cases := map[string]notify.Message{"claimed": claimed}
	for _, k := range notify.Kinds() {
		cases[string(k)] = notifytest.Sample(k)
	}
	for name, m := range cases {
		c := m.Content()
		golden(t, name+".txt", "Subject: "+c.Subject+"\n\n"+email.Text(c))
		switch m.Kind {
		case notify.KindEscalated, notify.KindAnswered, notify.KindBundle: // between them they have all there is
		default:
			continue
		}
		golden(t, name+".html", email.HTML(c))
		blocks, err := slack.Replace(m)
		require.NoError(t, err)
		golden(t, name+".slack.json", indented(t, blocks))
		card, err := teams.Body(m)
		require.NoError(t, err)
		golden(t, name+".teams.json", indented(t, card))
		hook, err := webhook.Body(m)
		require.NoError(t, err)
		golden(t, name+".webhook.json", indented(t, hook))
	}
}

// anyText is what people, scripts and attackers write.
func anyText() *rapid.Generator[string] {
	nasty := rapid.SampledFrom([]string{
		"<script>alert(1)</script>", "<!channel> <@U1> <https://evil.example|click>", "](https://evil.example) [x](y)", "{{DATE(2026-01-01T00:00:00Z)}}",
		"\r\nBcc: eve@evil.example\r\n\r\n", "\x00\x01\x1b[31m", "\u202e\u2066\u200b\ufeff", "&amp;&lt;&#x3c;&&&&&&&&&&", "*_~`*bold*_x_~y~```z```", "\n\n\n\n", "\u2028\u2029\u0085",
		"# heading\n- list\n1. one\n> quote", "|a|b|\n|-|-|", "\xff\xfe\xc3", "👩‍👩‍👧‍👦 é ﷽", "\\\\\\*", "--\r\n.\r\n", "javascript:alert(1)", "=?utf-8?b?QmNj?=",
	})
	huge := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat(nasty.Draw(t, "part"), rapid.IntRange(1, 5000).Draw(t, "times"))
	})
	return rapid.OneOf(rapid.String(), nasty, huge, rapid.Just(""))
}

func anyMessage(text *rapid.Generator[string]) *rapid.Generator[notify.Message] {
	return rapid.Custom(func(t *rapid.T) notify.Message {
		draw := func(name string) string { return text.Draw(t, name) }
		m := notifytest.Sample(rapid.SampledFrom(notify.Kinds()).Draw(t, "kind"))
		m.Key.Step, m.Key.Recipient, m.To.Name = draw("step"), draw("recipient"), draw("name")
		f := &m.Facts
		for _, field := range []*string{
			&f.Client, &f.Problem, &f.Ticket, &f.From, &f.Team, &f.Holder, &f.Ask, &f.Reason, &f.Answer, &f.Next, &f.Why, &f.Outcome.By,
			&m.Links.Open, &m.Links.Claim,
		} {
			*field = draw("field")
		}
		f.Questions = rapid.SliceOfN(text, 0, 12).Draw(t, "questions")
		f.Priority = models.Priority(rapid.IntRange(-1, 6).Draw(t, "priority"))
		f.Outcome.Verb = rapid.SampledFrom([]models.Verb{"", "", models.VerbClaim, "another"}).Draw(t, "verb")
		f.Count = rapid.IntRange(0, 1000).Draw(t, "count")
		for range rapid.IntRange(0, 12).Draw(t, "items") {
			f.Items = append(f.Items, notify.Item{Client: draw("client"), Problem: draw("problem"), Ticket: draw("ticket"), URL: "https://baton.example/(" + draw("url")})
		}
		if rapid.Bool().Draw(t, "good links") {
			m.Links = notify.Links{Open: "https://baton.example/h/1?a=b&c=d", Claim: "https://baton.example/claim/(x)"}
		}
		return m
	})
}

// TestAnyTextIsTaken: whatever is in a message, each strict service takes it.
func TestAnyTextIsTaken(t *testing.T) {
	t.Parallel()
	list := rigs(t, time.Minute)[1:]
	mails, sink := mailRig(t, time.Minute, notifytest.SMTPOptions{}, nil)
	list = append(list, mails)
	rapid.Check(t, func(t *rapid.T) {
		m := anyMessage(anyText()).Draw(t, "message")
		for _, r := range list {
			m.Key.Channel, m.To.Address = r.name, r.to
			_, err := r.channel.Send(t.Context(), m)
			require.NoError(t, err, "%s: %v", r.name, sink.Refused())
		}
		c := m.Content()
		page := email.HTML(c)
		require.NotEmpty(t, page)
		require.NotContains(t, page, "<script")
		require.NotContains(t, page, `href="javascript`)
		require.Less(t, len(page), 200<<10)
		require.Less(t, len(email.Text(c)), 100<<10)
		for _, s := range []string{c.Subject, c.Lead, c.Footer, email.Text(c)} {
			require.True(t, utf8.ValidString(s))
			require.NotContains(t, s, "\u202e")
			require.NotContains(t, s, "\r")
		}
		require.NotContains(t, c.Subject, "\n")
		card, err := teams.Body(m)
		require.NoError(t, err)
		require.LessOrEqual(t, len(card), teams.MaxBody)
		require.NotContains(t, string(card), "{{DATE")
		hook, err := webhook.Body(m)
		require.NoError(t, err)
		require.Less(t, len(hook), 128<<10)
	})
}

func TestKeysAndIDs(t *testing.T) {
	t.Parallel()
	base := notifytest.Sample(notify.KindEscalated).Key
	base.Channel = notify.ChannelEmail
	require.Equal(t, "s4bu7kiu3mvutonsxtddkgfs4x", base.ID()) // in mailboxes and receivers' tables: it must not change
	seen := map[string]bool{base.ID(): true}
	for _, change := range []func(*notify.Key){
		func(k *notify.Key) { k.Account = uuid.UUID{1} }, func(k *notify.Key) { k.Handoff = uuid.UUID{1} }, func(k *notify.Key) { k.Generation++ },
		func(k *notify.Key) { k.Step += "0" }, func(k *notify.Key) { k.Recipient += "0" }, func(k *notify.Key) { k.Channel = notify.ChannelSlack },
		func(k *notify.Key) { k.Step, k.Recipient = k.Step+k.Recipient[:1], k.Recipient[1:] },
	} {
		k := base
		change(&k)
		require.False(t, seen[k.ID()], k.String())
		seen[k.ID()] = true
	}
}

func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../webhook/testdata/standard_webhooks_vector.json")
	require.NoError(t, err)
	var v map[string]string
	require.NoError(t, json.Unmarshal(raw, &v))
	// The receiver is one by the specification: the published signature passes.
	at := time.Unix(1614265330, 0)
	receiver := notifytest.NewWebhook(func() time.Time { return at }, v["secret"])
	require.True(t, receiver.Signed(v["webhook-signature"], v["webhook-id"], v["webhook-timestamp"], []byte(v["body"])))
	require.False(t, receiver.Signed(v["webhook-signature"], v["webhook-id"], v["webhook-timestamp"], []byte(v["body"]+" ")))

	s := notifytest.NewWebhook(clock, secret)
	base := serve(t, s)
	fresh := webhook.NewSecret()
	send := func(keys ...secrets.Secret) error {
		c, err := webhook.New(webhook.Config{URL: secrets.Secret(base + "/hook"), Secrets: keys, PlainHTTP: true}, client(t, base, time.Minute), clock)
		require.NoError(t, err)
		_, err = c.Send(t.Context(), notifytest.Sample(notify.KindEscalated))
		return err
	}
	require.NoError(t, send(secret))
	require.NoError(t, send(fresh, secret)) // while it is rotated, the receiver may know either
	s.Accept(fresh.Reveal())
	require.NoError(t, send(fresh, secret))
	require.NoError(t, send(fresh))
	require.Equal(t, notify.ClassUnauthorized, notify.ClassOf(send(secret)))
	got := s.Received()
	require.Len(t, got, 4)
	require.Equal(t, 2, got[1].Signatures)
	require.Equal(t, "msg_"+notifytest.Sample(notify.KindEscalated).Key.ID(), got[0].ID)
	require.JSONEq(t, string(got[0].Body), string(got[3].Body))

	long := secrets.Secret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65)))
	for name, cfg := range map[string]webhook.Config{
		"no address": {Secrets: []secrets.Secret{secret}}, "plain http": {URL: "http://hook.example/", Secrets: []secrets.Secret{secret}},
		"user": {URL: "https://u:p@hook.example/", Secrets: []secrets.Secret{secret}}, "scheme": {URL: "ftp://hook.example/", Secrets: []secrets.Secret{secret}},
		"fragment": {URL: "https://hook.example/#x", Secrets: []secrets.Secret{secret}}, "no secret": {URL: "https://hook.example/"},
		"three": {URL: "https://hook.example/", Secrets: []secrets.Secret{secret, secret, secret}},
		"short": {URL: "https://hook.example/", Secrets: []secrets.Secret{"whsec_c2hvcnQ="}}, "long": {URL: "https://hook.example/", Secrets: []secrets.Secret{long}},
		"no prefix": {URL: "https://hook.example/", Secrets: []secrets.Secret{secrets.Secret(secret[6:])}},
	} {
		_, err := webhook.New(cfg, nil, clock)
		require.Equal(t, notify.ClassMisconfigured, notify.ClassOf(err), name)
	}
}

func TestTeamsWorkflows(t *testing.T) {
	t.Parallel()
	r, s := teamsRig(t, time.Minute)
	_, e := r.send(t, r.message(notify.KindEscalated))
	require.Nil(t, e)
	card := s.Cards()[0]
	require.Equal(t, map[string]string{
		"Claim": "https://baton.example/claim/SIGNED", "Open in Baton": "https://baton.example/h/0192f7e8-7a5c-7c3e-8f61-2f4d3c1b0a99",
	}, card.Links)
	r.faults.Next(notifytest.Fault{Kind: notifytest.FaultStatus, Status: http.StatusNotFound})
	_, e = r.send(t, r.message(notify.KindEscalated))
	require.Contains(t, e.Cure, "workflow")
	for _, address := range []secrets.Secret{"", "contoso", "http://x.logic.azure.com/", "https://contoso.webhook.office.com/webhookb2/x", "https://u:p@x.example/"} {
		_, err := teams.New(teams.Config{URL: address}, nil, clock)
		require.Equal(t, notify.ClassMisconfigured, notify.ClassOf(err))
	}
	_, err := teams.New(teams.Config{URL: "https://env.environment.api.powerplatform.com:443/powerautomate/x?sig=y"}, nil, clock)
	require.NoError(t, err)
}

func TestMarkdownOfCards(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain, with a dash - and 3.5 GB":   "plain, with a dash - and 3.5 GB",
		"- item\n- item":                    "- item\n\n- item",
		"[x](https://evil.example) *b* _i_": `\[x\](https://evil.example) \*b\* \_i\_`,
		`a\b <c>`:                           `a\\b \<c\>`,
		"{{DATE(2026)}}":                    "{\u2060{\u2060DATE(2026)}\u2060}\u2060",
	} {
		require.Equal(t, want, teams.Escape(in))
	}
}
