package txn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/backend"
	"sluice/internal/fault"
	"sluice/wire"
)

// The table of decisions, on every shard. A row says that the transaction was committed
// ("commit", in the very transaction of the coordinator that it belongs to; "recovered" when
// another proxy than its own has finished it, so that its own may still ask), or that it
// can never be ("abort").
const (
	createSchema = "CREATE DATABASE IF NOT EXISTS _sluice"
	createTable  = "CREATE TABLE IF NOT EXISTS _sluice.decisions (gtrid VARBINARY(64) NOT NULL PRIMARY KEY, " +
		"decision ENUM('commit','abort','recovered') NOT NULL) ENGINE=InnoDB"
)

// Bounds of the steps of a transaction.
const (
	answerTime  = 5 * time.Second // without an answer; then the server is asked whether it works at it
	probeTime   = 2 * time.Second // to ask that
	finishTime  = 2 * time.Second // to commit the prepared branches: the client waits for it
	resolveTime = 2 * time.Second // to find an unknown outcome out: so does it
)

// tooOld is when a proxy that was stopped gives up a transaction that it has not decided:
// far below what an abort marker is kept for.
const tooOld = time.Minute

// Topology is what the transactions of a cluster need to know.
type Topology interface {
	Process() string
	Processes(ctx context.Context) ([]string, error)
	Cluster(ctx context.Context) (string, error)
	Claim(ctx context.Context, work string) (bool, error)
}

// Decisions is what the transactions over several shards of one proxy share: names that
// nothing else has, the tables of decisions, and what became of those that were cut short.
// Safe for concurrent use.
type Decisions struct {
	opts    Options
	cluster atomic.Pointer[string]
	number  atomic.Uint64

	mu    sync.Mutex
	ready map[string]bool     // shards whose table is there
	left  map[string]leftover // by gtrid: transactions of this proxy with branches that it could not finish
	wake  chan struct{}       // one slot: there are some

	lookout *lookout

	recovered, rolledBack, unknown atomic.Uint64
}

// Options says what Decisions stands on.
type Options struct {
	Topology Topology
	Shards   Shards
	Log      Logger
	Faults   *fault.Points // nil: none
	// Late is called around the end of branches that commit after their clients were answered. nil: nothing has to know.
	Late func(finish func() error) error
}

// Shards gives connections to the primaries.
type Shards interface {
	Get(ctx context.Context, shard string, class backend.Class, schema string, s *backend.Settings) (*backend.Conn, error)
	Status() []backend.Status
}

// Logger is the part of *slog.Logger that is needed.
type Logger interface {
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

// leftover is a transaction that its proxy has left with prepared branches. The decision
// is made, except where it is unknown.
type leftover struct {
	decision decision
	shards   []string // coordinator first
}

// decision is the fate of a transaction.
type decision uint8

const (
	undecided decision = iota
	committed
	aborted
)

func (d decision) String() string { return [...]string{"undecided", "commit", "abort"}[d] }

// NewDecisions makes the shared part; Run does its standing work.
func NewDecisions(opts Options) *Decisions {
	d := &Decisions{opts: opts, ready: map[string]bool{}, left: map[string]leftover{}, wake: make(chan struct{}, 1)}
	d.lookout = newLookout(d)
	return d
}

// MissingRight says that Sluice's account may not do on a shard what transactions over
// several shards need.
type MissingRight struct {
	Shard  string
	Grants []string // what a DBA has to run there
	Err    error
}

func (e *MissingRight) Error() string {
	return fmt.Sprintf("transactions over several shards need rights on shard %s that Sluice's account lacks (%v); run there: %s",
		e.Shard, e.Err, strings.Join(e.Grants, "; "))
}

func (e *MissingRight) Unwrap() error { return e.Err }

// name gives a new transaction its name. The coordinator is the connection that decides.
func (d *Decisions) name(ctx context.Context, coordinator *backend.Conn) (string, error) {
	if d.cluster.Load() == nil {
		coordinator.Leave()
	}
	cluster, err := d.clusterID(ctx)
	if err != nil {
		return "", err
	}
	x := xid{cluster: cluster, started: time.Now(), process: d.opts.Topology.Process(), number: d.number.Add(1),
		coordinator: shardID(coordinator.Shard()), thread: coordinator.ThreadID()}
	return x.String(), nil
}

func (d *Decisions) clusterID(ctx context.Context) (string, error) {
	if id := d.cluster.Load(); id != nil {
		return *id, nil
	}
	id, err := d.opts.Topology.Cluster(ctx)
	if err != nil {
		return "", err
	}
	d.cluster.Store(&id)
	return id, nil
}

// Ready makes the table of decisions on a shard, unless it is known to be there, and
// checks that Sluice's account has the rights. The error is *MissingRight or that of the
// connection.
func (d *Decisions) Ready(ctx context.Context, shard string) error {
	if d.isReady(shard) {
		return nil
	}
	return d.on(ctx, shard, func(c *backend.Conn) error { return d.makeTable(c, shard) })
}

func (d *Decisions) isReady(shard string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ready[shard]
}

// unready has the table looked for again.
func (d *Decisions) unready(shard string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.ready, shard)
}

// makeTable makes the table unless it is known to be there. It looks first: the right to
// make the schema is not needed where it is there.
func (d *Decisions) makeTable(c *backend.Conn, shard string) error {
	if d.isReady(shard) {
		return nil
	}
	const probe = "SELECT 1 FROM _sluice.decisions LIMIT 0"
	_, err := c.Exec(probe)
	if wire.IsCode(err, 1049, 1146) { // unknown database, table
		if _, err = c.Exec(createSchema); err == nil || wire.IsCode(err, 1044) {
			_, err = c.Exec(createTable)
		}
		if err == nil {
			_, err = c.Exec(probe)
		}
	}
	if err == nil {
		// The rights to write are checked without writing: no row has this name.
		_, err = c.Exec("DELETE FROM _sluice.decisions WHERE gtrid = ''")
	}
	if err == nil {
		err = markRecovered(c, "")
	}
	if err == nil {
		_, err = c.Exec("INSERT INTO _sluice.decisions (gtrid, decision) SELECT '', 'abort' FROM DUAL WHERE 1 = 0")
	}
	if err == nil {
		_, _, err = c.Query("XA RECOVER")
	}
	if err != nil {
		return rights(c, shard, err)
	}
	d.mu.Lock()
	d.ready[shard] = true
	d.mu.Unlock()
	return nil
}

// rights adds to a server's refusal what would mend it.
func rights(c *backend.Conn, shard string, err error) error {
	var we *wire.Error
	if !errors.As(err, &we) {
		return err
	}
	switch we.Code {
	case 1044, 1142, 1143, 1227, 1401, 1049, 1146: // refused; MySQL's XA RECOVER says 1401
	default:
		return err
	}
	account := "the account of cluster.backend"
	if _, rows, e := c.Query("SELECT CURRENT_USER()"); e == nil && len(rows) == 1 && len(rows[0]) == 1 {
		if user, host, ok := strings.Cut(string(rows[0][0]), "@"); ok {
			account = "'" + strings.ReplaceAll(user, "'", "''") + "'@'" + host + "'"
		}
	}
	g := []string{"GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON `\\_sluice`.* TO " + account}
	if !strings.Contains(c.ServerVersion(), "MariaDB") {
		g = append(g, "GRANT XA_RECOVER_ADMIN ON *.* TO "+account)
	}
	return &MissingRight{Shard: shard, Grants: g, Err: err}
}

// isLeft tells whether this proxy still has to finish a transaction.
func (d *Decisions) isLeft(gtrid string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.left[gtrid]
	return ok
}

// impatient are the settings of the connections that look after other transactions: a lock
// that is held tells them what they want to know.
var impatient = &backend.Settings{Key: "txn.impatient", Set: "SET innodb_lock_wait_timeout = 1"}

// on runs f with a connection of its own.
func (d *Decisions) on(ctx context.Context, shard string, f func(*backend.Conn) error) error {
	c, err := d.opts.Shards.Get(ctx, shard, backend.Class{}, "", impatient)
	if err != nil {
		return err
	}
	limit, ok := ctx.Deadline()
	if !ok {
		limit = time.Now().Add(lookTime)
	}
	if err = c.SetDeadline(limit); err == nil {
		err = f(c)
	}
	if err == nil || inOrder(err) {
		c.Put()
	} else {
		c.Close()
	}
	return err
}

// inOrder tells whether the connection that gave err is between two commands.
func inOrder(err error) bool {
	var we *wire.Error
	var missing *MissingRight
	return errors.As(err, &we) || errors.As(err, &missing)
}

// leave hands a transaction over to Run, because some of its branches may be prepared.
func (d *Decisions) leave(gtrid string, dec decision, shards []string) {
	const most = 100_000 // more are found by the look at all shards
	d.mu.Lock()
	if len(d.left) < most {
		d.left[gtrid] = leftover{decision: dec, shards: shards}
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
