package wire

import "io"

// Framing. Every packet has 4 bytes before its payload:
//
//	+--------+--------+--------+----------+----------------
//	| length, little endian    | sequence | payload …
//	+--------+--------+--------+----------+----------------
//
// A payload of 2^24-1 bytes and more is cut into pieces of that length; the piece that is
// shorter, perhaps empty, ends it.
const (
	headerSize = 4
	maxPiece   = 1<<24 - 1
)

func pieceLength(header []byte) int {
	return int(header[0]) | int(header[1])<<8 | int(header[2])<<16
}

// ReadPacket gives the payload of the next logical packet, all continuation packets
// joined. The slice is valid until the next call of any Read…, Relay or Release: a large
// one is unmapped then, and touching it later ends the process. It checks the
// sequence number (ErrSequence), the limit (ErrTooLarge, with the packet's bytes left
// unread: the connection can only answer and close), and gives io.EOF only when the peer
// closed between packets (io.ErrUnexpectedEOF inside one).
// A packet above 16 MiB is held once, in memory that goes back to the OS on Release.
func (c *Conn) ReadPacket() ([]byte, error) {
	c.big.drop()
	if c.owed > 0 {
		if err := c.Settle(); err != nil {
			return nil, err
		}
	}
	n, err := readHeader(c, 0)
	if err != nil {
		return nil, err
	}
	if n > bufSize {
		return readLarge(c, n)
	}
	if c.in.buffered() < n {
		c.in.inside = true
		if err := c.in.need(n); err != nil {
			return nil, inside(err)
		}
	}
	payload := c.in.bytes()[:n:n]
	c.in.skip(n)
	return payload, c.in.done()
}

// readHeader reads a packet's header. before are the bytes that earlier pieces of the
// same packet had.
func readHeader(c *Conn, before int) (int, error) {
	if err := c.in.need(headerSize); err != nil {
		return 0, err
	}
	h := c.in.bytes()[:headerSize]
	n, seq := pieceLength(h), h[3]
	c.in.skip(headerSize)
	// With compression on, the servers number the frames and not what is in them.
	if seq != c.seq && c.comp == nil {
		return 0, ErrSequence
	}
	c.seq = seq + 1
	if n > c.max-before {
		c.unread, c.unended = n, n == maxPiece
		return 0, ErrTooLarge
	}
	return n, nil
}

// SkipPacket reads and drops what is left of the packet for which ReadPacket has given
// ErrTooLarge, so that the peer, which may still be sending, can be answered, and with the
// number that it expects. It fails when more than most bytes are left.
func (c *Conn) SkipPacket(most int64) error {
	c.big.drop()
	c.in.inside = true
	for {
		if most -= int64(c.unread); most < 0 {
			return ErrTooLarge
		}
		for c.unread > 0 {
			if err := c.in.need(1); err != nil {
				return inside(err)
			}
			n := min(c.unread, c.in.buffered())
			c.in.skip(n)
			c.unread -= n
		}
		if !c.unended {
			return c.in.done()
		}
		if err := c.in.need(headerSize); err != nil {
			return inside(err)
		}
		h := c.in.bytes()
		if h[3] != c.seq && c.comp == nil {
			return ErrSequence
		}
		c.unread, c.seq = pieceLength(h), h[3]+1
		c.unended = c.unread == maxPiece
		c.in.skip(headerSize)
	}
}

// readLarge assembles a packet whose first piece has n bytes, more than a buffer takes.
func readLarge(c *Conn, n int) ([]byte, error) {
	size := n
	if n == maxPiece {
		size = c.max // reserved, not used: how many pieces follow is not known
	}
	c.in.inside = true
	if size <= mediumSize {
		// Memory follows what has really come: a header alone gets no large buffer.
		if err := c.in.need(bufSize); err != nil {
			return nil, inside(err)
		}
	}
	mem, err := c.big.take(size)
	if err != nil {
		return nil, err
	}
	total := 0
	for {
		if err := c.in.readFull(mem[total : total+n]); err != nil {
			return nil, inside(err)
		}
		total += n
		if n < maxPiece {
			return mem[:total:total], c.in.done()
		}
		if n, err = readHeader(c, total); err != nil {
			return nil, inside(err)
		}
	}
}

// inside turns an end of the stream into one in the middle of a packet.
func inside(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WritePacket appends one logical packet to the write buffer, splitting at 16 MiB - 1,
// and continues the sequence. It writes through when the buffer is full; large payloads
// are written without being copied.
func (c *Conn) WritePacket(payload []byte) error { return writePieces(c, nil, payload) }

// Command resets the sequence, writes one command packet (command byte + arg, which may
// be nil) and does NOT flush.
func (c *Conn) Command(cmd byte, arg []byte) error {
	c.ResetSequence()
	head := [1]byte{cmd}
	return writePieces(c, head[:], arg)
}

// writePieces writes one logical packet of a short head and a body.
func writePieces(c *Conn, head, body []byte) error {
	for {
		n := min(len(head)+len(body), maxPiece)
		buf, err := c.out.reserve(headerSize + len(head))
		if err != nil {
			return err
		}
		buf = append(buf, byte(n), byte(n>>8), byte(n>>16), c.seq)
		c.out.buf = append(buf, head...)
		c.seq++
		part := n - len(head)
		if err := c.out.append(body[:part]); err != nil {
			return err
		}
		if n < maxPiece {
			return nil
		}
		head, body = nil, body[part:]
	}
}

// pieceWriter writes one logical packet whose bytes come in parts; their sum is known.
type pieceWriter struct {
	c     *Conn
	left  int  // bytes of the packet that have not come
	piece int  // bytes of the current piece that have not come
	begun bool // a header was written
	full  bool // the current piece has maxPiece bytes: another follows
}

func (w *pieceWriter) header() error {
	n := min(w.left, maxPiece)
	buf, err := w.c.out.reserve(headerSize)
	if err != nil {
		return err
	}
	w.c.out.buf = append(buf, byte(n), byte(n>>8), byte(n>>16), w.c.seq)
	w.c.seq++
	w.begun, w.piece, w.full = true, n, n == maxPiece
	return nil
}

func (w *pieceWriter) write(b []byte) error {
	for len(b) > 0 {
		if w.piece == 0 {
			if err := w.header(); err != nil {
				return err
			}
		}
		n := min(len(b), w.piece)
		if err := w.c.out.append(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		w.piece -= n
		w.left -= n
	}
	return nil
}

// end writes the empty piece that ends a packet of whole ones.
func (w *pieceWriter) end() error {
	if !w.begun || w.full {
		return w.header()
	}
	return nil
}
