package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"

	"github.com/baton-handoff/baton/models"
)

// validate refuses a request that does not fit the description of its
// operation, before anything of the operation runs.
//
// It uses the schemas by hand instead of through openapi3filter, which for
// OpenAPI 3.1 compiles a JSON Schema anew for every value that it looks at:
// several times the cost of answering a request.
func (s *Server) validate(c *gin.Context) {
	op := s.operation(c)
	if op.stream {
		return // Whatever its parameters are, the stream answers in-stream.
	}
	var wrong []models.FieldError
	if len(op.params) > 0 {
		query, err := url.ParseQuery(c.Request.URL.RawQuery)
		if err != nil {
			s.fail(c, models.Errorf(models.CodeInvalid, "The query of the address is malformed.").WithCause(err))
			return
		}
		for _, ref := range op.params {
			wrong = append(wrong, checkParameter(c, ref.Value, query)...)
		}
	}
	if op.body != nil {
		errs, err := s.checkBody(c, op)
		if err != nil {
			s.fail(c, err)
			return
		}
		wrong = append(wrong, errs...)
	}
	if len(wrong) > 0 {
		s.fail(c, fieldsError(models.CodeSchema, wrong))
	}
}

func checkParameter(c *gin.Context, p *openapi3.Parameter, query url.Values) []models.FieldError {
	var values []string
	switch p.In {
	case openapi3.ParameterInPath:
		values = []string{c.Param(p.Name)}
	case openapi3.ParameterInQuery:
		values = query[p.Name]
	case openapi3.ParameterInHeader:
		values = c.Request.Header.Values(p.Name)
	}
	if len(values) == 0 {
		return nil // None but path parameters are required, and routing fills those.
	}
	if len(values) > 1 {
		return []models.FieldError{{Field: p.Name, Message: "is there more than once"}}
	}
	return checkValue(p.Schema.Value, parameterValue(values[0], p.Schema.Value), p.Name)
}

// parameterValue is the text of a parameter as a value of its schema's type,
// or as it is when it is none.
func parameterValue(text string, schema *openapi3.Schema) any {
	switch {
	case schema.Type.Is(openapi3.TypeInteger):
		if n, err := strconv.ParseInt(text, 10, 32); err == nil {
			return n
		}
	case schema.Type.Is(openapi3.TypeBoolean):
		if text == "true" || text == "false" {
			return text == "true"
		}
	}
	return text
}

// checkBody reads the body, leaves it for the handler, and says what is wrong
// with its values. The error is for bodies that are no JSON to begin with.
func (s *Server) checkBody(c *gin.Context, op *operation) ([]models.FieldError, error) {
	data, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, s.o.MaxBody))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, models.Errorf(models.CodeInvalid, "The body did not arrive completely.").WithCause(err)
	}
	if len(data) == 0 {
		c.Request.Body = http.NoBody
		if op.bodyRequired {
			return []models.FieldError{{Field: "", Message: "is missing; send a JSON object"}}, nil
		}
		return nil, nil
	}
	if !isJSON(c.Request.Header) {
		return nil, models.Errorf(models.CodeUnsupportedMedia, "Send the body with the header Content-Type: application/json.")
	}
	value, err := decodeJSON(data)
	if err != nil {
		return nil, err
	}
	c.Request.Body = validBody{bytes.NewReader(data), value}
	return checkValue(op.body, value, ""), nil
}

func isJSON(h http.Header) bool {
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset, given := params["charset"]
	return err == nil && mediaType == "application/json" && (!given || strings.EqualFold(charset, "utf-8"))
}

// validBody hands the value that was checked to the generated handler, which
// binds it as it is instead of reading the text a second time by laxer rules.
type validBody struct {
	*bytes.Reader
	value any
}

func (validBody) Close() error { return nil }

func (b validBody) ValidatedValue() any { return b.value }

// checkValue holds a value against a schema. Field is the name of a parameter,
// or empty for the body, whose fields are JSON pointers.
func checkValue(schema *openapi3.Schema, value any, field string) []models.FieldError {
	err := schema.VisitJSON(value, openapi3.VisitAsRequest(), openapi3.MultiErrors(),
		openapi3.WithStringFormatValidators(formats))
	return explain(nil, err, field)
}

// formats are checked by the rules of the types that the values become.
var formats = map[string]openapi3.StringFormatValidator{
	"uuid": openapi3.NewRegexpFormatValidator(canonicalUUID),
	"date-time": openapi3.NewCallbackValidator(func(text string) error {
		var t time.Time
		return t.UnmarshalText([]byte(text))
	}),
}

// canonicalUUID leaves out the other spellings that uuid.Parse would take.
const canonicalUUID = `^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`

// explain says in words what a schema found, and never shows the schema or the
// value.
func explain(to []models.FieldError, err error, field string) []models.FieldError {
	switch err := err.(type) { //nolint:errorlint // the tree is walked by hand
	case nil:
		return to
	case openapi3.MultiError:
		for _, e := range err {
			to = explain(to, e, field)
		}
		return to
	case *openapi3.SchemaError:
		return explainSchema(to, err, field)
	}
	return append(to, models.FieldError{Field: field, Message: "is not acceptable"})
}

func explainSchema(to []models.FieldError, e *openapi3.SchemaError, field string) []models.FieldError {
	for _, token := range e.JSONPointer() {
		field += "/" + escapePointer(token)
	}
	add := func(field, message string) {
		for _, known := range to {
			if known.Field == field && known.Message == message {
				return
			}
		}
		to = append(to, models.FieldError{Field: field, Message: message})
	}
	schema := e.Schema
	switch e.SchemaField {
	case "required":
		add(field, "is required")
	case "properties":
		// Each unknown member is an error of the whole object; name them all.
		object, _ := e.Value.(map[string]any)
		for _, name := range unknownMembers(object, schema) {
			add(field+"/"+escapePointer(name), "is not a known member")
		}
	case "minLength":
		if schema.MinLength == 1 {
			add(field, "must not be empty")
		} else {
			add(field, "must have at least "+count(int(schema.MinLength), "character"))
		}
	case "maxLength":
		add(field, "must have at most "+count(int(*schema.MaxLength), "character"))
	case "minItems":
		add(field, "must have at least "+count(int(schema.MinItems), "item"))
	case "maxItems":
		add(field, "must have at most "+count(int(*schema.MaxItems), "item"))
	case "minimum", "maximum":
		add(field, "must be between "+number(schema.Min)+" and "+number(schema.Max))
	case "pattern":
		words, _ := schema.Extensions["x-baton-pattern"].(string)
		add(field, "must be "+words)
	default: // type, enum, format, nullable, oneOf
		add(field, "must be "+describe(schema))
	}
	return to
}

func unknownMembers(object map[string]any, schema *openapi3.Schema) []string {
	var names []string
	for name := range object {
		if schema.Properties[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// describe says which values a schema takes.
func describe(schema *openapi3.Schema) string {
	var words []string
	for _, alternative := range schema.OneOf {
		words = append(words, describe(alternative.Value))
	}
	if len(schema.Enum) > 0 {
		names := make([]string, len(schema.Enum))
		for i, v := range schema.Enum {
			names[i] = fmt.Sprint(v)
		}
		words = append(words, "one of "+strings.Join(names, ", "))
	} else {
		for _, t := range schema.Type.Slice() {
			words = append(words, describeType(t, schema.Format))
		}
	}
	return strings.Join(words, " or ")
}

func describeType(name, format string) string {
	switch name + " " + format {
	case "string uuid":
		return "a UUID"
	case "string date-time":
		return "a time such as 2026-11-04T09:12:31Z"
	}
	switch name {
	case openapi3.TypeString:
		return "text"
	case openapi3.TypeInteger:
		return "a whole number"
	case openapi3.TypeBoolean:
		return "true or false"
	case openapi3.TypeArray:
		return "a list"
	case openapi3.TypeObject:
		return "an object"
	}
	return name
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return strconv.Itoa(n) + " " + of + "s"
}

func number(f *float64) string { return strconv.FormatFloat(*f, 'f', -1, 64) }
