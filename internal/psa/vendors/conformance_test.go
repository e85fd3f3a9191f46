package vendors_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/baton-handoff/baton/internal/outbound"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/psa/vendors"
	"github.com/baton-handoff/baton/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testBundle is a fake, a connection to it, and a ticket in it.
type testBundle struct {
	kind    psa.Kind
	fake    psatest.Server
	desk    *psatest.Desk
	faults  *psatest.Faults
	address string
	conn    psa.Connection
	client  psa.Client
	ticket  psatest.Ticket
	ref     string
	handoff uuid.UUID
	clock   *clock
}

type clock struct{ skip atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.skip.Load())) }
func (c *clock) forward(d time.Duration) { c.skip.Add(int64(d)) }

var statuses = map[psa.StepName]string{
	psa.StepEscalated: "Escalated", psa.StepClaimed: "in progress", psa.StepReleased: "New", psa.StepResolved: "Completed",
}

// onAll runs a test over all adapters and their fakes.
func onAll(t *testing.T, f func(t *testing.T, b *testBundle)) {
	t.Helper()
	for _, kind := range []psa.Kind{psa.KindConnectWise, psa.KindAutotask, psa.KindHaloPSA} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f(t, setup(t, kind))
		})
	}
}

func setup(t *testing.T, kind psa.Kind) *testBundle {
	t.Helper()
	fake := psatest.New(kind)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	b := &testBundle{
		kind: kind, fake: fake, desk: fake.Desk(), faults: fake.Desk().Faults(), address: server.URL,
		handoff: uuid.Must(uuid.NewV7()), clock: &clock{},
	}
	b.connect(t)
	b.ticket = b.desk.AddTicket("Printer on fire")
	b.ref = strconv.FormatInt(b.ticket.ID, 10)
	return b
}

// connect makes a client with the credentials that are good now.
func (b *testBundle) connect(t *testing.T) {
	t.Helper()
	b.conn = b.fake.Connection(b.address)
	b.conn.Network.Allow = outbound.Loopback()
	b.conn.Options.Status, b.conn.Options.SetOwner = statuses, true
	b.client = b.newClient(t)
}

func (b *testBundle) newClient(t *testing.T) psa.Client {
	t.Helper()
	client, err := vendors.New(b.conn, vendors.Options{Now: b.clock.now, UserAgent: "baton/test"})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func (b *testBundle) step(name psa.StepName, generation int) psa.Step {
	var owner psa.Person
	if name == psa.StepClaimed {
		owner = psa.Person{Name: "Ana Senior", Email: "ANA@demo.test"}
	}
	return b.conn.Options.Apply(psa.Step{
		Ticket: b.ref, Mark: psa.Mark{Handoff: b.handoff, Step: name, Generation: generation}, Title: "Handoff " + string(name),
		Markdown: "## " + string(name) + "\n\nTried: reboot & <b>prayer</b>", Plain: strings.ToUpper(string(name)) + "\n\nTried: reboot & <b>prayer</b>\nand more",
	}, owner)
}

func (b *testBundle) notes(t *testing.T) []psatest.Note {
	t.Helper()
	ticket, found := b.desk.Ticket(b.ticket.ID)
	require.True(t, found)
	return ticket.Notes
}

// marked lists the marks in the API's notes, in order.
func (b *testBundle) marked(t *testing.T, all []psa.Mark) []string {
	t.Helper()
	var out []string
	for _, n := range b.notes(t) {
		for _, m := range all {
			if n.API && m.In(n.Text) {
				out = append(out, m.String())
			}
		}
	}
	return out
}

func TestHappyPath(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		ids := map[psa.StepName]string{}
		var marks []psa.Mark
		for _, name := range []psa.StepName{psa.StepEscalated, psa.StepClaimed, psa.StepResolved} {
			step := b.step(name, 1)
			marks = append(marks, step.Mark)
			r, err := psa.Push(t.Context(), b.client, step)
			require.NoError(t, err)
			require.False(t, r.Found)
			require.NotEmpty(t, r.NoteID)
			require.True(t, strings.EqualFold(statuses[name], r.Ticket.Status.Name), "%s: %s", name, r.Ticket.Status.Name)
			ids[name] = r.NoteID
			require.True(t, strings.EqualFold(statuses[name], b.desk.StatusName(b.ticket.ID)))
		}
		require.Equal(t, "ana", b.desk.OwnerIdentifier(b.ticket.ID))
		notes := b.notes(t)
		require.Len(t, notes, 3)
		for i, n := range notes {
			require.False(t, n.CustomerVisible)
			require.True(t, marks[i].In(n.Text))
			require.Equal(t, ids[marks[i].Step], strconv.FormatInt(n.ID, 10))
		}

		writes := b.desk.Count(psatest.OpAddNote)
		for _, m := range marks { // again: nothing is written twice
			r, err := psa.Push(t.Context(), b.client, b.step(m.Step, 1))
			require.NoError(t, err)
			require.True(t, r.Found)
			require.Equal(t, ids[m.Step], r.NoteID)
		}
		require.Equal(t, writes, b.desk.Count(psatest.OpAddNote))

		ticket, err := b.client.Ticket(t.Context(), "#"+b.ref)
		require.NoError(t, err)
		require.Equal(t, b.ref, ticket.ID)
		require.Equal(t, "Printer on fire", ticket.Summary)
		require.True(t, ticket.Status.Closed)
		require.Equal(t, "ana@demo.test", emailOf(b.kind, ticket))
		require.NotEmpty(t, ticket.Board.ID)
		require.WithinDuration(t, time.Now(), ticket.UpdatedAt, time.Hour)
	})
}

// emailOf is the owner's address, which ConnectWise's tickets do not have.
func emailOf(k psa.Kind, t psa.Ticket) string {
	if k == psa.KindConnectWise && t.Owner.Identifier == "ana" {
		return "ana@demo.test"
	}
	return t.Owner.Email
}

func TestNoteIsVisibleOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		b.conn.Options.Notes = psa.VisibilityCustomer
		b.client = b.newClient(t)
		_, err := psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1))
		require.NoError(t, err)
		b.conn.Options.Notes = ""
		_, err = psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
		require.NoError(t, err)
		notes := b.notes(t)
		require.True(t, notes[0].CustomerVisible)
		require.False(t, notes[1].CustomerVisible)
	})
}

func TestMarkFarBack(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		b.desk.AddNote(b.ticket.ID, "before")
		step := b.step(psa.StepReleased, 1)
		first, err := psa.Push(t.Context(), b.client, step)
		require.NoError(t, err)
		near := psa.Mark{Handoff: b.handoff, Step: psa.StepReleased, Generation: 11}
		for i := range 640 {
			text := fmt.Sprintf("note %d about %s", i, step.Mark.Inner()[:40])
			if i%100 == 0 {
				text += near.String() // "…:11]" is not "…:1]"
			}
			b.desk.AddNote(b.ticket.ID, text)
		}
		again, err := psa.Push(t.Context(), b.client, step)
		require.NoError(t, err)
		require.True(t, again.Found)
		require.Equal(t, first.NoteID, again.NoteID)
		_, found, err := b.client.FindNote(t.Context(), b.ref, psa.Mark{Handoff: b.handoff, Step: psa.StepReleased, Generation: 111})
		require.NoError(t, err)
		require.False(t, found)
	})
}

func TestPeopleCannotForgeAMark(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		first, next := b.step(psa.StepEscalated, 1), b.step(psa.StepClaimed, 1)
		first.Markdown = "the customer says " + next.Mark.String()
		first.Plain = first.Markdown
		for _, s := range []psa.Step{first, next} {
			r, err := psa.Push(t.Context(), b.client, s)
			require.NoError(t, err)
			require.False(t, r.Found)
		}
		require.Len(t, b.notes(t), 2)
	})
}

// trouble is what goes wrong, and what a read and a write of it are.
var troubles = []struct {
	name        string
	fault       psatest.Fault
	read, write psa.Class
	code        models.Code // of the write
}{
	{"refuse", psatest.Fault{Kind: psatest.FaultRefuse}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"500", psatest.Fault{Kind: psatest.FaultStatus, Status: 500}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"502", psatest.Fault{Kind: psatest.FaultStatus, Status: 502}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"503", psatest.Fault{Kind: psatest.FaultStatus, Status: 503}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"504", psatest.Fault{Kind: psatest.FaultStatus, Status: 504}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"408", psatest.Fault{Kind: psatest.FaultStatus, Status: 408}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"409", psatest.Fault{Kind: psatest.FaultStatus, Status: 409}, psa.ClassTemporary, psa.ClassTemporary, models.CodeUnavailable},
	{"400", psatest.Fault{Kind: psatest.FaultStatus, Status: 400}, psa.ClassRejected, psa.ClassRejected, models.CodeInvalid},
	{"stall", psatest.Fault{Kind: psatest.FaultStall}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"garbage", psatest.Fault{Kind: psatest.FaultGarbage}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"page 200", psatest.Fault{Kind: psatest.FaultPage}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"page 403", psatest.Fault{Kind: psatest.FaultPage, Status: 403}, psa.ClassTemporary, psa.ClassTemporary, models.CodeUnavailable},
	{"page 503", psatest.Fault{Kind: psatest.FaultPage, Status: 503}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"huge", psatest.Fault{Kind: psatest.FaultHuge}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"credentials", psatest.Fault{Kind: psatest.FaultCredentials}, psa.ClassUnauthorized, psa.ClassUnauthorized, models.CodeUnauthenticated},
	{"permission", psatest.Fault{Kind: psatest.FaultPermission}, psa.ClassRejected, psa.ClassRejected, models.CodeInvalid},
	{"redirect", psatest.Fault{Kind: psatest.FaultRedirect}, psa.ClassMisconfigured, psa.ClassMisconfigured, models.CodeInvalid},
	{"429", psatest.Fault{Kind: psatest.FaultRateLimit, RetryAfter: "17"}, psa.ClassRateLimited, psa.ClassRateLimited, models.CodeUnavailable},
	{"commit, then drop", psatest.Fault{Kind: psatest.FaultCommitThenDrop}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
	{"commit, then 502", psatest.Fault{Kind: psatest.FaultCommitThenFail}, psa.ClassTemporary, psa.ClassUnclear, models.CodeOutcomeUnknown},
}

func TestErrorClasses(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		for _, trouble := range troubles {
			_ = b.fault(t, trouble.name, trouble.fault, trouble.read, psatest.OpTicket, func(ctx context.Context) error {
				_, err := b.client.Ticket(ctx, b.ref)
				return err
			})
			before := len(b.notes(t))
			step := b.step(psa.StepEscalated, 1)
			step.Mark.Handoff = uuid.Must(uuid.NewV7())
			err := b.fault(t, trouble.name, trouble.fault, trouble.write, psatest.OpAddNote, func(ctx context.Context) error {
				_, err := psa.Push(ctx, b.client, step)
				return err
			})
			require.Equal(t, trouble.code, models.CodeOf(err), trouble.name)
			if trouble.fault.Status == http.StatusGatewayTimeout { // the PSA may still be at it
				require.NotZero(t, psa.AsError(err).RetryAfter)
			}
			// The trouble over, the same push heals, and there is one note.
			_, err = psa.Push(t.Context(), b.client, step)
			require.NoError(t, err, trouble.name)
			require.Len(t, b.notes(t), before+1, trouble.name)
		}
	})
}

// fault lets calls of one kind go wrong while f runs, and checks what f says.
func (b *testBundle) fault(t *testing.T, name string, fault psatest.Fault, class psa.Class, op psatest.Op, f func(context.Context) error) error {
	t.Helper()
	reached := make(chan struct{}, 1)
	fault.On, fault.Reached = []psatest.Op{op}, reached
	b.faults.Set(fault)
	defer b.faults.Clear()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	if fault.Kind == psatest.FaultStall { // whoever waits loses patience
		all.Go(func() {
			<-reached
			cancel()
		})
	}
	err := f(ctx)
	all.Wait()
	require.Error(t, err, name)
	e := psa.AsError(err)
	require.Equal(t, class, e.Class, "%s of %s: %v", name, op, err)
	if fault.Kind == psatest.FaultStall {
		require.ErrorIs(t, err, context.Canceled)
	}
	if fault.RetryAfter == "17" {
		require.Equal(t, 17*time.Second, e.RetryAfter)
	}
	b.fitForPeople(t, e)
	return err
}

// fitForPeople checks that an error is a sentence and holds no secret.
func (b *testBundle) fitForPeople(t *testing.T, e *psa.Error) {
	t.Helper()
	m := e.Model()
	require.Greater(t, len(e.Reason), 10)
	require.True(t, strings.HasSuffix(e.Reason, "."), e.Reason)
	all := fmt.Sprintf("%v %+v %s %v %v", e, *e, m.Message, m, m.Fields)
	for name, secret := range b.conn.Credentials {
		if len(secret) > 5 && name != psa.CredClientID {
			require.NotContains(t, all, secret.Reveal(), name)
		}
	}
	for _, leak := range []string{"hunter2", "<h1>", "DOCTYPE", "Bearer ", "Basic ", "xxxxxx", "\x00", "http://"} {
		require.NotContains(t, all, leak)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		read := func(retryAfter string) *psa.Error {
			b.faults.Next(psatest.Fault{Kind: psatest.FaultRateLimit, RetryAfter: retryAfter, On: []psatest.Op{psatest.OpTicket}})
			_, err := b.client.Ticket(t.Context(), b.ref)
			require.Equal(t, psa.ClassRateLimited, psa.ClassOf(err))
			return psa.AsError(err)
		}
		require.Equal(t, 30*time.Second, read("30").RetryAfter)
		date := read(b.clock.now().Add(5 * time.Minute).UTC().Format(http.TimeFormat)).RetryAfter
		require.InDelta(t, 5*time.Minute, date, float64(time.Minute))
		require.Equal(t, outbound.MaxRetryAfter, read("999999999").RetryAfter)
		none := read("").RetryAfter
		if b.kind == psa.KindAutotask {
			require.NotZero(t, none) // the budget is hourly: soon is no use
		} else {
			require.Zero(t, none) // the retry policy decides
		}
		require.Zero(t, read("soon").RetryAfter-none)
	})
}

func TestAmbiguousWrites(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		b.faults.Random(42, 0.2,
			psatest.Fault{Kind: psatest.FaultCommitThenDrop},
			psatest.Fault{Kind: psatest.FaultCommitThenFail},
			psatest.Fault{Kind: psatest.FaultRefuse},
			psatest.Fault{Kind: psatest.FaultStatus, Status: 503},
			psatest.Fault{Kind: psatest.FaultRateLimit},
			psatest.Fault{Kind: psatest.FaultGarbage, On: []psatest.Op{psatest.OpTicket, psatest.OpNotes, psatest.OpNames, psatest.OpTickets}},
		)
		var marks []psa.Mark
		var want []string
		names := []psa.StepName{psa.StepEscalated, psa.StepClaimed, psa.StepReleased}
		retries := 0
		for i := range 100 {
			step := b.step(names[i%3], i/3+1)
			marks, want = append(marks, step.Mark), append(want, step.Mark.String())
			for attempt := 0; ; attempt++ {
				require.Less(t, attempt, 200)
				_, err := psa.Push(t.Context(), b.client, step)
				if err == nil {
					break
				}
				require.True(t, psa.AsError(err).Retryable(), "%v", err)
				retries++
			}
		}
		require.Greater(t, retries, 50)
		require.Equal(t, want, b.marked(t, marks))
		require.Len(t, b.notes(t), 100)
	})
}

func TestCredentialsAreRotated(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		_, err := psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1))
		require.NoError(t, err)
		b.fake.RotateCredentials()
		_, err = psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
		require.Equal(t, psa.ClassUnauthorized, psa.ClassOf(err), "%v", err)
		require.Equal(t, models.CodeUnauthenticated, models.CodeOf(err))
		require.NotEmpty(t, psa.AsError(err).Cure)
		b.connect(t)
		_, err = psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
		require.NoError(t, err)
		require.Len(t, b.notes(t), 2)
	})
}

func TestWhatVendorsMoveIsFoundAgain(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		_, err := b.client.Ticket(t.Context(), b.ref)
		require.NoError(t, err)
		for i := range 3 {
			switch fake := b.fake.(type) {
			case *psatest.ConnectWise:
				fake.Upgrade()
			case *psatest.Autotask:
				fake.MoveZone()
			case *psatest.HaloPSA:
				fake.ExpireTokens()
			}
			b.clock.forward(2 * time.Minute)
			var all sync.WaitGroup
			errs := make([]error, 3)
			for j := range errs {
				all.Go(func() { _, errs[j] = b.client.Ticket(t.Context(), b.ref) })
			}
			all.Wait()
			for _, err := range errs {
				require.NoError(t, err)
			}
			// Once for each move, however many found out at once.
			want := i + 2
			require.Equal(t, want, b.desk.Count(psatest.OpDiscover)+b.desk.Count(psatest.OpSignIn))
		}
	})
}

func TestUnknownStatus(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		step := b.step(psa.StepClaimed, 1)
		step.Status = "Waiting for Godot"
		r, err := psa.Push(t.Context(), b.client, step)
		require.Equal(t, psa.ClassRejected, psa.ClassOf(err))
		require.Contains(t, psa.AsError(err).Reason, "Waiting for Godot")
		require.Contains(t, psa.AsError(err).Cure, "Escalated")
		require.NotContains(t, psa.AsError(err).Cure, "Retired") // inactive
		b.fitForPeople(t, psa.AsError(err))
		// What could be done was done.
		require.NotEmpty(t, r.NoteID)
		require.Equal(t, "ana", b.desk.OwnerIdentifier(b.ticket.ID))

		// A name that is not known is not asked for with each attempt, but a
		// little later it is.
		names := b.desk.Count(psatest.OpNames)
		_, err = psa.Push(t.Context(), b.client, step)
		require.Equal(t, psa.ClassRejected, psa.ClassOf(err))
		require.Equal(t, names, b.desk.Count(psatest.OpNames))
		b.desk.AddStatus(b.ticket.BoardID, psatest.Status{ID: 77, Name: "Waiting for Godot"})
		b.clock.forward(11 * time.Second)
		_, err = psa.Push(t.Context(), b.client, step)
		require.NoError(t, err)
		require.Equal(t, "Waiting for Godot", b.desk.StatusName(b.ticket.ID))
		require.Len(t, b.notes(t), 1)
	})
}

func TestUnknownOwner(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		for _, p := range []psa.Person{
			{Email: "nobody@demo.test"},
			{Email: "old@demo.test"}, // inactive
			{Name: "Ana Senior"},     // a name alone is nobody
			{Email: "ana@demo.test", Identifier: "somebody-else"},
		} {
			step := b.step(psa.StepClaimed, 1)
			step.Owner = &p
			_, err := psa.Push(t.Context(), b.client, step)
			require.Equal(t, psa.ClassRejected, psa.ClassOf(err), "%v: %v", p, err)
			require.Contains(t, psa.AsError(err).Reason, p.String())
			require.Equal(t, "In Progress", b.desk.StatusName(b.ticket.ID))
		}
		b.desk.AddPerson(psatest.Person{ID: 30, Identifier: "nobody", Name: "No Body", Email: "nobody@demo.test", RoleID: 8})
		b.clock.forward(11 * time.Second)
		step := b.step(psa.StepClaimed, 1)
		step.Owner = &psa.Person{Identifier: "NOBODY"}
		_, err := psa.Push(t.Context(), b.client, step)
		require.NoError(t, err)
		require.Equal(t, "nobody", b.desk.OwnerIdentifier(b.ticket.ID))
		require.Len(t, b.notes(t), 1)
	})
}

func TestClosedTicketStaysClosed(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		require.True(t, b.desk.SetStatus(b.ticket.ID, "Completed"))
		step := b.step(psa.StepClaimed, 1)
		r, err := psa.Push(t.Context(), b.client, step)
		require.NoError(t, err)
		require.True(t, r.Closed)
		require.NotEmpty(t, r.NoteID)
		require.Equal(t, "Completed", b.desk.StatusName(b.ticket.ID))
		step.Reopen = true
		r, err = psa.Push(t.Context(), b.client, step)
		require.NoError(t, err)
		require.False(t, r.Closed)
		require.Equal(t, "In Progress", b.desk.StatusName(b.ticket.ID))
	})
}

func TestTicketOfAnotherBoard(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		_, err := psa.Push(t.Context(), b.client, b.step(psa.StepEscalated, 1))
		require.NoError(t, err)
		other := b.desk.Boards()[1]
		require.True(t, b.desk.Move(b.ticket.ID, other.ID))
		r, err := psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
		require.NoError(t, err)
		require.Equal(t, strconv.FormatInt(other.ID, 10), r.Ticket.Board.ID)
		require.Equal(t, "In Progress", b.desk.StatusName(b.ticket.ID))
		if b.kind == psa.KindAutotask {
			return // all queues have the same statuses
		}
		_, err = psa.Push(t.Context(), b.client, b.step(psa.StepResolved, 1))
		require.Equal(t, psa.ClassRejected, psa.ClassOf(err))
		require.Contains(t, psa.AsError(err).Cure, "Closed") // what this board calls it
	})
}

// movedWhileWriting moves the ticket once, right before its update.
type movedWhileWriting struct {
	psa.Client
	move func()
}

func (m *movedWhileWriting) Update(ctx context.Context, t psa.Ticket, c psa.Change) (psa.Ticket, error) {
	if m.move != nil {
		m.move()
		m.move = nil
	}
	return m.Client.Update(ctx, t, c)
}

func TestTicketMovesBetweenReadAndWrite(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		client := &movedWhileWriting{b.client, func() { b.desk.Move(b.ticket.ID, b.desk.Boards()[1].ID) }}
		_, err := psa.Push(t.Context(), client, b.step(psa.StepClaimed, 1))
		require.NoError(t, err)
		require.Equal(t, "In Progress", b.desk.StatusName(b.ticket.ID))
		require.Equal(t, "ana", b.desk.OwnerIdentifier(b.ticket.ID))
	})
}

func TestFalseSuccess(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		b.faults.Next(psatest.Fault{Kind: psatest.FaultFalseSuccess, On: []psatest.Op{psatest.OpUpdate}})
		_, err := psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
		require.Equal(t, psa.ClassRejected, psa.ClassOf(err))
		require.Contains(t, psa.AsError(err).Reason, "accepted the status")
		_, err = psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
		require.NoError(t, err)
		require.Len(t, b.notes(t), 1)
	})
}

func TestTicketGone(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		ticket, err := b.client.Ticket(t.Context(), b.ref)
		require.NoError(t, err)
		b.desk.Delete(b.ticket.ID)
		for name, f := range map[string]func() error{
			"push": func() error { _, err := psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1)); return err },
			"read": func() error { _, err := b.client.Ticket(t.Context(), b.ref); return err },
			"none": func() error { _, err := psa.Push(t.Context(), b.client, psa.Step{Ticket: " "}); return err },
			"odd":  func() error { _, err := b.client.Ticket(t.Context(), "../../etc/passwd?x=1"); return err },
		} {
			err := f()
			require.Equal(t, psa.ClassTicketGone, psa.ClassOf(err), "%s: %v", name, err)
			require.Equal(t, models.CodeNotFound, models.CodeOf(err))
		}
		// Deleted between the read and the write.
		_, err = b.client.AddNote(t.Context(), ticket.ID, psa.Note{Plain: "x", Markdown: "x"})
		require.False(t, psa.AsError(err).Retryable(), "%v", err)
		_, err = b.client.Update(t.Context(), ticket, psa.Change{Status: "Escalated"})
		require.False(t, psa.AsError(err).Retryable(), "%v", err)
	})
}

func TestBulk(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		var ids []string
		for i := range 250 {
			ids = append(ids, strconv.FormatInt(b.desk.AddTicket("ticket "+strconv.Itoa(i)).ID, 10))
		}
		require.True(t, b.desk.SetStatus(b.ticket.ID, "Completed"))
		require.True(t, b.desk.SetOwner(b.ticket.ID, "ben"))
		got, err := b.client.Tickets(t.Context(), append(slices.Clone(ids), b.ref, "99999999", "nonsense"))
		require.NoError(t, err)
		require.Len(t, got, 251)
		require.True(t, got[b.ref].Status.Closed)
		require.Equal(t, "Completed", got[b.ref].Status.Name)
		require.Equal(t, "13", got[b.ref].Owner.ID)
		require.False(t, got[ids[0]].Status.Closed)
		require.Empty(t, got[ids[0]].Owner.ID)
		none, err := b.client.Tickets(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		b.faults.Set(psatest.Fault{Kind: psatest.FaultSlow, Delay: 2 * time.Millisecond})
		var all sync.WaitGroup
		errs := make([]error, 30)
		for i := range errs {
			step := b.step(psa.StepClaimed, 1)
			step.Ticket = strconv.FormatInt(b.desk.AddTicket("t").ID, 10)
			all.Go(func() { _, errs[i] = psa.Push(t.Context(), b.client, step) })
		}
		all.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		if b.kind == psa.KindAutotask {
			require.LessOrEqual(t, b.desk.MostAtOnce(), 3)
		}
	})
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := psa.Push(ctx, b.client, b.step(psa.StepClaimed, 1))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, psa.ClassTemporary, psa.ClassOf(err))
		require.Empty(t, b.desk.Requests())

		// Those who wait for a slot, a token or a zone give up when told to.
		release := make(chan struct{})
		b.faults.Set(psatest.Fault{Kind: psatest.FaultSlow, Until: release})
		ctx, cancel = context.WithCancel(t.Context())
		var all sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			all.Go(func() { _, errs[i] = b.client.Ticket(ctx, b.ref) })
		}
		require.Eventually(t, func() bool { return b.desk.MostAtOnce() > 0 }, 10*time.Second, time.Millisecond)
		cancel()
		all.Wait()
		close(release)
		for _, err := range errs {
			require.ErrorIs(t, err, context.Canceled)
		}
		b.faults.Clear()
		_, err = psa.Push(t.Context(), b.client, b.step(psa.StepClaimed, 1))
		require.NoError(t, err)
	})
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		for _, action := range []psa.Action{psa.ActionCreated, psa.ActionUpdated, psa.ActionDeleted} {
			h, body := b.fake.Callback(b.address, b.ticket.ID, action)
			cb, err := b.client.Callback(t.Context(), h, body)
			require.NoError(t, err)
			require.Equal(t, action, cb.Action)
			require.Equal(t, b.ref, cb.TicketID)
			require.True(t, cb.Verified)
		}
		h, body := b.fake.Callback(b.address, b.ticket.ID, psa.ActionUpdated)
		forge := func(name string, h http.Header, body []byte) {
			cb, err := b.client.Callback(t.Context(), h, body)
			require.Equal(t, psa.ClassForged, psa.ClassOf(err), "%s: %v", name, err)
			require.Zero(t, cb)
			require.Equal(t, models.CodeForbidden, models.CodeOf(err))
		}
		other := slices.Clone(body)
		other[len(other)-2] ^= 1
		if b.kind != psa.KindHaloPSA { // which signs nothing
			forge("body", h, other)
			forge("other ticket", h, []byte(strings.Replace(string(body), b.ref, "1", 1)))
		}
		for name := range h {
			if name == "Content-Type" {
				continue
			}
			bad := h.Clone()
			bad.Del(name)
			forge("no "+name, bad, body)
			bad.Set(name, h.Get(name)[:len(h.Get(name))-6]+"AAAAA=")
			forge("wrong "+name, bad, body)
			bad.Set(name, "\x00%%%")
			forge("odd "+name, bad, body)
		}
		forge("nothing", http.Header{}, nil)
		forge("no JSON", h, []byte("<xml/>"))
		forge("huge", h, []byte(`{"ID":`+strings.Repeat("1", 2<<20)+`}`))
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		ana, nobody := psa.Person{Email: "ana@demo.test"}, psa.Person{Email: "nobody@demo.test"}
		r := b.client.Check(t.Context(), psa.Probe{Ticket: b.ref, People: []psa.Person{ana}})
		require.True(t, r.OK(), "%+v", r)
		for _, name := range []string{"address", "credentials", "tickets", "notes", "status.escalated", "status.resolved", "owner"} {
			item, found := r.Item(name)
			require.True(t, found, name)
			require.Equal(t, psa.CheckOK, item.State, name)
			require.NotEmpty(t, item.Detail)
		}
		require.Zero(t, b.desk.Count(psatest.OpAddNote)+b.desk.Count(psatest.OpUpdate))
		require.True(t, b.client.Check(t.Context(), psa.Probe{}).OK())

		failed := func(probe psa.Probe, name string) {
			t.Helper()
			r := b.client.Check(t.Context(), probe)
			require.False(t, r.OK())
			for _, i := range r.Items {
				if i.State == psa.CheckFailed {
					require.Equal(t, name, i.Name)
					require.NotEmpty(t, i.Detail)
					require.NotEmpty(t, i.Cure, i.Detail)
				}
			}
		}
		failed(psa.Probe{Ticket: b.ref, People: []psa.Person{nobody}}, "owner")
		failed(psa.Probe{Ticket: "88888888"}, "tickets")
		b.conn.Options.Status = map[psa.StepName]string{psa.StepEscalated: "Escalated", psa.StepResolved: "Nowhere"}
		b.client = b.newClient(t)
		failed(psa.Probe{Ticket: b.ref}, "status.resolved")
		b.fake.RotateCredentials()
		b.client = b.newClient(t)
		failed(psa.Probe{Ticket: b.ref}, "credentials")
	})
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		b.conn.Address = gone.URL
		_, err := b.newClient(t).Ticket(t.Context(), b.ref)
		require.Equal(t, psa.ClassTemporary, psa.ClassOf(err))
		require.Contains(t, psa.AsError(err).Reason, "cannot be reached")
		b.fitForPeople(t, psa.AsError(err))

		// Something else is at that address.
		web := httptest.NewServer(http.NotFoundHandler())
		defer web.Close()
		b.conn.Address = web.URL
		r := b.newClient(t).Check(t.Context(), psa.Probe{})
		item, _ := r.Item("address")
		require.Equal(t, psa.CheckFailed, item.State)
	})
}

func TestPrivateNetworksAreRefused(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, b *testBundle) {
		b.conn.Network.Allow = nil
		_, err := vendors.New(b.conn, vendors.Options{})
		require.Equal(t, models.CodeInvalid, models.CodeOf(err)) // http, and a port
		b.conn.Address = "https://localhost"
		_, err = b.newClient(t).Ticket(t.Context(), b.ref)
		require.Equal(t, psa.ClassMisconfigured, psa.ClassOf(err), "%v", err)
		require.Empty(t, b.desk.Requests())
	})
}
