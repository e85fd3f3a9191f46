package llmtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// chatAPI is OpenAI's chat completions API with the rules of its reasoning
// models, or what Ollama makes of it.
type chatAPI struct{ ollama bool }

func (chatAPI) requestIDHeader() string { return "X-Request-Id" }

// bad is a refused request. Param is the member that is to blame.
func bad(param, code, format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, kind: "invalid_request_error", code: code, param: param, message: fmt.Sprintf(format, args...)}
}

const openAIMaxTokens = 128_000

func (api chatAPI) check(r *http.Request, body []byte, f settings) (Request, *problem) {
	q := Request{}
	switch {
	case r.URL.Path != "/v1/chat/completions":
		return q, &problem{
			status: http.StatusNotFound, kind: "invalid_request_error", code: "unknown_url",
			message: fmt.Sprintf("Invalid URL (%s %s)", r.Method, r.URL.Path),
		}
	case r.Method != http.MethodPost:
		return q, &problem{status: http.StatusMethodNotAllowed, kind: "invalid_request_error", code: "method_not_supported", message: "Not allowed to " + r.Method}
	}
	if !api.ollama {
		bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || bearer == "" {
			return q, &problem{status: http.StatusUnauthorized, kind: "invalid_request_error", message: "You didn't provide an API key."}
		}
		if bearer != f.key {
			// The real one quotes a part of the key as well.
			return q, &problem{
				status: http.StatusUnauthorized, kind: "invalid_request_error", code: "invalid_api_key",
				message: "Incorrect API key provided: " + bearer + ".",
			}
		}
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			return q, bad("", "unsupported_content_type", "Unsupported content type")
		}
	}
	if len(body) > maxRequest {
		return q, &problem{status: http.StatusRequestEntityTooLarge, kind: "invalid_request_error", message: "Request body too large"}
	}
	v, _ := parse(body)
	m, ok := v.(map[string]any)
	if !ok {
		return q, bad("", "", "We could not parse the JSON body of your request.")
	}
	if p := api.checkOptions(m); p != nil {
		return q, p
	}
	q.Model, _ = m["model"].(string)
	if q.Model == "" {
		return q, bad("", "", "you must provide a model parameter")
	}
	if q.Model != f.model {
		if api.ollama {
			return q, &problem{status: http.StatusNotFound, kind: "not_found_error", message: fmt.Sprintf("model %q not found, try pulling it first", q.Model)}
		}
		return q, &problem{
			status: http.StatusNotFound, kind: "invalid_request_error", code: "model_not_found",
			message: fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", q.Model),
		}
	}
	var p *problem
	if p = api.limit(m, &q); p != nil {
		return q, p
	}
	if p = api.messages(m["messages"], &q); p != nil {
		return q, p
	}
	if p = api.format(m["response_format"], &q); p != nil {
		return q, p
	}
	if api.ollama {
		api.truncate(&q, f.context)
	} else if n := tokens(q.System) + tokens(q.Prompt); n+q.MaxTokens > f.context {
		return q, bad("messages", "context_length_exceeded", "This model's maximum context length is %d tokens. However, your messages resulted in %d tokens.", f.context, n)
	}
	return q, nil
}

func (api chatAPI) checkOptions(m map[string]any) *problem {
	if m["stream"] == true {
		return bad("stream", "", "this fake does not stream")
	}
	if api.ollama {
		return nil // it ignores the rest
	}
	if name, found := extra(m, "model", "messages", "response_format", "max_tokens", "max_completion_tokens", "reasoning_effort", "stream",
		"temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "stop", "n", "store", "metadata", "user", "service_tier",
		"prompt_cache_key", "safety_identifier", "verbosity", "logprobs", "tools", "tool_choice", "parallel_tool_calls"); found {
		return bad(name, "unknown_parameter", "Unknown parameter: '%s'.", name)
	}
	if m["max_tokens"] != nil {
		return bad("max_tokens", "unsupported_parameter",
			"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
	}
	for _, name := range []string{"temperature", "top_p", "presence_penalty", "frequency_penalty"} {
		if m[name] != nil {
			return bad(name, "unsupported_value", "Unsupported value: '%s' does not support this value with this model. Only the default value is supported.", name)
		}
	}
	if e := m["reasoning_effort"]; e != nil && !slices.Contains([]any{"none", "minimal", "low", "medium", "high", "xhigh"}, e) {
		return bad("reasoning_effort", "unsupported_value", "Unsupported value: 'reasoning_effort'.")
	}
	return nil
}

// unlimited is what a model may write that was given no limit.
const unlimited = 16_000

func (api chatAPI) limit(m map[string]any, q *Request) *problem {
	name := "max_completion_tokens"
	if api.ollama {
		name = "max_tokens" // the other one is ignored
	}
	q.MaxTokens = unlimited
	if m[name] == nil {
		return nil
	}
	var ok bool
	if q.MaxTokens, ok = whole(m[name]); !ok {
		return bad(name, "integer_below_min_value", "Invalid '%s': expected a value >= 1.", name)
	}
	if q.MaxTokens > openAIMaxTokens && !api.ollama {
		return bad(name, "invalid_value", "%s is too large: %d. This model supports at most %d completion tokens.", name, q.MaxTokens, openAIMaxTokens)
	}
	return nil
}

func (chatAPI) messages(v any, q *Request) *problem {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return bad("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1.")
	}
	for i, v := range list {
		m, _ := v.(map[string]any)
		if name, found := extra(m, "role", "content", "name", "refusal"); found {
			return bad(fmt.Sprintf("messages[%d].%s", i, name), "unknown_parameter", "Unknown parameter: 'messages[%d].%s'.", i, name)
		}
		text, ok := m["content"].(string)
		if parts, isList := m["content"].([]any); isList {
			for _, part := range parts {
				p, _ := part.(map[string]any)
				t, isText := p["text"].(string)
				if p["type"] != "text" || !isText {
					return bad(fmt.Sprintf("messages[%d].content", i), "", "this fake knows text only")
				}
				text, ok = text+t, true
			}
		}
		if !ok {
			return bad(fmt.Sprintf("messages[%d].content", i), "", "Invalid value for 'content': expected a string, got null.")
		}
		switch m["role"] {
		case "system", "developer":
			q.System += text
		case "user", "assistant":
			q.Prompt += text
		default:
			return bad(fmt.Sprintf("messages[%d].role", i), "invalid_value", "Invalid value: '%v'.", m["role"])
		}
	}
	return nil
}

// openAISchema is what OpenAI's strict mode takes.
func openAISchema() dialect {
	return dialect{
		keywords: []string{
			"$ref", "$defs", "type", "anyOf", "description", "title", "enum", "const", "properties", "required", "additionalProperties",
			"items", "minItems", "maxItems", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		},
		allRequired: true, recursion: true, maxDepth: 20,
		minItems: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"},
	}
}

func (api chatAPI) format(v any, q *Request) *problem {
	if v == nil {
		return nil
	}
	format, _ := v.(map[string]any)
	switch format["type"] {
	case "text":
		return nil
	case "json_object":
		if !api.ollama && !strings.Contains(strings.ToLower(q.System+q.Prompt), "json") {
			return bad("messages", "", "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.")
		}
		q.Schema = embedded(q.System)
		return nil
	case "json_schema":
	default:
		return bad("response_format.type", "invalid_value", "Invalid value: '%v'. Supported values are: 'json_object', 'json_schema', and 'text'.", format["type"])
	}
	s, ok := format["json_schema"].(map[string]any)
	if !ok {
		return bad("response_format.json_schema", "missing_required_parameter", "Missing required parameter: 'response_format.json_schema'.")
	}
	if !api.ollama {
		if name, found := extra(s, "name", "description", "schema", "strict"); found {
			return bad("response_format.json_schema."+name, "unknown_parameter", "Unknown parameter: 'response_format.json_schema.%s'.", name)
		}
		q.SchemaName, _ = s["name"].(string)
		if !schemaName.MatchString(q.SchemaName) {
			return bad("response_format.json_schema.name", "invalid_value", "Invalid 'response_format.json_schema.name'.")
		}
		if s["strict"] == true {
			if at, why := openAISchema().check(s["schema"]); why != "" {
				return bad("response_format", "", "Invalid schema for response_format '%s': In context=(%s), %s.", q.SchemaName, at, why)
			}
		}
	}
	q.Schema, _ = json.Marshal(s["schema"])
	return nil
}

var schemaName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// embedded is the schema in a task's text, for a model that was given it there.
func embedded(system string) json.RawMessage {
	for line := range strings.Lines(system) {
		if v, ok := parse([]byte(line)); ok {
			if m, ok := v.(map[string]any); ok && m["type"] == "object" {
				return json.RawMessage(line)
			}
		}
	}
	return nil
}

// truncate does what Ollama does with a prompt that is longer than the context:
// the beginning is lost, and nobody is told.
func (chatAPI) truncate(q *Request, context int) {
	room := max(context-tokens(q.System), 1) * perToken
	if runes := []rune(q.Prompt); len(runes) > room {
		q.Prompt = string(runes[len(runes)-room:])
	}
}

// caches reports whether OpenAI keeps the prefix, which it does unasked.
func (api chatAPI) caches(q Request) bool { return !api.ollama && tokens(q.System) >= 1024 }

func (api chatAPI) answer(out result) any {
	message := map[string]any{"role": "assistant", "content": out.text}
	reason := map[stop]string{stopEnd: "stop", stopLength: "length", stopRefusal: "stop"}[out.stop]
	prompt := out.usage.input + out.usage.cached + out.usage.written
	use := map[string]any{"prompt_tokens": prompt, "completion_tokens": out.usage.output, "total_tokens": prompt + out.usage.output}
	whole := map[string]any{
		"id": "chatcmpl-" + out.id, "object": "chat.completion", "created": 1_700_000_000, "model": out.request.Model,
		"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": reason}}, "usage": use,
	}
	if api.ollama {
		message["reasoning"] = "Let me think about this."
		whole["system_fingerprint"] = "fp_ollama"
		if out.stop == stopRefusal { // its models have no words for it
			message["content"] = "I'm sorry, but I can't help with that."
		}
		return whole
	}
	message["refusal"] = nil
	if out.stop == stopRefusal {
		message["content"], message["refusal"] = nil, "I'm sorry, I can't assist with that request."
	}
	use["prompt_tokens_details"] = map[string]any{"cached_tokens": out.usage.cached}
	use["completion_tokens_details"] = map[string]any{"reasoning_tokens": 0}
	return whole
}

func (chatAPI) refusal(p problem) any {
	or := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	return map[string]any{"error": map[string]any{"message": p.message, "type": p.kind, "param": or(p.param), "code": or(p.code)}}
}

func (api chatAPI) fault(fault Fault) *problem {
	switch fault.Kind {
	case FaultStatus:
		p := &problem{status: fault.Status, kind: "server_error", message: "The server had an error while processing your request."}
		if p.status == 0 {
			p.status = http.StatusInternalServerError
		}
		if p.status < 500 {
			p.kind, p.message = "invalid_request_error", "The request is not valid."
		}
		return p
	case FaultRateLimit:
		p := &problem{status: http.StatusTooManyRequests, kind: "requests", code: "rate_limit_exceeded", message: "Rate limit reached"}
		if fault.RetryAfter != "" {
			p.header = http.Header{"Retry-After": {fault.RetryAfter}}
		}
		return p
	case FaultOverloaded:
		p := &problem{
			status: http.StatusServiceUnavailable, kind: "service_unavailable_error",
			message: "The engine is currently overloaded, please try again later", header: http.Header{},
		}
		if fault.RetryAfter != "" {
			p.header.Set("Retry-After", fault.RetryAfter)
		}
		return p
	case FaultSpendLimit:
		return &problem{status: http.StatusTooManyRequests, kind: "insufficient_quota", code: "insufficient_quota", message: "You exceeded your current quota"}
	case FaultOwnSpendLimit:
		return &problem{status: http.StatusTooManyRequests, kind: "insufficient_quota", code: "credit_balance_exhausted", message: "Your credit balance is exhausted"}
	case FaultCredentials:
		return &problem{status: http.StatusUnauthorized, kind: "invalid_request_error", code: "invalid_api_key", message: "Incorrect API key provided."}
	case FaultPermission:
		return &problem{status: http.StatusForbidden, kind: "invalid_request_error", code: "model_not_allowed", message: "Project does not have access to the model."}
	case FaultModelGone:
		return &problem{status: http.StatusNotFound, kind: "invalid_request_error", code: "model_not_found", message: "The model does not exist."}
	case FaultSchema:
		return bad("response_format", "", "Invalid schema for response_format: too many properties.")
	case FaultTooLong:
		return bad("messages", "context_length_exceeded", "This model's maximum context length is 128000 tokens. However, your messages resulted in 150000 tokens.")
	default:
		return nil
	}
}
