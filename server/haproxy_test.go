package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"sluice/internal/testkit"
)

// TestHAProxy stands behind a real HAProxy with both versions of the header.
func TestHAProxy(t *testing.T) {
	for _, option := range []string{"send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c"} {
		t.Run(option, func(t *testing.T) {
			var greeted atomic.Uint32
			f := start(t, Options{ProxyNetworks: loopback, MaxConnections: 2, IDs: func() uint32 { return greeted.Add(1) }})
			front := fmt.Sprintf("127.0.0.1:%d", testkit.Port(t))
			startHAProxy(t, front, fmt.Sprintf("server s %s %s", f.addr, option))
			eventually(t, "its own probe has come and gone", func() bool { return greeted.Load() > 0 && f.open() == 0 })
			behind := &fixture{Server: f.Server, addr: front}
			p := behind.greeted(t).login("app")
			p.wantWho("user=app")
			if got, want := f.Find(p.id).Remote.String(), p.LocalAddr().String(); got != want {
				t.Errorf("the client is %s, want %s", got, want)
			}
			behind.greeted(t).login("app")
			full := behind.dial(t)
			if b := full.read(); string(b) != "\xff\x10\x04Too many connections" {
				t.Errorf("got %q", b)
			}
		})
	}
}

func startHAProxy(t *testing.T, front, server string) {
	t.Helper()
	dir := testkit.Dir(t, "haproxy")
	file := filepath.Join(dir, "haproxy.cfg")
	config := fmt.Sprintf(`defaults
	mode tcp
	timeout connect 5s
	timeout client 60s
	timeout server 60s
listen l
	bind %s
	unique-id-format %%{+X}o\ %%ci
	%s
`, front, server)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Start(t, testkit.Spec{Name: "haproxy", Argv: []string{"haproxy", "-db", "-f", file}, Dir: dir,
		Ready: func(ctx context.Context) error {
			nc, err := new(net.Dialer).DialContext(ctx, "tcp", front)
			if err == nil {
				nc.Close()
			}
			return err
		}})
}
