package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/models"
)

// probeTimeout bounds all checks together. Orchestrators give a probe a second
// or a few.
const probeTimeout = 2 * time.Second

// GetHealth tells that the process is alive.
func (h handlers) GetHealth(context.Context, gen.GetHealthRequestObject) (gen.GetHealthResponseObject, error) {
	return gen.GetHealth200JSONResponse{Status: "ok", Version: h.o.Version}, nil
}

// GetReadiness asks every part at once, and names those that are down.
func (h handlers) GetReadiness(ctx context.Context, _ gen.GetReadinessRequestObject) (gen.GetReadinessResponseObject, error) {
	ctx, cancel := context.WithTimeout(plain(ctx), probeTimeout)
	defer cancel()

	type result struct {
		name string
		err  error
	}
	results := make(chan result, len(h.o.Checks)) // a check that comes too late blocks nobody
	answer := gen.Readiness{Status: gen.ReadinessStatusOK, Parts: map[string]gen.PartStatus{}}
	for _, check := range h.o.Checks {
		answer.Parts[check.Name] = gen.PartStatusDown // until it has answered
		go func() { results <- result{check.Name, check.Probe(ctx)} }()
	}
	for range h.o.Checks {
		select {
		case r := <-results:
			if r.err == nil {
				answer.Parts[r.name] = gen.PartStatusOK
			} else {
				h.o.Logger.WarnContext(ctx, "A part is down.", "part", r.name, "error", r.err)
			}
		case <-ctx.Done():
		}
	}
	for _, state := range answer.Parts {
		if state != gen.PartStatusOK {
			answer.Status = gen.ReadinessStatusDown
		}
	}
	if h.streams.draining() {
		answer.Status = gen.ReadinessStatusDraining
	}
	if answer.Status != gen.ReadinessStatusOK {
		return gen.GetReadiness503JSONResponse(answer), nil
	}
	return gen.GetReadiness200JSONResponse(answer), nil
}

// GetMe tells who the token stands for.
func (h handlers) GetMe(ctx context.Context, _ gen.GetMeRequestObject) (gen.GetMeResponseObject, error) {
	_, by := caller(ctx)
	return gen.GetMe200JSONResponse(me(by)), nil
}

func (s *Server) metrics(c *gin.Context) {
	if s.o.Metrics == nil {
		s.fail(c, models.Errorf(models.CodeNotFound, "This server keeps no metrics."))
		return
	}
	s.o.Metrics.ServeHTTP(c.Writer, c.Request)
}

// openAPI publishes the description that requests are checked against.
func (s *Server) openAPI(c *gin.Context) {
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, "application/json", s.spec.json)
}
