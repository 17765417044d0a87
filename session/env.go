// Package session is what one client connection is: its state, its statements, its
// answers. It ties the packages below together: query says what the text is, router where
// it goes, exec runs it, txn holds what is open. The life of a statement is Session.query.
//
// A session never decodes a one-shard result, never guesses what a statement it does not
// understand would do, and never lets a connection that carries one client's state go
// to another.
package session

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"sluice/backend"
	"sluice/cache"
	"sluice/limit"
	"sluice/metrics"
	"sluice/query"
	"sluice/server"
	"sluice/shard"
	"sluice/slowlog"
	"sluice/topo"
	"sluice/txn"
	"sluice/wire"
)

// Topology is what sessions need of the cluster's store.
type Topology interface {
	Map() *shard.Map
	Update(ctx context.Context, change func(*shard.Spec) error) (*shard.Map, error)
	NextIDs(ctx context.Context, seq string, n int, user topo.IDUser) (uint64, error)
	RaiseRange(ctx context.Context, seq string, low, high uint64, user topo.IDUser) error
	DropIDs(ctx context.Context, seq string) error
	PassIDs(ctx context.Context, from, to string, user topo.IDUser) error

	// What moving slots need: see topo.Store.
	OnChange(f func(*shard.Map))
	Refresh(ctx context.Context) (*shard.Map, error)
	Ack(move, attempt int64)
	Long(list []topo.Long)
	SureUntil() time.Time
	Proxies(ctx context.Context) ([]topo.Proxy, error)
}

// Options is what all sessions of a proxy share.
type Options struct {
	Topology  Topology
	Pools     *backend.Pools
	Decisions *txn.Decisions // of transactions over several shards
	Metrics   *metrics.Registry
	Digests   *metrics.Digests
	Log       *slog.Logger
	Slow      *slowlog.Log // nil: none
	Limits    *limit.Table // nil: none
	Cache     *cache.Cache // of results; nil: none
}

// Handler serves the data port: one Session a client.
type Handler struct {
	topo      Topology
	pools     *backend.Pools
	decisions *txn.Decisions
	metrics   *metrics.Registry
	digests   *metrics.Digests
	log       *slog.Logger
	slow      *slowlog.Log
	slowAfter time.Duration  // what a statement must take to be looked at for either log
	server    *server.Server // set by Bind before it serves
	plans     *plans
	catalog   *catalog
	looks     once // what is looked up for it
	sets      *setCache
	intern    *interner
	vars      map[string]varClass
	analyzer  query.Analyzer
	defaults  defaults
	started   time.Time
	gate      *gate
	fences    *fences
	limits    *limit.Table
	cache     *results // nil: none
}

// New makes the data port's handler.
func New(opts Options) *Handler {
	after := slowAfter
	if d, ok := opts.Slow.Threshold(); ok {
		after = min(after, d)
	}
	h := &Handler{
		limits: opts.Limits, slow: opts.Slow, slowAfter: after,
		topo: opts.Topology, pools: opts.Pools, decisions: opts.Decisions, metrics: opts.Metrics, digests: opts.Digests, log: opts.Log,
		plans: newPlans(), catalog: newCatalog(), sets: newSetCache(), intern: newInterner(),
		vars: newVariables(), started: time.Now(), gate: newGate(opts.Topology), fences: &fences{pools: opts.Pools, seen: map[string]*fenceLook{}},
	}
	if opts.Cache != nil {
		h.cache = &results{h: h, c: opts.Cache, queue: make(chan shard.CacheTable, 16)}
	}
	return h
}

// Bind tells the handler which server it serves: KILL, SHOW PROCESSLIST and COM_CHANGE_USER
// need it.
func (h *Handler) Bind(s *server.Server) { h.server = s }

// Open implements server.Handler.
func (h *Handler) Open(ctx context.Context, c *server.Client) server.Service {
	s := newSession(ctx, h, c)
	h.gate.enter(&s.shared)
	c.SetSession(&s.shared)
	return s
}

// Held is the number of statements that wait for rows to switch to another shard.
func (h *Handler) Held() int { return h.gate.waiting() }

// Run acknowledges migrations, as soon as nothing runs here that they have to wait for, until
// ctx ends.
func (h *Handler) Run(ctx context.Context) { h.gate.run(ctx) }

// Cache turns the result cache on where the map asks for it, and ends its suspensions, until ctx ends.
func (h *Handler) Cache(ctx context.Context, cluster *CacheCluster) {
	if h.cache == nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { h.cache.c.Run(ctx) })
	wg.Go(func() { (&following{r: h.cache, node: cluster.Node, runs: map[string]context.CancelFunc{}}).run(ctx) })
	h.cache.run(ctx, cluster)
	wg.Wait()
}

// defaults are facts of the shards' servers that every session starts from. They are
// loaded once, from the first shard that answers.
type defaults struct {
	mu         sync.Mutex
	loaded     bool
	sqlMode    string
	autocommit string
	isolation  string
	readOnly   string
	mode       query.Mode // dialect and version
	version    string
	collations map[uint16]collation
	charsets   map[string]charset
	byName     map[string]uint16 // ids of collations
}

type collation struct{ name, charset string }

// charset is what columns say of their character set: the id of its default collation, and
// the bytes of its longest character.
type charset struct {
	collation uint16
	bytes     uint32
}

// load asks a shard for the defaults. A failure is that shard's error; the next session
// tries again.
func (d *defaults) load(ctx context.Context, h *Handler) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.loaded {
		return nil
	}
	var err error
	for _, sh := range h.topo.Map().Spec.Shards {
		var c *backend.Conn
		if c, err = h.pools.Get(ctx, sh.Name, backend.Class{}, "", noSettings.backend); err != nil {
			continue
		}
		if err = d.ask(c); err != nil {
			c.Close()
			continue
		}
		c.Put()
		d.loaded = true
		return nil
	}
	return err
}

func (d *defaults) ask(c *backend.Conn) error {
	_, rows, err := c.Query("SELECT @@GLOBAL.sql_mode, VERSION(), @@GLOBAL.autocommit")
	if err != nil {
		return err
	}
	d.sqlMode = string(rows[0][0])
	d.autocommit = string(rows[0][2])
	version := string(rows[0][1])
	d.version = version
	d.mode = query.Version(version)
	_, rows, err = c.Query("SELECT @@GLOBAL." + d.isolationVar() + ", @@GLOBAL." + d.readOnlyVar())
	if err != nil {
		return err
	}
	d.isolation, d.readOnly = string(rows[0][0]), string(rows[0][1])
	_, rows, err = c.Query("SELECT ID, COLLATION_NAME, CHARACTER_SET_NAME, MAXLEN, DEFAULT_COLLATE_NAME = COLLATION_NAME FROM information_schema.COLLATIONS JOIN " +
		"information_schema.CHARACTER_SETS USING (CHARACTER_SET_NAME) WHERE ID < 1024")
	if err != nil {
		return err
	}
	d.collations, d.charsets, d.byName = make(map[uint16]collation, len(rows)), map[string]charset{}, make(map[string]uint16, len(rows))
	for _, r := range rows {
		id, err := strconv.ParseUint(string(r[0]), 10, 16)
		if err == nil {
			d.byName[string(r[1])] = uint16(id)
			d.collations[uint16(id)] = collation{name: string(r[1]), charset: string(r[2])}
			if n, err := strconv.ParseUint(string(r[3]), 10, 8); err == nil && string(r[4]) == "1" {
				d.charsets[string(r[2])] = charset{uint16(id), uint32(n)}
			}
		}
	}
	return nil
}

// initial gives the settings of a client that logged in with a collation: what the server
// would set for it, and the shards' common sql_mode and autocommit, so that the scanner and
// every shard agree on them.
func (h *Handler) initial(id uint16) *settings {
	d := &h.defaults
	co, ok := d.collations[id]
	if _, usable := query.CharsetOf(co.charset); !ok || !usable {
		co = collation{name: "utf8mb4_general_ci", charset: "utf8mb4"}
	}
	return noSettings.with(map[string]string{
		resultsCollation:        d.described(co.charset, co.name),
		"autocommit":            d.autocommit,
		d.isolationVar():        "'" + d.isolation + "'",
		d.readOnlyVar():         d.readOnly,
		"sql_mode":              "'" + d.sqlMode + "'",
		"character_set_client":  "'" + co.charset + "'",
		"character_set_results": "'" + co.charset + "'",
		"collation_connection":  "'" + co.name + "'",
	}, h.intern)
}

// described gives a collation as what resultsCollation takes, "" when it is the character set's
// default.
func (d *defaults) described(charset, collation string) string {
	id, known := d.byName[collation]
	if set := d.charsets[charset]; !known || set.collation == id {
		return ""
	}
	return "'" + collation + "'"
}

// refuse makes an error that Sluice raises itself.
func refuse(code uint16, state, format string, args ...any) *wire.Error {
	return &wire.Error{Code: code, SQLState: state, Message: "sluice: " + fmt.Sprintf(format, args...)}
}

// notBuilt is the number of what Sluice does not do (yet): ER_NOT_SUPPORTED_YET.
func notBuilt(format string, args ...any) *wire.Error { return refuse(1235, "42000", format, args...) }

// isolationVar and readOnlyVar are the servers' names of the variables.
func (d *defaults) isolationVar() string {
	if d.mode.MariaDB && d.mode.ServerVersion < 110100 {
		return "tx_isolation"
	}
	return "transaction_isolation"
}

func (d *defaults) readOnlyVar() string {
	if d.mode.MariaDB && d.mode.ServerVersion < 110100 {
		return "tx_read_only"
	}
	return "transaction_read_only"
}
