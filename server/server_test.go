package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"go.uber.org/goleak"

	"sluice/engine"
	"sluice/internal/testkit"
	"sluice/wire"
)

func TestMain(m *testing.M) {
	if certificate := os.Getenv(idleServer); certificate != "" {
		if err := runIdleServer(certificate); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// users are the accounts of the tests; each may use the schema of its own name and "shop".
type users map[string]string

var everybody = users{"app": "s3cret pässword", "empty": "", "other": "0ther", "busy": "b"}

func (u users) Account(user string) (Account, bool) {
	p, ok := u[user]
	return Account{user, p}, ok
}

func (u users) MayUse(user, schema string) error {
	switch schema {
	case "", "shop", user:
		return nil
	case "forbidden":
		return &wire.Error{Code: 1044, SQLState: "42000", Message: fmt.Sprintf("Access denied for user '%s'@'%%' to database '%s'", user, schema)}
	}
	return &wire.Error{Code: 1049, SQLState: "42000", Message: fmt.Sprintf("Unknown database '%s'", schema)}
}

// fixture is a server under test.
type fixture struct {
	*Server
	addr   string
	log    *logBuffer
	served atomic.Int64 // clients that reached the handler
	closed atomic.Int64 // and whose service has been closed
	pings  atomic.Int64 // carried out
	resume chan struct{}
	kills  atomic.Int64  // begun
	hang   chan struct{} // what a Kill waits for; nil for nothing
}

// start runs a server until the test ends.
func start(t testing.TB, opts Options) *fixture {
	t.Helper()
	f := &fixture{log: &logBuffer{}, resume: make(chan struct{})}
	opts.Name = "data"
	opts.Log = slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	driver, err := engine.New(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(driver.Close)
	opts.Engine = driver
	f.Server = New(opts, everybody, f)
	addr := fmt.Sprintf("127.0.0.1:%d", testkit.Port(t))
	if err := f.Listen(addr); err != nil {
		t.Fatal(err)
	}
	f.addr = addr
	done := make(chan error, 1)
	go func() { done <- f.Server.Serve(context.Background()) }()
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if n := len(f.Clients()); n != 0 {
			t.Errorf("%d clients are left", n)
		}
		if served, closed := f.served.Load(), f.closed.Load(); served != closed {
			t.Errorf("%d of %d services were closed", closed, served)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", f.log)
		}
	})
	return f
}

// session is the handler's end of a connection: enough of MySQL for clients to be content.
type session struct {
	f    *fixture
	c    *Client
	ctx  context.Context
	busy atomic.Bool
	tx   bool
}

func (s *session) Busy() bool        { return s.busy.Load() }
func (s *session) Info() SessionInfo { return SessionInfo{ID: s.c.ID} }

func (s *session) Kill(bool) {
	s.f.kills.Add(1)
	if s.f.hang != nil {
		<-s.f.hang
	}
}

// Open implements Handler.
func (f *fixture) Open(ctx context.Context, c *Client) Service {
	f.served.Add(1)
	s := &session{f: f, c: c, ctx: ctx}
	c.SetSession(s)
	return s
}

// Step implements Service.
func (s *session) Step() Next {
	c := s.c
	b, err := c.ReadPacket()
	c.Task.Leave() // commands wait for the test
	if errors.Is(err, wire.ErrTooLarge) {
		_ = errors.Join(c.WriteError(&wire.Error{Code: 1153, SQLState: "08S01", Message: "too large"}), c.Flush())
	}
	if err != nil || len(b) == 0 || b[0] == wire.ComQuit {
		return Ends
	}
	doze := string(b[1:]) == "DOZE"
	s.busy.Store(true)
	if err := s.command(s.ctx, b[0], string(b[1:])); err != nil {
		return Ends
	}
	if err := c.Flush(); err != nil {
		return Ends
	}
	s.busy.Store(s.tx)
	if doze {
		<-s.f.resume
	}
	c.ResetSequence()
	c.Release()
	return Rests
}

// Close implements Service.
func (s *session) Close() { s.f.closed.Add(1) }

func (s *session) command(ctx context.Context, cmd byte, arg string) error {
	switch cmd {
	case wire.ComPing:
		s.f.pings.Add(1)
		return s.c.WriteOK(wire.OK{Status: wire.StatusAutocommit})
	case wire.ComChangeUser:
		if err := s.f.ChangeUser(s.c, []byte(arg)); err != nil {
			return err
		}
		return s.c.WriteOK(wire.OK{Status: wire.StatusAutocommit})
	case wire.ComQuery:
		return s.query(ctx, arg)
	}
	return s.c.WriteError(&wire.Error{Code: 1047, SQLState: "08S01", Message: "Unknown command"})
}

func (s *session) query(ctx context.Context, sql string) error {
	switch sql {
	case "BEGIN", "COMMIT":
		s.tx = sql == "BEGIN"
		return s.c.WriteOK(wire.OK{Status: wire.StatusAutocommit})
	case "select $$": // Oracle's client asks whether the server knows dollar quotes, and reads only an error
		return s.c.WriteError(&wire.Error{Code: 1054, SQLState: "42S22", Message: "Unknown column '$$'"})
	case "WAIT":
		select {
		case <-s.f.resume:
		case <-ctx.Done():
			return ctx.Err()
		}
	case "PANIC":
		panic("asked for")
	case "BIG":
		row := [][]byte{bytes.Repeat([]byte("x"), 1<<20)}
		for range 100 {
			if err := s.c.WriteResult([]wire.Column{{Name: "big", Type: wire.TypeVarString}}, [][][]byte{row}, 0, 0); err != nil {
				return err
			}
		}
		return nil
	}
	return s.whoAmI()
}

// whoAmI answers one row that says how the client is connected.
func (s *session) whoAmI() error {
	c := s.c
	compressed := "no"
	if c.Capabilities&(wire.ClientCompress|wire.ClientZstd) != 0 {
		compressed = "zstd"
		if c.Capabilities&wire.ClientCompress != 0 {
			compressed = "zlib"
		}
	}
	secure := "no"
	if _, ok := c.NetConn().(*tls.Conn); ok {
		secure = "yes"
	}
	row := fmt.Sprintf("user=%s schema=%s tls=%s compressed=%s", c.User, c.Schema, secure, compressed)
	col := wire.Column{Name: "who", Type: wire.TypeVarString, Length: 1024, Collation: wire.CollationUTF8MB4}
	return c.WriteResult([]wire.Column{col}, [][][]byte{{[]byte(row)}}, wire.StatusAutocommit, 0)
}

// logBuffer keeps the log of a server.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// open counts the connections, logged in or not.
func (f *fixture) open() int {
	f.clients.mu.Lock()
	defer f.clients.mu.Unlock()
	return len(f.clients.open)
}

// eventually waits for what happens on the other side of a connection.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// peer is a client by hand: it can do everything wrong.
type peer struct {
	t testing.TB
	net.Conn
	greeting  []byte
	collation uint8
	scramble  scramble
	version   string
	id        uint32
	caps      uint32
	plugin    string
	seq       byte
}

// dial connects without reading the greeting.
func (f *fixture) dial(t testing.TB) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &peer{t: t, Conn: nc}
}

// greeted connects and reads the greeting.
func (f *fixture) greeted(t testing.TB) *peer {
	t.Helper()
	p := f.dial(t)
	p.readGreeting()
	return p
}

func (p *peer) readGreeting() {
	p.t.Helper()
	b := p.read()
	if len(b) == 0 || b[0] != 10 {
		p.t.Fatalf("no greeting: %q", b)
	}
	p.greeting = b
	f := fields{b: b[1:]}
	p.version = string(f.zero())
	p.id = f.uint32()
	part := f.take(8)
	f.take(1)
	low := f.uint16()
	p.collation = f.uint8()
	f.take(2)
	p.caps = uint32(low) | uint32(f.uint16())<<16
	f.take(11)
	copy(p.scramble[:], append(clone(part), f.take(12)...))
	f.take(1)
	p.plugin = string(f.zero())
	if f.bad || len(f.b) != 0 {
		p.t.Fatalf("malformed greeting: %q", b)
	}
}

// read gives the next packet's payload.
func (p *peer) read() []byte {
	p.t.Helper()
	b, err := p.tryRead()
	if err != nil {
		p.t.Fatalf("no packet: %v", err)
	}
	return b
}

func (p *peer) tryRead() ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(p, h[:]); err != nil {
		return nil, err
	}
	b := make([]byte, int(h[0])|int(h[1])<<8|int(h[2])<<16)
	p.seq = h[3] + 1
	_, err := io.ReadFull(p, b)
	return b, err
}

// send writes one packet with the next sequence number.
func (p *peer) send(payload []byte) {
	p.t.Helper()
	if _, err := p.Write(frame(p.seq, payload)); err != nil {
		p.t.Fatal(err)
	}
}

func frame(seq byte, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, payload...)
}

// query runs a command and gives its first packet.
func (p *peer) command(cmd byte, arg string) []byte {
	p.t.Helper()
	p.seq = 0
	p.send(append([]byte{cmd}, arg...))
	return p.read()
}

// wantError reads an ERR packet and then the end of the connection.
func (p *peer) wantError(code uint16, text string) {
	p.t.Helper()
	b := p.read()
	p.wantErrorIn(b, code, text)
	p.wantClosed()
}

func (p *peer) wantErrorIn(b []byte, code uint16, text string) {
	p.t.Helper()
	e, err := wire.ParseError(b)
	if err != nil || e.Code != code || !strings.Contains(e.Message, text) {
		p.t.Fatalf("got %q (%v), want error %d %q", b, err, code, text)
	}
}

func (p *peer) wantClosed() {
	p.t.Helper()
	var b [1]byte
	n, err := p.Conn.Read(b[:])
	var ne net.Error
	if n > 0 || err == nil || errors.As(err, &ne) && ne.Timeout() {
		p.t.Fatalf("the connection is still open: %d bytes, %v", n, err)
	}
}

// loginPacket is a HandshakeResponse41 of which tests change a field.
type loginPacket struct {
	caps     uint32
	user     string
	response []byte
	schema   string
	plugin   string
	attrs    string // encoded
	tail     string
}

const peerCaps = wire.ClientLongPassword | wire.ClientProtocol41 | wire.ClientSecureConnection | wire.ClientPluginAuth | wire.ClientTransactions

func (l loginPacket) bytes() []byte {
	b := []byte{byte(l.caps), byte(l.caps >> 8), byte(l.caps >> 16), byte(l.caps >> 24), 0, 0, 0, 1, 45}
	b = append(b, make([]byte, 23)...)
	b = append(append(b, l.user...), 0)
	b = append(append(b, byte(len(l.response))), l.response...)
	if l.caps&wire.ClientConnectWithDB != 0 {
		b = append(append(b, l.schema...), 0)
	}
	if l.caps&wire.ClientPluginAuth != 0 {
		b = append(append(b, l.plugin...), 0)
	}
	if l.caps&wire.ClientConnectAttrs != 0 {
		b = append(b, l.attrs...)
	}
	return append(b, l.tail...)
}

// login logs in as a user and fails the test when that does not work.
func (p *peer) login(user string) *peer {
	p.t.Helper()
	p.send(loginPacket{caps: peerCaps, user: user, plugin: nativePassword, response: nativeResponse(everybody[user], p.scramble)}.bytes())
	b := p.read()
	if len(b) > 0 && b[0] == authSwitch {
		p.send(nativeResponse(everybody[user], p.switched(b)))
		b = p.read()
	}
	if !wire.IsOK(b) {
		p.t.Fatalf("login of %s: %q", user, b)
	}
	return p
}

// switched gives the scramble of an AuthSwitchRequest.
func (p *peer) switched(b []byte) (scr scramble) {
	p.t.Helper()
	f := fields{b: b}
	if f.uint8() != authSwitch {
		p.t.Fatalf("no switch of plugins: %q", b)
	}
	p.plugin = string(f.zero())
	copy(scr[:], f.zero())
	if f.bad || len(f.b) > 0 || !knownPlugin(p.plugin) || bytes.IndexByte(scr[:], 0) >= 0 {
		p.t.Fatalf("bad switch of plugins: %q", b)
	}
	return scr
}

// wantWho asks the handler who the client is.
func (p *peer) wantWho(want string) {
	p.t.Helper()
	if b := p.command(wire.ComQuery, "SELECT 1"); len(b) != 1 {
		p.t.Fatalf("no result: %q", b)
	}
	p.read()
	p.read()
	if b := p.read(); !strings.Contains(string(b), want) {
		p.t.Fatalf("got %q, want %q", b, want)
	}
	p.read()
}

// nativeResponse is the client's side of mysql_native_password, by go-mysql's hand.
func nativeResponse(password string, scr scramble) []byte {
	return mysql.CalcNativePassword(scr[:], []byte(password))
}

// sha2Response is the client's side of caching_sha2_password.
func sha2Response(password string, scr scramble) []byte {
	if password == "" {
		return nil
	}
	return mysql.CalcCachingSha2Password(scr[:], []byte(password))
}
