package document

import (
	"slices"

	"github.com/baton-handoff/baton/internal/transcript"
	"github.com/baton-handoff/baton/models"
)

// digest is what a note can say, taken from the input once. All text in it is
// redacted and clean.
type digest struct {
	Input
	attempts []transcript.Attempt
	said     []transcript.Remark
	facts    []transcript.FactList

	// The last of each; nil when there is none.
	lastObservation, lastUser, lastAdvice *transcript.Remark
	lastError                             *transcript.Failure

	// unlisted counts the steps that appear nowhere in the note.
	unlisted int
	// clock is how the times of steps are written.
	clock string
}

func read(in Input) digest {
	clean := func(s string) string { return cleanText(in.Redact, s) }
	d := digest{Input: in}
	d.Problem, d.EngineerNotes = clean(in.Problem), clean(in.EngineerNotes)
	d.SenderName = transcript.OneLine(clean(in.SenderName))
	d.TargetName = transcript.OneLine(clean(in.TargetName))
	d.SessionTitle = transcript.OneLine(clean(in.SessionTitle))
	d.ClientName = transcript.OneLine(clean(in.ClientName))
	d.Ticket = transcript.OneLine(clean(in.Ticket))

	d.Steps = slices.Clone(in.Steps)
	listed := map[int]bool{}
	for i := range d.Steps {
		step := &d.Steps[i]
		step.Text = clean(step.Text)

		if transcript.IsAttempt(*step) {
			d.attempts = append(d.attempts, transcript.NewAttempt(*step))
			listed[step.Seq] = true
		} else if n := len(d.attempts); n > 0 && d.attempts[n-1].Follow(*step) {
			listed[step.Seq] = true
		}
		if text := transcript.Promise(*step); text != "" {
			d.said = append(d.said, transcript.Remark{Step: *step, Text: text})
			listed[step.Seq] = true
		}
		switch {
		case step.Kind == models.StepObservation:
			d.lastObservation = &transcript.Remark{Step: *step, Text: step.Text}
		case step.Actor == models.ActorUser && step.Kind == models.StepMessage:
			d.lastUser = &transcript.Remark{Step: *step, Text: step.Text}
		case step.Actor == models.ActorAssistant && step.Kind == models.StepMessage:
			d.lastAdvice = &transcript.Remark{Step: *step, Text: step.Text}
		}
		if f := transcript.NewFailure(*step); f != nil {
			d.lastError = f
		}
	}
	d.facts = transcript.Facts(d.Steps)
	d.clock = timeOnly
	if n := len(d.Steps); n > 0 && !sameDay(d.Steps[0].At, d.Steps[n-1].At) {
		d.clock = dayTime
	}

	for _, r := range d.verbatims() {
		if r != nil {
			listed[r.Step.Seq] = true
		}
	}
	if f := d.lastError; f != nil {
		listed[f.Step.Seq] = true
		for _, a := range d.attempts {
			if a.Outcome() == models.OutcomeWorked && a.Step.Seq > f.Step.Seq {
				f.WorkedAfter = a.Step.Seq
				break
			}
		}
	}
	d.unlisted = len(d.Steps) - len(listed)
	return d
}

// verbatims are the texts that are shown as they are, nil where there is none.
func (d digest) verbatims() []*transcript.Remark {
	return []*transcript.Remark{d.lastObservation, d.lastUser, d.lastAdvice}
}

func (d digest) longestVerbatim() int {
	longest := 0
	for _, r := range d.verbatims() {
		if r != nil {
			longest = max(longest, transcript.Runes(r.Text))
		}
	}
	if d.lastError != nil {
		longest = max(longest, transcript.Runes(d.lastError.Text))
	}
	return longest
}

// cleanText redacts a text and takes out what is not text. It does so before
// the redaction, from which a control character could hide a secret, and after
// it, because what comes back is anybody's text again.
func cleanText(redact func(string) string, s string) string {
	s = transcript.Clean(s)
	if redact == nil {
		return s
	}
	return transcript.Clean(redact(s))
}
