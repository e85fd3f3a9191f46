package autotask

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
	"github.com/baton-handoff/baton/models"
)

// messages reads the body of a failure, {"errors": ["…"]}; nil for another.
func messages(a wire.Answer) []string {
	var f struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(a.Body, &f) != nil {
		return nil
	}
	return f.Errors
}

func mentions(all []string, words ...string) bool {
	for _, m := range all {
		m = strings.ToLower(m)
		for _, w := range words {
			if strings.Contains(m, w) {
				return true
			}
		}
	}
	return false
}

func threadLimit(all []string) bool { return mentions(all, "itgenatr005", "thread threshold") }

// failure classifies a failing answer. Most errors of business rules,
// validation and permission are HTTP 500, so the text decides; the texts are
// those that django-autotask, n8n-nodes-autotask and public issues quote.
func (c *Client) failure(a wire.Answer) *psa.Error {
	all := messages(a)
	said := ""
	if len(all) > 0 {
		said = all[0]
	}
	var e *psa.Error
	switch {
	case a.Status == http.StatusUnauthorized:
		return c.caller.Failure(a, said)
	case threadLimit(all):
		e = c.caller.Limited(a)
		e.Reason = "Autotask has too many calls under way at once and asks to wait."
		if e.RetryAfter == 0 {
			e.RetryAfter = threadWait
		}
		return e
	case mentions(all, "adequate permission", "required permission"):
		return c.caller.Errorf(psa.ClassRejected, a, "Autotask does not permit this.%s", c.caller.Said(a, said)).
			WithCure("Give the API user's security level the right to view and edit tickets and to add ticket notes.")
	case mentions(all, "integration code is invalid", "integrationcode", "user or integration code", "username is invalid", "user name is invalid"):
		return c.caller.Unauthorized(a)
	case a.Status == http.StatusInternalServerError && mentions(all,
		"must assign", "must be", "must have", "is required", "required field", "not valid", "invalid", "cannot be", "can not be",
		"may not be", "exceeds the", "maximum length", "does not exist", "not found", "picklist", "read-only", "read only", "is inactive"):
		e = c.caller.Errorf(psa.ClassRejected, a, "Autotask refused the request.%s", c.caller.Said(a, said)).
			WithCure("Correct what it names on the ticket or in the connection, then retry.")
	default:
		e = c.caller.Failure(a, said)
		if a.Status == http.StatusInternalServerError {
			e.Reason = fmt.Sprintf("Autotask answered with an error (status 500).%s", c.caller.Said(a, said))
			e.GiveUpAfter = psa.Doubtful // it also answers 500 to what will never work
		}
	}
	if e.Class == psa.ClassRejected {
		for _, m := range all[:min(10, len(all))] {
			e.Fields = append(e.Fields, models.FieldError{Message: psa.Safe(c.caller.Creds.Redact(m))})
		}
	}
	return e
}
