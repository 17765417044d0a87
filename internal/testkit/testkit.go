// Package testkit gives tests the real things: MariaDB, Oracle MySQL, Redis and etcd servers,
// certificates, and a link that can be cut, delayed or stalled.
//
// Every server is a process of its own, in a temporary directory, on loopback ports below
// the kernel's ephemeral range. It ends with the test that started it, and also when the test
// binary dies of a panic, a timeout or SIGKILL: a small watcher process then ends what is left.
// Nothing is ever skipped: a server that cannot start fails the test and says why.
//
// The kit knows nothing of Sluice's own packages, so that it can test all of them.
package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// TB is what the kit needs of a test. *testing.T, *testing.B and *testing.F have it; a
// program that is no test can bring its own.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}

// room is the part of the machine that one test binary uses: a directory for everything its
// servers write, and a watcher that clears it up when the binary is gone.
type room struct {
	dir  string
	pids string // a file named for each living process group
	eof  *os.File
}

// watcherScript waits until standard input ends, which is when the test binary has ended in
// whatever way, and then ends the process groups that are still listed. A parent-death signal
// would not do: it fires when the starting *thread* ends, and Go's threads come and go.
const watcherScript = `
cat >/dev/null
for f in "$1"/pids/*; do
	[ -e "$f" ] && kill -s KILL -- "-${f##*/}" 2>/dev/null
done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
`

var openRoom = sync.OnceValues(newRoom)

func newRoom() (*room, error) {
	base := os.TempDir()
	if len(base) > 40 { // the path of a unix socket has 107 bytes
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "sluice-test-")
	if err != nil {
		return nil, err
	}
	r := &room{dir: dir, pids: filepath.Join(dir, "pids")}
	if err := os.Mkdir(r.pids, 0o755); err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command("/bin/sh", "-c", watcherScript, "sluice-test-watcher", dir)
	cmd.Dir = "/"
	cmd.Stdin = read
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("watcher: %w", err)
	}
	r.eof = write // held open as long as this process lives
	return r, nil
}

func theRoom(t TB) *room {
	t.Helper()
	r, err := openRoom()
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	return r
}

// Dir makes a directory for one server or one purpose of a test; it is removed with the test.
// Unlike t.TempDir its path is short, as unix sockets need it, and it is removed as well when
// the test binary dies.
func Dir(t TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp(theRoom(t).dir, name+"-")
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("testkit: %v", err)
		}
	})
	return dir
}
