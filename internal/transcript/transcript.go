// Package transcript reads the steps of a troubleshooting session by rules:
// which of them tried something and what it did, which show an error, what the
// customer was told, and what the steps name of the customer's systems.
//
// It is pure. It shows nothing: packages document and briefing do.
package transcript

import (
	"regexp"
	"slices"
	"strings"

	"github.com/baton-handoff/baton/models"
)

// Attempt is something that was done: a command, or any step that says what
// came of it.
type Attempt struct {
	Step models.Step
	// Action is what was done, on one line.
	Action  string
	Command bool
	// Result is the line of the output that tells most; empty when none stands
	// out, and then Lines says how many there were.
	Result string
	Lines  int
	// Then is what was seen or what the user said before anything else was
	// tried; nil when that is nothing.
	Then *Remark
}

// Outcome is what the attempt did to the problem; empty when nobody noted it.
func (a Attempt) Outcome() models.Outcome {
	if a.Step.Outcome == nil {
		return ""
	}
	return *a.Step.Outcome
}

// Remark is something that was said or seen.
type Remark struct {
	Step models.Step
	Text string
}

// Failure is an error as it was shown, with the lines around it.
type Failure struct {
	Remark
	// From is the command that showed it; empty when no command did.
	From string
	// WorkedAfter is the first step after it that worked, and 0 when none did.
	WorkedAfter int
}

// IsAttempt reports whether the step did something: it is a command, or says
// what came of it.
func IsAttempt(step models.Step) bool {
	return step.Kind == models.StepCommand || step.Outcome != nil
}

// Follow takes the first thing that was seen, or said by the user, after an
// attempt that changed something, and reports whether step was that.
func (a *Attempt) Follow(step models.Step) bool {
	changed := a.Outcome() == models.OutcomeWorked || a.Outcome() == models.OutcomeWorse
	seen := step.Kind == models.StepObservation || step.Actor == models.ActorUser
	if !changed || !seen || a.Then != nil {
		return false
	}
	a.Then = &Remark{Step: step, Text: OneLine(step.Text)}
	return true
}

// NewAttempt reads an attempt from its step.
func NewAttempt(step models.Step) Attempt {
	if step.Kind != models.StepCommand {
		return Attempt{Step: step, Action: OneLine(step.Text)}
	}
	command, output := SplitCommand(step.Text)
	a := Attempt{Step: step, Action: OneLine(command), Command: true}
	var errors []string
	for line := range strings.SplitSeq(output, "\n") {
		line = OneLine(line)
		if line == "" {
			continue
		}
		a.Lines++
		a.Result = line
		if IsError(line) {
			errors = append(errors, line)
		}
	}
	if len(errors) > 0 {
		// "Failed" alone says less than the sentence that follows it.
		a.Result = errors[0]
		if i := slices.IndexFunc(errors, func(e string) bool { return strings.Count(e, " ") >= 3 }); i >= 0 {
			a.Result = errors[i]
		}
	} else if a.Lines > 1 {
		a.Result = "" // one line of several says little
	}
	return a
}

// NewFailure finds the first error in what a step shows; nil when it shows none.
func NewFailure(step models.Step) *Failure {
	text, from := step.Text, ""
	switch {
	case step.Kind == models.StepCommand:
		from, text = SplitCommand(step.Text)
	case step.Kind == models.StepObservation, step.Actor == models.ActorSystem:
	default:
		return nil // talk about an error is not the error
	}
	lines := strings.Split(text, "\n")
	at := slices.IndexFunc(lines, IsError)
	if at < 0 {
		return nil
	}
	// Programs put a blank line around what belongs together. What stands
	// closely before the error says when and where it was.
	start, end := at, at
	for start > 0 && at-start < 2 && strings.TrimSpace(lines[start-1]) != "" {
		start--
	}
	for end < len(lines) && strings.TrimSpace(lines[end]) != "" {
		end++
	}
	return &Failure{Remark: Remark{step, strings.Join(lines[start:end], "\n")}, From: OneLine(from)}
}

var (
	// prompt is what stands before a command that was copied from a terminal.
	prompt = regexp.MustCompile(`^(?:[$#>] |[\w.@:~/-]+[#$>] )`)
	// windowsPrompt can only be a prompt, wherever it stands.
	windowsPrompt = regexp.MustCompile(`^(?:\[[\w.-]+\]: )?(?:PS )?[A-Za-z]:\\[^>\n]*> ?`)
)

// SplitCommand parts what was typed from what came back. Several commands in
// one step are joined with semicolons.
func SplitCommand(text string) (command, output string) {
	first, rest, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	mark := windowsPrompt.FindString(first)
	if mark == "" {
		mark = prompt.FindString(first)
	}
	commands := []string{strings.TrimSpace(first[len(mark):])}
	var out []string
	for line := range strings.SplitSeq(rest, "\n") {
		again := windowsPrompt.FindString(line)
		if again == "" && mark != "" && strings.HasPrefix(line, mark) {
			again = mark
		}
		if again == "" {
			out = append(out, line)
		} else if typed := strings.TrimSpace(line[len(again):]); typed != "" {
			commands = append(commands, typed)
		}
	}
	return strings.Join(commands, "; "), strings.Trim(strings.Join(out, "\n"), "\n")
}

var (
	errorWords = regexp.MustCompile(`(?i)\b(?:errors?|exception|fail(?:ed|ure|ing|s)?|fatal|denied|refused|` +
		`cannot|can't|could not|couldn't|unable|not found|not permitted|unauthorized|forbidden|invalid|corrupt(?:ed)?|` +
		`timed ?out|time-out|timeout|unreachable|unavailable|filtered|faulting|unexpectedly|non-existent|` +
		`not enough|required scopes|another DHCP server)\b|^[A-Z][A-Za-z]+-[A-Z][A-Za-z]+ : |\b0x[8C][0-9A-F]{7}\b|Succeeded\s*:\s*False`)
	// noError matches lines that speak of errors to say that there are none,
	// and the heads of tables that would count them.
	noError = regexp.MustCompile(`(?i)\b(?:no|0|without) (?:errors?|failures?)\b|\b(?:errors?|fail(?:ed|ures?))\b[\w ]*[:= ]\s*0\b|` +
		`successfully|Mismatch\s+FAILED|fails/total|^\s*\+ (?:CategoryInfo|FullyQualifiedErrorId)`)
)

// IsError reports whether a line of output tells of an error.
func IsError(line string) bool {
	return errorWords.MatchString(line) && !noError.MatchString(line)
}

var (
	// told is how engineers note what they said to somebody.
	told = regexp.MustCompile(`(?i)\b(?:told|promised|assured|informed|warned|apologi[sz]ed|agreed with)\b`)
	// toldUs is the opposite.
	toldUs = regexp.MustCompile(`(?i)\b(?:told|promised|assured|informed|warned) (?:me|us)\b`)
	// willDo and when, together in one sentence, are a promise in plain words.
	willDo = regexp.MustCompile(`(?i)\b(?:I|we|someone|somebody)(?:'ll| will|'d| would|'re going to| are going to)\b`)
	when   = regexp.MustCompile(`(?i)\b\d{1,2}[:.]\d\d\b|\b\d{1,2} ?[ap]\.?m\b|\b(?:today|tonight|tomorrow|this (?:morning|afternoon|evening)|` +
		`(?:mon|tues|wednes|thurs|fri|satur|sun)day|end of (?:the )?day|EOD|within|in (?:an?|\d+) ?(?:min(?:ute)?s?|h(?:our)?s?|days?))\b`)
	sentenceEnd = regexp.MustCompile(`[.!?]+\s+|\n+`)
)

// Promise returns the sentences of an engineer that say what the customer was
// told, and "" when none does.
func Promise(step models.Step) string {
	if step.Actor != models.ActorEngineer || step.Kind == models.StepCommand {
		return ""
	}
	var found []string
	for _, sentence := range Sentences(step.Text) {
		if toldUs.MatchString(sentence) {
			continue
		}
		if told.MatchString(sentence) || willDo.MatchString(sentence) && when.MatchString(sentence) {
			found = append(found, sentence)
		}
	}
	return OneLine(strings.Join(found, " "))
}

// Sentences splits a text behind its sentences and at its line breaks.
func Sentences(text string) []string {
	var out []string
	for text != "" {
		end := len(text)
		if at := sentenceEnd.FindStringIndex(text); at != nil {
			end = at[1]
		}
		out = append(out, strings.TrimSpace(text[:end]))
		text = text[end:]
	}
	return out
}
