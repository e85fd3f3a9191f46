package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/baton-handoff/baton/internal/devstack"
)

// Temporal returns the address of a Temporal server and a fresh namespace
// there, which can be used at once: to register one takes milliseconds. It has
// no search attributes yet.
//
// On a server that outlives the tests the namespace is deleted when the test
// ends.
func Temporal(t testing.TB) (address, namespace string) {
	t.Helper()
	server, err := shared.temporal.get(openTemporal)
	if err != nil {
		t.Fatal("testenv: ", err)
	}
	namespace = "test-" + strings.ToLower(rand.Text()[:12])
	ctx, cancel := context.WithTimeout(t.Context(), workWithin)
	defer cancel()
	if _, err := server.client.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        namespace,
		Description:                      t.Name(),
		WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	}); err != nil {
		t.Fatalf("testenv: register a namespace: %v", err)
	}
	if server.keeps {
		t.Cleanup(func() {
			if err := server.delete(namespace); err != nil {
				t.Errorf("testenv: delete a namespace: %v", err)
			}
		})
	}
	return server.address, namespace
}

// temporalServer is a server that namespaces are registered on.
type temporalServer struct {
	address string
	client  client.Client
	stack   *devstack.Stack // nil when it is not ours
	keeps   bool            // it outlives the tests
}

func openTemporal() (*temporalServer, error) {
	server := &temporalServer{address: os.Getenv(devstack.EnvTemporalAddress)}
	if server.address != "" {
		// Deleting takes the server much longer than registering.
		server.keeps = os.Getenv(devstack.EnvThrowaway) == ""
	} else {
		var err error
		if server.stack, err = startPart(devstack.Options{SkipPostgres: true}); err != nil {
			return nil, err
		}
		server.address = server.stack.TemporalAddress
	}
	ctx, cancel := context.WithTimeout(context.Background(), workWithin)
	defer cancel()
	var err error
	server.client, err = client.DialContext(ctx, client.Options{
		HostPort: server.address,
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to Temporal at %s: %w", server.address, err), stop(server.stack))
	}
	return server, nil
}

func (s *temporalServer) delete(namespace string) error {
	ctx, cancel := context.WithTimeout(context.Background(), workWithin)
	defer cancel()
	_, err := s.client.OperatorService().DeleteNamespace(ctx, &operatorservice.DeleteNamespaceRequest{Namespace: namespace})
	return err
}

func (s *temporalServer) close() error {
	s.client.Close()
	return stop(s.stack)
}
