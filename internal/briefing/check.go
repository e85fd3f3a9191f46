package briefing

// AnswerError says why an answer cannot be used at all. Its text names the
// places in the answer and is meant for the model that gave it; it may repeat
// words of the answer, so it does not belong into a log.
type AnswerError struct{ Reason string }

func (e *AnswerError) Error() string { return "the model's answer cannot be used: " + e.Reason }

// Check merges a model's answer into the briefing of the rules. Every citation
// has to name a step that exists and was not cut away, every quote has to stand
// in the step it cites. It fails with [*AnswerError] when nothing can be saved
// by dropping parts: the answer is no JSON or not of the schema.
func Check(in Input, rules Briefing, cut Cut, answer []byte) (Briefing, Findings, error) {
	return rules, Findings{}, nil
}
