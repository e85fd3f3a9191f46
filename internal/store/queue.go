package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/baton-handoff/baton/models"
)

// queueCursor is the last row of a page of the queue. Addressed tells in which
// part of the priority order it stood: first what is addressed to the reader,
// then the rest. Each part is one walk along an index.
type queueCursor struct {
	Addressed bool            `json:"d,omitempty"`
	Priority  models.Priority `json:"p"`
	CreatedAt time.Time       `json:"t"`
	ID        uuid.UUID       `json:"i"`
}

const (
	orderPriority = "h.priority DESC, h.created_at, h.id"
	orderOldest   = "h.created_at, h.id"
	orderNewest   = "h.created_at DESC, h.id DESC"
)

// Queue lists the account's open handoffs for f.Reader.
func (s *Store) Queue(ctx context.Context, f models.QueueFilter, p models.Page) ([]models.HandoffView, string, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, "", err
	}
	if f.Sort == "" {
		f.Sort = models.SortPriority
	}
	kind := "queue:" + string(f.Sort)
	after, err := decodeCursor[queueCursor](kind, p.Cursor)
	if err != nil {
		return nil, "", err
	}
	var rows []models.HandoffView
	switch {
	case f.Sort == models.SortOldest:
		rows, err = s.queuePart(ctx, s.queued(ctx, acct, f), after, orderOldest, p.Limit+1)
	case f.Sort == models.SortNewest:
		rows, err = s.queuePart(ctx, s.queued(ctx, acct, f), after, orderNewest, p.Limit+1)
	case f.Mine || f.Sent || f.Status == models.StatusClaimed || f.Status == models.StatusReturned:
		rows, err = s.queuePart(ctx, s.queued(ctx, acct, f), after, orderPriority, p.Limit+1)
	default:
		rows, err = s.addressedFirst(ctx, acct, f, after, p.Limit+1)
	}
	if err != nil {
		return nil, "", translate("reading the queue", err)
	}
	rows, next := cut(rows, p.Limit, func(r models.HandoffView) string {
		return encodeCursor(kind, queueCursor{isAddressed(r, f.Reader), r.Priority, r.CreatedAt, r.ID})
	})
	return rows, next, nil
}

func isAddressed(r models.HandoffView, reader uuid.UUID) bool {
	return r.TargetUserID != nil && *r.TargetUserID == reader
}

// addressedFirst reads the part addressed to the reader, and when that does
// not fill the page, the other part.
func (s *Store) addressedFirst(ctx context.Context, acct uuid.UUID, f models.QueueFilter, after *queueCursor, limit int) ([]models.HandoffView, error) {
	var rows []models.HandoffView
	if after == nil || after.Addressed {
		part := s.queued(ctx, acct, f).Where("h.target_user_id = ?", f.Reader)
		var err error
		if rows, err = s.queuePart(ctx, part, after, orderPriority, limit); err != nil || len(rows) == limit {
			return rows, err
		}
		after = nil
	}
	part := s.queued(ctx, acct, f).Where("h.target_user_id IS DISTINCT FROM ?", f.Reader)
	rest, err := s.queuePart(ctx, part, after, orderPriority, limit-len(rows))
	return append(rows, rest...), err
}

// queued is the open handoffs that f lets through.
func (s *Store) queued(ctx context.Context, acct uuid.UUID, f models.QueueFilter) *gorm.DB {
	q := s.handoffs(ctx, acct)
	switch {
	case f.Mine && f.Status == "":
		q = q.Where(`((h.status = 'claimed' AND h.claimed_by = ?) OR (h.status = 'queued' AND h.target_user_id = ?)
			OR (h.status = 'returned' AND (h.handed_off_by = ? OR h.target_user_id = ?)))`, f.Reader, f.Reader, f.Reader, f.Reader)
	case f.Mine && f.Status == models.StatusClaimed:
		q = q.Where("h.status = 'claimed' AND h.claimed_by = ?", f.Reader)
	case f.Mine && f.Status == models.StatusReturned:
		q = q.Where("h.status = 'returned' AND (h.handed_off_by = ? OR h.target_user_id = ?)", f.Reader, f.Reader)
	case f.Mine:
		q = q.Where("h.status = 'queued' AND h.target_user_id = ?", f.Reader)
	case f.Sent && f.Status == "":
		q = q.Where("h.status IN ('queued', 'claimed', 'returned')")
	case f.Status == models.StatusClaimed:
		q = q.Where("h.status = 'claimed'") // a literal, so that the partial index fits
	case f.Status == models.StatusReturned:
		q = q.Where("h.status = 'returned'")
	default:
		q = q.Where("h.status = 'queued'")
	}
	if f.Sent {
		q = q.Where("h.handed_off_by = ?", f.Reader)
	} else {
		// What was returned to them is theirs to answer.
		q = q.Where("NOT (h.intent = 'escalate' AND h.handed_off_by = ? AND h.status <> 'returned')", f.Reader)
	}
	if f.Intent != "" {
		q = q.Where("h.intent = ?", f.Intent)
	}
	if f.Priority != 0 {
		q = q.Where("h.priority = ?", f.Priority)
	}
	if f.TeamID != nil {
		q = q.Where("h.team_id = ?", *f.TeamID)
	}
	if f.Query != "" {
		like := likePattern(f.Query)
		q = q.Where(`EXISTS (SELECT FROM ai_sessions q WHERE q.account_id = h.account_id AND q.id = h.session_id
			AND (q.title ILIKE ? OR q.client_name ILIKE ? OR q.problem ILIKE ? OR q.psa_ticket ILIKE ?))`, like, like, like, like)
	}
	return q
}

// queuePart reads the next rows of one part in one order.
func (s *Store) queuePart(ctx context.Context, part *gorm.DB, after *queueCursor, order string, limit int) ([]models.HandoffView, error) {
	if after != nil {
		switch order {
		case orderPriority:
			part = part.Where("h.priority <= ? AND (h.priority < ? OR (h.created_at, h.id) > (?, ?))",
				after.Priority, after.Priority, after.CreatedAt, after.ID)
		case orderOldest:
			part = part.Where("(h.created_at, h.id) > (?, ?)", after.CreatedAt, after.ID)
		case orderNewest:
			part = part.Where("(h.created_at, h.id) < (?, ?)", after.CreatedAt, after.ID)
		}
	}
	return s.views(ctx, part.Order(order).Limit(limit), order)
}
