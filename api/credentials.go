package api

import (
	"context"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

// Redaction takes credentials out of texts that belong together, with counts
// by rule. The account comes from the context.
type Redaction interface {
	Texts(ctx context.Context, texts []string) (redacted []string, counts map[string]int, err error)
}

// CheckCredentials says whether a text seems to hold credentials.
func (h handlers) CheckCredentials(ctx context.Context, r gen.CheckCredentialsRequestObject) (gen.CheckCredentialsResponseObject, error) {
	var wrong fields
	text := deref(r.Body).Text
	wrong.text("/text", text)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	if h.o.Redaction == nil {
		return nil, models.Errorf(models.CodeUnavailable, "This server cannot look for credentials.")
	}
	texts, counts, err := h.o.Redaction.Texts(plain(ctx), []string{text})
	if err != nil {
		return nil, err
	}
	found := 0
	for _, n := range counts {
		found += n
	}
	return gen.CheckCredentials200JSONResponse{Found: found, Redacted: texts[0]}, nil
}
