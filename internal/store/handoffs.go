package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"github.com/baton-handoff/baton/models"
)

var errHandoffNotFound = models.Errorf(models.CodeNotFound, "Handoff not found")

// viewColumns and viewJoins make a [models.HandoffView] of handoffs AS h,
// together with one of the two columns for its documentation. They need
// @account. Columns are named, so that a process goes on when a newer one adds
// some. Names are joined, never copied: a renamed user is renamed everywhere.
const (
	viewColumns = `h.account_id, h.id, h.session_id, h.team_id, h.intent, h.priority, h.status, h.generation, h.version,
		h.engineer_notes, h.target_user_id, h.handed_off_by, h.claimed_by, h.claimed_at, h.resolved_at, h.resolution,
		h.questions, h.answer, h.reserved_until, h.wake_at, h.request_hash, h.created_at, h.updated_at,
		target.name AS target_user_name, sender.name AS handed_off_by_name, holder.name AS claimed_by_name,
		s.title AS session_title, s.client_name, s.psa_ticket, s.step_count AS session_steps,
		(SELECT json_agg(e ORDER BY e.kind) FROM handoff_effects e WHERE e.account_id = @account AND e.handoff_id = h.id) AS effects,
		(SELECT row_to_json(k) FROM handoff_tickets k WHERE k.account_id = @account AND k.handoff_id = h.id) AS ticket,
		(SELECT json_object_agg(n.state, n.count) FROM (SELECT d.state, count(*) FROM deliveries d
			WHERE d.account_id = @account AND d.handoff_id = h.id GROUP BY d.state) n) AS notifications,
		CASE WHEN h.status = 'queued' THEN (SELECT l.claim_by FROM handoff_ladders l
			WHERE l.account_id = @account AND l.handoff_id = h.id AND l.generation = h.generation) END AS claim_by,
		desk.kind AS psa_kind, desk.address AS psa_address`
	fullDocumentation = `(SELECT row_to_json(d) FROM handoff_documentation d
		WHERE d.account_id = @account AND d.handoff_id = h.id) AS documentation`
	// In lists: what there is to say of it without its text.
	briefDocumentation = `(SELECT json_build_object('account_id', d.account_id, 'handoff_id', d.handoff_id, 'truncated', d.truncated,
		'step_count', d.step_count, 'created_at', d.created_at) FROM handoff_documentation d
		WHERE d.account_id = @account AND d.handoff_id = h.id) AS documentation`
	// The account is written out in each join: the planner does not carry it
	// over from the page, and would read the users of every account.
	viewJoins = `JOIN ai_sessions s ON s.account_id = @account AND s.id = h.session_id
		LEFT JOIN users sender ON sender.account_id = @account AND sender.id = h.handed_off_by
		LEFT JOIN users target ON target.account_id = @account AND target.id = h.target_user_id
		LEFT JOIN users holder ON holder.account_id = @account AND holder.id = h.claimed_by
		LEFT JOIN psa_connections desk ON desk.account_id = @account`
)

// viewSQL reads one visible handoff.
const viewSQL = `SELECT ` + viewColumns + `, ` + fullDocumentation + ` FROM handoffs h ` + viewJoins + `
	WHERE h.account_id = @account AND h.id = @handoff AND h.version > 0`

// views reads one page of visible handoffs: page picks and orders the rows of
// h, and only those that fit are joined.
func (s *Store) views(ctx context.Context, page *gorm.DB, order string) ([]models.HandoffView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.HandoffView
	named := sql.Named("account", acct)
	err = s.db.WithContext(ctx).Table("(?) AS h", page).Select(viewColumns+", "+briefDocumentation, named).
		Joins(viewJoins, named).Order(order).Scan(&rows).Error
	return rows, err
}

func (s *Store) handoffs(ctx context.Context, acct uuid.UUID) *gorm.DB {
	return s.db.WithContext(ctx).Table("handoffs AS h").Select("h.*").Where("h.account_id = ? AND h.version > 0", acct)
}

// Handoff returns one visible handoff of a session, with its documentation.
func (s *Store) Handoff(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.HandoffView{}, err
	}
	view, err := one[models.HandoffView](ctx, s, viewSQL+` AND h.session_id = @session`,
		pgx.NamedArgs{"account": acct, "session": sessionID, "handoff": handoffID})
	if errors.Is(err, pgx.ErrNoRows) {
		return view, errHandoffNotFound
	}
	return view, translate("reading a handoff", err)
}

// HandoffHead returns what there is to know about a visible handoff of a
// session in order to decide about it, with the names that refusals need, in one
// indexed read: bursts of losing claims are made of it. Repeated says that a transition
// is already known which the request with this id, if any, has led to.
func (s *Store) HandoffHead(ctx context.Context, sessionID, handoffID uuid.UUID, requestID string) (head models.HandoffView, repeated bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return head, false, err
	}
	type row struct {
		models.HandoffView
		Repeated bool
	}
	statement, args := headSQL, []any{acct, handoffID, sessionID}
	if requestID != "" {
		statement, args = repeatedHeadSQL, append(args, requestID)
	}
	found, err := one[row](ctx, s, statement, args...)
	if errors.Is(err, pgx.ErrNoRows) {
		return head, false, errHandoffNotFound
	}
	return found.HandoffView, found.Repeated, translate("reading a handoff", err)
}

// With a request's id there is more to look up. That is a statement of its own,
// and not a condition: PostgreSQL plans a statement anew each time, which takes
// longer than carrying it out, when an argument would save it work.
const (
	headSQL         = headColumns + `, false AS repeated ` + headRow
	repeatedHeadSQL = headColumns + `, EXISTS (SELECT FROM handoff_transitions t
			WHERE t.account_id = $1 AND t.handoff_id = $2 AND t.request_id = $4) AS repeated ` + headRow

	headColumns = `SELECT h.account_id, h.id, h.session_id, h.intent, h.status, h.generation, h.version, h.target_user_id,
		h.handed_off_by, h.claimed_by, h.claimed_at, h.updated_at,
		h.reserved_until, CASE WHEN h.reserved_until IS NOT NULL
			THEN (SELECT u.name FROM users u WHERE u.account_id = $1 AND u.id = h.target_user_id) END AS target_user_name,
		(SELECT u.name FROM users u WHERE u.account_id = $1 AND u.id = h.claimed_by) AS claimed_by_name`
	headRow = `FROM handoffs h
	WHERE h.account_id = $1 AND h.id = $2 AND h.session_id = $3 AND h.version > 0`
)

// SessionHandoffs lists the handoffs of a session, newest first.
func (s *Store) SessionHandoffs(ctx context.Context, sessionID uuid.UUID, p models.Page) ([]models.HandoffView, string, error) {
	session, err := s.Session(ctx, sessionID)
	if err != nil {
		return nil, "", err
	}
	acct := session.AccountID
	const kind = "history"
	after, err := decodeCursor[byCreation](kind, p.Cursor)
	if err != nil {
		return nil, "", err
	}
	page := s.handoffs(ctx, acct).Where("h.session_id = ?", sessionID)
	if after != nil {
		page = page.Where("(h.created_at, h.id) < (?, ?)", after.CreatedAt, after.ID)
	}
	const order = "h.created_at DESC, h.id DESC"
	rows, err := s.views(ctx, page.Order(order).Limit(p.Limit+1), order)
	if err != nil {
		return nil, "", translate("listing handoffs", err)
	}
	rows, next := cut(rows, p.Limit, func(r models.HandoffView) string {
		return encodeCursor(kind, byCreation{r.CreatedAt, r.ID})
	})
	return rows, next, nil
}

// Timeline returns the accepted transitions of a handoff, oldest first.
func (s *Store) Timeline(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.TimelineView, error) {
	if _, _, err := s.HandoffHead(ctx, sessionID, handoffID, ""); err != nil {
		return nil, err
	}
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.TimelineView
	err = s.db.WithContext(ctx).Table("handoff_transitions AS t").
		Select("t.*, actor.name AS actor_name, holder.name AS holder_name, target.name AS target_user_name, "+
			"CASE WHEN p.version IS NOT NULL THEN row_to_json(p) END AS psa").
		Joins(`LEFT JOIN psa_steps p ON p.account_id = t.account_id AND p.handoff_id = t.handoff_id AND p.version = t.version
			LEFT JOIN users actor ON actor.account_id = t.account_id AND actor.id = t.actor_id
			LEFT JOIN users holder ON holder.account_id = t.account_id AND holder.id = t.holder_id
			LEFT JOIN users target ON target.account_id = t.account_id AND target.id = t.target_user_id`).
		Where("t.account_id = ? AND t.handoff_id = ?", acct, handoffID).Order("t.version").Scan(&rows).Error
	return rows, translate("reading a timeline", err)
}
