package email

import (
	_ "embed"
	"html/template"
	"strings"

	"github.com/baton-handoff/baton/internal/notify"
)

// Text is the mail in plain text.
func Text(c notify.Content) string {
	var b strings.Builder
	paragraph := func(lines ...string) {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	paragraph(c.Lead)
	if c.Outcome != "" {
		paragraph(c.Outcome)
	}
	var rows []string
	for _, r := range c.Rows {
		rows = append(rows, r.Title+": "+r.Value)
	}
	if len(rows) > 0 {
		paragraph(rows...)
	}
	for _, p := range c.Passages {
		lines := []string{p.Title + ":"}
		for _, l := range strings.Split(p.Text, "\n") {
			lines = append(lines, strings.TrimRight("  "+l, " "))
		}
		paragraph(lines...)
	}
	var items []string
	for _, i := range c.Items {
		items = append(items, "- "+i.Text)
		if i.URL != "" {
			items = append(items, "  "+i.URL)
		}
	}
	if c.More > 0 {
		items = append(items, notify.More(c.More))
	}
	if len(items) > 0 {
		paragraph(items...)
	}
	if c.ClaimURL != "" {
		paragraph("Claim it (you are asked to confirm):", c.ClaimURL)
	}
	if c.OpenURL != "" {
		paragraph(c.OpenLabel+":", c.OpenURL)
	}
	paragraph("-- ", c.Footer)
	return b.String()
}

//go:embed mail.html
var page string

// HTML is the mail as a page. Its template escapes what people wrote.
func HTML(c notify.Content) string {
	var b strings.Builder
	t := template.Must(template.New("mail").Funcs(template.FuncMap{
		"lines": func(s string) []string { return strings.Split(s, "\n") },
		"more":  notify.More,
	}).Parse(page))
	if err := t.Execute(&b, c); err != nil {
		return "" // a template of ours over strings does not fail; the plain text remains
	}
	return b.String()
}
