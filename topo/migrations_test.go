package topo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestMigrations: numbers never repeat, a record is changed by who has read it last, and
// under a claim only by who holds it.
func TestMigrations(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
		defer cancel()
		sa, sb := must(t, w, Options{Node: "a", Initial: spec(1)}), must(t, w, Options{Node: "b", Initial: spec(1)})
		a, b := NewMigrations(sa), NewMigrations(sb)
		text := func(id int64) ([]byte, error) { return fmt.Appendf(nil, "first %d", id), nil }
		first, err := a.Create(ctx, text)
		if err != nil || first.ID != 1 {
			t.Fatalf("%+v, %v", first, err)
		}
		if err := a.Forget(ctx, first); err != nil {
			t.Error(err)
		}
		second, err := b.Create(ctx, text)
		if err != nil || second.ID != 2 || string(second.Value) != "first 2" {
			t.Fatalf("%+v, %v", second, err)
		}
		if _, err := a.Read(ctx, 1); !errors.Is(err, ErrNoMigration) {
			t.Errorf("a forgotten record: %v", err)
		}
		seen, err := a.Read(ctx, 2)
		if err != nil {
			t.Fatal(err)
		}
		if second, err = b.Write(ctx, second, []byte("b was here"), ""); err != nil {
			t.Error(err)
		}
		if _, err := a.Write(ctx, seen, []byte("a was here"), ""); !errors.Is(err, ErrMigrationChanged) {
			t.Errorf("a late write: %v", err)
		}
		if _, err := b.Write(ctx, second, []byte("unclaimed"), "migration-2"); !errors.Is(err, ErrMigrationChanged) {
			t.Errorf("a write without the claim: %v", err)
		}
		if mine, err := b.Claim(ctx, "migration-2"); err != nil || !mine {
			t.Fatal(mine, err)
		}
		if seen, err = a.Read(ctx, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write(ctx, seen, []byte("of another"), "migration-2"); !errors.Is(err, ErrMigrationChanged) {
			t.Errorf("a write under the claim of another: %v", err)
		}
		if second, err = b.Write(ctx, second, []byte("claimed"), "migration-2"); err != nil {
			t.Error(err)
		}
		if err := a.Release(ctx, "migration-2"); err != nil { // not a's
			t.Error(err)
		}
		if mine, _ := a.Claim(ctx, "migration-2"); mine {
			t.Error("a has a claim that b holds")
		}
		if err := b.Release(ctx, "migration-2"); err != nil {
			t.Error(err)
		}
		if mine, err := a.Claim(ctx, "migration-2"); err != nil || !mine {
			t.Errorf("a released claim: %v, %v", mine, err)
		}
		if err := b.Report(ctx, 2, []byte("half")); err != nil {
			t.Error(err)
		}
		if all, err := a.Progress(ctx); err != nil || string(all[2]) != "half" {
			t.Errorf("%v, %v", all, err)
		}
		list, err := a.List(ctx)
		if err != nil || len(list) != 1 || !slices.Equal(list[0].Value, []byte("claimed")) {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
