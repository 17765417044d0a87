package wire

import "net"

// writer collects what is to be sent in a pooled buffer, which it holds only until the
// next flush. An error sticks: the stream is broken from there on.
type writer struct {
	nc   net.Conn
	both Driven    // nc, when it is one
	comp *deflater // nil without compression
	buf  []byte    // nil, or a pooled buffer cut to what is in it
	err  error
	pair *pair // nil until it is needed
	tap  *tap  // of what is sent; nil most of the time
}

// pair is what two buffers are written from, kept so that writev does not allocate.
type pair struct {
	bufs  net.Buffers
	parts [2][]byte
}

func (p *pair) write(nc net.Conn, a, b []byte) error {
	p.parts = [2][]byte{a, b}
	p.bufs = p.parts[:]
	_, err := p.bufs.WriteTo(nc)
	p.parts = [2][]byte{}
	return err
}

// tap keeps what is sent, up to a size.
type tap struct {
	bytes []byte
	skip  int // of the buffer: what was in it before
	most  int
	over  bool // there was more
	tell  func()
}

func (t *tap) take(b []byte) {
	n := min(t.skip, len(b))
	t.skip -= n
	if b = b[n:]; t.over || len(t.bytes)+len(b) > t.most {
		if t.bytes = nil; !t.over {
			t.over = true
			t.tell()
		}
		return
	}
	t.bytes = append(t.bytes, b...)
}

// directSize is the size from which bytes are written from where they are, together with
// what is buffered, rather than copied: a copy of less costs less than a system call more.
const directSize = 8 << 10

// room says how many bytes still fit.
func (w *writer) room() int { return w.limit() - len(w.buf) }

// limit is a whole buffer, or with compression what one frame takes.
func (w *writer) limit() int {
	if w.comp != nil {
		return maxFrame
	}
	return bufSize
}

// reserve makes room for n bytes, n being small, and gives the buffer to append to.
func (w *writer) reserve(n int) ([]byte, error) {
	if w.room() < n {
		if err := w.flush(); err != nil {
			return nil, err
		}
	}
	if w.buf == nil {
		w.buf = takeBuffer()[:0]
	}
	return w.buf, w.err
}

// append sends b after what is buffered: copied when it is small, else written through.
func (w *writer) append(b []byte) error {
	if len(b) == 0 || w.err != nil {
		return w.err
	}
	if len(b) <= w.room() && (len(b) < directSize || len(w.buf) > 0) {
		if w.buf == nil {
			w.buf = takeBuffer()[:0]
		}
		w.buf = append(w.buf, b...)
		return nil
	}
	return w.write(b)
}

// flush writes what is buffered and gives the buffer back.
func (w *writer) flush() error {
	if len(w.buf) > 0 {
		return w.write(nil)
	}
	w.release()
	return w.err
}

// write sends what is buffered and then b, with one system call where nothing is between.
func (w *writer) write(b []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.tap != nil {
		w.tap.take(w.buf)
		w.tap.take(b)
	}
	switch {
	case w.comp != nil:
		if w.err = w.comp.write(w.nc, w.buf); w.err == nil {
			w.err = w.comp.write(w.nc, b)
		}
	case len(b) == 0:
		_, w.err = w.nc.Write(w.buf)
	case len(w.buf) == 0:
		_, w.err = w.nc.Write(b)
	case w.both != nil:
		_, w.err = w.both.WriteBoth(w.buf, b)
	default:
		if w.pair == nil {
			w.pair = &pair{}
		}
		w.err = w.pair.write(w.nc, w.buf, b)
	}
	w.buf = w.buf[:0]
	w.release()
	return w.err
}

// release gives an empty buffer back.
func (w *writer) release() {
	if w.buf != nil && len(w.buf) == 0 {
		giveBuffer(w.buf)
		w.buf = nil
	}
}
