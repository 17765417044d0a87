package session_test

import (
	"errors"
	"testing"
)

// TestRenameKeepsIDs: a table does not get a name whose sequence could not be moved behind its ids.
func TestRenameKeepsIDs(t *testing.T) {
	f := newFront(t, frontOptions{shards: 2, conns: 3})
	f.tables()
	db := f.open("")
	exec(t, db, "INSERT INTO orders (user_id) VALUES (1), (2), (3)")
	f.topo.mu.Lock()
	f.topo.keepsIDs = errors.New("etcd does not answer")
	f.topo.mu.Unlock()
	for _, sql := range []string{"RENAME TABLE orders TO renamed", "ALTER TABLE orders RENAME renamed"} {
		if _, err := db.Exec(sql); codeOf(err) != 1105 {
			t.Errorf("%s: %v", sql, err)
		}
	}
	want(t, rows(t, db, "SELECT COUNT(*) FROM orders"), "3")
	f.topo.mu.Lock()
	f.topo.keepsIDs = nil
	f.topo.mu.Unlock()
	exec(t, db, "RENAME TABLE orders TO renamed")
	exec(t, db, "INSERT INTO renamed (user_id) VALUES (1)")
	want(t, rows(t, db, "SELECT COUNT(DISTINCT order_id) FROM renamed"), "4")
}
