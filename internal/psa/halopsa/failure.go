package halopsa

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
)

// said reads what a failing answer says, in any of the shapes that HaloAPI
// knows: four objects, a JSON string, or text.
func said(a wire.Answer) string {
	if a.HTML() {
		return ""
	}
	var text string
	if json.Unmarshal(a.Body, &text) == nil {
		return text
	}
	var f struct {
		ErrorMessage string `json:"errorMessage"`
		Message      string
		Err          string `json:"error"`
		Description  string `json:"error_description"`
	}
	if json.Unmarshal(a.Body, &f) == nil {
		for _, s := range []string{f.ErrorMessage, f.Message, f.Description, f.Err} {
			if s != "" {
				return s
			}
		}
		return ""
	}
	if json.Valid(a.Body) {
		return ""
	}
	return string(a.Body)
}

// failure classifies a failing answer. Which status a refusal comes with is not
// documented, so the text decides first.
func (c *Client) failure(a wire.Answer) *psa.Error {
	text := said(a)
	low := strings.ToLower(text)
	switch {
	case a.Status == http.StatusUnauthorized:
		return c.caller.Failure(a, text)
	case strings.Contains(low, "do not have access to this action"):
		return c.caller.Errorf(psa.ClassRejected, a, "HaloPSA does not let the API agent use this kind of note.%s", c.caller.Said(a, text)).
			WithCure("Enter the id of an outcome in the connection that the agent may use, or allow it in HaloPSA.")
	case strings.Contains(low, "do not have access"), strings.Contains(low, "do not have permission"), strings.Contains(low, "not authorised"):
		return c.caller.Errorf(psa.ClassRejected, a, "HaloPSA does not permit this.%s", c.caller.Said(a, text)).
			WithCure("Give the API application's agent the right to read and edit tickets and to add actions.")
	}
	e := c.caller.Failure(a, text)
	if a.Status == http.StatusInternalServerError && text != "" {
		e.Reason = fmt.Sprintf("HaloPSA answered with an error (status 500).%s", c.caller.Said(a, text))
		e.GiveUpAfter = psa.Doubtful
	}
	return e
}
