package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The programs that Temporal on PostgreSQL needs. The dev server of the CLI
// has SQLite alone, and nobody runs that in production.
const (
	temporalServerName  = "temporal-server"
	temporalSQLToolName = "temporal-sql-tool"
	temporalSQLPlugin   = "postgres12_pgx"
)

// startTemporalOnPostgres starts Temporal's own server, all its services in one
// process, with its two databases on the PostgreSQL of this stack.
func (s *Stack) startTemporalOnPostgres(ctx context.Context, o Options) error {
	server, err := findTool(temporalServerName)
	if err != nil {
		return err
	}
	tool, err := findTool(temporalSQLToolName)
	if err != nil {
		return err
	}
	postgres, err := url.Parse(s.DatabaseURL)
	if err != nil {
		return err
	}
	for database, schema := range map[string]string{
		"temporal": "postgresql/v12/temporal", "temporal_visibility": "postgresql/v12/visibility",
	} {
		if err := s.temporalSchema(ctx, tool, postgres, database, schema, o.Logf); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.place.data(), 0o755); err != nil {
		return err
	}
	logPath := filepath.Join(s.Dir, temporalLogName)
	if err := rotate(logPath); err != nil {
		return err
	}
	var port int
	s.temporal, err = startRetrying(ctx, func() (*Process, error) {
		ports, err := pickLowPorts(8)
		if err != nil {
			return nil, err
		}
		if o.TemporalPort != 0 {
			ports[0] = o.TemporalPort
		}
		port = ports[0]
		root := filepath.Join(s.place.data(), "temporal-server")
		if err := writeServerConfig(root, postgres, ports); err != nil {
			return nil, err
		}
		return s.newProcess(processSpec{
			name:    "Temporal",
			path:    server,
			args:    []string{"--root", root, "--config", ".", "--env", "server", "--allow-no-auth", "start"},
			env:     temporalEnv(s.Dir),
			dir:     root,
			logPath: logPath,
			pidPath: filepath.Join(s.Dir, temporalPIDName),
			// What it has answered is in PostgreSQL.
			stopSignal:   syscall.SIGKILL,
			orphanSignal: syscall.SIGKILL,
			clear: func(ctx context.Context) error {
				_, err := stopLeftover(ctx, readPID(filepath.Join(s.Dir, temporalPIDName)), syscall.SIGKILL, temporalServerName, "--root "+root)
				return err
			},
			ready: func(ctx context.Context) error {
				if err := registerDefaultNamespace(ctx, hostPort(port)); err != nil {
					return err
				}
				return temporalReady(ctx, hostPort(port), 0)
			},
		}, o.Logf), nil
	}, temporalErrorPasses)
	if err != nil {
		return err
	}
	s.TemporalAddress = hostPort(port)
	return nil
}

// pickLowPorts chooses free ports that fit into a signed 16-bit number: the
// schema of Temporal on PostgreSQL keeps them in a smallint.
func pickLowPorts(n int) ([]int, error) {
	const least, most = 10_000, 1<<15 - 1
	var err error
	for range 50 {
		wanted := make([]int, n)
		for i, offset := range rand.Perm(most - least)[:n] {
			wanted[i] = least + offset
		}
		if wanted, err = pickPorts(wanted...); err == nil {
			return wanted, nil
		}
	}
	return nil, err
}

// findTool finds a program that `make` builds: on the PATH, else in the bin of
// the checkout.
func findTool(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	if root := moduleRoot(); root != "" {
		if path := filepath.Join(root, "bin", name); executable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s, which Temporal on PostgreSQL needs: run `make bin/%s`", name, name)
}

// temporalSchema makes a database of Temporal's and brings it up to date. All
// of it may be there already.
func (s *Stack) temporalSchema(ctx context.Context, tool string, postgres *url.URL, database, schema string, logf logfFunc) error {
	defer progress(logf, "creating the database "+database)()
	existed, err := databaseExists(ctx, postgres, database)
	if err != nil {
		return err
	}
	steps := [][]string{{"create"}, {"setup-schema", "-v", "0.0"}, {"update-schema", "--schema-name", schema}}
	if existed {
		steps = steps[2:]
	}
	password, _ := postgres.User.Password()
	for _, step := range steps {
		args := append([]string{
			"--plugin", temporalSQLPlugin, "--endpoint", postgres.Hostname(), "--port", postgres.Port(),
			"--user", postgres.User.Username(), "--database", database,
		}, step...)
		_, err := runCommand(ctx, nil, func(command *exec.Cmd) {
			command.Env = append(temporalEnv(s.Dir), "SQL_PASSWORD="+password) // other processes see arguments
		}, tool, args...)
		if err != nil {
			return fmt.Errorf("the schema of %s: %w", database, err)
		}
	}
	return nil
}

// registerDefaultNamespace makes the namespace that the dev server has by
// itself.
func registerDefaultNamespace(ctx context.Context, address string) error {
	temporal, err := dialTemporal(address)
	if err != nil {
		return err
	}
	defer temporal.Close()
	_, err = temporal.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: defaultNamespace, WorkflowExecutionRetentionPeriod: durationpb.New(keptRetention),
	})
	var exists *serviceerror.NamespaceAlreadyExists
	if errors.As(err, &exists) {
		return nil
	}
	return err
}

// serverConfig is the configuration of Temporal's server: the development
// configuration of its own repository, with the plugin that uses pgx, free
// ports and the connections of a small production cluster.
const serverConfig = `log: {stdout: true, level: error}
persistence:
  defaultStore: default
  visibilityStore: visibility
  numHistoryShards: 4
  datastores:
{{- range .Stores }}
    {{ .Name }}:
      sql:
        pluginName: {{ $.Plugin }}
        databaseName: {{ .Database }}
        connectAddr: {{ printf "%q" $.PostgresAddress }}
        connectProtocol: tcp
        user: {{ printf "%q" $.User }}
        password: {{ printf "%q" $.Password }}
        maxConns: 30
        maxIdleConns: 30
        maxConnLifetime: 1h
{{- end }}
global:
  membership: {maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}
services:
{{- range .Services }}
  {{ .Name }}:
    rpc: {grpcPort: {{ .Port }}, membershipPort: {{ .Membership }}, bindOnLocalHost: true}
{{- end }}
clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active: {enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: "127.0.0.1:{{ .Frontend }}"}
dcRedirectionPolicy: {policy: noop}
publicClient: {hostPort: "127.0.0.1:{{ .Frontend }}"}
archival:
  history: {state: disabled}
  visibility: {state: disabled}
namespaceDefaults:
  archival:
    history: {state: disabled}
    visibility: {state: disabled}
dynamicConfigClient: {filepath: {{ printf "%q" .Dynamic }}, pollInterval: 1h}
`

// writeServerConfig writes the configuration files of the server into a
// directory that nobody else can read.
func writeServerConfig(dir string, postgres *url.URL, ports []int) error {
	type store struct{ Name, Database string }
	type service struct {
		Name             string
		Port, Membership int
	}
	password, _ := postgres.User.Password()
	values := struct {
		Plugin, PostgresAddress, User, Password, Dynamic string
		Frontend                                         int
		Stores                                           []store
		Services                                         []service
	}{
		Plugin: temporalSQLPlugin, PostgresAddress: postgres.Host, User: postgres.User.Username(), Password: password,
		Dynamic:  filepath.Join(dir, "dynamic.yaml"),
		Frontend: ports[0],
		Stores:   []store{{"default", "temporal"}, {"visibility", "temporal_visibility"}},
	}
	for i, name := range []string{"frontend", "history", "matching", "worker"} {
		values.Services = append(values.Services, service{name, ports[i], ports[4+i]})
	}
	var config, dynamic bytes.Buffer
	if err := template.Must(template.New("").Parse(serverConfig)).Execute(&config, values); err != nil {
		return fmt.Errorf("the configuration of Temporal: %w", err)
	}
	for _, setting := range dynamicConfig {
		key, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(&dynamic, "%s:\n  - value: %s\n", key, value)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "server.yaml"), config.Bytes(), 0o600),
		os.WriteFile(filepath.Join(dir, "dynamic.yaml"), dynamic.Bytes(), 0o600))
}
