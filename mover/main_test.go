package mover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/backend"
	"sluice/internal/fault"
	"sluice/internal/testkit"
	"sluice/shard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is two servers between which rows move.
type world struct {
	t        testing.TB
	src, dst *testkit.Server
	pools    *backend.Pools
	db       string
	moves    int
}

// each runs a test on both kinds of servers. SLUICE_FLAVOR limits it to one.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	for _, flavor := range testkit.Flavors() {
		if only := os.Getenv("SLUICE_FLAVOR"); only != "" && only != flavor.String() {
			continue
		}
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			f(t, newWorld(t, flavor))
		})
	}
}

func newWorld(t testing.TB, flavor testkit.Flavor) *world {
	t.Helper()
	w := &world{t: t, db: "app"}
	w.src = testkit.StartServer(t, flavor, testkit.Binlog(1))
	w.dst = testkit.StartServer(t, flavor, testkit.Binlog(2))
	w.pools = backend.Open(backend.Options{}, &shard.Map{Version: 1, Spec: shard.Spec{
		Backend: shard.Backend{User: "sluice", Password: "sluice"},
		Shards:  []shard.Shard{{Name: "s0", Primary: w.src.Addr}, {Name: "s1", Primary: w.dst.Addr}},
	}})
	t.Cleanup(w.pools.Close)
	for _, s := range []*testkit.Server{w.src, w.dst} {
		s.Exec("CREATE DATABASE app CHARACTER SET utf8mb4; CREATE DATABASE _sluice",
			"CREATE TABLE _sluice.fence (move_id BIGINT NOT NULL PRIMARY KEY, state ENUM('open','fenced','gone') NOT NULL, token BIGINT NOT NULL)")
		for id := 1; id < 20; id++ {
			s.Exec(fmt.Sprintf("INSERT INTO _sluice.fence VALUES (%d, 'fenced', 0), (%d, 'fenced', 0)", id, 100+id))
		}
	}
	return w
}

// options are those of a forward move of the given tables.
func (w *world) options(slots []shard.Span, tables ...Table) Options {
	return Options{
		Spec:   Spec{ID: 7, Stream: Forward, Tables: tables, Slots: slots, Secret: "secret", Token: 1},
		Source: Shard(w.pools, "s0"), Target: Shard(w.pools, "s1"),
	}
}

// faults makes fault points.
func faults(t testing.TB, text string) *fault.Points {
	t.Helper()
	p, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// running is a mover that runs until the test stops it.
type running struct {
	*Mover
	stop func() error
	last error // after done
	done chan struct{}
}

// run runs a mover, again after errors that pass.
func (w *world) run(m *Mover) *running {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Mover: m, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for ctx.Err() == nil {
			r.last = m.Run(ctx)
			if Lasting(r.last) {
				return
			}
			if ctx.Err() == nil {
				w.t.Logf("mover: %v", r.last)
				time.Sleep(20 * time.Millisecond)
			}
		}
	}()
	r.stop = func() error {
		cancel()
		<-r.done
		if errors.Is(r.last, context.Canceled) {
			return nil
		}
		return r.last
	}
	w.t.Cleanup(func() { cancel(); <-r.done })
	return r
}

// copied waits until everything is copied.
func (r *running) copied(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		for _, ts := range r.Status().Tables {
			if !ts.Done {
				return fmt.Errorf("not copied: %+v", r.Status())
			}
		}
		return nil
	}, r)
}

// drain waits until the target has everything.
func (r *running) drain(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := r.Drain(ctx)
		if err != nil {
			t.Log(err)
		}
		return err
	}, r)
}

func eventually(t testing.TB, f func() error, r *running) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if r != nil {
			select {
			case <-r.done:
				t.Fatalf("the mover has ended: %v: %v", err, r.last)
			default:
			}
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// same fails the test unless the rows of the slots are the same on both servers, byte for byte.
func (w *world) same(table string, within string) int {
	w.t.Helper()
	var columns []string
	for _, r := range w.src.Query("SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='app' AND TABLE_NAME='" + table + "' ORDER BY ORDINAL_POSITION") {
		columns = append(columns, "COALESCE(HEX("+quote(r[0])+"),'NULL')")
	}
	sql := "SELECT CONCAT_WS(',', " + strings.Join(columns, ",") + ") FROM app." + table + " WHERE " + within + " ORDER BY 1"
	a, b := w.src.Query(sql), w.dst.Query(sql)
	if len(a) != len(b) {
		w.t.Errorf("%s: %d rows at the source, %d at the target", table, len(a), len(b))
	}
	for i := 0; i < min(len(a), len(b)); i++ {
		if a[i][0] != b[i][0] {
			w.t.Fatalf("%s: row %d differs:\n%s\n%s", table, i, a[i][0], b[i][0])
		}
	}
	return len(a)
}

// must prepares a mover.
func must(t testing.TB, m *Mover) *Mover {
	t.Helper()
	if err := m.Prepare(context.Background()); err != nil {
		t.Fatal(err)
	}
	return m
}

var half = []shard.Span{{First: 0, Last: 4095}, {First: 5000, Last: 5000}, {First: 8192, Last: 12000}}
