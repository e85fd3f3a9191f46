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
	if err == nil && c.GetHeader("Authorization") == "" {
		err = ownPage(c.Request)
	}
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
	r := requestOf(ctx)
	if op.audit != "" {
		by.RequestID = r.id
	}
	r.by = by
	c.Request = c.Request.WithContext(tenant.With(ctx, by.AccountID))
}

func (s *Server) authenticate(ctx context.Context, h http.Header) (models.Principal, error) {
	by, err := s.identify(ctx, h)
	if err != nil {
		return models.Principal{}, err
	}
	if by.AccountID == uuid.Nil {
		return models.Principal{}, models.Errorf(models.CodeForbidden, "You are not a user of any account.")
	}
	return by, nil
}

// identify asks who a token stands for or, without one, a browser's session.
// A token goes first: it was sent on purpose, and a cookie by itself.
func (s *Server) identify(ctx context.Context, h http.Header) (models.Principal, error) {
	if s.o.Sessions != nil && len(h.Values("Authorization")) == 0 {
		if by, found, err := s.o.Sessions.Resume(ctx, h); found || err != nil {
			return by, err
		}
	}
	token, err := bearer(h.Values("Authorization"))
	if err != nil {
		return models.Principal{}, err
	}
	return s.o.Auth.Authenticate(ctx, token)
}

// ConsoleHeader is in every request that the console makes to change something.
// No other site's page can send it without asking first (CORS), and those that
// may ask are not told that they may send this one.
const ConsoleHeader = "X-Baton-Console"

// ownPage refuses a change that a browser asks for with its cookie, unless one
// of our own pages asks: the cookie goes along with every request, whoever made
// the browser send it.
func ownPage(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	err := http.NewCrossOriginProtection().Check(r)
	if err != nil || r.Header.Get(ConsoleHeader) == "" {
		return models.Errorf(models.CodeForbidden, "With a session cookie, only pages of this address may change something, and they send the header %s. Use a bearer token otherwise.", ConsoleHeader).WithCause(err)
	}
	return nil
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
