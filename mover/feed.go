package mover

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/binlog"
	"sluice/shard"
)

// Bounds of what the stream may hold.
const (
	maxReady  = 50_000    // changed rows of ended transactions; the stream waits above
	maxOpen   = 2_000_000 // changed rows of one transaction, and of all pending branches
	maxXIDs   = 100_000   // pending branches
	wmTableID = -1
)

// changes are the keys of changed rows by table.
type changes struct {
	keys map[int]map[string]struct{}
	n    int
}

func (c *changes) add(table int, key string) {
	if c.keys == nil {
		c.keys = make(map[int]map[string]struct{})
	}
	m := c.keys[table]
	if m == nil {
		m = make(map[string]struct{})
		c.keys[table] = m
	}
	before := len(m)
	m[key] = struct{}{}
	c.n += len(m) - before
}

func (c *changes) merge(o *changes) {
	for table, keys := range o.keys {
		for key := range keys {
			c.add(table, key)
		}
	}
}

// branch is one that is prepared.
type branch struct {
	changes
	start  binlog.Position
	since  time.Time
	absent int // times that the server did not list it
}

// lost tells whether the server does not have a branch any more, of which the log does not
// say how it ended: a crash of Oracle MySQL can do that. Its rows have been read again, so
// that it does not matter how.
func (b *branch) lost() bool { return b.absent >= absences }

const (
	absences  = 2
	branchAge = 3 * time.Second // below, a branch may be in the log and not in the list yet
)

// batch is what is to be applied: everything that ended before pos.
type batch struct {
	changes
	pos  binlog.Position // where the stream is
	from binlog.Position // where it would have to begin again: before the oldest pending branch
	gtid string          // of the transaction that ends at from; "" if it is another
	seen int64           // the last watermark before pos
	xids []string        // branches with changed rows whose commit is in the log, and may not be visible yet
}

// feed gathers what the stream reads, for the one goroutine that applies it.
type feed struct {
	ctx    context.Context
	m      *Mover
	tables map[string]*table // by schema.name
	byID   []*table
	asked  map[string]*binlog.Table
	moving []bool // of slots

	mu       sync.Mutex
	open     changes // of the transaction that is being read
	openWM   int64   // of our own token
	openMark string
	branches map[string]*branch
	known    map[string]bool
	settled  string // branches of which nothing is known may end before this watermark; "" when it has come
	ready    batch
	inOpen   int           // changed rows of all branches
	room     chan struct{} // closed when ready was taken
	wake     chan struct{} // something is ready
	sent     map[int64]time.Time
	lag      time.Duration
}

func newFeed(ctx context.Context, m *Mover, st *state) *feed {
	f := &feed{ctx: ctx, m: m, tables: map[string]*table{}, asked: map[string]*binlog.Table{}, moving: make([]bool, shard.Slots),
		branches: map[string]*branch{}, known: map[string]bool{}, settled: st.WM, room: make(chan struct{}), wake: make(chan struct{}, 1), sent: map[int64]time.Time{}}
	for _, t := range m.tables {
		f.tables[t.String()] = t
		f.byID = append(f.byID, t)
		f.asked[t.String()] = t.wanted()
	}
	f.asked["_sluice.wm"] = &binlog.Table{ID: wmTableID, Columns: []binlog.Column{{Index: 0}, {Index: 1}, {Index: 2}, {Index: 3}}}
	for _, s := range m.opts.Slots {
		for slot := int(s.First); slot <= int(s.Last); slot++ {
			f.moving[slot] = true
		}
	}
	for _, xid := range st.Known {
		f.known[xid] = true
	}
	f.ready.pos, f.ready.from, f.ready.gtid = st.Resume, st.Resume, st.GTID
	return f
}

// lookup is the stream's question which tables matter.
func (f *feed) lookup(schema, name string) *binlog.Table { return f.asked[schema+"."+name] }

// Changed notes a row's keys.
func (f *feed) Changed(bt *binlog.Table, before, after binlog.Row) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if bt.ID == wmTableID {
		if after != nil && string(after[0]) == strconv.FormatInt(f.m.opts.ID, 10) && string(after[1]) == f.m.opts.Stream {
			token, _ := strconv.ParseInt(string(after[2]), 10, 64) // digits, by the columns' types
			n, _ := strconv.ParseInt(string(after[3]), 10, 64)
			if f.openMark = markName(token, n); token == f.m.opts.Token {
				f.openWM = n
			}
		}
		return nil
	}
	t := f.byID[bt.ID]
	if !f.moves(t, before) && !f.moves(t, after) {
		return nil
	}
	n := len(t.keyColumns())
	for _, image := range [2]binlog.Row{before, after} {
		if image != nil {
			f.open.add(t.id, packKey(image[:n]))
		}
	}
	if f.open.n+f.inOpen > maxOpen {
		return &Stopped{fmt.Sprintf("transactions at the source that have not ended have changed more than %d rows that move", maxOpen),
			"end them, or CANCEL and start again when there are none of that size"}
	}
	return nil
}

// moves tells whether a row is one of those that move.
func (f *feed) moves(t *table, row binlog.Row) bool {
	if row == nil {
		return false
	}
	if t.shard < 0 {
		return true
	}
	key := row[len(row)-1]
	if key == nil {
		return false // has no slot
	}
	if t.columns[t.shard].charset != "" {
		key = bytes.TrimRight(key, " ")
	}
	return f.moving[shard.SlotOf(key)]
}

// Statement looks whether a statement may have changed a moved table behind the rows.
func (f *feed) Statement(schema string, sql []byte) error {
	name := f.touches(schema, string(sql))
	if name == "" {
		return nil
	}
	return &Stopped{fmt.Sprintf("the table %s was changed by a statement at the shard %s: %s", name, f.m.opts.Source.Name, clip(string(sql))),
		"CANCEL and start again (schema changes wait until a migration is over)"}
}

// Ended ends a transaction.
func (f *feed) Ended(t binlog.Transaction) error {
	f.mu.Lock()
	woken := f.end(t)
	if err := f.bounded(t); err != nil {
		f.mu.Unlock()
		return err
	}
	full, room := f.ready.n >= maxReady, f.room
	f.mu.Unlock()
	if woken {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
	if full {
		select {
		case <-room:
		case <-f.ctx.Done():
			return context.Cause(f.ctx)
		}
	}
	return nil
}

// end is Ended under the lock; true: there is something to do.
func (f *feed) end(t binlog.Transaction) bool {
	open, wm, mark := f.open, f.openWM, f.openMark
	f.open, f.openWM, f.openMark = changes{}, 0, ""
	switch t.End {
	case binlog.Prepared:
		f.branches[t.XID] = &branch{changes: open, start: t.Start, since: time.Now()}
		f.inOpen += open.n
	case binlog.RolledBack:
		f.drop(t.XID)
	case binlog.Committed:
		f.ready.merge(&open)
		if mark != "" && mark == f.settled {
			f.settled = ""
		}
		if wm > f.ready.seen {
			f.ready.seen = wm
			if at, ok := f.sent[wm]; ok {
				f.lag = time.Since(at)
			}
			for n := range f.sent {
				if n <= wm {
					delete(f.sent, n)
				}
			}
		}
	case binlog.Finished:
		if b := f.branches[t.XID]; b != nil {
			if f.ready.merge(&b.changes); b.n > 0 {
				f.ready.xids = append(f.ready.xids, t.XID)
			}
		}
	}
	f.ready.pos = t.Next
	return wm > 0 || f.ready.n > 0
}

// bounded ends a branch that has finished, and says what may not be.
func (f *feed) bounded(t binlog.Transaction) error {
	if t.End == binlog.Finished {
		if f.branches[t.XID] == nil && !f.known[t.XID] && f.settled == "" {
			return &Stopped{fmt.Sprintf("the XA branch %s was committed at the shard %s, and its changes came before the stream's start", t.XID, f.m.opts.Source.Name), "CANCEL and start again"}
		}
		f.drop(t.XID)
	}
	if len(f.branches) > maxXIDs {
		return &Stopped{fmt.Sprintf("more than %d XA branches are prepared at the source and not finished", maxXIDs), "finish them (XA RECOVER), then RESUME"}
	}
	f.ready.from, f.ready.gtid = f.ready.pos, t.GTID
	for _, b := range f.branches {
		if !b.lost() && b.start.Before(f.ready.from) {
			f.ready.from, f.ready.gtid = b.start, ""
		}
	}
	return nil
}

func (f *feed) drop(xid string) {
	if b := f.branches[xid]; b != nil {
		f.inOpen -= b.n
		delete(f.branches, xid)
	}
	delete(f.known, xid)
}

// take gives what is ready, for good.
func (f *feed) take() batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.ready
	f.ready.changes, f.ready.xids = changes{}, nil
	close(f.room)
	f.room = make(chan struct{})
	return b
}

// pressing tells whether the copy should let changes be applied first.
func (f *feed) pressing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ready.n >= maxReady/5
}

// passed waits until the stream has brought a watermark, or is so full that it waits itself.
func (f *feed) passed(ctx context.Context, n int64) error {
	for {
		f.mu.Lock()
		done := f.ready.seen >= n || f.ready.n >= maxReady
		f.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// touched tells whether a row has changed and was not applied yet.
func (f *feed) touched(table int, key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, yes := f.ready.keys[table][key]
	return yes || f.ready.n >= maxReady // what follows is not known
}

// pending names the branches that have changed rows that move.
func (f *feed) pending() (xids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for xid, b := range f.branches {
		if b.n > 0 && !b.lost() {
			xids = append(xids, xid)
		}
	}
	return xids
}

// aged tells whether there are branches that should be asked for.
func (f *feed) aged() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.branches {
		if !b.lost() && time.Since(b.since) > branchAge {
			return true
		}
	}
	return false
}

// census compares the branches with those that the server had at a time, when the stream has
// brought everything of before. It gives the names of those that are lost.
func (f *feed) census(at time.Time, listed []string) (lost []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for xid, b := range f.branches {
		if b.lost() || at.Sub(b.since) < branchAge {
			continue
		}
		if slices.Contains(listed, xid) {
			b.absent = 0
			continue
		}
		if b.absent++; b.lost() {
			f.ready.merge(&b.changes)
			f.known[xid] = true
			lost = append(lost, xid)
		}
	}
	return lost
}

// notes adds to a state what the stream needs to begin again.
func (f *feed) notes(st *state, b *batch, mark string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	st.Resume, st.GTID, st.WM = b.from, b.gtid, mark
	st.Known = nil
	for xid := range f.known {
		st.Known = append(st.Known, xid)
	}
}

// words cuts a statement into what may be names: runs of letters, digits, _, $, bytes above
// ASCII, and whatever stands between backquotes.
func words(sql string) (all []string) {
	for i := 0; i < len(sql); {
		switch c := sql[i]; {
		case c == '`':
			end := strings.IndexByte(sql[i+1:], '`')
			if end < 0 {
				return all
			}
			all = append(all, sql[i+1:i+1+end])
			i += end + 2
		case isWord(c):
			j := i
			for j < len(sql) && isWord(sql[j]) {
				j++
			}
			all = append(all, sql[i:j])
			i = j
		default:
			i++
		}
	}
	return all
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// harmless are first words of statements that change no row and no table's definition.
var harmless = map[string]bool{"ANALYZE": true, "OPTIMIZE": true, "CHECK": true, "GRANT": true, "REVOKE": true, "FLUSH": true, "SET": true}

// tableObjects are what DDL is about that may change a table. objectOf knows the others too.
var tableObjects = map[string]bool{"TABLE": true, "TABLES": true, "INDEX": true, "TRIGGER": true, "DATABASE": true, "SCHEMA": true}

// objectOf says what a DDL statement is about: the first of these words, which comes before
// any name; "" if it is no such statement.
func objectOf(w []string) string {
	switch strings.ToUpper(w[0]) {
	case "CREATE", "ALTER", "DROP", "RENAME":
	default:
		return ""
	}
	definer := false // whose name may be any word
	for i, x := range w[1:min(len(w), 15)] {
		up := strings.ToUpper(x)
		if definer {
			definer = false
			continue
		}
		switch up {
		case "DEFINER": // = name, but for SQL SECURITY DEFINER
			definer = !strings.EqualFold(w[i], "SECURITY")
		case "VIEW", "PROCEDURE", "FUNCTION", "EVENT", "USER", "ROLE", "SERVER", "SEQUENCE", "PACKAGE":
			return up
		default:
			if tableObjects[up] {
				return up
			}
		}
	}
	return ""
}

// touches gives the moved table that a statement in the log may have changed, or "". It
// would rather name one too many: whatever mentions a table, but for the triggers of
// migrations and what is harmless.
func (f *feed) touches(schema, sql string) string {
	w := words(sql)
	if len(w) == 0 || harmless[strings.ToUpper(w[0])] {
		return ""
	}
	if object := objectOf(w); object != "" && !tableObjects[object] {
		return ""
	}
	mentioned := make(map[string]bool, len(w))
	temporary, trigger := false, false
	for i, x := range w {
		up := strings.ToUpper(x)
		if i < 8 { // CREATE OR REPLACE DEFINER = a@b TRIGGER
			temporary = temporary || up == "TEMPORARY"
			trigger = trigger || up == "TRIGGER"
		}
		if trigger && strings.HasPrefix(x, "_sluice_") {
			return ""
		}
		mentioned[strings.ToLower(x)] = true
	}
	if temporary {
		return ""
	}
	first := strings.ToUpper(w[0])
	wholeSchema := first == "DROP" && (mentioned["database"] || mentioned["schema"])
	for _, t := range f.byID {
		here := mentioned[strings.ToLower(t.Schema)]
		if (here || strings.EqualFold(schema, t.Schema)) && mentioned[strings.ToLower(t.Name)] || here && wholeSchema {
			return t.String()
		}
	}
	return ""
}
