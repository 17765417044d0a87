package topo

import (
	"context"
	"strings"
	"testing"
)

func TestOneNameOneProxy(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w world) {
		s := must(t, w, Options{Node: "px1", Listen: "127.0.0.1:3306", Version: "v1", Initial: spec(1)})
		other, err := w.open(t, Options{Node: "px1"})
		if err == nil {
			other.Close()
			t.Fatal("a second proxy of the same name was let in")
		}
		if !strings.Contains(err.Error(), `"px1"`) || !strings.Contains(err.Error(), "127.0.0.1:3306") {
			t.Errorf("the error does not say who is there: %v", err)
		}
		list, err := s.Proxies(context.Background())
		if err != nil || len(list) != 1 || list[0].Listen != "127.0.0.1:3306" || list[0].Version != "v1" || list[0].Started == "" {
			t.Errorf("proxies: %+v, %v", list, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := must(t, w, Options{Node: "px1"}) // its lease was given up
		if list, err := again.Proxies(context.Background()); err != nil || len(list) != 1 {
			t.Errorf("proxies: %+v, %v", list, err)
		}
	})
}

// A lost lease is taken anew, and the ids that were held under it are not used any more.
func TestLostLease(t *testing.T) {
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		s := must(t, w, Options{Initial: spec(1)})
		if id, err := s.NextIDs(ctx, "t", 1, floor(0)); err != nil || id != 1 {
			t.Fatal(id, err)
		}
		for _, l := range []*lease{s.member.lease, s.ids.lease} {
			if err := revoke(ctx, s.c, l.held()); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the proxy is announced again", func() bool {
			list, err := s.Proxies(ctx)
			return err == nil && len(list) == 1 && s.Healthy()
		})
		eventually(t, "the old block is given up", func() bool {
			id, err := s.NextIDs(ctx, "t", 1, floor(0))
			if err != nil {
				t.Fatal(err)
			}
			return id > smallestBlock
		})
	})
}

func TestDataDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	opts := Options{Node: "px1", DataDir: dir, Initial: spec(1)}
	s, err := Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if again, err := Open(context.Background(), opts); err == nil || !strings.Contains(err.Error(), "in use") {
		if err == nil {
			again.Close()
		}
		t.Fatalf("a second store in the same directory: %v", err)
	}
}
