package exec

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sluice/router"
	"sluice/wire"
)

// parts are legs with a statement each; "" leaves the shard out.
func parts(sql ...string) (legs []router.Leg) {
	for i, s := range sql {
		if s != "" {
			legs = append(legs, router.Leg{Shard: i, SQL: []byte(s)})
		}
	}
	return legs
}

func TestSplitInsert(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.everywhere("CREATE TABLE n (id INT PRIMARY KEY, v VARCHAR(3), UNIQUE (v))")
		w.on(w.names[1], "INSERT INTO n VALUES (1, 'a')")
		w.on(w.whole, "INSERT INTO n VALUES (1, 'a')")
		for _, c := range []struct {
			name   string
			parts  []router.Leg
			whole  string
			id     uint64
			ignore bool
		}{
			{"plain", parts("INSERT INTO n VALUES (3, 'x')", "INSERT INTO n VALUES (4, 'y'), (7, 'z')"), "INSERT INTO n VALUES (3, 'x'), (4, 'y'), (7, 'z')", 0, false},
			{"sequence", parts("INSERT INTO n VALUES (30, 'c')", "INSERT INTO n VALUES (40, 'd')"), "INSERT INTO n VALUES (30, 'c'), (40, 'd')", 30, false},
			{"replace", parts("REPLACE n VALUES (3, 'x')", "REPLACE n VALUES (1, 'q')"), "REPLACE n VALUES (3, 'x'), (1, 'q')", 0, false},
			{"update", parts("INSERT INTO n VALUES (6, 'f')", "INSERT INTO n VALUES (1, 'q') ON DUPLICATE KEY UPDATE v = 'r'"),
				"INSERT INTO n VALUES (6, 'f'), (1, 'q') ON DUPLICATE KEY UPDATE v = 'r'", 0, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := bound(router.SplitInsert, c.parts, nil)
				b.InsertID = c.id
				got, out, err := w.run(context.Background(), newLeases(w), request(b, nil))
				if err != nil || out.Answered || out.Started {
					t.Fatalf("%v, %+v", err, out)
				}
				want := w.wholeAnswer(c.whole, nil).end
				if c.name == "sequence" {
					want.LastInsertID = c.id
				}
				if got.end.AffectedRows != want.AffectedRows || got.end.Info != want.Info || got.end.LastInsertID != want.LastInsertID ||
					got.end.Warnings != want.Warnings {
					t.Errorf("got %+v, want %+v", got.end, want)
				}
			})
		}
		t.Run("error", func(t *testing.T) {
			b := bound(router.SplitInsert, parts("INSERT INTO n VALUES (90, 'new')", "INSERT INTO n VALUES (1, 'dup')", "INSERT INTO n VALUES (92, 'nw2')"), nil)
			l := newLeases(w)
			_, out, err := w.run(context.Background(), l, request(b, nil))
			if !wire.IsCode(err, 1062) || out.Answered || out.Started || len(l.dirty) != 0 {
				t.Errorf("%v, %+v, closed %v", err, out, l.dirty)
			}
		})
		t.Run("warnings", func(t *testing.T) {
			w.everywhere("CREATE TABLE wa (id INT PRIMARY KEY, v VARCHAR(3))")
			b := bound(router.SplitInsert, parts("INSERT INTO wa VALUES (3, 'long text'), (6, 'x')", "", "INSERT INTO wa VALUES (5, 'long text')"), nil)
			got, out, err := w.run(context.Background(), newLeases(w), request(b, nil))
			want := w.wholeAnswer("INSERT INTO wa VALUES (3, 'long text'), (6, 'x'), (5, 'long text')", nil).end
			if err != nil || got.end.Info != want.Info || got.end.Warnings != 2 || len(out.Warned) != 2 || out.Warned[1] != 2 {
				t.Errorf("%v, %+v, want %+v, warned %v", err, got.end, want, out.Warned)
			}
		})
	})
}

func TestSplitInsertPrepared(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.everywhere("CREATE TABLE p (id INT PRIMARY KEY, v LONGTEXT)")
		str := func(s string) wire.Param { return wire.Param{Type: wire.TypeVarString, Value: []byte(s)} }
		long := wire.Param{Type: wire.TypeLongBlob, LongData: true}
		big := strings.Repeat("Sluice ", 100_000)
		legs := parts("INSERT INTO p VALUES (?, ?)", "INSERT INTO p VALUES (?, ?), (?, ?)")
		legs[0].Params, legs[1].Params = []int{2, 3}, []int{0, 1, 4, 5}
		req := request(bound(router.SplitInsert, legs, nil), []wire.Param{str("1"), long, str("3"), str("three"), str("7"), long})
		req.Long = map[int][]byte{1: []byte(big), 5: {}}
		got, _, err := w.run(context.Background(), newLeases(w), req)
		if err != nil || got.end.AffectedRows != 3 || got.end.Info != "Records: 3  Duplicates: 0  Warnings: 0" {
			t.Fatalf("%v, %+v", err, got.end)
		}
		if v := w.server.Value("SELECT v FROM " + w.names[0] + ".p WHERE id = 3"); v != "three" {
			t.Errorf("3 is %q", v)
		}
		if v := w.server.Value("SELECT v FROM " + w.names[1] + ".p WHERE id = 1"); v != big {
			t.Errorf("1 has %d bytes", len(v))
		}
		if v := w.server.Value("SELECT v FROM " + w.names[1] + ".p WHERE id = 7"); v != "" {
			t.Errorf("7 is %q", v)
		}
		legs[0].Params = []int{2, 9}
		if _, _, err = w.run(context.Background(), newLeases(w), req); err == nil {
			t.Error("a parameter that does not exist was sent")
		}
	})
}

func TestEverywhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.everywhere("CREATE TABLE ref (id INT PRIMARY KEY, v INT)")
		w.everywhere("INSERT INTO ref VALUES (1, 1), (2, 1)")
		run := func(sql string, ddl bool) (answer, Outcome, error) {
			b := bound(router.Everywhere, allLegs(sql), nil)
			b.Plan.DDL = ddl
			return w.run(context.Background(), newLeases(w), request(b, nil))
		}
		got, out, err := run("UPDATE ref SET v = 5", false)
		want := w.wholeAnswer("UPDATE ref SET v = 5", nil).end
		if err != nil || got.end.AffectedRows != 2 || got.end.Info != want.Info || len(out.Uneven) != 0 {
			t.Errorf("%v, %+v, want %+v", err, got.end, want)
		}
		w.on(w.names[2], "DELETE FROM ref WHERE id = 2")
		if got, out, err = run("UPDATE ref SET v = 6", false); err != nil || got.end.AffectedRows != 2 || len(out.Uneven) != 1 || out.Uneven[0] != 2 {
			t.Errorf("%v, %+v, uneven %v", err, got.end, out.Uneven)
		}
		if _, _, err = run("CREATE TABLE ref (id INT)", true); !wire.IsCode(err, 1050) || strings.HasPrefix(err.Error(), "sluice") {
			t.Errorf("the same error everywhere: %v", err)
		}
		if _, _, err = run("CREATE TABLE news (id INT)", true); err != nil {
			t.Error(err)
		}
		w.on(w.names[1], "CREATE TABLE half (id INT)")
		_, _, err = run("CREATE TABLE half (id INT)", true)
		if !wire.IsCode(err, 1050) || !strings.HasPrefix(err.Error(), "sluice: done on s0, s2; failed on s1: Table 'half' already exists") ||
			strings.Contains(err.Error(), "again") {
			t.Errorf("done before on one: %v", err)
		}
		w.on(w.names[1], "DROP TABLE ref")
		_, _, err = run("ALTER TABLE ref ADD w INT", true)
		if !wire.IsCode(err, 1146) || !strings.HasPrefix(err.Error(), "sluice: done on s0, s2; failed on s1: ") ||
			!strings.HasSuffix(err.Error(), "; run the statement again to complete it") {
			t.Errorf("failed on one: %v", err)
		}
		if _, rows := w.wholeAnswer("SHOW TABLES", nil).cols, w.server.Query("SHOW COLUMNS FROM "+w.names[2]+".ref"); len(rows) != 3 {
			t.Errorf("the statement was not run on s2: %v", rows)
		}
	})
}

// TestEverywhereLost: a shard that breaks during DDL is named, the others are done.
func TestEverywhereLost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		l := newLeases(w)
		l.leased = func(sh int) {
			if sh == 1 {
				w.links[1].CutAfter(0)
			}
		}
		b := bound(router.Everywhere, allLegs("CREATE TABLE lost (id INT)"), nil)
		b.Plan.DDL = true
		_, out, err := w.run(context.Background(), l, request(b, nil))
		if !wire.IsCode(err, 2013) || !strings.Contains(err.Error(), "done on s0, s2; failed on s1: ") || out.Started {
			t.Errorf("%v, %+v", err, out)
		}
		if len(l.dirty) != 1 || l.dirty[0] != 1 {
			t.Errorf("closed %v", l.dirty)
		}
	})
}

func TestSequenceOfOneShard(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.everywhere("CREATE TABLE auto (id INT PRIMARY KEY AUTO_INCREMENT, v INT)")
		b := bound(router.Relay, parts("INSERT INTO auto VALUES (10, 1), (11, 2)"), nil)
		b.InsertID = 10
		got, out, err := w.run(context.Background(), newLeases(w), request(b, nil))
		if err != nil || out.Answered || got.end.LastInsertID != 10 || got.end.AffectedRows != 2 || got.end.Info != "Records: 2  Duplicates: 0  Warnings: 0" {
			t.Errorf("%v, %+v", err, got.end)
		}
	})
}

func TestNothingToRun(t *testing.T) {
	w := &world{t: t}
	out, err := Run(context.Background(), nil, newLeases(w), request(bound(router.SplitInsert, nil, nil), nil))
	if err != nil || out.Answered || out.Response.OK.Status != wire.StatusAutocommit {
		t.Errorf("%+v, %v", out, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, nil, newLeases(w), request(bound(router.Relay, parts("SELECT 1"), nil), nil)); !wire.IsCode(err, 1317) {
		t.Errorf("a statement ran after its end: %v", err)
	}
	legs := []router.Leg{{Shard: 1}, {Shard: 1}}
	var refusal *router.Refusal
	if _, err := Run(context.Background(), nil, newLeases(w), request(bound(router.Concatenate, legs, nil), nil)); !errors.As(err, &refusal) {
		t.Errorf("two parts for one shard: %v", err)
	}
}
