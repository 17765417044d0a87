package mover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/shard"
)

// TestFaults: a mover that fails at each of its points, for good, is taken over by one that
// does not; and one whose connections and servers go away goes on by itself.
func TestFaults(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.createChurn(2000)
		c := w.churn(6, 200)
		o := w.options(half, churnTables...)
		o.Rate = 3000
		for _, point := range []string{"mover.chunk:error:2", "mover.commit:error:3", "mover.marked:error", "mover.read:error:2"} {
			o.Token++
			o.Faults = faults(t, point)
			m := must(t, New(o))
			for n := 0; n < 3; n++ {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				err := m.Run(ctx)
				cancel()
				if Lasting(err) || err == nil {
					t.Fatalf("%s: %v", point, err)
				}
			}
		}
		o.Token++
		o.Faults = nil
		r := w.run(must(t, New(o)))
		kill := func(s interface{ Query(string) [][]string }, try func(string) error) {
			for _, row := range s.Query("SHOW PROCESSLIST") {
				if row[1] == "sluice" {
					_ = try("KILL " + row[0]) // one that has ended by itself
				}
			}
		}
		for range 5 {
			time.Sleep(150 * time.Millisecond)
			kill(w.src, w.src.Try)
			time.Sleep(150 * time.Millisecond)
			kill(w.dst, w.dst.Try)
		}
		r.copied(t)
		w.dst.Kill()
		w.dst.Start()
		time.Sleep(300 * time.Millisecond)
		w.src.Kill()
		w.src.Start()
		time.Sleep(time.Second)
		c.end()
		r.drain(t)
		w.sameChurn()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestBranches: XA branches that are prepared hold up the start and Drain, and nothing of
// them is lost over a restart, in whatever order they end.
func TestBranches(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		w.src.Exec("CREATE TABLE app.t (id INT PRIMARY KEY, user_id INT NOT NULL, n INT NOT NULL)")
		prepare := func(xid, change string) {
			// The connection ends, so that others can finish the branch.
			w.src.Exec("XA START '" + xid + "'; " + change + "; XA END '" + xid + "'; XA PREPARE '" + xid + "'")
		}
		prepare("early", "INSERT INTO app.t VALUES (1, 1, 0)")
		o := w.options([]shard.Span{{First: 0, Last: shard.Slots - 1}}, Table{Schema: "app", Name: "t", Key: "user_id"})
		m := New(o)
		short, cancel := context.WithCancel(ctx)
		prepared := make(chan error, 1)
		go func() { prepared <- m.Prepare(short) }()
		eventually(t, func() error {
			if s := m.Status(); !strings.Contains(s.Waiting, "XA") {
				return fmt.Errorf("it does not wait: %+v", s)
			}
			return nil
		}, nil)
		cancel()
		if err := <-prepared; !errors.Is(err, context.Canceled) {
			t.Errorf("it began while a branch was prepared: %v", err)
		}
		go func() {
			time.Sleep(200 * time.Millisecond)
			w.src.Try("XA COMMIT 'early'")
		}()
		r := w.run(must(t, New(o)))
		r.copied(t)
		r.drain(t)
		prepare("b1", "INSERT INTO app.t VALUES (2, 1, 0)")
		prepare("b2", "UPDATE app.t SET n = 5 WHERE id = 1")
		prepare("b3", "INSERT INTO app.t VALUES (3, 1, 0)")
		short, cancel = context.WithTimeout(ctx, time.Second)
		if err := r.Drain(short); err == nil {
			t.Error("Drain has not waited for a branch")
		}
		cancel()
		eventually(t, func() error {
			if s := r.Status(); s.Pending != 3 {
				return fmt.Errorf("%+v", s)
			}
			return nil
		}, r)
		w.src.Exec("XA COMMIT 'b2'", "INSERT INTO app.t VALUES (4, 1, 0)")
		time.Sleep(2500 * time.Millisecond) // so that a position is stored
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		w.src.Exec("XA ROLLBACK 'b3'", "XA COMMIT 'b1'")
		o.Token++
		r = w.run(must(t, New(o)))
		r.drain(t)
		if n := w.same("t", "TRUE"); n != 3 {
			t.Errorf("%d rows", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
