package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

// settingsOf makes settings of a SET statement.
func settingsOf(set string) *Settings { return &Settings{Key: set, Set: set} }

// variables gives a session's variables, without those that differ by nature.
func variables(t *testing.T, c *Conn) map[string]string {
	t.Helper()
	_, rows, err := c.Query("SHOW SESSION VARIABLES WHERE Variable_name NOT IN ('timestamp','pseudo_thread_id','gtid_executed','gtid_purged'," +
		"'rand_seed1','rand_seed2','in_transaction','gtid_binlog_pos','gtid_current_pos','last_gtid','error_count','warning_count','statement_id')")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"schema": value(t, c, "SELECT DATABASE()")}
	for _, r := range rows {
		all[string(r[0])] = string(r[1])
	}
	for _, sql := range []string{"@user", "FOUND_ROWS()*0", "IS_FREE_LOCK('backend test')"} {
		all[sql] = value(t, c, "SELECT "+sql)
	}
	return all
}

// TestStateProperty: whatever a connection was used for, a lease finds it in exactly the
// state of a fresh connection on which the wanted USE and SET were run.
func TestStateProperty(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		dbs := []string{testkit.Database(t, s), testkit.Database(t, s)}
		wanted := []*Settings{nil, {},
			settingsOf("SET SESSION sql_mode='ANSI_QUOTES'"),
			settingsOf("SET SESSION autocommit=0, SESSION time_zone='+03:00'"),
			settingsOf("SET SESSION character_set_client='latin1', SESSION character_set_results='latin1', SESSION collation_connection='latin1_swedish_ci'"),
			settingsOf("SET SESSION sql_mode='', SESSION group_concat_max_len=77, SESSION tx_isolation='READ-COMMITTED'"),
			settingsOf("SET @user='x', SESSION net_write_timeout=3, SESSION foreign_key_checks=0"),
		}
		if s.Flavor == testkit.MySQLFlavor {
			wanted[5] = settingsOf("SET SESSION sql_mode='', SESSION group_concat_max_len=77, SESSION transaction_isolation='READ-COMMITTED'")
		}
		fresh := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
		reference := func(schema string, st *Settings) map[string]string {
			c := get(t, fresh, "", nil)
			defer c.Close()
			if schema != "" {
				exec(t, c, "USE "+schema)
			}
			if st != nil && st.Set != "" {
				exec(t, c, st.Set)
			}
			return variables(t, c)
		}
		want := map[string]map[string]string{}
		for i, st := range wanted {
			for _, db := range dbs {
				want[fmt.Sprint(i, db)] = reference(db, st)
			}
		}
		p := open(t, Options{}, mapOf(t, shard.Backend{MaxConnections: 2}, s.Addr))
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		lastID := uint32(0)
		for step := range 60 {
			i, db := r.IntN(len(wanted)), dbs[r.IntN(2)]
			c := get(t, p, db, wanted[i])
			for name, v := range variables(t, c) {
				if w := want[fmt.Sprint(i, db)][name]; w != v {
					t.Fatalf("seed %d, step %d, settings %d: %s is %q instead of %q", seed, step, i, name, v, w)
				}
			}
			if lastID != 0 && c.ThreadID() != lastID {
				t.Fatalf("step %d: another connection was made", step)
			}
			lastID = c.ThreadID()
			// What a client may do meanwhile: a SET that is followed, and one that fails.
			switch r.IntN(4) {
			case 0:
				if next := r.IntN(len(wanted)-2) + 2; c.settings == nil || wanted[next] == c.settings {
					if err := c.Sync(dbs[r.IntN(2)], wanted[next]); err != nil {
						t.Fatal(err)
					}
				}
			case 1:
				err := c.Sync(db, settingsOf("SET SESSION sql_mode='ANSI', SESSION div_precision_increment='x'"))
				if !errors.As(err, new(*wire.Error)) {
					t.Fatalf("%v", err)
				}
			case 2:
				if err := c.Sync("no_such_schema", wanted[6]); !errors.As(err, new(*wire.Error)) {
					t.Fatalf("%v", err)
				}
			}
			c.Put()
		}
	})
}

// TestRefusedState: an unknown schema or a bad SET is the client's error; the connection lives.
func TestRefusedState(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
		for i, c := range []struct {
			schema string
			set    string
			code   uint16
		}{{"no_such_schema", "SET @a=1", 1049}, {"", "SET SESSION sql_mode='NONSENSE'", 1231}, {"no_such_schema", "SET nonsense", 1049}} {
			_, err := p.Get(context.Background(), "s0", Class{}, c.schema, settingsOf(c.set))
			var we *wire.Error
			if !errors.As(err, &we) || we.Code != c.code {
				t.Errorf("%d: %v", i, err)
			}
			if st := p.Status()[0]; st.Open != 1 || st.Idle != 1 {
				t.Errorf("%d: %+v", i, st)
			}
		}
		c := get(t, p, "", nil)
		defer c.Put()
		if got := value(t, c, "SELECT @a"); got != "NULL" {
			t.Errorf("@a is %s", got)
		}
	})
}

// TestPrefersState: leases find the connection that is in their state already.
func TestPrefersState(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	db := testkit.Database(t, s)
	p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
	states := []*Settings{nil, settingsOf("SET @a=1"), settingsOf("SET @a=2")}
	var conns []*Conn
	for _, st := range states {
		conns = append(conns, get(t, p, db, st))
	}
	for _, c := range conns {
		c.Put()
	}
	for _, i := range []int{2, 0, 1, 1, 0, 2, 0} {
		c := get(t, p, db, states[i])
		if c != conns[i] {
			t.Errorf("state %d got another connection", i)
		}
		c.Put()
	}
}

// TestServerGone: after a crash, a restart or idle connections that the server closed,
// nobody gets a dead connection, and a dead server answers at once.
func TestServerGone(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			s := testkit.StartServer(t, flavor)
			p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
			fill := func() (ids []uint32) {
				var conns []*Conn
				for range 8 {
					conns = append(conns, get(t, p, "", nil))
				}
				for _, c := range conns {
					if value(t, c, "SELECT 1") != "1" {
						t.Error("no answer")
					}
					ids = append(ids, c.ThreadID())
					c.Put()
				}
				return ids
			}
			for _, id := range fill() {
				s.Exec(fmt.Sprint("KILL ", id))
			}
			eventually(t, "they are gone", func() bool {
				return s.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER='sluice'") == "0"
			})
			time.Sleep(checkAfter)
			fill()
			s.Kill()
			s.Start()
			fill() // at once, although a login may have met the dead server
			s.Stop()
			eventually(t, "the dead server is noticed", func() bool { return p.Status()[0].State == "down" })
			start := time.Now()
			_, err := p.Get(context.Background(), "s0", Class{}, "", nil)
			if u := unavailable(t, err); u.Full || time.Since(start) > time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			s.Start()
			fill() // at once, although it counts as down
			if got := p.Status()[0].State; got != "up" {
				t.Errorf("the server is %s", got)
			}
			fill()
		})
	}
}

// TestTLSGone: under TLS the server's goodbye is bytes in the socket; they are no answer.
func TestTLSGone(t *testing.T) {
	s := testkit.Shared(t, testkit.MySQLFlavor, 0)
	s.Exec("DROP USER IF EXISTS tls_gone", "CREATE USER tls_gone IDENTIFIED BY 'x'")
	p := open(t, Options{}, mapOf(t, shard.Backend{User: "tls_gone", Password: "x", TLS: "required"}, s.Addr))
	for range 5 {
		c := get(t, p, "", nil)
		if err := c.CheckIdle(); err != nil || value(t, c, "SELECT 1") != "1" {
			t.Fatal(err)
		}
		id := c.ThreadID()
		c.Put()
		s.Exec(fmt.Sprint("KILL ", id))
		eventually(t, "it is gone", func() bool {
			return s.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER='tls_gone'") == "0"
		})
		time.Sleep(checkAfter)
	}
}

// TestFull: the limit holds, waiters are served in their order, and none waits for ever.
func TestFull(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{MaxWaiters: 20, WaitTimeout: 10 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 2}, s.Addr))
	a, b := get(t, p, "", nil), get(t, p, "", nil)
	var mu sync.Mutex
	var order []int
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			// Every third is of another class, which needs a connection of its own.
			c, err := p.Get(context.Background(), "s0", Class{FoundRows: i%3 == 0}, "", nil)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			c.Put()
		})
		eventually(t, "it waits", func() bool { return p.Status()[0].Waiting == i+1 })
	}
	_, err := p.Get(context.Background(), "s0", Class{}, "", nil)
	if u := unavailable(t, err); !u.Full {
		t.Errorf("one more than MaxWaiters: %v", err)
	}
	if st := p.Status()[0]; st.Open != 2 || st.Max != 2 || st.Idle != 0 {
		t.Errorf("%+v", st)
	}
	b.Close() // a place becomes free: it is dialled anew
	wg.Wait()
	if !slices.IsSorted(order) {
		t.Errorf("served in the order %v", order)
	}
	a.Put()
}

func TestWaitEnds(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 50 * time.Millisecond}, mapOf(t, shard.Backend{MaxConnections: 1}, s.Addr))
	c := get(t, p, "", nil)
	_, err := p.Get(context.Background(), "s0", Class{}, "", nil)
	if u := unavailable(t, err); !u.Full {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = p.Get(ctx, "s0", Class{}, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if st := p.Status()[0]; st.Waiting != 0 || st.State != "up" {
		t.Errorf("%+v", st)
	}
	c.Put()
	c.Put() // harmless
	c.Close()
	if st := p.Status()[0]; st.Open != 1 || st.Idle != 1 {
		t.Errorf("%+v", st)
	}
	_, err = p.Get(context.Background(), "s7", Class{}, "", nil)
	if u := unavailable(t, err); u.Full || u.Shard != "s7" {
		t.Errorf("%v", err)
	}
}

// TestServerFull: the server's own limit is no failure while there are connections to wait for.
func TestServerFull(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	s.Exec("DROP USER IF EXISTS one", "CREATE USER one IDENTIFIED BY 'one' WITH MAX_USER_CONNECTIONS 1")
	p := open(t, Options{WaitTimeout: 10 * time.Second}, mapOf(t, shard.Backend{User: "one", Password: "one", MaxConnections: 8}, s.Addr))
	c := get(t, p, "", nil)
	got := make(chan error)
	go func() {
		c, err := p.Get(context.Background(), "s0", Class{}, "", nil)
		if err == nil {
			c.Put()
		}
		got <- err
	}()
	eventually(t, "the second login was refused", func() bool { return p.Status()[0].LastError != "" })
	c.Put()
	if err := <-got; err != nil {
		t.Error(err)
	}
	if st := p.Status()[0]; st.State != "up" {
		t.Errorf("%+v", st)
	}
}

// TestDirtyPut: a connection with an unread answer never reaches another client.
func TestDirtyPut(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
	c := get(t, p, "", nil)
	id := c.ThreadID()
	if err := c.begin(wire.ComQuery, []byte("SELECT 1 UNION SELECT 2")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadPacket(); err != nil {
		t.Fatal(err)
	}
	c.Put()
	c = get(t, p, "", nil)
	defer c.Put()
	if c.ThreadID() == id || value(t, c, "SELECT 3") != "3" {
		t.Error("the dirty connection was leased again")
	}
}

func TestAge(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{MaxAge: 80 * time.Millisecond}, mapOf(t, shard.Backend{}, s.Addr))
	c := get(t, p, "", nil)
	id := c.ThreadID()
	c.Put()
	eventually(t, "it is retired", func() bool { return p.Status()[0].Open == 0 })
	c = get(t, p, "", nil)
	if c.ThreadID() == id {
		t.Error("the same connection")
	}
	eventually(t, "it is old", func() bool { return time.Now().After(c.expires) })
	c.Put()
	if st := p.Status()[0]; st.Open != 0 {
		t.Errorf("%+v", st)
	}
}

func TestIdle(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{IdleTimeout: 40 * time.Millisecond}, mapOf(t, shard.Backend{}, s.Addr))
	var conns []*Conn
	for range 6 {
		conns = append(conns, get(t, p, "", nil))
	}
	for _, c := range conns {
		c.Put()
	}
	eventually(t, "all but a few are closed", func() bool { return p.Status()[0].Open == keepIdle })
	time.Sleep(100 * time.Millisecond)
	if st := p.Status()[0]; st.Open != keepIdle {
		t.Errorf("%+v", st)
	}
}

func TestSetMap(t *testing.T) {
	one, two := testkit.Shared(t, testkit.MariaDBFlavor, 0), testkit.Shared(t, testkit.MariaDBFlavor, 1)
	p := open(t, Options{WaitTimeout: 10 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 2}, one.Addr, one.Addr))
	a, b := get(t, p, "", nil), get(t, p, "", nil)
	port := func(c *Conn) string { return "127.0.0.1:" + value(t, c, "SELECT @@port") }
	waiting := make(chan string)
	go func() {
		c, err := p.Get(context.Background(), "s0", Class{}, "", nil)
		if err != nil {
			waiting <- err.Error()
			return
		}
		defer c.Put()
		waiting <- port(c)
	}()
	eventually(t, "one waits", func() bool { return p.Status()[0].Waiting == 1 })
	p.SetMap(mapOf(t, shard.Backend{MaxConnections: 2}, two.Addr))
	if got := <-waiting; got != two.Addr {
		t.Errorf("who waited got %s instead of %s", got, two.Addr)
	}
	if got := port(a); got != one.Addr {
		t.Errorf("a leased connection is at %s", got)
	}
	a.Put()
	b.Close()
	c := get(t, p, "", nil)
	if got := port(c); got != two.Addr {
		t.Errorf("a new one is at %s", got)
	}
	c.Put()
	if len(p.Status()) != 1 {
		t.Errorf("%+v", p.Status())
	}
	_, err := p.Get(context.Background(), "s1", Class{}, "", nil)
	unavailable(t, err)
	p.SetMap(mapOf(t, shard.Backend{MaxConnections: 1}, two.Addr))
	// c may have been given the connection of who waited, while a login for it was under way.
	eventually(t, "all but one are closed", func() bool { st := p.Status()[0]; return st.Max == 1 && st.Open <= 1 })
	two.Exec("CREATE OR REPLACE USER other IDENTIFIED BY 'other'")
	p.SetMap(mapOf(t, shard.Backend{User: "other", Password: "other"}, two.Addr))
	c = get(t, p, "", nil)
	if got := value(t, c, "SELECT CURRENT_USER()"); got != "other@%" {
		t.Errorf("the account is %s", got)
	}
	c.Put()
	eventually(t, "the old pools are drained", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.retired) == 0
	})
}

// TestLowered: a login that is under way when the limit is lowered makes no connection above it.
func TestLowered(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	link := testkit.NewLink(t, s.Addr)
	link.Stall()
	p := open(t, Options{WaitTimeout: 10 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 3}, link.Addr))
	done := make(chan error)
	for range 3 {
		go func() {
			c, err := p.Get(context.Background(), "s0", Class{}, "", nil)
			if err == nil {
				c.Put()
			}
			done <- err
		}()
	}
	eventually(t, "three logins are under way", func() bool { return p.Status()[0].Open == 3 })
	p.SetMap(mapOf(t, shard.Backend{MaxConnections: 1}, link.Addr))
	link.Resume()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "one is left", func() bool { st := p.Status()[0]; return st.Open == 1 && st.Idle == 1 })
}

// TestUnderLoad changes the map, kills connections and closes while clients work.
func TestUnderLoad(t *testing.T) {
	one, two := testkit.Shared(t, testkit.MariaDBFlavor, 0), testkit.Shared(t, testkit.MariaDBFlavor, 1)
	addresses := []string{one.Addr, two.Addr}
	p := Open(Options{WaitTimeout: 10 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 4}, addresses...))
	states := []*Settings{nil, settingsOf("SET @a=1"), settingsOf("SET @a=2")}
	var stop atomic.Bool
	var done, refused atomic.Int64
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for !stop.Load() {
				i := r.IntN(len(states))
				c, err := p.Get(context.Background(), "s0", Class{FoundRows: r.IntN(8) == 0}, "", states[i])
				if err != nil {
					refused.Add(1)
					continue
				}
				_, rows, err := c.Query("SELECT COALESCE(@a, 0)")
				switch {
				case err != nil:
					if !errors.Is(err, io.EOF) && !stop.Load() {
						t.Errorf("%v", err)
					}
					c.Close()
				case string(rows[0][0]) != fmt.Sprint(i):
					t.Errorf("@a is %s instead of %d", rows[0][0], i)
					c.Close()
				case r.IntN(20) == 0:
					c.Close()
					done.Add(1)
				default:
					c.Put()
					done.Add(1)
				}
			}
		})
	}
	for i := range 20 {
		want := done.Load() + 50
		eventually(t, "work goes on", func() bool { return done.Load() > want })
		p.SetMap(mapOf(t, shard.Backend{MaxConnections: 1 + i%4}, addresses[i%2], addresses[1-i%2]))
		if st := p.Status(); len(st) != 2 {
			t.Errorf("%+v", st)
		}
	}
	if refused.Load() > 0 {
		t.Errorf("%d leases were refused", refused.Load())
	}
	stop.Store(true)
	p.Close()
	wg.Wait()
	p.Close()
	p.SetMap(mapOf(t, shard.Backend{}, addresses...))
	_, err := p.Get(context.Background(), "s0", Class{}, "", nil)
	if u := unavailable(t, err); !errors.Is(u, errClosed) {
		t.Errorf("%v", err)
	}
}

func TestCloseEndsLeases(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := Open(Options{}, mapOf(t, shard.Backend{}, s.Addr))
	c := get(t, p, "", nil)
	failed := make(chan error)
	go func() {
		_, err := c.Exec("SELECT SLEEP(60)")
		c.Close()
		failed <- err
	}()
	eventually(t, "it runs", func() bool {
		return s.Value(fmt.Sprint("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID=", c.ThreadID(), " AND INFO LIKE '%SLEEP%'")) == "1"
	})
	p.Close()
	if err := <-failed; err == nil {
		t.Error("the statement went on")
	}
}

// TestNoSchema: who asks for a connection without a schema never finds another's.
func TestNoSchema(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		db := testkit.Database(t, s)
		p := open(t, Options{}, mapOf(t, shard.Backend{MaxConnections: 2}, s.Addr))
		for range 3 {
			a, b := get(t, p, db, nil), get(t, p, db, nil) // the pool is full of connections with a schema
			a.Put()
			b.Put()
			c := get(t, p, "", nil)
			if _, rows, err := c.Query("SELECT DATABASE()"); err != nil || rows[0][0] != nil {
				t.Fatalf("DATABASE() is %q (%v), want NULL", rows, err)
			}
			c.Put()
			if st := p.Status()[0]; st.Open > 2 {
				t.Fatalf("%d connections, 2 are allowed", st.Open)
			}
		}
	})
}
