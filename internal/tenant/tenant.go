// Package tenant carries the account that a piece of work is for. Package
// store hands it to PostgreSQL, whose row-level security then shows and accepts
// rows of that account alone, whatever a query says or forgets to say.
package tenant

import (
	"context"

	"github.com/google/uuid"
)

type key struct{}

// Scope is what a context may touch: one account, everything, or nothing.
type Scope struct {
	Account uuid.UUID
	System  bool
}

// With returns a context for work of one account.
func With(ctx context.Context, account uuid.UUID) context.Context {
	return context.WithValue(ctx, key{}, Scope{Account: account})
}

// System returns a context that may touch every account. It is for the few
// places that cannot know the account yet or that serve all of them: signing
// in, the feed's hub, maintenance.
func System(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, Scope{System: true})
}

// From returns the scope of ctx; the zero Scope may touch nothing.
func From(ctx context.Context) Scope {
	s, _ := ctx.Value(key{}).(Scope)
	return s
}
