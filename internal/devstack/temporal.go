package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	temporalLogName  = "temporal.log"
	temporalPIDName  = "temporal.pid"
	temporalEnvName  = "temporal.yaml" // never written
	temporalDataName = "temporal.db"
	defaultNamespace = "default"

	// keptRetention is how long closed workflows stay visible where data are
	// kept: the dev server's own day is over before anybody looks.
	keptRetention = 30 * 24 * time.Hour
)

// dynamicConfig are settings of the server, as its flag takes them.
var dynamicConfig = []string{
	// Fifty people who want the same handoff are no reason to refuse updates.
	"history.maxInFlightUpdates=1000",
	"system.enableActivityEagerExecution=true",
	// Search attributes can be used once they are registered.
	"system.forceSearchAttributesCacheRefreshOnRead=true",
	// One process gains nothing from partitions, and tasks wait in those that
	// no worker polls.
	"matching.numTaskqueueReadPartitions=1",
	"matching.numTaskqueueWritePartitions=1",
	// The UI's list of workers.
	"frontend.WorkerHeartbeatsEnabled=true",
	"frontend.ListWorkersEnabled=true",
	// It would ask the internet.
	"frontend.enableServerVersionCheck=false",
}

// startTemporal finds or makes the program of the dev server and starts it.
func (s *Stack) startTemporal(ctx context.Context, o Options) error {
	path, err := findTemporal(ctx, s.place, o.Logf)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.place.data(), 0o755); err != nil {
		return err
	}
	logPath := filepath.Join(s.Dir, temporalLogName)
	if err := rotate(logPath); err != nil {
		return err
	}
	database := ""
	if s.place.persistent {
		database = filepath.Join(s.place.data(), temporalDataName)
	}
	existing := database != "" && exists(database)

	var port, uiPort int
	s.temporal, err = startRetrying(ctx, func() (*Process, error) {
		ports, err := pickPorts(o.TemporalPort, max(o.UIPort, 0))
		if err != nil {
			return nil, err
		}
		port, uiPort = ports[0], ports[1]
		if o.UIPort < 0 {
			uiPort = 0
		}
		return s.newProcess(processSpec{
			name:    "Temporal",
			path:    path,
			args:    s.temporalArgs(port, uiPort, database, o.SearchAttributes),
			env:     temporalEnv(s.Dir),
			dir:     s.place.data(),
			logPath: logPath,
			pidPath: filepath.Join(s.Dir, temporalPIDName),
			// It takes more than a second to end gracefully, and its SQLite loses
			// nothing when it is killed.
			stopSignal:   temporalStopSignal(s.place.persistent),
			orphanSignal: syscall.SIGKILL,
			clear:        s.place.stopLeftoverTemporal,
			ready: func(ctx context.Context) error {
				return temporalReady(ctx, hostPort(port), uiPort)
			},
		}, o.Logf), nil
	}, temporalErrorPasses)
	var exit *exitError
	if existing && errors.As(err, &exit) {
		return fmt.Errorf("%w\nIf the temporal program was replaced by another version, remove %s* to start over", err, database)
	}
	if err != nil {
		return err
	}
	s.TemporalAddress = hostPort(port)
	if uiPort > 0 {
		s.TemporalUIURL = "http://" + hostPort(uiPort)
	}
	if s.place.persistent {
		return keepLonger(ctx, s.TemporalAddress)
	}
	return nil
}

// temporalErrorPasses reports whether a failed start is worth another try. Any
// is: the server chooses the ports of its inner parts itself, and says that one
// of them was taken meanwhile in several ways, a panic among them.
func temporalErrorPasses(string) bool { return true }

func temporalStopSignal(persistent bool) syscall.Signal {
	if persistent {
		return syscall.SIGTERM
	}
	return syscall.SIGKILL
}

func (s *Stack) temporalArgs(port, uiPort int, database string, searchAttributes map[string]string) []string {
	args := []string{
		"server", "start-dev", "--ip", loopback, "--port", strconv.Itoa(port),
		"--log-level", "error", "--color", "never",
		// Not the user's, and a mark to know the process by.
		"--env-file", filepath.Join(s.Dir, temporalEnvName),
	}
	if uiPort > 0 {
		args = append(args, "--ui-port", strconv.Itoa(uiPort))
	} else {
		args = append(args, "--headless")
	}
	if database != "" {
		args = append(args, "--db-filename", database,
			// Without a write-ahead log every transaction waits for the disk twice.
			"--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal")
	}
	for _, setting := range dynamicConfig {
		args = append(args, "--dynamic-config-value", setting)
	}
	var attributes []string
	for name, kind := range searchAttributes {
		attributes = append(attributes, name+"="+kind)
	}
	slices.Sort(attributes)
	for _, attribute := range attributes {
		args = append(args, "--search-attribute", attribute)
	}
	return args
}

// temporalEnv is our environment without the settings of Temporal clients, and
// with a home of its own, where the program writes a file.
func temporalEnv(home string) []string {
	env := []string{"HOME=" + home}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name == "HOME" || strings.HasPrefix(name, "TEMPORAL_") {
			continue
		}
		env = append(env, entry)
	}
	return env
}

// stopLeftoverTemporal ends a server that still runs for this directory.
func (p place) stopLeftoverTemporal(ctx context.Context) error {
	path := filepath.Join(p.dir, temporalPIDName)
	mark := "--env-file " + filepath.Join(p.dir, temporalEnvName)
	if _, err := stopLeftover(ctx, readPID(path), syscall.SIGKILL, "start-dev", mark); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove a stale pid file: %w", err)
	}
	return nil
}

// temporalReady asks for what a client needs: the frontend, the default
// namespace, which comes a little later, and the UI if there is one.
func temporalReady(ctx context.Context, address string, uiPort int) error {
	// A gRPC client waits a second after a refused connection.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	conn.Close()

	temporal, err := dialTemporal(address)
	if err != nil {
		return err
	}
	defer temporal.Close()
	if _, err := temporal.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return err
	}
	if _, err := temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{
		Namespace: defaultNamespace,
	}); err != nil {
		return err
	}
	if uiPort == 0 {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+hostPort(uiPort)+"/", nil)
	if err != nil {
		return err
	}
	// Its own transport, which leaves no connection behind and needs no proxy.
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func dialTemporal(address string) (client.Client, error) {
	return client.NewLazyClient(client.Options{
		HostPort: address,
		Logger:   log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
}

// keepLonger raises the retention of the default namespace.
func keepLonger(ctx context.Context, address string) error {
	temporal, err := dialTemporal(address)
	if err != nil {
		return fmt.Errorf("raise Temporal's retention: %w", err)
	}
	defer temporal.Close()
	if _, err := temporal.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: defaultNamespace,
		Config:    &namespace.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(keptRetention)},
	}); err != nil {
		return fmt.Errorf("raise Temporal's retention: %w", err)
	}
	return nil
}
