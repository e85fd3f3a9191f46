package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/baton-handoff/baton/models"
)

// maxJSONDepth is far more than any body of the API needs.
const maxJSONDepth = 32

// decodeJSON reads one JSON value the way a schema sees it: objects as
// map[string]any, numbers as json.Number. It is stricter than encoding/json,
// which lets pass what two readers could understand differently: members that
// are there twice, text after the value, and bytes or escapes that are no
// characters, which it silently replaces.
func decodeJSON(data []byte) (any, error) {
	if i := invalidUTF8(data); i >= 0 {
		return nil, malformed(data, i, "a byte that is not UTF-8")
	}
	if !json.Valid(data) {
		return nil, invalid(data)
	}
	if i := loneSurrogate(data); i >= 0 {
		return nil, malformed(data, i, "half of a surrogate pair")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	b := builder{dec: dec}
	return b.value("", 0)
}

// builder puts the value together from tokens, because only they show members
// that are there twice.
type builder struct{ dec *json.Decoder }

func (b builder) value(pointer string, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, models.Errorf(models.CodeInvalid, "The body is nested more than %d levels deep.", maxJSONDepth)
	}
	token, err := b.dec.Token()
	if err != nil {
		return nil, fmt.Errorf("reading a JSON token that was valid before: %w", err)
	}
	switch token {
	case json.Delim('{'):
		return b.object(pointer, depth)
	case json.Delim('['):
		return b.array(pointer, depth)
	}
	return token, nil
}

func (b builder) object(pointer string, depth int) (any, error) {
	object := map[string]any{}
	for b.dec.More() {
		token, err := b.dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading a member that was valid before: %w", err)
		}
		name, _ := token.(string)
		member := pointer + "/" + escapePointer(name)
		if _, twice := object[name]; twice {
			return nil, fieldsError(models.CodeInvalid, []models.FieldError{{Field: member, Message: "is there more than once"}})
		}
		if object[name], err = b.value(member, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := b.dec.Token() // the closing brace
	return object, err
}

func (b builder) array(pointer string, depth int) (any, error) {
	array := []any{}
	for b.dec.More() {
		item, err := b.value(pointer+"/"+strconv.Itoa(len(array)), depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, item)
	}
	_, err := b.dec.Token() // the closing bracket
	return array, err
}

// escapePointer writes a name as a token of a JSON pointer (RFC 6901).
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// invalid says what is wrong with data that is not one JSON value.
func invalid(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	var first json.RawMessage
	if err := dec.Decode(&first); err != nil {
		return syntaxError(data, err)
	}
	rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n")
	return malformed(data, len(data)-len(rest), "more text after the JSON value")
}

func syntaxError(data []byte, err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax) && syntax.Offset > 0:
		i := int(syntax.Offset) - 1 // Offset counts the bytes up to and with the bad one.
		r, _ := utf8.DecodeRune(data[i:])
		return malformed(data, i, "an unexpected "+strconv.QuoteRune(r))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed(data, len(data), "an early end")
	}
	return models.Errorf(models.CodeInvalid, "The body is not valid JSON.").WithCause(err)
}

// malformed says where the body is not JSON, in lines and characters.
func malformed(data []byte, offset int, what string) error {
	before := data[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return models.Errorf(models.CodeInvalid, "The body is not valid JSON: %s at line %d, column %d.", what, line, column)
}

// invalidUTF8 is the offset of the first byte that is no UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// loneSurrogate is the offset of the first \u escape in valid JSON that is
// half a character, or -1. Backslashes stand in strings alone.
func loneSurrogate(data []byte) int {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		if data[i+1] != 'u' {
			i++
			continue
		}
		switch unit := codeUnit(data[i:]); {
		case unit < 0xD800 || unit > 0xDFFF:
			i += 5
		case unit > 0xDBFF:
			return i
		default:
			if low := codeUnit(data[i+6:]); low < 0xDC00 || low > 0xDFFF {
				return i
			}
			i += 11
		}
	}
	return -1
}

// codeUnit is the value of the \u escape that data begins with, or 0.
func codeUnit(data []byte) uint64 {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 32)
	if err != nil {
		return 0
	}
	return unit
}
