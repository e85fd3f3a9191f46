package connectwise

import (
	"encoding/json"

	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/wire"
	"github.com/baton-handoff/baton/models"
)

// failed is the body of a failure. A rate limit has the key "error" in place of
// "code".
type failed struct {
	Code    string `json:"code"`
	Err     string `json:"error"`
	Message string `json:"message"`
	Errors  []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Field   string `json:"field"`
	} `json:"errors"`
}

func (f failed) code() string {
	if f.Code != "" {
		return f.Code
	}
	return f.Err
}

// failure classifies a failing answer by ConnectWise's habits.
func (c *Client) failure(a wire.Answer) *psa.Error {
	f := parse(a)
	said := f.Message
	for _, e := range f.Errors {
		if e.Message != "" {
			said = e.Message // says more than "ticket object is invalid"
			break
		}
	}
	switch {
	case f.code() == "Security":
		return c.caller.Errorf(psa.ClassMisconfigured, a, "ConnectWise PSA wants another address: with https, and in the cloud the one of the API.").
			WithCure("Enter the address at which you sign in, such as https://na.myconnectwise.net.")
	case f.Message == "UserNotAuthenticated", a.Status < 500 && f.code() == "Unauthorized":
		return c.caller.Unauthorized(a)
	}
	e := c.caller.Failure(a, said)
	if e.Class == psa.ClassRejected {
		for _, d := range f.Errors {
			e.Fields = append(e.Fields, models.FieldError{
				Field: psa.Safe(d.Field), Message: psa.Safe(c.caller.Creds.Redact(d.Message)),
			})
		}
	}
	return e
}

// parse reads what a failing answer says about itself; it is empty for what is
// not the API's own error, such as text or a web page.
func parse(a wire.Answer) failed {
	var f failed
	if json.Unmarshal(a.Body, &f) != nil {
		return failed{}
	}
	return f
}
