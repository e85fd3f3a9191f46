package config

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/baton-handoff/baton/internal/llm"
)

const (
	ours       = "BATON_"
	fileSuffix = "_FILE"
)

// clientOnly are the variables of the command line's client commands, which
// may be set in the same shell.
var clientOnly = []string{"BATON_URL", "BATON_TOKEN"}

// Load reads the configuration from environ, which has the form of os.Environ.
// A variable that is empty counts as not set. A secret may be in a file that
// the variable with the suffix _FILE names; one line break at its end is not
// part of it.
func Load(environ []string) (Config, error) {
	values := make(map[string]string, len(environ))
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			values[name] = value
		}
	}
	if err := refuseUnknown(values); err != nil {
		return Config{}, err
	}
	if err := readFiles(values); err != nil {
		return Config{}, err
	}
	c, err := env.ParseAsWithOptions[Config](env.Options{Environment: values})
	if err != nil {
		return Config{}, explain(err, values)
	}
	c.AllowedOrigins = trim(c.AllowedOrigins)
	c.AuthAlgorithms = trim(c.AuthAlgorithms)
	c.OIDCScopes = trim(c.OIDCScopes)
	if err := c.validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// problem is the form of every error of this package.
func problem(name, format string, args ...any) error {
	return fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...))
}

// fromKubernetes matches what Kubernetes sets in every pod for a service whose
// name begins with "baton", as long as enableServiceLinks is on.
var fromKubernetes = regexp.MustCompile(`^BATON_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

func refuseUnknown(values map[string]string) error {
	known := map[string]bool{}
	for _, v := range variables() {
		known[v.name] = true
		if v.secret() {
			known[v.name+fileSuffix] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(name, ours) || known[name] || slices.Contains(clientOnly, name) || fromKubernetes.MatchString(name) ||
			strings.HasSuffix(name, "_PORT") && strings.Contains(values[name], "://") {
			continue
		}
		if near := nearest(name, slices.Sorted(maps.Keys(known))); near != "" {
			return problem(name, "there is no such variable; did you mean %s?", near)
		}
		return problem(name, "there is no such variable; docs/configuration.md lists those there are")
	}
	return nil
}

// readFiles replaces NAME_FILE by NAME with the content of the file.
func readFiles(values map[string]string) error {
	for _, v := range variables() {
		file := values[v.name+fileSuffix]
		if !v.secret() || file == "" {
			continue
		}
		if values[v.name] != "" {
			return problem(v.name+fileSuffix, "%s is set as well; set one of them", v.name)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return problem(v.name+fileSuffix, "%v; it has to name a file that can be read", err)
		}
		value := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
		if value == "" {
			return problem(v.name+fileSuffix, "the file %s is empty", file)
		}
		values[v.name] = value
	}
	return nil
}

// explain turns the parser's error, which names Go fields and types, into one
// about the variable.
func explain(err error, values map[string]string) error {
	var parse env.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	for _, v := range variables() {
		if v.field.Name != parse.Name {
			continue
		}
		example := "another value"
		switch reflect.Zero(parse.Type).Interface().(type) {
		case int:
			example = "a whole number, such as " + v.fallback
		case bool:
			example = "true or false"
		case time.Duration:
			example = "a number with a unit, such as " + v.fallback
		case []netip.Prefix:
			example = "networks, such as 10.20.0.0/16,fd12::/16"
		case llm.MicroUSD:
			example = "an amount in US dollars, such as 3 or 0.15"
		case slog.Level:
			example = "debug, info, warn or error"
		}
		return problem(v.name, "%q cannot be read; write %s", values[v.name], example)
	}
	return err
}

func trim(list []string) []string {
	var kept []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
