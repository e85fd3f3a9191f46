package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/app"
)

// measureLive takes the time from the request that creates a handoff to its
// frame on a stream of another replica, in units of a bare Update.
func measureLive(ctx context.Context, b *bench) ([]Row, error) {
	w, leave, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	other, stop, err := w.start(ctx, app.Options{API: true})
	if err != nil {
		return nil, err
	}
	defer stop()
	arrivals, done, err := w.watch(ctx, other)
	if err != nil {
		return nil, err
	}
	defer done()

	shown := make([]round, b.Sizes.Rounds)   // create → frame ÷ Update
	created := make([]round, b.Sizes.Rounds) // create → answer ÷ start
	for i := range shown {
		bare, err := w.bare.workflows(ctx, w.installation, b.Sizes.Creates)
		if err != nil {
			return nil, err
		}
		for j := range b.Sizes.Creates {
			session, err := w.session(ctx, w.base)
			if err != nil {
				return nil, err
			}
			err = alternate(j,
				func() error {
					began := time.Now()
					h, took, err := w.handOff(ctx, w.base, session)
					if err != nil {
						return err
					}
					at, err := arrivals.of(ctx, h.ID)
					if err != nil {
						return err
					}
					shown[i].baton = append(shown[i].baton, milliseconds(at.Sub(began)))
					created[i].baton = append(created[i].baton, milliseconds(took))
					return errors.Join(w.settled(ctx, h.workflow()), pause(ctx, calm))
				},
				func() error {
					took, err := w.bare.update(ctx, bare[j])
					if err != nil {
						return err
					}
					shown[i].floor = append(shown[i].floor, milliseconds(took))
					id, took, err := w.bare.begin(ctx)
					if err != nil {
						return err
					}
					created[i].floor = append(created[i].floor, milliseconds(took))
					return errors.Join(w.settled(ctx, id), pause(ctx, calm))
				})
			if err != nil {
				return nil, err
			}
		}
	}
	const how = "from the POST at one replica to the frame handoff_created on a stream of another one; beside it the bare Update of the first row; one at a time, alternating"
	const start = "the answer 201 to the same POST ÷ the SDK's ExecuteWorkflow of the bare workflow"
	return []Row{
		ratioRow("create → frame at another replica ÷ bare Update, p50", "ms", shown, 0.5, 2, how),
		ratioRow("create → frame at another replica ÷ bare Update, p99", "ms", shown, 0.99, 0, how),
		ratioRow("create → answer ÷ bare start of a workflow, p50", "ms", created, 0.5, 0, start),
		{What: "what Baton adds to a bare start, p50", Unit: "ms", Baton: differences(created), How: "the difference of the medians of the row above"},
	}, nil
}

// arrival is when the frame of a new handoff came.
type arrival struct {
	id uuid.UUID
	at time.Time
}

type arrivals chan arrival

// of waits for the arrival of a handoff.
func (a arrivals) of(ctx context.Context, id uuid.UUID) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		select {
		case next, open := <-a:
			if !open {
				return time.Time{}, errors.New("the stream ended")
			}
			if next.id == id {
				return next.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("waiting for the frame of handoff %s: %w", id, ctx.Err())
		}
	}
}

// watch follows the feed at a replica and notes when new handoffs arrive.
func (in *installation) watch(ctx context.Context, base string) (arrivals, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/ai-sessions/escalations/stream", nil)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+in.seniors[0].token)
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Do(req) //nolint:bodyclose // whoever reads it closes it, below
	if err != nil {
		cancel()
		return nil, nil, err
	}
	found := make(arrivals, 64)
	go func() {
		defer close(found)
		defer func() { _ = resp.Body.Close() }()
		created := false
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			line := lines.Text()
			if event, ok := strings.CutPrefix(line, "event: "); ok {
				created = event == "handoff_created"
			}
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok || !created {
				continue
			}
			at := time.Now() // before it costs anything to look into it
			var event struct {
				HandoffID uuid.UUID `json:"handoff_id"`
			}
			if json.Unmarshal([]byte(data), &event) == nil {
				found <- arrival{event.HandoffID, at}
			}
		}
	}()
	return found, func() {
		cancel()
		for range found { // until the reader has ended
		}
		client.CloseIdleConnections()
	}, nil
}
