package briefing

import (
	"reflect"
)

// Texts returns every text of the briefing that came from a session or a
// model, in the order of the schema: what a caller may want to search.
func (b Briefing) Texts() []string {
	var texts []string
	b.Map(func(s string) string {
		texts = append(texts, s)
		return s
	})
	return texts
}

// Map returns a copy of the briefing in which f was applied to every text, and
// shares nothing with the original. Words of the schema, numbers, times and the
// provenance stay as they are.
func (b Briefing) Map(f func(string) string) Briefing {
	provenance := reflect.ValueOf(b.Provenance)
	b.Provenance = Provenance{}
	out := mapTexts(reflect.ValueOf(b), f).Interface().(Briefing)
	// Its texts are settings and names of rules; only a copy is made.
	out.Provenance = mapTexts(provenance, func(s string) string { return s }).Interface().(Provenance)
	return out
}

// mapTexts copies v deeply. Text is what is of type string itself; words of the
// schema have types of their own.
func mapTexts(v reflect.Value, f func(string) string) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() && v.Len() > 0 {
			out.SetString(f(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(mapTexts(v.Elem(), f))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(mapTexts(v.Index(i), f))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for _, k := range v.MapKeys() {
				out.SetMapIndex(k, v.MapIndex(k))
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(mapTexts(v.Field(i), f))
			}
		}
	default:
	}
	return out
}
