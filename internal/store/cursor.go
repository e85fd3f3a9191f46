package store

import (
	"encoding/base64"
	"encoding/json"

	"github.com/baton-handoff/baton/models"
)

// encodeCursor makes the opaque string that continues a list. Kind names the
// list and its order, so that a cursor of another list is recognised.
func encodeCursor[T any](kind string, at T) string {
	b, err := json.Marshal(struct {
		Kind string `json:"k"`
		At   T      `json:"a"`
	}{kind, at})
	if err != nil {
		panic(err) // cursors are plain structs of ours
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor reads what encodeCursor wrote; nil for the empty cursor.
func decodeCursor[T any](kind, cursor string) (*T, error) {
	if cursor == "" {
		return nil, nil
	}
	var c struct {
		Kind string `json:"k"`
		At   *T     `json:"a"`
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Kind != kind || c.At == nil {
		e := models.Errorf(models.CodeInvalid, "The cursor is not one of this list. Use next_cursor of the page before, with the same sort, or leave it out.")
		e.Fields = []models.FieldError{{Field: "cursor", Message: "is not a cursor of this list"}}
		return nil, e
	}
	return c.At, nil
}

// cut takes the page out of one row too many, and says where the next begins.
func cut[R any](rows []R, limit int, cursor func(R) string) ([]R, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], cursor(rows[limit-1])
}
