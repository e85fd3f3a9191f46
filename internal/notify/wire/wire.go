// Package wire is what the channels over HTTP share: one call, and what a
// broken or failing one means. What a service's own errors mean is the
// channel's.
package wire

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/outbound"
)

// Caller calls one service.
type Caller struct {
	HTTP    *outbound.Client
	Channel notify.ChannelName
	Now     func() time.Time
}

// slow is how long to wait when a service is overwhelmed and does not say.
const slow = 30 * time.Second

// Do sends a request. Write says that it tells somebody something, so that its
// outcome is unclear when the answer is lost. An answer other than 2xx, or none,
// is a [*notify.Error]; the answer is then returned as well, if there was one.
func (c Caller) Do(req *http.Request, op string, write bool) (outbound.Response, error) {
	res, err := c.HTTP.Do(req)
	if err != nil {
		return outbound.Response{}, c.broken(err, op, write)
	}
	if res.Status >= 200 && res.Status < 300 {
		return res, nil
	}
	return res, c.Failure(res, op, write)
}

// broken says what a call without an answer means.
func (c Caller) broken(err error, op string, write bool) *notify.Error {
	o, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return notify.Errorf(notify.ClassTemporary, op, "%s could not be called.", c.title()).WithCause(err)
	}
	e := Unreached(c.Channel, o, op)
	if write && (o.Problem == outbound.ProblemUnclear || o.Problem == outbound.ProblemTooLarge) {
		e.Class = notify.ClassUnclear
	}
	return e
}

// Unreached says what a connection that failed means, of a channel that was
// called by o's rules.
func Unreached(channel notify.ChannelName, o *outbound.Error, op string) *notify.Error {
	title := Title(channel)
	var e *notify.Error
	switch {
	case o.Problem == outbound.ProblemRefused:
		e = notify.Errorf(notify.ClassMisconfigured, op, "The address of %s is in a network that Baton may not call.", channel.Title()).
			WithCure("Use a public address, or have the operator of Baton allow the network for this channel.")
	case o.Problem == outbound.ProblemTooLarge:
		e = notify.Errorf(notify.ClassTemporary, op, "%s answered with more than Baton reads.", title)
		e.GiveUpAfter = notify.Doubtful
	case o.Certificate:
		e = notify.Errorf(notify.ClassTemporary, op, "The certificate of %s is not trusted.", channel.Title()).
			WithCure("Have it renewed, or check the channel's address.")
		e.GiveUpAfter = notify.Doubtful
	case o.Unknown:
		e = notify.Errorf(notify.ClassTemporary, op, "The host name of %s is not known.", channel.Title()).
			WithCure("Check the channel's address.")
		e.GiveUpAfter = notify.Doubtful
	case errors.Is(o, context.Canceled):
		e = notify.Errorf(notify.ClassTemporary, op, "The call to %s was cut short.", channel.Title())
	case errors.Is(o, context.DeadlineExceeded):
		e = notify.Errorf(notify.ClassTemporary, op, "%s did not answer in time.", title)
	case o.Problem == outbound.ProblemNotSent:
		e = notify.Errorf(notify.ClassTemporary, op, "%s cannot be reached.", title)
	default:
		e = notify.Errorf(notify.ClassTemporary, op, "The connection to %s broke before it answered.", channel.Title())
	}
	return e.WithCause(o)
}

// Failure is the error of an answer other than 2xx, by the habits that services
// share.
func (c Caller) Failure(res outbound.Response, op string, write bool) *notify.Error {
	title := c.title()
	lost := notify.ClassTemporary
	if write {
		lost = notify.ClassUnclear
	}
	retry := outbound.RetryAfter(res.Header, c.Now())
	fail := func(class notify.Class, format string, args ...any) *notify.Error {
		e := notify.Errorf(class, op, format, args...)
		e.Status = res.Status
		if e.Retryable() {
			e.RetryAfter = retry
		}
		return e
	}
	switch s := res.Status; {
	case s == http.StatusTooManyRequests:
		e := fail(notify.ClassRateLimited, "%s has had too many calls and asks to wait.", title)
		if e.RetryAfter == 0 {
			e.RetryAfter = slow
		}
		return e
	case s == http.StatusGone:
		return fail(notify.ClassGone, "%s says that it wants no more messages (status 410).", title).
			WithCure("The channel is switched off. Enter an address that is in use, then switch it on again.")
	case s >= 300 && s < 400:
		return fail(notify.ClassMisconfigured, "%s points to another address instead of taking the message (status %d).", title, s).
			WithCure("Enter the address that it points to; Baton follows no redirects.")
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusProxyAuthRequired:
		return fail(notify.ClassUnauthorized, "%s does not accept Baton's calls (status %d).", title, s).
			WithCure("Check the channel's secret on both sides.")
	case s == http.StatusNotFound, s == http.StatusMethodNotAllowed:
		return fail(notify.ClassMisconfigured, "There is nobody at the channel's address who takes messages (status %d).", s).
			WithCure("Check the channel's address.")
	case s == http.StatusRequestEntityTooLarge:
		return fail(notify.ClassRejected, "%s finds the message too large (status 413).", title)
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusConflict, s == http.StatusLocked:
		return fail(notify.ClassTemporary, "%s cannot take the message right now (status %d).", title, s)
	case s == http.StatusServiceUnavailable:
		return fail(notify.ClassTemporary, "%s is out of service (status 503).", title)
	case s == http.StatusBadGateway, s == http.StatusGatewayTimeout:
		e := fail(lost, "What stands before %s got no answer from it (status %d).", c.Channel.Title(), s)
		if e.RetryAfter == 0 {
			e.RetryAfter = slow
		}
		return e
	case s >= 500:
		return fail(lost, "%s is in trouble (status %d).", title, s)
	default:
		return fail(notify.ClassRejected, "%s refuses the message (status %d).", title, s)
	}
}

func (c Caller) title() string { return Title(c.Channel) }

// Title is the channel's name at the beginning of a sentence.
func Title(n notify.ChannelName) string {
	t := n.Title()
	return strings.ToUpper(t[:1]) + t[1:]
}
