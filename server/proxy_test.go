package server

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// header writes a PROXY header by another implementation's hand.
func header(t testing.TB, version byte, command proxyproto.ProtocolVersionAndCommand, family proxyproto.AddressFamilyAndProtocol, from, to net.Addr, tlvs ...proxyproto.TLV) []byte {
	t.Helper()
	h := &proxyproto.Header{Version: version, Command: command, TransportProtocol: family, SourceAddr: from, DestinationAddr: to}
	if len(tlvs) > 0 {
		if err := h.SetTLVs(tlvs); err != nil {
			t.Fatal(err)
		}
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tcp(s string) *net.TCPAddr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// goodHeaders are headers and the clients that they name; "" is the connection's own peer.
func goodHeaders(t testing.TB) map[string]struct{ header, client string } {
	v4, v6 := tcp("192.0.2.7:51234"), tcp("[2001:db8::7]:1")
	to4, to6 := tcp("192.0.2.1:3306"), tcp("[2001:db8::1]:3306")
	type c = struct{ header, client string }
	return map[string]c{
		"v1 TCP4":              {string(header(t, 1, proxyproto.PROXY, proxyproto.TCPv4, v4, to4)), "192.0.2.7:51234"},
		"v1 TCP6":              {string(header(t, 1, proxyproto.PROXY, proxyproto.TCPv6, v6, to6)), "[2001:db8::7]:1"},
		"v1 UNKNOWN":           {"PROXY UNKNOWN\r\n", ""},
		"v1 UNKNOWN with more": {"PROXY UNKNOWN 192.0.2.7 192.0.2.1 1 2\r\n", ""},
		"v1 longest":           {"PROXY UNKNOWN " + strings.Repeat("f", proxy1Max-16) + "\r\n", ""},
		"v1 mapped":            {"PROXY TCP6 ::ffff:192.0.2.7 ::1 5 6\r\n", "192.0.2.7:5"},
		"v2 TCP4":              {string(header(t, 2, proxyproto.PROXY, proxyproto.TCPv4, v4, to4)), "192.0.2.7:51234"},
		"v2 TCP6":              {string(header(t, 2, proxyproto.PROXY, proxyproto.TCPv6, v6, to6)), "[2001:db8::7]:1"},
		"v2 LOCAL":             {string(header(t, 2, proxyproto.LOCAL, proxyproto.TCPv4, v4, to4)), ""},
		"v2 unspecified":       {string(proxy2Signature) + "\x21\x00\x00\x00", ""},
		"v2 unix":              {string(proxy2Signature) + "\x21\x31\x00\xd8" + strings.Repeat("/", 216), ""},
		"v2 with extensions": {string(header(t, 2, proxyproto.PROXY, proxyproto.TCPv4, v4, to4,
			proxyproto.TLV{Type: proxyproto.PP2_TYPE_AUTHORITY, Value: []byte("db.example")},
			proxyproto.TLV{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, 300)})), "192.0.2.7:51234"},
	}
}

var badHeaders = map[string]string{
	"no header, garbage":        "\x01\x00\x00\x01garbage",
	"v1 lower case":             "proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
	"v1 no end":                 "PROXY " + strings.Repeat("x", 200),
	"v1 one byte too long":      "PROXY UNKNOWN " + strings.Repeat("f", proxy1Max-15) + "\r\n",
	"v1 UDP":                    "PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
	"v1 nothing":                "PROXY \r\n",
	"v1 missing port":           "PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
	"v1 one word more":          "PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n",
	"v1 two blanks":             "PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n",
	"v1 wrong family":           "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
	"v1 wrong family 6":         "PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
	"v1 zone":                   "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
	"v1 octal":                  "PROXY TCP4 192.0.02.7 192.0.2.1 1 2\r\n",
	"v1 port":                   "PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n",
	"v1 port spelling":          "PROXY TCP4 192.0.2.7 192.0.2.1 +1 2\r\n",
	"v1 port zeros":             "PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n",
	"v1 name":                   "PROXY TCP4 localhost 192.0.2.1 1 2\r\n",
	"v1 bare LF":                "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n" + strings.Repeat("x", 100),
	"v1 twice":                  "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\nPROXY TCP4 192.0.2.8 192.0.2.1 1 2\r\n",
	"v1 and a packet":           "PROXY UNKNOWN\r\n\x01\x00\x00\x01x",
	"v2 version 1":              string(proxy2Signature) + "\x11\x11\x00\x0c" + strings.Repeat("a", 12),
	"v2 command 2":              string(proxy2Signature) + "\x22\x11\x00\x0c" + strings.Repeat("a", 12),
	"v2 datagram":               string(proxy2Signature) + "\x21\x12\x00\x0c" + strings.Repeat("a", 12),
	"v2 family 5":               string(proxy2Signature) + "\x21\x51\x00\x0c" + strings.Repeat("a", 12),
	"v2 addresses too short":    string(proxy2Signature) + "\x21\x11\x00\x0b" + strings.Repeat("a", 11),
	"v2 addresses 6 too short":  string(proxy2Signature) + "\x21\x21\x00\x0c" + strings.Repeat("a", 12),
	"v2 longest length":         string(proxy2Signature) + "\x21\x11\xff\xff" + strings.Repeat("a", 12),
	"v2 LOCAL, longest length":  string(proxy2Signature) + "\x20\x00\xff\xff",
	"v2 broken extension":       string(proxy2Signature) + "\x21\x11\x00\x0f" + strings.Repeat("a", 12) + "\x04\x00\x01",
	"v2 half an extension":      string(proxy2Signature) + "\x21\x11\x00\x0e" + strings.Repeat("a", 12) + "\x04\x00",
	"v2 twice":                  strings.Repeat(string(proxy2Signature)+"\x20\x00\x00\x00", 2),
	"v2 and then v1":            string(proxy2Signature) + "\x20\x00\x00\x00PROXY UNKNOWN\r\n",
	"v2 signature, wrong at 12": "\r\n\r\n\x00\r\nQUIT\r\x21\x11\x00\x0c",
}

// TestProxyHeader: from a network that must send one, every good header is believed, in
// whatever pieces it comes, and every bad one ends the connection before the greeting.
func TestProxyHeader(t *testing.T) {
	f := start(t, Options{ProxyNetworks: loopback})
	for name, c := range goodHeaders(t) {
		t.Run(name, func(t *testing.T) {
			p := f.dial(t)
			for _, b := range []byte(c.header) { // TCP_NODELAY: mostly a segment each
				if _, err := p.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
			p.readGreeting()
			p.login("app")
			want := c.client
			if want == "" {
				want = p.LocalAddr().String()
			}
			if got := f.Find(p.id).Remote.String(); got != want {
				t.Errorf("the client is %s, want %s", got, want)
			}
		})
	}
	for name, b := range badHeaders {
		t.Run(name, func(t *testing.T) {
			p := f.dial(t)
			if _, err := p.Write([]byte(b)); err != nil {
				t.Fatal(err)
			}
			p.wantClosed()
		})
	}
	t.Run("double header, the second later", func(t *testing.T) {
		p := f.dial(t)
		p.Write([]byte("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"))
		p.readGreeting()
		p.Write([]byte("PROXY TCP4 192.0.2.8 192.0.2.1 1 2\r\n"))
		p.wantErrorIn(p.read(), 1156, "out of order")
		p.wantClosed()
	})
	t.Run("denial names the real client", func(t *testing.T) {
		p := f.dial(t)
		p.Write([]byte("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"))
		p.readGreeting()
		p.wantErrorIn(p.authenticate("app", "wrong", nativePassword, false), 1045, "'app'@'192.0.2.7'")
	})
}

// TestProxyHeaderMissing: no header, no greeting.
func TestProxyHeaderMissing(t *testing.T) {
	f := start(t, Options{ProxyNetworks: loopback, HandshakeTimeout: 50 * time.Millisecond})
	for _, b := range []string{"", "PROXY TCP4 192.0.2.7 ", "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r", string(proxy2Signature) + "\x21"} {
		p := f.dial(t)
		p.Write([]byte(b))
		p.wantClosed()
	}
	if n := strings.Count(f.log.String(), "why=proxy"); n != 4 {
		t.Errorf("%d refusals in the log", n)
	}
	f.dial(t).Close() // a health check
	eventually(t, "the check is gone", func() bool { return f.open() == 0 })
	if n := strings.Count(f.log.String(), "level=WARN"); n != 4 {
		t.Errorf("a health check is worth a line in the log")
	}
}

// TestProxyHeaderFromOthers: who is not in ProxyNetworks is greeted, and his header is a
// broken packet.
func TestProxyHeaderFromOthers(t *testing.T) {
	f := start(t, Options{ProxyNetworks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for name, c := range goodHeaders(t) {
		p := f.dial(t)
		p.Write([]byte(c.header))
		p.readGreeting()
		b := p.read()
		p.wantErrorIn(b, 1156, "out of order")
		p.wantClosed()
		if f.served.Load() != 0 {
			t.Fatalf("%s: reached the handler", name)
		}
	}
	f.greeted(t).login("app")
}
