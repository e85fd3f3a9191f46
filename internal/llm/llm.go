// Package llm says what Baton needs of a language model: one question, one
// answer that follows a JSON schema, what it cost, and errors that tell what
// to do about them. The adapters below it implement it; package clients picks
// one.
//
// Nothing here retries. The caller is an activity, and Temporal retries it.
package llm

import (
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Client asks one model. It is safe for concurrent use.
type Client interface {
	// Complete asks one question and waits for the whole answer. Its error is an
	// [*Error], beside which the answer has nothing but the usage that was billed
	// all the same: for one that was cut or refused, say. When ctx ends it returns at once with one that wraps ctx's error;
	// the call may have been billed all the same.
	Complete(ctx context.Context, q Question) (Answer, error)
	// Model is the configured id of the model.
	Model() string
	// Close lets idle connections go.
	Close()
}

// Question is what is asked.
type Question struct {
	// System is the task. It is the same for many questions, so that services
	// which can do so keep it cached.
	System string
	// Prompt is what the task is about. It is not trusted, and it has to be
	// redacted already: the adapters send it as it is.
	Prompt string
	// SchemaName names the schema: at most 64 of A-Z, a-z, 0-9, _ and -.
	SchemaName string
	// Schema is the JSON schema of the answer, in the subset that all services
	// know: each object has "additionalProperties": false and requires all its
	// properties, and there are no limits of length or number and no recursion.
	// [CheckSchema] checks that. The order of its properties is kept, and models
	// answer in that order.
	Schema json.RawMessage
	// MaxTokens bounds the answer, with the thinking that precedes it.
	MaxTokens int
}

// Answer is what the model wrote, all of it: an answer that was cut or refused
// is an error.
type Answer struct {
	// Text should be JSON that follows the schema. Services promise that to
	// different degrees, so it has to be validated before it is believed.
	Text []byte
	// Model is the id of the model that answered, as the service names it.
	Model string
	// RequestID is the service's name for the call, for its support.
	RequestID string
	Usage     Usage
	// Latency is the time from asking to the last byte of the answer.
	Latency time.Duration
}

// Usage counts tokens. No token is in two of the counts.
type Usage struct {
	// Input was read anew, CachedInput came from the service's cache, and
	// CacheWrite was read and put into it.
	Input       int64 `json:"input"`
	CachedInput int64 `json:"cached_input,omitempty"`
	CacheWrite  int64 `json:"cache_write,omitempty"`
	// Output was written by the model, its thinking included.
	Output int64 `json:"output"`
}

// Prompt is how many tokens the question had.
func (u Usage) Prompt() int64 { return u.Input + u.CachedInput + u.CacheWrite }

// Total is all tokens.
func (u Usage) Total() int64 { return u.Prompt() + u.Output }

// Add is the sum of two usages, such as those of a question and its repair.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Input: u.Input + v.Input, CachedInput: u.CachedInput + v.CachedInput,
		CacheWrite: u.CacheWrite + v.CacheWrite, Output: u.Output + v.Output,
	}
}

// maxTokens is more than any call can use. It keeps sums and prices within
// int64 whatever a service claims.
const maxTokens = 1_000_000_000

// Bounded is u with counts that can be real: a service may answer anything.
func (u Usage) Bounded() Usage {
	bound := func(n int64) int64 { return min(max(n, 0), maxTokens) }
	return Usage{
		Input: bound(u.Input), CachedInput: bound(u.CachedInput),
		CacheWrite: bound(u.CacheWrite), Output: bound(u.Output),
	}
}

// EstimateTokens says how many tokens a text will have, rather too many than
// too few: three characters to a token. English prose has about four, logs and
// JSON have fewer.
func EstimateTokens(text string) int {
	return (utf8.RuneCountInString(text) + 2) / 3
}
