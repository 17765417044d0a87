package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// reader is a client that costs as little as can be: it counts the packets of a result and
// looks at nothing in them.
type reader struct {
	net.Conn
	in    *bufio.Reader
	buf   []byte
	taken int64 // bytes of packets
}

// dialReader logs in with mysql_native_password.
func dialReader(addr, user, password, schema string) (*reader, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	r := &reader{Conn: nc, in: bufio.NewReaderSize(nc, 64<<10)}
	if err := r.login(user, password, schema); err != nil {
		nc.Close()
		return nil, fmt.Errorf("login at %s: %w", addr, err)
	}
	return r, nil
}

// Long password, connect with schema, protocol 4.1, transactions, secure connection, plugin auth; TLS.
const (
	loginCapabilities = 1 | 8 | 0x200 | 0x2000 | 0x8000 | 0x80000
	capabilityTLS     = 0x800
)

func (r *reader) login(user, password, schema string) error {
	b, err := r.packet()
	if err != nil {
		return err
	}
	salt, err := saltOf(b)
	if err != nil {
		return err
	}
	return r.respond(1, loginCapabilities, salt, user, password, schema)
}

// saltOf takes the salt out of a greeting.
func saltOf(b []byte) ([]byte, error) {
	end := bytes.IndexByte(b, 0)
	if end < 0 || len(b) < end+52 {
		return nil, errors.New("the greeting is malformed")
	}
	return append(bytes.Clone(b[end+5:end+13]), b[end+32:end+44]...), nil
}

// respond says who it is, in packet number seq, and waits for the answer.
func (r *reader) respond(seq byte, capabilities uint32, salt []byte, user, password, schema string) error {
	out := binary.LittleEndian.AppendUint32(nil, capabilities)
	out = append(binary.LittleEndian.AppendUint32(out, 16<<20), 45)
	out = append(append(append(out, make([]byte, 23)...), user...), 0)
	out = append(append(out, 20), scrambled(salt, password)...)
	out = append(append(append(out, schema...), 0), "mysql_native_password\x00"...)
	if err := r.send(seq, out); err != nil {
		return err
	}
	b, err := r.packet()
	if err != nil {
		return err
	}
	if b[0] == 0xfe && len(b) > 44 { // another plugin first: it is asked for this one
		if err := r.send(seq+2, scrambled(b[len(b)-21:len(b)-1], password)); err != nil {
			return err
		}
		if b, err = r.packet(); err != nil {
			return err
		}
	}
	return asError(b)
}

func scrambled(salt []byte, password string) []byte {
	one := sha1.Sum([]byte(password))
	two := sha1.Sum(one[:])
	mask := sha1.Sum(append(bytes.Clone(salt), two[:]...))
	for i := range mask {
		mask[i] ^= one[i]
	}
	return mask[:]
}

func asError(b []byte) error {
	if len(b) > 0 && b[0] == 0xff {
		return fmt.Errorf("the server answers: %.300q", b[3:])
	}
	return nil
}

func (r *reader) send(seq byte, b []byte) error {
	_, err := r.Write(append([]byte{byte(len(b)), byte(len(b) >> 8), byte(len(b) >> 16), seq}, b...))
	return err
}

// packet reads one; it is valid until the next.
func (r *reader) packet() ([]byte, error) {
	head, err := r.in.Peek(4)
	if err != nil {
		return nil, err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if n == 0 || n > 1<<24-2 {
		return nil, fmt.Errorf("a packet of %d bytes", n)
	}
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	r.in.Discard(4)
	r.taken += int64(n)
	_, err = io.ReadFull(r.in, r.buf[:n])
	return r.buf[:n], err
}

// count runs a query and counts its rows.
func (r *reader) count(sql string) (rows int, err error) {
	if err := r.send(0, append([]byte{3}, sql...)); err != nil {
		return 0, err
	}
	b, err := r.packet()
	if err == nil {
		err = asError(b)
	}
	if err != nil {
		return 0, err
	}
	for ends := 0; ends < 2; rows++ { // the definitions have an end, and the rows
		if b, err = r.packet(); err != nil {
			return 0, err
		}
		if err := asError(b); err != nil {
			return 0, err
		}
		if b[0] == 0xfe && len(b) < 9 {
			if ends++; ends == 1 {
				rows = -1
			}
		}
	}
	return rows - 1, nil
}
