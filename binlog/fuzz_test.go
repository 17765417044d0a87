package binlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
)

// event makes an event with a checksum.
func event(typ byte, next uint32, body []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(body)+4)
	b[4] = typ
	binary.LittleEndian.PutUint32(b[5:], 1)
	binary.LittleEndian.PutUint32(b[9:], uint32(headerSize+len(body)+4))
	binary.LittleEndian.PutUint32(b[13:], next)
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// log is what a handler was given.
type log struct {
	changes [][2]Row
	ended   []Transaction
	texts   []string
}

func copyRow(r Row) (out Row) {
	for _, v := range r {
		if v == nil {
			out = append(out, nil)
		} else {
			out = append(out, append([]byte{}, v...))
		}
	}
	return out
}

func (l *log) Changed(_ *Table, before, after Row) error {
	l.changes = append(l.changes, [2]Row{copyRow(before), copyRow(after)})
	return nil
}
func (l *log) Statement(_ string, sql []byte) error {
	l.texts = append(l.texts, string(sql))
	return nil
}
func (l *log) Ended(t Transaction) error { l.ended = append(l.ended, t); return nil }

// reader makes a stream without a connection that asks for four columns of app.t.
func reader() *Stream {
	all := &Table{ID: 1, Width: 4, Columns: []Column{{Index: 0}, {Index: 1}, {Index: 2}, {Index: 3, Fill: 4}}}
	return &Stream{tables: map[uint64]*tableMap{}, idSize: 6, checksum: true, pos: Position{"b.000001", 4},
		lookup: func(_, name string) *Table {
			if name == "t" {
				return all
			}
			return nil
		}}
}

// mapOfT is the body of a table map: INT, DECIMAL(12,3), DATETIME(3), BINARY(4).
func mapOfT() []byte {
	b := []byte{7, 0, 0, 0, 0, 0, 1, 0, 3, 'a', 'p', 'p', 0, 1, 't', 0, 4, typeLong, typeDecimal, typeDatetime2, typeString}
	return append(b, 5, 12, 3, 3, typeString, 4, 0x0f)
}

// TestEvents reads a transaction whose bytes were written down from the format's description.
func TestEvents(t *testing.T) {
	s, l := reader(), &log{}
	row := []byte{0xf0, 0xfe, 0xff, 0xff, 0xff, // NULLs: none; -2
		0x7f, 0xff, 0xff, 0xfd, 0xfe, 0x0c, // -2.499: inverted
		0x99, 0xb6, 0x7c, 0xc8, 0xb8, 0x13, 0x88, // 2025-04-30 12:34:56.500
		2, 'a', 'b'}
	rows := append([]byte{7, 0, 0, 0, 0, 0, 1, 0, 4, 0x0f}, row...)
	for _, b := range [][]byte{event(evTableMap, 200, mapOfT()), event(evWriteV1, 300, rows), event(evXID, 331, make([]byte, 8))} {
		if err := s.event(b, l); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.changes) != 1 || len(l.ended) != 1 || l.ended[0].Next.Offset != 331 || l.ended[0].End != Committed {
		t.Fatalf("%q %+v", l.changes, l.ended)
	}
	after := l.changes[0][1]
	if l.changes[0][0] != nil || string(after[0]) != "-2" || string(after[1]) != "-2.499" || string(after[3]) != "ab\x00\x00" || string(after[2]) != "2025-04-30 12:34:56.500" {
		t.Errorf("%q", after)
	}
	damaged := event(evXID, 400, make([]byte, 8))
	damaged[20] ^= 1
	var f *Fault
	if err := s.event(damaged, l); !errors.As(err, &f) {
		t.Errorf("a damaged event: %v", err)
	}
	if err := s.event(event(99, 500, nil), l); !errors.As(err, &f) {
		t.Errorf("an unknown event: %v", err)
	}
}

// TestXA reads the verbs of branches.
func TestXA(t *testing.T) {
	for sql, want := range map[string]string{
		"XA COMMIT X'6162',X'63',1":             "COMMIT 1.6162.63",
		"XA ROLLBACK X'6162',X'',21328":         "ROLLBACK 21328.6162.",
		"XA START X'61',X'62',3":                "START 3.61.62",
		"XA COMMIT X'61',X'62',3 ONE PHASE":     "COMMIT 3.61.62",
		"XA COMMIT X'6',X'62',3":                "",
		"XA COMMIT":                             "",
		"XA COMMIT X'61',X'62',":                "",
		"UPDATE XA SET a = 1":                   "",
		"XA END X'7831',X'7932',0             ": "END 0.7831.7932",
	} {
		verb, xid, ok := xaVerb([]byte(sql))
		if got := verb + " " + xid; ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q %v", sql, got, ok)
		}
	}
}

// FuzzEvents: whatever a server sends, the reader neither panics nor goes on reading for ever.
func FuzzEvents(f *testing.F) {
	f.Add(byte(evTableMap), mapOfT(), byte(evWriteV1), []byte{7, 0, 0, 0, 0, 0, 1, 0, 4, 0x0f, 0xf0, 1, 0, 0, 0})
	f.Add(byte(evTableMap), mapOfT(), byte(evUpdateV2), []byte{7, 0, 0, 0, 0, 0, 1, 0, 2, 0, 4, 0x0f, 0x0f, 0xff, 0xff})
	f.Add(byte(evQuery), []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00app\x00XA COMMIT X'',X'',1"), byte(evXAPrepare), []byte{0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x'})
	f.Add(byte(evRotate), []byte("\x04\x00\x00\x00\x00\x00\x00\x00b.000002"), byte(evMariaGTID), make([]byte, 19))
	f.Fuzz(func(t *testing.T, typ1 byte, one []byte, typ2 byte, two []byte) {
		s, l := reader(), &log{}
		for _, b := range [][]byte{event(typ1, 100, one), event(typ2, 200, two), event(evWriteV2, 300, two), event(evXID, 400, nil)} {
			if s.event(b, l) != nil {
				return
			}
		}
	})
}
