package llmtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// messagesAPI is Anthropic's Messages API with the rules of Claude Sonnet 5.5.
type messagesAPI struct{}

func (messagesAPI) requestIDHeader() string { return "request-id" }

func invalid(format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, kind: "invalid_request_error", message: fmt.Sprintf(format, args...)}
}

const anthropicMaxTokens = 128_000

func (api messagesAPI) check(r *http.Request, body []byte, f settings) (Request, *problem) {
	q := Request{}
	switch {
	case r.URL.Path != "/v1/messages":
		return q, &problem{status: http.StatusNotFound, kind: "not_found_error", message: "Not Found"}
	case r.Method != http.MethodPost:
		return q, &problem{status: http.StatusMethodNotAllowed, kind: "invalid_request_error", message: "Method Not Allowed"}
	case r.Header.Get("x-api-key") == "":
		return q, &problem{status: http.StatusUnauthorized, kind: "authentication_error", message: "x-api-key header is required"}
	case r.Header.Get("x-api-key") != f.key:
		return q, &problem{status: http.StatusUnauthorized, kind: "authentication_error", message: "invalid x-api-key"}
	case r.Header.Get("anthropic-version") == "":
		return q, invalid("anthropic-version: header is required")
	case r.Header.Get("anthropic-version") != "2023-06-01":
		return q, invalid("anthropic-version: %q is not a valid version", r.Header.Get("anthropic-version"))
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return q, invalid("content-type: must be application/json")
	case len(body) > maxRequest:
		return q, &problem{status: http.StatusRequestEntityTooLarge, kind: "request_too_large", message: "Request exceeds the maximum size"}
	}
	v, _ := parse(body)
	m, ok := v.(map[string]any)
	if !ok {
		return q, invalid("The request body is not valid JSON: expected an object")
	}
	if name, found := extra(m, "model", "max_tokens", "messages", "system", "output_config", "metadata", "stop_sequences", "stream",
		"thinking", "tools", "tool_choice", "temperature", "top_p", "top_k", "service_tier", "cache_control", "inference_geo"); found {
		return q, invalid("%s: Extra inputs are not permitted", name)
	}
	for _, name := range []string{"model", "max_tokens", "messages"} {
		if m[name] == nil {
			return q, invalid("%s: Field required", name)
		}
	}
	if q.Model, _ = m["model"].(string); q.Model != f.model {
		return q, &problem{status: http.StatusNotFound, kind: "not_found_error", message: "model: " + q.Model}
	}
	if q.MaxTokens, ok = whole(m["max_tokens"]); !ok {
		return q, invalid("max_tokens: Input should be greater than or equal to 1")
	}
	if q.MaxTokens > anthropicMaxTokens {
		return q, invalid("max_tokens: %d > %d, which is the maximum allowed number of output tokens for %s", q.MaxTokens, anthropicMaxTokens, q.Model)
	}
	if p := api.checkOptions(m); p != nil {
		return q, p
	}
	var p *problem
	if q.System, p = api.system(m["system"]); p != nil {
		return q, p
	}
	if q.Prompt, p = api.messages(m["messages"]); p != nil {
		return q, p
	}
	if q.Schema, p = api.format(m["output_config"]); p != nil {
		return q, p
	}
	if n := tokens(q.System) + tokens(q.Prompt); n > f.context {
		return q, invalid("prompt is too long: %d tokens > %d maximum", n, f.context)
	}
	return q, nil
}

// checkOptions refuses what current models do not take any more.
func (messagesAPI) checkOptions(m map[string]any) *problem {
	for _, name := range []string{"temperature", "top_p", "top_k"} {
		if m[name] != nil {
			return invalid("%s: sampling parameters are not supported for this model.", name)
		}
	}
	if m["stream"] == true {
		return invalid("stream: this fake does not stream")
	}
	if choice, ok := m["tool_choice"].(map[string]any); ok && (choice["type"] == "tool" || choice["type"] == "any") {
		return invalid("tool_choice: type \"tool\" and \"any\" are not supported for this model.")
	}
	if thinking, ok := m["thinking"].(map[string]any); ok {
		if thinking["budget_tokens"] != nil {
			return invalid("thinking.budget_tokens: not supported for this model, use output_config.effort.")
		}
		if thinking["type"] != "adaptive" {
			return invalid("thinking.type: %q is not supported for this model.", thinking["type"])
		}
	}
	return nil
}

func (api messagesAPI) system(v any) (string, *problem) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []any:
		return api.blocks("system", v)
	}
	return "", invalid("system: Input should be a valid string or list")
}

func (messagesAPI) blocks(at string, list []any) (string, *problem) {
	var all strings.Builder
	for i, v := range list {
		b, ok := v.(map[string]any)
		if !ok || b["type"] != "text" {
			return "", invalid("%s.%d.type: this fake knows text blocks only", at, i)
		}
		if name, found := extra(b, "type", "text", "cache_control", "citations"); found {
			return "", invalid("%s.%d.%s: Extra inputs are not permitted", at, i, name)
		}
		if b["citations"] != nil {
			return "", invalid("citations are not supported with output_config.format")
		}
		text, ok := b["text"].(string)
		if !ok || strings.TrimSpace(text) == "" {
			return "", invalid("%s.%d.text: text content blocks must contain non-whitespace text", at, i)
		}
		if cache, ok := b["cache_control"]; ok {
			c, _ := cache.(map[string]any)
			if name, found := extra(c, "type", "ttl"); found || c["type"] != "ephemeral" || c["ttl"] != nil && c["ttl"] != "5m" && c["ttl"] != "1h" {
				return "", invalid("%s.%d.cache_control.%s: Input should be {\"type\":\"ephemeral\"} with a ttl of '5m' or '1h'", at, i, name)
			}
		}
		all.WriteString(text)
	}
	return all.String(), nil
}

func (api messagesAPI) messages(v any) (string, *problem) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return "", invalid("messages: at least one message is required")
	}
	var prompt strings.Builder
	for i, v := range list {
		m, _ := v.(map[string]any)
		if name, found := extra(m, "role", "content"); found {
			return "", invalid("messages.%d.%s: Extra inputs are not permitted", i, name)
		}
		last := i == len(list)-1
		switch {
		case m["role"] != "user" && m["role"] != "assistant":
			return "", invalid("messages.%d.role: Input should be 'user' or 'assistant'", i)
		case i == 0 && m["role"] != "user":
			return "", invalid("messages: first message must use the \"user\" role")
		case last && m["role"] == "assistant":
			return "", invalid("This model does not support assistant message prefill. The conversation must end with a user message.")
		}
		var text string
		switch c := m["content"].(type) {
		case string:
			if strings.TrimSpace(c) == "" {
				return "", invalid("messages.%d: user messages must have non-empty content", i)
			}
			text = c
		case []any:
			if len(c) == 0 {
				return "", invalid("messages.%d: user messages must have non-empty content", i)
			}
			var p *problem
			if text, p = api.blocks(fmt.Sprintf("messages.%d.content", i), c); p != nil {
				return "", p
			}
		default:
			return "", invalid("messages.%d.content: Field required", i)
		}
		prompt.WriteString(text)
	}
	return prompt.String(), nil
}

// anthropicSchema is what Anthropic's structured outputs take.
func anthropicSchema() dialect {
	return dialect{
		keywords: []string{
			"$ref", "$defs", "type", "anyOf", "allOf", "description", "title", "enum", "const", "properties", "required",
			"additionalProperties", "items", "minItems", "format", "pattern",
		},
		minItems: []string{"0", "1"}, maxDepth: 32, maxOptional: 24, maxUnions: 16,
	}
}

func (messagesAPI) format(v any) (json.RawMessage, *problem) {
	if v == nil {
		return nil, nil
	}
	config, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("output_config: Input should be an object")
	}
	if name, found := extra(config, "effort", "format"); found {
		return nil, invalid("output_config.%s: Extra inputs are not permitted", name)
	}
	if e := config["effort"]; e != nil && !slices.Contains([]any{"low", "medium", "high", "xhigh", "max"}, e) {
		return nil, invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
	}
	if config["format"] == nil {
		return nil, nil
	}
	format, _ := config["format"].(map[string]any)
	if name, found := extra(format, "type", "schema"); found {
		return nil, invalid("output_config.format.%s: Extra inputs are not permitted", name)
	}
	if format["type"] != "json_schema" {
		return nil, invalid("output_config.format.type: Input should be 'json_schema'")
	}
	if at, why := anthropicSchema().check(format["schema"]); why != "" {
		if why == tooComplex {
			return nil, invalid("%s.", why)
		}
		return nil, invalid("output_config.format.schema: %s: %s", at, why)
	}
	schema, _ := json.Marshal(format["schema"])
	return schema, nil
}

// caches reports whether the system prompt is marked, and long enough.
func (messagesAPI) caches(q Request) bool {
	return strings.Contains(string(q.Body), `"cache_control":{`) && tokens(q.System) >= 1024
}

func (messagesAPI) answer(out result) any {
	content := []any{map[string]any{"type": "thinking", "thinking": "", "signature": "sig"}}
	if out.text != "" {
		content = append(content, map[string]any{"type": "text", "text": out.text})
	}
	reason := map[stop]string{stopEnd: "end_turn", stopLength: "max_tokens", stopRefusal: "refusal"}[out.stop]
	return map[string]any{
		"id": "msg_" + out.id, "type": "message", "role": "assistant", "model": out.request.Model, "content": content,
		"stop_reason": reason, "stop_sequence": nil,
		"usage": map[string]any{
			"input_tokens": out.usage.input, "output_tokens": out.usage.output,
			"cache_creation_input_tokens": out.usage.written, "cache_read_input_tokens": out.usage.cached,
			"cache_creation": map[string]any{"ephemeral_5m_input_tokens": out.usage.written, "ephemeral_1h_input_tokens": 0},
			"service_tier":   "standard",
		},
	}
}

func (messagesAPI) refusal(p problem) any {
	e := map[string]any{"type": p.kind, "message": p.message}
	if p.code != "" {
		e["details"] = map[string]any{"error_code": p.code}
	}
	return map[string]any{"type": "error", "error": e}
}

func (messagesAPI) fault(fault Fault) *problem {
	switch fault.Kind {
	case FaultStatus:
		p := &problem{status: fault.Status, kind: "api_error", message: "Internal server error"}
		if p.status == 0 {
			p.status = http.StatusInternalServerError
		}
		if p.status < 500 {
			p.kind, p.message = "invalid_request_error", "The request is not valid."
		}
		return p
	case FaultRateLimit:
		p := &problem{status: http.StatusTooManyRequests, kind: "rate_limit_error", message: "This request would exceed your organization's rate limit."}
		if fault.RetryAfter != "" {
			p.header = http.Header{"Retry-After": {fault.RetryAfter}}
		}
		return p
	case FaultOverloaded:
		p := &problem{status: 529, kind: "overloaded_error", message: "Overloaded", header: http.Header{"X-Should-Retry": {"true"}}}
		if fault.RetryAfter != "" {
			p.header.Set("Retry-After", fault.RetryAfter)
		}
		return p
	case FaultSpendLimit:
		return &problem{
			status: http.StatusTooManyRequests, kind: "rate_limit_error", code: "enforced_spend_limit_reached",
			message: "You have reached your API usage limits: ...",
		}
	case FaultOwnSpendLimit:
		return invalid("You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.")
	case FaultCredentials:
		return &problem{status: http.StatusUnauthorized, kind: "authentication_error", message: "invalid x-api-key"}
	case FaultPermission:
		return &problem{status: http.StatusForbidden, kind: "permission_error", message: "Your API key does not have permission to use the specified resource."}
	case FaultModelGone:
		return &problem{status: http.StatusNotFound, kind: "not_found_error", message: "model: gone"}
	case FaultSchema:
		return invalid("%s.", tooComplex)
	case FaultTooLong:
		return invalid("prompt is too long: 212345 tokens > 200000 maximum")
	default:
		return nil
	}
}
