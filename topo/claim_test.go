package topo

import (
	"context"
	"slices"
	"testing"
)

// TestClaim: one proxy at a time has a work, another gets it when the first is gone; all
// of a cluster know its one id, also without etcd at the next start.
func TestClaim(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
		defer cancel()
		a, b := must(t, w, Options{Node: "a", Initial: spec(1)}), must(t, w, Options{Node: "b", Initial: spec(1)})
		for range 2 {
			if mine, err := a.Claim(ctx, "sweeping"); !mine || err != nil {
				t.Errorf("a: %v, %v", mine, err)
			}
			if mine, err := b.Claim(ctx, "sweeping"); mine || err != nil {
				t.Errorf("b: %v, %v", mine, err)
			}
		}
		if mine, err := b.Claim(ctx, "cooking"); !mine || err != nil {
			t.Errorf("another work: %v, %v", mine, err)
		}
		first, err := a.Cluster(ctx)
		second, err2 := b.Cluster(ctx)
		if err != nil || err2 != nil || first != second || len(first) != 8 {
			t.Errorf("ids %q, %q (%v, %v)", first, second, err, err2)
		}
		if a.Process() == b.Process() || len(a.Process()) != 12 {
			t.Errorf("processes %q, %q", a.Process(), b.Process())
		}
		if list, err := a.Processes(ctx); err != nil || !slices.Contains(list, b.Process()) || !slices.Contains(list, a.Process()) {
			t.Errorf("%v, %v", list, err)
		}
		gone := a.Process()
		a.Close()
		eventually(t, "b has the work", func() bool {
			mine, err := b.Claim(ctx, "sweeping")
			return err == nil && mine
		})
		if list, err := b.Processes(ctx); err != nil || slices.Contains(list, gone) {
			t.Errorf("%v, %v", list, err)
		}
	})
}
