package admin

import (
	"crypto/subtle"
	_ "embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"sluice/backend"
	"sluice/metrics"
	"sluice/server"
	"sluice/topo"
)

//go:embed dashboard.html
var dashboardHTML string

// HTTP gives the pages:
//
//	/healthz   200 while the process serves
//	/readyz    200 while it should be given traffic: not draining, and a shard can be reached
//	/metrics   for Prometheus
//	/          the dashboard: from loopback, or with an administrator's name and password
//	/debug/pprof/   from loopback only
func (a *Admin) HTTP() http.Handler {
	page := template.Must(template.New("dashboard").Parse(dashboardHTML))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", a.Metrics.Handler())
	mux.Handle("GET /{$}", a.forAdmins(func(w http.ResponseWriter, r *http.Request) { a.dashboard(w, r, page) }))
	for path, h := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
	} {
		mux.Handle(path, loopbackOnly(h))
	}
	return mux
}

func (a *Admin) ready(w http.ResponseWriter, _ *http.Request) {
	if a.Draining() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	down := 0
	status := a.Pools.Status()
	for _, s := range status {
		if s.State == "down" {
			down++
		}
	}
	if len(status) > 0 && down == len(status) {
		http.Error(w, "no shard can be reached", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

func loopbackOnly(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromLoopback(r) {
			http.Error(w, "only from the proxy's own machine", http.StatusForbidden)
			return
		}
		h(w, r)
	})
}

// forAdmins lets the proxy's own machine in, and administrators by HTTP basic authentication.
func (a *Admin) forAdmins(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fromLoopback(r) || a.isAdmin(r) {
			h(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="sluice"`)
		http.Error(w, "an administrator's name and password are needed", http.StatusUnauthorized)
	})
}

func (a *Admin) isAdmin(r *http.Request) bool {
	name, password, ok := r.BasicAuth()
	admin := a.Topology.Map().Admin(name)
	return ok && admin != nil && subtle.ConstantTimeCompare([]byte(password), []byte(admin.Password)) == 1
}

// view is what the dashboard shows.
type view struct {
	Node, Version, Up string
	MapVersion        int64
	EtcdHealthy       bool
	Shards            []shardView
	Proxies           []topo.Proxy
	ProxiesError      string
	Backends          []backend.Status
	Sessions          []server.SessionInfo
	SessionCount      int
	Digests           []metrics.DigestRow
}

type shardView struct {
	Name, Primary, State string
	Slots                int
	Percent              float64
}

const maxShown = 50 // sessions and digests on the page

func (a *Admin) dashboard(w http.ResponseWriter, r *http.Request, page *template.Template) {
	m := a.Topology.Map()
	v := view{
		Node: a.Node, Version: a.Version, Up: time.Since(a.started).Round(time.Second).String(), MapVersion: m.Version,
		EtcdHealthy: a.Topology.Healthy(), Backends: a.Pools.Status(), Sessions: a.sessions(), Digests: a.Digests.Rows(),
	}
	v.SessionCount = len(v.Sessions)
	v.Sessions = v.Sessions[:min(len(v.Sessions), maxShown)]
	v.Digests = v.Digests[:min(len(v.Digests), maxShown)]
	state := map[string]string{}
	for _, b := range v.Backends {
		if b.Role == "primary" {
			state[b.Shard] = b.State
		}
	}
	for i, s := range m.Spec.Shards {
		n := m.SlotCount(i)
		v.Shards = append(v.Shards, shardView{s.Name, s.Primary, state[s.Name], n, float64(n) * 100 / 16384})
	}
	proxies, err := a.Topology.Proxies(r.Context())
	if v.Proxies = proxies; err != nil {
		v.ProxiesError = err.Error()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("Refresh", "5")
	if err := page.Execute(w, v); err != nil {
		a.Log.Warn("the dashboard could not be written", "error", err)
	}
}
