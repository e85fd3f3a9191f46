package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

// TestRefusedRequests holds that what does not fit never reaches a port, and
// that the answer says in words what is wrong and where.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	const (
		handoff = sessionPath + "/handoff"
		claim   = aHandoffPath + "/claim"
		good    = `{"intent":"park","engineer_notes":"n"}`
		stepID  = "0197a3c2-0a51-7e3d-a5b4-7f3c1d2e8b10"
	)
	step := `{"id":"` + stepID + `","at":"2026-11-04T09:12:31Z","actor":"user","kind":"note","text":"t"}`
	type field struct{ field, message string }
	for _, tc := range []struct {
		name         string
		method, path string
		body         string
		change       func(*http.Request)
		status       int
		code         models.Code
		detail       string // a part of it
		fields       []field
	}{
		{name: "malformed", path: handoff, body: "{\n  \"intent\": park}", status: 400, code: models.CodeInvalid, detail: `an unexpected 'p' at line 2, column 13`},
		{name: "truncated", path: handoff, body: `{"intent":"pa`, status: 400, code: models.CodeInvalid, detail: "an early end at line 1, column 14"},
		{name: "trailing text", path: handoff, body: good + ` x`, status: 400, code: models.CodeInvalid, detail: "more text after the JSON value at line 1, column 40"},
		{name: "two values", path: handoff, body: good + good, status: 400, code: models.CodeInvalid, detail: "more text after"},
		{name: "a member twice", path: handoff, body: `{"intent":"park","intent":"escalate","engineer_notes":"n"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/intent", "is there more than once"}}},
		{name: "not UTF-8", path: handoff, body: "{\"engineer_notes\":\"\xff\"}", status: 400, code: models.CodeInvalid, detail: "a byte that is not UTF-8 at line 1, column 20"},
		{name: "half a surrogate pair", path: handoff, body: `{"intent":"park","engineer_notes":"a\ud83d"}`, status: 400, code: models.CodeInvalid, detail: "half of a surrogate pair"},
		{name: "too deep", path: handoff, body: strings.Repeat("[", 40) + strings.Repeat("]", 40), status: 400, code: models.CodeInvalid, detail: "nested more than 32 levels"},
		{name: "no body", path: handoff, status: 422, code: models.CodeSchema, fields: []field{{"", "is missing; send a JSON object"}}},
		{name: "null", path: handoff, body: `null`, status: 422, code: models.CodeSchema, fields: []field{{"", "must be an object"}}},
		{name: "a list", path: handoff, body: `[]`, status: 422, code: models.CodeSchema, fields: []field{{"", "must be an object"}}},
		{name: "wrong types", path: handoff, body: `{"intent":7,"engineer_notes":["n"],"priority":null,"target_user_id":true}`, status: 422, code: models.CodeSchema, fields: []field{
			{"/engineer_notes", "must be text"},
			{"/intent", "must be text"},
			{"/priority", "must be one of low, normal, high, critical"},
			{"/target_user_id", "must be a UUID or null"},
		}},
		{name: "bad intent", path: handoff, body: `{"intent":"borrow","engineer_notes":"n"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/intent", "must be one of park, escalate"}}},
		{name: "unknown members", path: handoff, body: `{"intent":"park","engineer_notes":"n","priorty":"low","a/b~c":1}`, status: 422, code: models.CodeSchema, fields: []field{
			{"/a~1b~0c", "is not a known member"}, {"/priorty", "is not a known member"},
		}},
		{name: "other case", path: handoff, body: `{"Intent":"park","engineer_notes":"n"}`, status: 422, code: models.CodeSchema, fields: []field{
			{"/Intent", "is not a known member"}, {"/intent", "is required"},
		}},
		{name: "missing members", path: handoff, body: `{}`, status: 422, code: models.CodeSchema, fields: []field{{"/intent", "is required"}, {"/engineer_notes", "is required"}}},
		{name: "empty notes", path: handoff, body: `{"intent":"park","engineer_notes":""}`, status: 422, code: models.CodeSchema, detail: "engineer_notes must not be empty.", fields: []field{{"/engineer_notes", "must not be empty"}}},
		{name: "100,000 characters", path: handoff, body: `{"intent":"park","engineer_notes":"` + strings.Repeat("é", 100_000) + `"}`, status: 422, code: models.CodeSchema, fields: []field{{"/engineer_notes", "must have at most 10000 characters"}}},
		{name: "bad target", path: handoff, body: `{"intent":"park","engineer_notes":"n","target_user_id":"ana"}`, status: 422, code: models.CodeSchema, fields: []field{{"/target_user_id", "must be a UUID or null"}}},
		{name: "a target in braces", path: handoff, body: `{"intent":"park","engineer_notes":"n","target_user_id":"{0197a3c0-8e10-7d21-93aa-5c7f0b1e2d44}"}`, status: 422, code: models.CodeSchema, fields: []field{{"/target_user_id", "must be a UUID or null"}}},

		{name: "blank notes", path: handoff, body: `{"intent":"park","engineer_notes":" \n\t "}`, status: 400, code: models.CodeInvalid, detail: "engineer_notes must not be blank.", fields: []field{{"/engineer_notes", "must not be blank"}}},
		{name: "NUL", path: handoff, body: `{"intent":"park","engineer_notes":"né\u0000"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/engineer_notes", "has the control character U+0000 as its character 3; only line breaks and tabs are allowed"}}},
		{name: "a control character", path: handoff, body: `{"intent":"park","engineer_notes":"\u001b[31m"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/engineer_notes", "has the control character U+001B as its character 1; only line breaks and tabs are allowed"}}},
		{name: "a C1 control character", path: handoff, body: `{"intent":"park","engineer_notes":"a\u0085"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/engineer_notes", "has the control character U+0085 as its character 2; only line breaks and tabs are allowed"}}},
		{name: "a blank note", path: aHandoffPath + "/release", body: `{"note":"  "}`, status: 400, code: models.CodeInvalid, fields: []field{{"/note", "must not be blank"}}},
		{name: "no questions", path: aHandoffPath + "/return", body: `{}`, status: 422, code: models.CodeSchema, fields: []field{{"/questions", "is required"}}},
		{name: "nothing to return with", path: aHandoffPath + "/return", status: 422, code: models.CodeSchema, fields: []field{{"", "is missing; send a JSON object"}}},
		{name: "blank questions", path: aHandoffPath + "/return", body: `{"questions":" "}`, status: 400, code: models.CodeInvalid, fields: []field{{"/questions", "must not be blank"}}},
		{name: "no answer", path: aHandoffPath + "/answer", body: `{"answer":""}`, status: 422, code: models.CodeSchema, fields: []field{{"/answer", "must not be empty"}}},
		{name: "a blank answer", path: aHandoffPath + "/answer", body: `{"answer":"\n"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/answer", "must not be blank"}}},
		{name: "NUL in a resolution", path: aHandoffPath + "/resolve", body: `{"resolution":"\u0000"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/resolution", "has the control character U+0000 as its character 1; only line breaks and tabs are allowed"}}},

		{name: "bad session id", path: sessionsPath + "/42/handoff", body: good, status: 422, code: models.CodeSchema, detail: "id must be a UUID.", fields: []field{{"id", "must be a UUID"}}},
		{name: "bad handoff id", path: sessionPath + "/handoffs/nope/claim", status: 422, code: models.CodeSchema, fields: []field{{"hid", "must be a UUID"}}},
		{name: "an id without dashes", method: "GET", path: sessionsPath + "/0197a3c08e107d2193aa5c7f0b1e2d44", status: 422, code: models.CodeSchema, fields: []field{{"id", "must be a UUID"}}},
		{name: "several at once", path: sessionsPath + "/42/handoff", body: `{"intent":"park"}`, status: 422, code: models.CodeSchema, detail: "2 values are not acceptable", fields: []field{{"id", "must be a UUID"}, {"/engineer_notes", "is required"}}},

		{name: "wrong content type", path: handoff, body: good, change: header("Content-Type", "text/plain"), status: 415, code: models.CodeUnsupportedMedia},
		{name: "no content type", path: handoff, body: good, change: header("Content-Type", ""), status: 415, code: models.CodeUnsupportedMedia},
		{name: "wrong charset", path: handoff, body: good, change: header("Content-Type", "application/json; charset=utf-16"), status: 415, code: models.CodeUnsupportedMedia},
		{name: "a form", path: handoff, body: "intent=park", change: header("Content-Type", "application/x-www-form-urlencoded"), status: 415, code: models.CodeUnsupportedMedia},
		{name: "over-long body", path: handoff, body: `{"engineer_notes":"` + strings.Repeat("n", 256<<10) + `"}`, status: 413, code: models.CodeTooLarge, detail: "262144 bytes"},
		{name: "over-long body of unknown length", path: handoff, body: `{"engineer_notes":"` + strings.Repeat("n", 256<<10) + `"}`, change: func(r *http.Request) { r.ContentLength = -1 }, status: 413, code: models.CodeTooLarge},

		{name: "a claim with a body", path: claim, body: `{"user_id":"x"}`, status: 422, code: models.CodeSchema, fields: []field{{"/user_id", "is not a known member"}}},
		{name: "a claim with a list", path: claim, body: `[]`, status: 422, code: models.CodeSchema, fields: []field{{"", "must be an object"}}},
		{name: "a reassign without target", path: aHandoffPath + "/reassign", body: `{}`, status: 422, code: models.CodeSchema, fields: []field{{"/target_user_id", "is required"}}},
		{name: "a reassign to null", path: aHandoffPath + "/reassign", body: `{"target_user_id":null}`, status: 422, code: models.CodeSchema, fields: []field{{"/target_user_id", "must be a UUID"}}},

		{name: "over-long key", path: claim, change: header("Idempotency-Key", strings.Repeat("k", 256)), status: 422, code: models.CodeSchema, fields: []field{{"Idempotency-Key", "must have at most 255 characters"}}},
		{name: "key with a space", path: claim, change: header("Idempotency-Key", "a b"), status: 422, code: models.CodeSchema, fields: []field{{"Idempotency-Key", "must be visible ASCII characters, without spaces"}}},
		{name: "key that is not ASCII", path: claim, change: header("Idempotency-Key", "clé"), status: 422, code: models.CodeSchema, fields: []field{{"Idempotency-Key", "must be visible ASCII characters, without spaces"}}},
		{name: "empty key", path: claim, change: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{""} }, status: 422, code: models.CodeSchema, fields: []field{{"Idempotency-Key", "must not be empty"}}},
		{name: "two keys", path: claim, change: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "b"} }, status: 422, code: models.CodeSchema, fields: []field{{"Idempotency-Key", "is there more than once"}}},

		{name: "limit 0", method: "GET", path: sessionsPath + "/queue?limit=0", status: 422, code: models.CodeSchema, fields: []field{{"limit", "must be between 1 and 200"}}},
		{name: "limit 201", method: "GET", path: sessionsPath + "/queue?limit=201", status: 422, code: models.CodeSchema, fields: []field{{"limit", "must be between 1 and 200"}}},
		{name: "limit in words", method: "GET", path: sessionsPath + "/queue?limit=ten", status: 422, code: models.CodeSchema, fields: []field{{"limit", "must be a whole number"}}},
		{name: "limit beyond integers", method: "GET", path: sessionsPath + "/queue?limit=99999999999999999999", status: 422, code: models.CodeSchema, fields: []field{{"limit", "must be a whole number"}}},
		{name: "limit twice", method: "GET", path: sessionsPath + "/queue?limit=1&limit=2", status: 422, code: models.CodeSchema, fields: []field{{"limit", "is there more than once"}}},
		{name: "unknown filters", method: "GET", path: sessionsPath + "/queue?status=resolved&intent=&priority=1&team_id=x&mine=yes&sort=id", status: 422, code: models.CodeSchema, fields: []field{
			{"intent", "must be one of park, escalate"},
			{"status", "must be one of queued, claimed, returned"},
			{"priority", "must be one of low, normal, high, critical"},
			{"team_id", "must be a UUID"},
			{"mine", "must be true or false"},
			{"sort", "must be one of priority, created_at, -created_at"},
		}},
		{name: "an over-long search", method: "GET", path: sessionsPath + "?q=" + strings.Repeat("q", 201), status: 422, code: models.CodeSchema, fields: []field{{"q", "must have at most 200 characters"}}},
		{name: "NUL in a search", method: "GET", path: sessionsPath + "?q=a%00", status: 400, code: models.CodeInvalid, fields: []field{{"q", "has the control character U+0000 as its character 2; only line breaks and tabs are allowed"}}},
		{name: "a search that is not UTF-8", method: "GET", path: sessionsPath + "/queue?q=%ff", status: 400, code: models.CodeInvalid, fields: []field{{"q", "is not valid UTF-8"}}},
		{name: "NUL in a cursor", method: "GET", path: sessionPath + "/handoffs?cursor=%00", status: 400, code: models.CodeInvalid, fields: []field{{"cursor", "has the control character U+0000 as its character 1; only line breaks and tabs are allowed"}}},
		{name: "a malformed query", method: "GET", path: sessionsPath + "/queue?q=%zz", status: 400, code: models.CodeInvalid, detail: "query"},

		{name: "a session without title", path: sessionsPath, body: `{"title":"","client_name":"c"}`, status: 422, code: models.CodeSchema, fields: []field{{"/title", "must not be empty"}}},
		{name: "over-long session texts", path: sessionsPath, body: fmt.Sprintf(`{"title":%q,"client_name":%q,"problem":%q,"psa_ticket":%q}`, strings.Repeat("t", 201), strings.Repeat("c", 201), strings.Repeat("p", 4001), strings.Repeat("1", 65)), status: 422, code: models.CodeSchema, fields: []field{
			{"/client_name", "must have at most 200 characters"},
			{"/problem", "must have at most 4000 characters"},
			{"/psa_ticket", "must have at most 64 characters"},
			{"/title", "must have at most 200 characters"},
		}},
		{name: "line breaks in lines", path: sessionsPath, body: `{"title":"a\nb","client_name":"a\rb","psa_ticket":"ab\n1","problem":"a\nb"}`, status: 400, code: models.CodeInvalid, fields: []field{
			{"/title", "has a line break as its character 2; it has to be one line"},
			{"/client_name", "has a line break as its character 2; it has to be one line"},
			{"/psa_ticket", "has a line break as its character 3; it has to be one line"},
		}},
		{name: "a blank title", path: sessionsPath, body: `{"title":" ","client_name":"c"}`, status: 400, code: models.CodeInvalid, fields: []field{{"/title", "must not be blank"}}},
		{name: "no steps", path: sessionPath + "/steps", body: `{"steps":[]}`, status: 422, code: models.CodeSchema, fields: []field{{"/steps", "must have at least 1 item"}}},
		{name: "too many steps", path: sessionPath + "/steps", body: `{"steps":[` + strings.Repeat(step+",", 500) + step + `]}`, status: 422, code: models.CodeSchema, fields: []field{{"/steps", "must have at most 500 items"}}},
		{name: "bad steps", path: sessionPath + "/steps", body: `{"steps":[{"id":"x","at":"yesterday","actor":"me","kind":"k","text":"","outcome":"meh"},4]}`, status: 422, code: models.CodeSchema, fields: []field{
			{"/steps/0/actor", "must be one of engineer, assistant, user, system"},
			{"/steps/0/at", "must be a time such as 2026-11-04T09:12:31Z"},
			{"/steps/0/id", "must be a UUID"},
			{"/steps/0/kind", "must be one of message, command, observation, note"},
			{"/steps/0/outcome", "must be one of worked, no_change, worse, inconclusive or null"},
			{"/steps/0/text", "must not be empty"},
			{"/steps/1", "must be an object"},
		}},
		{name: "a day that is not", path: sessionPath + "/steps", body: `{"steps":[` + strings.Replace(step, "11-04", "02-30", 1) + `]}`, status: 422, code: models.CodeSchema, fields: []field{{"/steps/0/at", "must be a time such as 2026-11-04T09:12:31Z"}}},
		{name: "a step id twice", path: sessionPath + "/steps", body: `{"steps":[` + step + "," + step + `]}`, status: 400, code: models.CodeInvalid, fields: []field{{"/steps/1/id", "is the id of /steps/0 too; each step needs its own"}}},
		{name: "NUL in a step", path: sessionsPath, body: `{"title":"t","client_name":"c","steps":[` + strings.Replace(step, `"t"`, `"a\u0000"`, 1) + `]}`, status: 400, code: models.CodeInvalid, fields: []field{{"/steps/0/text", "has the control character U+0000 as its character 2; only line breaks and tabs are allowed"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if tc.method == "" {
				tc.method = http.MethodPost
			}
			req := ask(tc.method, tc.path, tc.body)
			if tc.change != nil {
				tc.change(req)
			}
			rec := w.do(req)
			require.Equal(t, tc.status, rec.Code, rec.Body.String())
			p := readProblem(t, rec)
			require.Equal(t, string(tc.code), p.Code)
			require.Contains(t, p.text(t), tc.detail)
			var got []field
			for _, e := range p.Errors {
				got = append(got, field{e.Field, e.Message})
			}
			require.Equal(t, tc.fields, got)
		})
	}
}

// TestAcceptedSpellings holds that strictness does not refuse what is allowed.
func TestAcceptedSpellings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, path, body string
		change           func(*http.Request)
		status           int
	}{
		{name: "a charset", path: sessionPath + "/handoff", body: `{"intent":"park","engineer_notes":"n"}`, change: header("Content-Type", "application/json; charset=UTF-8"), status: 201},
		{name: "white space around", path: sessionPath + "/handoff", body: " \n{\"intent\":\"park\",\"engineer_notes\":\"n\"}\r\n", status: 201},
		{name: "all that is allowed in text", path: sessionPath + "/handoff", body: `{"intent":"park","engineer_notes":"a\r\n\tb 😀 \ud83d\ude00 \u2028"}`, status: 201},
		{name: "the longest notes", path: sessionPath + "/handoff", body: `{"intent":"park","engineer_notes":"` + strings.Repeat("😀", 10_000) + `"}`, status: 201},
		{name: "no target", path: sessionPath + "/handoff", body: `{"intent":"park","engineer_notes":"n","target_user_id":null}`, status: 201},
		{name: "a UUID in capitals", path: strings.ToUpper(sessionPath[len(sessionsPath):]), status: 200},
		{name: "a claim without body", path: aHandoffPath + "/claim", status: 200},
		{name: "a claim without body that says JSON", path: aHandoffPath + "/claim", change: header("Content-Type", "application/json"), status: 200},
		{name: "a claim without body of some type", path: aHandoffPath + "/claim", change: header("Content-Type", "text/plain"), status: 200},
		{name: "a claim with an empty object", path: aHandoffPath + "/claim", body: `{}`, status: 200},
		{name: "the longest key", path: aHandoffPath + "/claim", change: header("Idempotency-Key", strings.Repeat("~", 255)), status: 200},
		{name: "a key with signs", path: aHandoffPath + "/claim", change: header("Idempotency-Key", `a,b;c=%41"{}\`), status: 200},
		{name: "no note", path: aHandoffPath + "/cancel", body: `{"note":null}`, status: 200},
		{name: "an empty note", path: aHandoffPath + "/cancel", body: `{"note":""}`, status: 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.handoffs.create = func(context.Context, models.Principal, models.NewHandoff) (models.HandoffView, error) {
				return aHandoff(), nil
			}
			w.handoffs.transition = func(_ context.Context, _ models.Principal, req models.TransitionRequest) (models.HandoffView, error) {
				require.Empty(t, req.Note)
				return aHandoff(), nil
			}
			w.records.session = func(context.Context, uuid.UUID) (models.Session, error) { return aSession(), nil }
			w.records.steps = func(context.Context, uuid.UUID) ([]models.Step, error) { return nil, nil }
			req := ask(http.MethodPost, tc.path, tc.body)
			if strings.HasPrefix(tc.path, "/0197") {
				req = ask(http.MethodGet, sessionsPath+tc.path, "")
			}
			if tc.change != nil {
				tc.change(req)
			}
			rec := w.do(req)
			require.Equal(t, tc.status, rec.Code, rec.Body.String())
		})
	}
}
