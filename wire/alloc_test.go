//go:build !race

package wire

import "testing"

// TestRelayAllocations: a whole exchange (command in, command out, answer through) over
// real sockets costs no allocation, for text, prepared and multi-row answers.
func TestRelayAllocations(t *testing.T) {
	for name, packets := range map[string][][]byte{
		"ok":       {AppendOK(nil, OK{AffectedRows: 1, Status: 2})},
		"one row":  resultSet(2, textRow("1", "ann")),
		"100 rows": resultSet(2, repeatRow(100)...),
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(t, frame(1, packets...))
			x.run(t)
			if n := testing.AllocsPerRun(200, func() { x.run(t) }); n != 0 {
				t.Fatalf("%v allocations an exchange", n)
			}
		})
	}
}

// TestReplyAllocations: Sluice's own small answers cost none either.
func TestReplyAllocations(t *testing.T) {
	na, nb := tcpPair(t)
	c := NewConn(na, testLimit)
	got := make([]byte, 1024)
	n := testing.AllocsPerRun(200, func() {
		c.ResetSequence()
		if c.WriteOK(OK{Status: 2}) != nil || c.WriteEOF(2, 0) != nil || c.Flush() != nil {
			t.Fatal("write failed")
		}
		if _, err := nb.Read(got); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations an answer", n)
	}
}

// TestParseExecuteAllocations: a prepared execution is decoded without any.
func TestParseExecuteAllocations(t *testing.T) {
	packet := AppendExecute(nil, &Execute{ID: 1, Params: []Param{
		{Type: TypeLongLong, Value: []byte{1, 2, 3, 4, 5, 6, 7, 8}}, {Type: TypeVarString, Value: []byte("ann")}, {Type: TypeLong}}})
	e := &Execute{}
	key := make([]byte, 0, 32)
	n := testing.AllocsPerRun(200, func() {
		var err error
		if e, err = ParseExecute(packet, 3, nil, nil, e); err != nil {
			t.Fatal(err)
		}
		if _, _, ok := e.Params[0].Key(key[:0]); !ok {
			t.Fatal("no key")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations an execution", n)
	}
}
