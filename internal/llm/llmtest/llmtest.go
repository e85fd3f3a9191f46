// Package llmtest fakes the services of language models at the wire: as strict
// as the real ones, able to misbehave in all their ways, and with a model that
// says what it is told to. Tests use it, and so do the chaos run and the
// sandbox. It shares no code with the adapters, so that a mistake of theirs is
// not repeated here.
package llmtest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/baton-handoff/baton/internal/fakes"
	"github.com/baton-handoff/baton/internal/llm"
)

// Kind is a service.
type Kind string

// The services. [Ollama] speaks OpenAI's API with fewer words: it has no key,
// ignores what it does not know, and cuts a prompt without saying so.
const (
	Anthropic Kind = "anthropic"
	OpenAI    Kind = "openai"
	Ollama    Kind = "ollama"
)

// Kinds are all services.
func Kinds() []Kind { return []Kind{Anthropic, OpenAI, Ollama} }

// Request is a call that came.
type Request struct {
	At     time.Time
	Header http.Header
	// Body is all of it, for a search for what should not be in it.
	Body []byte
	// Problem is why it was refused, empty for one that was answered or met a
	// fault.
	Problem string
	Fault   FaultKind

	// What was asked, as far as the request was valid. Of a prompt that Ollama
	// cut it is what the model saw.
	Model, System, Prompt, SchemaName string
	Schema                            json.RawMessage
	MaxTokens                         int
}

// Fake is a service. It is an [http.Handler]; [Fake.Config] is how to reach it.
type Fake struct {
	kind   Kind
	faults Faults

	mu       sync.Mutex
	key      string
	keys     int
	model    string
	context  int
	answer   func(Request) string
	requests []Request
	tee      io.Writer
	count    int
	answered int
	billed   usage
	underway int
	peak     int
	cached   map[string]bool
}

// kept is how many requests [Fake.Requests] remembers.
const kept = 1000

// New makes a fake of a service.
func New(kind Kind) *Fake {
	f := &Fake{kind: kind, cached: map[string]bool{}, context: 200_000, answer: Valid}
	switch kind {
	case Anthropic:
		f.model = "claude-sonnet-5-5"
	case Ollama:
		f.model, f.context = "llama-fake:8b", 4096
	default:
		f.model = "gpt-fake"
	}
	f.RotateKey()
	return f
}

// Config is how to reach the fake at an address like http://127.0.0.1:8090.
// The caller has to allow the address.
func (f *Fake) Config(address string) llm.Config {
	c := llm.Config{Kind: llm.KindOpenAI, Address: address + "/v1", Model: f.Model()}
	switch f.kind {
	case Anthropic:
		c.Kind, c.Address = llm.KindAnthropic, address
	case Ollama:
		c.TokenLimit, c.Format = llm.TokenLimitOld, llm.FormatSchema
	default:
	}
	return c
}

// Key is the key that is good now; empty for [Ollama].
func (f *Fake) Key() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.key
}

// RotateKey makes the key so far bad.
func (f *Fake) RotateKey() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys++
	switch f.kind {
	case Anthropic:
		f.key = "sk-ant-fake-" + strconv.Itoa(f.keys) + "-Zq8vT2mX"
	case Ollama:
	default:
		f.key = "sk-fake-" + strconv.Itoa(f.keys) + "-Zq8vT2mX"
	}
}

// Model is the one model that the service knows.
func (f *Fake) Model() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.model
}

// SetModel lets the service know another model instead.
func (f *Fake) SetModel(model string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.model = model
}

// SetContext sets how many tokens the model can read and write together.
func (f *Fake) SetContext(tokens int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.context = tokens
}

// SetAnswer sets what the model says from now on. It may be called for several
// requests at once. Nil means [Valid].
func (f *Fake) SetAnswer(answer func(Request) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer == nil {
		answer = Valid
	}
	f.answer = answer
}

// Faults decide which calls go wrong.
func (f *Fake) Faults() *Faults { return &f.faults }

// Requests returns the last thousand calls, the oldest first.
func (f *Fake) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Tee writes the body of each call from now on to w, one in a line.
func (f *Fake) Tee(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tee = w
}

// Count is how many calls came.
func (f *Fake) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Answered is how many calls the model answered, which is what is billed.
func (f *Fake) Answered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answered
}

// Billed is how many tokens at the full price were read and written in the calls
// that the model answered.
func (f *Fake) Billed() (input, output int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.billed.input, f.billed.output
}

// Peak is how many calls were under way at once, at most.
func (f *Fake) Peak() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peak
}

// problem is a refusal in the service's terms.
type problem struct {
	status                     int
	kind, code, param, message string
	header                     http.Header
}

// result is what the model makes of a request.
type result struct {
	id      string
	request Request
	text    string
	stop    stop
	usage   usage
}

type stop int

const (
	stopEnd stop = iota
	stopLength
	stopRefusal
)

// usage counts each token once.
type usage struct{ input, cached, written, output int }

// service is what differs between the fakes.
type service interface {
	// check reads a request as strictly as the real service does.
	check(r *http.Request, body []byte, f settings) (Request, *problem)
	// caches reports whether the prefix of a request is kept by its text.
	caches(q Request) bool
	answer(result) any
	refusal(p problem) any
	// fault is the problem of a fault; nil for one that it does not have.
	fault(Fault) *problem
	requestIDHeader() string
}

// settings are those of the fake when a request came.
type settings struct {
	key, model string
	context    int
	answer     func(Request) string
}

func (f *Fake) service() service {
	switch f.kind {
	case Anthropic:
		return messagesAPI{}
	case Ollama:
		return chatAPI{ollama: true}
	default:
		return chatAPI{}
	}
}

const maxRequest = 32 << 20

// ServeHTTP answers a call with whatever fault is due.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, set := f.enter()
	defer f.leave()
	api := f.service()
	w.Header().Set(api.requestIDHeader(), id)
	seen := Request{At: time.Now().UTC(), Header: r.Header.Clone()}

	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		fakes.Cut(w)
		return
	}
	seen.Body = body
	fault := pick(&f.faults)
	seen.Fault = fault.Kind
	if f.broken(w, r, api, id, fault) {
		f.record(seen)
		return
	}
	q, refused := api.check(r, body, set)
	if refused != nil {
		seen.Problem = refused.message
		f.record(seen)
		f.refuse(w, api, id, *refused)
		return
	}
	q.At, q.Header, q.Body, q.Fault = seen.At, seen.Header, seen.Body, seen.Fault
	f.record(q)
	if fault.Kind == FaultSlow && !fakes.Wait(r.Context().Done(), fault.Delay, fault.Until) {
		return
	}
	if fault.Kind == FaultAnswer && fault.Answer != nil {
		set.answer = fault.Answer
	}
	out := f.think(id, q, set, fault.Kind, api)
	if fault.Kind == FaultCutBody {
		raw, _ := json.Marshal(api.answer(out))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(raw[:len(raw)/2])
		_ = http.NewResponseController(w).Flush()
		fakes.Cut(w)
		return
	}
	write(w, http.StatusOK, api.answer(out))
}

// broken does the faults that leave no answer of the model.
func (f *Fake) broken(w http.ResponseWriter, r *http.Request, api service, id string, fault Fault) bool {
	status := fault.Status
	if status == 0 {
		status = http.StatusOK
	}
	switch fault.Kind {
	case FaultCut:
		fakes.Cut(w)
	case FaultStall:
		<-r.Context().Done()
	case FaultGarbage:
		writeRaw(w, status, "application/json", []byte("\x00\x01{\"id\":"))
	case FaultPage:
		writeRaw(w, status, "text/html; charset=utf-8",
			[]byte("<!DOCTYPE html><html><body><h1>Attention Required!</h1><p>secret-looking=hunter2hunter2</p></body></html>"))
	case FaultHuge:
		fakes.Flood(w, r)
	case FaultRedirect:
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		writeRaw(w, http.StatusFound, "text/plain", nil)
	case FaultRaw:
		for k, v := range fault.Header {
			w.Header()[k] = v
		}
		kind := w.Header().Get("Content-Type")
		if kind == "" {
			kind = "application/json"
		}
		writeRaw(w, status, kind, fault.Body)
	default:
		p := api.fault(fault)
		if p == nil {
			return false
		}
		f.refuse(w, api, id, *p)
	}
	return true
}

// think makes the model's answer, within the tokens that it was given.
func (f *Fake) think(id string, q Request, set settings, fault FaultKind, api service) result {
	out := result{id: id, request: q}
	input := tokens(q.System) + tokens(q.Prompt) + tokens(string(q.Schema))
	out.usage.input = input
	if api.caches(q) {
		prefix := tokens(q.System) + tokens(string(q.Schema))
		out.usage.input -= prefix
		if f.remember(q.Model + "\x00" + q.System + "\x00" + string(q.Schema)) {
			out.usage.cached = prefix
		} else {
			out.usage.written = prefix
		}
	}
	switch fault {
	case FaultRefusal:
		out.stop = stopRefusal
	case FaultEmpty:
	default:
		out.text = set.answer(q)
		if fault == FaultMaxTokens {
			out.text, out.stop = half(out.text), stopLength
		}
		if tokens(out.text) > q.MaxTokens {
			out.text, out.stop = string([]rune(out.text)[:max(0, q.MaxTokens*perToken-perToken)]), stopLength
		}
	}
	out.usage.output = tokens(out.text)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered++
	f.billed.input += out.usage.input
	f.billed.output += out.usage.output
	return out
}

// perToken is how many characters have one token here.
const perToken = 4

func tokens(text string) int { return (utf8.RuneCountInString(text) + perToken - 1) / perToken }

func half(text string) string {
	runes := []rune(text)
	return string(runes[:len(runes)/2])
}

// remember reports whether a prefix is cached, and caches it.
func (f *Fake) remember(prefix string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.cached[prefix]
	f.cached[prefix] = true
	return was
}

func (f *Fake) enter() (string, settings) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	f.underway++
	f.peak = max(f.peak, f.underway)
	return "req_fake_" + strconv.Itoa(f.count), settings{key: f.key, model: f.model, context: f.context, answer: f.answer}
}

func (f *Fake) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.underway--
}

func (f *Fake) record(q Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.requests) >= kept {
		f.requests = f.requests[1:]
	}
	f.requests = append(f.requests, q)
	if f.tee != nil {
		_, _ = f.tee.Write(append(slices.Clone(q.Body), '\n'))
	}
}

func (f *Fake) refuse(w http.ResponseWriter, api service, id string, p problem) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	body := api.refusal(p)
	if m, ok := body.(map[string]any); ok && f.kind == Anthropic {
		m["request_id"] = id
	}
	write(w, p.status, body)
}

func write(w http.ResponseWriter, status int, body any) {
	raw, _ := json.Marshal(body)
	writeRaw(w, status, "application/json", raw)
}

func writeRaw(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
