package backend

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sluice/engine"
	"sluice/wire"
)

// target is one server and how to log in to it. It is a pool's identity: when the map
// changes one of these, the pool is replaced.
type target struct {
	address        string // host:port, or the path of a unix socket
	user, password string
	tls            string // "", preferred, required, verify
}

// dialer makes connections to one target.
type dialer struct {
	target
	config    *tls.Config // the operator's; nil: none
	engine    *engine.Engine
	timeout   time.Duration
	maxPacket int
}

const (
	// loginPacket bounds a packet before the login: the longest honest one is an RSA key.
	loginPacket = 64 << 10
	// maxClientPacket is what we say that we take; the servers bound what they send by their own max_allowed_packet.
	maxClientPacket = 1 << 30

	fixedCaps = wire.ClientLongPassword | wire.ClientLongFlag | wire.ClientProtocol41 | wire.ClientTransactions |
		wire.ClientSecureConnection | wire.ClientPluginAuth | wire.ClientMultiResults | wire.ClientPSMultiResults

	// baseSet is the state of a fresh connection. The collation is one that every server
	// knows; a long net_write_timeout lets a server wait while the answers of others are read.
	baseSet = "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, SESSION autocommit=1, SESSION net_write_timeout=3600"
)

// login is a connection that has logged in.
type login struct {
	conn      *wire.Conn
	driven    engine.Socket // nil: goroutines wait for it
	version   string
	threadID  uint32
	collation uint8
	extended  bool // the server has MariaDB's extended metadata, used or not
}

// dial connects and logs in, within the timeout and ctx. A refusal is a *wire.Error.
func (d *dialer) dial(ctx context.Context, class Class) (*login, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	network := "tcp"
	if strings.HasPrefix(d.address, "/") {
		network = "unix"
	}
	nd := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	nc, err := nd.DialContext(ctx, network, d.address)
	if err != nil {
		return nil, err
	}
	w := wire.NewConn(nc, loginPacket)
	// Whatever the server does or does not send: the end of ctx closes the socket.
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	l, err := d.login(w, class, network == "unix")
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		w.Close()
		if ctx.Err() != nil {
			var we *wire.Error
			if !errors.As(err, &we) {
				err = fmt.Errorf("no login within %v: %w", d.timeout, context.Cause(ctx))
			}
		}
		return nil, err
	}
	w.SetMaxPacket(d.maxPacket)
	return l, nil
}

// drive gives a connection to the engine, if there is one. Under TLS it stays a goroutine's.
func (d *dialer) drive(l *login) error {
	nc, err := d.engine.Adopt(l.conn.NetConn())
	if err != nil {
		return err
	}
	var ok bool
	if l.driven, ok = nc.(engine.Socket); ok {
		l.conn.Replace(nc)
	}
	return nil
}

// login does the handshake and brings the connection to the fresh state.
func (d *dialer) login(w *wire.Conn, class Class, unix bool) (*login, error) {
	b, err := w.ReadPacket()
	if err != nil {
		return nil, err
	}
	if wire.IsError(b) {
		e, err := wire.ParseError(b)
		if err != nil {
			return nil, err
		}
		return nil, e
	}
	g, err := parseGreeting(b)
	if err != nil {
		return nil, err
	}
	caps := fixedCaps | g.caps&wire.ClientConnectAttrs
	if class.FoundRows {
		caps |= wire.ClientFoundRows
	}
	if class.LocalFile {
		caps |= wire.ClientLocalFiles
	}
	extended := uint32(0)
	if class.Extended {
		if !g.extended {
			return nil, errors.New("the server has no extended metadata, on which this client and the proxy have agreed; connect again")
		}
		caps &^= wire.ClientLongPassword // then MariaDB looks for its own word
		extended = wire.MariaDBExtendedMetadata
		w.SetExtended(true)
	}
	secured, err := d.secure(w, g, &caps, extended)
	if err != nil {
		return nil, err
	}
	c := credentials{user: d.user, password: d.password, private: secured || unix}
	plugin := firstPlugin(g)
	var answer []byte
	if len(g.scramble) == scrambleSize {
		if answer, err = c.answer(plugin, g.scramble); err != nil {
			return nil, err
		}
	}
	if err := send(w, appendResponse(nil, caps, extended, d.user, answer, plugin)); err != nil {
		return nil, err
	}
	if err := c.authenticate(w, plugin, g.scramble); err != nil {
		return nil, err
	}
	if err := exchange(w, wire.ComQuery, baseSet); err != nil {
		return nil, fmt.Errorf("a fresh connection refused its settings: %w", err)
	}
	w.Release()
	return &login{conn: w, version: g.version, threadID: g.threadID, collation: g.collation, extended: g.extended}, nil
}

// secure starts TLS as the mode says.
func (d *dialer) secure(w *wire.Conn, g *greeting, caps *uint32, extended uint32) (bool, error) {
	switch d.tls {
	case "":
		return false, nil
	case "preferred", "required", "verify":
	default:
		return false, fmt.Errorf("the TLS mode %q is not one of preferred, required, verify", d.tls)
	}
	if g.caps&wire.ClientSSL == 0 {
		if d.tls == "preferred" {
			return false, nil
		}
		return false, errors.New("the server offers no TLS, but the cluster's configuration demands it")
	}
	*caps |= wire.ClientSSL
	if err := send(w, appendPrefix(nil, *caps, extended)); err != nil {
		return false, err
	}
	config := &tls.Config{}
	if d.config != nil {
		config = d.config.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.ServerName == "" {
		config.ServerName = d.host()
	}
	config.InsecureSkipVerify = d.tls != "verify"
	if err := w.StartTLS(config, false); err != nil {
		return false, fmt.Errorf("TLS: %w", err)
	}
	return true, nil
}

func (d *dialer) host() string {
	host, _, err := net.SplitHostPort(d.address)
	if err != nil {
		return "localhost" // a unix socket
	}
	return host
}

// appendPrefix appends what the request for TLS and the response have in common.
func appendPrefix(b []byte, caps, extended uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, caps)
	b = binary.LittleEndian.AppendUint32(b, maxClientPacket)
	b = append(append(b, byte(wire.CollationUTF8MB4)), make([]byte, 19)...)
	return binary.LittleEndian.AppendUint32(b, extended)
}

// appendResponse appends Protocol::HandshakeResponse41.
func appendResponse(b []byte, caps, extended uint32, user string, answer []byte, plugin string) []byte {
	b = appendPrefix(b, caps, extended)
	b = append(append(b, user...), 0)
	b = append(append(b, byte(len(answer))), answer...)
	b = append(append(b, plugin...), 0)
	if caps&wire.ClientConnectAttrs != 0 {
		var attrs []byte
		for _, s := range []string{"_client_name", "sluice", "program_name", "sluice"} {
			attrs = wire.AppendLenencString(attrs, s)
		}
		b = wire.AppendLenencString(b, string(attrs))
	}
	return b
}

// exchange sends a command whose answer is an OK or an ERR, which is a *wire.Error.
func exchange(w *wire.Conn, cmd byte, arg string) error {
	if err := w.Command(cmd, []byte(arg)); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return readOK(w)
}

// readOK reads the answer to a command that has no result set.
func readOK(w *wire.Conn) error {
	b, err := w.ReadPacket()
	switch {
	case err != nil:
		return err
	case wire.IsError(b):
		e, err := wire.ParseError(b)
		if err != nil {
			return err
		}
		return e
	case !wire.IsOK(b):
		return fmt.Errorf("%w: neither OK nor ERR answers a command", wire.ErrMalformed)
	}
	ok, err := wire.ParseOK(b)
	if err == nil && ok.Status&wire.StatusMoreResults != 0 {
		err = fmt.Errorf("%w: several results for one command", wire.ErrMalformed)
	}
	return err
}

// quit says goodbye, so that the server does not count an aborted connection.
func quit(w *wire.Conn) {
	if w.SetDeadline(time.Now().Add(quitTimeout)) == nil && w.Command(wire.ComQuit, nil) == nil {
		_ = w.Flush() // the connection ends here in any case
	}
	w.Close()
}

// quitTimeout bounds the goodbye to a server that takes nothing any more.
const quitTimeout = 200 * time.Millisecond
