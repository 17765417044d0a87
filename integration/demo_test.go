package integration

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// TestDemo runs what a newcomer runs: it starts, the printed commands work when pasted, and
// Ctrl-C leaves no process, no port and no file behind.
func TestDemo(t *testing.T) {
	listen, admin, page := address(t), address(t), address(t)
	temp := testkit.Dir(t, "demo")
	p := testkit.New(t, testkit.Spec{Name: "demo", Env: []string{"TMPDIR=" + temp}, StartTimeout: 5 * time.Minute,
		Argv: []string{program(t, true), "demo", "-listen", listen, "-admin", admin, "-http", page},
		Ready: func(ctx context.Context) error {
			c, err := net.Dial("tcp", listen)
			if err == nil {
				c.Close()
			}
			return err
		}})
	p.Start()
	eventually(t, "the demo explains itself", func() bool { return strings.Contains(p.Log(), "Ctrl-C stops everything") })
	ran := 0
	for _, line := range strings.Split(p.Log(), "\n") {
		line = strings.TrimSpace(line)
		at := strings.Index(line, "mysql -h ")
		switch {
		case at >= 0 && strings.HasSuffix(line, "shop"):
			line += " -e 'SELECT * FROM users WHERE user_id = 42'"
		case at >= 0:
			line = line[at:]
		case strings.HasPrefix(line, "SELECT") || strings.HasPrefix(line, "EXPLAIN"):
			host, port, _ := net.SplitHostPort(listen)
			line = fmt.Sprintf("mysql -h %s -P %s -u app -papp shop -e '%s'", host, port, line)
		case strings.HasPrefix(line, "php ") || strings.HasPrefix(line, "sysbench "):
			line = strings.Replace(line, "--time=10", "--time=2", 1)
		default:
			continue
		}
		out, err := exec.Command("sh", "-c", line).CombinedOutput()
		if err != nil || len(bytes.TrimSpace(out)) == 0 || bytes.Contains(out, []byte("FATAL")) {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		ran++
	}
	if ran != 8 {
		t.Errorf("%d printed commands were found, want 8:\n%s", ran, p.Log())
	}
	servers, err := exec.Command("pgrep", "-f", temp).Output()
	if err != nil || len(bytes.Fields(servers)) < 4 {
		t.Errorf("the demo's servers: %q, %v", servers, err)
	}
	p.Signal(syscall.SIGINT)
	if code := p.Wait(60 * time.Second); code != 0 {
		t.Errorf("Ctrl-C: exit code %d\n%s", code, p.Log())
	}
	if left, _ := exec.Command("pgrep", "-f", temp).Output(); len(left) > 0 {
		t.Errorf("processes left behind: %s", left)
	}
	for _, addr := range []string{listen, admin, page} {
		if l, err := net.Listen("tcp", addr); err != nil {
			t.Errorf("port left behind: %v", err)
		} else {
			l.Close()
		}
	}
	if files, err := os.ReadDir(temp); err != nil || len(files) != 0 {
		t.Errorf("files left behind: %v %v", files, err)
	}
}

func address(t *testing.T) string { return fmt.Sprintf("127.0.0.1:%d", testkit.Port(t)) }
