package server

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"sluice/internal/testkit"
	"sluice/wire"
)

func serverTLS(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{testkit.Certificates(t).Server}}
}

// certificateFiles are the server's certificate and key as files.
func certificateFiles(t testing.TB) [2]string {
	c := testkit.Certificates(t)
	return [2]string{c.ServerCert, c.ServerKey}
}

func TestGreeting(t *testing.T) {
	f := start(t, Options{ServerVersion: func() string { return "8.4.0-sluice" }, AuthPlugin: cachingSHA2, Collation: func() uint8 { return 255 }})
	p := f.greeted(t)
	if p.version != "8.4.0-sluice" || p.collation != 255 || p.plugin != cachingSHA2 || p.id != 1 || p.caps != capAlways {
		t.Errorf("greeting: %q %q %d %#x", p.version, p.plugin, p.id, p.caps)
	}
	const never = 1<<24 | 1<<25 | 1<<27 // DEPRECATE_EOF, OPTIONAL_RESULTSET_METADATA, QUERY_ATTRIBUTES
	f = start(t, Options{TLS: serverTLS(t), Compression: true, LocalFiles: true})
	p2 := f.greeted(t)
	if want := capAlways | wire.ClientSSL | wire.ClientCompress | wire.ClientZstd | wire.ClientLocalFiles; p2.caps != want || want&never != 0 {
		t.Errorf("capabilities %#x, want %#x", p2.caps, want)
	}
	if p2.scramble == p.scramble {
		t.Error("two greetings have one scramble")
	}
	for _, scr := range []scramble{p.scramble, p2.scramble} {
		if bytes.ContainsAny(scr[:], "\x00$") {
			t.Errorf("scramble %q", scr[:])
		}
	}
}

// TestAuthentication goes through every plugin of the server and of the client, every kind
// of user and the ways that caching_sha2_password has to send the password itself.
func TestAuthentication(t *testing.T) {
	for _, server := range []string{nativePassword, cachingSHA2} {
		f := start(t, Options{AuthPlugin: server, TLS: serverTLS(t)})
		for _, client := range []string{nativePassword, cachingSHA2, "", "mysql_clear_password", "client_ed25519", "none"} {
			for _, secure := range []bool{false, true} {
				for user, password := range everybody {
					for _, given := range []string{password, password + "x", ""} {
						name := fmt.Sprintf("%s/%s/tls=%v/%s/%q", server, client, secure, user, given)
						t.Run(name, func(t *testing.T) {
							p := f.greeted(t)
							got := p.authenticate(user, given, client, secure)
							if given == password {
								if !wire.IsOK(got) {
									t.Fatalf("refused: %q", got)
								}
								p.wantWho("user=" + user)
								return
							}
							p.wantErrorIn(got, 1045, denial(user, given))
							p.wantClosed()
						})
					}
				}
				t.Run(fmt.Sprintf("%s/%s/tls=%v/nobody", server, client, secure), func(t *testing.T) {
					for _, given := range []string{"", "x"} {
						p := f.greeted(t)
						p.wantErrorIn(p.authenticate("nobody", given, client, secure), 1045, denial("nobody", given))
						p.wantClosed()
					}
				})
			}
		}
	}
}

func denial(user, given string) string {
	using := "YES"
	if given == "" {
		using = "NO"
	}
	return fmt.Sprintf("Access denied for user '%s'@'127.0.0.1' (using password: %s)", user, using)
}

// authenticate does a client's part with a plugin as its default, up to the OK or ERR.
// "none" is a client that knows no plugins at all.
func (p *peer) authenticate(user, password, plugin string, secure bool) []byte {
	p.t.Helper()
	l := loginPacket{caps: peerCaps, user: user, plugin: plugin}
	if plugin == "none" {
		l.caps &^= wire.ClientPluginAuth
		l.response = nativeResponse(password, p.scramble)
	}
	if plugin == p.plugin { // else the client has nothing to say yet
		l.response = response(plugin, password, p.scramble)
	}
	if secure {
		l.caps |= wire.ClientSSL
		p.startTLS(l.caps)
	}
	p.send(l.bytes())
	scr := p.scramble
	for {
		b := p.read()
		switch {
		case b[0] == authSwitch:
			scr = p.switched(b)
			p.send(response(p.plugin, password, scr))
		case b[0] == authMoreData && b[1] == sha2FastOK:
		case b[0] == authMoreData && b[1] == sha2Full && secure:
			p.send(append([]byte(password), 0))
		case b[0] == authMoreData && b[1] == sha2Full:
			p.send([]byte{sha2PublicKey})
		case b[0] == authMoreData:
			p.send(encrypt(p.t, b[1:], password, scr))
		default:
			return b
		}
	}
}

func response(plugin, password string, scr scramble) []byte {
	if plugin == nativePassword {
		return nativeResponse(password, scr)
	}
	return sha2Response(password, scr)
}

func (p *peer) startTLS(caps uint32) {
	p.t.Helper()
	p.send(loginPacket{caps: caps | wire.ClientSSL}.bytes()[:sslRequestSize])
	t := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := t.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	p.Conn = t
	p.seq++
}

// encrypt encrypts a password with the key that the server gave, by go-mysql's hand.
func encrypt(t testing.TB, public []byte, password string, scr scramble) []byte {
	t.Helper()
	block, _ := pem.Decode(public)
	if block == nil {
		t.Fatalf("no key: %q", public)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mysql.EncryptPassword(password, scr[:], key.(*rsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFullAuthentication sends the right password in full although the response was wrong,
// as a client does whose response cannot be right.
func TestFullAuthentication(t *testing.T) {
	f := start(t, Options{AuthPlugin: cachingSHA2, TLS: serverTLS(t)})
	wrong := bytes.Repeat([]byte{7}, 32)
	full := func(secure bool, answer func(p *peer) []byte) *peer {
		p := f.greeted(t)
		l := loginPacket{caps: peerCaps, user: "app", plugin: cachingSHA2, response: wrong}
		if secure {
			l.caps |= wire.ClientSSL
			p.startTLS(l.caps)
		}
		p.send(l.bytes())
		if b := p.read(); !bytes.Equal(b, []byte{authMoreData, sha2Full}) {
			t.Fatalf("the password is not asked for: %q", b)
		}
		p.send(answer(p))
		return p
	}
	password := everybody["app"]
	byKey := func(password string) func(p *peer) []byte {
		return func(p *peer) []byte {
			p.send([]byte{sha2PublicKey})
			return encrypt(t, p.read()[1:], password, p.scramble)
		}
	}
	for name, p := range map[string]*peer{
		"TLS": full(true, func(*peer) []byte { return []byte(password + "\x00") }),
		"RSA": full(false, byKey(password)),
	} {
		if b := p.read(); !wire.IsOK(b) {
			t.Errorf("%s: %q", name, b)
		}
	}
	for name, p := range map[string]*peer{
		"TLS, wrong":         full(true, func(*peer) []byte { return []byte(password + "x\x00") }),
		"TLS, no NUL":        full(true, func(*peer) []byte { return []byte(password) }),
		"TLS, nothing":       full(true, func(*peer) []byte { return nil }),
		"RSA, wrong":         full(false, byKey("wrong")),
		"clear without TLS":  full(false, func(*peer) []byte { return []byte(password + "\x00") }),
		"RSA, garbage":       full(false, func(*peer) []byte { return bytes.Repeat([]byte{9}, 256) }),
		"RSA, too long":      full(false, func(*peer) []byte { return bytes.Repeat([]byte{9}, 5000) }),
		"asks twice for it":  full(false, func(p *peer) []byte { p.send([]byte{sha2PublicKey}); p.read(); return []byte{sha2PublicKey} }),
		"RSA, empty message": full(false, func(*peer) []byte { return nil }),
	} {
		t.Run(name, func(t *testing.T) { p.t = t; p.wantError(1045, denial("app", "x")) })
	}
	if n := f.served.Load(); n != 2 {
		t.Errorf("%d clients reached the handler", n)
	}
}

// TestSchema: the schema is looked at after the password, and its error ends the login.
func TestSchema(t *testing.T) {
	f := start(t, Options{})
	try := func(user, password, schema string) (*peer, []byte) {
		p := f.greeted(t)
		p.send(loginPacket{caps: peerCaps | wire.ClientConnectWithDB, user: user, schema: schema, plugin: nativePassword, response: nativeResponse(password, p.scramble)}.bytes())
		return p, p.read()
	}
	p, b := try("app", everybody["app"], "shop")
	if !wire.IsOK(b) {
		t.Fatalf("%q", b)
	}
	p.wantWho("schema=shop")
	for schema, code := range map[string]uint16{"forbidden": 1044, "nowhere": 1049} {
		p, b := try("app", everybody["app"], schema)
		p.wantErrorIn(b, code, schema)
		p.wantClosed()
		p, b = try("app", "wrong", schema)
		p.wantErrorIn(b, 1045, "Access denied")
		p.wantClosed()
	}
}

func TestAttributes(t *testing.T) {
	f := start(t, Options{})
	var block []byte
	for _, s := range []string{"_client_name", "libmysql", "program_name", "shop", "empty", ""} {
		block = wire.AppendLenencString(block, s)
	}
	p := f.greeted(t)
	p.send(loginPacket{caps: peerCaps | wire.ClientConnectAttrs, user: "empty", plugin: nativePassword, attrs: string(wire.AppendLenencString(nil, string(block)))}.bytes())
	if b := p.read(); !wire.IsOK(b) {
		t.Fatalf("%q", b)
	}
	c := f.Find(p.id)
	if c == nil {
		t.Fatal("the client is not registered")
	}
	if got := fmt.Sprint(c.Attributes); got != "map[_client_name:libmysql empty: program_name:shop]" {
		t.Error(got)
	}
	var many []byte
	for i := range 2000 {
		many = wire.AppendLenencString(wire.AppendLenencString(many, fmt.Sprint("key", i)), strings.Repeat("v", 20))
	}
	id, err := parseHandshake(loginPacket{caps: peerCaps | wire.ClientConnectAttrs, plugin: "x", attrs: string(wire.AppendLenencString(nil, string(many)))}.bytes(), capAlways, true)
	if err != nil || len(id.attributes) == 0 || len(id.attributes) > maxAttributes {
		t.Errorf("%v, %d attributes are kept", err, len(id.attributes))
	}
}

// TestChangeUser: COM_CHANGE_USER asks for a response to a new scramble, and a failure is
// the end.
func TestChangeUser(t *testing.T) {
	f := start(t, Options{MaxPerUser: 2})
	change := func(p *peer, user, password, schema, plugin string) []byte {
		b := append([]byte(user), 0)
		old := nativeResponse(password, p.scramble)
		b = append(append(b, byte(len(old))), old...)
		b = append(append(b, schema...), 0)
		b = append(b, 63, 0)
		b = append(append(b, plugin...), 0)
		b = p.command(wire.ComChangeUser, string(b))
		p.send(response(p.plugin, password, p.switched(b)))
		for {
			if b = p.read(); b[0] != authMoreData {
				return b
			}
			if b[1] == sha2Full {
				p.send([]byte{sha2PublicKey})
				p.send(encrypt(t, p.read()[1:], password, p.scramble))
			}
		}
	}
	for _, plugin := range []string{nativePassword, cachingSHA2, "", "dialog"} {
		p := f.greeted(t).login("app")
		if b := change(p, "other", everybody["other"], "shop", plugin); !wire.IsOK(b) {
			t.Fatalf("%s: %q", plugin, b)
		}
		p.wantWho("user=other schema=shop")
		if c := f.Find(p.id); c.Collation != 63 {
			t.Errorf("collation %d", c.Collation)
		}
		p.Close()
		eventually(t, "the client is gone", func() bool { return f.Find(p.id) == nil })
	}
	for _, c := range []struct {
		user, password, schema string
		code                   uint16
	}{{"other", "wrong", "", 1045}, {"nobody", "x", "", 1045}, {"other", everybody["other"], "forbidden", 1044}, {"empty", "x", "", 1045}} {
		p := f.greeted(t).login("app")
		p.wantErrorIn(change(p, c.user, c.password, c.schema, nativePassword), c.code, "")
		p.wantClosed()
	}
	// A user that has all its connections cannot get one more by changing into it.
	f.greeted(t).login("busy")
	f.greeted(t).login("busy")
	p := f.greeted(t).login("app")
	p.wantErrorIn(change(p, "busy", everybody["busy"], "", nativePassword), 1203, "busy")
	p.wantClosed()
	for _, payload := range []string{"", "x", "app\x00\x14short", "app\x00\x00", "app\x00\x00\x00\x01"} {
		p := f.greeted(t).login("app")
		p.wantErrorIn(p.command(wire.ComChangeUser, payload), 1047, "")
		p.wantClosed()
	}
}

// TestRequireTLS: who does not ask for TLS gets no further than that, TLS stripping included.
func TestRequireTLS(t *testing.T) {
	f := start(t, Options{TLS: serverTLS(t), RequireTLS: true})
	p := f.greeted(t)
	p.send(loginPacket{caps: peerCaps, user: "app", plugin: nativePassword, response: nativeResponse(everybody["app"], p.scramble)}.bytes())
	p.wantError(3159, "insecure transport are prohibited")
	if got := f.greeted(t).authenticate("app", everybody["app"], nativePassword, true); !wire.IsOK(got) {
		t.Errorf("with TLS: %q", got)
	}
	if err := New(Options{RequireTLS: true}, everybody, f).Listen("127.0.0.1:0"); err == nil {
		t.Error("TLS is required and cannot be spoken, and Listen does not mind")
	}
	if err := New(Options{AuthPlugin: "sha256_password"}, everybody, f).Listen("127.0.0.1:0"); err == nil {
		t.Error("Listen does not mind an unknown plugin")
	}
}

// TestTLSHelloBehindRequest sends the request for TLS and the hello in one segment, as
// clients do when they are quick: those bytes are TLS's, and not an injection.
func TestTLSHelloBehindRequest(t *testing.T) {
	f := start(t, Options{TLS: serverTLS(t)})
	p := f.greeted(t)
	caps := peerCaps | wire.ClientSSL
	joined := &joinFirst{Conn: p.Conn, head: frame(1, loginPacket{caps: caps}.bytes()[:sslRequestSize])}
	c := tls.Client(joined, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	p.Conn, p.seq = c, 2
	p.send(loginPacket{caps: caps, user: "app", plugin: nativePassword, response: nativeResponse(everybody["app"], p.scramble)}.bytes())
	if b := p.read(); !wire.IsOK(b) {
		t.Fatalf("%q", b)
	}
	p.wantWho("tls=yes")
}

// joinFirst writes head in front of the first bytes.
type joinFirst struct {
	net.Conn
	head []byte
}

func (j *joinFirst) Write(b []byte) (int, error) {
	if j.head == nil {
		return j.Conn.Write(b)
	}
	head := j.head
	j.head = nil
	_, err := j.Conn.Write(append(head, b...))
	return len(b), err
}

// TestClientCertificate: where a certificate is asked of clients, nobody comes in without.
func TestClientCertificate(t *testing.T) {
	certs := testkit.Certificates(t)
	cfg := &tls.Config{Certificates: []tls.Certificate{certs.Server}}
	cfg.ClientCAs, cfg.ClientAuth = certs.Pool, tls.RequireAndVerifyClientCert
	f := start(t, Options{TLS: cfg, RequireTLS: true})
	for _, with := range []bool{true, false} {
		p := f.greeted(t)
		p.send(loginPacket{caps: peerCaps | wire.ClientSSL}.bytes()[:sslRequestSize])
		client := &tls.Config{InsecureSkipVerify: true}
		if with {
			client.Certificates = []tls.Certificate{certs.Client}
		}
		c := tls.Client(p.Conn, client)
		_ = c.Handshake() // TLS 1.3 tells the client only later
		p.Conn, p.seq = c, 2
		_, werr := c.Write(frame(2, loginPacket{caps: peerCaps | wire.ClientSSL, user: "app", plugin: nativePassword, response: nativeResponse(everybody["app"], p.scramble)}.bytes()))
		b, err := p.tryRead()
		if with != (werr == nil && err == nil && wire.IsOK(b)) {
			t.Errorf("certificate %v: %q %v %v", with, b, werr, err)
		}
	}
}
