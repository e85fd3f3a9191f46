package store

import (
	"context"
	"database/sql"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/baton-handoff/baton/models"
)

var errHandoffNotFound = models.Errorf(models.CodeNotFound, "Handoff not found")

// viewColumns and viewJoins make a [models.HandoffView] of handoffs AS h.
// Names are joined, never copied: a renamed user is renamed everywhere.
const (
	viewColumns = `h.*, target.name AS target_user_name, sender.name AS handed_off_by_name, holder.name AS claimed_by_name,
		s.title AS session_title, s.client_name, s.psa_ticket`
	// The account is written out in each join: the planner does not carry it
	// over from the page, and would read the users of every account.
	viewJoins = `JOIN ai_sessions s ON s.account_id = @account AND s.id = h.session_id
		LEFT JOIN users sender ON sender.account_id = @account AND sender.id = h.handed_off_by
		LEFT JOIN users target ON target.account_id = @account AND target.id = h.target_user_id
		LEFT JOIN users holder ON holder.account_id = @account AND holder.id = h.claimed_by`
)

// views reads one page of visible handoffs: page picks and orders the rows of
// h, and only those that fit are joined.
func (s *Store) views(ctx context.Context, page *gorm.DB, order string) ([]models.HandoffView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.HandoffView
	err = s.db.WithContext(ctx).Table("(?) AS h", page).Select(viewColumns).
		Joins(viewJoins, sql.Named("account", acct)).Order(order).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	return rows, s.attachEffects(ctx, rows)
}

// attachEffects adds the state of their side effects, and what there is to say
// of their documentation without its text, to handoffs of one account.
func (s *Store) attachEffects(ctx context.Context, rows []models.HandoffView) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(rows))
	at := make(map[uuid.UUID]int, len(rows))
	for i, r := range rows {
		ids[i], at[r.ID] = r.ID, i
	}
	var effects []models.Effect
	err := s.db.WithContext(ctx).Where("account_id = ? AND handoff_id IN ?", rows[0].AccountID, ids).Order("kind").Find(&effects).Error
	if err != nil {
		return err
	}
	for _, e := range effects {
		row := &rows[at[e.HandoffID]]
		row.Effects = append(row.Effects, e)
	}
	var docs []models.Documentation
	err = s.db.WithContext(ctx).Omit("markdown", "plain").Where("account_id = ? AND handoff_id IN ?", rows[0].AccountID, ids).Find(&docs).Error
	for _, d := range docs {
		rows[at[d.HandoffID]].Documentation = &d
	}
	return err
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
	rows, err := s.views(ctx, s.handoffs(ctx, acct).Where("h.id = ? AND h.session_id = ?", handoffID, sessionID), "h.id")
	if err != nil {
		return models.HandoffView{}, translate("reading a handoff", err)
	}
	if len(rows) == 0 {
		return models.HandoffView{}, errHandoffNotFound
	}
	view := rows[0]
	var docs []models.Documentation
	err = s.db.WithContext(ctx).Where("account_id = ? AND handoff_id = ?", acct, handoffID).Limit(1).Find(&docs).Error
	if len(docs) == 1 {
		view.Documentation = &docs[0]
	}
	return view, translate("reading documentation", err)
}

// HandoffHead returns a visible handoff of a session with its holder's name,
// and no other name: what is needed to decide about it, in one indexed read.
func (s *Store) HandoffHead(ctx context.Context, sessionID, handoffID uuid.UUID) (models.HandoffView, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.HandoffView{}, err
	}
	var rows []models.HandoffView
	err = s.handoffs(ctx, acct).Select("h.*, holder.name AS claimed_by_name").
		Joins("LEFT JOIN users holder ON holder.account_id = h.account_id AND holder.id = h.claimed_by").
		Where("h.id = ? AND h.session_id = ?", handoffID, sessionID).Scan(&rows).Error
	if err != nil {
		return models.HandoffView{}, translate("reading a handoff", err)
	}
	if len(rows) == 0 {
		return models.HandoffView{}, errHandoffNotFound
	}
	return rows[0], nil
}

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
	if _, err := s.HandoffHead(ctx, sessionID, handoffID); err != nil {
		return nil, err
	}
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.TimelineView
	err = s.db.WithContext(ctx).Table("handoff_transitions AS t").
		Select("t.*, actor.name AS actor_name, holder.name AS holder_name, target.name AS target_user_name").
		Joins(`LEFT JOIN users actor ON actor.account_id = t.account_id AND actor.id = t.actor_id
			LEFT JOIN users holder ON holder.account_id = t.account_id AND holder.id = t.holder_id
			LEFT JOIN users target ON target.account_id = t.account_id AND target.id = t.target_user_id`).
		Where("t.account_id = ? AND t.handoff_id = ?", acct, handoffID).Order("t.version").Scan(&rows).Error
	return rows, translate("reading a timeline", err)
}

// AcceptedRequest finds the transition that a request led to, if the read
// model knows it already.
func (s *Store) AcceptedRequest(ctx context.Context, handoffID uuid.UUID, requestID string) (t models.TimelineEntry, found bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return t, false, err
	}
	var rows []models.TimelineEntry
	err = s.db.WithContext(ctx).Where("account_id = ? AND handoff_id = ? AND request_id = ?", acct, handoffID, requestID).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return t, false, translate("looking for a repeated request", err)
	}
	return rows[0], true, nil
}
