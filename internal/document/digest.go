package document

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/baton-handoff/baton/models"
)

// digest is what a note can say, taken from the input once. All text in it is
// redacted and clean.
type digest struct {
	Input
	attempts []attempt
	said     []remark
	facts    []factList

	// The last of each; nil when there is none.
	lastObservation, lastUser, lastAdvice *remark
	lastError                             *failure

	// unlisted counts the steps that appear nowhere in the note.
	unlisted int
	// clock is how the times of steps are written.
	clock string
}

// attempt is something that was done: a command, or any step that says what
// came of it.
type attempt struct {
	step models.Step
	// action is what was done, on one line.
	action  string
	command bool
	// result is the line of the output that tells most; empty when none stands
	// out, and then lines says how many there were.
	result string
	lines  int
	// then is what was seen or what the user said before anything else was
	// tried; nil when that is nothing.
	then *remark
}

func (a attempt) outcome() models.Outcome {
	if a.step.Outcome == nil {
		return ""
	}
	return *a.step.Outcome
}

// remark is something that was said or seen.
type remark struct {
	step models.Step
	text string
}

// failure is an error as it was shown, with the lines around it.
type failure struct {
	remark
	// from is the command that showed it; empty when no command did.
	from string
	// workedAfter is the first step after it that worked, and 0 when none did.
	workedAfter int
}

func read(in Input) digest {
	clean := func(s string) string { return cleanText(in.Redact, s) }
	d := digest{Input: in}
	d.Problem, d.EngineerNotes = clean(in.Problem), clean(in.EngineerNotes)
	d.SenderName = oneLine(clean(in.SenderName))
	d.TargetName = oneLine(clean(in.TargetName))
	d.SessionTitle = oneLine(clean(in.SessionTitle))
	d.ClientName = oneLine(clean(in.ClientName))
	d.Ticket = oneLine(clean(in.Ticket))

	d.Steps = slices.Clone(in.Steps)
	listed := map[int]bool{}
	for i := range d.Steps {
		step := &d.Steps[i]
		step.Text = clean(step.Text)

		if isAttempt(*step) {
			d.attempts = append(d.attempts, newAttempt(*step))
			listed[step.Seq] = true
		} else if n := len(d.attempts); n > 0 {
			d.attempts[n-1].follow(*step, listed)
		}
		if text := promise(*step); text != "" {
			d.said = append(d.said, remark{*step, text})
			listed[step.Seq] = true
		}
		switch {
		case step.Kind == models.StepObservation:
			d.lastObservation = &remark{*step, step.Text}
		case step.Actor == models.ActorUser && step.Kind == models.StepMessage:
			d.lastUser = &remark{*step, step.Text}
		case step.Actor == models.ActorAssistant && step.Kind == models.StepMessage:
			d.lastAdvice = &remark{*step, step.Text}
		}
		if f := newFailure(*step); f != nil {
			d.lastError = f
		}
	}
	d.facts = facts(d.Steps)
	d.clock = timeOnly
	if n := len(d.Steps); n > 0 && !sameDay(d.Steps[0].At, d.Steps[n-1].At) {
		d.clock = dayTime
	}

	for _, r := range d.verbatims() {
		if r != nil {
			listed[r.step.Seq] = true
		}
	}
	if f := d.lastError; f != nil {
		listed[f.step.Seq] = true
		for _, a := range d.attempts {
			if a.outcome() == models.OutcomeWorked && a.step.Seq > f.step.Seq {
				f.workedAfter = a.step.Seq
				break
			}
		}
	}
	d.unlisted = len(d.Steps) - len(listed)
	return d
}

func isAttempt(step models.Step) bool {
	return step.Kind == models.StepCommand || step.Outcome != nil
}

// follow takes the first thing that was seen, or said by the user, after an
// attempt that changed something.
func (a *attempt) follow(step models.Step, listed map[int]bool) {
	changed := a.outcome() == models.OutcomeWorked || a.outcome() == models.OutcomeWorse
	seen := step.Kind == models.StepObservation || step.Actor == models.ActorUser
	if changed && seen && a.then == nil {
		a.then = &remark{step, oneLine(step.Text)}
		listed[step.Seq] = true
	}
}

func newAttempt(step models.Step) attempt {
	if step.Kind != models.StepCommand {
		return attempt{step: step, action: oneLine(step.Text)}
	}
	command, output := splitCommand(step.Text)
	a := attempt{step: step, action: oneLine(command), command: true}
	var errors []string
	for line := range strings.SplitSeq(output, "\n") {
		line = oneLine(line)
		if line == "" {
			continue
		}
		a.lines++
		a.result = line
		if isError(line) {
			errors = append(errors, line)
		}
	}
	if len(errors) > 0 {
		// "Failed" alone says less than the sentence that follows it.
		a.result = errors[0]
		if i := slices.IndexFunc(errors, func(e string) bool { return strings.Count(e, " ") >= 3 }); i >= 0 {
			a.result = errors[i]
		}
	} else if a.lines > 1 {
		a.result = "" // one line of several says little
	}
	return a
}

func newFailure(step models.Step) *failure {
	text, from := step.Text, ""
	switch {
	case step.Kind == models.StepCommand:
		from, text = splitCommand(step.Text)
	case step.Kind == models.StepObservation, step.Actor == models.ActorSystem:
	default:
		return nil // talk about an error is not the error
	}
	lines := strings.Split(text, "\n")
	at := slices.IndexFunc(lines, isError)
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
	return &failure{remark: remark{step, strings.Join(lines[start:end], "\n")}, from: oneLine(from)}
}

var (
	// prompt is what stands before a command that was copied from a terminal.
	prompt = regexp.MustCompile(`^(?:[$#>] |[\w.@:~/-]+[#$>] )`)
	// windowsPrompt can only be a prompt, wherever it stands.
	windowsPrompt = regexp.MustCompile(`^(?:\[[\w.-]+\]: )?(?:PS )?[A-Za-z]:\\[^>\n]*> ?`)
)

// splitCommand parts what was typed from what came back. Several commands in
// one step are joined with semicolons.
func splitCommand(text string) (command, output string) {
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

// isError reports whether a line of output tells of an error.
func isError(line string) bool {
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

// promise returns the sentences of an engineer that say what the customer was
// told, and "" when none does.
func promise(step models.Step) string {
	if step.Actor != models.ActorEngineer || step.Kind == models.StepCommand {
		return ""
	}
	var found []string
	for _, sentence := range sentences(step.Text) {
		if toldUs.MatchString(sentence) {
			continue
		}
		if told.MatchString(sentence) || willDo.MatchString(sentence) && when.MatchString(sentence) {
			found = append(found, sentence)
		}
	}
	return oneLine(strings.Join(found, " "))
}

func sentences(text string) []string {
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

// verbatims are the texts that are shown as they are, nil where there is none.
func (d digest) verbatims() []*remark {
	return []*remark{d.lastObservation, d.lastUser, d.lastAdvice}
}

func (d digest) longestVerbatim() int {
	longest := 0
	for _, r := range d.verbatims() {
		if r != nil {
			longest = max(longest, runes(r.text))
		}
	}
	if d.lastError != nil {
		longest = max(longest, runes(d.lastError.text))
	}
	return longest
}

var (
	terminalColour = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]`)
	lineBreaks     = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n", "\v", "\n", "\f", "\n")
)

// cleanText redacts a text and takes out what is not text. It does so before
// the redaction, from which a control character could hide a secret, and after
// it, because what comes back is anybody's text again.
func cleanText(redact func(string) string, s string) string {
	s = onlyText(s)
	if redact == nil {
		return s
	}
	return onlyText(redact(s))
}

// onlyText drops broken UTF-8, terminal colours, control characters, and the
// marks that turn the direction of writing around, with which a line can be
// made to read as another one.
func onlyText(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = lineBreaks.Replace(terminalColour.ReplaceAllString(s, ""))
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\ufeff':
			return -1
		}
		return r
	}, s)
}

// oneLine puts a text on one line, with single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shorten cuts a text to at most n characters and marks the cut.
func shorten(s string, n int) string {
	if runes(s) <= n {
		return s
	}
	return strings.TrimRightFunc(firstRunes(s, n-1), unicode.IsSpace) + "…"
}

// firstRunes returns the first n characters of s.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func runes(s string) int { return utf8.RuneCountInString(s) }
