package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/topo"
)

// moving is a cluster whose slots 0-4095 move between s0 and s1, by hand: what a migration does
// to the map and to the rows is done by the test.
type moving struct {
	*cluster
	t       *testing.T
	store   *topo.Store
	attempt int64
}

const movedSlots = "MOD(CRC32(user_id), 16384) BETWEEN 0 AND 4095"

func startMoving(t *testing.T, flavor testkit.Flavor, proxies int) (*moving, *testkit.Store) {
	t.Helper()
	etcd := testkit.Etcd(t)
	m := &moving{t: t, cluster: start(t, setup{flavor: flavor, own: true, shards: 2, etcd: etcd.Addr})}
	for range proxies - 1 {
		m.addProxy()
	}
	t.Cleanup(func() {
		for _, p := range m.px {
			for _, word := range []string{"DATA RACE", "panic"} {
				if i := strings.Index(p.Log(), word); i >= 0 {
					t.Errorf("a proxy's log: %.3000s", p.Log()[i:])
				}
			}
		}
	})
	create(t, m.open("shop"))
	users(t, m.open("shop"), 300)
	m.store = hand(t, etcd.Addr)
	m.change(func(s *shard.Spec) {
		s.Moves = []shard.Move{{ID: 5, Slots: []shard.Span{{First: 0, Last: 4095}}, Source: "s0", Target: "s1"}}
	})
	m.acknowledged(0)
	return m, etcd
}

func (m *moving) change(f func(*shard.Spec)) *shard.Map {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	now, err := m.store.Update(ctx, func(s *shard.Spec) error { f(s); return nil })
	if err != nil {
		m.t.Fatal(err)
	}
	return now
}

// freeze makes statements on the slots wait, in a new attempt.
func (m *moving) freeze() {
	m.t.Helper()
	m.attempt++
	m.change(func(s *shard.Spec) { s.Moves[0].Frozen, s.Moves[0].Attempt = true, m.attempt })
}

func (m *moving) thaw() {
	m.t.Helper()
	m.change(func(s *shard.Spec) { s.Moves[0].Frozen = false })
}

// give makes a shard the owner, which ends the freezing.
func (m *moving) give(to string) {
	m.t.Helper()
	m.change(func(s *shard.Spec) {
		s.Moves[0].Frozen = false
		s.Ranges = []shard.Range{{First: 0, Last: 4095, Shard: to}, {First: 4096, Last: 8191, Shard: "s0"}, {First: 8192, Last: shard.Slots - 1, Shard: "s1"}}
	})
}

// acked tells whether all proxies have acknowledged an attempt.
func (m *moving) acked(attempt int64) bool {
	m.t.Helper()
	list, err := m.store.Proxies(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	n := 0
	for _, p := range list {
		if slices.ContainsFunc(p.Acks, func(a topo.Ack) bool { return a.Move == 5 && a.Attempt == attempt }) {
			n++
		}
	}
	return n == len(m.px)
}

func (m *moving) acknowledged(attempt int64) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("all proxies acknowledge attempt %d", attempt), func() bool { return m.acked(attempt) })
}

// carry copies the rows of the slots from one shard to the other.
func (m *moving) carry(from, to int, tables ...string) {
	m.t.Helper()
	for _, table := range tables {
		var values []string
		for _, row := range m.servers[from].Query("SELECT * FROM shop." + table + " WHERE " + movedSlots) {
			values = append(values, "('"+strings.Join(row, "','")+"')")
		}
		m.servers[to].Exec("DELETE FROM shop."+table+" WHERE "+movedSlots, "INSERT INTO shop."+table+" VALUES "+strings.Join(values, ","))
	}
}

// key gives a user whose slot moves, or does not and is on the shard.
func (m *moving) key(moves bool, at int) int {
	m.t.Helper()
	where := "NOT " + movedSlots
	if moves {
		where = movedSlots
	}
	var id int
	fmt.Sscan(m.servers[at].Value("SELECT MIN(user_id) FROM shop.users WHERE "+where), &id)
	if id == 0 {
		m.t.Fatal("no such user")
	}
	return id
}

// held is the number of statements that wait.
func (p *px) held() (n int) {
	p.t.Helper()
	body, _, err := get(context.Background(), "http://"+p.http+"/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.SplitSeq(body, "\n") {
		if rest, ok := strings.CutPrefix(line, "sluice_held_statements "); ok {
			fmt.Sscan(rest, &n)
		}
	}
	return n
}

// later runs a query and gives its error when it has ended.
func later(db *sql.DB, query string, args ...any) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := tryRows(db, query, args...)
		done <- err
	}()
	return done
}

// wait gives those who do not wait the time to be found out; most of them are.
func waits(t *testing.T, all map[string]<-chan error) {
	t.Helper()
	time.Sleep(100 * time.Millisecond)
	for what, done := range all {
		select {
		case err := <-done:
			t.Fatalf("%s did not wait: %v", what, err)
		default:
		}
	}
}

func number(err error) uint16 {
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		return me.Number
	}
	return 0
}

// TestHeldWhileFrozen: what touches frozen slots waits, and runs where its rows are then.
func TestHeldWhileFrozen(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel()
		m, _ := startMoving(t, flavor, 2)
		mine, theirs := m.key(true, 0), m.key(false, 1)
		text, binary := m.px[1].open("shop", interpolated), m.px[0].open("shop")
		cursor := m.openCursor(t, mine)
		m.freeze()
		m.acknowledged(m.attempt)
		held := map[string]<-chan error{}
		others := m.holdOthers(t, mine, theirs, held)
		for name, db := range map[string]*sql.DB{"text": text, "binary": binary} {
			held[name+" read"] = later(db, "SELECT name FROM users WHERE user_id = ?", mine)
			held[name+" write"] = later(db, "UPDATE users SET name = CONCAT(name, '+') WHERE user_id = ?", mine)
			held[name+" scatter"] = later(db, "SELECT COUNT(*) FROM users")
			held[name+" merge"] = later(db, "SELECT name FROM users ORDER BY name LIMIT 3")
			held[name+" gather"] = later(db, "SELECT name FROM users UNION SELECT country FROM users")
		}
		held["split insert"] = later(text, fmt.Sprintf("INSERT INTO users VALUES (%d, 'n', 'e', 'xx'), (%d, 'n', 'e', 'xx') ON DUPLICATE KEY UPDATE email = 'twice'", mine, theirs))
		waits(t, held)
		expect(t, text, fmt.Sprintf("SELECT COUNT(*) FROM users WHERE user_id = %d", theirs), "1")
		m.carry(0, 1, "users")
		m.give("s1")
		slow, went := 0, map[string]bool{}
		for name, done := range held {
			err := <-done
			went[name] = err == nil
			switch {
			case number(err) == 1205 && name != "split insert": // the test itself took too long to switch
				slow++
			case err != nil:
				t.Errorf("%s: %v", name, err)
			}
		}
		if slow == len(held)-1 {
			t.Error("nobody was let go")
		}
		cursor.check(t)
		others(went)
		expect(t, binary, "SELECT COUNT(*) FROM users", "300")
		expect(t, text, fmt.Sprintf("SELECT email, name LIKE '%%++' FROM users WHERE user_id = %d", mine), "twice\t1")
		if got := m.servers[1].Value(fmt.Sprintf("SELECT email FROM shop.users WHERE user_id = %d", mine)); got != "twice" {
			t.Errorf("the target has %q", got)
		}
		if got := m.servers[0].Value(fmt.Sprintf("SELECT email FROM shop.users WHERE user_id = %d", mine)); got == "twice" {
			t.Error("the source was written after the switch")
		}
		// Nobody thaws: who waits is told to try again, and nothing was done.
		m.freeze()
		m.acknowledged(m.attempt)
		_, err := text.Exec("UPDATE users SET name = 'never' WHERE user_id = ?", mine)
		checkError(t, "a write that waits for too long", err, 1205, "migration 5")
		c, err := text.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		id := rows(t, c, "SELECT CONNECTION_ID()")[0]
		eventually(t, "a statement is killed while it waits", func() bool {
			killed := make(chan error, 1)
			go func() {
				_, err := c.ExecContext(context.Background(), fmt.Sprintf("UPDATE users SET name = 'never' WHERE user_id = %d", mine))
				killed <- err
			}()
			for m.px[1].held() == 0 && len(killed) == 0 {
				time.Sleep(time.Millisecond)
			}
			must(t, text, "KILL QUERY "+id)
			return number(<-killed) == 1317 // else its second was over
		})
		m.thaw()
		expect(t, binary, "SELECT COUNT(*) FROM users WHERE name = 'never'", "0")
	})
}

// TestTransactionsWhileFrozen: transactions that touched frozen slots end, by 1213 if need be;
// others go on.
func TestTransactionsWhileFrozen(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel()
		m, _ := startMoving(t, flavor, 1)
		mine, theirs := m.key(true, 0), m.key(false, 1)
		db := m.open("shop", interpolated)
		ctx := context.Background()
		begin := func(statements ...string) *sql.Conn {
			t.Helper()
			c, err := db.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			for _, s := range append([]string{"BEGIN"}, statements...) {
				if _, err := c.ExecContext(ctx, s); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
			return c
		}
		write := func(id int) string { return fmt.Sprintf("UPDATE users SET name = 'tx' WHERE user_id = %d", id) }
		read := func(id int) string { return fmt.Sprintf("SELECT name FROM users WHERE user_id = %d", id) }
		wrote, commits, rolls := begin(write(mine), write(theirs)), begin(read(mine)), begin(read(mine))
		scattered := begin("SELECT COUNT(*) FROM users")
		locked := begin("SELECT 1 FROM users WHERE user_id = " + m.servers[0].Value("SELECT MAX(user_id) FROM shop.users WHERE "+movedSlots) + " FOR UPDATE")
		chained := begin(read(mine), "COMMIT AND CHAIN", read(theirs))
		elsewhere, fresh, wroteElsewhere, readElsewhere := begin(read(theirs)), begin(), begin(write(m.key(false, 0))), begin(read(theirs))
		m.freeze()
		m.acknowledged(m.attempt) // idle transactions are not waited for
		for name, c := range map[string]struct {
			conn      *sql.Conn
			statement string
		}{"one that wrote": {wrote, write(theirs)}, "one that read": {commits, "COMMIT"}, "one that scattered": {scattered, read(theirs)}, "one that locked": {locked, read(theirs)}} {
			_, err := c.conn.ExecContext(ctx, c.statement)
			checkError(t, name, err, 1213)
			if _, err := c.conn.ExecContext(ctx, read(theirs)); err != nil {
				t.Errorf("%s cannot go on: %v", name, err)
			}
		}
		if _, err := rolls.ExecContext(ctx, "ROLLBACK"); err != nil {
			t.Errorf("ROLLBACK of a transaction that was rolled back: %v", err)
		}
		if _, err := elsewhere.ExecContext(ctx, "COMMIT"); err != nil {
			t.Errorf("one that touched nothing of it: %v", err)
		}
		if _, err := chained.ExecContext(ctx, "COMMIT"); err != nil {
			t.Errorf("one whose predecessor touched it: %v", err)
		}
		ends := func(c *sql.Conn, statement string) <-chan error {
			done := make(chan error, 1)
			go func() {
				_, err := c.ExecContext(ctx, statement)
				done <- err
			}()
			return done
		}
		first, second, third := ends(fresh, write(mine)), ends(wroteElsewhere, write(mine)), ends(readElsewhere, read(mine))
		waits(t, map[string]<-chan error{"the first statement of a transaction": first})
		m.carry(0, 1, "users")
		m.give("s1")
		if err := <-first; err != nil {
			t.Errorf("the first statement of a transaction: %v", err)
		}
		checkError(t, "one that wrote elsewhere", <-second, 1213)
		checkError(t, "one that read elsewhere", <-third, 1213)
		if _, err := fresh.ExecContext(ctx, "COMMIT"); err != nil {
			t.Error(err)
		}
		expect(t, db, "SELECT COUNT(*) FROM users WHERE name = 'tx'", "1")
		// A snapshot of the target that is older than its rows would miss them.
		old := begin(read(theirs))
		must(t, db, fmt.Sprintf("UPDATE users SET name = 'new' WHERE user_id = %d", mine))
		m.freeze()
		m.acknowledged(m.attempt)
		m.carry(1, 0, "users")
		m.give("s0")
		_, err := old.ExecContext(ctx, read(mine))
		checkError(t, "a transaction that is older than the switch", err, 1213)
	})
}

// TestTrafficWhileSlotsSwitch: autocommit traffic through two proxies has no error while slots
// go to another shard and come back, and nothing is lost.
func TestTrafficWhileSlotsSwitch(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel()
		m, _ := startMoving(t, flavor, 2)
		must(t, m.open("shop"), "UPDATE users SET email = '0'")
		var group sync.WaitGroup
		var stop atomic.Bool
		counts := make([]atomic.Int64, 301)
		var retried, done atomic.Int64
		var late atomic.Int64
		fail := func(what string, err error) {
			switch {
			case number(err) == 1205:
				late.Add(1)
			case err != nil:
				t.Errorf("%s: %v", what, err)
				stop.Store(true)
			}
		}
		for i := range 6 {
			db := m.px[i%2].open("shop", func(c *mysql.Config) { c.InterpolateParams = i%3 == 0 })
			db.SetMaxOpenConns(1)
			group.Go(func() {
				for n := i; !stop.Load(); n++ {
					id := n*7%300 + 1
					done.Add(1)
					switch i {
					case 4: // counts all, now and then
						got, err := tryRows(db, "SELECT COUNT(*), COUNT(DISTINCT user_id) FROM users")
						fail("scatter", err)
						if err == nil && got[0] != "300\t300" {
							t.Errorf("there are %s users", got)
						}
					case 5: // transfers between two users
						other := id%300 + 1
						tx, err := db.Begin()
						fail("BEGIN", err)
						if err != nil {
							return
						}
						_, err = tx.Exec("UPDATE users SET email = email + 1 WHERE user_id = ?", id)
						if err == nil {
							_, err = tx.Exec("UPDATE users SET email = email + 1 WHERE user_id = ?", other)
						}
						if err == nil {
							err = tx.Commit()
						}
						if code := number(err); code == 1213 || code == 1205 {
							_ = tx.Rollback()
							retried.Add(1)
							continue
						}
						if fail("transaction", err); err != nil {
							return
						}
						counts[id].Add(1)
						counts[other].Add(1)
					default:
						_, err := db.Exec("UPDATE users SET email = email + 1 WHERE user_id = ?", id)
						if fail("UPDATE", err); err != nil {
							continue
						}
						counts[id].Add(1)
						got, err := tryRows(db, "SELECT email + 0 >= 1 FROM users WHERE user_id = ?", id)
						fail("SELECT", err)
						if err == nil && (len(got) != 1 || got[0] != "1") {
							t.Errorf("user %d after a write: %q", id, got)
						}
					}
				}
			})
		}
		var longest time.Duration
		for i := range 6 {
			time.Sleep(100 * time.Millisecond)
			began := time.Now()
			m.freeze()
			m.acknowledged(m.attempt)
			if i == 3 { // an attempt that is given up
				m.thaw()
				longest = max(longest, time.Since(began))
				continue
			}
			from := i % 2
			if i > 3 {
				from = 1 - from
			}
			m.carry(from, 1-from, "users")
			m.give([]string{"s1", "s0"}[from])
			longest = max(longest, time.Since(began))
		}
		time.Sleep(100 * time.Millisecond)
		stop.Store(true)
		group.Wait()
		t.Logf("%d statements and transactions, %d transactions were told to try again; the longest switch took %v", done.Load(), retried.Load(), longest)
		if late.Load() > 0 && longest < 500*time.Millisecond { // else the test was slow, not the proxy
			t.Errorf("%d statements were told to try again", late.Load())
		}
		for _, row := range rows(t, m.open("shop"), "SELECT user_id, email + 0 FROM users") {
			var id int
			var n int64
			fmt.Sscan(row, &id, &n)
			if want := counts[id].Load(); n != want {
				t.Errorf("user %d was counted %d times, and acknowledged %d times", id, n, want)
			}
		}
	})
}

// TestFencedWrites: a write that a shard refuses, because its rows are about to go, is run again
// under the next map; a transaction is rolled back whole.
func TestFencedWrites(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel()
		m, _ := startMoving(t, flavor, 1)
		mine, theirs := m.key(true, 0), m.key(false, 1)
		db := m.open("shop")
		source := m.servers[0].DB(t, "shop")
		must(t, source, `CREATE TRIGGER _sluice_m5_u_1 BEFORE UPDATE ON users FOR EACH ROW BEGIN
			IF MOD(CRC32(OLD.user_id), 16384) BETWEEN 0 AND 4095 THEN
				SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 9101, MESSAGE_TEXT = 'sluice: migration 5 has fenced these rows';
			END IF; END`)
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("UPDATE users SET name = 'tx' WHERE user_id = ?", theirs); err != nil {
			t.Fatal(err)
		}
		_, err = tx.Exec("UPDATE users SET name = 'tx' WHERE user_id = ?", mine)
		checkError(t, "a fenced write in a transaction", err, 1213)
		_ = tx.Rollback()
		expect(t, db, "SELECT COUNT(*) FROM users WHERE name = 'tx'", "0")
		late, counted := later(db, "UPDATE users SET name = 'late' WHERE user_id = ?", mine), false
		for len(late) == 0 {
			counted = counted || m.px[0].held() > 0
		}
		checkError(t, "a write that stays fenced", <-late, 1205, "migration 5")
		if !counted {
			t.Error("a fenced write is not one that waits")
		}
		one := later(db, "UPDATE users SET name = 'one' WHERE user_id = ?", mine)
		all := later(db, "UPDATE users SET country = 'zz'")
		waits(t, map[string]<-chan error{"a fenced write": one})
		m.freeze()
		m.acknowledged(m.attempt)
		m.carry(0, 1, "users")
		m.give("s1")
		for name, done := range map[string]<-chan error{"one row": one, "all rows": all} {
			if err := <-done; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		expect(t, db, "SELECT COUNT(*), SUM(country = 'zz'), SUM(name = 'one') FROM users", "300\t300\t1")
		if got := m.servers[0].Value("SELECT SUM(country = 'zz') FROM shop.users WHERE " + movedSlots); got != "0" {
			t.Errorf("%s rows of the source were written after the switch", got)
		}
	})
}

// TestFencesWithoutEtcd: a proxy that has lost etcd serves its last map, but for what a fence on
// the shards says to have moved.
func TestFencesWithoutEtcd(t *testing.T) {
	t.Parallel()
	m, etcd := startMoving(t, testkit.MariaDBFlavor, 1)
	mine, theirs, here := m.key(true, 0), m.key(false, 1), m.key(false, 0)
	db := m.open("shop", interpolated)
	early, err := db.Begin()
	if err == nil {
		_, err = early.Exec("INSERT INTO countries VALUES ('ea', 'early')")
	}
	if err != nil {
		t.Fatal(err)
	}
	etcd.Pause()
	t.Cleanup(etcd.Resume)
	read := func(id int) string { return fmt.Sprintf("SELECT COUNT(*) FROM users WHERE user_id = %d", id) }
	eventually(t, "rows that move by the proxy's own map are refused", func() bool {
		_, err := tryRows(db, read(mine))
		return number(err) == 1205
	})
	expect(t, db, read(here), "1")
	expect(t, db, read(theirs), "1")
	expectError(t, db, "SELECT COUNT(*) FROM users", 1205)
	must(t, db, "INSERT INTO countries VALUES ('k1', 'known'), ('k2', 'known')")
	slot := m.servers[0].Value(fmt.Sprintf("SELECT MOD(CRC32(%d), 16384)", here))
	m.servers[0].Exec("CREATE DATABASE IF NOT EXISTS _sluice", "CREATE TABLE _sluice.fence (move_id BIGINT PRIMARY KEY, state ENUM('open','fenced','gone') NOT NULL, token BIGINT, slots TEXT, note TEXT)",
		"INSERT INTO _sluice.fence VALUES (6, 'open', 0, '"+slot+"-"+slot+"', '')")
	eventually(t, "what an unknown fence covers is refused", func() bool {
		_, err := tryRows(db, read(here))
		return number(err) == 1205
	})
	expect(t, db, read(theirs), "1")
	// The migration may have given a shard that this proxy does not know its copies.
	for _, state := range []string{"open", "gone"} {
		m.servers[0].Exec("UPDATE _sluice.fence SET state = '" + state + "'")
		if state == "gone" {
			eventually(t, "the fence is looked at again", func() bool {
				_, err := tryRows(db, "SELECT COUNT(*) FROM users WHERE user_id BETWEEN 1 AND 2")
				return number(err) == 1205
			})
		}
		for _, write := range []string{
			"INSERT INTO countries VALUES ('n1', 'new'), ('n2', 'new')", "UPDATE countries SET name = 'new'", "DELETE FROM countries",
			"INSERT INTO countries SELECT LEFT(name, 2), value FROM settings",
			"UPDATE countries c JOIN users u ON u.country = c.code SET c.name = u.name",
		} {
			expectError(t, db, write, 1205)
		}
		expect(t, db, "SELECT COUNT(*) FROM countries", "2")
		must(t, db, "REPLACE INTO settings VALUES ('de', '"+state+"')")
	}
	checkError(t, "COMMIT of a transaction that wrote copies", early.Commit(), 1213)
	// The slots are back, but a shard that this proxy does not know has copies still.
	m.servers[0].Exec("DELETE FROM _sluice.fence", "INSERT INTO _sluice.fence VALUES (-6, 'gone', 0, '', 'cluster c joined s9')")
	eventually(t, "the fence is looked at again", func() bool {
		got, err := tryRows(db, read(here))
		return err == nil && got[0] == "1"
	})
	expectError(t, db, "INSERT INTO countries VALUES ('n1', 'new')", 1205)
	expect(t, db, "SELECT COUNT(*) FROM countries", "2")
	m.servers[0].Exec("UPDATE _sluice.fence SET note = 'cluster c joined s1'")
	eventually(t, "copies at a shard that is known", func() bool {
		_, err := tryRows(db, "UPDATE countries SET name = 'known'")
		return err == nil
	})
	m.servers[0].Exec("DELETE FROM _sluice.fence")
	etcd.Resume()
	eventually(t, "with etcd, all is answered again", func() bool {
		a, err := tryRows(db, read(mine))
		return err == nil && len(a) == 1
	})
	expect(t, db, "SELECT COUNT(*) FROM users", "300")
	for _, server := range m.servers {
		if got := server.Value("SELECT GROUP_CONCAT(code, name ORDER BY code) FROM shop.countries"); got != "k1known,k2known" {
			t.Errorf("a shard has %s", got)
		}
	}
}
