package integration

import (
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// TestLimitsFollow: what LIMIT sets at one proxy's admin port holds on the others, each of which counts for itself and says
// so; a proxy that starts again has it, and what is taken away at another one is gone on all.
func TestLimitsFollow(t *testing.T) {
	c := start(t, setup{shards: 2, etcd: testkit.Etcd(t).Addr})
	c.addProxy()
	create(t, c.open("shop", interpolated))
	const sql = "SELECT COUNT(*) FROM settings"
	shows := func(p *px, want string) {
		t.Helper()
		var got []string
		eventually(t, "SHOW LIMITS begins with "+want, func() bool {
			got, _ = tryRows(p.dba(), "SHOW LIMITS")
			return len(got) == strings.Count(want, "\n")+1 && strings.HasPrefix(strings.Join(got, "\n"), want)
		})
	}
	one, other := c.px[0], c.px[1]
	// of, name, concurrency, queue, wait_ms, time_ms, rows, running, waiting, refused
	const limit = "user\tapp\t0\t100\t700\tNULL\tNULL\t0\t0\t"
	must(t, one.dba(), "LIMIT USER app CONCURRENCY 0 WAIT 700ms")
	shows(one, limit+"0")
	shows(other, limit+"0")
	for range 2 {
		expectError(t, other.open("shop", interpolated), sql, 1226, "sluice: user app: none are let through")
	}
	shows(other, limit+"2")
	shows(one, limit+"0")
	other.Kill()
	other.Start()
	shows(other, limit+"0")
	expectError(t, other.open("shop", interpolated), sql, 1226)

	must(t, other.dba(), "LIMIT USER app CONCURRENCY 2") // the rest of it stays
	shows(one, "user\tapp\t2\t100\t700\tNULL\tNULL\t0\t0\t0")
	expect(t, one.open("shop", interpolated), sql, "0")
	must(t, other.dba(), "LIMIT USER app OFF", "LIMIT SCHEMA shop ROWS 5", "UNLIMIT SCHEMA shop")
	for _, p := range c.px {
		eventually(t, "no limit", func() bool { got, err := tryRows(p.dba(), "SHOW LIMITS"); return err == nil && len(got) == 0 })
		expect(t, p.open("shop", interpolated), sql, "0")
	}
}
