package connectwise

import (
	"encoding/json"

	"github.com/baton-handoff/baton/internal/psa/wire"
)

// parse reads what a failing answer says about itself; it is empty for what is
// not the API's own error, such as text or a web page.
func parse(a wire.Answer) failed {
	var f failed
	if json.Unmarshal(a.Body, &f) != nil {
		return failed{}
	}
	return f
}
