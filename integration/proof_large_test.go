package integration

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// TestProofLarge moves half of a table of ten million rows (SLUICE_ROWS says otherwise) that has
// no index on its shard key. The proxy's memory does not grow with the rows. In a soak only.
func TestProofLarge(t *testing.T) {
	if !soak() {
		t.Skip("takes minutes; SLUICE_SOAK=1")
	}
	n := 10_000_000
	if v, err := strconv.Atoi(os.Getenv("SLUICE_ROWS")); err == nil {
		n = v
	}
	var s setup
	for i := range 2 {
		s.on = append(s.on, testkit.StartServer(t, s.flavor, testkit.Binlog(100+i), testkit.Args("--binlog-format=ROW", "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=512M")))
	}
	s.schemas, s.etcd = proofSchema, testkit.Etcd(t).Addr
	c := start(t, s)
	must(t, c.open("shop"), "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL, pad VARCHAR(120) NOT NULL)")
	owned := [2]string{"MOD(CRC32(seq % 1000000), 16384) < 8192", "MOD(CRC32(seq % 1000000), 16384) >= 8192"}
	for i, server := range c.servers {
		for from := 0; from < n; from += 1_000_000 {
			server.Exec(fmt.Sprintf("USE shop; INSERT INTO things SELECT seq, seq %% 1000000, REPEAT(MD5(seq), 3) FROM seq_%d_to_%d WHERE %s", from+1, min(from+1_000_000, n), owned[i]))
		}
	}
	moving := c.servers[0].Value("SELECT COUNT(*) FROM shop.things WHERE MOD(CRC32(user_id), 16384) < 8192")
	before := memoryOf(t, c.px[0])
	d := newDBA(&traffic{t: t, c: c}, c.px[0])
	began := time.Now()
	id := d.start("MOVE SLOTS 0-8191 TO s1 AUTO")
	var used []int
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.await(3*time.Hour, "completed", id...)
	}()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		case <-time.After(time.Second):
			used = append(used, memoryOf(t, c.px[0]))
		}
	}
	took := time.Since(began)
	for _, r := range rows(t, d.admin, "SHOW MIGRATION "+id[0]) {
		t.Log(r)
	}
	if got := c.servers[1].Value("SELECT COUNT(*) FROM shop.things WHERE MOD(CRC32(user_id), 16384) < 8192 AND pad = REPEAT(MD5(id), 3)"); got != moving {
		t.Errorf("%s rows of %s are there", got, moving)
	}
	if got := c.servers[0].Value("SELECT COUNT(*) FROM shop.things"); got != "0" {
		t.Errorf("%s rows are left", got)
	}
	half := len(used) / 2
	t.Logf("%s of %d rows in %v; the proxy had %d MiB before, at most %d in the first half of the time and %d in the second", moving, n, took.Round(time.Second),
		before, slices.Max(used[:half]), slices.Max(used[half:]))
	if most := slices.Max(used); most > before+250 {
		t.Errorf("the proxy had %d MiB", most)
	}
}

var residentSize = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// memoryOf is what a proxy has in memory, in MiB.
func memoryOf(t *testing.T, p *px) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	m := residentSize.FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmRSS: %s", status)
	}
	n, _ := strconv.Atoi(string(m[1])) // digits
	return n / 1024
}
