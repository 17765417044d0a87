package model

import (
	"os"
	"strings"
	"testing"
)

// instances are small enough for every run; each has what the others have not.
var instances = map[string]Cutover{
	"branches":  {Proxies: 2, Writes: 1, Attempts: 2, XA: true, Leases: 1},
	"take-over": {Proxies: 1, Writes: 1, Attempts: 2, TakeOver: true, Leases: 1},
	"reads":     {Proxies: 2, Writes: 2, Attempts: 1, Reads: true, Leases: 1, Rejoins: true},
	"snapshots": {Proxies: 1, Writes: 2, Attempts: 1, Snaps: true},
	"revert":    {Proxies: 1, Writes: 2, Attempts: 2, Revert: true, Leases: 1},
	"complete":  {Proxies: 2, Writes: 2, Attempts: 1, Reads: true, Complete: true, Leases: 1},
}

// large are for an evening.
var large = map[string]Cutover{
	"branches and take-over": {Proxies: 2, Writes: 2, Attempts: 2, XA: true, TakeOver: true, Leases: 1},
	"reads and take-over":    {Proxies: 2, Writes: 2, Attempts: 1, Reads: true, TakeOver: true, Leases: 1, Rejoins: true},
	"revert and take-over":   {Proxies: 1, Writes: 2, Attempts: 2, TakeOver: true, Revert: true, Leases: 1},
	"revert of two":          {Proxies: 2, Writes: 2, Attempts: 2, Reads: true, Snaps: true, Revert: true, Leases: 1},
	"three writes":           {Proxies: 2, Writes: 3, Attempts: 2, XA: true, Revert: true, Complete: true, Leases: 1},
}

const enough = 4_000_000 // states; a gigabyte

func TestCutover(t *testing.T) {
	for name, c := range instances {
		t.Run(name, func(t *testing.T) { t.Parallel(); sound(t, c.Search(enough)) })
	}
	if os.Getenv("SLUICE_SOAK") == "" {
		return
	}
	for name, c := range large { // one after the other: they are large
		t.Run(name, func(t *testing.T) { sound(t, c.Search(enough)) })
	}
}

func sound(t *testing.T, r Result) {
	t.Helper()
	if r.Fault != "" {
		t.Error(r)
	} else if !r.Whole {
		t.Logf("no fault in the first %d states", r.States)
	} else {
		t.Log(r)
	}
}

// TestCutoverSafeguards takes the safeguards away one by one: each of them has a reason.
func TestCutoverSafeguards(t *testing.T) {
	for _, x := range []struct {
		name     string
		off      Safeguard
		instance string
		want     string
	}{
		{"no fence", FenceAtAll, "branches", "lost write"},
		{"FENCE does not wait for transactions", FenceWaits, "branches", "lost write"},
		{"fence rows without tokens", FenceTokens, "take-over", "lost write"},
		{"prepared branches are not awaited", PreparedAwaited, "branches", "lost write"},
		{"FENCE's own event is the marker", MarkerAfterFence, "branches", "lost write"},
		{"the switch does not wait for the marker", MarkerApplied, "branches", "lost write"},
		{"acknowledgements are not awaited", AckWait, "reads", "stale read"},
		{"a lost proxy serves M", LeaseLook, "reads", "stale read"},
		{"the commit point does not compare the attempt", GuardedSwitch, "take-over", "lost write"},
		{"an abort goes on although the map did not change", GuardedAbort, "take-over", "lost write"},
		{"applies do not compare the mover's token", ProgressToken, "take-over", "lost write"},
		{"applies do not look at the fence", ApplyAtFenced, "take-over", "lost write"},
		{"the forward row stays when the stream turns", TurnTakesToken, "revert", "lost write"},
		{"old snapshots may read M", SnapshotRule, "snapshots", "stale read"},
		{"a proxy reads the map, then takes its lease", LeaseBeforeMap, "reads", "stale read"},
		{"a session looks at the map, then notes", NoteBeforeLook, "complete", "lost write"},
		{"old connections live when the triggers go", KillIdle, "complete", "lost write"},
		{"old connections live when M comes back", KillIdle, "revert", "lost write"},
		{"no tombstone", Tombstone, "complete", "lost write"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := instances[x.instance]
			c.Off = x.off
			r := c.Search(enough)
			if r.Fault == "" || !strings.Contains(r.Fault, x.want) {
				t.Fatalf("want a fault %q: %s", x.want, r)
			}
			t.Log(r)
		})
	}
}
