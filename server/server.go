// Package server accepts MySQL connections: listening, PROXY protocol, TLS,
// authentication, limits, the registry of open connections, draining. What a connection
// then says is a Handler's affair, as in net/http. It serves both the data and the admin
// port.
//
// The life of a connection:
//
//	accept ── full? 1040 ── PROXY header ── gate ── greeting ── [TLS] ── authenticate ── OK ── Handler.Open ── Service.Step …
//	                        └───────────── HandshakeTimeout, MaxHandshake ────────────┘
//
// It refuses: the protocol before MySQL 4.1, passwords in clear text without TLS, a client
// that speaks before it is greeted, and to say whether it was the user or the password
// that was wrong. Nothing that a client sends is acted upon before it is authenticated;
// after a failed login the connection is closed.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sluice/engine"
	"sluice/metrics"
	"sluice/wire"
)

// Account is what authentication knows of a user.
type Account struct {
	Name     string
	Password string
}

// Accounts looks users up. The answers may change at any time (SHOW, RELOAD, etcd).
type Accounts interface {
	// Account finds a user; ok is false when there is none (the client gets the answer of a wrong password).
	Account(user string) (a Account, ok bool)
	// MayUse says whether the user may use the schema ("" is always allowed) and whether it
	// exists; a *wire.Error (1044, 1049) as MySQL gives it otherwise.
	MayUse(user, schema string) error
}

// Handler serves authenticated connections. ctx is cancelled when the server closes hard.
type Handler interface {
	Open(ctx context.Context, c *Client) Service
}

// Service serves one connection, a command at a time: an engine gives it a stack for a command only.
type Service interface {
	// Step reads and carries out the next command.
	Step() Next
	// Close ends the service after the last Step, also after one that has panicked. The server closes the connection then.
	Close()
}

// Next is how a connection goes on after a command.
type Next uint8

const (
	Ends  Next = iota
	Waits      // the next Step waits for its command, where the last one was
	Rests      // the next Step is on the client's loop, if it has one, and comes when there is something to read, where that can be told
)

// Options configures a Server. Zero values get defaults.
type Options struct {
	Name             string        // "data" or "admin", for logs and metrics
	ServerVersion    func() string // in the greeting, e.g. "10.11.19-MariaDB-sluice"; asked at each greeting
	AuthPlugin       string        // default plugin of the greeting: mysql_native_password (default) or caching_sha2_password
	TLS              *tls.Config   // versions below 1.2 are never spoken
	RequireTLS       bool
	ProxyNetworks    []netip.Prefix // PROXY protocol is required from these, refused from others
	MaxConnections   int            // default 10000; one more is answered 1040
	MaxPerUser       int            // one more is answered 1203; 0: no limit
	HandshakeTimeout time.Duration  // default 10 s
	StallTimeout     time.Duration  // a client that takes nothing for so long, or stops within a packet, is cut off; default 60 s
	MaxPacket        int            // after login; default 64 MiB
	MaxHandshake     int            // before login; default 64 KiB
	Compression      bool           // offer zlib and zstd
	LocalFiles       bool           // offer CLIENT_LOCAL_FILES
	Extended         func() bool    // whether to offer MariaDB's extended metadata; asked at each greeting; default no
	Collation        func() uint8   // in the greeting: what clients begin with that ask for none; default 45 (utf8mb4_general_ci)
	IDs              func() uint32  // connection ids; default counts from 1 (shared by the ports of a process)
	Engine           *engine.Engine // drives authenticated connections; nil: goroutines do
	Log              *slog.Logger
	Metrics          *metrics.Registry
}

func (o *Options) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxConnections, 10000)
	def(&o.MaxPacket, 64<<20)
	def(&o.MaxHandshake, 64<<10)
	if o.ServerVersion == nil {
		o.ServerVersion = func() string { return "10.11.0-MariaDB-sluice" }
	}
	if o.AuthPlugin == "" {
		o.AuthPlugin = nativePassword
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = 60 * time.Second
	}
	if o.Collation == nil {
		o.Collation = func() uint8 { return uint8(wire.CollationUTF8MB4) }
	}
	if o.IDs == nil {
		var last atomic.Uint32
		o.IDs = func() uint32 { return last.Add(1) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.TLS != nil {
		o.TLS = o.TLS.Clone()
		o.TLS.MinVersion = max(o.TLS.MinVersion, tls.VersionTLS12)
	}
}

func (o *Options) check() error {
	switch {
	case !knownPlugin(o.AuthPlugin):
		return fmt.Errorf("server: unknown authentication plugin %q: use %s or %s", o.AuthPlugin, nativePassword, cachingSHA2)
	case o.RequireTLS && o.TLS == nil:
		return errors.New("server: TLS is required of clients, but there is no certificate for it")
	}
	return nil
}

// Server is one listening port.
type Server struct {
	opts     Options
	accounts Accounts
	handler  Handler
	offered  uint32 // capabilities
	clients  *registry
	gate     *gate
	secrets  *secrets

	listener net.Listener       // set by Listen
	ctx      context.Context    // of the handlers
	cancel   context.CancelFunc // closes hard
	stopping chan struct{}      // closed when accepting ends
	stop     func()             // closes stopping and the listener, once
	wg       sync.WaitGroup     // every goroutine of a connection
}

// New makes a server; nothing listens yet.
func New(opts Options, accounts Accounts, h Handler) *Server {
	opts.setDefaults()
	s := &Server{
		opts: opts, accounts: accounts, handler: h,
		offered:  offeredBy(&opts),
		clients:  newRegistry(opts.MaxConnections, opts.MaxPerUser),
		gate:     newGate(opts.MaxConnections),
		secrets:  newSecrets(),
		stopping: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.stop = sync.OnceFunc(func() {
		close(s.stopping)
		if s.listener != nil {
			_ = s.listener.Close() // it listens no more, whatever close says
		}
	})
	return s
}

// Listen opens the port; it also reports options that contradict each other.
func (s *Server) Listen(addr string) error {
	if err := s.opts.check(); err != nil {
		return err
	}
	// A dead client is noticed within two minutes. TCP_NODELAY is Go's default.
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}}
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("server: the %s port cannot listen on %s: %w", s.opts.Name, addr, err)
	}
	s.listener = l
	return nil
}

// Addr is where the server listens; nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Serve accepts connections until Drain or Close, and then returns nil; an end of ctx is a
// Close that does not wait. Listen comes first.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("server: Serve without Listen")
	}
	if !s.clients.begin(&s.wg) {
		return nil
	}
	defer s.wg.Done()
	defer context.AfterFunc(ctx, s.closeAll)()
	var watch sync.WaitGroup
	watch.Go(s.watchHangups)
	defer watch.Wait()
	defer s.stop()
	return s.acceptAll()
}

// Clients lists the open, authenticated connections, by id.
func (s *Server) Clients() []*Client { return s.clients.list() }

// Find gives an open, authenticated connection by id, or nil.
func (s *Server) Find(id uint32) *Client { return s.clients.find(id) }
