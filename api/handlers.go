package api

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/models"
)

// handlers are the operations of the description, one method each. A method
// converts, checks what a schema cannot tell, calls a port, and converts back.
type handlers struct{ *Server }

// plain is the request's own context. The generated code passes gin's, which
// gin uses again for other requests: a port that kept it, or started something
// that outlives the request, would later see somebody else's account in it.
func plain(ctx context.Context) context.Context {
	return ctx.(*gin.Context).Request.Context() //nolint:forcetypeassert // see the generated code
}

// caller is the request's own context and who asks.
func caller(ctx context.Context) (context.Context, models.Principal) {
	ctx = plain(ctx)
	return ctx, requestOf(ctx).by
}
