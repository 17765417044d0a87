package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestWhileMigrationsAreListed: what goes on and what is refused while slots move: DDL, foreign
// keys, sequences, unsharded tables, a second migration, and DDL that somebody sends to a shard
// himself. The log has every step and the metrics count.
func TestWhileMigrationsAreListed(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			m := startResharding(t, flavor, 2, 1, 500)
			db, plain := m.open("shop", interpolated), m.open("plain")
			m.families()
			order := func() {
				must(t, db, "INSERT INTO orders (user_id, item, amount) VALUES (1, 'a', 1), (5, 'b', 2), (9, 'c', 3)")
			}
			order()
			first, second := m.move("MOVE SLOTS 0-4095 TO s1"), m.move("MOVE SLOTS 4096-5000 TO s1")
			m.await(first, "ready")
			if state, phase, _, trouble := m.state(second); state != "preparing" || phase != "queued" || !strings.Contains(trouble, "migration "+first+" between the same servers goes first") {
				t.Errorf("the second migration is %s (%s): %s", state, phase, trouble)
			}
			for _, ddl := range []string{"ALTER TABLE users ADD COLUMN later INT", "TRUNCATE TABLE orders", "DROP TABLE names", "CREATE INDEX later ON users (name)",
				"CREATE TABLE later (tenant_id INT PRIMARY KEY)", "ALTER TABLE countries COMMENT 'x'", "OPTIMIZE TABLE users"} {
				expectError(t, db, ddl, 1235, "migration "+first)
			}
			must(t, plain, "CREATE TABLE free (a INT)", "ALTER TABLE free ADD COLUMN b INT", "TRUNCATE TABLE free", "DROP TABLE free")
			must(t, db, "ALTER TABLE settings COMMENT 'x'", "TRUNCATE TABLE settings")
			m.keeps(1)
			order()
			must(t, m.dba, "CUTOVER MIGRATION "+first)
			m.await(first, "switched")
			m.keeps(2)
			order()
			must(t, m.dba, "COMPLETE MIGRATION "+first)
			m.awaitEnd(first, "completed")
			m.keeps(3)
			order()
			expect(t, db, "SELECT COUNT(*), COUNT(DISTINCT order_id) FROM orders", "12\t12")
			expect(t, db, "SELECT COUNT(*) FROM children JOIN parents ON parents.tenant_id = children.tenant_id AND parents.id = parent", "160")
			log := strings.Join(rows(t, m.dba, "SHOW MIGRATION "+first), "\n")
			for _, line := range []string{"root moves 4096 slots from s0 to s1", "the map lists it", "the fence rows are written", "tables begin to be copied", "rows were copied", "caught up with",
				"none differs", "the triggers are made", "root: CUTOVER", "attempt 1 begins", "switched in attempt", "root: COMPLETE", "begin to be deleted", "rows were deleted from shard s0", "shard s1 owns the slots"} {
				if !strings.Contains(log, line) {
					t.Errorf("the log does not say %q:\n%s", line, log)
				}
			}
			body, _, err := get(context.Background(), "http://"+m.px[0].http+"/metrics")
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range []string{"sluice_migration_switches_total 1\n", "sluice_migrations_running 1\n", "sluice_migrations_listed 1\n"} {
				if !strings.Contains(body, line) {
					t.Errorf("the metrics have no %q", line)
				}
			}

			m.await(second, "ready")
			m.servers[0].Exec("ALTER TABLE shop.users ADD COLUMN sneaked INT")
			eventually(t, "DDL that was sent to a shard fails the migration", func() bool {
				state, _, _, trouble := m.state(second)
				return state == "failed" && strings.Contains(trouble, "sneaked") && strings.Contains(trouble, "CANCEL MIGRATION "+second)
			})
			must(t, m.dba, "CANCEL MIGRATION "+second)
			m.awaitEnd(second, "cancelled")
			expect(t, m.dba, "SHOW SLOTS", "0\t4095\ts1\tstable\tNULL", "4096\t8191\ts0\tstable\tNULL", "8192\t16383\ts1\tstable\tNULL")
			m.servers[0].Exec("ALTER TABLE shop.users DROP COLUMN sneaked")
			must(t, db, "ALTER TABLE users ADD COLUMN later INT", "ALTER TABLE users DROP COLUMN later")
			m.check()
		})
	}
}

// families makes tables with foreign keys to each other and to a reference table, and rows of 40
// tenants.
func (m *resharding) families() {
	m.t.Helper()
	db := m.open("shop", interpolated)
	must(m.t, db,
		`CREATE TABLE parents (tenant_id BIGINT NOT NULL, id INT NOT NULL, country CHAR(2) NOT NULL, PRIMARY KEY (tenant_id, id),
			FOREIGN KEY (country) REFERENCES countries (code))`,
		`CREATE TABLE children (tenant_id BIGINT NOT NULL, id INT NOT NULL, parent INT NOT NULL, PRIMARY KEY (tenant_id, id),
			FOREIGN KEY (tenant_id, parent) REFERENCES parents (tenant_id, id))`)
	for tenant := 1; tenant <= 40; tenant++ {
		must(m.t, db, fmt.Sprintf("INSERT INTO parents VALUES (%d, 1, 'de'), (%[1]d, 2, 'fr')", tenant), fmt.Sprintf("INSERT INTO children VALUES (%d, 1, 1)", tenant))
	}
}

// keeps looks whether foreign keys hold for rows that move and for others, and adds children.
func (m *resharding) keeps(n int) {
	m.t.Helper()
	db := m.open("shop", interpolated)
	for tenant := 1; tenant <= 40; tenant++ {
		must(m.t, db, fmt.Sprintf("INSERT INTO children VALUES (%d, %d, 2)", tenant, 10+n))
		if tenant%10 != 0 {
			continue
		}
		for statement, code := range map[string]uint16{fmt.Sprintf("INSERT INTO children VALUES (%d, 99, 3)", tenant): 1452,
			fmt.Sprintf("DELETE FROM parents WHERE tenant_id = %d", tenant): 1451, fmt.Sprintf("INSERT INTO parents VALUES (%d, 9, 'xx')", tenant): 1452} {
			_, err := db.Exec(statement)
			checkError(m.t, statement, err, code)
		}
	}
}
