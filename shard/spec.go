package shard

import "slices"

// Clone gives a deep copy, which may be changed without changing s.
func (s Spec) Clone() Spec {
	s.Shards = slices.Clone(s.Shards)
	for i := range s.Shards {
		s.Shards[i].Replicas = slices.Clone(s.Shards[i].Replicas)
	}
	s.Ranges = slices.Clone(s.Ranges)
	s.Schemas = slices.Clone(s.Schemas)
	for i := range s.Schemas {
		s.Schemas[i].AutoShardKey = slices.Clone(s.Schemas[i].AutoShardKey)
		s.Schemas[i].Tables = slices.Clone(s.Schemas[i].Tables)
	}
	s.Users = slices.Clone(s.Users)
	for i := range s.Users {
		s.Users[i].Schemas = slices.Clone(s.Users[i].Schemas)
	}
	s.Admins = slices.Clone(s.Admins)
	s.Cache = slices.Clone(s.Cache)
	s.Limits = slices.Clone(s.Limits) // what they point at is never changed
	s.CacheState.Off = slices.Clone(s.CacheState.Off)
	s.CacheState.Tables = slices.Clone(s.CacheState.Tables)
	s.Moves = slices.Clone(s.Moves)
	for i := range s.Moves {
		s.Moves[i].Slots = slices.Clone(s.Moves[i].Slots)
	}
	return s
}

// Deal gives each shard, in order, a contiguous run of all slots. The runs are equal, or
// differ by one slot where the number of shards does not divide Slots.
func Deal(shards []Shard) []Range {
	n := len(shards)
	runs := make([]Range, 0, n)
	for i, s := range shards {
		first, next := i*Slots/n, (i+1)*Slots/n
		if first == next {
			continue // more shards than slots: New refuses such a Spec
		}
		runs = append(runs, Range{First: uint16(first), Last: uint16(next - 1), Shard: s.Name})
	}
	return runs
}
