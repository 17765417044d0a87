package integration

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// leastRights makes the account least, with the rights that the documentation asks for.
func leastRights(flavor testkit.Flavor) []string {
	list := []string{"DROP USER IF EXISTS least", "CREATE USER least IDENTIFIED BY 'least'", "GRANT ALL PRIVILEGES ON shop.* TO least",
		"GRANT ALL PRIVILEGES ON plain.* TO least", "GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON `\\_sluice`.* TO least"}
	if flavor == testkit.MySQLFlavor {
		list = append(list, "GRANT XA_RECOVER_ADMIN ON *.* TO least")
	}
	return list
}

// TestLeastRights: the account of the documentation is enough.
func TestLeastRights(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		for i := range 4 {
			s := testkit.Shared(t, flavor, i)
			s.Exec(leastRights(flavor)...)
			t.Cleanup(func() { s.Exec("DROP USER IF EXISTS least") })
		}
		c := start(t, setup{flavor: flavor, account: "least"})
		db := c.open("shop")
		create(t, db)
		users(t, db, 100)
		testSpread100(t, c)
		expect(t, db, "SELECT COUNT(*), MAX(name) FROM users", "100\tuser 99")
		must(t, db, "INSERT INTO countries VALUES ('de', 'Germany')", "INSERT INTO orders (user_id, item, amount) VALUES (1,'a',1),(2,'b',2)")
		if got := strings.Join(column(t, c.px[0].dba(), "SHOW SHARDS", "error"), ""); got != "" {
			t.Errorf("errors of the shards: %s", got)
		}
		if log := c.px[0].Log(); strings.Contains(log, "denied") {
			t.Error(log)
		}
	})
}

func testSpread100(t *testing.T, c *cluster) {
	t.Helper()
	if got := strings.Join(c.perShard("SELECT COUNT(*) > 10 FROM shop.users"), " "); got != "1 1 1 1" {
		t.Errorf("users on each shard: %s", got)
	}
}
