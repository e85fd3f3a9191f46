package api

import (
	_ "embed"
	"errors"
	"html/template"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/internal/doors"
	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/models"
)

var errNoDoors = models.Errorf(models.CodeNotFound, "There is nothing at this address.")

// slackInteraction takes the press of a button, whose body only its raw form
// proves.
func (s *Server) slackInteraction(c *gin.Context) {
	if s.o.Doors == nil {
		s.fail(c, errNoDoors)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, slack.MaxInteraction))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); !errors.As(err, &tooLarge) {
			err = models.Errorf(models.CodeUnavailable, "The body did not arrive completely.").WithCause(err)
		}
		s.fail(c, err)
		return
	}
	err = s.o.Doors.Slack(c.Request.Context(), c.Request.Header, body)
	if known, ok := errors.AsType[*notify.Error](err); ok {
		err = known.Model()
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusOK)
	c.Writer.WriteHeaderNow()
}

//go:embed claim.html
var claimHTML string

var claimPage = template.Must(template.New("claim").Parse(claimHTML))

// claimView is what the page of a link shows.
type claimView struct {
	doors.Linked
	// Refusal says why it cannot be claimed.
	Refusal string
	// Ask shows the button.
	Ask bool
}

// openClaim shows where a link leads, and changes nothing: scanners and
// previews open links as well.
func (s *Server) openClaim(c *gin.Context) {
	s.claimByLink(c, func() (doors.Linked, error) { return s.o.Doors.Look(c.Request.Context(), c.Param("token")) }, true)
}

// confirmClaim claims by a link.
func (s *Server) confirmClaim(c *gin.Context) {
	s.claimByLink(c, func() (doors.Linked, error) { return s.o.Doors.Claim(c.Request.Context(), c.Param("token")) }, false)
}

func (s *Server) claimByLink(c *gin.Context, do func() (doors.Linked, error), ask bool) {
	if s.o.Doors == nil {
		s.fail(c, errNoDoors)
		return
	}
	linked, err := do()
	v := claimView{Linked: linked, Ask: ask && err == nil && linked.Waits()}
	status := http.StatusOK
	switch known, _ := errors.AsType[*models.Error](err); {
	case err == nil && !v.Ask && !linked.Mine():
		v.Refusal = "This handoff does not wait any more the way it did when you were told of it. Open it in Baton to see how it stands."
	case err == nil:
	case known != nil && known.Code != models.CodeInternal:
		v.Refusal, status = known.Message, http.StatusConflict
		switch known.Code {
		case models.CodeForbidden, models.CodeNotFound:
			status = http.StatusForbidden
		case models.CodeUnavailable, models.CodeOutcomeUnknown:
			status = http.StatusInternalServerError
		default:
		}
	default:
		v.Refusal, status = "Something went wrong. Try again in a moment.", http.StatusInternalServerError
	}
	requestOf(c.Request.Context()).err = err
	h := c.Writer.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address is as good as a key
	h.Set("X-Robots-Tag", "noindex")
	c.Status(status)
	_ = claimPage.Execute(c.Writer, v)
}
