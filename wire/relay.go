package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Response sums up one response of a backend: all its result sets.
type Response struct {
	OK      OK     // the last OK or EOF: status, warnings, affected rows, insert id
	Err     *Error // the response ended in an ERR packet (already relayed to the client)
	Rows    uint64 // rows of the last result set
	Columns int    // columns of the last result set; 0 for an OK
	Bytes   int64  // bytes relayed
}

// RelayOptions changes what is relayed, in place, without decoding rows.
type RelayOptions struct {
	More       bool   // set SERVER_MORE_RESULTS_EXISTS in the response's OKs and EOFs: more statements of the client's packet follow
	LocalFile  bool   // the statement is LOAD DATA LOCAL: an 0xFB answer asks the client for the file. Otherwise 0xFB is a protocol error
	Cursor     bool   // COM_STMT_EXECUTE that asked for a cursor: SERVER_STATUS_CURSOR_EXISTS ends it after the column definitions
	Fetch      bool   // COM_STMT_FETCH: rows then EOF, no column definitions
	FieldList  bool   // COM_FIELD_LIST: column definitions then EOF
	HoldErrors bool   // the same for an ERR packet anywhere in the response
	MaxRows    uint64 // of one result, 0 for no limit: at one more Relay ends with ErrTooManyRows, the source standing before that row
	HoldError  bool   // do not relay an ERR packet that is the response's FIRST packet: give it in Response.Err only (to retry or reword it)
}

// ErrTooManyRows ends the relay of a result that has more than RelayOptions.MaxRows.
var ErrTooManyRows = errors.New("the result has too many rows")

// RelayError says which side of a relay failed.
type RelayError struct {
	Client bool // the client's side; else the backend's
	Torn   bool // a part of a packet has been written to the client: nothing can be said to it any more, only closed
	Err    error
}

func (e *RelayError) Error() string { return e.Err.Error() }
func (e *RelayError) Unwrap() error { return e.Err }

// Relay copies one whole response (all results of a multi-result) from the backend src to
// the client dst: bytes as they are, sequence numbers continued from dst's. It does not
// flush dst at the end. Memory is bounded whatever the size of the result. A failure on
// one side is a *RelayError that says which; a protocol violation is the source's. When
// the source fails before it has sent anything the error is io.EOF, later io.ErrUnexpectedEOF.
// What has been written to the client then ends with a whole packet, unless Torn.
func Relay(dst, src *Conn, opts RelayOptions) (Response, error) {
	m := relay{dst: dst, src: src, opts: opts, seq: dst.seq}
	return m.run()
}

// Discard reads and drops one whole response.
func Discard(src *Conn) (Response, error) {
	m := relay{src: src}
	return m.run()
}

// relayState says what the next packet of a response can be.
//
//	          OK, ERR ─────────────────────────────────► done
//	first ──┤ 0xFB ── the client's file ──► first
//	          count ──► columns ──n──► columnsEOF ──► rows ──EOF, ERR──► done
//	                                       └─ cursor opened ──────────► done
//	fieldList ──EOF, ERR──► done
//
// An OK or EOF with SERVER_MORE_RESULTS_EXISTS leads back to first instead of to done.
type relayState uint8

const (
	relayFirst relayState = iota
	relayColumns
	relayColumnsEOF
	relayRows
	relayFieldList
	relayLocalFile
	relayDone
)

// holdSize is the size up to which a packet is passed on only when it is here as a whole,
// so that a backend that dies leaves the client between two packets and it can be told.
const holdSize = 4 << 10

// relay is the state machine over one response's bytes.
type relay struct {
	dst, src *Conn // dst is nil when the response is dropped
	opts     RelayOptions
	resp     Response
	state    relayState
	begun    bool  // a first packet has been seen
	out      bool  // the current result are a procedure's OUT parameters
	more     bool  // the current piece is full: the next one belongs to the same packet
	seq      uint8 // of the next packet to the client
	left     int   // bytes of the current piece that have not come yet
	defs     int   // column definitions still to come
	drop     int   // bytes of a packet that is kept from the client
}

// DiscardRows reads and drops what is left of a response whose rows are being sent.
func DiscardRows(src *Conn) (Response, error) {
	m := relay{src: src, opts: RelayOptions{Fetch: true}, begun: true}
	return m.run()
}

func (m *relay) run() (Response, error) {
	if m.src.owed > 0 {
		if err := m.src.Settle(); err != nil {
			return m.resp, &RelayError{Err: err}
		}
	}
	return m.read()
}

func (m *relay) read() (Response, error) {
	m.src.big.drop()
	switch {
	case m.opts.Fetch:
		m.state = relayRows
	case m.opts.FieldList:
		m.state = relayFieldList
	}
	for m.state != relayDone {
		if err := m.step(); err != nil {
			return m.resp, err
		}
	}
	m.src.in.release()
	return m.resp, nil
}

// step passes on what is buffered, and reads when that is not enough to go on.
func (m *relay) step() error {
	b := m.src.in.bytes()
	n, need, err := m.scan(b)
	if n > 0 && m.dst != nil {
		m.dst.seq = m.seq
		if werr := m.dst.out.append(b[:n]); werr != nil {
			return &RelayError{Client: true, Err: werr}
		}
	}
	m.src.in.skip(n + m.drop)
	m.resp.Bytes += int64(n + m.drop)
	m.drop = 0
	switch {
	case err != nil:
		return m.sourceFault(err)
	case m.state == relayLocalFile:
		m.state = relayFirst
		return m.localFile()
	case m.state == relayDone:
		return nil
	}
	switch in := &m.src.in; {
	case m.left > bufSize:
		in.release() // of a large value
	case m.state == relayRows && m.resp.Bytes > wideSize && m.src.comp == nil:
		in.widen()
	}
	if err := m.src.in.need(max(need, 1)); err != nil {
		return m.sourceFault(err)
	}
	return nil
}

// sourceFault is an error of the backend's side.
func (m *relay) sourceFault(err error) error {
	if m.begun {
		err = inside(err)
	}
	return &RelayError{Torn: m.left > 0 || m.more, Err: err}
}

// scan goes over b, which starts where the last scan stopped. b[:n] can be passed on; then
// need bytes must be there before there is anything more to say, 0 meaning any.
func (m *relay) scan(b []byte) (n, need int, err error) {
	p := min(m.left, len(b))
	m.left -= p
	for m.left == 0 && m.state != relayDone && m.state != relayLocalFile {
		if m.state == relayRows && !m.more && m.src.comp == nil {
			p = m.rows(b, p)
		}
		rest := b[p:]
		if len(rest) < headerSize {
			return p, headerSize, nil
		}
		size := pieceLength(rest)
		if rest[3] != m.src.seq && m.src.comp == nil {
			return p, 0, ErrSequence
		}
		total := headerSize + size
		switch {
		case m.more: // its first byte says nothing
		case size == 0:
			return p, 0, fmt.Errorf("%w: empty packet in a response", ErrMalformed)
		case len(rest) == headerSize:
			return p, headerSize + 1, nil
		case total <= holdSize && len(rest) < total:
			return p, total, nil
		case m.whole(rest[headerSize], size):
			if total > bufSize {
				return p, 0, fmt.Errorf("%w: packet of %d bytes ends a result", ErrMalformed, size)
			}
			if len(rest) < total {
				return p, total, nil
			}
			if err := m.packet(rest[headerSize:total]); err != nil {
				return p, 0, err
			}
		default:
			if err := m.passed(); err != nil {
				return p, 0, err
			}
		}
		m.begun = true
		m.src.seq = rest[3] + 1
		if m.drop > 0 {
			return p, 0, nil
		}
		rest[3] = m.seq
		m.seq++
		m.more = size == maxPiece
		k := min(total, len(rest))
		m.left = total - k
		p += k
	}
	return p, 0, nil
}

// rows passes over rows of b from p on that are here as a whole and plainly rows, which nearly all of a large result
// are, and gives the position behind them.
func (m *relay) rows(b []byte, p int) int {
	most := ^uint64(0)
	if m.opts.MaxRows > 0 {
		most = m.opts.MaxRows
	}
	from, to, n := m.src.seq, m.seq, m.resp.Rows
	for len(b)-p > headerSize && n < most {
		h := b[p : p+headerSize+1]
		size := pieceLength(h)
		end := p + headerSize + size
		if h[headerSize] >= headerEOF || h[3] != from || size == 0 || size == maxPiece || end > len(b) {
			break
		}
		h[3] = to
		from++
		to++
		n++
		p = end
	}
	m.begun = m.begun || n > m.resp.Rows
	m.src.seq, m.seq, m.resp.Rows = from, to, n
	return p
}

// whole says that a packet must be looked at: everything that is no row and no definition.
func (m *relay) whole(first byte, size int) bool {
	switch m.state {
	case relayFirst, relayColumnsEOF:
		return true
	}
	return first == headerError || first == headerEOF && size < 9
}

// passed counts a packet that is passed on unread.
func (m *relay) passed() error {
	switch m.state {
	case relayRows:
		if m.opts.MaxRows > 0 && m.resp.Rows == m.opts.MaxRows {
			return ErrTooManyRows
		}
		m.resp.Rows++
	case relayFieldList:
		m.resp.Columns++
		if m.resp.Columns > MaxColumns {
			return fmt.Errorf("%w: more than %d columns", ErrMalformed, MaxColumns)
		}
	case relayColumns:
		m.defs--
		if m.defs == 0 {
			m.state = relayColumnsEOF
		}
	}
	return nil
}

// packet acts on a whole packet, and edits it.
func (m *relay) packet(b []byte) error {
	if b[0] == headerError {
		e, err := ParseError(b)
		if err != nil {
			return err
		}
		if m.opts.HoldErrors || m.opts.HoldError && !m.begun {
			m.drop = headerSize + len(b)
		}
		m.resp.Err = e
		m.state = relayDone
		return nil
	}
	switch m.state {
	case relayFirst:
		return m.firstPacket(b)
	case relayRows, relayColumnsEOF, relayFieldList:
		return m.eofPacket(b)
	}
	return fmt.Errorf("%w: a result ends within its column definitions", ErrMalformed)
}

// firstPacket acts on an OK, a request for a file, or a column count.
func (m *relay) firstPacket(b []byte) error {
	switch b[0] {
	case headerOK:
		ok, err := ParseOK(b)
		if err != nil {
			return err
		}
		m.resp.Rows, m.resp.Columns = 0, 0
		_, n1, _ := LenencInt(b[1:])
		_, n2, _ := LenencInt(b[1+n1:])
		m.ended(ok, b[1+n1+n2:])
		return nil
	case headerLocal:
		if !m.opts.LocalFile || m.dst == nil {
			return fmt.Errorf("%w: the server asks for a local file that no statement named", ErrMalformed)
		}
		m.state = relayLocalFile
		return nil
	}
	n, err := parseColumnCount(b)
	if err != nil {
		return err
	}
	m.resp.Columns, m.resp.Rows, m.out = n, 0, false
	m.defs = n
	m.state = relayColumns
	return nil
}

// eofPacket acts on the end of the column definitions or of the rows.
func (m *relay) eofPacket(b []byte) error {
	eof, err := ParseEOF(b)
	if err != nil {
		return err
	}
	if m.state == relayColumnsEOF && !(m.opts.Cursor && eof.Status&StatusCursorExists != 0) {
		m.out = eof.Status&StatusPSOutParams != 0
		m.setMore(b[3:])
		m.state = relayRows
		return nil
	}
	if m.out && m.state == relayRows {
		// MySQL says of this result before its rows, and not behind them, that an OK follows; MariaDB
		// says both in both places, which clients understand that look at one only.
		eof.Status |= StatusPSOutParams | StatusMoreResults
		binary.LittleEndian.PutUint16(b[3:], eof.Status)
	}
	m.ended(eof, b[3:])
	return nil
}

// ended finishes one result; status are the packet's two bytes.
func (m *relay) ended(ok OK, status []byte) {
	m.resp.OK = ok
	m.state = relayDone
	if ok.Status&StatusMoreResults != 0 {
		m.state = relayFirst
	}
	m.setMore(status)
}

// setMore tells the client that the response goes on with the next statement's. MySQL,
// too, sets the flag in every OK and EOF of a statement that is not the packet's last.
func (m *relay) setMore(status []byte) {
	if m.opts.More {
		v := binary.LittleEndian.Uint16(status) | StatusMoreResults
		binary.LittleEndian.PutUint16(status, v)
	}
}

// localFile passes the client's file on to the backend: packets up to an empty one, which
// is passed on, too. When the backend fails the rest of the file is read all the same, so
// that the client can be told.
func (m *relay) localFile() error {
	if err := m.dst.out.flush(); err != nil {
		return &RelayError{Client: true, Err: err}
	}
	var failed error // of the backend
	m.dst.in.inside = true
	for full := false; ; {
		size, err := m.filePiece(&failed)
		if err != nil {
			return &RelayError{Client: true, Err: inside(err)}
		}
		if size == 0 && !full {
			break
		}
		full = size == maxPiece
	}
	if err := m.dst.in.done(); err != nil {
		return &RelayError{Client: true, Err: err}
	}
	m.dst.in.release()
	m.seq = m.dst.seq
	if failed == nil {
		failed = m.src.out.flush()
	}
	if failed != nil {
		return &RelayError{Err: failed}
	}
	return nil
}

// filePiece passes one piece on and gives its size. Its error is the client's.
func (m *relay) filePiece(failed *error) (int, error) {
	in := &m.dst.in
	if err := in.need(headerSize); err != nil {
		return 0, err
	}
	h := in.bytes()
	size := pieceLength(h)
	if h[3] != m.dst.seq && m.dst.comp == nil {
		return 0, ErrSequence
	}
	m.dst.seq = h[3] + 1
	h[3] = m.src.seq
	m.src.seq++
	for left := headerSize + size; ; {
		b := in.bytes()
		b = b[:min(len(b), left)]
		if *failed == nil {
			*failed = m.src.out.append(b)
		}
		in.skip(len(b))
		m.resp.Bytes += int64(len(b))
		if left -= len(b); left == 0 {
			return size, nil
		}
		if err := in.need(1); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
}
