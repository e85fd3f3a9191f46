package chaos

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"time"

	"github.com/baton-handoff/baton/internal/llm/llmtest"
)

// oracle is the language model that makes briefings better: a strict fake in
// this process, which Baton reaches through a link of its own.
type oracle struct {
	fake    *llmtest.Fake
	server  *http.Server
	address string // of the link's near end
	seed    uint64
}

// oracleName is what the model is called in faults and links.
const oracleName = "model"

// What a million tokens cost, in dollars.
const (
	priceInput  = 3
	priceOutput = 15
)

// addModel adds a service of one kind or the other.
func (s *system) addModel(ctx context.Context, seed uint64) error {
	kinds := []llmtest.Kind{llmtest.Anthropic, llmtest.OpenAI}
	m := &oracle{fake: llmtest.New(kinds[seed%uint64(len(kinds))]), seed: seed}
	m.fake.SetContext(1_000_000) // that a prompt is too long is for others to try
	m.fake.SetAnswer(musings)
	m.fake.Tee(teeing{s.secrets})
	s.secrets.keep("the key of the model", m.fake.Key())
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("opening the model: %w", err)
	}
	m.server = &http.Server{Handler: m.ponder(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = m.server.Serve(listener) }() // ends with stop
	s.model = m
	l, err := s.addLink("baton ⇄ "+oracleName, listener.Addr().String())
	if err != nil {
		return err
	}
	m.address = "http://" + l.address
	return nil
}

// environ is how processes of Baton reach it.
func (m *oracle) environ() []string {
	c := m.fake.Config(m.address)
	return []string{
		"BATON_LLM=" + string(c.Kind), "BATON_LLM_MODEL=" + c.Model, "BATON_LLM_ADDRESS=" + c.Address, "BATON_LLM_KEY=" + m.fake.Key(),
		"BATON_LLM_ALLOW_PRIVATE=127.0.0.0/8", "BATON_LLM_TIMEOUT=20s", "BATON_LLM_MONTHLY_BUDGET=100000",
		fmt.Sprintf("BATON_LLM_PRICE_INPUT=%d", priceInput), fmt.Sprintf("BATON_LLM_PRICE_OUTPUT=%d", priceOutput),
	}
}

// ponder lets each answer take a while, so that much happens meanwhile.
func (m *oracle) ponder() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := fnv.New32()
		_, _ = fmt.Fprint(h, m.seed, m.fake.Count())
		if wait(r.Context(), time.Duration(50+h.Sum32()%900)*time.Millisecond) {
			m.fake.ServeHTTP(w, r)
		}
	})
}

// musings is what the model says on a good day, which is not always good: most
// of what a model can do wrong follows its schema.
func musings(q llmtest.Request) string {
	h := fnv.New32()
	_, _ = h.Write([]byte(q.Prompt))
	switch h.Sum32() % 5 {
	case 0:
		return llmtest.InventedCitations(q)
	case 1:
		return llmtest.InjectionObeyed(q)
	case 2:
		return llmtest.Fill(q, func(property string, value any) any {
			if _, ok := value.(string); ok && property == "text" {
				return q.Prompt // what leaks to a model is in what it says
			}
			return value
		})
	default:
		return llmtest.Valid(q)
	}
}

// teeing looks through all that reaches the model.
type teeing struct{ *secrets }

func (t teeing) Write(body []byte) (int, error) {
	t.search("a request to the model", body)
	return len(body), nil
}

// trouble are the faults of a model's service, and wrong those of its answers.
func trouble() []llmtest.Fault {
	return []llmtest.Fault{
		{Kind: llmtest.FaultStatus, Status: http.StatusInternalServerError}, {Kind: llmtest.FaultCut}, {Kind: llmtest.FaultCutBody}, {Kind: llmtest.FaultGarbage},
	}
}

func limits() []llmtest.Fault {
	return []llmtest.Fault{{Kind: llmtest.FaultRateLimit}, {Kind: llmtest.FaultRateLimit, RetryAfter: "2"}, {Kind: llmtest.FaultOverloaded}}
}

func wrong() []llmtest.Fault {
	all := []llmtest.Fault{{Kind: llmtest.FaultRefusal}, {Kind: llmtest.FaultMaxTokens}, {Kind: llmtest.FaultEmpty}}
	for _, answer := range []func(llmtest.Request) string{
		llmtest.InvalidJSON, llmtest.WrongSchema, llmtest.Prose, llmtest.InventedCitations, llmtest.PromptRepeated, llmtest.InjectionObeyed,
	} {
		all = append(all, llmtest.Fault{Kind: llmtest.FaultAnswer, Answer: answer})
	}
	return all
}

// confuse lets most of the model's calls go wrong.
func confuse(how ...llmtest.Fault) func(context.Context, *system, string) error {
	return func(_ context.Context, s *system, _ string) error {
		s.model.fake.Faults().Random(s.model.seed, 0.7, how...)
		return nil
	}
}

func calmDown(_ context.Context, s *system, _ string) error {
	s.model.fake.Faults().Clear()
	return nil
}

// ModelTruth is what the model's service and Baton's books say of its calls.
type ModelTruth struct {
	// Calls is how many came, Answered how many of them are billed, and Billed
	// for how much at the least, in millionths of a dollar.
	Calls    int   `json:"calls"`
	Answered int   `json:"answered"`
	Billed   int64 `json:"billed"`
	// Booked is how many calls Baton knows of that may have cost something, and
	// Cost what they cost by its books.
	Booked int   `json:"booked"`
	Cost   int64 `json:"cost"`
}
