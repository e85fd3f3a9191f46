package chaos

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/internal/notify/notifytest"
	"github.com/baton-handoff/baton/internal/notify/slack"
	"github.com/baton-handoff/baton/models"
)

// claimButton is the action of the button that claims in Slack.
const claimButton = "baton_claim"

// lately is how many of the newest messages somebody looks at.
const lately = 4

// answer lets somebody claim from where they were told.
func (c *crowd) answer(ctx context.Context, p Person, rng *rand.Rand) {
	if !slices.Contains(p.By, notify.ChannelEmail) || slices.Contains(p.By, notify.ChannelSlack) && rng.IntN(2) == 0 {
		c.press(ctx, p, rng)
		return
	}
	c.follow(ctx, p, rng)
}

// press presses the button of a message, in somebody's own conversation or in
// their account's channel. Slack tells Baton of it once, or once more.
func (c *crowd) press(ctx context.Context, p Person, rng *rand.Rand) {
	s := c.sys.inbox.slack
	where := slackUser(p)
	if !slices.Contains(p.By, notify.ChannelSlack) || rng.IntN(3) == 0 {
		where = slackChannel(p.Account)
	}
	messages := slices.DeleteFunc(s.Messages(where), func(m notifytest.SlackMessage) bool { return m.Buttons[claimButton] == "" })
	if len(messages) == 0 {
		return
	}
	m := messages[len(messages)-1-rng.IntN(min(lately, len(messages)))]
	value, ok := slack.ParseClaimValue(m.Buttons[claimButton])
	pressed, err := s.Press("http://"+c.sys.inbox.slackAt, where, m.TS, slackUser(p), claimButton)
	if !ok || err != nil {
		return // it was changed meanwhile
	}
	op := c.through(p, models.DoorSlack, value.Handoff, value.Generation)
	for range 1 + rng.IntN(2) {
		replica := rng.IntN(replicas)
		err = pressed.Deliver(ctx, c.http, "http://"+c.sys.doors[replica].address+"/api/v1/slack/interactions")
		op.Replica = replica
	}
	op.Text = "it was acknowledged"
	if err != nil {
		op.Text = "it was not acknowledged: " + err.Error()
	}
	c.record(op)
}

// claimLink is a link that claims, in a mail.
var claimLink = regexp.MustCompile(publicURL + `(/claim/([\w-]+))`)

// follow follows the link in a mail. A scanner may have opened it before, which
// claims nothing.
func (c *crowd) follow(ctx context.Context, p Person, rng *rand.Rand) {
	var mine []string
	for _, m := range slices.Backward(c.sys.inbox.mail.Mails()) {
		if len(m.To) == 1 && addressOf(m.To[0]) == p.email && claimLink.MatchString(m.Text) {
			if mine = append(mine, m.Text); len(mine) == lately {
				break
			}
		}
	}
	if len(mine) == 0 {
		return
	}
	link := claimLink.FindStringSubmatch(mine[rng.IntN(len(mine))])
	handoff, generation, ok := leadsTo(link[2])
	if !ok {
		return
	}
	replica := rng.IntN(replicas)
	if rng.IntN(3) == 0 {
		_, _ = c.open(ctx, http.MethodGet, replica, link[1])
		return
	}
	op := c.through(p, models.DoorLink, handoff, generation)
	op.Replica = replica
	status, text := c.open(ctx, http.MethodPost, replica, link[1])
	op.Text = fmt.Sprintf("the page answered %d", status)
	op.Yours = status == http.StatusOK && strings.Contains(text, "It is yours")
	if op.Yours {
		op.Text += ": it is theirs"
	}
	c.record(op)
}

// through is a claim by a door that does not say in which state it left the
// handoff. Whether it took effect, the timeline tells.
func (c *crowd) through(p Person, door models.Door, handoff uuid.UUID, generation int) Op {
	return Op{
		Verb: models.VerbClaim, By: p.ID, Account: p.Account, Handoff: handoff, Door: door, Generation: generation,
		Key: fmt.Sprintf("door/%d/%s/%s", generation, handoff, p.ID), Call: time.Since(c.began), Return: Never,
	}
}

// leadsTo reads which handoff and generation a link's token is for. Its form is
// that of package link, written anew.
func leadsTo(token string) (handoff uuid.UUID, generation int, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	const before = 3 + 16 + 16 // version, key, purpose; account; user
	if err != nil || len(raw) < before+16+4 {
		return uuid.Nil, 0, false
	}
	copy(handoff[:], raw[before:])
	return handoff, int(binary.BigEndian.Uint32(raw[before+16:])), true
}

// open asks for the page of a link; the status is 0 without an answer.
func (c *crowd) open(ctx context.Context, method string, replica int, path string) (status int, text string) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.sys.doors[replica].address+path, http.NoBody)
	if err != nil {
		return 0, ""
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	c.sys.secrets.searchShown("the page of a link", body)
	return resp.StatusCode, string(body)
}
