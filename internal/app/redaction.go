package app

import (
	"context"
	"encoding/hex"
	"sync"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/redact"
	"github.com/baton-handoff/baton/internal/tenant"
)

// redactionKeys keeps what makes an account's placeholders its own.
type redactionKeys interface {
	RedactionKey(ctx context.Context) ([]byte, error)
}

// redaction takes credentials out of texts, with placeholders of the account's
// own.
type redaction struct {
	keys  redactionKeys
	rules *redact.Redactor
	known sync.Map // of *redact.Redactor, by account
}

func newRedaction(keys redactionKeys) (*redaction, error) {
	// The rules are what takes time; each account has a key of its own.
	rules, err := redact.New([]byte("placeholders of one account"))
	return &redaction{keys: keys, rules: rules}, err
}

// Texts implements [activities.Redaction] and [api.Redaction].
func (r *redaction) Texts(ctx context.Context, texts []string) ([]string, map[string]int, error) {
	redactor, err := r.of(ctx, tenant.From(ctx).Account)
	if err != nil {
		return nil, nil, err
	}
	redacted, counts := redactor.Session(texts)
	return redacted, counts, nil
}

func (r *redaction) of(ctx context.Context, account uuid.UUID) (*redact.Redactor, error) {
	if known, ok := r.known.Load(account); ok {
		return known.(*redact.Redactor), nil
	}
	key, err := r.keys.RedactionKey(ctx)
	if err != nil {
		return nil, err
	}
	redactor := r.rules.Keyed(hex.EncodeToString(key))
	r.known.Store(account, redactor)
	return redactor, nil
}
