package redact_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/baton-handoff/baton/internal/apikey"
	"github.com/baton-handoff/baton/internal/redact"
)

// shared is made once: compiling the rules is most of what a small test does.
var shared = sync.OnceValues(func() (*redact.Redactor, error) { return redact.New(testKey) })

func redactor(tb testing.TB) *redact.Redactor {
	tb.Helper()
	r, err := shared()
	require.NoError(tb, err)
	return r
}

var placeholder = regexp.MustCompile(`«[a-z0-9-]+:[0-9a-f]{10}»`)

func TestKeyIsNeeded(t *testing.T) {
	t.Parallel()
	_, err := redact.New([]byte("short"))
	require.ErrorIs(t, err, redact.ErrShortKey)
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	r := redactor(t)
	one, counts := r.Text("password is Welcome1, and on the NAS: pw: Welcome1")
	require.Equal(t, redact.Counts{"password": 2}, counts)
	found := placeholder.FindAllString(one, -1)
	require.Len(t, found, 2)
	require.Equal(t, found[0], found[1], "the same secret has the same placeholder")
	require.Equal(t, "password is "+found[0]+", and on the NAS: pw: "+found[0], one)

	other, _ := r.Keyed("another account").Text("password is Welcome1")
	require.NotEqual(t, "password is "+found[0], other, "and another one in another account")
	again, _ := r.Keyed("another account").Text("password is Welcome1")
	require.Equal(t, other, again)
}

// TestForgedPlaceholders: what merely looks like a placeholder hides nothing.
func TestForgedPlaceholders(t *testing.T) {
	t.Parallel()
	r := redactor(t)
	real, _ := r.Text("password is Welcome1")
	real = placeholder.FindString(real)
	for _, forged := range []string{
		"«password:0123456789»", "«Welcome1:" + real[len(real)-12:], "«password:Welcome1x»", strings.Replace(real, "password", "api-key", 1),
	} {
		text := "the api key: " + forged + " password: " + forged
		out, _ := r.Text(text + " pw: Hunter22!")
		require.NotContains(t, out, "Hunter22!")
		require.NotContains(t, out, "Welcome1")
	}
	hidden, _ := r.Text("«pw: Hunter22!»")
	require.NotContains(t, hidden, "Hunter22!")
	out, counts := r.Text("password is " + real + " and pw: " + real)
	require.Equal(t, "password is "+real+" and pw: "+real, out)
	require.Empty(t, counts)
}

func TestSession(t *testing.T) {
	t.Parallel()
	r := redactor(t)
	steps := []string{
		"tried Welcome1 first, then WELCOME1, no luck",
		"user says: my password is Welcome1!",
		"PIN: 4821, and ticket 4821 is another one",
		"password: sunshine",
		"the sunshine state office, MyWelcome1x is a share",
		"nothing here",
	}
	out, counts := r.Session(steps)
	require.Len(t, out, len(steps))
	require.Regexp(t, `^tried «password:\w+» first, then «password:\w+», no luck$`, out[0])
	require.Regexp(t, `^user says: my password is «password:\w+»$`, out[1])
	require.Regexp(t, `^PIN: «pin:\w+», and ticket 4821 is another one$`, out[2], "a short number may be something else")
	require.Equal(t, steps[4], out[4], "a word that somebody uses as a password stays one, and so do parts of words")
	require.Equal(t, steps[5], out[5])
	require.Equal(t, 5, counts.Total())

	again, none := r.Session(out)
	require.Equal(t, out, again)
	require.Empty(t, none)
}

// pieces are what texts of sessions are made of, and much that is near to it.
func pieces(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/corpus/*.txt")
	require.NoError(tb, err)
	var all []string
	for _, file := range files {
		for _, s := range readCorpus(tb, file) {
			all = append(all, s.text)
		}
	}
	return append(all, "password", " is ", ": ", " / ", "«", "»", "«password:0123456789»", "\n", "\r\n", "\xff", "\"", "'", "=", "-----BEGIN", "eyJ", "://", "@", "-", "1", "A")
}

// TestProperties holds what is true of any text.
func TestProperties(t *testing.T) {
	t.Parallel()
	r, all := redactor(t), pieces(t)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(all), rapid.String(), rapid.StringMatching(`[ -~]{1,30}`)), 1, 12).Draw(t, "parts")
		check(t, r, strings.Join(parts, rapid.SampledFrom([]string{"", " ", "\n", ", "}).Draw(t, "between")))
	})
}

// FuzzText proves that no text makes it panic, and that redacting twice is
// redacting once.
func FuzzText(f *testing.F) {
	for _, piece := range pieces(f) {
		f.Add(piece)
	}
	r := redactor(f)
	f.Fuzz(func(t *testing.T, text string) { check(t, r, text) })
}

func check(t require.TestingT, r *redact.Redactor, text string) {
	out, counts := r.Text(text)
	again, none := r.Text(out)
	require.Equal(t, out, again, "redacting twice is redacting once")
	require.Empty(t, none)

	spans := redact.Spans(r, text)
	require.Len(t, spans, counts.Total())
	at, rest := 0, out
	for _, sp := range spans {
		require.True(t, at <= sp[0] && sp[0] < sp[1], "secrets come in order, and none is empty")
		var same bool
		rest, same = strings.CutPrefix(rest, text[at:sp[0]])
		require.True(t, same, "what is outside of secrets stays, byte for byte")
		mark := placeholder.FindStringIndex(rest)
		require.NotNil(t, mark)
		require.Zero(t, mark[0])
		rest, at = rest[mark[1]:], sp[1]
	}
	require.Equal(t, text[at:], rest)

	session, found := r.Session([]string{text, "and " + text})
	twice, none := r.Session(session)
	require.Equal(t, session, twice)
	require.Empty(t, none)
	require.GreaterOrEqual(t, found.Total(), counts.Total())
}

// TestPlantedSecrets plants passwords of every sort under every label.
func TestPlantedSecrets(t *testing.T) {
	t.Parallel()
	r := redactor(t)
	frames := []string{
		"password is %", "Password: %", "password:%", "pw: %", "pwd=%", "pass: % works", "passwort: %", "mot de passe : %", "contraseña: %", "wifi key: %", "psk = %",
		"changed the password to %, then logged on", "admin / %", "net user bob % /add", `ConvertTo-SecureString "%" -AsPlainText -Force`, "cmdkey /add:x /user:y /pass:%",
		"sshpass -p % ssh x", "plink -pw % host", `"password": "%"`, "password = '%'", "Server=x;User Id=sa;Password=%;Encrypt=True", "community string is %", "psexec \\\\pc -u a -p % cmd",
		"he used % as the password", "Password for the NAS: %", "the password for bob on DC01 is %", "**Password:** `%`", "login: admin / %",
	}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Z][a-z]{4,9}[#!@$_]?[0-9]{2,4}`).Draw(t, "secret")
		frame := rapid.SampledFrom(frames).Draw(t, "frame")
		before := rapid.SampledFrom([]string{"", "ok so ", "2026-11-10 08:14 ", "called back\n", "Reply from 10.0.0.1\r\n- "}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", "\n", "\r\nnext step", ". She is in"}).Draw(t, "after")
		out, _ := r.Text(before + strings.Replace(frame, "%", secret, 1) + after)
		require.NotContains(t, out, secret)
	})
}

// TestLongTexts: 128 KiB of what every rule has to look at, in one line and in
// many. What takes more than linear time would not end.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	r := redactor(t)
	for _, piece := range []string{"password ", "password:", "pw: ", "key=key=", "-----BEGIN PRIVATE KEY-----\n", "admin / admin / ", "secret token api key ", "eyJeyJeyJ", "4111 ", "1-", "«password:", "net user net use ", "\xff\xfe", "://a:b://", "curl -u ", "Summer2024! ", "pw: Abc12345 \n"} {
		n := 1 << 17
		if strings.Contains(piece, "Abc") {
			n = 1 << 16
		}
		out, _ := r.Text(strings.Repeat(piece, n/len(piece)))
		require.NotContains(t, out, "Abc12345")
	}
}

// transcripts are the demo's sessions, as text.
func transcripts(tb testing.TB) []string {
	tb.Helper()
	file, err := os.Open("../../demo/sessions.jsonl")
	require.NoError(tb, err)
	defer func() { require.NoError(tb, file.Close()) }()
	var texts []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var session struct {
			Problem string
			Steps   []struct{ Text string }
		}
		require.NoError(tb, json.Unmarshal(lines.Bytes(), &session))
		var text strings.Builder
		_, _ = text.WriteString(session.Problem)
		for _, step := range session.Steps {
			_, _ = text.WriteString("\n\n" + step.Text)
		}
		texts = append(texts, text.String())
	}
	require.NoError(tb, lines.Err())
	require.NotEmpty(tb, texts)
	return texts
}

func BenchmarkText(b *testing.B) {
	r, texts := redactor(b), transcripts(b)
	whole := strings.Join(texts, "\n")
	b.Run("transcripts", func(b *testing.B) {
		b.SetBytes(int64(len(whole)))
		b.ReportAllocs()
		began := processorTime(b)
		for b.Loop() {
			for _, text := range texts {
				r.Text(text)
			}
		}
		// What one core does, whoever else uses the machine.
		b.ReportMetric(float64(b.N*len(whole))/1e6/(processorTime(b)-began).Seconds(), "MB/cpu-s")
	})
	dense := strings.Join(pieces(b), "\n")
	b.Run("corpus", func(b *testing.B) { // a secret in every other line
		b.SetBytes(int64(len(dense)))
		for b.Loop() {
			r.Text(dense)
		}
	})
	b.Run("yardstick", func(b *testing.B) { // two plain passes over the same, to judge the machine by
		b.SetBytes(int64(len(whole)))
		n := 0
		for b.Loop() {
			for _, text := range texts {
				n += len(strings.ToLower(text)) + strings.Count(text, "password")
			}
		}
		_ = n
	})
}

// processorTime is what this process has used of it.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		_, err := redact.New(testKey)
		require.NoError(b, err)
	}
}

// TestOwnAPIKeys: a key of Baton itself in a session is a credential as well.
func TestOwnAPIKeys(t *testing.T) {
	t.Parallel()
	r := redactor(t)
	rapid.Check(t, func(t *rapid.T) {
		key := apikey.New().Reveal()
		text := rapid.SampledFrom([]string{
			"the script uses %s for alerts", "curl -H 'Authorization: Bearer %s' https://baton.example.com/api/v1/me", "BATON_TOKEN=%s", "%s", "\"%s\"",
			"it is %s.", "key:%s\n", "x%s", "https://example.com/?k=%s&x=1", "<%s>",
		}).Draw(t, "text")
		redacted, counts := r.Text(strings.Replace(text, "%s", key, 1))
		for i := len(apikey.Prefix); i+8 <= len(key); i++ {
			if strings.Contains(redacted, key[i:i+8]) {
				t.Fatalf("%s of the key is left in %q", key[i:i+8], redacted)
			}
		}
		if len(counts) == 0 {
			t.Fatal("nothing was found")
		}
	})
	for _, text := range []string{"the key that begins with baton_4fKq", "baton_account_id", "SET ROLE baton_app", "baton_request_duration_seconds_bucket"} {
		redacted, _ := r.Text(text)
		require.Equal(t, text, redacted)
	}
}

// TestEntraSecrets: the secret of an application in Microsoft Entra has its mark
// in the middle, and no label need be near.
func TestEntraSecrets(t *testing.T) {
	t.Parallel()
	r := redactor(t)
	secret := "Q~" + strings.Repeat("aB3.x-_9", 4) + "k"
	for _, text := range []string{"zz18" + secret, "[zz18" + secret + "]", "vault|zz18" + secret + "|prod", "it is «zz18" + secret + "» now"} {
		out, counts := r.Text(text)
		require.NotContains(t, out, secret, text)
		require.Len(t, counts, 1, text)
	}
}
