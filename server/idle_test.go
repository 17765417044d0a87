package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"sluice/wire"
)

// idleServer makes a process of the test binary a server, so that its memory is the server's alone.
const idleServer = "SLUICE_TEST_IDLE_SERVER"

// runIdleServer serves until standard input ends; it prints its address.
func runIdleServer(certificate string) error {
	opts := Options{}
	if certificate != "plain" {
		pair, err := tls.LoadX509KeyPair(certificate, os.Getenv(idleServer+"_KEY"))
		if err != nil {
			return err
		}
		opts.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	f := &fixture{log: &logBuffer{}}
	f.Server = New(opts, everybody, f)
	if err := f.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println(f.Addr())
	done := make(chan error, 1)
	go func() { done <- f.Server.Serve(context.Background()) }()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return f.Close()
}

// TestIdleMemory: 5,000 idle clients, each of which has done something, in well below 200 MB.
func TestIdleMemory(t *testing.T) {
	for _, c := range []struct {
		name    string
		clients int
		most    int // MiB
	}{{"plain", 5000, 100}, {"tls", 1000, 100}} {
		t.Run(c.name, func(t *testing.T) {
			addr, pid := startIdleServer(t, c.name == "tls")
			before := memory(t, pid)
			conns := make([]net.Conn, c.clients)
			var wg sync.WaitGroup
			for w := range 50 {
				wg.Go(func() {
					for i := w; i < len(conns); i += 50 {
						conns[i] = idleClient(t, addr, c.name == "tls")
					}
				})
			}
			wg.Wait()
			after := memory(t, pid)
			t.Logf("%d idle clients: VmRSS %d KiB, without clients %d KiB: %.1f KiB each", c.clients, after, before, float64(after-before)/float64(c.clients))
			if most := c.most << 10 * memoryFactor; after > most {
				t.Errorf("VmRSS is %d KiB, more than %d KiB", after, most)
			}
			for _, nc := range conns {
				nc.Close()
			}
		})
	}
}

// TestRests: between two commands a client has neither goroutine nor coroutine; under TLS it waits on the loop, with a coroutine only, also
// after a command that left the loop.
func TestRests(t *testing.T) {
	for _, secure := range []bool{false, true} {
		opts, most := Options{}, 0
		if secure {
			opts.TLS, most = serverTLS(t), 1
		}
		f := start(t, opts)
		const n = 40
		before := runtime.NumGoroutine()
		for range n {
			nc := idleClient(t, f.addr, secure)
			t.Cleanup(func() { nc.Close() })
		}
		eventually(t, "the clients rest", func() bool { return runtime.NumGoroutine()-before < n*most+n/2 })
	}
}

func startIdleServer(t *testing.T, secure bool) (addr string, pid int) {
	t.Helper()
	env := []string{idleServer + "=plain"}
	if secure {
		files := certificateFiles(t)
		env = []string{idleServer + "=" + files[0], idleServer + "_KEY=" + files[1]}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server's process: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// idleClient logs in and asks something.
func idleClient(t *testing.T, addr string, secure bool) net.Conn {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		panic(err)
	}
	p := &peer{t: quiet{t}, Conn: nc}
	p.readGreeting()
	if b := p.authenticate("app", everybody["app"], nativePassword, secure); !wire.IsOK(b) {
		panic(fmt.Sprintf("%q", b))
	}
	p.wantWho("user=app")
	return p.Conn
}

// memory is the resident memory of a process in KiB.
func memory(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if n := 0; strings.HasPrefix(line, "VmRSS:") {
			if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
