package briefing

// Plain is the briefing for a terminal or a ticket without Markdown.
func Plain(b Briefing) string { return "" }

// Markdown is the briefing in Markdown in which text of the session can make no
// heading, link, image or HTML.
func Markdown(b Briefing) string { return "" }
