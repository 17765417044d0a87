package integration

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/topo"
)

// plantedMoves are slots that move while the statements of the differential test run: half of
// s0's go to s1, which has copies of their rows, and half of s3's have gone to s2; s3 is not
// cleaned up. The copies have to stay as they are, and nobody may see them.
type plantedMoves struct{ etcd string }

const (
	comingFirst, comingLast = 0, 2047
	goneFirst, goneLast     = 12288, 14335
)

// own gives the slots that a shard owns, and those of which it has copies.
func (m *plantedMoves) of(i int) (owned [2]int, copies [2]int) {
	owned, copies = [2]int{i * 4096, i*4096 + 4095}, [2]int{-1, -1}
	switch i {
	case 1:
		copies = [2]int{comingFirst, comingLast}
	case 2:
		owned[1] = goneLast // they follow upon its own
	case 3:
		owned[0], copies = goneLast+1, [2]int{goneFirst, goneLast}
	}
	return owned, copies
}

func (m *plantedMoves) owned(i int, slot string) string {
	owned, _ := m.of(i)
	return fmt.Sprintf("%s BETWEEN %d AND %d", slot, owned[0], owned[1])
}

// held is what a shard has: its own, and the copies.
func (m *plantedMoves) held(i int, slot string) string {
	_, copies := m.of(i)
	return fmt.Sprintf("(%s OR %s BETWEEN %d AND %d)", m.owned(i, slot), slot, copies[0], copies[1])
}

// stray finds rows that are neither, copies that have changed, and that one is gone.
func (m *plantedMoves) stray(i int, t *diffTable) string {
	_, copies := m.of(i)
	columns := t.name + ".*"
	if t.name == "t" { // rows are compared by what is easily compared
		columns = "id, i, sb, d, dt, tx, ti"
	}
	if t.name == "a" {
		columns = "id, uid, name"
	}
	in := fmt.Sprintf("%s BETWEEN %d AND %d", t.slot(), copies[0], copies[1])
	return fmt.Sprintf("NOT %s OR (%s) AND (SELECT COUNT(*) FROM (SELECT %s FROM shop.%s WHERE %s UNION SELECT %s FROM kept.%s WHERE %s) u) <> (SELECT COUNT(*) FROM kept.%s WHERE %s)",
		m.held(i, t.slot()), m.owned(i, t.slot()), columns, t.name, in, strings.ReplaceAll(columns, t.name+".*", "*"), t.name, in, t.name, in)
}

// plant gives the shards their copies, and lists the migrations in the map.
func (w *world) plant() {
	w.t.Helper()
	ids := map[string][]string{}
	for _, db := range w.all[:4] {
		for _, row := range rows(w.t, db, "SELECT id, uid, name FROM shop.a") {
			v := strings.Split(row, "\t")
			if v[2] != "NULL" {
				v[2] = "'" + v[2] + "'"
			}
			ids[v[0]] = v
		}
	}
	for i, db := range w.all[:4] {
		db = w.c.servers[i].DB(w.t, "shop")
		for _, insert := range diffRows() {
			if table := strings.Fields(insert)[2]; table != "r" && table != "a" && table != "p" {
				must(w.t, db, strings.Replace(insert, "INSERT", "INSERT IGNORE", 1))
			}
		}
		for _, v := range ids {
			must(w.t, db, "INSERT IGNORE INTO a VALUES ("+strings.Join(v, ",")+")")
		}
		for _, t := range diffTables {
			if t.key != "" {
				must(w.t, db, fmt.Sprintf("DELETE FROM %s WHERE NOT %s", t.name, w.moves.held(i, t.slot())))
			}
		}
	}
	change(w.t, w.moves.etcd, func(s *shard.Spec) error {
		s.Ranges = []shard.Range{{First: 0, Last: 4095, Shard: "s0"}, {First: 4096, Last: 8191, Shard: "s1"}, {First: 8192, Last: goneLast, Shard: "s2"},
			{First: goneLast + 1, Last: shard.Slots - 1, Shard: "s3"}}
		s.Moves = []shard.Move{
			{ID: 1, Slots: []shard.Span{{First: comingFirst, Last: comingLast}}, Source: "s0", Target: "s1"},
			{ID: 2, Slots: []shard.Span{{First: goneFirst, Last: goneLast}}, Source: "s3", Target: "s2", Attempt: 1},
		}
		return nil
	})
}

// change changes the map of a cluster, and waits until all of its proxies serve it.
func change(t *testing.T, etcd string, f func(*shard.Spec) error) *shard.Map {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	store := hand(t, etcd)
	m, err := store.Update(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "all proxies serve the new map", func() bool {
		list, err := store.Proxies(ctx)
		for _, p := range list {
			err = map[bool]error{true: err, false: sql.ErrNoRows}[p.MapVersion >= m.Version]
		}
		return err == nil
	})
	return m
}

// hand opens a cluster's store, as a proxy that serves nobody.
func hand(t *testing.T, etcd string) *topo.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	store, err := topo.Open(ctx, topo.Options{Endpoints: []string{etcd}, Prefix: "/sluice", DataDir: t.TempDir(), Node: fmt.Sprintf("hand%d", time.Now().UnixNano()),
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// TestDiffMoves: while slots move, statements have the answer of one server all the same. With
// SLUICE_SOAK there are more of them, that many at random.
func TestDiffMoves(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel()
		w := newWorldOf(t, setup{flavor: flavor}, &plantedMoves{etcd: testkit.Etcd(t).Addr})
		scripts, scenarios := []string{"04_groups", "05_joins", "10_updates", "23_many_shards", "30_gathered_writes", "31_insert_select"}, 10
		if n, err := strconv.Atoi(os.Getenv("SLUICE_SOAK")); err == nil {
			scripts, scenarios = append(scripts, "02_keys", "03_order", "09_writes", "32_locking", "33_rare_selects", "40_listed", "41_found"), n/scenarioLength
		}
		for _, name := range scripts {
			s, err := readScript("testdata/corpus/" + name + ".sql")
			if err != nil {
				t.Fatal(err)
			}
			protocol := []string{"text", "binary"}[int(flavor)%2]
			t.Run(s.name+"/"+protocol, func(t *testing.T) { w.runScript(t, s, protocol == "binary") })
		}
		for i := range scenarios {
			w.scenario(newScenario(7_000 + uint64(i)))
		}
		w.report()
	})
}
