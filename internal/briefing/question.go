package briefing

import (
	"encoding/json"
)

// PromptVersion names the words of [Question] and their schema. Grades are
// summed up by it, so it changes whenever either does.
const PromptVersion = "1"

// SchemaName is the name of the schema for APIs that want one.
const SchemaName = "handoff_briefing"

// MinBudget is the least budget of [Question], in characters of the user's
// part. A smaller one counts as this one.
const MinBudget = 6_000

// DefaultBudget is some 30,000 tokens of logs: they have about three
// characters to a token.
const DefaultBudget = 90_000

// Prompt is one question to a model. It asks for one answer in JSON, and offers
// no tools.
type Prompt struct {
	System     string
	User       string
	Schema     json.RawMessage
	SchemaName string
	Version    string
}

// Question asks a model for a better briefing than that of the rules. Budget is
// the greatest length of Prompt.User in characters; zero means [DefaultBudget].
// What does not fit is cut from the middle of the session, and Cut says what.
func Question(in Input, rules Briefing, budget int) (Prompt, Cut) { return Prompt{}, Cut{} }

// Repair asks once more, after [Check] has returned the problem.
func Repair(p Prompt, answer []byte, problem error) Prompt { return p }
