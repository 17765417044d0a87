package model

import (
	"os"
	"strings"
	"testing"
)

var copies = map[string]Copying{
	"two rows swap":      {Txs: 2, Values: 2, Crashes: 1, First: [keys]uint8{1, 2, 0}},
	"a branch":           {Txs: 2, Values: 2, XA: true, First: [keys]uint8{1, 0, 2}},
	"three transactions": {Txs: 3, Values: 1, Crashes: 1, First: [keys]uint8{1, 0, 0}},
}

func TestCopying(t *testing.T) {
	for name, c := range copies {
		t.Run(name, func(t *testing.T) { t.Parallel(); sound(t, c.Search(enough)) })
	}
	if os.Getenv("SLUICE_SOAK") == "" {
		return
	}
	for _, c := range []Copying{
		{Txs: 3, Values: 2, XA: true, Crashes: 1, First: [keys]uint8{1, 2, 0}},
		{Txs: 3, Values: 2, Crashes: 1, First: [keys]uint8{1, 0, 2}},
		{Txs: 4, Values: 1, XA: true, Crashes: 1},
	} {
		t.Run("large", func(t *testing.T) { sound(t, c.Search(enough)) })
	}
}

func TestCopyingRules(t *testing.T) {
	for _, x := range []struct {
		name     string
		off      Rule
		instance string
		want     string
	}{
		{"a batch is read without a watermark", Watermark, "two rows swap", "for good"},
		{"the first chunk is read without a watermark", StartWatermark, "two rows swap", "for good"},
		{"a batch is read key by key", OneSnapshot, "two rows swap", "duplicate value"},
		{"branches are read without locks", LockedBranches, "a branch", "for good"},
		{"a chunk writes what was touched", DropTouched, "two rows swap", "for good"},
		{"a chunk's touched rows are read again afterwards", DropBefore, "two rows swap", "for good"},
		{"holders of a value stay", DeleteHolders, "two rows swap", "duplicate value"},
		{"the position is stored apart", PositionWithRows, "two rows swap", "for good"},
		{"events above the cursor are discarded", KeepAbove, "two rows swap", "for good"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := copies[x.instance]
			c.Off = x.off
			r := c.Search(enough)
			if !strings.Contains(r.Fault, x.want) {
				t.Fatalf("want a fault %q: %s", x.want, r)
			}
			t.Log(r)
		})
	}
}
