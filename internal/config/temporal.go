package config

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// TemporalOptions reads how to reach Temporal from environ, which has the form
// of os.Environ, by Temporal's own convention: the variables TEMPORAL_*, over
// a profile in a TOML file where there is one.
func TemporalOptions(environ []string) (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: environment(environ)})
	if err != nil {
		return client.Options{}, fmt.Errorf("TEMPORAL_*: %w", err)
	}
	return options, nil
}

// environment lets envconfig read from a list, whose later entries override
// earlier ones, instead of the process.
type environment []string

func (e environment) Environ() []string { return e }

func (e environment) LookupEnv(name string) (string, bool) {
	for _, entry := range slices.Backward(e) {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}
