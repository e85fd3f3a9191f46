// Package notify is what Baton tells people outside of its own pages: one
// message, whatever the channel, and one interface that the channels implement.
//
// A [Message] holds facts and no markup. [Message.Content] puts them into words,
// once for all channels; the adapters below this package (email, slack, teams,
// webhook) escape and bound them for their medium. Who is told, when, and
// whether it is still true, is decided elsewhere.
package notify

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/models"
)

// Channel delivers messages by one means. Implementations are safe for
// concurrent use.
type Channel interface {
	// Name is the means.
	Name() ChannelName
	// Send delivers m once. Its error is an [*Error]. The same m may be sent
	// again after any error; [ClassUnclear] is the one after which the
	// recipient may see it twice, where the medium gives no way to know.
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Updater is a [Channel] whose messages can be changed after they were sent.
type Updater interface {
	// Update makes what was sent say what m says now. Doing it twice does no
	// harm. Its error is an [*Error].
	Update(ctx context.Context, sent Receipt, m Message) (Receipt, error)
}

// Checker is a [Channel] that can be tried without telling anybody anything.
type Checker interface {
	// Check asks the service whether it would take a message. Its error is an
	// [*Error].
	Check(ctx context.Context) error
}

// ChannelName names a means of telling somebody.
type ChannelName string

// The channels.
const (
	ChannelEmail   ChannelName = "email"
	ChannelSlack   ChannelName = "slack"
	ChannelTeams   ChannelName = "teams"
	ChannelWebhook ChannelName = "webhook"
)

// ChannelNames lists the channels.
func ChannelNames() []ChannelName {
	return []ChannelName{ChannelEmail, ChannelSlack, ChannelTeams, ChannelWebhook}
}

// Valid reports whether n is one of the channels above.
func (n ChannelName) Valid() bool {
	return n == ChannelEmail || n == ChannelSlack || n == ChannelTeams || n == ChannelWebhook
}

// Title is the channel's name in a sentence.
func (n ChannelName) Title() string {
	switch n {
	case ChannelEmail:
		return "the mail server"
	case ChannelSlack:
		return "Slack"
	case ChannelTeams:
		return "Microsoft Teams"
	case ChannelWebhook:
		return "the webhook's receiver"
	}
	return "the channel"
}

// Kind is what a message is about.
type Kind string

// The kinds. Their strings are the end of a webhook's type, such as
// "handoff.escalated".
const (
	// KindEscalated is a handoff that waits for somebody.
	KindEscalated Kind = "escalated"
	// KindParked is a session that was put down and may be picked up.
	KindParked Kind = "parked"
	// KindWaiting reminds of a handoff that still waits.
	KindWaiting Kind = "waiting"
	// KindWoken tells a sender that what they parked is due.
	KindWoken Kind = "woken"
	// KindReleased is a handoff whose holder put it back into the queue.
	KindReleased Kind = "released"
	// KindReassigned is a handoff that now waits for this recipient or team.
	KindReassigned Kind = "reassigned"
	// KindReturned is a handoff that came back to its sender with questions.
	KindReturned Kind = "returned"
	// KindAnswered is a handoff whose sender answered the questions.
	KindAnswered Kind = "answered"
	// KindLeaseReminder reminds a holder who shows no activity.
	KindLeaseReminder Kind = "lease_reminder"
	// KindLeaseAsked asks a holder whether they are still at it.
	KindLeaseAsked Kind = "lease_asked"
	// KindTakenBack is a handoff that was taken from an inactive holder.
	KindTakenBack Kind = "taken_back"
	// KindBundle stands for many handoffs that wait.
	KindBundle Kind = "bundle"
	// KindTest is sent by hand, to see whether a channel works.
	KindTest Kind = "test"
)

// Kinds lists the kinds.
func Kinds() []Kind {
	return []Kind{
		KindEscalated, KindParked, KindWaiting, KindWoken, KindReleased, KindReassigned, KindReturned, KindAnswered,
		KindLeaseReminder, KindLeaseAsked, KindTakenBack, KindBundle, KindTest,
	}
}

// Key is the business key of one notification: the same for each attempt, and
// never the same for another. What a channel needs as an id is derived from it.
type Key struct {
	Account uuid.UUID
	// Handoff is [uuid.Nil] for a bundle or a test.
	Handoff    uuid.UUID
	Generation int
	// Step names the step of the ladder or the event, with its repeat, such as
	// "ladder/2/0" or "returned/3".
	Step string
	// Recipient is the id of the user, team or endpoint that is told.
	Recipient string
	Channel   ChannelName
}

// String is the key for people and logs.
func (k Key) String() string {
	return strings.Join([]string{
		k.Account.String(), k.Handoff.String(), strconv.Itoa(k.Generation), k.Step, k.Recipient, string(k.Channel),
	}, "/")
}

// ID is a short name of the key for the outside: 26 lower-case letters and
// digits that tell nothing about it. Two keys never share one in practice (130
// bits of SHA-256).
func (k Key) ID() string {
	h := sha256.New()
	for _, part := range []string{
		"baton notification 1", k.Account.String(), k.Handoff.String(), strconv.Itoa(k.Generation), k.Step, k.Recipient, string(k.Channel),
	} {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) // so that parts do not run into each other
		_, _ = h.Write([]byte(part))
	}
	return encode(h.Sum(nil))
}

// Thread is a short name of what the key's message belongs with: all messages
// to one account about one handoff.
func (k Key) Thread() string {
	if k.Handoff == uuid.Nil {
		return k.ID()
	}
	h := sha256.New()
	_, _ = h.Write([]byte("baton thread 1"))
	_, _ = h.Write(k.Account[:])
	_, _ = h.Write(k.Handoff[:])
	return encode(h.Sum(nil))
}

const idLength = 26

func encode(sum []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum))[:idLength]
}

// Recipient is where a message goes.
type Recipient struct {
	// Name is for the greeting; it may be empty.
	Name string
	// Address is a mail address, or the id of a Slack channel or user. Teams
	// and webhooks have none: their address is the channel's own.
	Address string
}

// Message is one thing to tell. Its texts are redacted and may hold anything
// else: markup, line breaks, control characters, any length.
type Message struct {
	Key   Key
	Kind  Kind
	To    Recipient
	Facts Facts
	Links Links
	// At is when it came to be due. It is the same for each attempt.
	At time.Time
	// Zone is that of the times shown; nil is UTC.
	Zone *time.Location
	// MaybeSent says that an attempt before this one may have delivered it.
	// Channels that can look for their own mark then do.
	MaybeSent bool
}

// Facts are what a message tells. Empty ones are left out.
type Facts struct {
	// Client is the customer concerned.
	Client string
	// Problem is one line.
	Problem  string
	Priority models.Priority
	// Ticket is the number in the PSA.
	Ticket string
	// From is who hands off, or who did what the message is about.
	From string
	// Team is for whom it waits.
	Team string
	// Holder is who has it.
	Holder string
	// Ask is what the sender wants.
	Ask string
	// Reason is why something happened, such as a release's.
	Reason string
	// Questions and Answer are those of a return to the sender.
	Questions []string
	Answer    string
	// WaitingSince is when it began to wait for a claim.
	WaitingSince time.Time
	// Due is when the next thing happens: a claim is due, a lease ends.
	Due time.Time
	// Next says what happens then, in words: "the whole team is told".
	Next string
	// Count and Items are for a bundle: how many handoffs, and some of them.
	Count int
	Items []Item
	// Outcome says that it no longer waits. It is set for updates.
	Outcome Outcome
	// Why says why the recipient is told: "you are in the team Tier 2".
	Why string
}

// Item is one handoff of a bundle.
type Item struct {
	Client   string
	Problem  string
	Priority models.Priority
	Ticket   string
	URL      string
}

// Outcome is what became of a handoff since the message was sent. The zero
// value says that it still waits.
type Outcome struct {
	// Verb is what happened; empty for nothing.
	Verb models.Verb
	// By is who did it.
	By string
	At time.Time
}

// Links are addresses of Baton's own pages.
type Links struct {
	// Open shows the handoff, or the queue for a bundle.
	Open string
	// Claim is a signed link to the page that claims it, for channels without
	// buttons. Empty when it cannot be claimed.
	Claim string
}

// Receipt is what a service said to a message that it took.
type Receipt struct {
	// ID is the provider's name for the message: Message-ID, Slack's ts, or
	// webhook-id. Teams gives none; it is then the key's.
	ID string
	// Where is Slack's id of the conversation.
	Where string
	// Status is the status of the answer, HTTP's or SMTP's.
	Status int
	// Found says that it was there already and was not sent again.
	Found bool
}

// Network is what an operator of the deployment lets a channel reach besides
// the public internet. It is never set by an account itself.
type Network struct {
	Allow []netip.Prefix
}
