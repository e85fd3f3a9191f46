package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/models"
	"github.com/baton-handoff/baton/workflows"
)

const (
	// requestTimeout is shorter than the API's own, so that clients are left in
	// the dark as often as can be.
	requestTimeout = 6 * time.Second
	// tries is how often a client asks again at once before it gives up.
	tries = 4
)

// board is what the people of one account know of each other's handoffs.
type board struct {
	mu       sync.Mutex
	sessions []session
	open     []handoff
}

type session struct {
	id     uuid.UUID
	owner  uuid.UUID
	ticket string // empty for one that has none
}

type handoff struct {
	id, session uuid.UUID
	intent      models.Intent
	sender      uuid.UUID
}

func (b *board) addHandoff(h handoff) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range b.open {
		if known.id == h.id {
			return
		}
	}
	b.open = append(b.open, h)
}

func (b *board) closed(id uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, h := range b.open {
		if h.id == id {
			// Not at once: that people are late is part of the game.
			if len(b.open) > 4 {
				b.open = append(b.open[:i], b.open[i+1:]...)
			}
			return
		}
	}
}

// pick favours the newest, so that people meet.
func (b *board) pick(rng *rand.Rand) (handoff, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.open) == 0 {
		return handoff{}, false
	}
	window := len(b.open)
	if rng.IntN(10) < 7 {
		window = min(window, 3)
	}
	return b.open[len(b.open)-1-rng.IntN(window)], true
}

func (b *board) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)
}

// crowd is all clients of a run.
type crowd struct {
	sys    *system
	began  time.Time
	people []Person
	boards map[uuid.UUID]*board
	http   *http.Client

	mu        sync.Mutex
	ops       []Op
	briefings map[uuid.UUID][]BriefingSeen // in the end
	surprises []string
	stepped   []uuid.UUID // sessions that were gone on with
	signs     []Sign

	ladders map[uuid.UUID]Ladder // by account
	// patient says that there are handoffs of which people need not be told at
	// once.
	patient bool
}

func newCrowd(s *system, began time.Time, people []Person) *crowd {
	c := &crowd{
		sys: s, began: began, people: people, boards: map[uuid.UUID]*board{}, ladders: map[uuid.UUID]Ladder{},
		http: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	for _, p := range people {
		if c.boards[p.Account] == nil {
			c.boards[p.Account] = &board{}
		}
	}
	return c
}

// work lets everybody work until ctx ends.
func (c *crowd) work(ctx context.Context, seed uint64) {
	var wg sync.WaitGroup
	for i, p := range c.people {
		rng := rand.New(rand.NewPCG(seed, uint64(100+i)))
		wg.Go(func() {
			for wait(ctx, time.Duration(50+rng.IntN(400))*time.Millisecond) {
				c.act(context.WithoutCancel(ctx), p, rng)
			}
		})
	}
	wg.Wait()
}

// act does one thing that a person would do, and sees it through.
func (c *crowd) act(ctx context.Context, p Person, rng *rand.Rand) {
	b := c.boards[p.Account]
	sends := strings.HasPrefix(p.Name, "S")
	if sends && (b.count() < 3 || rng.IntN(10) < 3) {
		c.handOff(ctx, p, rng)
		return
	}
	h, ok := b.pick(rng)
	if !ok {
		return
	}
	if rng.IntN(30) == 0 {
		c.intrude(ctx, c.people[rng.IntN(len(c.people))], h, rng)
		return
	}
	switch rng.IntN(32) {
	case 0, 1, 2, 3:
		c.enrich(ctx, p, h, rng)
		return
	case 4, 5, 6, 7:
		c.answer(ctx, p, rng)
		return
	case 8:
		c.stillHere(ctx, p, h, rng)
		return
	}
	op := Op{By: p.ID, Account: p.Account, Session: h.session, Handoff: h.id, Intent: h.intent, Key: uuid.NewString()}
	admin := p.Role.AtLeast(models.RoleAdmin)
	switch n := rng.IntN(100); {
	case n < 15:
		op.Verb, op.Key = VerbRead, ""
	case sends && n < 25:
		op.Verb = models.VerbCancel
	case sends && n < 50:
		op.Verb = models.VerbAnswer
	case admin && n < 25:
		c.signal(ctx, h, c.people[rng.IntN(len(c.people))])
		return
	case admin && n < 60:
		op.Verb = []models.Verb{models.VerbRelease, models.VerbReassign, models.VerbResolve, models.VerbReturn, models.VerbAnswer}[rng.IntN(5)]
	case n < 70:
		op.Verb = models.VerbClaim
		if rng.IntN(4) == 0 {
			op.Key = "" // as today's web app does
		}
	case n < 77:
		op.Verb = models.VerbRelease
	case n < 84:
		op.Verb = models.VerbReassign
	case n < 91:
		op.Verb = models.VerbReturn
	default:
		op.Verb = models.VerbResolve
	}
	if op.Verb == models.VerbReassign {
		op.Target = c.colleague(p, h, rng)
	}
	done := c.insist(ctx, op, rng)
	if done.Verb == models.VerbReturn && done.Accepted() && rng.IntN(4) > 0 {
		// Who asked waits for a while, as people do.
		wait(ctx, time.Duration(100+rng.IntN(500))*time.Millisecond)
		again := Op{Verb: models.VerbAnswer, By: h.sender, Account: p.Account, Session: h.session, Handoff: h.id, Intent: h.intent, Key: uuid.NewString()}
		c.insist(ctx, again, rng)
		if rng.IntN(2) == 0 { // and others do not
			again.Verb, again.By, again.Key = models.VerbClaim, c.colleague(p, h, rng), uuid.NewString()
			c.insist(ctx, again, rng)
		}
	}
	if done.Verb == models.VerbClaim && done.Accepted() && c.ladders[p.Account].Lease != (Lease{}) {
		c.goOn(ctx, p, h, rng)
	}
	if done.Seen != nil && done.Seen.Status.Closed() || done.Code == models.CodeClosed {
		b.closed(h.id)
	}
}

// intrude lets somebody of another account try.
func (c *crowd) intrude(ctx context.Context, stranger Person, h handoff, rng *rand.Rand) {
	if stranger.Account == c.accountOf(h) {
		return
	}
	op := Op{Verb: []models.Verb{VerbRead, models.VerbClaim, models.VerbCancel}[rng.IntN(3)], By: stranger.ID, Account: stranger.Account, Session: h.session, Handoff: h.id}
	c.ask(ctx, op, rng.IntN(replicas))
}

// colleague is somebody of the account who could claim the handoff.
func (c *crowd) colleague(p Person, h handoff, rng *rand.Rand) uuid.UUID {
	for {
		other := c.people[rng.IntN(len(c.people))]
		if other.Account == p.Account && other.ID != h.sender {
			return other.ID
		}
	}
}

// handOff hands off a session of the person's own, new or used before.
func (c *crowd) handOff(ctx context.Context, p Person, rng *rand.Rand) {
	b := c.boards[p.Account]
	var mine []session
	b.mu.Lock()
	for _, s := range b.sessions {
		if s.owner == p.ID {
			mine = append(mine, s)
		}
	}
	b.mu.Unlock()
	var s session
	if len(mine) > 0 && rng.IntN(3) == 0 {
		s = mine[len(mine)-1-rng.IntN(min(4, len(mine)))]
	} else {
		var ok bool
		if s, ok = c.newSession(ctx, p, c.ticket(b, p, rng), rng); !ok {
			return
		}
		b.mu.Lock()
		b.sessions = append(b.sessions, s)
		b.mu.Unlock()
	}
	op := Op{Verb: models.VerbCreate, By: p.ID, Account: p.Account, Session: s.id, Ticket: s.ticket, Intent: models.IntentEscalate, Key: uuid.NewString()}
	if rng.IntN(3) == 0 {
		op.Intent = models.IntentPark
		if rng.IntN(2) == 0 {
			op.Wake = time.Now().Add(time.Duration(rng.IntN(4000)) * time.Millisecond).UTC().Truncate(time.Microsecond)
		}
	}
	op.Priority = models.PriorityCritical
	if c.patient && rng.IntN(6) == 0 {
		op.Priority = []models.Priority{models.PriorityLow, models.PriorityNormal, models.PriorityHigh}[rng.IntN(3)]
	}
	if rng.IntN(4) == 0 {
		op.Target = c.colleague(p, handoff{sender: p.ID}, rng)
	}
	// An impatient client sends the same request twice, and a confused one
	// another request for the same session.
	var wg sync.WaitGroup
	defer wg.Wait()
	switch replica := rng.IntN(replicas); rng.IntN(16) {
	case 0, 1:
		wg.Go(func() { c.ask(ctx, op, replica) })
	case 2:
		rival := op
		rival.Key = uuid.NewString()
		wg.Go(func() { c.ask(ctx, rival, replica) })
	}
	if done := c.insist(ctx, op, rng); done.Accepted() {
		b.addHandoff(handoff{id: done.Handoff, session: s.id, intent: op.Intent, sender: p.ID})
	}
}

// newSession is not what the run is about: it is tried until it works.
func (c *crowd) newSession(ctx context.Context, p Person, ticket string, rng *rand.Rand) (session, bool) {
	key := uuid.NewString()
	sentence, secret := c.sys.secrets.planted(key, "a session")
	body := map[string]any{
		"title": "Outlook does not sync", "client_name": "Larch Dental", "problem": "No mail since Monday. " + sentence,
		"steps": []map[string]any{
			{"id": uuid.New(), "at": time.Now(), "actor": "user", "kind": "message", "text": "No mail since Monday."},
			{"id": uuid.New(), "at": time.Now(), "actor": "engineer", "kind": "command", "text": "Restart-Service ClickToRunSvc", "outcome": "no_change"},
			{"id": uuid.New(), "at": time.Now(), "actor": "user", "kind": "message", "text": "I tried " + secret + " three times."},
		},
	}
	if ticket != "" {
		body["psa_ticket"] = ticket
	}
	for range tries {
		status, answer, err := c.call(ctx, p, rng.IntN(replicas), http.MethodPost, "/api/v1/ai-sessions", key, body)
		var s apiclient.Session
		if err == nil && status == http.StatusCreated && json.Unmarshal(answer, &s) == nil {
			return session{id: s.ID, owner: p.ID, ticket: ticket}, true
		}
		wait(ctx, 300*time.Millisecond)
	}
	return session{}, false
}

// ticket is what a new session is about: mostly a new ticket, sometimes that of
// a session before, and sometimes none.
func (c *crowd) ticket(b *board, p Person, rng *rand.Rand) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch n := rng.IntN(8); {
	case n == 0:
		return ""
	case n < 3 && len(b.sessions) > 0:
		// People write it with or without its sign.
		if known := b.sessions[len(b.sessions)-1].ticket; strings.HasPrefix(known, "#") {
			return known[1:]
		} else if known != "" {
			return "#" + known
		}
	}
	return strconv.FormatInt(c.sys.deskOf(p.Account).fake.Desk().AddTicket("Outlook does not sync").ID, 10)
}

// insist asks, and as long as the outcome is unknown asks again with the same
// key, as the API says that clients should.
func (c *crowd) insist(ctx context.Context, op Op, rng *rand.Rand) Op {
	for {
		done := c.ask(ctx, op, rng.IntN(replicas))
		if done.Tells() || op.Again == tries || op.Verb == VerbRead || op.Again == 0 && !done.Unknown() {
			return done
		}
		op.Again++
		wait(ctx, time.Duration(100+rng.IntN(600))*time.Millisecond)
	}
}

// ask makes one request and writes down what became of it.
func (c *crowd) ask(ctx context.Context, op Op, replica int) Op {
	op.Replica = replica
	method, path := http.MethodPost, "/api/v1/ai-sessions/"+op.Session.String()
	var body map[string]any
	switch op.Verb {
	case models.VerbCreate:
		path += "/handoff"
		body = map[string]any{"intent": op.Intent, "priority": op.Priority.String(), "engineer_notes": "Please look at the connector." + c.careless(op)}
		if !op.Wake.IsZero() {
			body["wake"] = map[string]any{"at": op.Wake}
		}
		if op.Target != uuid.Nil {
			body["target_user_id"] = op.Target
		}
	case VerbRead:
		method = http.MethodGet
		path += "/handoffs/" + op.Handoff.String()
	default:
		path += "/handoffs/" + op.Handoff.String() + "/" + string(op.Verb)
		switch op.Verb {
		case models.VerbReassign:
			body = map[string]any{"target_user_id": op.Target, "note": "yours, I think" + c.careless(op)}
		case models.VerbResolve:
			body = map[string]any{"resolution": resolutionOf(op) + c.careless(op)}
		case models.VerbRelease, models.VerbCancel:
			body = map[string]any{"note": "not mine" + c.careless(op)}
		case models.VerbReturn:
			body = map[string]any{"questions": "Which firmware?" + c.careless(op)}
		case models.VerbAnswer:
			body = map[string]any{"answer": "It is 7.2.4." + c.careless(op)}
		default:
		}
	}
	op.Call = time.Since(c.began)
	status, answer, err := c.call(ctx, c.person(op.By), replica, method, path, op.Key, body)
	op.Return = time.Since(c.began)
	op.HTTP = status
	if err != nil {
		op.HTTP, op.Text = 0, err.Error()
	} else {
		op.read(answer)
	}
	if op.Unknown() && op.Verb != VerbRead {
		op.Return = Never
	}
	return c.record(op)
}

// careless is what some people write below what they had to say. It is the same
// whenever a request is repeated.
func (c *crowd) careless(op Op) string {
	if len(op.Key) == 0 || op.Key[0]%3 != 0 {
		return ""
	}
	sentence, _ := c.sys.secrets.planted(op.Key, "a "+string(op.Verb))
	return "\n" + sentence
}

// resolutionOf is the first line of a resolution, which no other request has.
func resolutionOf(op Op) string { return "connector restarted, " + op.Key }

func (c *crowd) record(op Op) Op {
	c.mu.Lock()
	defer c.mu.Unlock()
	op.ID = len(c.ops) + 1
	c.ops = append(c.ops, op)
	return op
}

func (c *crowd) person(id uuid.UUID) Person {
	for _, p := range c.people {
		if p.ID == id {
			return p
		}
	}
	return Person{}
}

// read takes what an answer says.
func (o *Op) read(answer []byte) {
	if o.Accepted() {
		var h apiclient.Handoff
		if err := json.Unmarshal(answer, &h); err != nil {
			o.HTTP, o.Text = 0, "unreadable answer: "+err.Error()
			return
		}
		o.Handoff, o.PSA = h.ID, models.EffectState(h.PSA.State)
		o.Seen = &State{Version: h.Version, Generation: h.Generation, Status: models.Status(h.Status), Holder: idOf(h.ClaimedBy), Target: idOf(h.TargetUserID), Reserved: reserved(h.ReservedUntil)}
		return
	}
	var problem struct {
		Code   models.Code     `json:"code"`
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(answer, &problem); err != nil {
		o.Text = "an answer that is no problem document"
		return
	}
	o.Code = problem.Code
	var claim struct {
		By    uuid.UUID  `json:"claimed_by_id"`
		At    time.Time  `json:"claimed_at"`
		For   uuid.UUID  `json:"reserved_for_id"`
		Until *time.Time `json:"reserved_until"`
	}
	if json.Unmarshal(problem.Detail, &o.Text) != nil && json.Unmarshal(problem.Detail, &claim) == nil {
		o.Holder, o.HeldSince, o.Text = claim.By, claim.At, ""
		o.ReservedFor, o.Reserved = claim.For, reserved(claim.Until)
	}
}

func idOf(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// call makes a request of one replica of the API.
func (c *crowd) call(ctx context.Context, p Person, replica int, method, path, key string, body map[string]any) (int, []byte, error) {
	var reader io.Reader
	if method != http.MethodGet {
		if body == nil {
			body = map[string]any{}
		}
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.sys.doors[replica].address+path, reader)
	if err != nil {
		return 0, nil, err
	}
	// Go's transport repeats a request with an Idempotency-Key by itself, and
	// would hide the first outcome, unless the body cannot be read again.
	req.GetBody = nil
	req.Header.Set("Authorization", "Bearer "+p.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, trimmed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, trimmed(err)
	}
	look := c.sys.secrets.searchShown
	if method == http.MethodGet && strings.HasSuffix(path, "/briefing") {
		look = c.sys.secrets.search
	}
	look("an answer to "+method+" "+path, answer)
	return resp.StatusCode, answer, nil
}

// trimmed is an error without the address, which says nothing in a record.
func trimmed(err error) error {
	text := err.Error()
	if i := strings.Index(text, `": `); i >= 0 {
		text = text[i+3:]
	}
	return errors.New(text)
}

// signal claims through the operators' door, which gives no answer.
func (c *crowd) signal(ctx context.Context, h handoff, who Person) {
	op := Op{Verb: models.VerbClaim, Signal: true, By: who.ID, Account: who.Account, Session: h.session, Handoff: h.id, Intent: h.intent, Return: Never}
	if who.Account != c.accountOf(h) {
		return // operators are careful people
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	op.Call = time.Since(c.began)
	err := c.sys.client.SignalWorkflow(ctx, workflows.WorkflowID(who.Account, h.session), "", workflows.SignalClaim,
		workflows.ClaimSignal{HandoffID: h.id, UserID: who.ID})
	op.Text = "a signal has no answer"
	if err != nil {
		op.Text = fmt.Sprintf("signal: %v", err)
	}
	c.record(op)
}

func (c *crowd) accountOf(h handoff) uuid.UUID { return c.person(h.sender).Account }

// askAgain repeats every request whose outcome nobody knows, now that all is
// well: the API promises that this tells. It fails while some are not told,
// as when a workflow task has to wait for a worker that can do it.
func (c *crowd) askAgain(ctx context.Context) error {
	type request struct {
		key string
		by  uuid.UUID
	}
	known, unknown := map[request]bool{}, map[request]bool{}
	last := map[request]Op{}
	c.mu.Lock()
	ops := append([]Op(nil), c.ops...)
	c.mu.Unlock()
	var order []request
	for _, op := range ops {
		r := request{op.Key, op.By}
		if op.Key == "" || op.Signal || op.Door != "" {
			continue
		}
		if _, seen := last[r]; !seen {
			order = append(order, r)
		}
		last[r] = op
		known[r] = known[r] || op.Tells()
		unknown[r] = unknown[r] || op.Unknown()
	}
	open := 0
	for _, r := range order {
		if op := last[r]; !known[r] && unknown[r] {
			op.Again++
			op.Seen, op.PSA, op.Holder, op.HeldSince, op.Text, op.Code = nil, "", uuid.Nil, time.Time{}, "", ""
			if !c.ask(ctx, op, op.ID%replicas).Tells() {
				open++
			}
		}
	}
	if open > 0 {
		return fmt.Errorf("the outcome of %d requests is not known", open)
	}
	return nil
}

// look reads every handoff once more through both replicas.
func (c *crowd) look(ctx context.Context) {
	seen := map[uuid.UUID]bool{}
	c.mu.Lock()
	ops := append([]Op(nil), c.ops...)
	c.mu.Unlock()
	for _, op := range ops {
		if op.Verb != models.VerbCreate || op.Handoff == uuid.Nil || seen[op.Handoff] {
			continue
		}
		seen[op.Handoff] = true
		for replica := range replicas {
			c.ask(ctx, Op{Verb: VerbRead, By: op.By, Account: op.Account, Session: op.Session, Handoff: op.Handoff, Intent: op.Intent}, replica)
			c.readBriefing(ctx, op, replica)
		}
	}
}
