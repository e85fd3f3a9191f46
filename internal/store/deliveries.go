package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"gorm.io/gorm/clause"

	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

var errDeliveryNotFound = models.Errorf(models.CodeNotFound, "Notification not found")

const deliveryColumns = `d.account_id, d.id, d.handoff_id, d.session_id, d.generation, d.version, d.step, d.kind, d.because, d.recipient,
	d.user_id, d.endpoint_id, d.channel, d.priority, d.state, d.reason, d.attempts, d.next_attempt_at, d.held_until, d.released_at,
	d.began_at, d.bundle_id, d.provider_id, d.provider_where, d.answer, d.answered_at, d.shown_version, d.due, d.next, d.created_at,
	d.updated_at, d.done_at`

const openDelivery = `d.state IN ('pending', 'held', 'retrying')`

// Addressees lists the account's people who are not disabled, with how they
// want to be told.
func (s *Store) Addressees(ctx context.Context) ([]models.Addressee, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.Addressee
	err = s.db.WithContext(ctx).Table("users AS u").Select("u.*, n.settings").
		Joins("LEFT JOIN notification_settings n ON n.account_id = u.account_id AND n.user_id = u.id").
		Where("u.account_id = ? AND u.kind = 'person' AND u.disabled_at IS NULL", acct).Order("u.id").Scan(&rows).Error
	return rows, translate("listing whom to tell", err)
}

// Announce keeps deliveries of one handoff that are not there yet, tells the
// feed when there are any, and returns which of them are still to be sent.
func (s *Store) Announce(ctx context.Context, handoffID uuid.UUID, rows []models.Delivery) (open []models.Delivery, err error) {
	acct, err := account(ctx)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	told := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		told = false
		if err := lockHandoff(ctx, tx, acct, handoffID); err != nil {
			return err
		}
		ids, fresh, err := insertDeliveries(ctx, tx, acct, rows)
		if err != nil {
			return err
		}
		found, _ := tx.Query(ctx, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.account_id = $1 AND d.id = ANY ($2) AND `+openDelivery, acct, ids)
		if open, err = pgx.CollectRows(found, pgx.RowToStructByNameLax[models.Delivery]); err != nil || !fresh {
			return err
		}
		told, err = tellNotifications(ctx, tx, acct, handoffID)
		return err
	})
	if err != nil {
		return nil, translate("keeping notifications", err)
	}
	if told {
		s.wake()
	}
	return open, nil
}

func lockHandoff(ctx context.Context, tx pgx.Tx, acct, handoffID uuid.UUID) error {
	tag, err := tx.Exec(ctx, lockHandoffSQL, pgx.NamedArgs{"account": acct, "handoff": handoffID})
	if err == nil && tag.RowsAffected() == 0 {
		return errHandoffNotFound
	}
	return err
}

func insertDeliveries(ctx context.Context, tx pgx.Tx, acct uuid.UUID, rows []models.Delivery) (ids []uuid.UUID, fresh bool, err error) {
	batch, at := &pgx.Batch{}, now()
	for _, d := range rows {
		ids = append(ids, d.ID)
		batch.Queue(`INSERT INTO deliveries (account_id, id, handoff_id, session_id, generation, version, step, kind, because, recipient,
				user_id, endpoint_id, channel, priority, state, reason, attempts, due, next, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, $17, $18, $19, $19)
			ON CONFLICT (account_id, id) DO NOTHING`,
			acct, d.ID, d.HandoffID, d.SessionID, d.Generation, d.Version, d.Step, d.Kind, d.Because, d.Recipient,
			d.UserID, d.EndpointID, d.Channel, d.Priority, d.State, d.Reason, d.Due, d.Next, at)
	}
	results := tx.SendBatch(ctx, batch)
	for range rows {
		tag, err := results.Exec()
		if err != nil {
			return nil, false, errors.Join(err, results.Close())
		}
		fresh = fresh || tag.RowsAffected() > 0
	}
	return ids, fresh, results.Close()
}

// tellNotifications tells the feed how the notifications of a handoff stand,
// which the caller has locked.
func tellNotifications(ctx context.Context, tx pgx.Tx, acct, handoffID uuid.UUID) (bool, error) {
	rows, _ := tx.Query(ctx, viewSQL, pgx.NamedArgs{"account": acct, "handoff": handoffID}) // its error is that of the rows
	view, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[models.HandoffView])
	if err != nil {
		return false, err
	}
	data := card(view)
	data.At, data.Notifications = now(), view.Notifications
	return tell(ctx, tx, `WITH told AS (SELECT 1)`+appendFeed, view.Handoff, []event{{models.EventUpdated, data}}, pgx.NamedArgs{})
}

// RecipientDeliveries returns what there is to know in order to decide about a
// recipient's deliveries: those that are open, and those that were let go since
// a time; how the recipient wants to be told; and which messages that can be
// changed do not say yet what became of their handoff.
func (s *Store) RecipientDeliveries(ctx context.Context, recipient string, since time.Time) (rows []models.Delivery, settings models.NotificationSettings, outdated []uuid.UUID, err error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, settings, nil, err
	}
	found, _ := s.pool.Query(ctx, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.account_id = $1 AND d.recipient = $2 AND `+openDelivery+`
		UNION SELECT `+deliveryColumns+` FROM deliveries d WHERE d.account_id = $1 AND d.recipient = $2 AND d.released_at > $3
		ORDER BY created_at, id`, acct, recipient, since)
	if rows, err = pgx.CollectRows(found, pgx.RowToStructByNameLax[models.Delivery]); err != nil {
		return nil, settings, nil, translate("reading a recipient's notifications", err)
	}
	ids, _ := s.pool.Query(ctx, `SELECT d.id FROM deliveries d JOIN handoffs h ON h.account_id = $1 AND h.id = d.handoff_id
		WHERE d.account_id = $1 AND d.recipient = $2 AND d.state = 'done' AND d.channel = 'slack' AND d.shown_version IS NULL
			AND d.bundle_id IS NULL AND d.provider_id IS NOT NULL AND NOT (h.version = d.version OR h.status = 'queued' AND h.generation = d.generation)
		ORDER BY d.created_at, d.id`, acct, recipient)
	if outdated, err = pgx.CollectRows(ids, pgx.RowTo[uuid.UUID]); err != nil {
		return nil, settings, nil, translate("reading a recipient's messages", err)
	}
	if user, err := uuid.Parse(recipient); err == nil {
		settings, _, err = s.NotificationSettings(ctx, user)
		return rows, settings, outdated, err
	}
	return rows, settings, outdated, nil
}

// PlanDeliveries stores what a recipient's deliveries are to do. Those that
// were settled or let go meanwhile stay as they are.
func (s *Store) PlanDeliveries(ctx context.Context, plan models.DeliveryPlan) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	at := now()
	batch := &pgx.Batch{}
	for _, h := range plan.Hold {
		batch.Queue(`UPDATE deliveries SET state = 'held', held_until = $3, reason = $4, updated_at = $5
			WHERE account_id = $1 AND id = $2 AND state IN ('pending', 'held') AND released_at IS NULL`, acct, h.ID, h.Until, h.Reason, at)
	}
	const release = `UPDATE deliveries SET state = 'pending', held_until = NULL, reason = NULL, released_at = $4, bundle_id = $3, updated_at = $4
			WHERE account_id = $1 AND id = ANY ($2) AND state IN ('pending', 'held') AND released_at IS NULL`
	if len(plan.Release) > 0 {
		batch.Queue(release, acct, plan.Release, nil, at)
	}
	for id, members := range plan.Bundles {
		batch.Queue(release, acct, members, id, at)
	}
	if batch.Len() == 0 {
		return nil
	}
	return translate("planning notifications", pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() }))
}

// Delivery returns one delivery.
func (s *Store) Delivery(ctx context.Context, id uuid.UUID) (models.Delivery, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Delivery{}, err
	}
	d, err := one[models.Delivery](ctx, s, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.account_id = $1 AND d.id = $2`, acct, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, errDeliveryNotFound
	}
	return d, translate("reading a notification", err)
}

// BundledDeliveries returns the open deliveries that one message tells of.
func (s *Store) BundledDeliveries(ctx context.Context, bundle uuid.UUID, recipient string) ([]models.Delivery, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `SELECT `+deliveryColumns+` FROM deliveries d
		WHERE d.account_id = $1 AND d.recipient = $2 AND d.bundle_id = $3 AND `+openDelivery+` ORDER BY d.priority DESC, d.created_at, d.id`, acct, recipient, bundle)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.Delivery])
	return all, translate("reading a bundle", err)
}

// BeginDeliveries stores, before anybody is told, that an attempt begins, and
// counts it. Maybe says that one before it may have told them already. Open is
// false when nothing is left to tell.
func (s *Store) BeginDeliveries(ctx context.Context, ids []uuid.UUID) (maybe, open bool, attempts int, err error) {
	acct, err := account(ctx)
	if err != nil {
		return false, false, 0, err
	}
	rows, _ := s.pool.Query(ctx, `WITH was AS (
			SELECT d.id, d.began_at FROM deliveries d WHERE d.account_id = $1 AND d.id = ANY ($2) AND `+openDelivery+` ORDER BY d.id FOR UPDATE)
		UPDATE deliveries d SET began_at = coalesce(d.began_at, $3), attempts = d.attempts + 1, updated_at = $3
		FROM was WHERE d.account_id = $1 AND d.id = was.id RETURNING was.began_at IS NOT NULL AS maybe, d.attempts`, acct, ids, now())
	type begun struct {
		Maybe    bool
		Attempts int
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[begun])
	for _, b := range all {
		maybe, attempts = maybe || b.Maybe, max(attempts, b.Attempts)
	}
	return maybe, len(all) > 0, attempts, translate("beginning a notification", err)
}

// EndDeliveries stores how an attempt ended. That comes first and alone, because
// a worker that dies before may tell somebody twice. The feed is told when one
// has failed for good, and when nothing of a handoff is left to tell.
func (s *Store) EndDeliveries(ctx context.Context, ids []uuid.UUID, end models.DeliveryEnd) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	at := now()
	var done *time.Time
	if end.State == models.DeliveryDone {
		done = &at
	}
	rows, _ := s.pool.Query(ctx, `UPDATE deliveries d SET state = $3, reason = $4, next_attempt_at = $5, provider_id = $6, provider_where = $7,
			began_at = CASE WHEN $8 THEN d.began_at END, held_until = NULL, done_at = $9, updated_at = $10,
			answer = CASE WHEN $11 > 0 THEN $11 ELSE d.answer END, answered_at = CASE WHEN $11 > 0 THEN $10 ELSE d.answered_at END
		WHERE d.account_id = $1 AND d.id = ANY ($2) AND `+openDelivery+` RETURNING d.handoff_id`,
		acct, ids, end.State, end.Reason, end.NextAttemptAt, end.ProviderID, end.ProviderWhere, end.Unclear, done, at, end.Answer)
	handoffs, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || end.State == models.DeliveryRetrying {
		return translate("recording a notification", err)
	}
	told := false
	for _, h := range handoffs {
		err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if err := lockHandoff(ctx, tx, acct, h); err != nil {
				return err
			}
			var open bool
			err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM deliveries d WHERE d.account_id = $1 AND d.handoff_id = $2 AND `+openDelivery+`)`, acct, h).Scan(&open)
			if err != nil || open && end.State != models.DeliveryFailed {
				return err
			}
			one, err := tellNotifications(ctx, tx, acct, h)
			told = told || one
			return err
		})
		if err != nil {
			return translate("telling of a notification", err)
		}
	}
	if told {
		s.wake()
	}
	return nil
}

// ShowDelivery stores that a message says by now how its handoff stood at a
// version, and where it is.
func (s *Store) ShowDelivery(ctx context.Context, id uuid.UUID, version int) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `UPDATE deliveries SET shown_version = $3, updated_at = $4 WHERE account_id = $1 AND id = $2`, acct, id, version, now())
	return translate("recording a changed message", err)
}

// OutdatedRecipients lists who has messages about a handoff that can be changed
// to say what became of it.
func (s *Store) OutdatedRecipients(ctx context.Context, handoffID uuid.UUID) ([]string, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `SELECT DISTINCT d.recipient FROM deliveries d WHERE d.account_id = $1 AND d.handoff_id = $2
		AND d.state = 'done' AND d.channel = 'slack' AND d.shown_version IS NULL AND d.bundle_id IS NULL AND d.provider_id IS NOT NULL`, acct, handoffID)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return all, translate("looking for messages to change", err)
}

// StaleRecipients lists recipients of all accounts with notifications that
// nobody has looked at for a while, though they are due.
func (s *Store) StaleRecipients(ctx context.Context, before time.Time, limit int) ([]models.Delivery, error) {
	var rows []models.Delivery
	err := s.db.WithContext(tenant.System(ctx)).Raw(`SELECT DISTINCT d.account_id, d.recipient FROM deliveries d
		WHERE d.state IN ('pending', 'held', 'retrying') AND coalesce(d.next_attempt_at, d.held_until, d.updated_at) < ? LIMIT ?`, before, limit).Scan(&rows).Error
	return rows, translate("looking for forgotten notifications", err)
}

// Deliveries lists the notifications of a handoff, oldest first.
func (s *Store) Deliveries(ctx context.Context, sessionID, handoffID uuid.UUID) ([]models.DeliveryView, error) {
	if _, _, err := s.HandoffHead(ctx, sessionID, handoffID, ""); err != nil {
		return nil, err
	}
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `SELECT `+deliveryColumns+`, u.name AS user_name, e.name AS endpoint_name FROM deliveries d
		LEFT JOIN users u ON u.account_id = $1 AND u.id = d.user_id
		LEFT JOIN endpoints e ON e.account_id = $1 AND e.id = d.endpoint_id
		WHERE d.account_id = $1 AND d.handoff_id = $2 ORDER BY d.created_at, d.id LIMIT 1000`, acct, handoffID)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.DeliveryView])
	return all, translate("listing notifications", err)
}

// ChannelDeliveries lists the last notifications over an endpoint of the
// account, newest first, at most limit.
func (s *Store) ChannelDeliveries(ctx context.Context, endpoint uuid.UUID, limit int) ([]models.DeliveryView, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `SELECT `+deliveryColumns+`, u.name AS user_name FROM deliveries d
		LEFT JOIN users u ON u.account_id = $1 AND u.id = d.user_id
		WHERE d.account_id = $1 AND d.endpoint_id = $2 ORDER BY d.created_at DESC, d.id LIMIT $3`, acct, endpoint, limit)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.DeliveryView])
	return all, translate("listing a channel's notifications", err)
}

// ReopenDelivery lets a failed notification be tried again.
func (s *Store) ReopenDelivery(ctx context.Context, handoffID, id uuid.UUID) (models.Delivery, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Delivery{}, err
	}
	d, err := s.Delivery(ctx, id)
	if err != nil {
		return d, err
	}
	if d.HandoffID != handoffID {
		return d, errDeliveryNotFound
	}
	tag, err := s.pool.Exec(ctx, `UPDATE deliveries SET state = 'pending', reason = NULL, next_attempt_at = NULL, released_at = NULL,
			bundle_id = NULL, attempts = 0, updated_at = $3 WHERE account_id = $1 AND id = $2 AND state = 'failed'`, acct, id, now())
	if err != nil {
		return d, translate("retrying a notification", err)
	}
	if tag.RowsAffected() == 0 && (d.State != models.DeliveryPending || d.Attempts > 0) { // or it was asked for before
		return d, models.Errorf(models.CodeConflict, "The notification has not failed: there is nothing to try again.")
	}
	return s.Delivery(ctx, id)
}

// DeliveryCounts sums up the account's notifications of a time, by channel
// and state.
func (s *Store) DeliveryCounts(ctx context.Context, since, until time.Time) ([]models.DeliveryCount, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `SELECT d.channel, d.state, count(*) AS count,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.done_at - d.created_at)) FILTER (WHERE d.state = 'done') AS seconds
		FROM deliveries d WHERE d.account_id = $1 AND d.created_at >= $2 AND d.created_at < $3 GROUP BY 1, 2 ORDER BY 1, 2`, acct, since, until)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[models.DeliveryCount])
	return all, translate("adding up notifications", err)
}

// NotificationSettings returns how a person wants to be told. Found is false
// when they have not said.
func (s *Store) NotificationSettings(ctx context.Context, user uuid.UUID) (settings models.NotificationSettings, found bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return settings, false, err
	}
	row, err := one[models.NotificationPreference](ctx, s, `SELECT account_id, user_id, settings, updated_at FROM notification_settings
		WHERE account_id = $1 AND user_id = $2`, acct, user)
	if errors.Is(err, pgx.ErrNoRows) {
		return settings, false, nil
	}
	return row.Settings, err == nil, translate("reading how somebody wants to be told", err)
}

// SaveNotificationSettings stores how a person wants to be told.
func (s *Store) SaveNotificationSettings(ctx context.Context, user uuid.UUID, settings models.NotificationSettings) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	row := models.NotificationPreference{AccountID: acct, UserID: user, Settings: settings, UpdatedAt: now()}
	err = s.db.WithContext(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "account_id"}, {Name: "user_id"}}, UpdateAll: true}).Create(&row).Error
	return translate("storing how somebody wants to be told", err)
}

// Team returns a team of the account.
func (s *Store) Team(ctx context.Context, id uuid.UUID) (models.Team, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.Team{}, err
	}
	t, err := one[models.Team](ctx, s, `SELECT account_id, id, name, created_at FROM teams WHERE account_id = $1 AND id = $2`, acct, id)
	return t, translate("reading a team", err)
}

// SessionOf returns the session of a visible handoff.
func (s *Store) SessionOf(ctx context.Context, handoffID uuid.UUID) (id uuid.UUID, err error) {
	acct, err := account(ctx)
	if err != nil {
		return id, err
	}
	err = s.pool.QueryRow(ctx, `SELECT session_id FROM handoffs WHERE account_id = $1 AND id = $2 AND version > 0`, acct, handoffID).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, errHandoffNotFound
	}
	return id, translate("looking up a handoff", err)
}
