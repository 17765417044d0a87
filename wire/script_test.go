package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// script is a peer without a network: it sends what it was given in pieces of set sizes
// and keeps what is written to it.
type script struct {
	net.Conn        // nil: only what is below may be called
	in       []byte // still to be read
	cuts     []int  // sizes of the first reads
	step     int    // size of the reads after them; 0: all
	end      error  // after in; nil is io.EOF
	out      bytes.Buffer
	writes   int
	failAt   int // the write that fails, counted from 1; 0: none
}

var errScript = errors.New("the peer's own failure")

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		if s.end != nil {
			return 0, s.end
		}
		return 0, io.EOF
	}
	n := len(s.in)
	switch {
	case len(s.cuts) > 0:
		n = s.cuts[0]
	case s.step > 0:
		n = s.step
	}
	n = min(n, len(s.in), len(p))
	if len(s.cuts) > 0 {
		if s.cuts[0] -= n; s.cuts[0] <= 0 {
			s.cuts = s.cuts[1:]
		}
	}
	copy(p, s.in[:n])
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.writes++
	if s.writes == s.failAt {
		return 0, errScript
	}
	return s.out.Write(p)
}

func (s *script) Close() error                { return nil }
func (s *script) SetDeadline(time.Time) error { return nil }

const testLimit = 64 << 20

// frame makes packets of payloads, numbered from seq; one of 16 MiB is cut.
func frame(seq byte, payloads ...[]byte) []byte {
	size := 0
	for _, p := range payloads {
		size += len(p) + 4*(len(p)/maxPiece+1)
	}
	b := make([]byte, 0, size)
	for _, p := range payloads {
		for {
			n := min(len(p), maxPiece)
			b = append(b, byte(n), byte(n>>8), byte(n>>16), seq)
			b = append(b, p[:n]...)
			p = p[n:]
			seq++
			if n < maxPiece {
				break
			}
		}
	}
	return b
}

// okPacket, eofPacket, errPacket, defPacket and textRow are payloads of a server.
func okPacket(status uint16) []byte {
	return AppendOK(nil, OK{AffectedRows: 300, LastInsertID: 7, Status: status, Warnings: 1, Info: "Records: 3"})
}

func eofPacket(status uint16) []byte { return AppendEOF(nil, OK{Status: status, Warnings: 2}) }

func errPacket() []byte {
	return AppendError(nil, &Error{Code: 1062, SQLState: "23000", Message: "Duplicate entry"})
}

func defPacket(name string) []byte {
	return AppendColumn(nil, &Column{Schema: "shop", Table: "users", OrgTable: "users", Name: name, OrgName: name,
		Collation: CollationUTF8MB4, Length: 80, Type: TypeVarString})
}

func textRow(values ...string) []byte {
	var row [][]byte
	for _, v := range values {
		row = append(row, []byte(v))
	}
	return AppendTextRow(nil, row)
}

// tcpPair gives both ends of a loopback connection.
func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// unhex reads hexadecimal digits with blanks between them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
