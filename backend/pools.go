package backend

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/metrics"
	"sluice/shard"
)

// Pools holds one pool for each shard's primary.
type Pools struct {
	opts  Options
	ctx   context.Context
	end   context.CancelFunc
	wg    sync.WaitGroup // dials, goodbyes, the sweeper
	table atomic.Pointer[table]
	total total

	mu      sync.Mutex // of SetMap and Close
	account shard.Backend
	closed  bool
	retired []*pool // with connections that are still leased
}

// table is what Get reads: it is replaced whole.
type table struct {
	order  []*pool
	byName map[string]*pool
	closed bool
}

// defaultMax is the number of connections to a shard where the map gives none.
const defaultMax = 64

// Open starts pools for a map; no connection is dialled before it is asked for.
func Open(opts Options, m *shard.Map) *Pools {
	p := &Pools{opts: opts.withDefaults()}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.table.Store(&table{})
	p.total.pace = pace{off: p.opts.NoLimits}
	p.total.pools.Store(new([]*pool))
	p.SetMap(m)
	p.wg.Go(p.sweep)
	p.register()
	return p
}

// SetMap follows a new map: new shards get pools, dropped ones close, changed addresses
// or credentials drain the old connections.
func (p *Pools) SetMap(m *shard.Map) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	account := m.Spec.Backend
	if account.MaxConnections <= 0 {
		account.MaxConnections = defaultMax
	}
	old := p.table.Load()
	next := &table{byName: make(map[string]*pool, len(m.Spec.Shards))}
	p.account = account
	for _, s := range m.Spec.Shards {
		d := p.dialer(s.Primary)
		pl := old.byName[s.Name]
		if pl == nil || pl.dialer.target != d.target {
			pl = p.newPool(s.Name, d)
		}
		pl.setMax(account.MaxConnections)
		next.order = append(next.order, pl)
		next.byName[s.Name] = pl
	}
	p.total.setPools(next.order, account.MaxConnections) // before anybody waits in a new one: only those that it knows are attended
	p.table.Store(next)
	for _, pl := range old.order {
		if next.byName[pl.shard] != pl {
			pl.retire(errRetired, false)
			p.retired = append(p.retired, pl)
		}
	}
	p.total.serve() // there may be room for more
}

// dialer makes the dialer of an address. p.mu is held.
func (p *Pools) dialer(address string) dialer {
	return dialer{
		target: target{address: address, user: p.account.User, password: p.account.Password, tls: p.account.TLS},
		config: p.opts.TLS, engine: p.opts.Engine, timeout: p.opts.DialTimeout, maxPacket: p.opts.MaxPacket,
	}
}

func (p *Pools) newPool(name string, d dialer) *pool {
	now := time.Now()
	return &pool{
		opts: &p.opts, shard: name, role: "primary", dialer: d, wg: &p.wg, ctx: p.ctx,
		all: make(map[*Conn]struct{}), lines: map[string]*line{}, total: &p.total, pace: pace{off: p.opts.NoLimits, few: few}, health: health{state: unknown, since: now}, hang: hang{heard: now}, kills: make(chan struct{}, killers),
	}
}

// whyNone says why Get found no pool.
func (p *Pools) whyNone() error {
	if p.table.Load().closed {
		return errClosed
	}
	return errNoShard
}

// Close closes all connections, leased ones too, and waits for the owner's goroutines.
func (p *Pools) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	pools := append(p.table.Swap(&table{closed: true}).order, p.retired...)
	p.retired = nil
	p.mu.Unlock()
	p.end()
	for _, pl := range pools {
		pl.retire(errRetired, true)
	}
	p.wg.Wait()
}

// Probe logs in to a server that is in no map yet, with the account of the map, and gives
// its version. A refusal is a *wire.Error.
func (p *Pools) Probe(ctx context.Context, address string) (version string, err error) {
	p.mu.Lock()
	d := p.dialer(address)
	p.mu.Unlock()
	err = d.once(ctx, func(l *login) error {
		version = l.version
		return nil
	})
	return version, err
}

// Dial logs in to a server that is no shard's primary (a replica, or one that is to be added),
// for somebody who looks at it. The connection is in no pool: Put closes it, and so does the
// end of the Pools.
func (p *Pools) Dial(ctx context.Context, shard, address string) (*Conn, error) {
	p.mu.Lock()
	pl := p.newPool(shard, p.dialer(address))
	p.mu.Unlock()
	pl.role = "replica"
	l, err := pl.dialer.dial(ctx, Class{})
	if err != nil {
		return nil, &Unavailable{Shard: shard, Err: err}
	}
	c := &Conn{Conn: l.conn, pool: pl, version: l.version, threadID: l.threadID, leased: true}
	pl.closed = true
	pl.all[c] = struct{}{}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		quit(l.conn)
		return nil, &Unavailable{Shard: shard, Err: errClosed}
	}
	p.retired = append(p.retired, pl)
	return c, nil
}

// once makes a short connection of its own and closes it.
func (d *dialer) once(ctx context.Context, f func(*login) error) error {
	l, err := d.dial(ctx, Class{})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	defer stop()
	if err := l.conn.SetDeadline(time.Now().Add(d.timeout)); err != nil {
		l.conn.Close()
		return err
	}
	if err := f(l); err != nil {
		l.conn.Close()
		return err
	}
	quit(l.conn)
	return nil
}

// Status lists all pools in the map's order.
func (p *Pools) Status() []Status {
	var all []Status
	for _, pl := range p.table.Load().order {
		all = append(all, pl.status())
	}
	return all
}

// register shows the pools in the metrics.
func (p *Pools) register() {
	gauge := func(name, help string, value func(Status) float64) {
		p.opts.Metrics.Collect(name, help, []string{"shard", "role"}, func() (samples []metrics.Sample) {
			for _, s := range p.Status() {
				samples = append(samples, metrics.Sample{Labels: []string{s.Shard, s.Role}, Value: value(s)})
			}
			return samples
		})
	}
	gauge("sluice_backend_up", "1 when the last login to the server worked.", func(s Status) float64 {
		if s.State == string(up) {
			return 1
		}
		return 0
	})
	gauge("sluice_backend_connections", "Connections to the server: leased, idle and being made.", func(s Status) float64 { return float64(s.Open) })
	gauge("sluice_backend_idle_connections", "Connections that nobody uses.", func(s Status) float64 { return float64(s.Idle) })
	gauge("sluice_backend_max_connections", "The limit of connections to the server.", func(s Status) float64 { return float64(s.Max) })
	gauge("sluice_backend_limit", "Statements that the server is given at once.", func(s Status) float64 { return float64(s.Limit) })
	p.opts.Metrics.Collect("sluice_backends_limit", "Statements that all servers together are given at once.", nil, func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(p.total.allows.Load())}}
	})
	gauge("sluice_backend_in_flight", "Connections that are at work.", func(s Status) float64 { return float64(s.Busy) })
	gauge("sluice_backend_refused", "Statements that got no connection in time, since the start.", func(s Status) float64 { return float64(s.Refused) })
	gauge("sluice_backend_severed", "Statements given up because the server hangs, since the start.", func(s Status) float64 { return float64(s.Severed) })
	gauge("sluice_backend_waiting", "Statements that wait for a connection.", func(s Status) float64 { return float64(s.Waiting) })
}
