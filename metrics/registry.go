// Package metrics holds Sluice's counters and histograms in a registry that is passed in,
// and the digests: what each kind of statement has cost. It is the only importer of the
// Prometheus client; a hot counter costs one atomic add. It keeps no text of a client, only
// fingerprints, whose literals are out.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry is made once per process; a nil *Registry is valid and counts nothing.
type Registry struct {
	reg         *prometheus.Registry
	planHits    prometheus.Counter
	planMisses  prometheus.Counter
	connections *prometheus.GaugeVec
	accepted    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	statements  map[string]*strategyMetrics // fixed at New: read without a lock
	other       *strategyMetrics
}

type strategyMetrics struct {
	failed   prometheus.Counter
	duration prometheus.Histogram
}

// strategies are the labels of sluice_statements: the router's words, and "local" for what a
// session answers itself. Anything else is counted as "other".
var strategies = [...]string{
	"local", "relay", "concatenate", "merge-sort", "aggregate", "split-insert", "everywhere", "gather",
}

// New makes a registry with Sluice's and the Go runtime's collectors.
func New() *Registry {
	r := &Registry{
		reg: prometheus.NewRegistry(),
		planHits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_plan_cache_hits_total", Help: "Statements whose plan was cached."}),
		planMisses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_plan_cache_misses_total", Help: "Statements that had to be parsed and planned."}),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_client_connections", Help: "Open, authenticated client connections."}, []string{"port"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_client_connections_total", Help: "Client connections that logged in."}, []string{"port"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_client_refused_total", Help: "Client connections that were refused before or at login."}, []string{"port", "why"}),
		statements: make(map[string]*strategyMetrics, len(strategies)),
	}
	failed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_statement_errors_total", Help: "Statements answered with an error."}, []string{"strategy"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sluice_statement_seconds", Help: "Time from a statement's arrival to the end of its answer.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 14), // 0.1 ms … 15 s
	}, []string{"strategy"})
	for _, s := range strategies {
		r.statements[s] = newStrategy(failed, duration, s)
	}
	r.other = newStrategy(failed, duration, "other")
	r.reg.MustRegister(r.planHits, r.planMisses, r.connections, r.accepted, r.refused, failed, duration,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func newStrategy(failed *prometheus.CounterVec, duration *prometheus.HistogramVec, name string) *strategyMetrics {
	return &strategyMetrics{
		failed:   failed.WithLabelValues(name),
		duration: duration.WithLabelValues(name).(prometheus.Histogram),
	}
}

// PlanCacheHit counts a statement whose plan was cached.
func (r *Registry) PlanCacheHit() {
	if r != nil {
		r.planHits.Inc()
	}
}

// PlanCacheMiss counts a statement that had to be parsed and planned.
func (r *Registry) PlanCacheMiss() {
	if r != nil {
		r.planMisses.Inc()
	}
}

// Statement counts one answered statement by the strategy that answered it.
func (r *Registry) Statement(strategy string, d time.Duration, failed bool) {
	if r == nil {
		return
	}
	s := r.statements[strategy]
	if s == nil {
		s = r.other
	}
	s.duration.Observe(d.Seconds())
	if failed {
		s.failed.Inc()
	}
}

// Connection counts clients of a port ("data", "admin"): +1 after the login, -1 at the end.
func (r *Registry) Connection(port string, delta int) {
	if r == nil {
		return
	}
	r.connections.WithLabelValues(port).Add(float64(delta))
	if delta > 0 {
		r.accepted.WithLabelValues(port).Add(float64(delta))
	}
}

// Refused counts a client that did not get in; why is one of a few fixed words.
func (r *Registry) Refused(port, why string) {
	if r != nil {
		r.refused.WithLabelValues(port, why).Inc()
	}
}

// Sample is one value of a Collect function.
type Sample struct {
	Labels []string // values, in the order of the names given to Collect
	Value  float64
}

// Collect registers a gauge whose values are asked for at each scrape: what other packages
// count anyway (pools, map version). f must be safe for concurrent use.
func (r *Registry) Collect(name, help string, labels []string, f func() []Sample) {
	if r != nil {
		r.reg.MustRegister(&collector{desc: prometheus.NewDesc(name, help, labels, nil), f: f})
	}
}

type collector struct {
	desc *prometheus.Desc
	f    func() []Sample
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.f() {
		m, err := prometheus.NewConstMetric(c.desc, prometheus.GaugeValue, s.Value, s.Labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(c.desc, err)
		}
		ch <- m
	}
}

// Handler serves /metrics.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{})
}
