package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// FuzzDecodeJSON holds that what decodeJSON accepts is what encoding/json
// reads, and that it never takes what encoding/json refuses.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `0`, `-1.5e+3`, `"a"`, `{"a":{"a":[1,{"b":null}]}}`, `{"a":1,"a":2}`, `{"a":1}x`, `{"a":1} `, "\ufeff{}",
		`"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\\ud83d"`, `"\u0000"`, "\"\xff\"", `[[[[[[[[[[]]]]]]]]]]`, `{"":{"":1}}`, `[1,]`, `{"a"`, ``, ` `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeJSON(data)
		if err != nil {
			var refusal *models.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, models.CodeInvalid, refusal.Code, "%v", err)
			require.NotContains(t, refusal.Message, "invalid character", "Go's own words")
			return
		}
		require.True(t, utf8.Valid(data))
		var want any
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&want))
		require.True(t, reflect.DeepEqual(want, got), "%#v is read as %#v", want, got)
	})
}

// FuzzQueries sends any query to the lists, and any key to a claim.
func FuzzQueries(f *testing.F) {
	for _, seed := range []string{
		"", "limit=1&cursor=a", "limit=+5", "limit=05", "limit=1_0", "limit=-0", "mine=true&sort=-created_at", "mine=1", "q=%00", "q=%ff", "q=%",
		"q=a;b", "team_id=0197A3C0-1f00-7a10-8c55-2b9d6e4f1a02", "status=queued&status=claimed", "priority=low,high", "cursor=a%2Cb", "q[]=a",
	} {
		f.Add(seed, "k")
		f.Add("", seed)
	}
	w := newWorld(f, func(o *Options) { o.Logger = slog.New(slog.DiscardHandler) })
	w.records.queue = func(_ context.Context, _ models.QueueFilter, p models.Page) ([]models.HandoffView, string, error) {
		if p.Limit < 1 || p.Limit > 200 {
			panic("a page that breaks the rules")
		}
		return nil, "", nil
	}
	w.handoffs.transition = func(_ context.Context, _ models.Principal, r models.TransitionRequest) (models.HandoffView, error) {
		if len(r.Key) > models.MaxIdempotencyKey || strings.Trim(r.Key, "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != "" {
			panic("a key that breaks the rules")
		}
		return aHandoff(), nil
	}
	f.Fuzz(func(t *testing.T, query, key string) {
		req := ask("GET", sessionsPath+"/queue", "")
		req.URL.RawQuery = query
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, req)
		require.Contains(t, []int{200, 400, 422}, rec.Code, rec.Body.String())

		req = ask("POST", aHandoffPath+"/claim", "")
		req.Header["Idempotency-Key"] = []string{key}
		rec = httptest.NewRecorder()
		w.server.ServeHTTP(rec, req)
		require.Contains(t, []int{200, 422}, rec.Code, rec.Body.String())
	})
}

// FuzzBodies sends anything to the operations that take a body. Whatever it
// is, the answer is one of those described, and what reaches a port keeps the
// rules.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"intent":"park","engineer_notes":"n"}`, `{"intent":"escalate","engineer_notes":"\u0000","priority":"low","target_user_id":null}`,
		`{"note":"n"}`, `{"resolution":" "}`, `{"target_user_id":"0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44","note":""}`,
		`{"title":"t","client_name":"c","steps":[` + aStepJSON + `]}`, `{"steps":[` + aStepJSON + `,` + aStepJSON + `]}`, `{"steps":[{"outcome":"x"}]}`,
		`{"questions":"q"}`, `{"questions":"\u0000"}`, `{"answer":" "}`,
		`{"steps":[null]}`, `{"intent":1e999,"engineer_notes":-0}`,
	} {
		for operation := range byte(10) {
			f.Add(operation, []byte(seed))
		}
	}
	w := newWorld(f, func(o *Options) { o.Logger = slog.New(slog.DiscardHandler) })
	clean := func(texts ...string) {
		for _, text := range texts {
			if strings.ContainsAny(text, "\x00\x1b\u0085") || !utf8.ValidString(text) {
				panic("text that nothing should have to bear: " + text)
			}
		}
	}
	w.handoffs.create = func(_ context.Context, _ models.Principal, r models.NewHandoff) (models.HandoffView, error) {
		clean(r.EngineerNotes)
		if !r.Intent.Valid() || strings.TrimSpace(r.EngineerNotes) == "" || utf8.RuneCountInString(r.EngineerNotes) > models.MaxNotes {
			panic("a handoff that breaks the rules")
		}
		return aHandoff(), nil
	}
	w.handoffs.transition = func(_ context.Context, _ models.Principal, r models.TransitionRequest) (models.HandoffView, error) {
		clean(r.Note)
		if (r.Verb == models.VerbReassign) != (r.TargetUserID != nil) || r.Verb == models.VerbClaim && r.Note != "" {
			panic("a transition that breaks the rules")
		}
		if (r.Verb == models.VerbReturn || r.Verb == models.VerbAnswer) && strings.TrimSpace(r.Note) == "" {
			panic("a return or an answer that says nothing")
		}
		return aHandoff(), nil
	}
	steps := func(steps []models.Step) {
		ids := map[uuid.UUID]bool{}
		for _, st := range steps {
			clean(st.Text)
			if ids[st.ID] || st.Text == "" || st.Actor == "" || st.Kind == "" {
				panic("a step that breaks the rules")
			}
			ids[st.ID] = true
		}
	}
	w.records.createSession = func(_ context.Context, _ models.Principal, s models.NewSession) (models.Session, error) {
		clean(s.Title, s.ClientName, s.Problem, deref(s.PSATicket))
		steps(s.Steps)
		return aSession(), nil
	}
	w.records.appendSteps = func(_ context.Context, _ models.Principal, _ uuid.UUID, s []models.Step) (models.Session, error) {
		steps(s)
		return aSession(), nil
	}
	paths := []string{
		sessionPath + "/handoff", aHandoffPath + "/claim", aHandoffPath + "/release", aHandoffPath + "/reassign",
		aHandoffPath + "/resolve", aHandoffPath + "/cancel", sessionsPath, sessionPath + "/steps",
		aHandoffPath + "/return", aHandoffPath + "/answer",
	}
	f.Fuzz(func(t *testing.T, operation byte, body []byte) {
		req := ask("POST", paths[int(operation)%len(paths)], string(body), header("Content-Type", "application/json"))
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, req)
		(&world{t: t, server: w.server}).conforms(req, rec)
		require.Contains(t, []int{200, 201, 400, 413, 422}, rec.Code, rec.Body.String())
	})
}
