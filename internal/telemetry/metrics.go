package telemetry

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"
)

// Metrics are the figures that one process exposes. Its methods are the hooks
// of the packages that know what happens; they never block.
type Metrics struct {
	registry *prometheus.Registry

	requests    *prometheus.CounterVec
	durations   *prometheus.HistogramVec
	subscribers prometheus.Gauge
	events      prometheus.Counter
	resyncs     *prometheus.CounterVec
	refusals    *prometheus.CounterVec
	temporal    client.MetricsHandler
}

// NewMetrics returns metrics in a registry of their own, together with those
// of the Go runtime, the process and Temporal's SDK. version is that of the
// program; logger is told of SDK metrics that cannot be taken.
func NewMetrics(version string, logger *slog.Logger) (*Metrics, error) {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baton_http_requests_total",
			Help: "Requests that were answered, by method, route and status code.",
		}, []string{"method", "route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "baton_http_request_duration_seconds",
			Help:    "Time to answer a request, by method and route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"}),
		subscribers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "baton_feed_subscribers",
			Help: "Live streams that are open.",
		}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "baton_feed_events_total",
			Help: "Feed events that were published to the streams of this process; each counts once, however many streams there are.",
		}),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baton_feed_resyncs_total",
			Help: "Streams that were told to resync, by reason.",
		}, []string{"reason"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baton_auth_refusals_total",
			Help: "Requests whose sender was not let in, by reason.",
		}, []string{"reason"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "baton_build_info",
		Help:        "1, with the version of the program as a label.",
		ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build,
		m.requests, m.durations, m.subscribers, m.events, m.resyncs, m.refusals,
	)
	var err error
	m.temporal, err = temporalHandler(m.registry, logger)
	return m, err
}

// Handler serves the metrics in the formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// HTTPRequest counts a request that was answered. route is the pattern and not
// the path, which would make a series for every id.
func (m *Metrics) HTTPRequest(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(method, route).Observe(took.Seconds())
}

// FeedSubscribers implements feed.Observer.
func (m *Metrics) FeedSubscribers(delta int) { m.subscribers.Add(float64(delta)) }

// FeedEvents implements feed.Observer.
func (m *Metrics) FeedEvents(n int) { m.events.Add(float64(n)) }

// FeedResync implements feed.Observer.
func (m *Metrics) FeedResync(reason string) { m.resyncs.WithLabelValues(reason).Inc() }

// AuthRefused implements auth.Observer.
func (m *Metrics) AuthRefused(reason string) { m.refusals.WithLabelValues(reason).Inc() }
