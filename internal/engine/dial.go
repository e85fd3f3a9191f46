package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"

	"github.com/baton-handoff/baton/workflows"
)

// Dial makes a Temporal client for the engine. It does not connect yet, so it
// works while Temporal is down.
func Dial(o client.Options) (client.Client, error) {
	o.ConnectionOptions.DialOptions = append(o.ConnectionOptions.DialOptions, grpc.WithStatsHandler(wire{}))
	c, err := client.NewLazyClient(o)
	if err != nil {
		return nil, fmt.Errorf("preparing the Temporal client: %w", err)
	}
	return c, nil
}

// RegisterSearchAttributes makes Baton's search attributes known to a
// namespace. Any number of processes may call it. It needs the operator
// service, which Temporal Cloud does not offer: there, register them once by
// hand (see docs/runbook.md).
func RegisterSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	have, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("listing search attributes: %w", err)
	}
	missing := map[string]enums.IndexedValueType{}
	for _, name := range workflows.SearchAttributes() {
		if _, ok := have.GetCustomAttributes()[name]; !ok {
			missing[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	if err != nil {
		return fmt.Errorf("registering search attributes: %w", err)
	}
	return nil
}

// wire notices whether a call ever reached the network. A call that did not
// cannot have had an effect, however it failed; one that did may have.
type wire struct{}

type wireKey struct{}

// watchWire returns a context for calls, and whether any was sent.
func watchWire(ctx context.Context) (context.Context, *atomic.Bool) {
	sent := new(atomic.Bool)
	return context.WithValue(ctx, wireKey{}, sent), sent
}

func (wire) TagRPC(ctx context.Context, call *stats.RPCTagInfo) context.Context {
	if strings.HasSuffix(call.FullMethodName, "/GetSystemInfo") {
		return context.WithValue(ctx, wireKey{}, nil) // the client's own first question changes nothing
	}
	return ctx
}

func (wire) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.OutHeader); ok {
		if sent, ok := ctx.Value(wireKey{}).(*atomic.Bool); ok {
			sent.Store(true)
		}
	}
}

func (wire) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (wire) HandleConn(context.Context, stats.ConnStats) {}
