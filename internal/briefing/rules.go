package briefing

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/baton-handoff/baton/internal/transcript"
	"github.com/baton-handoff/baton/models"
)

// The bounds of a briefing. Lists keep what is newest, unless said otherwise.
const (
	maxTimeline   = 30
	maxAttempts   = 60
	maxErrors     = 3
	maxFacts      = 10 // of one kind, the first ones
	maxStatements = 8  // of any other list
	maxPromises   = 12
	maxLine       = 240   // characters of a text on one line
	maxText       = 1_200 // characters of a text of several lines
	maxError      = 1_500 // characters of one error
	maxRefs       = 12    // citations of one statement
)

// Rules writes a briefing from the session alone, without a model: at once, and
// the same one for the same input.
func Rules(in Input) Briefing {
	in = clean(in)
	r := reader{in: in, untrusted: untrusted(in.Steps)}
	r.read()

	tried := r.attemptList()
	b := Briefing{
		Version:  Version,
		Headline: Headline{in.SessionTitle, in.ClientName, in.Ticket, in.SenderName, in.TargetName, in.Intent},
		Ask:      r.ask(),
		Severity: Severity{Priority: in.Priority, Impact: r.impact(), Workarounds: r.workarounds()},
		Problem: Problem{
			Reported: in.Problem, FirstReport: r.firstReport, LastSeen: r.lastSeen, Errors: r.errors(), Changes: []Statement{},
		},
		Environment:   r.environment(),
		Attempts:      tried,
		RuledOut:      r.ruledOut(),
		Hypotheses:    r.hypotheses(),
		NextSteps:     r.nextSteps(),
		Risks:         r.risks(tried),
		Communication: r.communication(),
		OpenQuestions: r.openQuestions(),
	}
	b.Timeline = r.timeline()
	b.Completeness = completeness(b)
	b.Provenance.Source = ByRules
	if n := len(in.Steps); n > 0 {
		b.Provenance.FirstStep, b.Provenance.LastStep = in.Steps[0].Seq, in.Steps[n-1].Seq
	}
	return b
}

// clean takes out of the input what is not text. It copies what it changes.
func clean(in Input) Input {
	for _, s := range []*string{&in.SessionTitle, &in.ClientName, &in.Ticket, &in.SenderName, &in.TargetName} {
		*s = transcript.OneLine(cleanText(*s))
	}
	in.Problem, in.EngineerNotes = cleanText(in.Problem), cleanText(in.EngineerNotes)
	in.Steps = slices.Clone(in.Steps)
	for i := range in.Steps {
		in.Steps[i].Text = cleanText(in.Steps[i].Text)
	}
	return in
}

// cleanText also drops characters that nobody sees but a model reads.
func cleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0xE0000 && r <= 0xE007F || r == 0x200B || r == 0x2060 {
			return -1
		}
		return r
	}, transcript.Clean(s))
}

// reader goes through the steps once and keeps what the parts are made of.
type reader struct {
	in        Input
	untrusted []int
	attempts  []transcript.Attempt
	failures  []transcript.Failure
	promises  []transcript.Remark

	firstReport, lastSeen, lastWord *Quote
	lastAdvice                      *models.Step
}

func (r *reader) read() {
	for i, step := range r.in.Steps {
		if transcript.IsAttempt(step) {
			r.attempts = append(r.attempts, transcript.NewAttempt(step))
		} else if n := len(r.attempts); n > 0 {
			r.attempts[n-1].Follow(step)
		}
		if f := transcript.NewFailure(step); f != nil {
			r.failures = append(r.failures, *f)
		}
		if text := transcript.Promise(step); text != "" {
			r.promises = append(r.promises, transcript.Remark{Step: step, Text: text})
		}
		switch {
		case step.Kind == models.StepObservation:
			r.lastSeen = quoteStep(step)
		case step.Actor == models.ActorUser && step.Kind == models.StepMessage:
			r.lastWord = quoteStep(step)
			if r.firstReport == nil {
				r.firstReport = quoteStep(step)
			}
		case step.Actor == models.ActorAssistant && step.Kind == models.StepMessage:
			r.lastAdvice = &r.in.Steps[i]
		}
	}
	// Alerts open sessions as well.
	if len(r.in.Steps) > 0 && r.firstReport == nil && r.in.Steps[0].Actor == models.ActorSystem {
		r.firstReport = quoteStep(r.in.Steps[0])
	}
}

// quoteStep quotes the beginning of a step.
func quoteStep(step models.Step) *Quote {
	return &Quote{Text: firstLines(step.Text, maxText), At: step.At, Basis: seen(step.Seq)}
}

// firstLines cuts without a mark, so that a quote stays one.
func firstLines(s string, most int) string {
	s = strings.Trim(s, "\n")
	if transcript.Runes(s) <= most {
		return s
	}
	s = transcript.FirstRunes(s, most)
	if i := strings.LastIndexByte(s, '\n'); i > len(s)/2 {
		s = s[:i]
	}
	return strings.TrimRightFunc(s, unicode.IsSpace)
}

// seen is the basis of what a rule found in a step.
func seen(seq ...int) Basis { return Basis{By: ByRules, Refs: slices.Clone(seq)} }

// written is the basis of what a human wrote into the handoff.
func written() Basis { return Basis{By: ByHuman, Refs: []int{}, FromHandoff: true} }

var (
	asks = regexp.MustCompile(`(?i)^\W*(?:ask|asked|request|wanted|to ?do|decision needed|needs?|i need|we need)\b|\b(?:please|pls|plz)\b|` +
		`\bcan (?:somebody|someone|anyone|anybody|you)\b|\b(?:somebody|someone|anybody|anyone) (?:should|has to|must|needs to|with)\b|` +
		`\bneeds? (?:an?|someone|somebody|incident|help|approval|time)\b|\bwe have to\b|(?:^|[,;] )(?:just )?(?:check|look at|decide)\b`)
	// askHead opens a part that asks, to its end.
	askHead = regexp.MustCompile(`(?i)^\W*(?:ask|asked|request|wanted|need|decision needed)\s*:`)
	careful = regexp.MustCompile(`(?i)(?:^|[,;:(.–-]\s*|\b(?:please|pls|and|so|but)\s+)(?:don'?t|do not|never|dont|must not|not to)\s+\w+|` +
		`\bno (?:more|other|further) (?:live )?(?:changes|restarts|reboots)\b|\bnot powered off\b|\bkeep that\b|\bwithout (?:approval|their OK|them)\b`)
	// forbids is advice that is a warning and nothing to do.
	forbids = regexp.MustCompile(`(?i)^\W*(?:do not|don'?t|never)\b`)
	// chat is about the session and not about the customer's systems.
	chat    = regexp.MustCompile(`(?i)\bin (?:this|the) chat\b|\bexperimenting\b`)
	pending = regexp.MustCompile(`(?i)\bremove it\b|\b(?:has|have) to be (?:removed|undone|reverted|put back)\b|\b(?:turn|switch|put) it back\b|` +
		`\bremove .{0,40}\b(?:later|when done|afterwards)\b|\bas a plaster\b|\bre-?sync\w* now\b|\bovernight\b|\bscheduled\b|\b(?:they|carrier|vendor) (?:will )?(?:call|ring)s? (?:us )?back\b|\btakes effect only\b|\bruns every\b`)
	freeze   = regexp.MustCompile(`(?i)\b(?:change )?freeze\b|\bchange control\b`)
	dataLoss = regexp.MustCompile(`(?i)\b(?:unsent|corrupt(?:ed)?|would lose|(?:was|were|are|is) (?:lost|deleted|gone)|deleted (?:his|her|the)|threw away|lost their)\b`)
	danger   = regexp.MustCompile(`(?i)\b(?:ransom\w*|malware|compromised|exposed|infected|breach|rogue|phishing|unknown service)\b`)
	number   = `(?:\d+|half|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|twenty|everybody|everyone|nobody|none|no one)`
	whom     = `(?:users?|people|persons?|patients?|staff|workers|laptops|tablets|PCs?|clients)`
	impact   = regexp.MustCompile(`(?i)\b` + number + ` (?:of (?:the|my|our) )?(?:[\w-]+ )?` + whom + `\b|\b(?:nobody|none|no one) (?:[\w:]+ ){0,4}(?:can|could|is able)\b|\ball (?:\w+ )?of (?:us|them)\b|\b\d+ (?:of|in) \d+\b|` +
		`\b(?:deadline|payroll|insur\w+|exams?|tender|completion|patients|lorries|medication|dispatch|VAT|go-?live)\b|\b(?:cannot|can't|can not|cant) (?:\w+ )?(?:work|get into|print|scan|save|open|sign in|log ?in)\b`)
	workaround = regexp.MustCompile(`(?i)\b(?:work-?around|as a plaster|for now|meanwhile|in the meantime|keeps? working|they use|to use (?:webmail|the browser)|unlocks (?:her|him|them))\b`)
	notIt      = regexp.MustCompile(`(?i)\bso (?:it )?(?:is ?n[o']t|isn'?t|not|wasn'?t)\b|\brul(?:ed|es) (?:it |this |that )?out\b|\b(?:it|that) wasn'?t\b|\bso (?:\w+ )?(?:is |are |was )?(?:healthy|ok|okay|fine)\b|` +
		`\bso [\w ]{1,30}\b(?:is|are|was) (?:healthy|ok|okay|fine)\b|\bso (?:servers?|sql|network|dns) (?:ok|fine)\b|\bnot cached\b|\bno problem at all there\b`)
	guess    = regexp.MustCompile(`(?i)\b(?:I think|we think|I guess|I suspect|I believe|probably|looks like|looks broken|prob|maybe|could be|must be|not sure if)\b`)
	because  = regexp.MustCompile(`(?i)\bso it(?:'s| is)(?: really)? (?:the|a|an)?\b|\bit is the\b|\bpoints at\b`)
	ifThen   = regexp.MustCompile(`(?i)^\W*if\b.{3,}[:,]`)
	question = regexp.MustCompile(`^.{6,}[\pL\pN]\?+\W*$`)
	undone   = regexp.MustCompile(`(?i)\b(?:revert(?:ed)?|rolled back|undone|put back|turned (?:it|them) back|switched (?:it|them) back|restored|changed (?:it )?back|set (?:it )?back)\b`)
	byWhen   = regexp.MustCompile(`(?i)\b(?:(?:before|by|until|till?|after|at|from|within|latest)\s+)?(?:(?:on\s+)?(?:today|tonight|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|wed|thu|fri)(?:'s)?(?:\s+noon)?\s*(?:at\s+|by\s+|before\s+|between\s+)?)?` +
		`(?:\d{1,2}:\d\d\b|\d{1,2} ?[ap]\.?m\b|noon\b|\d{1,2} and \d{1,2}\b)(?:\s+(?:today|tomorrow|and then every (?:hour|day)))?|\bin (?:an?|\d+) ?(?:min(?:ute)?s?|h(?:our)?s?|days?)\b|` +
		`\b(?:(?:before|by|until|till?|for|on|over)\s+)(?:the\s+)?(?:today|tonight|tomorrow(?: noon)?|end of (?:the )?day|EOD|(?:mon|tues|wednes|thurs|fri|satur|sun)day(?:'s exams)?|(?:weekend|shift change))\b|\b(?:at|until|after|before|by) \d{1,2}(?:\.\d\d)?\b|` +
		`\b(?:today|tonight|tomorrow|(?-i:NOW|ASAP))\b`)
	// injection is how texts speak to a model; people who write to people do not.
	injection = regexp.MustCompile(`(?i)\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|(?:your|these|those|previous|prior) rules|(?:the|all|everything|anything) (?:above|previous|prior|before))\b|` +
		`\bsystem prompt\b|\byou are (?:now )?an? (?:AI|LLM|language model|AI assistant)\b|<\|?/?(?:system|im_start|im_end|assistant)\|?>|` +
		`\b(?:output|respond|answer|reply) (?:only )?with (?:the following|this) (?:JSON|text)\b|\b(?:new|updated) (?:system )?instructions?\s*:|\bnote to (?:the )?(?:AI|model|LLM|assistant)\b`)
)

// untrusted are the steps whose text speaks to a model. Nothing else uses such
// words; whatever they say proves nothing.
func untrusted(steps []models.Step) []int {
	var found []int
	for _, step := range steps {
		if injection.MatchString(step.Text) {
			found = append(found, step.Seq)
		}
	}
	return found
}

func (r *reader) ask() Ask {
	a := Ask{Notes: r.in.EngineerNotes, Requests: []Statement{}, Reason: r.reason()}
	if a.Reason != "" {
		a.ReasonBy = ByRules
	}
	for paragraph := range strings.SplitSeq(r.in.EngineerNotes, "\n") {
		all := false // the rest of a paragraph that starts with "Ask:" asks
		for _, sentence := range transcript.Sentences(paragraph) {
			all = all || askHead.MatchString(sentence)
			warns := careful.MatchString(sentence) && !askHead.MatchString(sentence)
			if (all || asks.MatchString(sentence)) && !warns && strings.TrimSpace(sentence) != "" {
				a.Requests = append(a.Requests, Statement{line(sentence), written()})
			}
		}
	}
	a.Requests = first(a.Requests, maxStatements)
	for _, request := range a.Requests {
		if a.ByWhen = deadline(request.Text); a.ByWhen != "" {
			break
		}
	}
	return a
}

// reasons are in the order in which they win.
var reasons = []struct {
	reason Reason
	words  *regexp.Regexp
}{
	{ReasonSecurity, regexp.MustCompile(`(?i)\b(?:ransom\w*|incident lead|malware|breach|compromised)\b`)},
	{ReasonAccess, regexp.MustCompile(`(?i)\b(?:write access|read-only on|no (?:rights|access|permission)|not allowed to|an admin who can|approval|I can do neither)\b`)},
	{ReasonVendor, regexp.MustCompile(`(?i)\b(?:carrier ticket|vendor case|waiting for the (?:vendor|carrier))\b`)},
	{ReasonShiftEnd, regexp.MustCompile(`(?i)\b(?:overnight|end of (?:my )?shift|going home|check (?:in the morning|tomorrow)|parked til)\b`)},
	{ReasonSecondOpinion, regexp.MustCompile(`(?i)\b(?:decide|decision|second opinion|don'?t dare)\b`)},
	{ReasonTimeBox, regexp.MustCompile(`(?i)\b(?:time ?box|out of time|too long on)\b`)},
	{ReasonSkill, regexp.MustCompile(`(?i)\b(?:out of ideas|experience|someone who knows|somebody who knows|why does)\b`)},
}

func (r *reader) reason() Reason {
	for _, x := range reasons {
		if x.words.MatchString(r.in.EngineerNotes) {
			return x.reason
		}
	}
	return ""
}

// deadline is the time by which a sentence wants something: the first one that
// is not the start of something.
func deadline(s string) string {
	for _, when := range byWhen.FindAllString(s, -1) {
		if !strings.HasPrefix(strings.ToLower(when), "after") {
			return strings.TrimSpace(when)
		}
	}
	return ""
}

// lastWhen is the time that a sentence names: the last one, since the reason
// comes before the deadline more often than after it.
func lastWhen(s string) string {
	all := byWhen.FindAllString(s, -1)
	if len(all) == 0 {
		return ""
	}
	return strings.TrimSpace(all[len(all)-1])
}

// find returns the sentences that match: those of texts of the handoff, and then
// those of the steps of some people.
func (r *reader) find(re *regexp.Regexp, most int, texts []string, actors ...models.Actor) []Statement {
	found := []Statement{}
	has := func(text string) bool {
		return slices.ContainsFunc(found, func(s Statement) bool { return strings.EqualFold(s.Text, text) })
	}
	for _, text := range texts {
		for _, sentence := range transcript.Sentences(text) {
			if s := line(sentence); re.MatchString(s) && !has(s) {
				found = append(found, Statement{s, written()})
			}
		}
	}
	fromHandoff := first(found, most)
	found = nil
	for _, step := range r.in.Steps {
		if step.Kind == models.StepCommand || !slices.Contains(actors, step.Actor) || slices.Contains(r.untrusted, step.Seq) {
			continue
		}
		for _, sentence := range transcript.Sentences(step.Text) {
			if s := line(sentence); re.MatchString(s) && !chat.MatchString(s) && !has(s) {
				found = append(found, Statement{s, seen(step.Seq)})
			}
		}
	}
	return append(fromHandoff, last(found, max(0, most-len(fromHandoff)))...)
}

func (r *reader) impact() []Statement {
	return notAsked(r.find(impact, maxStatements, []string{r.in.Problem, r.in.EngineerNotes}, models.ActorUser, models.ActorSystem))
}

func (r *reader) workarounds() []Statement {
	return notAsked(r.find(workaround, 4, []string{r.in.EngineerNotes}, models.ActorEngineer))
}

// notAsked leaves out what is told as a request already.
func notAsked(list []Statement) []Statement {
	return slices.DeleteFunc(list, func(s Statement) bool { return s.FromHandoff && asks.MatchString(s.Text) })
}

func (r *reader) errors() []Quote {
	quotes := []Quote{}
	var texts []string
	for _, f := range slices.Backward(r.failures) {
		text := firstLines(f.Text, maxError)
		same := func(other string) bool { return strings.Contains(other, text) || strings.Contains(text, other) }
		if text == "" || len(quotes) == maxErrors || slices.ContainsFunc(texts, same) {
			continue
		}
		texts = append(texts, text)
		q := Quote{Text: text, From: transcript.Shorten(f.From, maxLine), At: f.Step.At, Basis: seen(f.Step.Seq)}
		for _, a := range r.attempts {
			if a.Outcome() == models.OutcomeWorked && a.Step.Seq > f.Step.Seq {
				q.WorkedAfter = a.Step.Seq
				break
			}
		}
		quotes = append(quotes, q)
	}
	return quotes
}

var factKinds = map[string]FactKind{
	"Hosts": FactHost, "Addresses": FactAddress, "Systems": FactSystem, "Software": FactSoftware,
	"Error codes": FactErrorCode, "Event ids": FactEventID, "Accounts": FactAccount,
}

var (
	// tag is how providers name the machines of their customers.
	tag    = regexp.MustCompile(`\b([A-Z]{2,5}(?:-[A-Z]{1,6}){0,2}-[A-Z]{0,8}\d{1,5})\b`)
	change = regexp.MustCompile(`\b(CHG-?\d{3,7}|CR-?\d{3,7})\b`)
	tenant = regexp.MustCompile(`(?im)\b([a-z0-9-]+\.onmicrosoft\.com)\b|^\s*Tenant ?(?:ID|Name)\s*:\s*(\S+)\s*$|\bdomain ([a-z0-9-]+(?:\.[a-z0-9-]+)+)\b`)
	// noTag are prefixes of other things.
	noTag = regexp.MustCompile(`^(?:CHG|CR|INC|REQ|CVE|ISO|RFC|SHA|AES|UTF|TLS|RTM|MS|PRB|RSA|HKLM|HKCU|DDR|USB|KB|GPT|ID|TCP|UDP|VLAN|UVHD|S)-`)
)

func (r *reader) environment() []Fact {
	facts := []Fact{}
	add := func(kind FactKind, value string, basis Basis) {
		value = transcript.Shorten(transcript.OneLine(value), 120)
		n := 0
		for i, f := range facts {
			if f.Kind != kind && (f.Kind != FactHost || kind != FactAsset) {
				continue
			}
			if strings.EqualFold(strings.ReplaceAll(f.Value, "-", ""), strings.ReplaceAll(value, "-", "")) || kind == FactAsset && strings.HasPrefix(strings.ToLower(f.Value), strings.ToLower(value)+".") {
				if len(basis.Refs) > 0 && len(f.Refs) < 3 {
					facts[i].Refs = addRef(f.Refs, basis.Refs[0])
				}
				return
			}
			n++
		}
		if n < maxFacts {
			facts = append(facts, Fact{kind, value, basis})
		}
	}
	for _, list := range transcript.Facts(r.in.Steps) {
		for _, f := range list.Facts {
			add(factKinds[list.Kind], f.Text, seen(f.Seq))
		}
	}
	look := func(text string, basis Basis) {
		for _, at := range tag.FindAllStringIndex(text, -1) {
			value, next := text[at[0]:at[1]], text[at[1]:]
			if !noTag.MatchString(value) && !strings.HasPrefix(next, "-") {
				add(FactAsset, value, basis)
			}
		}
		for _, value := range change.FindAllString(text, -1) {
			add(FactChange, value, basis)
		}
		if !strings.Contains(text, "enant") && !strings.Contains(text, "omain ") && !strings.Contains(text, ".onmicrosoft") {
			return // the expression is slow
		}
		for _, m := range tenant.FindAllStringSubmatch(text, -1) {
			add(FactTenant, cmp.Or(m[1], m[2], m[3]), basis)
		}
	}
	for _, step := range r.in.Steps {
		if step.Actor != models.ActorAssistant {
			look(step.Text, seen(step.Seq))
		}
	}
	look(r.in.EngineerNotes, written())
	slices.SortStableFunc(facts, func(a, b Fact) int {
		return cmp.Compare(slices.Index(factOrder, a.Kind), slices.Index(factOrder, b.Kind))
	})
	return facts
}

// factOrder is the order in which facts are shown.
var factOrder = []FactKind{
	FactHost, FactAsset, FactSystem, FactSoftware, FactAddress, FactTenant, FactAccount, FactChange, FactErrorCode, FactEventID,
}

// important ranks an attempt for a list that has no room for all of them.
func important(step models.Step) int {
	if step.Outcome == nil {
		return 0
	}
	switch *step.Outcome {
	case models.OutcomeWorse:
		return 3
	case models.OutcomeWorked:
		return 2
	case models.OutcomeNoChange, models.OutcomeInconclusive:
		return 1
	default:
		return 0
	}
}

func (r *reader) attemptList() []Attempt {
	list := []Attempt{}
	keep := most(len(r.attempts), maxAttempts, func(i int) int { return important(r.attempts[i].Step) })
	for _, i := range keep {
		a := r.attempts[i]
		out := Attempt{
			Step: a.Step.Seq, At: a.Step.At, Actor: a.Step.Actor, Action: transcript.Shorten(a.Action, maxLine), Command: a.Command,
			ReadOnly: a.Command && readOnly(a.Action), Outcome: NotVerified, Result: transcript.Shorten(a.Result, maxLine), Lines: a.Lines,
			Reversed: ReversedUnknown, Basis: seen(a.Step.Seq),
		}
		if a.Outcome() != "" {
			out.Outcome, out.OutcomeBy = Outcome(a.Outcome()), ByHuman
		}
		if a.Then != nil {
			out.Then = quoteStep(a.Then.Step)
			out.Refs = append(out.Refs, a.Then.Step.Seq)
		}
		if out.ReadOnly {
			out.Reversed = NothingToUndo
		} else if step := r.reversal(i); step > 0 {
			out.Reversed, out.ReversedIn = ReversedYes, step
			out.Refs = addRef(out.Refs, step)
		}
		list = append(list, out)
	}
	return list
}

// reversal finds the step that undid what made it worse: a command that differs
// in a word, or people who say so. It is 0 when there is none.
func (r *reader) reversal(i int) int {
	a := r.attempts[i]
	if a.Outcome() != models.OutcomeWorse {
		return 0
	}
	end := 0 // talk further on is about something else
	for n, later := range r.attempts[i+1:] {
		if later.Outcome() == models.OutcomeWorked && opposite(a.Action, later.Action) {
			return later.Step.Seq
		}
		if n == 1 {
			end = later.Step.Seq
		}
	}
	for _, step := range r.in.Steps {
		if step.Seq > a.Step.Seq && (end == 0 || step.Seq < end) && step.Actor == models.ActorEngineer && step.Kind != models.StepCommand && undone.MatchString(step.Text) {
			return step.Seq
		}
	}
	return 0
}

// opposite reports whether one command is the other with one word changed.
func opposite(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) != len(y) || len(x) < 3 {
		return false
	}
	differ := 0
	for i := range x {
		if !strings.EqualFold(x[i], y[i]) {
			differ++
		}
	}
	return differ == 1
}

var (
	// changes are the verbs of PowerShell that leave something behind.
	changes = regexp.MustCompile(`(?i)\b(?:Set|Remove|New|Add|Start|Stop|Restart|Enable|Disable|Register|Unregister|Clear|Revoke|Unlock|Lock|Block|Unblock|Grant|Import|Install|Uninstall|` +
		`Move|Rename|Reset|Mount|Dismount|Update|Close|Write|Copy|Suspend|Resume|Invoke-Expression|Sync|Repair|Optimize|Initialize|Format-Volume|Send)-[A-Za-z]`)
	cmdlet = regexp.MustCompile(`\b[A-Z][a-z]+-[A-Z]\w+`)
	// looks are commands of other shells that change nothing.
	looks = regexp.MustCompile(`(?i)^(?:sudo )?(?:ping|nslookup|tracert|traceroute|pathping|quser|qwinsta|hostname|whoami|systeminfo|netstat|arp -a|route print|portqry|dig|host|cat|grep|tail|head|less|ls|df|du|ps|dmesg|` +
		`show|get|diagnose|ipconfig(?: /all)?$|w32tm /query|dsregcmd /status|vssadmin list|repadmin /(?:replsummary|showrepl)|nltest /server:\S+ /sc_query|gpresult|sc query|net (?:view|time)|cmdkey /list$|sqlcmd .*\bselect\b|ssh \S+ '(?:show|cat|grep|get)|nmap)`)
)

// readOnly reports whether a command only looks. It may say no for one that
// does, but seldom the other way around.
func readOnly(commands string) bool {
	if changes.MatchString(commands) || strings.Contains(commands, "fix-") {
		return false
	}
	for command := range strings.SplitSeq(commands, ";") {
		command = strings.TrimSpace(command)
		if command != "" && !looks.MatchString(command) && !cmdlet.MatchString(command) {
			return false
		}
	}
	return commands != ""
}

func (r *reader) ruledOut() []RuledOut {
	list := []RuledOut{}
	for _, step := range r.in.Steps {
		if step.Actor != models.ActorEngineer || step.Kind == models.StepCommand || slices.Contains(r.untrusted, step.Seq) {
			continue
		}
		for i, sentence := range sentencesWith(step.Text, notIt) {
			if i == 0 {
				list = append(list, RuledOut{Hypothesis: line(sentence), Basis: seen(step.Seq)})
			}
		}
	}
	return last(list, maxStatements)
}

// sentencesWith are the sentences that match, each with the one before it, which
// says why.
func sentencesWith(text string, re *regexp.Regexp) []string {
	var found []string
	all := transcript.Sentences(text)
	for i, s := range all {
		if re.MatchString(s) {
			if i > 0 {
				s = all[i-1] + " " + s
			}
			found = append(found, s)
		}
	}
	return found
}

func (r *reader) hypotheses() []Hypothesis {
	list := []Hypothesis{}
	for _, sentence := range transcript.Sentences(r.in.EngineerNotes) {
		if guess.MatchString(sentence) && !askHead.MatchString(sentence) {
			list = append(list, Hypothesis{Statement: line(sentence), For: []int{}, Against: []int{}, Basis: written()})
		}
	}
	list = first(list, 4)
	var own []Hypothesis
	for _, step := range r.in.Steps {
		if step.Actor == models.ActorEngineer && step.Kind != models.StepCommand && !slices.Contains(r.untrusted, step.Seq) {
			for _, s := range transcript.Sentences(step.Text) {
				if because.MatchString(s) && !strings.HasSuffix(s, "?") {
					own = append(own, Hypothesis{Statement: line(s), For: []int{step.Seq}, Against: []int{}, Basis: seen(step.Seq)})
				}
			}
		}
	}
	return append(list, last(own, 3)...)
}

// nextSteps are the if-then of the notes, and the assistant's last advice when
// nothing was tried after it.
func (r *reader) nextSteps() []NextStep {
	list := []NextStep{}
	for _, sentence := range transcript.Sentences(r.in.EngineerNotes) {
		if ifThen.MatchString(sentence) {
			list = append(list, NextStep{Action: line(sentence), Reversible: Unknown, NeedsApproval: Unknown, Basis: written()})
		}
	}
	list = first(list, 4)
	advice := r.lastAdvice
	if advice == nil || slices.Contains(r.untrusted, advice.Seq) || forbids.MatchString(advice.Text) {
		return list
	}
	if n := len(r.attempts); n > 0 && r.attempts[n-1].Step.Seq > advice.Seq {
		return list
	}
	step := NextStep{
		Action: transcript.Shorten(transcript.OneLine(advice.Text), 2*maxLine), Why: "The session's AI assistant advised it last, and nothing was tried after it.",
		Reversible: Unknown, NeedsApproval: Unknown, Hazard: hazard(advice.Text), Basis: seen(advice.Seq),
	}
	return append(list, step)
}

func (r *reader) risks(tried []Attempt) []Risk {
	list := []Risk{}
	has := func(text string) bool {
		return slices.ContainsFunc(list, func(x Risk) bool { return x.Text == text })
	}
	add := func(kind RiskKind, re *regexp.Regexp, n int, actors ...models.Actor) {
		for _, s := range r.find(re, n, []string{r.in.EngineerNotes}, actors...) {
			told := !s.FromHandoff && slices.ContainsFunc(r.promises, func(p transcript.Remark) bool { return p.Step.Seq == s.Refs[0] })
			if !has(s.Text) && !told {
				list = append(list, Risk{kind, s.Text, s.Basis})
			}
		}
	}
	for _, seq := range first(slices.Clone(r.untrusted), 3) {
		list = append(list, Risk{RiskUntrusted, "This step speaks to an AI as if to give it orders. Nothing in the briefing relies on it.", seen(seq)})
	}
	add(RiskDoNotTouch, careful, 6, models.ActorAssistant, models.ActorEngineer)
	add(RiskPending, pending, 4, models.ActorEngineer)
	add(RiskFreeze, freeze, 3, models.ActorSystem, models.ActorEngineer)
	add(RiskDataLoss, dataLoss, 4, models.ActorEngineer, models.ActorUser)
	add(RiskSecurity, danger, 4, models.ActorEngineer, models.ActorAssistant)
	for _, a := range tried {
		if a.Outcome == Worse && a.Reversed == ReversedUnknown {
			list = append(list, Risk{RiskPending, "Made it worse, and no step says that it was undone: " + a.Action, a.Basis})
		}
	}
	return first(list, 16)
}

func (r *reader) communication() Communication {
	c := Communication{Promises: []Promise{}, LastWord: r.lastWord}
	lastTold := 0
	for _, p := range r.promises {
		c.Promises = append(c.Promises, Promise{line(p.Text), lastWhen(p.Text), p.Step.At, seen(p.Step.Seq)})
		c.LastUpdate = &Quote{Text: firstLines(p.Step.Text, maxText), At: p.Step.At, Basis: seen(p.Step.Seq)}
		lastTold = p.Step.Seq
	}
	c.Promises = last(c.Promises, maxPromises)
	for _, step := range r.in.Steps {
		if step.Actor == models.ActorUser && step.Seq > lastTold {
			c.Unanswered++
		}
	}
	return c
}

func (r *reader) openQuestions() []Open {
	list := []Open{}
	for _, sentence := range transcript.Sentences(r.in.EngineerNotes) {
		if s := line(sentence); question.MatchString(s) {
			list = append(list, Open{Question: s, AskedBy: models.ActorEngineer, Basis: written()})
		}
	}
	list = first(list, 4)
	var asked []Open
	for i, step := range r.in.Steps {
		if step.Kind == models.StepCommand || slices.Contains(r.untrusted, step.Seq) || r.answered(i) {
			continue
		}
		for _, s := range transcript.Sentences(step.Text) {
			if s = line(s); question.MatchString(s) {
				asked = append(asked, Open{Question: s, AskedBy: step.Actor, Basis: seen(step.Seq)})
			}
		}
	}
	return append(list, last(asked, maxStatements)...)
}

// answered reports whether somebody who was asked said anything before the same
// person spoke again. Users ask us, the assistant asks us and the user, and
// engineers ask everybody.
func (r *reader) answered(i int) bool {
	asker := r.in.Steps[i].Actor
	for _, step := range r.in.Steps[i+1:] {
		switch {
		case asker == models.ActorUser:
			// What engineers tell the assistant answers no user.
			if transcript.Promise(step) != "" || step.Actor == models.ActorEngineer && answers.MatchString(step.Text) {
				return true
			}
		case step.Actor != asker:
			return true
		}
	}
	return false
}

var answers = regexp.MustCompile(`(?i)^\W*(?:yes|no|sorry|apologi[sz]ed|old copy)\b`)

func (r *reader) timeline() []Event {
	type entry struct {
		step models.Step
		rank int
		what string
	}
	var all []entry
	for i, step := range r.in.Steps {
		e := entry{step: step, what: transcript.OneLine(step.Text)}
		switch {
		case i == 0 || i == len(r.in.Steps)-1:
			e.rank = 9
		case step.Actor == models.ActorSystem:
			e.rank = 6
		case transcript.IsAttempt(step):
			e.rank = 2*important(step) + 1
			if e.rank == 1 {
				e.rank = 0 // it looked; the attempts tell
			}
		case step.Actor == models.ActorUser:
			e.rank = 4
		case transcript.Promise(step) != "":
			e.rank = 6
		case step.Kind == models.StepObservation:
			e.rank = 4
		case step.Kind == models.StepNote:
			e.rank = 3
		}
		if step.Kind == models.StepCommand {
			command, _ := transcript.SplitCommand(step.Text)
			e.what = transcript.OneLine(command)
		}
		if e.rank > 0 && e.what != "" {
			all = append(all, e)
		}
	}
	events := []Event{}
	for _, i := range most(len(all), maxTimeline, func(i int) int { return all[i].rank }) {
		e := all[i]
		event := Event{At: e.step.At, Actor: e.step.Actor, What: transcript.Shorten(e.what, 160), Basis: seen(e.step.Seq)}
		if e.step.Outcome != nil {
			event.Outcome = *e.step.Outcome
		}
		events = append(events, event)
	}
	return events
}

// most returns which of n things to keep, in their order: those of the highest
// rank, and of equals the newest.
func most(n, keep int, rank func(int) int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(rank(b), rank(a)), cmp.Compare(b, a))
	})
	order = order[:min(n, keep)]
	slices.Sort(order)
	return order
}

// completeness says what is missing of a good handoff.
func completeness(b Briefing) Completeness {
	noted, others := 0, 0
	for _, a := range b.Attempts {
		if a.Outcome != NotVerified {
			noted++
		} else if !a.ReadOnly {
			others++
		}
	}
	c := Completeness{Missing: []Missing{}}
	for _, part := range []struct {
		there  bool
		points int
		Missing
	}{
		{len(b.Ask.Requests) > 0, 30, Missing{MissingAsk, "Say what the next person has to do or to decide, and by when: start a sentence with “Ask:”."}},
		{len(b.Attempts) > 0, 20, Missing{MissingAttempts, "Say what was tried, or that nothing was."}},
		{len(b.Severity.Impact) > 0, 15, Missing{MissingImpact, "Say who cannot work, and what it costs them."}},
		{noted > 0 && noted >= others, 10, Missing{MissingOutcomes, "Note what each attempt did: worked, no change, worse, inconclusive."}},
		{strings.TrimSpace(b.Problem.Reported) != "", 10, Missing{MissingProblem, "Describe the problem in the customer's words."}},
		{b.Communication.LastUpdate != nil, 10, Missing{MissingCommunication, "Say what the customer was told, and when they hear from us next."}},
		{len(b.Environment) > 0, 5, Missing{MissingEnvironment, "Name the machines and programs that are concerned."}},
	} {
		if part.there {
			c.Score += part.points
		} else {
			c.Missing = append(c.Missing, part.Missing)
		}
	}
	return c
}

// line puts a text on one bounded line.
func line(s string) string { return transcript.Shorten(transcript.OneLine(s), maxLine) }

func first[T any](list []T, n int) []T { return list[:min(len(list), n)] }

func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

func addRef(refs []int, ref int) []int {
	if slices.Contains(refs, ref) {
		return refs
	}
	refs = append(refs, ref)
	slices.Sort(refs)
	return refs
}
