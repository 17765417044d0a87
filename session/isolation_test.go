package session

import (
	"testing"

	"sluice/query"
)

// TestServersIsolation: sessions know of a level that the servers have by themselves, under which every SELECT locks.
func TestServersIsolation(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"10.11.6-MariaDB", "9.1.0"} {
		for level, want := range map[string]bool{"SERIALIZABLE": true, "REPEATABLE-READ": false} {
			h := &Handler{intern: newInterner()}
			h.defaults.mode = query.Version(version)
			h.defaults.isolation = level
			tx := transaction{state: &state{h: h, vars: h.initial(45)}}
			tx.start("BEGIN")
			if got := tx.serializable(); got != want {
				t.Errorf("%s, %s: %v", version, level, got)
			}
		}
	}
}
