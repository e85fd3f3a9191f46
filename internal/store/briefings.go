package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/baton-handoff/baton/internal/audit"
	"github.com/baton-handoff/baton/internal/tenant"
	"github.com/baton-handoff/baton/models"
)

var errNoBriefing = models.Errorf(models.CodeNotFound, "There is no briefing yet.")

// RedactionKey returns what makes the placeholders of the account's
// credentials its own.
func (s *Store) RedactionKey(ctx context.Context) ([]byte, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	row, err := one[models.Account](ctx, s, `SELECT redaction_key FROM accounts WHERE account_id = $1`, acct)
	return row.RedactionKey, translate("reading an account's redaction key", err)
}

// Briefing returns the newest briefing of a handoff, or the one of a version
// if that is not 0.
func (s *Store) Briefing(ctx context.Context, sessionID, handoffID uuid.UUID, version int) (models.BriefingView, error) {
	acct, err := account(ctx)
	if err != nil {
		return models.BriefingView{}, err
	}
	head, _, err := s.HandoffHead(ctx, sessionID, handoffID, "")
	if err != nil {
		return models.BriefingView{}, err
	}
	row, err := one[models.BriefingView](ctx, s, `SELECT b.account_id, b.handoff_id, b.version, b.source, b.content, b.digest, b.step_count,
			b.model, b.prompt_version, b.created_at, s.step_count AS session_steps,
			(SELECT row_to_json(e) FROM handoff_effects e WHERE e.account_id = $1 AND e.handoff_id = $3 AND e.kind = 'briefing') AS effect,
			(SELECT json_agg(g ORDER BY g.graded_at) FROM briefing_grades g
				WHERE g.account_id = $1 AND g.handoff_id = $3 AND g.version = b.version) AS grades
		FROM briefings b JOIN ai_sessions s ON s.account_id = $1 AND s.id = $2
		WHERE b.account_id = $1 AND b.handoff_id = $3 AND ($4 = 0 OR b.version = $4)
		ORDER BY b.version DESC LIMIT 1`, acct, sessionID, handoffID, version)
	if errors.Is(err, pgx.ErrNoRows) && version > 0 {
		return row, models.Errorf(models.CodeNotFound, "The handoff has no briefing of version %d.", version)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return row, errNoBriefing
	}
	row.Status = head.Status
	return row, translate("reading a briefing", err)
}

// BriefingVersionAt is the version of the briefing that was the newest at a
// time; 0 when there was none.
func (s *Store) BriefingVersionAt(ctx context.Context, handoffID uuid.UUID, at time.Time) (version int, err error) {
	acct, err := account(ctx)
	if err != nil {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM briefings
		WHERE account_id = $1 AND handoff_id = $2 AND created_at <= $3`, acct, handoffID, at).Scan(&version)
	return version, translate("looking for a briefing", err)
}

// SaveBriefing stores a briefing after the one of version after, with how its
// making stands, tells the feed, and returns its version. With after 0 it
// follows whatever is the newest, unless that is the same. When a newer one
// than after is there already, nothing is stored and the version is 0: its work
// was superseded.
func (s *Store) SaveBriefing(ctx context.Context, b models.Briefing, after int, e models.Effect) (version int, err error) {
	digest := sha256.Sum256(b.Content)
	b.Digest = digest[:]
	return s.recordBriefing(ctx, e, after, &b)
}

// RecordBriefing stores how the making of the briefing stands that follows the
// one of version after, unless a newer one is there.
func (s *Store) RecordBriefing(ctx context.Context, after int, e models.Effect) error {
	_, err := s.recordBriefing(ctx, e, after, nil)
	return err
}

const (
	newestBriefingSQL = `SELECT version, source, digest, step_count FROM briefings
		WHERE account_id = @account AND handoff_id = @handoff ORDER BY version DESC LIMIT 1`
	putBriefingSQL = `INSERT INTO briefings (account_id, handoff_id, version, source, content, digest, step_count, model, prompt_version, created_at)
		VALUES (@account, @handoff, @version, @source, @content, @digest, @steps, @model, @prompt, @at)`
	briefingEffectSQL = `WITH told AS (
		INSERT INTO handoff_effects (account_id, handoff_id, kind, state, reason, attempts, next_attempt_at, updated_at, version, source, step_count)
		SELECT e.account_id, e.handoff_id, e.kind, e.state, e.reason, e.attempts, e.next_attempt_at, e.updated_at, e.version, e.source, e.step_count
		FROM json_populate_record(NULL::handoff_effects, @effect) AS e
		ON CONFLICT (account_id, handoff_id, kind) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,
			attempts = EXCLUDED.attempts, next_attempt_at = EXCLUDED.next_attempt_at, updated_at = EXCLUDED.updated_at,
			version = EXCLUDED.version, source = EXCLUDED.source, step_count = EXCLUDED.step_count
		RETURNING kind)` + appendFeed
)

func (s *Store) recordBriefing(ctx context.Context, e models.Effect, after int, b *models.Briefing) (version int, err error) {
	acct, err := account(ctx)
	if err != nil {
		return 0, err
	}
	e.AccountID, e.Kind, e.UpdatedAt = acct, models.EffectBriefing, now()
	told := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		version, told, err = recordBriefing(ctx, tx, e, after, b)
		return err
	})
	if err != nil {
		return 0, translate("recording a briefing", err)
	}
	if told {
		s.wake()
	}
	return version, nil
}

func recordBriefing(ctx context.Context, tx pgx.Tx, e models.Effect, after int, b *models.Briefing) (version int, told bool, err error) {
	named := pgx.NamedArgs{"account": e.AccountID, "handoff": e.HandoffID}
	tag, err := tx.Exec(ctx, lockHandoffSQL, named)
	if err != nil {
		return 0, false, err
	}
	if tag.RowsAffected() == 0 {
		return 0, false, errHandoffNotFound
	}
	rows, _ := tx.Query(ctx, newestBriefingSQL, named) // its error is that of the rows
	newest, err := pgx.CollectOneRow(rows, pgx.RowToStructByNameLax[models.Briefing])
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, false, err
	}
	if after > 0 && newest.Version != after {
		return 0, false, nil
	}
	change := models.EventUpdated
	if b != nil && (b.Source != newest.Source || !bytes.Equal(b.Digest, newest.Digest)) {
		change = models.EventAssessmentReady
		b.Version = newest.Version + 1
		newest = *b
		_, err := tx.Exec(ctx, putBriefingSQL, pgx.NamedArgs{
			"account": e.AccountID, "handoff": e.HandoffID, "version": b.Version, "source": b.Source, "content": b.Content,
			"digest": b.Digest, "steps": b.StepCount, "model": b.Model, "prompt": b.PromptVersion, "at": e.UpdatedAt,
		})
		if err != nil {
			return 0, false, err
		}
	}
	if newest.Version > 0 {
		e.Version, e.Source, e.StepCount = &newest.Version, &newest.Source, &newest.StepCount
	}
	rows, _ = tx.Query(ctx, viewSQL, named)
	view, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByNameLax[models.HandoffView])
	if err != nil {
		return 0, false, err
	}
	for _, was := range view.Effects {
		if was.Kind == e.Kind && alike(was, e) {
			return newest.Version, false, nil
		}
	}
	data := card(view)
	data.At = e.UpdatedAt
	data.Effect = &models.EffectEvent{Kind: e.Kind, State: e.State, Reason: e.Reason, Attempts: e.Attempts, NextAttemptAt: e.NextAttemptAt}
	told, err = tell(ctx, tx, briefingEffectSQL, view.Handoff, []event{{change, data}}, pgx.NamedArgs{"effect": e})
	return newest.Version, told, err
}

// orphaned is how long the making of a briefing may be overdue before somebody
// has to be asked for it again: its workflow was ended from outside.
const orphaned = 30 * time.Minute

// StaleBriefings lists open handoffs of all accounts whose briefing does not
// know all steps, though none were added for as long as settled; those that were
// never briefed; and those that nobody seems to brief any more.
func (s *Store) StaleBriefings(ctx context.Context, settled time.Duration, limit int) ([]models.Handoff, error) {
	var rows []models.Handoff
	err := s.db.WithContext(tenant.System(ctx)).Table("handoffs AS h").Select("h.account_id, h.session_id, h.id").
		Joins("JOIN ai_sessions s ON s.account_id = h.account_id AND s.id = h.session_id").
		Joins("LEFT JOIN handoff_effects e ON e.account_id = h.account_id AND e.handoff_id = h.id AND e.kind = 'briefing'").
		Where("h.status IN ('queued', 'claimed', 'returned') AND s.updated_at < ?", now().Add(-settled)).
		Where(`(e.kind IS NULL OR e.step_count < s.step_count AND e.state NOT IN ('pending', 'retrying')
			OR e.state IN ('pending', 'retrying') AND coalesce(e.next_attempt_at, e.updated_at) < ?)`, now().Add(-orphaned)).
		Order("s.updated_at").Limit(limit).Scan(&rows).Error
	return rows, translate("looking for stale briefings", err)
}

// OpenHandoff returns the open handoff of a session, if there is one.
func (s *Store) OpenHandoff(ctx context.Context, sessionID uuid.UUID) (id uuid.UUID, found bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return id, false, err
	}
	row, err := one[models.Handoff](ctx, s, `SELECT id FROM handoffs
		WHERE account_id = $1 AND session_id = $2 AND status IN ('queued', 'claimed', 'returned')`, acct, sessionID)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, false, nil
	}
	return row.ID, err == nil, translate("looking for an open handoff", err)
}

// BeginModelCall stores that a model is about to be called, unless what the
// account's calls of this month cost, with c, would then be more than most.
// Spent is what they cost without c.
func (s *Store) BeginModelCall(ctx context.Context, c models.ModelCall, most int64) (allowed bool, spent int64, err error) {
	acct, err := account(ctx)
	if err != nil {
		return false, 0, err
	}
	c.AccountID, c.State, c.StartedAt = acct, models.CallUnderWay, now()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// One at a time, or many calls together would all find room.
		if _, err := tx.Exec(ctx, `SELECT FROM accounts WHERE account_id = $1 FOR NO KEY UPDATE`, acct); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, spentSQL, acct, monthOf(c.StartedAt)).Scan(&spent); err != nil {
			return err
		}
		if allowed = most > 0 && spent+c.CostMicroUSD <= most; !allowed {
			return nil
		}
		_, err := tx.Exec(ctx, `INSERT INTO model_calls (account_id, id, handoff_id, model, prompt_version, state, cost_micro_usd, started_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, acct, c.ID, c.HandoffID, c.Model, c.PromptVersion, c.State, c.CostMicroUSD, c.StartedAt)
		return err
	})
	return allowed, spent, translate("recording a model's call", err)
}

const spentSQL = `SELECT coalesce(sum(cost_micro_usd), 0)::bigint FROM model_calls WHERE account_id = $1 AND started_at >= $2`

func monthOf(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }

// EndModelCall stores how a call went.
func (s *Store) EndModelCall(ctx context.Context, c models.ModelCall) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `UPDATE model_calls SET state = $3, reason = $4, input_tokens = $5, cached_tokens = $6, output_tokens = $7,
			cost_micro_usd = $8, latency_ms = $9, ended_at = $10
		WHERE account_id = $1 AND id = $2`, acct, c.ID, c.State, c.Reason, c.InputTokens, c.CachedTokens, c.OutputTokens, c.CostMicroUSD, c.LatencyMS, now())
	return translate("recording a model's answer", err)
}

// SpentOnModels is what the account's calls of models cost since the month
// began (UTC), in millionths of a US dollar.
func (s *Store) SpentOnModels(ctx context.Context) (spent int64, err error) {
	acct, err := account(ctx)
	if err != nil {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, spentSQL, acct, monthOf(now())).Scan(&spent)
	return spent, translate("adding up what models cost", err)
}

// BriefingSettings returns what the account wants of models. Found is false
// when it has not said.
func (s *Store) BriefingSettings(ctx context.Context) (settings models.BriefingSettings, found bool, err error) {
	acct, err := account(ctx)
	if err != nil {
		return settings, false, err
	}
	settings, err = one[models.BriefingSettings](ctx, s, `SELECT account_id, use_model, monthly_micro_usd, updated_at, updated_by
		FROM briefing_settings WHERE account_id = $1`, acct)
	if errors.Is(err, pgx.ErrNoRows) {
		return settings, false, nil
	}
	return settings, err == nil, translate("reading an account's settings for briefings", err)
}

// SaveBriefingSettings stores what the account wants of models.
func (s *Store) SaveBriefingSettings(ctx context.Context, by models.Principal, settings models.BriefingSettings) error {
	return s.recorded(ctx, "storing an account's settings for briefings", by, func(tx pgx.Tx, acct uuid.UUID) (*models.AuditEntry, error) {
		if err := lockAccount(ctx, tx, acct); err != nil {
			return nil, err
		}
		was, err := find[models.BriefingSettings](ctx, tx, `SELECT use_model, monthly_micro_usd FROM briefing_settings WHERE account_id = $1`, acct)
		var before any
		switch {
		case err == nil:
			before = briefingFacts(was)
		case !errors.Is(err, pgx.ErrNoRows):
			return nil, err
		}
		changes, err := audit.Diff(before, briefingFacts(settings))
		if err != nil || len(changes) == 0 {
			return nil, err
		}
		_, err = tx.Exec(ctx, `INSERT INTO briefing_settings (account_id, use_model, monthly_micro_usd, updated_at, updated_by)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account_id) DO UPDATE SET use_model = EXCLUDED.use_model, monthly_micro_usd = EXCLUDED.monthly_micro_usd,
				updated_at = EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by`, acct, settings.UseModel, settings.MonthlyMicroUSD, now(), by.UserID)
		return &models.AuditEntry{Action: models.AuditBriefingSettingsSet, Changes: changes}, err
	})
}

// briefingFacts are settings as the API tells them, for the audit log.
func briefingFacts(s models.BriefingSettings) any {
	facts := map[string]any{"use_model": s.UseModel}
	if s.MonthlyMicroUSD != nil {
		facts["monthly_budget_usd"] = float64(*s.MonthlyMicroUSD) / 1e6
	}
	return facts
}

// SaveBriefingGrade stores what a person thinks of a briefing. What the grade
// leaves out stays as it was.
func (s *Store) SaveBriefingGrade(ctx context.Context, g models.BriefingGrade) error {
	acct, err := account(ctx)
	if err != nil {
		return err
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO briefing_grades AS g (account_id, handoff_id, version, user_id, useful, wrong, cause, graded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (account_id, handoff_id, version, user_id) DO UPDATE SET useful = coalesce(EXCLUDED.useful, g.useful),
			wrong = coalesce(EXCLUDED.wrong, g.wrong), cause = coalesce(EXCLUDED.cause, g.cause), graded_at = EXCLUDED.graded_at`,
		acct, g.HandoffID, g.Version, g.UserID, g.Useful, g.Wrong, g.Cause, now())
	return translate("storing a briefing's grade", err)
}

// BriefingReports sums up the account's briefings of a time, by who made them. A
// handoff counts with its newest briefing, and a grade with the one that it is
// of.
func (s *Store) BriefingReports(ctx context.Context, since, until time.Time) ([]models.BriefingReport, error) {
	acct, err := account(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := s.pool.Query(ctx, `WITH newest AS (
			SELECT DISTINCT ON (handoff_id) handoff_id, version, source, coalesce(model, '') AS model, coalesce(prompt_version, '') AS prompt_version
			FROM briefings WHERE account_id = $1 AND created_at >= $2 AND created_at < $3 ORDER BY handoff_id, version DESC),
		written AS (
			SELECT source, model, prompt_version, count(*) AS briefings FROM newest GROUP BY 1, 2, 3),
		graded AS (
			SELECT b.source, coalesce(b.model, '') AS model, coalesce(b.prompt_version, '') AS prompt_version, count(g.useful) AS graded,
				count(*) FILTER (WHERE g.useful) AS useful, count(g.cause) AS causes,
				avg(CASE g.cause WHEN 'right' THEN 100 WHEN 'one_step_short' THEN 65 WHEN 'right_area' THEN 35 WHEN 'wrong' THEN 0 END)::float8 AS cause_score
			FROM briefings b JOIN briefing_grades g USING (account_id, handoff_id, version)
			WHERE b.account_id = $1 AND b.created_at >= $2 AND b.created_at < $3 GROUP BY 1, 2, 3),
		called AS (
			SELECT 'model' AS source, model, prompt_version, count(*) AS calls, count(*) FILTER (WHERE state = 'unusable') AS unusable,
				count(*) FILTER (WHERE state = 'failed') AS failed, sum(input_tokens)::bigint AS input_tokens,
				sum(output_tokens)::bigint AS output_tokens, sum(cost_micro_usd)::bigint AS cost_micro_usd,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE state IN ('used', 'unusable')) AS latency_ms
			FROM model_calls WHERE account_id = $1 AND started_at >= $2 AND started_at < $3 GROUP BY 2, 3)
		SELECT source, nullif(model, '') AS model, nullif(prompt_version, '') AS prompt_version,
			coalesce(briefings, 0) AS briefings, coalesce(graded, 0) AS graded, coalesce(useful, 0) AS useful,
			coalesce(causes, 0) AS causes, cause_score, coalesce(calls, 0) AS calls, coalesce(unusable, 0) AS unusable,
			coalesce(failed, 0) AS failed, coalesce(input_tokens, 0) AS input_tokens, coalesce(output_tokens, 0) AS output_tokens,
			coalesce(cost_micro_usd, 0) AS cost_micro_usd, latency_ms
		FROM written FULL JOIN graded USING (source, model, prompt_version) FULL JOIN called USING (source, model, prompt_version)
		ORDER BY source, model NULLS FIRST, prompt_version`, acct, since, until) // its error is that of the rows
	reports, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[models.BriefingReport])
	return reports, translate("summing up briefings", err)
}
