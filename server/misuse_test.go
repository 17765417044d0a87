package server

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/wire"
)

// TestMisuse is the table of what a client can do wrong before it is logged in. Each case
// ends its own connection, with a clear error where one can be heard, and no other.
func TestMisuse(t *testing.T) {
	f := start(t, Options{TLS: serverTLS(t), Compression: true, HandshakeTimeout: 300 * time.Millisecond, MaxHandshake: 8 << 10})
	bystander := f.greeted(t).login("app")
	good := loginPacket{caps: peerCaps, user: "app", plugin: nativePassword, response: make([]byte, 20)}
	cases := []struct {
		name string
		send func(p *peer)
		code uint16 // 0: closed without a word
	}{
		{"garbage", func(p *peer) { p.Write([]byte("GET / HTTP/1.1\r\nHost: db\r\n\r\n")) }, 1156},
		{"garbage with the right number", func(p *peer) { p.send(bytes.Repeat([]byte{0xaa}, 64)) }, 1043},
		{"empty packet", func(p *peer) { p.send(nil) }, 1043},
		{"a NUL", func(p *peer) { p.send([]byte{0}) }, 1043},
		{"protocol of MySQL 4.0", func(p *peer) { p.send([]byte("\x05\x00\x00\x00\x01root\x00\x00")) }, 1043},
		{"wrong sequence number", func(p *peer) { p.seq = 5; p.send(good.bytes()) }, 1156},
		{"command instead of a login", func(p *peer) { p.seq = 0; p.send([]byte("\x03SELECT 1")) }, 1156},
		{"too large", func(p *peer) { p.send(append(good.bytes(), make([]byte, 9000)...)) }, 1153},
		{"16 MiB", func(p *peer) { p.Write(append([]byte{0xff, 0xff, 0xff, 1}, make([]byte, 1<<16)...)) }, 1153},
		{"many pieces", func(p *peer) { p.Write(bytes.Repeat([]byte{0xff, 0xff, 0xff, 1}, 100)) }, 1153},
		{"no NUL behind the user", func(p *peer) { b := good.bytes(); p.send(b[:35]) }, 1043},
		{"response longer than the packet", func(p *peer) { b := good.bytes(); b[36] = 250; p.send(b) }, 1043},
		{"schema without NUL", func(p *peer) {
			p.send(loginPacket{caps: wire.ClientProtocol41 | wire.ClientSecureConnection | wire.ClientConnectWithDB, user: "app", schema: "x"}.bytes()[:38])
		}, 1043},
		{"attributes longer than the packet", func(p *peer) {
			g := good
			g.caps |= wire.ClientConnectAttrs
			g.attrs = "\xfe\xff\xff\xff\xff\xff\xff\xff\xff"
			p.send(g.bytes())
		}, 1043},
		{"attributes wrap around", func(p *peer) {
			g := good
			g.caps |= wire.ClientConnectAttrs
			g.attrs = "\x02\xfd\xff"
			p.send(g.bytes())
		}, 1043},
		{"attribute without value", func(p *peer) { g := good; g.caps |= wire.ClientConnectAttrs; g.attrs = "\x02\x01k"; p.send(g.bytes()) }, 1043},
		{"zstd without a level", func(p *peer) { g := good; g.caps |= wire.ClientZstd; p.send(g.bytes()) }, 1043},
		{"zstd level 0", func(p *peer) { g := good; g.caps |= wire.ClientZstd; g.tail = "\x00"; p.send(g.bytes()) }, 1043},
		{"zstd level 23", func(p *peer) { g := good; g.caps |= wire.ClientZstd; g.tail = "\x17"; p.send(g.bytes()) }, 1043},
		{"response of a wrong length", func(p *peer) { g := good; g.response = make([]byte, 19); p.send(g.bytes()) }, 1045},
		{"user of 5000 bytes", func(p *peer) { g := good; g.user = strings.Repeat("u", 5000); p.send(g.bytes()) }, 1045},
		{"wrong number after a switch", func(p *peer) {
			g := good
			g.plugin = cachingSHA2
			p.send(g.bytes())
			p.read()
			p.seq = 9
			p.send(make([]byte, 32))
		}, 1156},
		{"large answer to a switch", func(p *peer) {
			g := good
			g.plugin = cachingSHA2
			p.send(g.bytes())
			p.read()
			p.send(make([]byte, 9000))
		}, 1153},
		{"plain bytes behind the request for TLS", func(p *peer) {
			p.Write(append(frame(1, loginPacket{caps: peerCaps | wire.ClientSSL}.bytes()[:32]), frame(2, good.bytes())...))
		}, 0},
		{"request for TLS with a tail", func(p *peer) { p.send(append(loginPacket{caps: peerCaps | wire.ClientSSL}.bytes()[:32], 0)) }, 1043},
		{"request for TLS, then plain", func(p *peer) { p.send(loginPacket{caps: peerCaps | wire.ClientSSL}.bytes()[:32]); p.send(good.bytes()) }, 0},
		{"request for TLS inside TLS", func(p *peer) { p.startTLS(peerCaps); p.send(loginPacket{caps: peerCaps | wire.ClientSSL}.bytes()[:32]) }, 1043},
		{"silence", func(*peer) {}, 0},
		{"silence inside a packet", func(p *peer) { p.Write([]byte{100, 0, 0, 1, 5}) }, 0},
		{"silence after the request for TLS", func(p *peer) { p.send(loginPacket{caps: peerCaps | wire.ClientSSL}.bytes()[:32]) }, 0},
		{"silence after a switch", func(p *peer) { g := good; g.plugin = cachingSHA2; p.send(g.bytes()); p.read() }, 0},
		{"gone inside a packet", func(p *peer) { p.Write([]byte{100, 0, 0, 1, 5}); p.Conn.(*net.TCPConn).CloseWrite() }, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := f.greeted(t)
			c.send(p)
			if c.code != 0 {
				p.wantError(c.code, "")
				return
			}
			if b, err := io.ReadAll(p); err == nil && bytes.Contains(b, []byte("\xff")) && !strings.Contains(c.name, "TLS") {
				t.Fatalf("got %q", b)
			}
		})
	}
	if n := f.served.Load(); n != 1 {
		t.Errorf("%d clients reached the handler", n)
	}
	bystander.wantWho("user=app")
	if strings.Contains(f.log.String(), "level=ERROR") {
		t.Error("the server has logged an error of its own")
	}
	if strings.Contains(f.log.String(), everybody["app"]) {
		t.Error("a password is in the log")
	}
}

// TestAnswerArrives: a client that sends far too much can send all of it and then finds the
// answer, before the login and after it.
func TestAnswerArrives(t *testing.T) {
	f := start(t, Options{MaxPacket: 1 << 20})
	big := make([]byte, 12<<20)
	for name, p := range map[string]*peer{"before": f.greeted(t), "after": f.greeted(t).login("app")} {
		if name == "after" {
			p.seq = 0
		}
		if _, err := p.Write(frame(p.seq, big)); err != nil {
			t.Errorf("%s the login: %v", name, err)
		}
		p.wantError(1153, "")
	}
}

// TestDribble: a client that sends a byte now and then is not given more time by that.
func TestDribble(t *testing.T) {
	f := start(t, Options{HandshakeTimeout: 200 * time.Millisecond})
	p := f.greeted(t)
	begin := time.Now()
	for _, b := range frame(1, make([]byte, 1000)) {
		if _, err := p.Write([]byte{b}); err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
		if time.Since(begin) > 10*time.Second {
			t.Fatal("it still takes bytes")
		}
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("cut off after %v", took)
	}
}

// TestHandshakeMemory: what strangers send before they log in is not collected.
func TestHandshakeMemory(t *testing.T) {
	f := start(t, Options{HandshakeTimeout: 5 * time.Second})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	piece := append([]byte{0xff, 0xff, 0xff, 1}, make([]byte, 1<<20)...)
	for range 20 {
		p := f.greeted(t)
		for range 8 {
			if _, err := p.Write(piece); err != nil {
				break
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

// TestPanic: a handler that panics ends its own connection and no other.
func TestPanic(t *testing.T) {
	f := start(t, Options{})
	bystander := f.greeted(t).login("app")
	p := f.greeted(t).login("app")
	p.seq = 0
	p.send([]byte("\x03PANIC"))
	p.wantClosed()
	eventually(t, "the panic is in the log", func() bool { return strings.Contains(f.log.String(), "asked for") })
	bystander.wantWho("user=app")
	eventually(t, "the client that panicked is not registered any more", func() bool { return len(f.Clients()) == 1 })
}
