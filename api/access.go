package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

// maxBearer is more than any identity provider puts into a token.
const maxBearer = 8 << 10

// admit finds out who asks and whether they may call the operation at all, as
// the operation's description says, and limits the request to their account.
func (s *Server) admit(c *gin.Context) {
	op := s.operation(c)
	if op.access.public {
		return
	}
	by, err := s.authenticate(c.Request.Context(), c.Request.Header)
	if err == nil && !op.access.admits(by) {
		err = models.Errorf(models.CodeForbidden, "This takes the role %s or a higher one; yours is %s.", op.access.least, by.Role)
	}
	if op.stream && models.CodeOf(err) == models.CodeUnavailable {
		requestOf(c.Request.Context()).err = err
		s.streamLater(c, retryJitter())
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	ctx := c.Request.Context()
	requestOf(ctx).by = by
	c.Request = c.Request.WithContext(tenant.With(ctx, by.AccountID))
}

func (s *Server) authenticate(ctx context.Context, h http.Header) (models.Principal, error) {
	token, err := bearer(h.Values("Authorization"))
	if err != nil {
		return models.Principal{}, err
	}
	by, err := s.o.Auth.Authenticate(ctx, token)
	if err != nil {
		return models.Principal{}, err
	}
	if by.AccountID == uuid.Nil {
		return models.Principal{}, models.Errorf(models.CodeForbidden, "You are not a user of any account.")
	}
	return by, nil
}

// bearer takes the token out of the header, and out of nowhere else: what is
// in an address ends up in logs and histories.
func bearer(authorization []string) (string, error) {
	if len(authorization) == 0 {
		return "", models.Errorf(models.CodeUnauthenticated, "Send a token in the header Authorization: Bearer ….")
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	token = strings.TrimSpace(token)
	if len(authorization) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxBearer {
		return "", models.Errorf(models.CodeUnauthenticated, "The header Authorization has to be Bearer and one token.")
	}
	return token, nil
}
