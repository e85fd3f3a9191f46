package briefing

import (
	"encoding/json"
)

// The answer of a model, as its schema has it. There are no optional fields and
// no nulls, which the vendors' dialects of JSON Schema treat differently: an
// empty text, "unknown" and 0 say that something is not known.
type answer struct {
	Decision statementA `json:"decision"`
	Reason   string     `json:"reason"`
	Severity struct {
		Stability string       `json:"stability"`
		Impact    []statementA `json:"impact"`
	} `json:"severity"`
	Problem struct {
		Summary       statementA   `json:"summary"`
		Expected      statementA   `json:"expected"`
		FirstSeen     statementA   `json:"first_seen"`
		LastKnownGood statementA   `json:"last_known_good"`
		Scope         statementA   `json:"scope"`
		Changes       []statementA `json:"changes"`
		Errors        []quoteA     `json:"errors"`
	} `json:"problem"`
	Attempts      []attemptA    `json:"attempts"`
	RuledOut      []ruledOutA   `json:"ruled_out"`
	Hypotheses    []hypothesisA `json:"hypotheses"`
	NextSteps     []nextStepA   `json:"next_steps"`
	Risks         []riskA       `json:"risks"`
	Communication struct {
		Promises []promiseA `json:"promises"`
		Mood     string     `json:"mood"`
	} `json:"communication"`
	OpenQuestions []openA `json:"open_questions"`
}

type statementA struct {
	Text string `json:"text"`
	Refs []int  `json:"refs"`
}

type quoteA struct {
	Quote string `json:"quote"`
	Ref   int    `json:"ref"`
}

type attemptA struct {
	Step     int    `json:"step"`
	Outcome  string `json:"outcome"`
	Meaning  string `json:"meaning"`
	Refs     []int  `json:"refs"`
	Reversed string `json:"reversed"`
}

type ruledOutA struct {
	Hypothesis string `json:"hypothesis"`
	Why        string `json:"why"`
	Refs       []int  `json:"refs"`
}

type hypothesisA struct {
	Statement  string `json:"statement"`
	For        []int  `json:"for"`
	Against    []int  `json:"against"`
	Confidence string `json:"confidence"`
	Because    string `json:"because"`
	NextTest   string `json:"next_test"`
}

type nextStepA struct {
	Action        string `json:"action"`
	Why           string `json:"why"`
	Risk          string `json:"risk"`
	Reversible    string `json:"reversible"`
	NeedsApproval string `json:"needs_approval"`
	Minutes       int    `json:"minutes"`
	IfThen        string `json:"if_then"`
	Refs          []int  `json:"refs"`
}

type riskA struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
	Refs []int  `json:"refs"`
}

type promiseA struct {
	Quote  string `json:"quote"`
	ByWhen string `json:"by_when"`
	Ref    int    `json:"ref"`
}

type openA struct {
	Question string `json:"question"`
	Who      string `json:"who"`
	Refs     []int  `json:"refs"`
}

// node is a piece of JSON Schema. It uses what both Anthropic's structured
// outputs and OpenAI's strict mode know: type, enum, properties, required,
// items, description, additionalProperties. Lengths and numbers are bounded by
// [Check], because no API enforces them.
type node map[string]any

func field(name string, schema node) node { return node{"name": name, "schema": schema} }

// object has exactly these fields, all of them required.
func object(fields ...node) node {
	properties, required := node{}, []string{}
	for _, f := range fields {
		name := f["name"].(string)
		properties[name] = f["schema"]
		required = append(required, name)
	}
	return node{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}

func list(items node, description string) node {
	return node{"type": "array", "items": items, "description": description}
}

func text(description string) node { return node{"type": "string", "description": description} }

func integer(description string) node { return node{"type": "integer", "description": description} }

func enum(values ...string) node { return node{"type": "string", "enum": values} }

func refs() node {
	return list(node{"type": "integer"}, "numbers of the steps that say so; 0 for the problem or the notes")
}

func statement(description string) node {
	return object(field("text", text(description)), field("refs", refs()))
}

// schema is the JSON Schema of an answer.
func schema() json.RawMessage {
	s := object(
		field("decision", statement("the one decision or action wanted of the reader, in a sentence")),
		field("reason", enum("access_needed", "skill", "time_box", "security", "vendor", "second_opinion", "shift_end", "unknown")),
		field("severity", object(
			field("stability", enum("stable", "watcher", "unstable", "unknown")),
			field("impact", list(statement("whom it hits and what it costs them"), "at most 5")),
		)),
		field("problem", object(
			field("summary", statement("what is wrong, in two sentences at most")),
			field("expected", statement("what should happen instead")),
			field("first_seen", statement("since when")),
			field("last_known_good", statement("when it last worked")),
			field("scope", statement("who and what is affected, and what is not")),
			field("changes", list(statement("what was changed before it began"), "at most 5")),
			field("errors", list(object(field("quote", text("the error exactly as the step shows it")), field("ref", integer("the step"))), "the errors that matter, at most 3")),
		)),
		field("attempts", list(object(
			field("step", integer("the step in which it was done")),
			field("outcome", enum("worked", "no_change", "worse", "inconclusive", "not_verified")),
			field("meaning", text("what it showed, in a sentence")),
			field("refs", refs()),
			field("reversed", enum("yes", "no", "unknown", "nothing_to_undo")),
		), "one for each attempt that tells the reader something")),
		field("ruled_out", list(object(
			field("hypothesis", text("the cause that it is not")), field("why", text("what shows it")), field("refs", refs()),
		), "at most 8")),
		field("hypotheses", list(object(
			field("statement", text("the cause that it could be")),
			field("for", refs()), field("against", refs()),
			field("confidence", enum("low", "medium", "high")),
			field("because", text("what the confidence rests on, and what would change it")),
			field("next_test", text("the cheapest test that decides it")),
		), "the likely first, at most 4; none when the evidence does not reach")),
		field("next_steps", list(object(
			field("action", text("what to do")), field("why", text("why")), field("risk", text("what can go wrong")),
			field("reversible", enum("yes", "no", "unknown")), field("needs_approval", enum("yes", "no", "unknown")),
			field("minutes", integer("an estimate; 0 when unknown")),
			field("if_then", text("what to do when it fails")), field("refs", refs()),
		), "in their order, at most 6")),
		field("risks", list(object(
			field("kind", enum("do_not_touch", "data_loss", "security", "change_freeze", "pending", "other")),
			field("text", text("what to be careful with")), field("refs", refs()),
		), "at most 8")),
		field("communication", object(
			field("promises", list(object(
				field("quote", text("what the customer was told, exactly as the step has it")),
				field("by_when", text("the time in it, exactly as the step has it")), field("ref", integer("the step")),
			), "what they can hold us to, at most 6")),
			field("mood", enum("calm", "worried", "upset", "unknown")),
		)),
		field("open_questions", list(object(
			field("question", text("what nobody has answered")), field("who", text("who can answer it")), field("refs", refs()),
		), "at most 6")),
	)
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // maps of strings
	}
	return data
}
