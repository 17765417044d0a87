package exec

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"sync/atomic"

	"sluice/wire"
)

const (
	partBytes  = 128 << 10 // of a part's rows that are sent together
	filePacket = 32 << 10  // below every server's max_allowed_packet
	// maxPlaces bounds what is remembered of where a part's rows stood in the file: a byte a
	// row, for the numbers in warnings, of which a server keeps the first ones only.
	maxPlaces = 1 << 20
	// patience is the longest net_read_timeout that servers take.
	patience = 31536000
)

// filePart is one shard's part of a LOAD DATA LOCAL. A goroutine writes one buffer while the
// next is filled.
type filePart struct {
	leg     *leg
	timeout string // the session's net_read_timeout, which is set back
	asks    bool   // the server waits for a file

	buf    []byte
	rows   uint64
	before uint64 // the file's number of the part's last row
	places []byte // differences between the numbers of its rows

	full   chan []byte
	free   chan []byte
	ended  chan struct{}
	broken atomic.Bool
	err    error // of writing; to be read when ended is closed
}

// settle makes the connection patient and gives the character set of its schema.
func (p *filePart) settle() (charset string, err error) {
	c := p.leg.conn
	_, rows, err := c.Query("SELECT @@character_set_database, @@net_read_timeout")
	if err == nil && (len(rows) != 1 || len(rows[0]) != 2) {
		err = fmt.Errorf("%w: variables of the session", wire.ErrMalformed)
	}
	if err == nil {
		charset = string(rows[0][0])
		_, err = c.Exec("SET net_read_timeout=" + strconv.Itoa(patience))
	}
	if err != nil {
		return "", p.leg.failed(err)
	}
	p.timeout = string(rows[0][1])
	return charset, nil
}

// restore undoes settle.
func (p *filePart) restore() error {
	if p.timeout == "" || p.leg.state != legIdle {
		return nil
	}
	return p.say("SET net_read_timeout=" + p.timeout)
}

// say runs a statement between two of the client's; if it fails the connection is not used again.
func (p *filePart) say(sql string) error {
	if _, err := p.leg.conn.Exec(sql); err != nil {
		p.leg.state = legBroken
		return lost(p.leg.conn, err)
	}
	return nil
}

// request reads the server's request for the file.
func (p *filePart) request() (name []byte, err error) {
	h, err := p.leg.conn.ReadResultHeader()
	switch {
	case err != nil:
		return nil, p.leg.failed(err)
	case h.LocalFile == nil:
		return nil, p.leg.failed(fmt.Errorf("%w: no request for the file of LOAD DATA LOCAL", wire.ErrMalformed))
	}
	p.asks = true
	return append([]byte(nil), h.LocalFile...), nil
}

// start starts to write what is put into the part.
func (p *filePart) start() {
	p.full, p.free, p.ended = make(chan []byte, 1), make(chan []byte, 1), make(chan struct{})
	p.free <- nil
	go p.write()
}

func (p *filePart) write() {
	defer close(p.ended)
	for b := range p.full {
		if p.err == nil {
			if p.err = p.send(b); p.err != nil {
				p.broken.Store(true)
			}
		}
		p.free <- b[:0]
	}
}

func (p *filePart) send(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), filePacket)
		if err := p.leg.conn.WritePacket(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return p.leg.conn.Flush()
}

// count notes that the file's row of that number is the part's next one.
func (p *filePart) count(number uint64) {
	p.rows++
	if len(p.places) < maxPlaces {
		p.places = binary.AppendUvarint(p.places, number-p.before)
	}
	p.before = number
}

// place gives the number in the file of the part's n-th row, counted from 1; false when it
// is not remembered.
func (p *filePart) place(n uint64) (number uint64, ok bool) {
	rest := p.places
	for ; n > 0; n-- {
		d, k := binary.Uvarint(rest)
		if k <= 0 {
			return 0, false
		}
		number += d
		rest = rest[k:]
	}
	return number, true
}

// flushFull hands a full buffer on to the goroutine that writes; it waits for the one before.
func (p *filePart) flushFull() {
	if len(p.buf) >= partBytes {
		p.flush()
	}
}

func (p *filePart) flush() {
	p.full <- p.buf
	p.buf = <-p.free
}

// close ends the shard's file, behind what is left of it unless all is to be rolled back.
func (p *filePart) close(rest bool) {
	if p.full != nil {
		if rest && len(p.buf) > 0 {
			p.flush()
		}
		close(p.full)
	}
}

// answer reads what the server says of its file.
func (p *filePart) answer() error {
	if !p.asks {
		return nil
	}
	if p.ended != nil {
		<-p.ended
	}
	err := p.err
	if err == nil {
		err = p.leg.conn.WritePacket(nil)
	}
	if err == nil {
		err = p.leg.conn.Flush()
	}
	if err != nil {
		return p.leg.failed(err)
	}
	return p.leg.header()
}
