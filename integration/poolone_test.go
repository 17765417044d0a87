package integration

import (
	"testing"

	"sluice/internal/testkit"
)

// TestPoolOfOne: with one connection a shard, transactions over shards, statements that look tables up and clients that
// follow each other work, also the very first.
func TestPoolOfOne(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		c := start(t, setup{flavor: flavor, schemas: triggerSchemas, maxConns: 1})
		db := c.open("shop")
		must(t, db, "CREATE TABLE x (id INT NOT NULL PRIMARY KEY, v INT)", "CREATE TABLE p (i INT)")
		one := oneConn(t, db)
		exec1(t, one, "BEGIN", "INSERT INTO x VALUES (1, 1)", "INSERT INTO x VALUES (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)", "COMMIT",
			"UPDATE x SET v = v + 1", "SET @a = 5", "BEGIN", "UPDATE x SET v = @a WHERE id < 4", "INSERT INTO p VALUES (1)", "COMMIT")
		expect(t, one, "SELECT SUM(v), @a FROM x", "21\t5")
	})
}
