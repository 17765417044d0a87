package server

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"sluice/wire"
)

// TestHandshakeSeeds: the seeds of the fuzzing are good, so that it starts from good packets.
func TestHandshakeSeeds(t *testing.T) {
	for _, b := range handshakeSeeds() {
		if _, err := parseHandshake(b, capAlways|wire.ClientSSL|wire.ClientZstd|wire.ClientCompress, true); err != nil {
			t.Errorf("%q: %v", b, err)
		}
	}
}

// handshakeSeeds are whole handshake responses, some as real clients send them.
func handshakeSeeds() [][]byte {
	attrs := string(wire.AppendLenencString(nil, "\x04_pid\x0212\x03_os\x05Linux"))
	return [][]byte{
		loginPacket{caps: peerCaps, user: "app", plugin: nativePassword, response: make([]byte, 20)}.bytes(),
		loginPacket{caps: peerCaps | wire.ClientConnectWithDB, user: "app", schema: "shop", plugin: cachingSHA2, response: make([]byte, 32)}.bytes(),
		loginPacket{caps: peerCaps | wire.ClientConnectAttrs | wire.ClientPluginAuthLenenc, user: "app", plugin: nativePassword, attrs: attrs}.bytes(),
		loginPacket{caps: peerCaps | wire.ClientConnectAttrs | wire.ClientZstd, plugin: nativePassword, attrs: attrs, tail: "\x03"}.bytes(),
		loginPacket{caps: peerCaps | wire.ClientSSL}.bytes()[:sslRequestSize],
		loginPacket{caps: wire.ClientProtocol41, user: "old"}.bytes(),
	}
}

func FuzzHandshake(f *testing.F) {
	for _, b := range handshakeSeeds() {
		f.Add(b, capAlways|wire.ClientSSL|wire.ClientZstd|wire.ClientCompress)
		f.Add(b[:len(b)-1], capAlways)
	}
	f.Fuzz(func(t *testing.T, b []byte, offered uint32) {
		before := bytes.Clone(b)
		id, err := parseHandshake(b, offered, len(b)%2 == 0)
		if !bytes.Equal(b, before) {
			t.Fatal("the packet was changed")
		}
		checkIdentity(t, id, err, len(b), offered)
	})
}

func FuzzChangeUser(f *testing.F) {
	f.Add([]byte("app\x00\x14aaaaaaaaaaaaaaaaaaaashop\x00\x2d\x00mysql_native_password\x00\x09\x04_pid\x0312"), capAlways)
	f.Add([]byte("app\x00\x00\x00"), capAlways)
	f.Add([]byte("app\x00\x00shop\x00\x2d\x00caching_sha2_password"), capAlways)
	f.Add([]byte("app\x00old\x00shop\x00"), wire.ClientProtocol41)
	f.Fuzz(func(t *testing.T, b []byte, caps uint32) {
		id, err := parseChangeUser(b, caps, 45)
		checkIdentity(t, id, err, len(b), caps)
	})
}

// checkIdentity checks what must hold for every packet: an answer for the client or a
// value, and nothing in it that the packet had no room for.
func checkIdentity(t *testing.T, id *identity, err error, size int, offered uint32) {
	t.Helper()
	if err != nil {
		if r := explain(err, false); r.answer == nil || id != nil {
			t.Fatalf("no answer for %v", err)
		}
		return
	}
	total := len(id.user) + len(id.schema) + len(id.plugin) + len(id.response)
	for k, v := range id.attributes {
		total += len(k) + len(v)
	}
	if total > size || id.caps&^offered != 0 || len(id.attributes) > maxAttributes || id.zstdLevel > 22 {
		t.Fatalf("%v out of %d bytes", id, size)
	}
	if strings.ContainsRune(id.user+id.schema, 0) {
		t.Fatal("a NUL in a name")
	}
	_ = denied(id, loopback[0].Addr())
}

func FuzzProxyHeader(f *testing.F) {
	for _, c := range goodHeaders(f) {
		f.Add([]byte(c.header))
	}
	for _, b := range badHeaders {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, size, err := parseProxy(b)
		switch {
		case err == nil && (size < 15 || size > len(b) || size > proxyMax):
			t.Fatalf("size %d of %d bytes", size, len(b))
		case errors.Is(err, errProxyShort) && len(b) >= proxyMax:
			t.Fatalf("%d bytes are not enough", len(b))
		case err != nil && !errors.Is(err, errProxy) && !errors.Is(err, errProxyShort):
			t.Fatalf("unknown error %v", err)
		case err != nil && addr.IsValid():
			t.Fatal("an address from a bad header")
		}
		// What is enough is enough whatever follows, and no start of it is.
		if err == nil {
			again, n, err := parseProxy(append(bytes.Clone(b[:size]), "PROXY UNKNOWN\r\n"...))
			if again != addr || n != size || err != nil {
				t.Fatalf("with bytes behind it: %v %d %v", again, n, err)
			}
			if _, _, err := parseProxy(b[:size-1]); !errors.Is(err, errProxyShort) {
				t.Fatalf("without its last byte: %v", err)
			}
		}
	})
}
