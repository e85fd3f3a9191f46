package app_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	apiclient "github.com/baton-handoff/baton/api/client"
	"github.com/baton-handoff/baton/internal/connections"
	"github.com/baton-handoff/baton/internal/psa"
	"github.com/baton-handoff/baton/internal/psa/psatest"
	"github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/models"
)

const (
	// killsSetting is how many workers are killed, and killsSeed makes the same
	// choices again; `make kills` kills a hundred.
	killsSetting, killsSeed = "BATON_TEST_KILLS", "BATON_TEST_SEED"
	fewKills                = 12
	// killingWorkers is how many worker processes there are at once.
	killingWorkers = 4
	// deskTickets is how many tickets of each PSA are under way at once. One
	// whose worker was killed waits until the worker is missed.
	deskTickets = 24
)

// killer kills workers after a PSA has committed what they wrote, and before
// they can have acknowledged it.
type killer struct {
	b    *baton
	most int
	over chan struct{} // closed when enough were killed

	mu      sync.Mutex
	random  *rand.Rand
	running map[string]*exec.Cmd // by the name that PSAs see
	dying   sync.WaitGroup
	// unheard counts the kills while a PSA held its answer back: no worker can
	// have acknowledged that write. Late counts those soon after an answer, which
	// may just have been acknowledged.
	unheard, late int
}

func (k *killer) enough() bool {
	select {
	case <-k.over:
		return true
	default:
		return false
	}
}

// employ keeps a worker process running, a new one for each that is killed,
// until it is dismissed.
func (k *killer) employ(number int) (dismiss func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for life := 1; ; life++ {
			name := fmt.Sprintf("%d.%d", number, life)
			cmd, err := k.b.startWorkerProcess(name)
			if err != nil {
				k.b.t.Error(err)
				return
			}
			k.mu.Lock()
			k.running[name] = cmd
			k.mu.Unlock()
			died := make(chan struct{})
			go func() { defer close(died); _ = cmd.Wait() }()
			select {
			case <-died:
			case <-stop:
				_ = cmd.Process.Kill()
				<-died
				return
			}
		}
	}()
	return func() { close(stop); <-ended }
}

// kill kills the worker that a PSA knows by its user agent, unless it is dead
// already, and counts it.
func (k *killer) kill(userAgent string, count *int) {
	name := strings.TrimPrefix(userAgent, "baton/")
	k.mu.Lock()
	defer k.mu.Unlock()
	cmd := k.running[name]
	if cmd == nil || k.unheard == k.most {
		return
	}
	delete(k.running, name)
	_ = cmd.Process.Kill()
	if *count++; k.unheard == k.most {
		close(k.over)
	}
}

// moment waits for a random time, up to a most.
func (k *killer) moment(most time.Duration) {
	k.mu.Lock()
	d := time.Duration(k.random.Int64N(int64(most)))
	k.mu.Unlock()
	<-time.After(d)
}

// haunt lets workers die of what they write to a PSA.
func (k *killer) haunt(d *office, seed uint64) {
	writes := []psatest.Op{psatest.OpAddNote, psatest.OpUpdate}
	unheard := psatest.Fault{Kind: psatest.FaultCommitThenDrop, On: writes, Committed: func(r *http.Request) {
		k.moment(20 * time.Millisecond)
		k.kill(r.UserAgent(), &k.unheard)
	}}
	late := psatest.Fault{Kind: psatest.FaultSlow, On: writes, Committed: func(r *http.Request) {
		worker := r.UserAgent()
		k.dying.Go(func() {
			k.moment(10 * time.Millisecond)
			k.kill(worker, &k.late)
		})
	}}
	d.Desk().Faults().Random(seed, 0.5, unheard, unheard, unheard, late)
}

// told is a ticket with all that happened to its handoff.
type told struct {
	desk   *office
	ticket int64
	h      *apiclient.Handoff
}

// handAround hands a ticket's session off, lets ana claim, release and claim it
// again, and resolves it, whatever it takes. It may be called on any goroutine.
func (b *baton) handAround(base string, sam, ana models.User, ticket int64) *apiclient.Handoff {
	session := b.insist(sam, base+"/api/v1/ai-sessions", map[string]any{
		"title": "Outlook does not sync", "client_name": "Larch Dental", "psa_ticket": strconv.FormatInt(ticket, 10),
	})
	if session == nil {
		return nil
	}
	answer := b.insist(sam, base+"/api/v1/ai-sessions/"+fmt.Sprint(session["id"])+"/handoff", map[string]any{"intent": "escalate", "engineer_notes": "help"})
	if answer == nil {
		return nil
	}
	h := &apiclient.Handoff{AccountID: sam.AccountID, SessionID: uuid.MustParse(fmt.Sprint(session["id"])), ID: uuid.MustParse(fmt.Sprint(answer["id"]))}
	for _, ask := range []struct {
		verb string
		body any
	}{{"claim", nil}, {"release", map[string]any{}}, {"claim", nil}, {"resolve", map[string]any{}}} {
		if b.insist(ana, handoffURL(base, h)+"/"+ask.verb, ask.body) == nil {
			return nil
		}
	}
	return h
}

// setting is a number in the environment.
func setting(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// TestAKilledWorkerTellsATicketOnce kills workers at random moments between a
// PSA's commit and our acknowledgement. Each ticket still has one note for each
// step, in order, and the status and owner of the last.
func TestAKilledWorkerTellsATicketOnce(t *testing.T) {
	t.Parallel()
	seed := setting(killsSeed, rand.Uint64())
	t.Logf("%s=%d", killsSeed, seed)
	b := newBaton(t)
	b.extra = []string{"BATON_PSA_ALLOW_PRIVATE=127.0.0.0/8", "BATON_SECRET_KEYS=" + secrets.NewKey()}
	base := b.api()
	k := &killer{
		b: b, most: int(setting(killsSetting, fewKills)), over: make(chan struct{}),
		random: rand.New(rand.NewPCG(seed, seed)), running: map[string]*exec.Cmd{},
	}
	var mu sync.Mutex
	var all []told
	var people sync.WaitGroup
	for i, kind := range connections.Kinds() {
		account := b.account(string(kind))
		sam, ana := b.user(account, "Sam", models.RoleEngineer), b.user(account, "Ana", models.RoleEngineer)
		d := newOffice(t, kind)
		d.hire(sam, ana)
		b.connectTo(base, b.user(account, "Ada", models.RoleAdmin), d)
		k.haunt(d, seed+uint64(i))
		one := func() bool {
			ticket := d.Desk().AddTicket("t").ID
			h := b.handAround(base, sam, ana, ticket)
			if h == nil {
				return false
			}
			mu.Lock()
			all = append(all, told{d, ticket, h})
			mu.Unlock()
			return waitFor(2*time.Minute, func() bool { return k.enough() || d.Desk().StatusName(ticket) == "Completed" })
		}
		for range deskTickets {
			people.Go(func() {
				for !k.enough() && one() {
				}
			})
		}
		people.Go(func() { <-k.over; d.Desk().Faults().Clear() })
	}
	for i := range killingWorkers {
		defer k.employ(i + 1)()
	}
	people.Wait()
	k.dying.Wait()
	t.Logf("%d workers were killed before, and %d soon after a PSA's answer, on %d tickets", k.unheard, k.late, len(all))
	require.False(t, t.Failed())
	require.Equal(t, k.most, k.unheard)
	eventually(t, "all is told and acknowledged", func() bool {
		return b.sql(`SELECT count(*) FROM psa_steps WHERE state = 'done'`) == 5*len(all)
	})
	for _, one := range all {
		require.Equal(t, []string{
			mark(one.h, psa.StepEscalated, 1), mark(one.h, psa.StepClaimed, 1), mark(one.h, psa.StepReleased, 1),
			mark(one.h, psa.StepClaimed, 2), mark(one.h, psa.StepResolved, 2),
		}, one.desk.marks(one.ticket))
		require.Equal(t, "Completed", one.desk.Desk().StatusName(one.ticket))
		require.Equal(t, "real-ana", one.desk.Desk().OwnerIdentifier(one.ticket))
	}
}
