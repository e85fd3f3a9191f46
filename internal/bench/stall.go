package bench

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/baton-handoff/baton/internal/llm/llmtest"
)

// stallTarget allows for the noise of a machine: nobody waits for a model.
const stallTarget = 1.25

// measureStall compares creates and claims of handoffs whose briefings wait for
// a model that takes every call and answers none with those of an account that
// uses no model.
func measureStall(ctx context.Context, b *bench) ([]Row, error) {
	model := llmtest.New(llmtest.Anthropic)
	server := httptest.NewServer(model)
	defer server.Close()
	defer server.CloseClientConnections() // or Close would wait for what stalls
	c := model.Config(server.URL)
	w, leave, err := b.world(ctx, "BATON_LLM="+string(c.Kind), "BATON_LLM_MODEL="+c.Model, "BATON_LLM_ADDRESS="+c.Address,
		"BATON_LLM_KEY="+model.Key(), "BATON_LLM_ALLOW_PRIVATE=127.0.0.0/8")
	if err != nil {
		return nil, err
	}
	defer leave()
	without, admin, err := w.openAccount(ctx, "Bench MSP without a model")
	if err != nil {
		return nil, err
	}
	if _, _, err := admin.expect(ctx, http.StatusOK, http.MethodPut, w.base+"/api/v1/briefings/settings", `{"use_model":false}`); err != nil {
		return nil, err
	}
	with, _, err := w.openAccount(ctx, "Bench MSP with a model")
	if err != nil {
		return nil, err
	}
	model.Faults().Set(llmtest.Fault{Kind: llmtest.FaultStall})
	accounts := []*world{without, with}
	creates, claims := make([]round, b.Sizes.Rounds), make([]round, b.Sizes.Rounds)
	for r := range b.Sizes.Rounds {
		before := model.Count()
		// First all creates, so that the claims find calls that have been stuck for
		// a while.
		handoffs := make([][]handoff, len(accounts))
		created, claimed := make([][]float64, len(accounts)), make([][]float64, len(accounts))
		err := inTurn(b.Sizes.Outages, accounts, func(i int, w *world) error {
			session, err := w.session(ctx, w.base)
			if err != nil {
				return err
			}
			h, took, err := w.handOff(ctx, w.base, session)
			if err != nil {
				return err
			}
			handoffs[i], created[i] = append(handoffs[i], h), append(created[i], milliseconds(took))
			return errors.Join(w.settled(ctx, h.workflow()), pause(ctx, calm))
		})
		if err != nil {
			return nil, err
		}
		if model.Count() == before {
			return nil, errors.New("the model was not asked to brief a handoff")
		}
		err = inTurn(b.Sizes.Outages, accounts, func(i int, w *world) error {
			took, err := w.claim(ctx, handoffs[i][len(claimed[i])])
			claimed[i] = append(claimed[i], milliseconds(took))
			return err
		})
		if err != nil {
			return nil, err
		}
		creates[r], claims[r] = round{baton: created[1], floor: created[0]}, round{baton: claimed[1], floor: claimed[0]}
		for i, w := range accounts {
			for _, h := range handoffs[i] { // so that nothing of the round is under way in the next
				if _, _, err := w.seniors[0].expect(ctx, http.StatusOK, http.MethodPost, h.url(w.base)+"/resolve", `{"resolution":"The round is over."}`); err != nil {
					return nil, err
				}
			}
		}
		if err := pause(ctx, givenUp); err != nil {
			return nil, err
		}
	}
	const how = "requests over REST of an account whose briefings wait for a model that takes every call and answers none ÷ of one that uses no model; " +
		"one at a time, alternating in the same processes"
	return []Row{
		ratioRow("claim while the model stalls ÷ without a model, p50", "ms", claims, 0.5, stallTarget, how),
		ratioRow("claim while the model stalls ÷ without a model, p99", "ms", claims, 0.99, 0, how),
		ratioRow("create while the model stalls ÷ without a model, p50", "ms", creates, 0.5, stallTarget, how),
		ratioRow("create while the model stalls ÷ without a model, p99", "ms", creates, 0.99, 0, how),
	}, nil
}

// givenUp is how long it takes until the calls for handoffs that were closed
// are given up: a heartbeat, and a little.
const givenUp = 4 * time.Second
