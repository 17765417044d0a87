package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"sluice/wire"
)

// Why a connection was refused: the label of the metric.
const (
	whyTooMany   = "too_many"
	whySlow      = "slow_reader"
	whyAuth      = "auth"
	whyHandshake = "handshake"
	whyTimeout   = "timeout"
	whyProxy     = "proxy"
)

// refusal ends a connection before it is a client.
type refusal struct {
	why    string
	answer *wire.Error // what the client is told; nil: nothing
	err    error       // for the log; nil: answer says it all
}

func (r *refusal) Error() string {
	switch {
	case r.err == nil:
		return r.answer.Message
	case r.answer == nil:
		return r.err.Error()
	}
	return fmt.Sprintf("%v: %s", r.err, r.answer.Message)
}

// login is a connection that is not authenticated yet.
type login struct {
	s        *Server
	tcp      *net.TCPConn
	sock     socket // tcp, or what has taken its place; the registry's key
	link     *lockstep
	conn     *wire.Conn // nil until it is greeted
	remote   netip.AddrPort
	id       uint32
	identity *identity // nil until the client has said who it is
	scramble scramble
	extended bool // it was offered
}

// login runs a connection up to its authentication, in a goroutine of its own: its stack
// has grown then, and what waits for commands starts with a small one, or with none.
func (s *Server) login(tcp *net.TCPConn) {
	defer s.wg.Done()
	l := &login{s: s, tcp: tcp, sock: tcp, remote: addrPort(tcp)}
	c, err := l.run()
	if err == nil {
		s.opts.Metrics.Connection(s.opts.Name, 1)
		s.wg.Add(1)
		s.serve(c)
		return
	}
	l.refused(err)
	_ = l.sock.Close() // it is given up either way
	s.clients.leave(tcp)
	s.clients.leave(l.sock)
}

// run is the table of contents of a login.
func (l *login) run() (c *Client, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.s.opts.Log.Error("panic in a login", slog.String("port", l.s.opts.Name), slog.String("remote", l.remote.String()),
				slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			c, err = nil, &refusal{why: whyHandshake, err: errors.New("panic")}
		}
	}()
	s := l.s
	if err := l.tcp.SetDeadline(time.Now().Add(s.opts.HandshakeTimeout)); err != nil {
		return nil, err
	}
	if err := setWriteTimeout(l.tcp, s.opts.StallTimeout); err != nil {
		return nil, err
	}
	if err := l.readProxy(); err != nil {
		return nil, err
	}
	seat, err := s.gate.enter(l.remote.Addr(), s.opts.HandshakeTimeout, s.stopping, func() { _ = l.tcp.SetDeadline(time.Unix(1, 0)) })
	switch {
	case errors.Is(err, errStopped):
		return nil, &refusal{why: whyHandshake, answer: shuttingDown()}
	case err != nil:
		return nil, &refusal{why: whyTooMany, answer: tooMany(), err: err}
	}
	defer seat.leave()
	// The wait at the gate was not the client's fault: its time starts anew.
	if err := l.tcp.SetDeadline(time.Now().Add(s.opts.HandshakeTimeout)); err != nil {
		return nil, err
	}
	if err := l.greet(); err != nil {
		return nil, err
	}
	if err := l.identify(seat.spoken); err != nil {
		return nil, err
	}
	if err := l.authenticate(); err != nil {
		return nil, err
	}
	return l.accept()
}

// greet sends the greeting.
func (l *login) greet() error {
	l.id, l.scramble = l.s.nextID(), newScramble()
	l.link = &lockstep{socket: l.tcp}
	l.conn = wire.NewConn(l.link, l.s.opts.MaxHandshake)
	l.extended = l.s.opts.Extended != nil && l.s.opts.Extended()
	if err := l.conn.WritePacket(l.s.greeting(l.id, l.scramble, l.extended)); err != nil {
		return err
	}
	return l.conn.Flush()
}

// identify reads who the client says that it is, and starts TLS when it asks for it. spoken is called when the client has
// said something, and says whether it may go on.
func (l *login) identify(spoken func() bool) error {
	id, err := l.readIdentity()
	if !spoken() {
		return &refusal{why: whyTimeout, err: errYields}
	}
	if err != nil {
		return err
	}
	if id.ssl {
		l.link.off = true
		if err := l.conn.StartTLS(l.s.opts.TLS, true); err != nil {
			return &refusal{why: whyOf(err), err: fmt.Errorf("TLS: %w", err)}
		}
		if id, err = l.readIdentity(); err != nil {
			return err
		}
		if id.ssl {
			return &refusal{why: whyHandshake, answer: badHandshake()}
		}
	}
	l.identity = id
	if l.s.opts.RequireTLS && !l.secure() {
		return &refusal{why: whyAuth, answer: &wire.Error{Code: 3159, SQLState: "HY000",
			Message: "Connections using insecure transport are prohibited while --require_secure_transport=ON."}}
	}
	return nil
}

func (l *login) readIdentity() (*identity, error) {
	payload, err := l.conn.ReadPacket()
	if err != nil {
		return nil, err
	}
	return parseHandshake(payload, l.s.offered, l.extended)
}

// secure says that the connection is encrypted.
func (l *login) secure() bool {
	_, ok := l.conn.NetConn().(*tls.Conn)
	return ok
}

// authenticate checks the password, and only then what else could be wrong.
func (l *login) authenticate() error {
	x := exchange{conn: l.conn, secrets: l.s.secrets, fallback: l.s.opts.AuthPlugin, fits: l.s.opts.AuthPlugin,
		scramble: l.scramble, secure: l.secure()}
	ok, err := x.authenticate(l.identity, l.s.accounts)
	switch {
	case err != nil:
		return err
	case !ok:
		return &refusal{why: whyAuth, answer: denied(l.identity, l.remote.Addr())}
	}
	l.scramble = x.scramble
	if err := l.s.accounts.MayUse(l.identity.user, l.identity.schema); err != nil {
		return &refusal{why: whyAuth, answer: asAnswer(err)}
	}
	return nil
}

// accept enters the client in the registry, answers OK and takes the bounds off.
func (l *login) accept() (*Client, error) {
	if err := l.adopt(); err != nil {
		return nil, err
	}
	id := l.identity
	c := &Client{Conn: l.conn, ID: l.id, Remote: l.remote, Connected: time.Now(), Capabilities: id.caps, scramble: l.scramble, sock: l.sock}
	c.become(id)
	switch l.s.clients.login(c, l.tcp) {
	case full:
		return nil, &refusal{why: whyTooMany, answer: tooManyOf(id.user)}
	case closing:
		return nil, &refusal{why: whyHandshake, answer: shuttingDown()}
	}
	if err := l.welcome(); err != nil {
		return nil, err
	}
	if err := l.conn.Flush(); err != nil {
		return nil, err
	}
	if !l.secure() {
		// The socket itself, without lockstep: nothing is buffered, for nothing was read ahead.
		l.conn.Release()
		c.Conn = wire.NewConn(l.sock, l.s.opts.MaxPacket)
	}
	c.Extended = id.extended
	c.SetExtended(id.extended)
	c.SetMaxPacket(l.s.opts.MaxPacket)
	c.SetPatience(l.s.opts.StallTimeout)
	if err := startCompression(c.Conn, id); err != nil {
		return nil, err
	}
	c.ResetSequence()
	c.Release()
	return c, l.sock.SetDeadline(time.Time{})
}

// adopt gives the socket to the engine, if there is one. What is under way goes on over it, without a deadline: there
// is only the OK to be written yet, for which a new socket has room.
func (l *login) adopt() error {
	nc, err := l.s.opts.Engine.Adopt(l.tcp)
	if err != nil {
		return err
	}
	l.sock = nc.(socket)
	l.link.socket = l.sock
	return nil
}

// welcome answers OK. Who tracks the session is told the schema that it has begun with.
func (l *login) welcome() error {
	ok := wire.OK{Status: wire.StatusAutocommit}
	if id := l.identity; id.caps&wire.ClientSessionTrack != 0 && id.schema != "" {
		return l.conn.WriteChanged(ok, wire.AppendSchemaChange(nil, id.schema))
	}
	return l.conn.WriteOK(ok)
}

func startCompression(conn *wire.Conn, id *identity) error {
	switch {
	case id.caps&wire.ClientCompress != 0:
		return conn.StartCompression(wire.Zlib, 0)
	case id.caps&wire.ClientZstd != 0:
		return conn.StartCompression(wire.Zstd, id.zstdLevel)
	}
	return nil
}

// become takes over what a client says of itself.
func (c *Client) become(id *identity) {
	c.User, c.Schema, c.Collation, c.Attributes = id.user, id.schema, id.collation, id.attributes
}

// nextID gives an id that no client has.
func (s *Server) nextID() uint32 {
	for {
		if id := s.opts.IDs(); id != 0 && !s.clients.taken(id) {
			return id
		}
	}
}

// refused tells the client, the log and the metrics why there is no login.
func (l *login) refused(err error) {
	r := explain(err, l.identity == nil)
	if r == nil {
		return
	}
	l.s.opts.Metrics.Refused(l.s.opts.Name, r.why)
	attrs := []any{slog.String("port", l.s.opts.Name), slog.String("remote", l.remote.String()), slog.String("why", r.why), slog.Any("error", r)}
	if l.identity != nil {
		attrs = append(attrs, slog.String("client", l.identity.String()))
	}
	l.s.opts.Log.Warn("connection refused", attrs...)
	if r.answer != nil {
		l.tell(r.answer)
	}
}

// tell sends the answer and sees to it that it arrives although the client may still be sending.
func (l *login) tell(answer *wire.Error) {
	if err := l.sock.SetDeadline(time.Now().Add(lingerTime)); err != nil {
		return
	}
	if l.conn == nil {
		refuse(l.tcp, answer)
		return
	}
	if l.conn.WriteError(answer) == nil && l.conn.Flush() == nil {
		linger(l.sock)
	}
}

// explain makes a refusal of whatever ended a login; nil: it is not worth a word, because
// a health check came and went.
func explain(err error, silent bool) *refusal {
	var r *refusal
	var answer *wire.Error
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &answer):
		return &refusal{why: whyHandshake, answer: answer}
	case errors.Is(err, wire.ErrTooLarge):
		return &refusal{why: whyHandshake, answer: &wire.Error{Code: 1153, SQLState: "08S01", Message: "Got a packet bigger than 'max_allowed_packet' bytes"}, err: err}
	case errors.Is(err, wire.ErrSequence):
		return &refusal{why: whyHandshake, answer: &wire.Error{Code: 1156, SQLState: "08S01", Message: "Got packets out of order"}, err: err}
	case silent && left(err):
		return nil
	}
	return &refusal{why: whyOf(err), err: err}
}

// left tells whether the client went away by itself; some health checks end with a reset.
func left(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) }

func whyOf(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return whyTimeout
	}
	return whyHandshake
}

func asAnswer(err error) *wire.Error {
	var answer *wire.Error
	if errors.As(err, &answer) {
		return answer
	}
	return &wire.Error{Code: 1105, SQLState: "HY000", Message: "sluice: " + err.Error()}
}

func tooMany() *wire.Error {
	return &wire.Error{Code: 1040, SQLState: "08004", Message: "Too many connections"}
}

func tooManyOf(user string) *wire.Error {
	return &wire.Error{Code: 1203, SQLState: "42000",
		Message: fmt.Sprintf("User %s already has more than 'max_user_connections' active connections", shorten(user))}
}

func shuttingDown() *wire.Error {
	return &wire.Error{Code: 1053, SQLState: "08S01", Message: "Server shutdown in progress"}
}
