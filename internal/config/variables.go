package config

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/baton-handoff/baton/internal/secrets"
)

// variable is a field of Config as people know it.
type variable struct {
	name, fallback, doc string
	field               reflect.StructField
}

func variables() []variable {
	var list []variable
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		list = append(list, variable{f.Tag.Get("env"), f.Tag.Get("envDefault"), f.Tag.Get("doc"), f})
	}
	return list
}

func (v variable) secret() bool { return v.field.Type == reflect.TypeFor[secrets.Secret]() }

// Redacted is the configuration by the names of the variables, with secrets
// hidden, to be logged.
func (c Config) Redacted() slog.Value {
	value := reflect.ValueOf(c)
	var attrs []slog.Attr
	for _, v := range variables() {
		attrs = append(attrs, slog.String(v.name, fmt.Sprint(value.FieldByIndex(v.field.Index).Interface())))
	}
	return slog.GroupValue(attrs...)
}

// temporalVariables are the most used of those that Temporal's own convention
// defines; see [TemporalOptions].
var temporalVariables = [][3]string{
	{"TEMPORAL_ADDRESS", "localhost:7233", "Temporal's frontend, as host:port."},
	{"TEMPORAL_NAMESPACE", "default", "Namespace that the workflows run in."},
	{"TEMPORAL_API_KEY", "", "API key of Temporal Cloud; turns TLS on."},
	{"TEMPORAL_TLS", "", "true turns TLS on, false off."},
	{"TEMPORAL_TLS_CLIENT_CERT_PATH", "", "Client certificate (PEM) for mutual TLS."},
	{"TEMPORAL_TLS_CLIENT_KEY_PATH", "", "Its key."},
	{"TEMPORAL_TLS_SERVER_CA_CERT_PATH", "", "Certificate authority of the server, when it is not a public one."},
	{"TEMPORAL_TLS_SERVER_NAME", "", "Name in the server's certificate, when it is not the address."},
	{"TEMPORAL_CONFIG_FILE", "", "A TOML file of Temporal's, whose settings the variables override."},
	{"TEMPORAL_PROFILE", "default", "Profile in that file."},
}

// Markdown is the content of docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from internal/config; do not edit. -->

Baton is configured by environment variables. They are checked when a process
starts: an unknown name that begins with BATON_, or a value that cannot be
used, stops it with one line that says which, why, and what would be right. An
empty variable counts as not set.

| variable | default | meaning |
|---|---|---|
`)
	row := func(name, fallback, doc string) {
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, fallback, strings.ReplaceAll(doc, "|", `\|`))
	}
	for _, v := range variables() {
		if v.secret() {
			v.doc += " Or set `" + v.name + fileSuffix + "` to the name of a file that has it."
		}
		row(v.name, v.fallback, v.doc)
	}
	b.WriteString(`
The connection to Temporal follows Temporal's own convention
(https://docs.temporal.io/develop/environment-configuration). The variables
that are used most:

| variable | default | meaning |
|---|---|---|
`)
	for _, t := range temporalVariables {
		row(t[0], t[1], t[2])
	}
	return b.String()
}
