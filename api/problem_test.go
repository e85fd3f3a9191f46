package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/baton-handoff/baton/models"
)

var errSecret = errors.New(`pq: relation "handoffs" does not exist`)

// TestProblems answers a claim with every error that a port can return.
func TestProblems(t *testing.T) {
	t.Parallel()
	claim := &models.Claim{ByID: sam, ByName: "Sam Lee", At: noon.In(time.FixedZone("", 3600))}
	for _, tc := range []struct {
		name       string
		err        error
		status     int
		code       models.Code
		detail     string // as JSON
		retryAfter string
	}{
		{name: "rule", err: models.Errorf(models.CodeInvalid, "No."), status: 400, code: models.CodeInvalid, detail: `"No."`},
		{name: "schema", err: models.Errorf(models.CodeSchema, "No."), status: 422, code: models.CodeSchema, detail: `"No."`},
		{name: "token", err: models.Errorf(models.CodeUnauthenticated, "No."), status: 401, code: models.CodeUnauthenticated, detail: `"No."`},
		{name: "forbidden", err: models.Errorf(models.CodeForbidden, "No."), status: 403, code: models.CodeForbidden, detail: `"No."`},
		{name: "not found", err: models.Errorf(models.CodeNotFound, "Session not found"), status: 404, code: models.CodeNotFound, detail: `"Session not found"`},
		{
			name: "already claimed", err: &models.Error{Code: models.CodeAlreadyClaimed, Message: "Sam Lee was first.", Claim: claim}, status: 409, code: models.CodeAlreadyClaimed,
			detail: `{"error":"already_claimed","claimed_by_id":"` + sam.String() + `","claimed_by_name":"Sam Lee","claimed_at":"2026-11-04T12:00:00Z"}`,
		},
		{name: "already claimed by nobody knows whom", err: models.Errorf(models.CodeAlreadyClaimed, "No."), status: 409, code: models.CodeAlreadyClaimed, detail: `"No."`},
		{
			name: "reserved", err: &models.Error{Code: models.CodeReserved, Message: "For Sam Lee.", Reservation: &models.Reservation{ForID: sam, ForName: "Sam Lee", Until: claim.At}},
			status: 409, code: models.CodeReserved,
			detail: `{"error":"reserved","reserved_for_id":"` + sam.String() + `","reserved_for_name":"Sam Lee","reserved_until":"2026-11-04T12:00:00Z"}`,
		},
		{name: "already handed off", err: models.Errorf(models.CodeAlreadyHandedOff, "No."), status: 409, code: models.CodeAlreadyHandedOff, detail: `"No."`},
		{name: "closed", err: models.Errorf(models.CodeClosed, "No."), status: 409, code: models.CodeClosed, detail: `"No."`},
		{name: "conflict", err: models.Errorf(models.CodeConflict, "No."), status: 409, code: models.CodeConflict, detail: `"No."`},
		{name: "key", err: models.Errorf(models.CodeIdempotencyMismatch, "No."), status: 422, code: models.CodeIdempotencyMismatch, detail: `"No."`},
		{name: "too large", err: models.Errorf(models.CodeTooLarge, "No."), status: 413, code: models.CodeTooLarge, detail: `"No."`},
		{name: "media type", err: models.Errorf(models.CodeUnsupportedMedia, "No."), status: 415, code: models.CodeUnsupportedMedia, detail: `"No."`},
		{name: "unavailable", err: &models.Error{Code: models.CodeUnavailable, Message: "No.", RetryAfter: 1500 * time.Millisecond}, status: 503, code: models.CodeUnavailable, detail: `"No."`, retryAfter: "2"},
		{name: "unavailable for nobody knows how long", err: models.Errorf(models.CodeUnavailable, "No."), status: 503, code: models.CodeUnavailable, detail: `"No."`, retryAfter: "2"},
		{name: "outcome unknown", err: &models.Error{Code: models.CodeOutcomeUnknown, Message: "No.", RetryAfter: time.Millisecond}, status: 504, code: models.CodeOutcomeUnknown, detail: `"No."`, retryAfter: "1"},
		{name: "internal", err: models.Errorf(models.CodeInternal, "snapshot of account 42"), status: 500, code: models.CodeInternal},
		{name: "an unknown code", err: models.Errorf("teapot", "snapshot of account 42"), status: 500, code: models.CodeInternal},
		{name: "an unknown error", err: fmt.Errorf("claiming: %w", errSecret), status: 500, code: models.CodeInternal},
		{name: "wrapped", err: fmt.Errorf("claiming: %w", models.Errorf(models.CodeClosed, "No.").WithCause(errSecret)), status: 409, code: models.CodeClosed, detail: `"No."`},
		{name: "out of time", err: fmt.Errorf("claiming: %w", context.DeadlineExceeded), status: 504, code: models.CodeOutcomeUnknown, retryAfter: "2"},
		{name: "given up", err: context.Canceled, status: 504, code: models.CodeOutcomeUnknown, retryAfter: "2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.handoffs.transition = func(context.Context, models.Principal, models.TransitionRequest) (models.HandoffView, error) {
				return models.HandoffView{}, tc.err
			}
			rec := w.do(ask("POST", aHandoffPath+"/claim", ""))
			require.Equal(t, tc.status, rec.Code)
			p := readProblem(t, rec)
			require.Equal(t, string(tc.code), p.Code)
			require.Equal(t, "/docs#error-"+string(tc.code), p.Type)
			require.Equal(t, aHandoffPath+"/claim", p.Instance)
			require.Equal(t, tc.retryAfter, rec.Header().Get("Retry-After"))
			require.Empty(t, p.Errors)
			if tc.detail != "" {
				require.JSONEq(t, tc.detail, string(p.Detail))
			}
			require.NotContains(t, rec.Body.String(), "pq:")
			require.NotContains(t, rec.Body.String(), "snapshot")
			require.NotContains(t, rec.Body.String(), "claiming")

			line := w.logLine(t)
			require.Equal(t, string(tc.code), line["code"])
			require.Equal(t, tc.err.Error(), line["error"])
		})
	}
}

// TestEveryCodeHasAPlace holds that each code is an error, and told from the others.
func TestEveryCodeHasAPlace(t *testing.T) {
	t.Parallel()
	titles := map[string]bool{}
	for code, k := range kinds {
		require.GreaterOrEqual(t, k.status, 400, code)
		require.False(t, titles[k.title], "two codes are titled %q", k.title)
		titles[k.title] = true
	}
}

func TestReadsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.records.handoff = func(context.Context, uuid.UUID, uuid.UUID) (models.HandoffView, error) {
		return models.HandoffView{}, context.DeadlineExceeded
	}
	rec := w.do(ask("GET", aHandoffPath, ""))
	require.Equal(t, 503, rec.Code, "a read that ran out of time has changed nothing")
	require.Equal(t, "unavailable", readProblem(t, rec).Code)
}

// TestFieldsOfTheDomain holds that what a port says about fields is passed on,
// as for a cursor that is not one of the list.
func TestFieldsOfTheDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.records.queue = func(_ context.Context, _ models.QueueFilter, p models.Page) ([]models.HandoffView, string, error) {
		require.Equal(t, "abc", p.Cursor)
		e := models.Errorf(models.CodeInvalid, "The cursor is not one of this list.")
		e.Fields = []models.FieldError{{Field: "cursor", Message: "is not a cursor of this list"}}
		return nil, "", e
	}
	rec := w.do(ask("GET", sessionsPath+"/queue?cursor=abc", ""))
	require.Equal(t, 400, rec.Code)
	p := readProblem(t, rec)
	require.Equal(t, "invalid", p.Code)
	require.Equal(t, "cursor", p.Errors[0].Field)
}

func TestAddressesAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/api", "/api/v1", "/api/v2/me", "/api/v1/ai-sessions/", sessionPath + "/handoff/", "/docs/x", "/..%2fetc"} {
		rec := w.do(ask("GET", path, ""))
		require.Equal(t, 404, rec.Code, path)
		require.Equal(t, "not_found", readProblem(t, rec).Code)
	}
	rec := w.do(ask("GET", "/", ""))
	require.Equal(t, 302, rec.Code)
	require.Equal(t, "/docs", rec.Header().Get("Location"))
	rec = w.do(ask("HEAD", "/healthz", ""))
	require.Equal(t, 200, rec.Code, "monitors ask so")
	for _, tc := range []struct{ method, path, allow string }{
		{"DELETE", sessionPath, "GET"},
		{"PUT", sessionsPath, "POST, GET"},
		{"GET", aHandoffPath + "/claim", "POST"},
		{"OPTIONS", "/api/v1/me", "GET"},
	} {
		rec := w.do(ask(tc.method, tc.path, ""))
		require.Equal(t, 405, rec.Code, tc)
		require.Equal(t, tc.allow, rec.Header().Get("Allow"))
		require.Equal(t, "method_not_allowed", readProblem(t, rec).Code)
	}
}

// logLine is the request's line in the log.
func (w *world) logLine(t *testing.T) map[string]any {
	t.Helper()
	dec := json.NewDecoder(w.log)
	for {
		var line map[string]any
		require.NoError(t, dec.Decode(&line), "the request has no line")
		if line["msg"] == "request" {
			return line
		}
	}
}
