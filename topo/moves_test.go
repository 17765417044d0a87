package topo

import (
	"context"
	"reflect"
	"testing"
	"time"

	"sluice/shard"
)

// freeze adds a frozen move of the first slots.
func freeze(attempt int64) func(*shard.Spec) error {
	return func(s *shard.Spec) error {
		s.Moves = []shard.Move{{ID: 3, Slots: []shard.Span{{First: 0, Last: 9}}, Source: s.Shards[0].Name, Target: s.Shards[1].Name, Frozen: true, Attempt: attempt}}
		return nil
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		s := must(t, w, Options{Initial: spec(2)})
		m, err := s.Update(ctx, freeze(1))
		if err != nil {
			t.Fatal(err)
		}
		acks := func() []Ack {
			list, err := s.Proxies(ctx)
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			if list[0].MapVersion < m.Version {
				return nil
			}
			return list[0].Acks
		}
		for _, attempt := range []int64{1, 2} {
			if m, err = s.Update(ctx, freeze(attempt)); err != nil {
				t.Fatal(err)
			}
			s.Ack(3, attempt)
			eventually(t, "the acknowledgement is announced", func() bool { return reflect.DeepEqual(acks(), []Ack{{3, attempt}}) })
		}
		if err := revoke(ctx, s.c, s.member.lease.held()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is announced under the next lease, too", func() bool {
			list, err := s.Proxies(ctx)
			return err == nil && len(list) == 1 && reflect.DeepEqual(list[0].Acks, []Ack{{3, 2}})
		})
		if m, err = s.Update(ctx, func(s *shard.Spec) error { s.Moves = nil; return nil }); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it goes with its migration", func() bool { return s.Healthy() && len(acks()) == 0 && s.member.said(m.Version) })
	})
}

// said tells whether a map of that version is announced.
func (m *member) said(version int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.announced == m.self.Count && m.self.MapVersion >= version
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		a := must(t, w, Options{Node: "px1", Initial: spec(2)})
		b := must(t, w, Options{Node: "px2"})
		for attempt := int64(1); attempt < 20; attempt++ {
			if _, err := a.Update(ctx, freeze(attempt)); err != nil {
				t.Fatal(err)
			}
			m, err := b.Refresh(ctx)
			if err != nil || m.Move(3).Attempt != attempt || b.Map().Version < m.Version {
				t.Fatalf("the map read after attempt %d was stored has attempt %v: %v", attempt, m.Move(3), err)
			}
		}
	})
}

// A proxy is sure of its map only under an announcement that is older than the map.
func TestSureUntil(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w world) {
		ctx := context.Background()
		s := must(t, w, Options{Initial: spec(2)})
		if left := time.Until(s.SureUntil()); left <= 0 || left > memberTTL-margin {
			t.Fatalf("sure for %v after the start", left)
		}
		was := s.SureUntil()
		eventually(t, "it is extended", func() bool { return s.SureUntil().After(was) })
		was = s.SureUntil()
		if err := revoke(ctx, s.c, s.member.lease.held()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is extended under the next lease", func() bool { return s.SureUntil().After(was) })
	})
}
