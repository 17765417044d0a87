package shard

import (
	"fmt"
	"testing"
)

// spread deals the slots to shards in so many ranges of equal size.
func spread(shards, ranges int) Spec {
	var s Spec
	for i := range shards {
		s.Shards = append(s.Shards, Shard{Name: fmt.Sprint("s", i), Primary: fmt.Sprintf("127.0.0.%d:3306", i+1)})
	}
	size := Slots / ranges
	for i := range ranges {
		s.Ranges = append(s.Ranges, Range{First: uint16(i * size), Last: uint16((i+1)*size - 1), Shard: s.Shards[i%shards].Name})
	}
	return s
}

// BenchmarkOwner: where a slot is, costs the same however finely the slots are dealt.
func BenchmarkOwner(b *testing.B) {
	for _, ranges := range []int{4, 256, Slots} {
		b.Run(fmt.Sprint(ranges, " ranges"), func(b *testing.B) {
			m, err := New(1, spread(4, ranges))
			if err != nil {
				b.Fatal(err)
			}
			slot, sum := uint16(0), 0
			b.ReportAllocs()
			for b.Loop() {
				slot = (slot + 7919) % Slots
				sum += m.Owner(slot)
			}
			if sum < 0 {
				b.Fatal(sum)
			}
		})
	}
}

// BenchmarkNew is what a proxy does for each new map.
func BenchmarkNew(b *testing.B) {
	for _, ranges := range []int{4, 256, Slots} {
		b.Run(fmt.Sprint(ranges, " ranges"), func(b *testing.B) {
			s := spread(4, ranges)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New(1, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
