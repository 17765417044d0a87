package integration

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// rss gives a process's resident memory and its peak, in MiB.
func rss(t *testing.T, pid int) (now, peak int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "VmRSS:":
			now = kb / 1024
		case "VmHWM:":
			peak = kb / 1024
		}
	}
	return now, peak
}

// TestLargeResults: a result of 500 MB (2 GB with SLUICE_SOAK) passes through a proxy that stays below 100 MB; so
// does one that is merged from all shards.
func TestLargeResults(t *testing.T) {
	relayed := int64(500)
	if os.Getenv("SLUICE_SOAK") != "" {
		relayed = 2000
	}
	c := start(t, setup{plain: true})
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 400)
	host, port := c.px[0].hostPort()
	for _, q := range []struct {
		name, sql string
		mb        int64
	}{
		{"relay", fmt.Sprintf("SELECT REPEAT('x', 1000000) FROM plain.seq_1_to_%d", relayed), relayed},
		{"merge", "SELECT user_id, REPEAT('x', 1000000) FROM users ORDER BY user_id", 400},
	} {
		t.Run(q.name, func(t *testing.T) {
			cmd := exec.Command("mariadb", "--no-defaults", "-h", host, "-P", port, "-uapp", "-papp", "--quick", "-N", "shop", "-e", q.sql)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, out)
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			if err != nil || n < q.mb*1000000 {
				t.Errorf("%d bytes (%v), want %d MB", n, err, q.mb)
			}
			if _, peak := rss(t, c.px[0].PID()); peak > 100 {
				t.Errorf("the proxy's memory went up to %d MiB", peak)
			} else {
				t.Logf("%d MB passed; the proxy's peak is %d MiB", n/1000000, peak)
			}
		})
	}
}

// TestIdleClients: 5,000 clients that have logged in and wait.
func TestIdleClients(t *testing.T) {
	c := start(t, setup{plain: true, shards: 2})
	const clients = 5000
	conns := make([]net.Conn, 0, clients)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for range clients {
		conn, err := login(c.px[0].data, "guest", "guest", "plain")
		if err != nil {
			t.Fatalf("client %d: %v", len(conns)+1, err)
		}
		conns = append(conns, conn)
	}
	if got := column(t, c.px[0].dba(), "SHOW SESSIONS", "id"); len(got) != clients {
		t.Errorf("%d sessions", len(got))
	}
	now, _ := rss(t, c.px[0].PID())
	t.Logf("%d idle clients: %d MiB", clients, now)
	if now > 200 {
		t.Errorf("%d idle clients take %d MiB", clients, now)
	}
}
