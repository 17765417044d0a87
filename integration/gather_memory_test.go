package integration

import (
	"fmt"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// TestGatherMemory: rows stream through the proxy, however many are gathered, and so does
// the answer. The refusal of too many comes before they have all been read.
func TestGatherMemory(t *testing.T) {
	c := start(t, setup{plain: true, flavor: testkit.MariaDBFlavor})
	db := c.open("shop", interpolated)
	create(t, db)
	const perShard = 100_000 // rows of some 120 bytes, whose slots are not looked at here
	for i, server := range c.servers {
		server.Exec(fmt.Sprintf("INSERT INTO shop.users SELECT %d * 1000000 + seq, CONCAT('name ', seq), CONCAT('a rather long address number ', seq, '@example.com'), 'de' "+
			"FROM shop.seq_1_to_%d", i+1, perShard))
	}
	began := time.Now()
	expect(t, db, "SELECT COUNT(DISTINCT name), COUNT(*), MAX(LENGTH(email)) FROM users", fmt.Sprintf("%d\t%d\t47", perShard, 4*perShard))
	t.Logf("%d rows gathered in %v", 4*perShard, time.Since(began))
	if n := len(rows(t, db, "SELECT a.name, b.email FROM users a JOIN users b ON b.user_id = a.user_id - 1000000")); n != 3*perShard {
		t.Errorf("%d rows", n)
	}
	_, peak := rss(t, c.px[0].PID())
	t.Logf("the proxy's peak is %d MiB", peak)
	if peak > 100 {
		t.Errorf("the proxy's memory went up to %d MiB", peak)
	}
	for i, server := range c.servers {
		server.Exec(fmt.Sprintf("INSERT INTO shop.users SELECT %d * 1000000 + %d + seq, 'x', 'y', 'de' FROM shop.seq_1_to_%d", i+1, perShard, 2*perShard))
	}
	began = time.Now()
	_, err := tryRows(db, "SELECT COUNT(DISTINCT name) FROM users")
	checkError(t, "1,200,000 rows", err, 1104, "at most 1000000 rows and 256 MiB", "of shop.users")
	t.Logf("refused after %v: %v", time.Since(began), err)
	if _, peak := rss(t, c.px[0].PID()); peak > 100 {
		t.Errorf("the proxy's memory went up to %d MiB", peak)
	}
}
