package slack

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"github.com/baton-handoff/baton/internal/notify"
)

// Slack's limits, in characters
// (https://docs.slack.dev/reference/block-kit/blocks).
const (
	maxHeader  = 150
	maxSection = 3000
	maxField   = 2000
	maxFields  = 10
	maxText    = 4000
)

const (
	eventType  = "baton_notification"
	payloadKey = "key"
)

// metadata is how a message is found again, and told apart by other apps.
func metadata(m notify.Message) slackgo.SlackMetadata {
	return slackgo.SlackMetadata{EventType: eventType, EventPayload: map[string]any{
		payloadKey: m.Key.ID(), "kind": string(m.Kind), "handoff_id": m.Key.Handoff.String(), "generation": m.Key.Generation,
	}}
}

// render writes m: the text for lists of notifications and screen readers, and
// the blocks. People's passages are plain_text, in which nothing has a meaning.
func render(m notify.Message) (string, []slackgo.Block) {
	c := m.Content()
	blocks := []slackgo.Block{
		slackgo.NewHeaderBlock(plain(c.Subject, maxHeader)),
		section(mrkdwn(Escape(c.Lead), maxSection)),
	}
	if c.Outcome != "" {
		blocks = append(blocks, section(mrkdwn(bold(c.Outcome), maxSection)))
	}
	var fields []*slackgo.TextBlockObject
	for _, r := range c.Rows {
		fields = append(fields, mrkdwn(bold(r.Title)+"\n"+Escape(r.Value), maxField))
	}
	for len(fields) > 0 {
		n := min(len(fields), maxFields)
		blocks = append(blocks, slackgo.NewSectionBlock(nil, fields[:n], nil))
		fields = fields[n:]
	}
	for _, p := range c.Passages {
		blocks = append(blocks, section(mrkdwn(bold(p.Title), maxSection)), section(plain(p.Text, maxSection)))
	}
	if lines := items(c); lines != "" {
		blocks = append(blocks, section(mrkdwn(lines, maxSection)))
	}
	var buttons []slackgo.BlockElement
	if c.Claimable {
		value := ClaimValue{Account: m.Key.Account, Handoff: m.Key.Handoff, Generation: m.Key.Generation}
		b := slackgo.NewButtonBlockElement(ActionClaim, value.String(), plain("Claim", maxHeader))
		buttons = append(buttons, b.WithStyle(slackgo.StylePrimary))
	}
	if c.OpenURL != "" {
		b := slackgo.NewButtonBlockElement(ActionOpen, "", plain(c.OpenLabel, maxHeader))
		b.URL = c.OpenURL
		buttons = append(buttons, b)
	}
	if len(buttons) > 0 {
		blocks = append(blocks, slackgo.NewActionBlock("baton", buttons...))
	}
	blocks = append(blocks, slackgo.NewContextBlock("", *plain(c.Footer, maxField)))
	text := c.Subject
	if c.Outcome != "" {
		text += " – " + c.Outcome
	}
	return cutEscaped(Escape(text), maxText), blocks
}

// items are the lines of a bundle, as many as fit.
func items(c notify.Content) string {
	var b strings.Builder
	more := c.More
	for _, i := range c.Items {
		line := Escape(i.Text)
		if i.URL != "" {
			line = "<" + i.URL + "|" + line + ">"
		}
		line = "• " + line + "\n"
		if utf8.RuneCountInString(b.String())+utf8.RuneCountInString(line) > maxSection-maxMore {
			more++
			continue
		}
		b.WriteString(line)
	}
	if more > 0 {
		b.WriteString(notify.More(more))
	}
	return strings.TrimRight(b.String(), "\n")
}

// maxMore is room for the line that counts the rest.
const maxMore = 60

func section(text *slackgo.TextBlockObject) slackgo.Block {
	return slackgo.NewSectionBlock(text, nil, nil)
}

func plain(s string, limit int) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(slackgo.PlainTextType, notify.Cut(s, limit), false, false)
}

// mrkdwn is verbatim: Slack makes no links and mentions of what looks like one.
func mrkdwn(escaped string, limit int) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(slackgo.MarkdownType, cutEscaped(escaped, limit), false, true)
}

// bold escapes s. A * within would end it.
func bold(s string) string { return "*" + strings.ReplaceAll(Escape(s), "*", "∗") + "*" }

// Escape makes s mean no link, mention or command in mrkdwn
// (https://docs.slack.dev/messaging/formatting-message-text).
func Escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// cutEscaped is [notify.Cut] that cuts through no entity.
func cutEscaped(s string, limit int) string {
	cut := notify.Cut(s, limit)
	if cut == s {
		return s
	}
	if i := strings.LastIndexByte(cut, '&'); i >= 0 && !strings.Contains(cut[i:], ";") {
		cut = cut[:i] + "…"
	}
	return cut
}

type answer struct {
	Replace      *bool           `json:"replace_original,omitempty"`
	ResponseType string          `json:"response_type,omitempty"`
	Text         string          `json:"text"`
	Blocks       []slackgo.Block `json:"blocks,omitempty"`
}

// Replace is an answer that puts m in the place of the message whose button was
// pressed.
func Replace(m notify.Message) ([]byte, error) {
	text, blocks := render(m)
	yes := true
	return json.Marshal(answer{Replace: &yes, Text: text, Blocks: blocks})
}

// Private is an answer that only who pressed the button sees, such as a refusal
// or a hint. The text is not markup.
func Private(text string) ([]byte, error) {
	no := false
	return json.Marshal(answer{Replace: &no, ResponseType: "ephemeral", Text: cutEscaped(Escape(notify.Text(text, maxText)), maxText)})
}
