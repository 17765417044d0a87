package reshard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/backend"
	"sluice/internal/testkit"
	"sluice/metrics"
	"sluice/shard"
	"sluice/wire"
)

func eachFlavor(t *testing.T, f func(t *testing.T, s *testkit.Server, connect func() *backend.Conn)) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			s := testkit.StartServer(t, flavor, testkit.Binlog(1))
			spec := shard.Spec{Shards: []shard.Shard{{Name: "s0", Primary: s.Addr}}, Ranges: []shard.Range{{Last: shard.Slots - 1, Shard: "s0"}},
				Backend: shard.Backend{User: "sluice", Password: "sluice"}}
			m, err := shard.New(1, spec)
			if err != nil {
				t.Fatal(err)
			}
			pools := backend.Open(backend.Options{Metrics: metrics.New()}, m)
			t.Cleanup(pools.Close)
			f(t, s, func() *backend.Conn {
				c, err := pools.Get(context.Background(), "s0", backend.Class{}, "", control)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				return c
			})
		})
	}
}

func try(t *testing.T, c *backend.Conn, sql string) error {
	t.Helper()
	_, err := query(t.Context(), c, sql)
	return err
}

// TestFence: the triggers refuse what is fenced, and nothing else; a change of the fence
// waits for who was let through; tokens let no late change pass.
func TestFence(t *testing.T) {
	eachFlavor(t, func(t *testing.T, s *testkit.Server, connect func() *backend.Conn) {
		ctx := t.Context()
		s.Exec("CREATE DATABASE shop", "SET GLOBAL log_bin_trust_function_creators = 1",
			"CREATE TABLE shop.users (user_id BIGINT PRIMARY KEY, n INT)",
			"CREATE TABLE shop.names (name VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, n INT)")
		moves, stays := int64(0), int64(0)
		for id := int64(1); moves == 0 || stays == 0; id++ {
			if shard.SlotOfInt(id) < 8192 {
				moves = id
			} else {
				stays = id
			}
		}
		r := &Record{ID: 7, Slots: []shard.Span{{First: 0, Last: 100}, {First: 101, Last: 8191}}, Secret: "s3cr3t", Cluster: "abcdef01",
			Tables: []Table{{Schema: "shop", Name: "names", Key: "name", Pads: true}, {Schema: "shop", Name: "users", Key: "user_id"}}}
		c, w := connect(), connect()
		for range 2 { // all of it can be done again
			if err := makeFence(ctx, c, r, open); err != nil {
				t.Fatal(err)
			}
			if err := makeTriggers(ctx, c, r); err != nil {
				t.Fatal(err)
			}
		}
		other := *r
		other.Cluster = "another"
		if err := makeFence(ctx, c, &other, open); err == nil || !strings.Contains(err.Error(), "another cluster") {
			t.Errorf("a row of another cluster: %v", err)
		}
		insert := func(id int64) string { return fmt.Sprintf("INSERT INTO shop.users VALUES (%d, 0)", id) }
		for _, sql := range []string{insert(moves), insert(stays), "INSERT INTO shop.names VALUES ('bob  ', 1), ('ann', 2), ('eve', 3), ('tom', 4)"} {
			if err := try(t, w, sql); err != nil {
				t.Errorf("while the fence is open, %s: %v", sql, err)
			}
		}

		// A transaction that was let through holds the fence up.
		for _, sql := range []string{"BEGIN", fmt.Sprintf("UPDATE shop.users SET n = 1 WHERE user_id = %d", moves)} {
			if err := try(t, w, sql); err != nil {
				t.Fatal(err)
			}
		}
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		if err := setFence(short, c, r.ID, fenced, 1, true); err == nil {
			t.Error("the fence did not wait for an open transaction")
		}
		cancel()
		if c = connect(); try(t, w, "COMMIT") != nil {
			t.Fatal("COMMIT failed")
		}
		if err := setFence(ctx, c, r.ID, fenced, 1, true); err != nil {
			t.Fatal(err)
		}
		if err := setFence(ctx, c, r.ID, fenced, 1, true); err != nil {
			t.Errorf("the same change again: %v", err)
		}

		// Fenced: every kind of write to a moving row is refused, also into and out of M.
		for _, sql := range []string{insert(moves + 1<<40), "DELETE FROM shop.users", fmt.Sprintf("UPDATE shop.users SET n = 2 WHERE user_id = %d", moves),
			fmt.Sprintf("UPDATE shop.users SET user_id = %d WHERE user_id = %d", moves, stays), "UPDATE shop.names SET n = 5"} {
			if strings.HasPrefix(sql, "INSERT") && shard.SlotOfInt(moves+1<<40) >= 8192 {
				continue
			}
			if err := try(t, w, sql); !wire.IsCode(err, shard.FenceCode) || !strings.HasPrefix(err.Error(), shard.FencePrefix+"7 ") {
				t.Errorf("while the fence stands, %s: %v", sql, err)
			}
		}
		for _, name := range []string{"bob", "ann", "eve", "tom"} {
			err := try(t, w, "UPDATE shop.names SET n = 9 WHERE name = '"+name+"'")
			if in := shard.SlotOf([]byte(name)) < 8192; wire.IsCode(err, shard.FenceCode) != in || !in && err != nil {
				t.Errorf("%s, of slot %d: %v", name, shard.SlotOf([]byte(name)), err)
			}
		}
		for _, sql := range []string{fmt.Sprintf("UPDATE shop.users SET n = 2 WHERE user_id = %d", stays), fmt.Sprintf("DELETE FROM shop.users WHERE user_id = %d", stays)} {
			if err := try(t, w, sql); err != nil {
				t.Errorf("a row that does not move, %s: %v", sql, err)
			}
		}
		for _, sql := range []string{"SET @_sluice_mover = 's3cr3t'", fmt.Sprintf("UPDATE shop.users SET n = 3 WHERE user_id = %d", moves), "SET @_sluice_mover = NULL"} {
			if err := try(t, w, sql); err != nil {
				t.Errorf("the mover's own session, %s: %v", sql, err)
			}
		}

		// Tokens: what comes late changes nothing.
		for _, step := range []struct {
			state string
			token int64
			fresh bool
			ok    bool
		}{{open, 1, false, true}, {fenced, 1, true, false}, {fenced, 3, true, true}, {open, 2, false, false}, {fenced, 2, true, false}, {open, 3, false, true}} {
			err := setFence(ctx, c, r.ID, step.state, step.token, step.fresh)
			if step.ok != (err == nil) || err != nil && !errors.Is(err, errReplaced) {
				t.Errorf("%+v: %v", step, err)
			}
		}
		late := connect()
		if _, err := emptyPart(ctx, late, r.ID, &r.Tables[1]); !errors.Is(err, errReplaced) {
			t.Errorf("rows are deleted where clients write: %v", err)
		}
		late.Close()
		if err := leaveGone(ctx, c, r); err != nil {
			t.Error(err)
		}
		if shut, err := isShut(ctx, c, r.ID); shut || err != nil {
			t.Errorf("a fence that says gone is shut: %v", err)
		}
		if err := try(t, w, insert(moves)); !wire.IsCode(err, shard.FenceCode) {
			t.Errorf("gone: %v", err)
		}
		back := &Record{ID: 8, Cluster: r.Cluster, Slots: []shard.Span{{First: 50, Last: 8000}}}
		if err := takeBack(ctx, c, back); err != nil {
			t.Error(err)
		}
		if got := s.Value("SELECT slots FROM _sluice.fence"); got != "0-49,8001-8191" {
			t.Errorf("what is still gone: %s", got)
		}
		back.Slots = []shard.Span{{First: 0, Last: 9000}}
		if err := takeBack(ctx, c, back); err != nil {
			t.Error(err)
		}
		if err := try(t, w, fmt.Sprintf("UPDATE shop.users SET n = 4 WHERE user_id = %d", moves)); err != nil {
			t.Errorf("a trigger that is left of a migration that is over: %v", err)
		}
		if err := dropTriggers(ctx, c, r); err != nil {
			t.Error(err)
		}
		if err := dropFence(ctx, c, r); err != nil {
			t.Error(err)
		}
		if got := s.Value("SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'") + s.Value("SELECT COUNT(*) FROM _sluice.fence"); got != "00" {
			t.Errorf("triggers and fences that are left: %s", got)
		}
		if err := try(t, w, insert(moves+1<<41)); err != nil {
			t.Error(err)
		}
	})
}

// TestTables: what moves is listed, and definitions that differ are found.
func TestTables(t *testing.T) {
	eachFlavor(t, func(t *testing.T, s *testkit.Server, connect func() *backend.Conn) {
		s.Exec("CREATE DATABASE shop", "CREATE TABLE shop.users (User_Id BIGINT PRIMARY KEY, n INT)", "CREATE TABLE shop.other (id INT PRIMARY KEY)",
			"CREATE TABLE shop.names (name VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY)", "CREATE TABLE shop.codes (code VARBINARY(9) PRIMARY KEY)",
			"CREATE TABLE shop.countries (code CHAR(2) PRIMARY KEY)", "CREATE VIEW shop.users_view AS SELECT 1")
		spec := &shard.Spec{Schemas: []shard.Schema{{Name: "shop", Tables: []shard.Table{{Name: "users*", Kind: shard.Sharded, ShardKey: "user_id"},
			{Name: "names", Kind: shard.Sharded, ShardKey: "name"}, {Name: "codes", Kind: shard.Sharded, ShardKey: "code"}, {Name: "countries", Kind: shard.Reference},
			{Name: "missing", Kind: shard.Sharded, ShardKey: "x"}}}, {Name: "plain"}}}
		tables, references, err := listTables(t.Context(), connect(), spec)
		got := fmt.Sprint(tables, references)
		if want := "[{shop codes code false} {shop names name true} {shop users User_Id false}] [{shop countries  false}]"; err != nil || got != want {
			t.Errorf("got %s, %v", got, err)
		}
	})
}
