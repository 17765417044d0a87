package integration

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

// resharding is a cluster whose slots move: shards with binary logs, an etcd of its own, two
// proxies, and writers before both.
type resharding struct {
	*cluster
	dba  *sql.DB
	acks sync.Map // by id: how often an update of its row was acknowledged
	next atomic.Int64
	rows atomic.Int64
	errs atomic.Int64
}

// startResharding makes a cluster of some shards with the shop's tables and rows in them.
func startResharding(t *testing.T, flavor testkit.Flavor, shards, proxies, users int, env ...string) *resharding {
	t.Helper()
	servers := make([]*testkit.Server, shards)
	var starting sync.WaitGroup
	for i := range servers {
		starting.Go(func() { servers[i] = testkit.StartServer(t, flavor, testkit.Binlog(i+1)) })
	}
	starting.Wait()
	c := start(t, setup{on: servers, etcd: testkit.Etcd(t).Addr, env: env})
	for range proxies - 1 {
		c.addProxy(env...)
	}
	db := c.open("shop")
	create(t, db)
	must(t, db, "INSERT INTO countries VALUES ('de', 'Germany'), ('fr', 'France'), ('nl', 'Netherlands')")
	m := &resharding{cluster: c, dba: c.px[len(c.px)-1].dba()}
	m.fill(db, users)
	return m
}

// fill inserts users, whose names are the number of their acknowledged updates.
func (m *resharding) fill(db *sql.DB, n int) {
	m.t.Helper()
	for range n / 500 {
		var b strings.Builder
		for i := range 500 {
			if i > 0 {
				b.WriteByte(',')
			}
			id := m.next.Add(1)
			m.acks.Store(id, int64(0))
			fmt.Fprintf(&b, "(%d,'0','u%d@example.com','de')", id, id)
		}
		must(m.t, db, "INSERT INTO users (user_id, name, email, country) VALUES "+b.String())
		m.rows.Add(500)
	}
}

// write has n clients a proxy insert and update until the function that it gives is called.
func (m *resharding) write(n int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	for _, p := range m.px {
		db := p.open("shop")
		db.SetMaxOpenConns(n)
		for range n {
			writers.Go(func() {
				var own []int64
				for ctx.Err() == nil {
					m.writeOne(db, &own)
				}
			})
		}
	}
	return func() {
		cancel()
		writers.Wait()
	}
}

// writeOne inserts a row, or updates one of the writer's own: no other changes it.
func (m *resharding) writeOne(db *sql.DB, own *[]int64) {
	if len(*own) < 50 {
		id := m.next.Add(1)
		if _, err := db.Exec("INSERT INTO users (user_id, name, email, country) VALUES (?, '0', ?, 'fr')", id, fmt.Sprintf("u%d@example.com", id)); err != nil {
			m.failed("INSERT", err)
			return
		}
		m.rows.Add(1)
		m.acks.Store(id, int64(0))
		*own = append(*own, id)
		return
	}
	id := (*own)[0]
	*own = append((*own)[1:], id)
	r, err := db.Exec("UPDATE users SET name = name + 1 WHERE user_id = ?", id)
	if err != nil {
		m.failed("UPDATE", err)
		return
	}
	if n, _ := r.RowsAffected(); n != 1 {
		m.t.Errorf("UPDATE of user %d: %d rows", id, n)
	}
	was, _ := m.acks.Load(id)
	m.acks.Store(id, was.(int64)+1)
}

func (m *resharding) failed(what string, err error) {
	if m.errs.Add(1) <= 5 {
		m.t.Errorf("%s: %v", what, err)
	}
}

// check compares what is there with what was acknowledged, through each proxy and on the shards.
func (m *resharding) check() {
	m.t.Helper()
	for _, p := range m.px {
		db := p.open("shop")
		expect(m.t, db, "SELECT COUNT(*), COUNT(DISTINCT user_id) FROM users", fmt.Sprintf("%d\t%[1]d", m.rows.Load()))
		wrong := 0
		for _, line := range rows(m.t, db, "SELECT user_id, name FROM users ORDER BY user_id") {
			var id, n int64
			fmt.Sscan(line, &id, &n)
			if want, ok := m.acks.Load(id); !ok || want.(int64) != n {
				if wrong++; wrong <= 5 {
					m.t.Errorf("user %d has %d updates, of which %v were acknowledged", id, n, want)
				}
			}
		}
	}
	sum := int64(0)
	for i, s := range m.servers {
		var n int64
		fmt.Sscan(s.Value("SELECT COUNT(*) FROM shop.users"), &n)
		sum += n
		for _, q := range []string{"SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE '\\_sluice\\_m%'",
			"SELECT COUNT(*) FROM _sluice.fence WHERE state <> 'gone'", "SELECT COUNT(*) FROM _sluice.progress"} {
			if s.Value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '_sluice' AND TABLE_NAME IN ('fence', 'progress')") == "2" && s.Value(q) != "0" {
				m.t.Errorf("shard s%d: %s: %s", i, q, s.Value(q))
			}
		}
	}
	if sum != m.rows.Load() {
		m.t.Errorf("the shards hold %d rows, and %d were written", sum, m.rows.Load())
	}
}

// move starts a migration and gives its number.
func (m *resharding) move(text string) string {
	m.t.Helper()
	ids := rows(m.t, m.dba, text)
	if len(ids) != 1 {
		m.t.Fatalf("%s: %q", text, ids)
	}
	return ids[0]
}

// state gives the columns state, phase, pause_ms and error of a migration.
func (m *resharding) state(id string) (state, phase, pause, trouble string) {
	m.t.Helper()
	for _, line := range rows(m.t, m.dba, "SHOW MIGRATIONS") {
		f := strings.Split(line, "\t")
		if f[0] == id {
			return f[4], f[10], f[8], f[9]
		}
	}
	m.t.Fatalf("SHOW MIGRATIONS does not list %s", id)
	return
}

// await waits until a migration is in a state.
func (m *resharding) await(id, want string) (pause string) {
	m.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		state, phase, pause, trouble := m.state(id)
		if state == want {
			return pause
		}
		if state == "failed" || state == "cancelled" || state == "completed" || time.Now().After(deadline) {
			m.t.Fatalf("migration %s is %s (%s), not %s: %s\n%s", id, state, phase, want, trouble, strings.Join(rows(m.t, m.dba, "SHOW MIGRATION "+id), "\n"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// log shows the log of a migration.
func (m *resharding) log(id string) {
	m.t.Helper()
	m.t.Logf("migration %s:\n%s", id, strings.Join(rows(m.t, m.dba, "SHOW MIGRATION "+id), "\n"))
}

func isNumber(err error, codes ...uint16) bool {
	me, ok := err.(*mysql.MySQLError)
	for _, c := range codes {
		if ok && me.Number == c {
			return true
		}
	}
	return false
}

// TestMoveSlots: a quarter of the slots goes to a new shard by itself while two proxies'
// clients write, none of whom sees an error; nothing is lost, twice, or left over.
func TestMoveSlots(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			m := startResharding(t, flavor, 2, 2, 5000)
			fresh := testkit.StartServer(t, flavor, testkit.Binlog(9))
			m.families()
			stop := m.write(4)
			must(t, m.dba, "ADD SHARD s2 PRIMARY '"+fresh.Addr+"'")
			m.servers = append(m.servers, fresh)
			id := m.move("MOVE SLOTS 0-4095 TO s2 AUTO")
			pause := m.await(id, "completed")
			time.Sleep(200 * time.Millisecond)
			stop()
			m.log(id)
			t.Logf("statements waited %s ms; %d rows written", pause, m.rows.Load())
			m.check()
			expect(t, m.dba, "SHOW SLOTS", "0\t4095\ts2\tstable\tNULL", "4096\t8191\ts0\tstable\tNULL", "8192\t16383\ts1\tstable\tNULL")
			if n := fresh.Value("SELECT COUNT(*) FROM shop.countries"); n != "3" {
				t.Errorf("the new shard has %s rows of a reference table", n)
			}
			m.keeps(1)
			if n := fresh.Value("SELECT COUNT(*) FROM shop.children JOIN shop.parents USING (tenant_id) WHERE parent = parents.id"); n == "0" {
				t.Error("the new shard has no children")
			}
			expect(t, m.open("shop"), "SELECT COUNT(*) FROM children JOIN parents ON parents.tenant_id = children.tenant_id AND parents.id = parent", "80")
		})
	}
}
