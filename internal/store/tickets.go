package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

const ticketedColumns = `SELECT h.id AS handoff_id, h.session_id, h.status, h.generation, s.psa_ticket AS reference,
		coalesce(k.ticket_id, '') AS ticket_id, coalesce(k.seen_open, false) AS seen_open
	FROM handoffs h JOIN ai_sessions s ON s.account_id = $1 AND s.id = h.session_id
	LEFT JOIN handoff_tickets k ON k.account_id = $1 AND k.handoff_id = h.id
	WHERE h.account_id = $1 AND h.status IN ('queued', 'claimed', 'returned') AND s.psa_ticket IS NOT NULL `

// HandoffsOfTicket lists the account's open handoffs of a ticket, by any of the
// names that the PSA and people have for it.
func (s *Store) HandoffsOfTicket(ctx context.Context, names ...string) ([]models.TicketedHandoff, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	// Written out instead of computed by the database: only plain equality can
	// use an index below row-level security.
	var spellings []string
	for _, n := range names {
		for _, n := range []string{n, strings.ToLower(n)} {
			spellings = append(spellings, n, "#"+n, "# "+n)
		}
	}
	rows, _ := s.pool.Query(ctx, ticketedColumns+`AND h.id IN (
			SELECT o.id FROM ai_sessions t JOIN handoffs o ON o.account_id = $1 AND o.session_id = t.id
			WHERE t.account_id = $1 AND t.psa_ticket = ANY ($2)
			UNION ALL SELECT n.handoff_id FROM handoff_tickets n WHERE n.account_id = $1 AND n.ticket_id = ANY ($3))
		ORDER BY h.id`, acct, spellings, names) // its error is that of the rows
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[models.TicketedHandoff])
	return found, translate("looking for the handoffs of a ticket", err)
}

// TicketedHandoffs lists the account's open handoffs whose sessions name a
// ticket, by id after the one after.
func (s *Store) TicketedHandoffs(ctx context.Context, after uuid.UUID, limit int) ([]models.TicketedHandoff, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, ticketedColumns+`AND h.id > $2 ORDER BY h.id LIMIT $3`, acct, after, limit) // as above
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[models.TicketedHandoff])
	return found, translate("listing handoffs with tickets", err)
}

// ConnectedAccounts lists the accounts that have a PSA.
func (s *Store) ConnectedAccounts(ctx context.Context) ([]uuid.UUID, error) {
	rows, _ := s.pool.Query(tenant.System(ctx), `SELECT account_id FROM psa_connections ORDER BY account_id`) // as above
	found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return found, translate("listing the accounts with a PSA", err)
}

// ticketSQL stores what the PSA said of a handoff's ticket. Like effectSQL it
// does nothing when the handoff's version is not the expected one any more.
const ticketSQL = `WITH still AS (
		SELECT FROM handoffs WHERE account_id = @account AND id = @handoff AND version = @was FOR NO KEY UPDATE),
	told AS (
		INSERT INTO handoff_tickets (account_id, handoff_id, ticket_id, status, closed, seen_open, owner, noted_at)
		SELECT @account, @handoff, @ticket, @status, @closed, NOT @closed, @owner, @noted FROM still
		ON CONFLICT (account_id, handoff_id) DO UPDATE SET ticket_id = EXCLUDED.ticket_id, status = EXCLUDED.status,
			closed = EXCLUDED.closed, seen_open = handoff_tickets.seen_open OR EXCLUDED.seen_open, owner = EXCLUDED.owner, noted_at = EXCLUDED.noted_at
		WHERE handoff_tickets.noted_at <= EXCLUDED.noted_at
		RETURNING handoff_id)` + appendFeed

// NoteTicket stores what the PSA said of a handoff's ticket at t.NotedAt, and
// tells the feed. Changed is false when that is known already, or was said
// before what is known.
func (s *Store) NoteTicket(ctx context.Context, t models.HandoffTicket) (changed bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return false, err
	}
	t.NotedAt = t.NotedAt.UTC().Truncate(time.Microsecond)
	for {
		row, err := one[models.HandoffView](ctx, s, viewSQL, pgx.NamedArgs{"account": acct, "handoff": t.HandoffID})
		if errors.Is(err, pgx.ErrNoRows) {
			return false, errHandoffNotFound
		}
		if err != nil {
			return false, translate("reading a handoff", err)
		}
		if row.Ticket != nil && (row.Ticket.NotedAt.After(t.NotedAt) || sameTicket(*row.Ticket, t)) {
			return false, nil
		}
		data := card(row)
		data.At = now()
		data.Ticket = &models.TicketEvent{Status: t.Status, Closed: t.Closed, Owner: t.Owner}
		done, err := s.tell(ctx, ticketSQL, row.Handoff, []event{{models.EventUpdated, data}}, pgx.NamedArgs{
			"was": row.Version, "ticket": t.TicketID, "status": t.Status, "closed": t.Closed, "owner": t.Owner, "noted": t.NotedAt,
		})
		if err != nil {
			return false, translate("noting the state of a ticket", err)
		}
		if done {
			s.wake()
			return true, nil
		}
	}
}

func sameTicket(a, b models.HandoffTicket) bool {
	owner := func(t models.HandoffTicket) string {
		if t.Owner == nil {
			return ""
		}
		return *t.Owner
	}
	return a.TicketID == b.TicketID && a.Status == b.Status && a.Closed == b.Closed && owner(a) == owner(b)
}
