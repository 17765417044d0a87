package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/shard"
)

// The traffic that must notice nothing while slots move: every client knows what it was told
// and what must therefore be there, and looks for it all the time. proof_check_test.go
// compares the shards with what all of them know.
const proofSchema = `
  schemas:
    - name: shop
      default_shard: s0
      tables:
        journal:  {shard_key: user_id}
        counters: {shard_key: user_id}
        purses:   {shard_key: user_id}
        flags:    {shard_key: user_id}
        things:   {shard_key: user_id}
        rates:    {kind: reference}
    - name: plain
      default_shard: s1
`

var proofTables = []string{
	// Appended to, one row a statement.
	`CREATE TABLE journal (user_id BIGINT NOT NULL, seq BIGINT NOT NULL, writer INT NOT NULL, PRIMARY KEY (user_id, seq), KEY (writer))`,
	// Incremented by everybody.
	`CREATE TABLE counters (user_id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)`,
	// Transferred between; their number and their sum stay.
	`CREATE TABLE purses (user_id BIGINT NOT NULL PRIMARY KEY, amount BIGINT NOT NULL)`,
	// Incremented all at once.
	`CREATE TABLE flags (user_id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)`,
	// Churned, with a unique key and every type. What a row holds follows from v.
	`CREATE TABLE things (user_id BIGINT NOT NULL, id INT NOT NULL, code VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, v BIGINT NOT NULL,
		t TINYINT, u BIGINT UNSIGNED, de DECIMAL(30,10), f FLOAT, d DOUBLE, b BIT(10), j JSON, bl BLOB, e ENUM('a','ü','c,d'), s SET('x','y','z'),
		dt DATETIME(6), ts TIMESTAMP(6) NULL DEFAULT NULL, da DATE, ti TIME(3), y YEAR, vb VARBINARY(20), ch CHAR(10), te TEXT,
		PRIMARY KEY (user_id, id), UNIQUE KEY (user_id, code)) CHARACTER SET utf8mb4`,
	`CREATE TABLE rates (code CHAR(3) NOT NULL PRIMARY KEY, rate DECIMAL(10,4) NOT NULL)`,
}

// thing gives the literals of a row of things with version v; code is not among them.
func thing(v int64) string {
	r := rand.New(rand.NewPCG(uint64(v), 7))
	null := func(s string) string {
		if r.IntN(9) == 0 {
			return "NULL"
		}
		return s
	}
	pick := func(list ...string) string { return null(list[r.IntN(len(list))]) }
	return strings.Join([]string{fmt.Sprint(v),
		null(fmt.Sprint(r.IntN(256) - 128)), null(fmt.Sprint(r.Uint64())), null(fmt.Sprintf("-%d.%010d", r.Int64N(1e15), r.Int64N(1e10))),
		pick("0.1", "16777217", "-1.17549e-38", "3.4e38", fmt.Sprint(r.Float32())), pick("0.1", "-0.0", "1e308", "2.2250738585072014e-308", fmt.Sprint(r.NormFloat64())),
		null(fmt.Sprintf("b'%010b'", r.IntN(1024))), pick(`'{"a": [1, 2.5, null], "ü": "\\"x"}'`, `'[]'`, `'"é"'`), pick("x'00ff27225c0a'", "''", fmt.Sprintf("x'%016x'", r.Uint64())),
		pick("'a'", "'ü'", "'c,d'"), pick("''", "'x,z'", "'y'"), pick("'1000-01-01 00:00:00.000001'", "'9999-12-31 23:59:59.999999'", "'2024-02-29 12:00:00.5'"),
		pick("'2024-10-27 02:30:00.123456'", "'1971-01-01 00:00:01'"), pick("'0001-01-01'", "'2026-11-30'"), pick("'-838:59:59.000'", "'00:00:00.001'"), pick("1901", "2155"),
		pick("x'0000'", "x'20'", "''"), pick("'ab '", "'  x'", "''"), pick("'😀 ß'", "'a\\nb\\0c'", "''")}, ", ")
}

const thingColumns = "v, t, u, de, f, d, b, j, bl, e, s, dt, ts, da, ti, y, vb, ch, te"

const (
	proofUsers = 120
	purse      = 1000
)

// key is a row that one client alone writes.
type key struct {
	user int
	id   int64
}

// content is what a row of things must hold: nothing, or a code and a version.
type content struct {
	code string
	v    int64
}

// mayBe are what may be there: one, or more when the client was not told.
type mayBe []content

// sample is one write as its client saw it.
type sample struct {
	began time.Time
	took  time.Duration
	slot  uint16
}

type traffic struct {
	t      *testing.T
	c      *cluster
	strict bool          // no error but 1213 and 1205 in transactions
	pace   time.Duration // between two statements of a client
	stop   context.CancelFunc
	wg     sync.WaitGroup
	gate   sync.RWMutex // held for reading by a client that is at work

	mu          sync.Mutex
	lines       map[key]told
	writers     map[int]*tally // lines, by writer
	counts      [proofUsers + 1]tally
	flags       tally
	things      map[key]mayBe
	errors      map[string]int
	bad         []string
	samples     []sample
	done        int // statements and transactions
	transferred int
}

type told uint8

const (
	there told = iota
	notThere
	either
)

// tally counts what was acknowledged, and what may have happened besides.
type tally struct{ sure, perhaps int64 }

// newTraffic makes the tables, through the proxy, and their first rows.
func newTraffic(t *testing.T, c *cluster) *traffic {
	t.Helper()
	tr := &traffic{t: t, c: c, strict: true, pace: 5 * time.Millisecond, lines: map[key]told{}, writers: map[int]*tally{},
		things: map[key]mayBe{}, errors: map[string]int{}}
	db := c.open("shop")
	must(t, db, proofTables...)
	var n, p []string
	for u := 1; u <= proofUsers; u++ {
		n, p = append(n, fmt.Sprintf("(%d, 0)", u)), append(p, fmt.Sprintf("(%d, %d)", u, purse))
	}
	must(t, db, "INSERT INTO counters VALUES "+strings.Join(n, ","), "INSERT INTO flags VALUES "+strings.Join(n, ","),
		"INSERT INTO purses VALUES "+strings.Join(p, ","), "INSERT INTO rates VALUES ('EUR', 1), ('GBP', 0.86)")
	return tr
}

// run starts the clients, n of each kind at each proxy; end stops them.
func (tr *traffic) run(n int) {
	ctx, stop := context.WithCancel(context.Background())
	tr.stop = stop
	kinds := []func(*client) error{(*client).append, (*client).count, (*client).transfer, (*client).churn, (*client).scatter}
	for pi, p := range tr.c.px {
		for i := range n * len(kinds) {
			c := &client{traffic: tr, id: pi*100 + i, kind: i % len(kinds), rand: rand.New(rand.NewPCG(uint64(pi), uint64(i)))}
			opts := []func(*mysql.Config){func(cfg *mysql.Config) { cfg.ReadTimeout, cfg.Logger = 60*time.Second, &mysql.NopLogger{} }}
			if c.text = (pi+i/len(kinds))%2 == 0; c.text {
				opts = append(opts, interpolated)
			}
			c.db = p.open("shop", opts...)
			c.db.SetMaxOpenConns(1)
			other := tr.c.px[(pi+1)%len(tr.c.px)]
			c.other = other.open("shop", opts...)
			c.other.SetMaxOpenConns(1)
			tr.mu.Lock()
			tr.writers[c.id] = &tally{}
			tr.mu.Unlock()
			tr.wg.Go(func() {
				for ctx.Err() == nil {
					tr.gate.RLock()
					err := kinds[c.kind](c)
					tr.gate.RUnlock()
					if err != nil && !tr.strict && !p.Running() {
						time.Sleep(20 * time.Millisecond) // until the proxy is back, or the test ends
					}
					time.Sleep(tr.pace)
				}
			})
		}
	}
	tr.t.Cleanup(tr.end)
}

func (tr *traffic) end() {
	if tr.stop != nil {
		tr.stop()
		tr.wg.Wait()
		tr.stop = nil
	}
}

// wrong notes a broken promise.
func (tr *traffic) wrong(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.bad) < 30 {
		tr.bad = append(tr.bad, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// client is one connection to one proxy, and one to another for looking at what it wrote.
type client struct {
	*traffic
	id, kind  int
	text      bool
	db, other *sql.DB
	rand      *rand.Rand
	seq       int64
	version   int64
}

// told says what an error means for the statement: was it carried out?
func (tr *traffic) told(err error, inTransaction bool, what string) told {
	if err == nil {
		return there
	}
	o := either
	text := ports.ReplaceAllString(err.Error(), "…")
	allowed := false
	if me := (*mysql.MySQLError)(nil); errors.As(err, &me) {
		text = fmt.Sprintf("%d (%s) %.150s", me.Number, me.SQLState, ports.ReplaceAllString(me.Message, "…"))
		if me.Number == 1213 || me.Number == 1205 || me.Number == shard.FenceCode {
			o = notThere
			allowed = inTransaction && me.Number != shard.FenceCode || me.Number == 1205 && !soak() || // in a soak the machine is the proof's alone
				me.Number == 1213 && !strings.Contains(me.Message, "sluice") // the server's own: two REPLACEs on one server
		}
	}
	where := "autocommit"
	if inTransaction {
		where = "transaction"
	}
	tr.mu.Lock()
	tr.errors[where+" "+what+": "+text]++
	tr.mu.Unlock()
	if tr.strict && !allowed {
		tr.wrong("%s %s failed: %s", where, what, text)
	}
	return o
}

// timed runs an autocommit write of one user and notes how long it took.
func (c *client) timed(user int, query string, args ...any) (sql.Result, error) {
	began := time.Now()
	r, err := c.db.ExecContext(context.Background(), query, args...)
	s := sample{began, time.Since(began), shard.SlotOfInt(int64(user))}
	c.mu.Lock()
	c.samples, c.done = append(c.samples, s), c.done+1
	c.mu.Unlock()
	return r, err
}

// look reads one number through the other proxy. A read that fails tells nothing.
func (c *client) look(db *sql.DB, query string, args ...any) (n int64, ok bool) {
	err := db.QueryRowContext(context.Background(), query, args...).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return -1, true
	}
	return n, c.told(err, false, "read") == there
}

func (c *client) user() int { return 1 + c.rand.IntN(proofUsers) }

// append writes a line, and looks whether it is there, alone and among the client's own.
func (c *client) append() error {
	c.seq++
	user, k := c.user(), key{}
	k = key{user, int64(c.id)<<32 | c.seq}
	_, err := c.timed(user, "INSERT INTO journal (user_id, seq, writer) VALUES (?, ?, ?)", k.user, k.id, c.id)
	o := c.told(err, false, "INSERT of a line")
	c.mu.Lock()
	c.lines[k] = o
	mine := c.writers[c.id]
	switch o {
	case there:
		mine.sure++
	case either:
		mine.perhaps++
	}
	sure, perhaps := mine.sure, mine.perhaps
	c.mu.Unlock()
	if o == there && c.rand.IntN(4) == 0 {
		if n, ok := c.look(c.other, "SELECT COUNT(*) FROM journal WHERE user_id = ? AND seq = ?", k.user, k.id); ok && n != 1 {
			c.wrong("line %v was acknowledged, and %d are there", k, n)
		}
	}
	if c.rand.IntN(30) == 0 {
		if n, ok := c.look(c.other, "SELECT COUNT(*) FROM journal WHERE writer = ?", c.id); ok && (n < sure || n > sure+perhaps) {
			c.wrong("writer %d wrote %d lines (perhaps %d more), a scatter read counts %d", c.id, sure, perhaps, n)
		}
	}
	return err
}

// count increments a counter of all, which must show at least what was acknowledged before.
func (c *client) count() error {
	user := c.user()
	r, err := c.timed(user, "UPDATE counters SET n = n + 1 WHERE user_id = ?", user)
	o := c.told(err, false, "increment")
	if err == nil {
		if n, _ := r.RowsAffected(); n != 1 {
			c.wrong("an increment of counter %d changed %d rows", user, n)
		}
	}
	c.mu.Lock()
	switch o {
	case there:
		c.counts[user].sure++
	case either:
		c.counts[user].perhaps++
	}
	sure := c.counts[user].sure
	c.mu.Unlock()
	if n, ok := c.look(c.other, "SELECT n FROM counters WHERE user_id = ?", user); ok && n < sure {
		c.wrong("counter %d: %d increments were acknowledged before the read, which shows %d", user, sure, n)
	}
	return err
}

// transfer moves money between two purses, mostly of different shards.
func (c *client) transfer() error {
	from, to := c.user(), c.user()
	if from == to {
		to = from%proofUsers + 1
	}
	tx, err := c.db.BeginTx(context.Background(), nil)
	if err != nil {
		c.told(err, true, "BEGIN")
		return err
	}
	amount := 1 + c.rand.IntN(9)
	if c.rand.IntN(4) == 0 { // a snapshot first, of any shard
		var n int64
		if err := tx.QueryRow("SELECT amount FROM purses WHERE user_id = ?", c.user()).Scan(&n); err != nil {
			c.told(err, true, "SELECT of a purse")
			_ = tx.Rollback()
			return err
		}
	}
	for _, x := range []struct{ user, by int }{{from, -amount}, {to, amount}} {
		r, err := tx.Exec("UPDATE purses SET amount = amount + ? WHERE user_id = ?", x.by, x.user)
		if err != nil {
			c.told(err, true, "UPDATE of a purse")
			_ = tx.Rollback()
			return err
		}
		if n, _ := r.RowsAffected(); n != 1 {
			c.wrong("an UPDATE of purse %d changed %d rows", x.user, n)
		}
	}
	if c.rand.IntN(8) == 0 {
		time.Sleep(time.Duration(c.rand.IntN(120)) * time.Millisecond) // an application that thinks
	}
	err = tx.Commit()
	c.told(err, true, "COMMIT of a transfer")
	c.mu.Lock()
	c.done++
	if err == nil {
		c.transferred++
	}
	c.mu.Unlock()
	return err
}

// scatter reads and writes all shards: every user is there exactly once.
func (c *client) scatter() error {
	switch c.rand.IntN(4) {
	case 0:
		got, err := tryRows(c.db, "SELECT user_id FROM purses ORDER BY user_id")
		if c.told(err, false, "scatter read") != there {
			return err
		}
		if want := everyUser(); !slices.Equal(got, want) {
			c.wrong("SELECT user_id FROM purses ORDER BY user_id gave %d rows, want 1 to %d once each: %s", len(got), proofUsers, difference(got, want))
		}
	case 1:
		if n, ok := c.look(c.db, "SELECT COUNT(*) FROM counters JOIN flags USING (user_id)"); ok && n != proofUsers {
			c.wrong("a scatter join counts %d, want %d", n, proofUsers)
		}
	case 2:
		if n, ok := c.look(c.db, "SELECT COUNT(DISTINCT user_id) * 1000 + COUNT(*) FROM purses WHERE amount > -1000000"); ok && n != proofUsers*1001 {
			c.wrong("COUNT(DISTINCT user_id) * 1000 + COUNT(*) is %d, want %d", n, proofUsers*1001)
		}
	default:
		if c.id != 4 || c.rand.IntN(4) != 0 { // one in all: two wait for each other
			return nil
		}
		r, err := c.db.Exec("UPDATE flags SET n = n + 1")
		o := c.told(err, true, "scatter write")
		c.mu.Lock()
		switch o {
		case there:
			c.flags.sure++
		case either:
			c.flags.perhaps++
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
		if n, _ := r.RowsAffected(); n != proofUsers {
			c.wrong("UPDATE flags changed %d rows, want %d", n, proofUsers)
		}
	}
	c.mu.Lock()
	c.done++
	c.mu.Unlock()
	return nil
}

var everyUser = sync.OnceValue(func() (list []string) {
	for u := 1; u <= proofUsers; u++ {
		list = append(list, fmt.Sprint(u))
	}
	return list
})

func difference(got, want []string) string {
	count := map[string]int{}
	for _, g := range got {
		count[g]++
	}
	for _, w := range want {
		count[w]--
	}
	var out []string
	for k, n := range count {
		if n != 0 && len(out) < 8 {
			out = append(out, fmt.Sprintf("%s: %+d", k, n))
		}
	}
	return strings.Join(out, ", ")
}
