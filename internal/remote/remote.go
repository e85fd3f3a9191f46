// Package remote is a client of Baton's public API for the command line and
// the demo: the generated client with its token, its errors in words, and the
// feed.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tmaxmax/go-sse"

	"github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/models"
)

// Client talks to one Baton as one user.
type Client struct {
	api   *client.ClientWithResponses
	base  string
	token string
}

// New makes a client of the Baton at base, an address like
// http://127.0.0.1:8080, that identifies itself with a bearer token.
func New(base, token string) (*Client, error) {
	base = strings.TrimSuffix(base, "/")
	api, err := client.NewClientWithResponses(base,
		client.WithHTTPClient(&http.Client{Timeout: 30 * time.Second}),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("%s is not an address of a Baton: %w", base, err)
	}
	return &Client{api: api, base: base, token: token}, nil
}

// DevClient makes a client for a person of the demo account; only `baton up`
// hands out such tokens.
func DevClient(ctx context.Context, base, email string) (*Client, error) {
	base = strings.TrimSuffix(base, "/")
	body, err := json.Marshal(map[string]string{"email": email})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/dev/token", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no Baton answers at %s (is `baton up` running?): %w", base, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Token, Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		return nil, fmt.Errorf("%s gave no token for %s (HTTP %d %s); demo people exist only where `baton up` runs", base, email, resp.StatusCode, answer.Detail)
	}
	return New(base, answer.Token)
}

// Refusal is an answer other than 2xx.
type Refusal struct {
	Status  int
	Code    models.Code
	Message string
	// ClaimedBy is the holder's name, for [models.CodeAlreadyClaimed].
	ClaimedBy string
	// ReservedFor is who may claim it now, for [models.CodeReserved].
	ReservedFor string
	RequestID   string
}

// Error says what the server said.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%s (HTTP %d %s)", r.Message, r.Status, r.Code)
}

// Temporary reports whether asking again may help.
func (r *Refusal) Temporary() bool { return r.Status >= http.StatusInternalServerError }

// check turns an answer other than 2xx into a [Refusal].
func check(resp *http.Response, body []byte, err error) error {
	if err != nil {
		return fmt.Errorf("no answer from Baton: %w", err)
	}
	if resp.StatusCode < 300 {
		return nil
	}
	r := &Refusal{Status: resp.StatusCode, Message: resp.Status}
	var problem struct {
		Title     string          `json:"title"`
		Code      models.Code     `json:"code"`
		Detail    json.RawMessage `json:"detail"`
		RequestID string          `json:"request_id"`
		Errors    []struct{ Field, Message string }
	}
	if json.Unmarshal(body, &problem) != nil {
		return r
	}
	r.Code, r.RequestID, r.Message = problem.Code, problem.RequestID, problem.Title
	var detail struct {
		ClaimedBy   string    `json:"claimed_by_name"`
		ClaimedAt   time.Time `json:"claimed_at"`
		ReservedFor string    `json:"reserved_for_name"`
		Until       time.Time `json:"reserved_until"`
	}
	if json.Unmarshal(problem.Detail, &r.Message) != nil && json.Unmarshal(problem.Detail, &detail) == nil {
		r.ClaimedBy, r.ReservedFor = detail.ClaimedBy, detail.ReservedFor
		r.Message = fmt.Sprintf("Already claimed by %s at %s", detail.ClaimedBy, detail.ClaimedAt.Local().Format(time.TimeOnly))
		if r.Code == models.CodeReserved {
			r.Message = fmt.Sprintf("Reserved for %s until %s", detail.ReservedFor, detail.Until.Local().Format(time.TimeOnly))
		}
	}
	if len(problem.Errors) > 1 { // of one, the message tells
		for _, e := range problem.Errors {
			r.Message += fmt.Sprintf("; %s %s", e.Field, e.Message)
		}
	}
	return r
}

// Me returns who the client acts for.
func (c *Client) Me(ctx context.Context) (*client.Me, error) {
	r, err := c.api.GetMeWithResponse(ctx)
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON200, check(r.HTTPResponse, r.Body, nil)
}

// CreateSession creates a session; the same key creates it once.
func (c *Client) CreateSession(ctx context.Context, key string, s client.NewSession) (*client.Session, error) {
	r, err := c.api.CreateSessionWithResponse(ctx, &client.CreateSessionParams{IdempotencyKey: &key}, s)
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON201, check(r.HTTPResponse, r.Body, nil)
}

// AppendSteps adds steps to a session; those it has are passed over.
func (c *Client) AppendSteps(ctx context.Context, session uuid.UUID, steps []client.NewStep) error {
	r, err := c.api.AppendStepsWithResponse(ctx, session, client.NewSteps{Steps: steps})
	if err != nil {
		return check(nil, nil, err)
	}
	return check(r.HTTPResponse, r.Body, nil)
}

// HandOff hands a session off; the same key does it once.
func (c *Client) HandOff(ctx context.Context, key string, session uuid.UUID, h client.NewHandoff) (*client.Handoff, error) {
	r, err := c.api.CreateHandoffWithResponse(ctx, session, &client.CreateHandoffParams{IdempotencyKey: &key}, h)
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON201, check(r.HTTPResponse, r.Body, nil)
}

// Handoff returns one handoff.
func (c *Client) Handoff(ctx context.Context, session, handoff uuid.UUID) (*client.Handoff, error) {
	r, err := c.api.GetHandoffWithResponse(ctx, session, handoff)
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON200, check(r.HTTPResponse, r.Body, nil)
}

// Briefing reads the newest briefing of a handoff.
func (c *Client) Briefing(ctx context.Context, session, handoff uuid.UUID) (*client.BriefingDocument, error) {
	r, err := c.api.GetBriefingWithResponse(ctx, session, handoff, nil)
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON200, check(r.HTTPResponse, r.Body, nil)
}

// Claim takes a handoff.
func (c *Client) Claim(ctx context.Context, session, handoff uuid.UUID) (*client.Handoff, error) {
	r, err := c.api.ClaimHandoffWithResponse(ctx, session, handoff, nil, client.Claim{})
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON200, check(r.HTTPResponse, r.Body, nil)
}

// Return gives a handoff back to its sender, with questions.
func (c *Client) Return(ctx context.Context, session, handoff uuid.UUID, questions string) (*client.Handoff, error) {
	r, err := c.api.ReturnHandoffWithResponse(ctx, session, handoff, nil, client.Return{Questions: questions})
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON200, check(r.HTTPResponse, r.Body, nil)
}

// Answer answers the questions of a returned handoff.
func (c *Client) Answer(ctx context.Context, session, handoff uuid.UUID, answer string) (*client.Handoff, error) {
	r, err := c.api.AnswerHandoffWithResponse(ctx, session, handoff, nil, client.Answer{Answer: answer})
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON200, check(r.HTTPResponse, r.Body, nil)
}

// Resolve closes a handoff.
func (c *Client) Resolve(ctx context.Context, session, handoff uuid.UUID, resolution string) (*client.Handoff, error) {
	r, err := c.api.ResolveHandoffWithResponse(ctx, session, handoff, nil, client.Resolve{Resolution: &resolution})
	if err != nil {
		return nil, check(nil, nil, err)
	}
	return r.JSON200, check(r.HTTPResponse, r.Body, nil)
}

// Queue calls each with every handoff of the caller's queue that p lets
// through, page by page, until it returns false.
func (c *Client) Queue(ctx context.Context, p client.ListQueueParams, each func(client.Handoff) bool) error {
	for {
		r, err := c.api.ListQueueWithResponse(ctx, &p)
		if err != nil {
			return check(nil, nil, err)
		}
		if err := check(r.HTTPResponse, r.Body, nil); err != nil {
			return err
		}
		for _, h := range r.JSON200.Items {
			if !each(h) {
				return nil
			}
		}
		if p.Cursor = r.JSON200.NextCursor; p.Cursor == nil {
			return nil
		}
	}
}

// Ready is the type of the event that opens each connection.
const Ready models.EventType = "ready"

// Event is one event of the feed.
type Event struct {
	ID   string
	Type models.EventType
	// Data is empty for [models.EventResync] and [Ready].
	Data models.EventData
}

// Follow calls each with the events of the feed after lastID ("" for those
// from now on), reconnecting for as long as ctx lasts. It returns when the
// server refuses, or when each returns an error.
func (c *Client) Follow(ctx context.Context, lastID string, disconnected func(error, time.Duration), each func(Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1/ai-sessions/escalations/stream", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	follower := sse.Client{
		HTTPClient: &http.Client{}, // no time-out: a stream has no end
		Backoff:    sse.Backoff{InitialInterval: time.Second, Multiplier: 2, Jitter: 0.5, MaxInterval: 15 * time.Second},
		OnRetry:    disconnected,
		ResponseValidator: func(r *http.Response) error {
			if r.StatusCode == http.StatusOK {
				return nil
			}
			var body bytes.Buffer
			_, _ = body.ReadFrom(http.MaxBytesReader(nil, r.Body, 64<<10))
			return check(r, body.Bytes(), nil)
		},
	}
	conn := follower.NewConnection(req)
	conn.SubscribeToAll(func(e sse.Event) {
		event := Event{ID: e.LastEventID, Type: models.EventType(e.Type)}
		if event.Type != Ready && event.Type != models.EventResync {
			if err := json.Unmarshal([]byte(e.Data), &event.Data); err != nil {
				cancel(fmt.Errorf("an event of the feed cannot be read: %w", err))
				return
			}
		}
		if err := each(event); err != nil {
			cancel(err)
		}
	})
	err = conn.Connect()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}
