// Package wire is the MySQL client/server protocol as dumb bytes: framing, compression,
// handshake packets, commands, result sets, the binary protocol, and the relay of a
// response without decoding its rows. It holds no policy: who may log in, where a
// statement goes and what a refusal says is decided elsewhere.
//
// Never spoken by Sluice, on either side: CLIENT_DEPRECATE_EOF, CLIENT_QUERY_ATTRIBUTES,
// CLIENT_OPTIONAL_RESULTSET_METADATA. So the layout of every packet after login is the same on
// both sides and bytes can be relayed as they are. CLIENT_SESSION_TRACK is offered to clients and
// not asked for: an OK in which a server tells of no change reads the same with and without it.
// Whether definitions of columns have MariaDB's extended metadata is a property of a Conn; both ends
// of a relay have the same.
package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// Conn is one end of a MySQL connection: a net.Conn with framing, sequence numbers and,
// when negotiated, compression. Not safe for concurrent use, except Close and Deadline
// calls. Buffers are taken from a pool when bytes arrive and given back by Release, by
// Flush, and while a read waits with nothing buffered: an idle Conn holds none.
type Conn struct {
	base    net.Conn // below TLS
	tls     atomic.Pointer[tls.Conn]
	in      reader
	out     writer
	comp    *compression // nil without
	max     int
	big     assembly // of the packet read last, when it is large
	unread  int      // bytes of the current piece of a packet that is too large
	end     OK       // of the result read last, for ReadRow
	peek    *peeker  // nil until CheckIdle is asked
	owed    int      // answers to come that nobody wants
	refused *Error   // one of them; nil: none was

	closed   atomic.Bool
	seq      uint8 // of the next packet, read or written
	unended  bool  // the piece of unread is followed by another
	extended bool  // column definitions have MariaDB's extended metadata
}

// NewConn wraps nc. maxPacket bounds one logical packet that ReadPacket assembles, in
// bytes of payload over all its 16 MiB pieces.
func NewConn(nc net.Conn, maxPacket int) *Conn {
	both, _ := nc.(Driven)
	return &Conn{base: nc, in: newReader(sourceOf(nc)), out: writer{nc: nc, both: both}, max: maxPacket}
}

// NetConn gives the connection below (TCP, unix or *tls.Conn).
func (c *Conn) NetConn() net.Conn {
	if t := c.tls.Load(); t != nil {
		return t
	}
	return c.base
}

// Replace has the connection go on over nc, which has taken the place of the one below: of a
// connection without TLS of which nothing is buffered.
func (c *Conn) Replace(nc net.Conn) {
	both, _ := nc.(Driven)
	c.base, c.in.src, c.peek = nc, sourceOf(nc), nil
	c.in.sock, _ = c.in.src.(lender)
	c.out.nc, c.out.both = nc, both
}

// SetMaxPacket changes the limit (small before authentication, large after).
func (c *Conn) SetMaxPacket(n int) { c.max = n }

// SetPatience has reads fail with os.ErrDeadlineExceeded when the peer pauses for longer than
// d within a packet, or between the packets of a file that it sends. 0 ends that. It takes the
// place of a deadline that SetDeadline has set for reads.
func (c *Conn) SetPatience(d time.Duration) {
	var p *patience
	if d > 0 {
		p = &patience{nc: c.base, limit: d}
	}
	c.in.patience = p
	if c.comp != nil {
		c.comp.in.in.patience = p
	}
}

// SetExtended says that both sides have agreed on MariaDB's extended metadata. It must be the same
// on both ends of a relay.
func (c *Conn) SetExtended(on bool) { c.extended = on }

// ParseColumn decodes a column definition as this connection has them.
func (c *Conn) ParseColumn(payload []byte) (Column, error) { return parseColumn(payload, c.extended) }

// MaxPacket is the limit.
func (c *Conn) MaxPacket() int { return c.max }

// Flush writes what is buffered, in one write.
func (c *Conn) Flush() error { return c.out.flush() }

// Tap begins to keep the packets that are written, as long as they are no more than most bytes.
// over is told when they are more.
func (c *Conn) Tap(most int, over func()) {
	c.out.tap = &tap{skip: len(c.out.buf), most: most, tell: over}
}

// Tapped ends Tap and gives the packets, with their headers, and the number that the next one
// would have; nil when there were more than was asked for.
func (c *Conn) Tapped() (packets []byte, next uint8) {
	t := c.out.tap
	if c.out.tap = nil; t == nil {
		return nil, 0
	}
	t.take(c.out.buf)
	return t.bytes, c.seq
}

// Sequence is the number of the next packet.
func (c *Conn) Sequence() uint8 { return c.seq }

// WritePackets writes packets as Tapped gave them: the first has the number of the next one, and
// next is that of the one behind them.
func (c *Conn) WritePackets(packets []byte, next uint8) error {
	c.seq = next
	return c.out.append(packets)
}

// ResetSequence starts a new command exchange: the next packet read or written is number 0.
func (c *Conn) ResetSequence() {
	c.seq = 0
	if c.comp != nil {
		c.comp.seq = 0
	}
}

// AwaitAnswer expects the first packet of an answer next. Commands may be written one
// after the other and their answers read in the same order; each answer counts its packets
// from its own command on, so this is called before each is read.
func (c *Conn) AwaitAnswer() {
	c.seq = 1
	if c.comp != nil {
		c.comp.seq = 1
	}
}

// Buffered tells how many received bytes have not been consumed. A backend connection
// may go back to its pool only when this is 0.
func (c *Conn) Buffered() int {
	n := c.in.buffered()
	if c.comp != nil {
		n += c.comp.in.pending()
	}
	return n
}

// Idle tells whether nothing is under way on a driven connection: what comes next is an event on its socket.
func (c *Conn) Idle() bool {
	return c.out.both != nil && c.comp == nil && c.in.buffered() == 0 && c.owed == 0
}

// Release gives the buffers back to the pool; called when a connection becomes idle.
// What ReadPacket and ReadRow gave is invalid from then on.
func (c *Conn) Release() {
	c.big.drop()
	c.in.release()
	c.out.release()
	if c.comp != nil {
		c.comp.in.in.release()
	}
}

// StartTLS upgrades: as server when isServer (cfg has certificates), else as client. It
// fails if plaintext bytes are already buffered (STARTTLS injection).
func (c *Conn) StartTLS(cfg *tls.Config, isServer bool) error {
	if c.tls.Load() != nil || c.comp != nil {
		return errors.New("wire: TLS can only start once, before compression")
	}
	if n := c.Buffered(); n > 0 {
		return fmt.Errorf("wire: %d bytes of plaintext follow the request for TLS", n)
	}
	if err := c.out.flush(); err != nil {
		return err
	}
	t := tls.Client(c.base, cfg)
	if isServer {
		t = tls.Server(c.base, cfg)
	}
	if err := t.Handshake(); err != nil {
		return err
	}
	c.tls.Store(t)
	c.in.release()
	patience := c.in.patience
	c.in = newReader(stream{t})
	c.in.patience = patience
	c.out.nc, c.out.both = t, nil
	return nil
}

// SetDeadline bounds every following read and write; the zero time removes the bound.
func (c *Conn) SetDeadline(t time.Time) error { return c.base.SetDeadline(t) }

// Close closes the connection; safe from any goroutine, more than once.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.NetConn().Close()
}

// CheckIdle tells, without blocking and without consuming anything, whether a connection
// that waits between commands is still good: nil when the peer has neither closed nor
// sent bytes that nobody asked for. Where the platform's socket cannot be asked it is nil.
func (c *Conn) CheckIdle() error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	if n := c.Buffered(); n > 0 {
		return fmt.Errorf("%w: %d bytes that no command asked for", ErrMalformed, n)
	}
	if err := c.makePeeker(); c.peek == nil {
		return err
	}
	return c.peek.look(c.tls.Load() != nil)
}

// Readable tells, without blocking and without consuming anything, whether something has come, were it the end.
// Where the platform's socket cannot be asked it is true.
func (c *Conn) Readable() bool {
	if c.closed.Load() || c.Buffered() > 0 {
		return true
	}
	_ = c.makePeeker()
	return c.peek == nil || c.peek.any()
}

// makePeeker leaves none where the socket cannot be asked.
func (c *Conn) makePeeker() (err error) {
	if c.peek == nil {
		c.peek, err = newPeeker(c.base)
	}
	return err
}
