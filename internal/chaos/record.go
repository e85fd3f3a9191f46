package chaos

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/baton-handoff/baton/internal/notify"
	"github.com/baton-handoff/baton/models"
)

// Record is everything that a run wrote down. The checks need nothing else, so
// a record that was kept can be checked again.
type Record struct {
	Seed uint64 `json:"seed"`
	Calm bool   `json:"calm,omitempty"`
	// Builds is how many builds of Baton took part.
	Builds int       `json:"builds"`
	Began  time.Time `json:"began"`
	People []Person  `json:"people"`
	// Ops are what clients asked for and were told, in the order of the requests.
	Ops     []Op         `json:"ops"`
	Streams []Stream     `json:"streams"`
	Faults  []FaultEvent `json:"faults"`
	// Deaths are processes that ended though nobody asked them to.
	Deaths []string `json:"deaths"`
	// Briefings are what was answered in the end, by handoff, and Surprises
	// answers to requests about briefings that the contract does not have.
	Briefings map[uuid.UUID][]BriefingSeen `json:"briefings"`
	Surprises []string                     `json:"surprises,omitempty"`
	// Ladders are those of the accounts, Endpoints their channels, and Signs what
	// showed that somebody works on a handoff.
	Ladders   map[uuid.UUID]Ladder `json:"ladders"`
	Endpoints []Endpoint           `json:"endpoints"`
	Signs     []Sign               `json:"signs"`
	// Browser is what a real browser showed; nil where none took part.
	Browser *Browser `json:"browser,omitempty"`
	Truth   Truth    `json:"truth"`
}

// Person is somebody who uses Baton.
type Person struct {
	ID      uuid.UUID   `json:"id"`
	Account uuid.UUID   `json:"account"`
	Name    string      `json:"name"`
	Role    models.Role `json:"role"`
	// By are the channels by which they want to be told.
	By []notify.ChannelName `json:"by"`

	email, subject, token string
}

// Never is the end of an [Op] that got no answer: it may take effect at any
// time after its call.
const Never = time.Duration(1<<63 - 1)

// VerbRead is the kind of an [Op] that only looks.
const VerbRead models.Verb = "read"

// Op is one request of one client, and what became of it. A request that is
// repeated with its key is another Op with the same key.
type Op struct {
	ID      int         `json:"id"`
	Verb    models.Verb `json:"verb"`
	By      uuid.UUID   `json:"by"`
	Account uuid.UUID   `json:"account"`
	Session uuid.UUID   `json:"session"`
	// Ticket is the one that a create's session was given.
	Ticket  string        `json:"ticket,omitempty"`
	Handoff uuid.UUID     `json:"handoff"` // nil for a create that was not answered
	Intent  models.Intent `json:"intent,omitempty"`
	Target  uuid.UUID     `json:"target,omitzero"`
	// Priority is a create's, and Wake when a session is due that it parks.
	Priority models.Priority `json:"-"`
	Wake     time.Time       `json:"-"`
	Key      string          `json:"key,omitempty"`
	// Again counts the earlier requests with this key.
	Again int `json:"again,omitempty"`
	// Signal is set for a claim that an operator made through Temporal.
	Signal bool `json:"signal,omitempty"`
	// Door is set for a claim of a Generation by the button or the link of a
	// message, and for the end of a lease. Yours says that a link's page told them
	// that it is theirs.
	Door       models.Door `json:"door,omitempty"`
	Generation int         `json:"generation,omitempty"`
	Yours      bool        `json:"yours,omitempty"`

	Call   time.Duration `json:"call"`
	Return time.Duration `json:"return"`
	// Replica is the API that was asked.
	Replica int `json:"replica"`
	// HTTP is the status of the answer; 0 when there was none.
	HTTP int         `json:"http"`
	Code models.Code `json:"code,omitempty"`
	Text string      `json:"text,omitempty"`
	// Seen is the handoff in a 2xx.
	Seen *State `json:"seen,omitempty"`
	// PSA is what the handoff in a 2xx says of its ticket.
	PSA models.EffectState `json:"psa,omitempty"`
	// Holder and HeldSince are who a 409 says was faster.
	Holder    uuid.UUID `json:"holder,omitzero"`
	HeldSince time.Time `json:"held_since,omitzero"`
	// ReservedFor and Reserved are for whom and until when a 409 says that it is
	// kept; see [State.Reserved].
	ReservedFor uuid.UUID `json:"reserved_for,omitzero"`
	Reserved    int64     `json:"reserved,omitempty"`
}

// State is a handoff as somebody saw it.
type State struct {
	Version    int           `json:"version"`
	Generation int           `json:"generation"`
	Status     models.Status `json:"status"`
	Holder     uuid.UUID     `json:"holder,omitzero"`
	Target     uuid.UUID     `json:"target,omitzero"`
	// Reserved is until when only the target may claim it, in microseconds of
	// Unix time, so that states can be compared.
	Reserved int64 `json:"reserved,omitempty"`
}

func reserved(until *time.Time) int64 {
	if until == nil {
		return 0
	}
	return until.UnixMicro()
}

// Accepted reports whether the request was answered with 2xx.
func (o Op) Accepted() bool { return o.HTTP >= 200 && o.HTTP < 300 }

// Unknown reports whether nobody was told what became of the request.
func (o Op) Unknown() bool {
	return o.HTTP == 0 || o.Code == models.CodeOutcomeUnknown || o.HTTP >= 500 && o.Code != models.CodeUnavailable
}

// Outrun reports whether a claim was accepted, and was over before it could be
// answered.
func (o Op) Outrun() bool {
	return o.Verb == models.VerbClaim && o.Code == models.CodeConflict && strings.HasPrefix(o.Text, "Your claim was accepted, but")
}

// Refused reports whether the answer says that nothing was done.
func (o Op) Refused() bool { return !o.Accepted() && !o.Unknown() && !o.Outrun() }

// Tells reports whether the answer tells what became of all requests with its
// key. That the service was away tells of the last one only.
func (o Op) Tells() bool { return !o.Unknown() && o.Code != models.CodeUnavailable }

// String is the request in one line.
func (o Op) String() string {
	until := "…"
	if o.Return != Never {
		until = fmt.Sprintf("%.3f", o.Return.Seconds())
	}
	what := string(o.Verb)
	if o.Signal {
		what += " by signal"
	}
	if o.Door != "" {
		what += fmt.Sprintf(" by %s of g%d", o.Door, o.Generation)
	}
	if o.Again > 0 {
		what += fmt.Sprintf(" (again, %d)", o.Again)
	}
	line := fmt.Sprintf("#%-5d %8.3f – %-8s %s  %-18s key %-8.8s → ", o.ID, o.Call.Seconds(), until, short(o.By), what, o.Key)
	switch {
	case o.Seen != nil:
		line += fmt.Sprintf("%d %s", o.HTTP, *o.Seen)
	case o.HTTP == 0:
		line += "no answer: " + o.Text
	default:
		line += fmt.Sprintf("%d %s %s", o.HTTP, o.Code, o.Text)
	}
	if o.Holder != uuid.Nil {
		line += fmt.Sprintf(" (held by %s since %s)", short(o.Holder), o.HeldSince.Format(time.RFC3339Nano))
	}
	return line
}

// String is the state in a few words.
func (s State) String() string {
	text := fmt.Sprintf("v%d g%d %s", s.Version, s.Generation, s.Status)
	if s.Holder != uuid.Nil {
		text += " by " + short(s.Holder)
	}
	if s.Target != uuid.Nil {
		text += " for " + short(s.Target)
	}
	if s.Reserved != 0 {
		text += " until " + time.UnixMicro(s.Reserved).UTC().Format(time.TimeOnly)
	}
	return text
}

func short(id uuid.UUID) string { return id.String()[len(id.String())-6:] }

// Stream is what one reader of the feed saw over all of its connections.
type Stream struct {
	Name    string    `json:"name"`
	Account uuid.UUID `json:"account"`
	// Start is the id after which it began; Frames are those that came after.
	Start       string  `json:"start"`
	Frames      []Frame `json:"frames"`
	Connections int     `json:"connections"`
	// Ended is why it stopped early, if it did.
	Ended string `json:"ended,omitempty"`
}

// Frame is one event of a stream.
type Frame struct {
	ID      string           `json:"id"`
	Type    models.EventType `json:"type"`
	Account uuid.UUID        `json:"account,omitzero"`
	Handoff uuid.UUID        `json:"handoff,omitzero"`
	State   State            `json:"state,omitzero"`
}

// FaultEvent is one thing that was broken or mended.
type FaultEvent struct {
	At   time.Duration `json:"at"`
	What string        `json:"what"`
	// Kind is the kind of fault that begins; empty for all else.
	Kind string `json:"kind,omitempty"`
}

// Save writes the record to a file, compressed.
func (r *Record) Save(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("keeping the record: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return fmt.Errorf("keeping the record: %w", err)
	}
	return z.Close()
}

// Load reads a record that [Record.Save] wrote.
func Load(path string) (*Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a record: %w", err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s is not a record of a run: %w", path, err)
	}
	var r Record
	if err := json.NewDecoder(z).Decode(&r); err != nil {
		return nil, fmt.Errorf("%s is not a record of a run: %w", path, err)
	}
	return &r, nil
}
