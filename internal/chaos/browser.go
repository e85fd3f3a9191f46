package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/api"
	"github.com/baton-handoff/baton/internal/auth"
	secretbox "github.com/baton-handoff/baton/internal/secrets"
	"github.com/baton-handoff/baton/internal/signin"
	"github.com/baton-handoff/baton/models"
)

const (
	// sampled is how often what the page shows is written down.
	sampled = 500 * time.Millisecond
	// caughtUp is how long the page may take until it shows the queue as it is,
	// once everything has come to rest. It waits up to 15 s between two attempts.
	caughtUp = time.Minute
	// answersWithin is how long a page may take to say what it shows.
	answersWithin = 10 * time.Second
)

// Browser is what a real browser showed of the console, to one person of one
// account, on one page that was never loaded again.
type Browser struct {
	Who     uuid.UUID `json:"who"`
	Account uuid.UUID `json:"account"`
	// Samples are what the page showed while the run lasted.
	Samples []Sample `json:"samples"`
	// Last is what it showed in the end. Queue and Held are what the API said
	// then: the queue in its order, and what the person holds.
	Last  Sample `json:"last"`
	Queue []Card `json:"queue"`
	Held  []Card `json:"held"`
	// Told is when the feed got each version, the oldest first.
	Told []Told `json:"told"`
	// Ended is why it stopped early, if it did.
	Ended string `json:"ended,omitempty"`
}

// Sample is what a page shows at one time.
type Sample struct {
	At time.Time `json:"at"`
	// Same says that it is still the page that was loaded in the beginning.
	Same bool `json:"same"`
	// Link is how the page says that its connection stands, and Says what it tells
	// about its age, if it does.
	Link string `json:"link"`
	Says string `json:"says,omitempty"`
	// Queue are the cards of the queue, without those that have just left it, and
	// Beside those beside it.
	Queue  []Card `json:"queue"`
	Beside []Card `json:"beside"`
}

// Live reports whether the page claims to be current.
func (s Sample) Live() bool { return s.Link == "live" && s.Says == "" }

// Card is a handoff as the page shows it.
type Card struct {
	ID      uuid.UUID `json:"id"`
	Version int       `json:"version"`
}

// Told is when the feed got a version of a handoff.
type Told struct {
	Card
	At time.Time `json:"at"`
}

// FindBrowser is the path of the machine's Chromium, or empty.
func FindBrowser() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browser is a headless Chromium that has the console open.
type browser struct {
	who  Person
	tab  context.Context
	quit []context.CancelFunc
	seen Browser
	// stop ends the samples, and returns when the last one is taken.
	stop func()
}

// begin marks the page, so that another one in its place is noticed.
const begin = `window.begun = true`

// look reads what the page shows. Cards that have just left the queue stay for
// a moment, and say so.
const look = `(() => {
	const cards = (which) => [...document.querySelectorAll(which)].map((e) => ({id: e.dataset.id, version: Number(e.dataset.version)}));
	return {
		same: window.begun === true,
		link: document.querySelector("[data-link]")?.dataset.link ?? "",
		says: document.querySelector(".not-live")?.textContent ?? "",
		queue: cards(".queue .card:not(.gone)"),
		beside: cards(".small"),
	};
})()`

// all has the page draw all of its cards, as who scrolls to the end does.
const all = `document.querySelector(".queue .cards + button")?.click()`

// watch opens the console for somebody who claims; nil without a browser.
func watch(ctx context.Context, s *system, o Options, people []Person) (*browser, error) {
	if o.Browser == "" {
		o.Logf("no browser has the console open in this run")
		return nil, nil
	}
	who := slices.IndexFunc(people, func(p Person) bool { return strings.HasPrefix(p.Name, "Ben ") })
	return openBrowser(ctx, s, o.Browser, people[who])
}

// openBrowser opens the console as somebody, by the link of clients to the
// first replica, and waits until it is live.
func openBrowser(ctx context.Context, s *system, program string, who Person) (_ *browser, err error) {
	b := &browser{who: who, seen: Browser{Who: who.ID, Account: who.Account}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	cookie, err := s.cookie(who)
	if err != nil {
		return nil, err
	}
	home := (&url.URL{Scheme: "http", Host: s.doors[0].address, Path: "/"}).String()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.UserDataDir(filepath.Join(s.dir, "browser")), chromedp.WindowSize(1280, 900))
	silent := func(string, ...any) {}
	allocator, quit := chromedp.NewExecAllocator(ctx, options...)
	b.quit = append(b.quit, quit)
	b.tab, quit = chromedp.NewContext(allocator, chromedp.WithLogf(silent), chromedp.WithErrorf(silent))
	b.quit = append(b.quit, quit)
	signIn := func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{
			Name: cookie.Name, Value: cookie.Value, URL: home, HTTPOnly: new(true), SameSite: network.CookieSameSiteStrict,
		})
		return err
	}
	if err := chromedp.Do(b.tab, chromedp.Func(signIn), chromedp.Navigate(home), chromedp.Evaluate[chromedp.Void](begin)); err != nil {
		return nil, fmt.Errorf("opening the console in %s: %w", program, err)
	}
	return b, await(ctx, readyWithin, "the console is live", func(context.Context) error {
		sample, err := b.look()
		if err == nil && !sample.Live() {
			err = fmt.Errorf("it says %q: %s", sample.Link, sample.Says)
		}
		return err
	})
}

// cookie signs somebody in, as the API does it after the issuer has.
func (s *system) cookie(who Person) (*http.Cookie, error) {
	box, err := secretbox.Parse(s.keys)
	if err != nil {
		return nil, err
	}
	in := signin.New(signin.Options{
		Box: box, People: anyone{}, Session: 48 * time.Hour, Header: api.ConsoleHeader, Logger: slog.New(slog.DiscardHandler),
		Demo: []signin.Person{{Email: who.email, Subject: who.subject}},
	})
	answer := httptest.NewRecorder()
	in.Routes(func(_, path string, h http.Handler) {
		if path != signin.DemoPath {
			return
		}
		body, _ := json.Marshal(map[string]string{"email": who.email})
		r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
		r.Header.Set(api.ConsoleHeader, "1")
		h.ServeHTTP(answer, r)
	})
	for _, c := range answer.Result().Cookies() {
		s.secrets.keep("the cookie of "+who.Name, c.Value)
		return c, nil
	}
	return nil, fmt.Errorf("signing %s in for the console: %s", who.Name, answer.Body)
}

// anyone lets the sign-in seal a cookie; the API looks up who it is.
type anyone struct{}

func (anyone) Recognize(context.Context, auth.Claims) (models.Principal, error) {
	return models.Principal{}, nil
}

func (b *browser) look() (Sample, error) {
	ctx, cancel := context.WithTimeout(b.tab, answersWithin)
	defer cancel()
	at := time.Now()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[Sample](look))
	s.At = at
	return s, err
}

// follow writes down what the page shows until ctx ends, or it is stopped.
func (b *browser) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	b.stop = func() {
		cancel()
		done.Wait()
	}
	done.Go(func() {
		for wait(ctx, sampled) {
			s, err := b.look()
			switch {
			case err == nil:
				b.seen.Samples = append(b.seen.Samples, s)
			case b.tab.Err() != nil:
				b.seen.Ended = err.Error()
				return
			default: // the machine is busy; the samples that are missing show it
			}
		}
	})
}

// finish compares what the page shows with what the API says, until they are
// the same or too long were not, and returns all that was seen.
func (b *browser) finish(ctx context.Context, c *crowd) *Browser {
	b.stop()
	err := await(ctx, caughtUp, "the console shows the queue", func(ctx context.Context) error {
		queue, err := c.cards(ctx, b.who, "")
		if err != nil {
			return err
		}
		held, err := c.cards(ctx, b.who, "&mine=true&status=claimed")
		if err != nil {
			return err
		}
		var sample Sample
		for drawn := -1; drawn < len(sample.Queue); {
			drawn = len(sample.Queue)
			if err := chromedp.Do(b.tab, chromedp.Evaluate[chromedp.Void](all)); err != nil {
				return err
			}
			wait(ctx, 300*time.Millisecond) // drawn in batches
			if sample, err = b.look(); err != nil {
				return err
			}
		}
		b.seen.Last, b.seen.Queue, b.seen.Held = sample, queue, held
		if what := b.seen.differs(); what != "" {
			return errors.New(what)
		}
		return nil
	})
	if err != nil && b.seen.Last.At.IsZero() && b.seen.Ended == "" {
		b.seen.Ended = err.Error() // or else the check says what differs
	}
	return &b.seen
}

// cards are the handoffs of a list of the API, in its order.
func (c *crowd) cards(ctx context.Context, who Person, query string) ([]Card, error) {
	cards, cursor := []Card{}, ""
	for {
		var page struct {
			Items []Card `json:"items"`
			Next  string `json:"next_cursor"`
		}
		if err := c.demand(ctx, who, http.MethodGet, "/api/v1/ai-sessions/queue?limit=200"+query+cursor, nil, &page); err != nil {
			return nil, err
		}
		cards = append(cards, page.Items...)
		if page.Next == "" {
			return cards, nil
		}
		cursor = "&cursor=" + url.QueryEscape(page.Next)
	}
}

// toldAt reads when the feed of an account got each version.
func (s *system) toldAt(ctx context.Context, account uuid.UUID) ([]Told, error) {
	conn, err := pgx.Connect(ctx, s.databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, _ := conn.Query(ctx, `SELECT handoff_id, (data->>'version')::int, min(created_at) AS at
		FROM feed_events WHERE account_id = $1 GROUP BY 1, 2 ORDER BY at, 2`, account) // its error is that of the rows
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Told, err error) {
		err = row.Scan(&t.ID, &t.Version, &t.At)
		return t, err
	})
}

func (b *browser) close() {
	if b.stop != nil {
		b.stop()
	}
	for i := len(b.quit) - 1; i >= 0; i-- {
		b.quit[i]()
	}
}
