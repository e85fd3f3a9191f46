package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/baton-handoff/baton/api/gen"
	"github.com/baton-handoff/baton/internal/ladder"
	"github.com/baton-handoff/baton/internal/sheet"
	"github.com/baton-handoff/baton/models"
)

// reportedDays is how far back reports go when nobody says, and maxReported how
// many waits one is made of at most: they are in memory together, in 50 MB.
const (
	reportedDays = 30
	maxReported  = 200_000
)

// ReportHandoffs sums up how long handoffs waited.
func (h handlers) ReportHandoffs(ctx context.Context, r gen.ReportHandoffsRequestObject) (gen.ReportHandoffsResponseObject, error) {
	p, now := r.Params, time.Now()
	var wrong fields
	since, until := reported(p.Since, p.Until, now, &wrong)
	zone := time.UTC
	if p.Zone != nil {
		var err error
		if zone, err = ladder.Zone(*p.Zone); err != nil {
			wrong.wrong("zone", "must be the IANA name of a time zone, such as Europe/Berlin")
		}
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	waits, err := h.o.Records.HandoffWaits(plain(ctx), since, until, maxReported+1)
	if err != nil {
		return nil, err
	}
	if len(waits) > maxReported {
		return nil, models.Errorf(models.CodeInvalid, "There are more than %d handoffs in this time. Ask for a shorter one, with since and until.", maxReported)
	}
	rows := ladder.Report(waits, zone, now)
	if p.Group != nil {
		rows = slices.DeleteFunc(rows, func(r ladder.Row) bool { return r.Group != string(*p.Group) })
	}
	if asCSV(p.Format, p.Accept) {
		text, err := table(func(to io.Writer) error { return ladder.WriteCSV(to, rows) })
		return gen.ReportHandoffs200TextCsvResponse{Body: text, ContentLength: int64(text.Len())}, err
	}
	waiting, err := h.o.Records.WaitingNow(plain(ctx))
	if err != nil {
		return nil, err
	}
	return gen.ReportHandoffs200JSONResponse{Since: since, Until: until, Items: rows, Waiting: convert(waiting, func(w models.WaitingNow) gen.WaitingNow {
		return gen.WaitingNow{Priority: gen.Priority(w.Priority.String()), Open: w.Open, OldestOpenAt: utc(w.Oldest)}
	})}, nil
}

// ReportBriefings sums up the account's briefings.
func (h handlers) ReportBriefings(ctx context.Context, r gen.ReportBriefingsRequestObject) (gen.ReportBriefingsResponseObject, error) {
	var wrong fields
	since, until := reported(r.Params.Since, r.Params.Until, time.Now(), &wrong)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	rows, err := h.o.Records.BriefingReports(plain(ctx), since, until)
	if err != nil {
		return nil, err
	}
	if asCSV(r.Params.Format, r.Params.Accept) {
		text, err := table(func(to io.Writer) error {
			return sheet.Write(to, []string{
				"source", "model", "prompt_version", "briefings", "graded", "useful", "causes", "cause_score", "calls", "unusable", "failed",
				"input_tokens", "output_tokens", "cost_usd", "latency_ms",
			}, convert(rows, func(r models.BriefingReport) []string {
				return []string{
					string(r.Source), deref(r.Model), deref(r.PromptVersion), strconv.Itoa(r.Briefings), strconv.Itoa(r.Graded), strconv.Itoa(r.Useful),
					strconv.Itoa(r.Causes), sheet.Number(r.CauseScore), strconv.Itoa(r.Calls), strconv.Itoa(r.Unusable), strconv.Itoa(r.Failed),
					strconv.FormatInt(r.InputTokens, 10), strconv.FormatInt(r.OutputTokens, 10),
					strconv.FormatFloat(usd(r.CostMicroUSD), 'f', -1, 64), sheet.Number(r.LatencyMS),
				}
			}))
		})
		return gen.ReportBriefings200TextCsvResponse{Body: text, ContentLength: int64(text.Len())}, err
	}
	return gen.ReportBriefings200JSONResponse{Since: since, Items: convert(rows, func(r models.BriefingReport) gen.BriefingReport {
		return gen.BriefingReport{
			Source: gen.BriefingSource(r.Source), Model: r.Model, PromptVersion: r.PromptVersion,
			Briefings: r.Briefings, Graded: r.Graded, Useful: r.Useful, Causes: r.Causes, CauseScore: r.CauseScore,
			Calls: r.Calls, Unusable: r.Unusable, Failed: r.Failed, InputTokens: r.InputTokens, OutputTokens: r.OutputTokens,
			CostUSD: usd(r.CostMicroUSD), LatencyMS: r.LatencyMS,
		}
	})}, nil
}

// ReportDeliveries sums up the account's notifications.
func (h handlers) ReportDeliveries(ctx context.Context, r gen.ReportDeliveriesRequestObject) (gen.ReportDeliveriesResponseObject, error) {
	var wrong fields
	since, until := reported(r.Params.Since, r.Params.Until, time.Now(), &wrong)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	rows, err := h.o.Records.DeliveryCounts(plain(ctx), since, until)
	if err != nil {
		return nil, err
	}
	if asCSV(r.Params.Format, r.Params.Accept) {
		text, err := table(func(to io.Writer) error {
			return sheet.Write(to, []string{"channel", "state", "count", "median_seconds"}, convert(rows, func(c models.DeliveryCount) []string {
				return []string{c.Channel, string(c.State), strconv.Itoa(c.Count), sheet.Number(c.Seconds)}
			}))
		})
		return gen.ReportDeliveries200TextCsvResponse{Body: text, ContentLength: int64(text.Len())}, err
	}
	return gen.ReportDeliveries200JSONResponse{Since: since, Items: convert(rows, func(c models.DeliveryCount) gen.DeliveryReportRow {
		return gen.DeliveryReportRow{Channel: gen.ChannelName(c.Channel), State: gen.DeliveryState(c.State), Count: c.Count, MedianSeconds: c.Seconds}
	})}, nil
}

// reported is the time that a report is about.
func reported(since, until *time.Time, now time.Time, wrong *fields) (from, to time.Time) {
	from, to = now.AddDate(0, 0, -reportedDays).UTC().Truncate(time.Second), now.UTC()
	if since != nil {
		from = since.UTC()
	}
	if until != nil {
		to = until.UTC()
	}
	if !from.Before(to) {
		wrong.wrong("until", "must be after since")
	}
	return from, to
}

func table(write func(io.Writer) error) (*bytes.Buffer, error) {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return &text, fmt.Errorf("writing a report: %w", err)
	}
	return &text, nil
}

// asCSV reports whether CSV is wanted, and JSON is not as well.
func asCSV(format *gen.TableFormat, accept *string) bool {
	if format != nil {
		return *format == gen.TableFormatCsv
	}
	csv := false
	for part := range strings.SplitSeq(deref(accept), ",") {
		kind, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if kind == "application/json" {
			return false
		}
		csv = csv || kind == "text/csv"
	}
	return csv
}
