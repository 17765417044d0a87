package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// shardServers are the demo's MariaDB servers.
type shardServers struct {
	addrs []string
	cmds  []*exec.Cmd
}

// shardAccount is what a proxy needs on a shard, as the documentation tells it to DBAs.
const shardAccount = `CREATE DATABASE IF NOT EXISTS shop;
CREATE USER IF NOT EXISTS 'sluice'@'127.0.0.1' IDENTIFIED BY 'sluice';
GRANT ALL PRIVILEGES ON *.* TO 'sluice'@'127.0.0.1';
`

// startShards initialises and starts n servers in directories of their own. What it has
// started is returned also with an error.
func startShards(ctx context.Context, dir string, n int, out io.Writer) (*shardServers, error) {
	s := &shardServers{}
	for _, program := range []string{"mariadbd", "mariadb-install-db", "mariadb"} {
		if _, err := exec.LookPath(program); err != nil {
			return s, fmt.Errorf("%s is not installed; make demo installs it", program)
		}
	}
	for i := range n {
		fmt.Fprintf(out, "== starting MariaDB shard %d of %d\n", i+1, n)
		if err := s.start(ctx, filepath.Join(dir, fmt.Sprintf("s%d", i))); err != nil {
			return s, fmt.Errorf("shard s%d: %w", i, err)
		}
	}
	return s, nil
}

func (s *shardServers) start(ctx context.Context, dir string) error {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var asRoot []string
	if os.Geteuid() == 0 {
		asRoot = []string{"--user=root"}
	}
	if _, err := os.Stat(filepath.Join(data, "mysql")); errors.Is(err, os.ErrNotExist) {
		args := append([]string{"--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir=" + data}, asRoot...)
		if out, err := exec.CommandContext(ctx, "mariadb-install-db", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("mariadb-install-db: %w: %s", err, lastLine(out))
		}
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(addr)
	// The path of a unix socket may have 107 bytes: the name is short, the directory the caller's.
	socket := filepath.Join(dir, "sock")
	account := filepath.Join(dir, "account.sql")
	if err := os.WriteFile(account, []byte(shardAccount), 0o600); err != nil {
		return err
	}
	args := append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + socket, "--bind-address=127.0.0.1", "--port=" + port,
		"--skip-name-resolve", "--character-set-server=utf8mb4", "--innodb-buffer-pool-size=64M", "--log-bin=" + filepath.Join(dir, "binlog"), "--binlog-format=ROW",
		"--server-id=" + port, "--max-connections=300", "--init-file=" + account, "--log-error=" + filepath.Join(dir, "error.log")}, asRoot...)
	cmd := exec.Command("mariadbd", args...)
	// Its own group: Ctrl-C reaches the demo alone, which then stops its servers in order.
	cmd.SysProcAttr = tied()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmds = append(s.cmds, cmd)
	s.addrs = append(s.addrs, addr)
	return awaitServer(ctx, cmd, addr, filepath.Join(dir, "error.log"))
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// freeAddress finds a port that nobody listens on, below the range of outgoing connections.
func freeAddress() (string, error) {
	for port := 13306; port < 32000; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port between 13306 and 32000")
}

const serverStartTimeout = 60 * time.Second

// awaitServer waits until the server greets.
func awaitServer(ctx context.Context, cmd *exec.Cmd, addr, errorLog string) error {
	ctx, cancel := context.WithTimeout(ctx, serverStartTimeout)
	defer cancel()
	for {
		if greets(addr) {
			return nil
		}
		if cmd.Process.Signal(syscall.Signal(0)) != nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("mariadbd does not answer: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	log, _ := os.ReadFile(errorLog)
	return fmt.Errorf("mariadbd ended at once: %s", lastLine(log))
}

func greets(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	if c.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return false
	}
	n, err := c.Read(make([]byte, 5))
	return err == nil && n > 0
}

const serverStopTimeout = 20 * time.Second

// stop ends all servers in an orderly way, at once, and waits for them.
func (s *shardServers) stop(out io.Writer) {
	if s == nil || len(s.cmds) == 0 {
		return
	}
	fmt.Fprintf(out, "== stopping %d MariaDB shards\n", len(s.cmds))
	for _, cmd := range s.cmds {
		_ = cmd.Process.Signal(syscall.SIGTERM) // an error: it has ended already
	}
	for _, cmd := range s.cmds {
		timer := time.AfterFunc(serverStopTimeout, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // its exit code does not matter any more
		timer.Stop()
	}
}
