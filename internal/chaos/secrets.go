package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"
)

// secrets are texts that must not be found anywhere but where they belong. It
// says where one was found, and never which: a record holds none of them. It is
// safe for concurrent use.
type secrets struct {
	mu    sync.Mutex
	kept  map[string]string // what it is, by the secret
	cores map[string]string // what was planted, by its core
	found map[string]bool
}

func newSecrets() *secrets {
	return &secrets{kept: map[string]string{}, cores: map[string]string{}, found: map[string]bool{}}
}

// shortest is how long a text has to be to be a secret: shorter ones are found
// in any text.
const shortest = 6

func (s *secrets) keep(what, secret string) {
	if len(secret) < shortest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[secret] = what
}

// search looks for all secrets in a text.
func (s *secrets) search(where string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.searchPlanted(where, text)
	s.searchKept(where, text)
}

// searchShown looks through what shows people their own words again, which may
// hold what was planted in them.
func (s *secrets) searchShown(where string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.searchKept(where, text)
}

func (s *secrets) searchKept(where string, text []byte) {
	for secret, what := range s.kept {
		if bytes.Contains(text, []byte(secret)) {
			s.found[where+" holds "+what] = true
		}
	}
}

func (s *secrets) leaks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.found))
}

// watch keeps what a PSA is shown to be let in, also in the form in which it is
// sent.
func (s *secrets) watch(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
			s.keep("what a PSA is shown to be let in", credentials)
		}
		h.ServeHTTP(w, r)
	})
}

// searchLogs looks through what all processes have written.
func (s *system) searchLogs() error {
	return filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".log" {
			return nil //nolint:nilerr // PostgreSQL's files come and go
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading a log: %w", err)
		}
		s.secrets.search(filepath.Base(path), text)
		return nil
	})
}

// searchTables looks through what is stored of the connections, and of what was
// made of sessions.
func (s *system) searchTables(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, `SET bytea_output = 'escape'`); err != nil { // so that text in bytes is text
		return err
	}
	for _, table := range []string{"psa_connections", "psa_steps", "handoff_effects", "handoff_documentation", "briefings", "model_calls", "endpoints", "deliveries", "handoff_ladders"} {
		rows, err := conn.Query(ctx, `SELECT to_jsonb(t)::text FROM `+pgx.Identifier{table}.Sanitize()+` t`)
		if err != nil {
			return err
		}
		var row string
		if _, err = pgx.ForEachRow(rows, []any{&row}, func() error {
			s.secrets.search("the table "+table, []byte(row))
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// searchHistories looks through all workflows that gatherRuns,
// gatherTicketRuns, gatherBriefingRuns and gatherCalls do not read.
func (s *system) searchHistories(ctx context.Context) error {
	infos, err := s.list(ctx, "")
	if err != nil {
		return err
	}
	for _, info := range infos {
		switch info.GetType().GetName() {
		case "HandoffWorkflow", "TicketWorkflow", "BriefingWorkflow", "LadderWorkflow", "RecipientWorkflow":
			continue
		}
		id := info.GetExecution()
		history := s.client.GetWorkflowHistory(ctx, id.GetWorkflowId(), id.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			e, err := history.Next()
			if err != nil {
				return err
			}
			s.searchEvent(id.GetWorkflowId(), e)
		}
	}
	return nil
}

func (s *system) searchEvent(workflow string, e proto.Message) {
	if text, err := proto.Marshal(e); err == nil { // of the server's own making
		s.secrets.search("the history of "+workflow, text)
	}
}
