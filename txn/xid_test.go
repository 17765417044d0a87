package txn

import (
	"strings"
	"testing"
	"time"
)

// TestXID: a name says what was put into it, fits the server's limit, and is recognised
// only as it is written.
func TestXID(t *testing.T) {
	x := xid{cluster: "0123abcd", started: time.UnixMilli(1_700_000_000_123), process: "00ff00ff00ff", number: 1<<64 - 1,
		coordinator: shardID("a shard with a very long name"), thread: 1<<32 - 1}
	text := x.String()
	if len(text) > 64 {
		t.Errorf("%s has %d bytes", text, len(text))
	}
	got, err := parseXID(text)
	if err != nil || got != x {
		t.Errorf("%s: %+v, %v", text, got, err)
	}
	for _, bad := range []string{"", text + ".", text + "'", strings.ToUpper(text), strings.Replace(text, ".", "..", 1), "x" + text[1:],
		strings.Replace(text, "0123abcd", "0123abc", 1), strings.Replace(text, ".00ff", ".+0ff", 1), text[:len(text)-7] + "-1", text[:len(text)-7] + "0001"} {
		if _, err := parseXID(bad); err == nil {
			t.Errorf("%q was taken for a name", bad)
		}
	}
	b := branch{gtrid: text, shard: shardID("s0"), thread: 77}
	back, err := parseBranch(text, b.bqual())
	if err != nil || back != b {
		t.Errorf("%s: %+v, %v", b.bqual(), back, err)
	}
	for _, bad := range []string{"", "s0.1", shardID("s0"), shardID("s0") + ".", shardID("s0") + ".-1", shardID("s0") + ".01", shardID("s0") + ".1'"} {
		if _, err := parseBranch(text, bad); err == nil {
			t.Errorf("%q was taken for a branch", bad)
		}
	}
}

// TestOrder: names of later transactions are later in the table of decisions.
func TestOrder(t *testing.T) {
	last := ""
	for ms := int64(1); ms < 1<<45; ms *= 3 {
		x := xid{cluster: "0123abcd", started: time.UnixMilli(ms), process: "00ff00ff00ff", coordinator: "00000000"}
		if x.String() <= last {
			t.Errorf("%s does not follow %s", &x, last)
		}
		last = x.String()
	}
}
