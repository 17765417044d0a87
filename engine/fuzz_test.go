//go:build linux

package engine

import (
	"math/rand/v2"
	"testing"
)

// FuzzStorm is TestStorm with what happens, and when, decided by the input.
func FuzzStorm(f *testing.F) {
	for trouble := range byte(8) {
		f.Add([]byte{trouble * 37, trouble * 91, 200, trouble << 5, 3, trouble}, uint64(trouble))
	}
	f.Fuzz(func(t *testing.T, decisions []byte, seed uint64) {
		e := open(t, 2)
		storm(t, e, rand.New(&decided{decisions, rand.NewPCG(seed, 8)}))
	})
}

// decided gives random numbers of which each of the first is one byte of the input.
type decided struct {
	bytes []byte
	rest  *rand.PCG
}

func (d *decided) Uint64() uint64 {
	if len(d.bytes) == 0 {
		return d.rest.Uint64()
	}
	b := uint64(d.bytes[0])
	d.bytes = d.bytes[1:]
	return b * 0x0101010101010101 // whatever bits are looked at
}
