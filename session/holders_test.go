package session_test

import (
	"testing"

	"sluice/internal/testkit"
)

// TestUsedLock: IS_USED_LOCK() gives the number by which clients know who has a lock, not the shard's.
func TestUsedLock(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		f := newFront(t, frontOptions{flavor: flavor, shards: 2})
		f.tables()
		a, b := on{conn(t, f.open(""))}, on{conn(t, f.open(""))}
		want(t, rows(t, a, "SELECT IS_USED_LOCK('used')"), "NULL")
		want(t, rows(t, a, "SELECT GET_LOCK('used', 1)"), "1")
		id := rows(t, a, "SELECT CONNECTION_ID()")
		for _, c := range []on{a, b} {
			want(t, rows(t, c, "SELECT IS_USED_LOCK('used')"), id)
			want(t, rows(t, c, "SELECT IS_USED_LOCK('used') = CONNECTION_ID() AS mine, IS_FREE_LOCK('used')"), map[bool]string{true: "1|0", false: "0|0"}[c == a])
			want(t, rows(t, c, "SELECT is_used_lock( 'other' ) IS NULL, COUNT(*) FROM users"), "1|0")
		}
		want(t, rows(t, b, "SELECT ? + IS_USED_LOCK('used') = ?", 0, id), "1")
		_, err := tryRows(b, "SELECT IS_USED_LOCK(CONCAT('us', 'ed'))")
		wantCode(t, err, 1235)
		_, err = tryRows(b, "SELECT IS_USED_LOCK(?)", "used")
		wantCode(t, err, 1235)
		want(t, rows(t, a, "SELECT RELEASE_LOCK('used')"), "1")
		want(t, rows(t, b, "SELECT IS_USED_LOCK('used')"), "NULL")
		if home := testkit.Shared(t, flavor, 0); home.Value("SELECT GET_LOCK('past', 1)") == "1" { // its connection ends, and so may the lock
			_, err := tryRows(b, "SELECT IS_USED_LOCK('past')")
			if err != nil {
				wantCode(t, err, 1235)
			}
		}
	})
}
