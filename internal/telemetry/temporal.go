package telemetry

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/log"
)

// latencies are the buckets of Temporal's timers in seconds. OpenTelemetry's
// own are meant for milliseconds. The long ones are for schedule-to-start
// times of a queue that nobody works on.
var latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// TemporalHandler takes the metrics of Temporal's SDK.
func (m *Metrics) TemporalHandler() client.MetricsHandler { return m.temporal }

func temporalHandler(registry prometheus.Registerer, logger *slog.Logger) (client.MetricsHandler, error) {
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("exporting the metrics of Temporal's SDK: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(exporter), metric.WithView(metric.NewView(
		metric.Instrument{Kind: metric.InstrumentKindHistogram},
		metric.Stream{Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: latencies}},
	)))
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: provider.Meter("temporal-sdk-go"),
		// Without it a counter becomes a gauge, and rate() guesses.
		UseMonotonicCounters: true,
		// The default is to panic.
		OnError: func(err error) { logger.Warn("A metric of Temporal's SDK was lost.", "error", err) },
	}), nil
}

// TemporalLogger makes Temporal's SDK log to logger.
func TemporalLogger(logger *slog.Logger) log.Logger { return log.NewStructuredLogger(logger) }
