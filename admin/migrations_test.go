package admin

import (
	"testing"

	"sluice/reshard"
)

// TestMigrationTexts: what SHOW MIGRATIONS says of a copy that waits or is slowed down, and no
// longer when it is over.
func TestMigrationTexts(t *testing.T) {
	lags := reshard.Progress{Waiting: "the copy waits: the replica 10.0.0.9:3306 of shard s1 lags 14 s", ETA: -1, Copied: 10, Total: 100}
	slow := reshard.Progress{Throttle: 0.4, Why: "the replica 10.0.0.9:3306 of shard s1 lags 3 s", Rate: 10, ETA: 90.4, Trouble: "shard s0 is not available"}
	for _, x := range []struct {
		record       reshard.Record
		progress     reshard.Progress
		phase, waits string
		eta          any
	}{
		{reshard.Record{Phase: reshard.Copying}, lags, "copying", lags.Waiting, "never, at this rate"},
		{reshard.Record{Phase: reshard.Copying}, slow, "copying", "slowed down by 40 %: " + slow.Why + "; last trouble of the stream: shard s0 is not available", "about 1m30s"},
		{reshard.Record{Phase: reshard.Copying, Paused: true}, reshard.Progress{ETA: -1}, "copying (paused)", "", "never, at this rate"},
		{reshard.Record{Phase: reshard.Ready}, slow, "ready", "last trouble of the stream: shard s0 is not available", nil},
		{reshard.Record{Phase: reshard.Failed, From: reshard.Copying}, lags, "failed while copying", "", nil},
		{reshard.Record{Phase: reshard.Cancelled}, slow, "cancelled", "", nil},
		{reshard.Record{Phase: reshard.Completed}, lags, "completed", "", nil},
	} {
		m := &reshard.Migration{Record: x.record, Progress: x.progress}
		if got := phase(m); got != x.phase {
			t.Errorf("%s is shown as %q", x.phase, got)
		}
		if got := waiting(m); got != x.waits {
			t.Errorf("%s waits for %q, want %q", x.phase, got, x.waits)
		}
		if got := eta(m); got != x.eta {
			t.Errorf("%s: eta %v, want %v", x.phase, got, x.eta)
		}
	}
}
