package api

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/baton-handoff/baton/models"
)

// fields collects what is wrong with the fields of a request, as far as a
// schema cannot tell.
type fields []models.FieldError

func (f *fields) wrong(field, format string, args ...any) {
	*f = append(*f, models.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// text refuses what no screen, ticket or database column should have to bear:
// control characters, NUL among them, other than line breaks and tabs.
func (f *fields) text(field, s string) {
	if !utf8.ValidString(s) {
		f.wrong(field, "is not valid UTF-8")
		return
	}
	place := 0
	for _, r := range s {
		place++
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			f.wrong(field, "has the control character U+%04X as its character %d; only line breaks and tabs are allowed", r, place)
			return
		}
	}
}

// prose is text that says something.
func (f *fields) prose(field, s string) {
	if strings.TrimSpace(s) == "" {
		f.wrong(field, "must not be blank")
		return
	}
	f.text(field, s)
}

// note is prose that may be left out, also as an empty text.
func (f *fields) note(field, s string) {
	if s != "" {
		f.prose(field, s)
	}
}

// line is prose on one line. Lines become subjects of mails and titles of
// cards, where a line break means something else.
func (f *fields) line(field, s string) {
	if i := strings.IndexAny(s, "\n\r"); i >= 0 {
		f.wrong(field, "has a line break as its character %d; it has to be one line", utf8.RuneCountInString(s[:i])+1)
		return
	}
	f.prose(field, s)
}

// err is nil when nothing is wrong.
func (f fields) err() error {
	if len(f) == 0 {
		return nil
	}
	return fieldsError(models.CodeInvalid, f)
}

// fieldsError says in its message what one field lacks, or how many do.
func fieldsError(code models.Code, f []models.FieldError) *models.Error {
	var e *models.Error
	if len(f) == 1 {
		name := f[0].Field
		if strings.Count(name, "/") == 1 {
			name = name[1:] // a member of the body itself
		}
		if name == "" {
			name = "The body"
		}
		e = models.Errorf(code, "%s %s.", name, f[0].Message)
	} else {
		e = models.Errorf(code, "%d values are not acceptable; see errors.", len(f))
	}
	e.Fields = f
	return e
}
