package limit

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/shard"
)

func limits(version int64, list ...shard.Limit) *shard.Map {
	return &shard.Map{Version: version, Spec: shard.Spec{Limits: list}}
}

func number(n int) *int { return &n }

// TestGate: who holds a transaction goes first, a full queue refuses at once, a raised limit lets
// those in that wait, and one that is taken away lets all in.
func TestGate(t *testing.T) {
	table, ctx := New(), context.Background()
	one := shard.Limit{Of: shard.OfUser, Name: "app", Concurrency: number(1), Queue: number(2), Wait: time.Minute}
	m := limits(1, one)
	if b := table.For(m, "other", "shop", nil); b != nil {
		t.Error("another user has bounds")
	}
	b := table.For(m, "app", "shop", nil)
	if err := b.Enter(ctx, false); err != nil {
		t.Fatal(err)
	}
	came := make(chan string)
	enter := func(who string, held bool, waiting int) {
		go func() {
			if err := b.Enter(ctx, held); err != nil {
				who = err.Error()
			}
			came <- who
		}()
		for table.Status(m)[0].Waiting != waiting {
			time.Sleep(time.Millisecond)
		}
	}
	enter("newcomer", false, 1)
	enter("holder", true, 2)
	var refused *Refused
	if err := b.Enter(ctx, true); !errors.As(err, &refused) || refused.Never || refused.Running != 1 || refused.Waiting != 2 {
		t.Errorf("a full queue: %v", err)
	}
	b.Leave()
	if who := <-came; who != "holder" {
		t.Errorf("%q went first", who)
	}
	one.Concurrency = number(2)
	table.Follow(limits(2, one))
	if who := <-came; who != "newcomer" {
		t.Errorf("%q came in by the raised limit", who)
	}
	enter("last", false, 1)
	table.Follow(limits(3))
	if who := <-came; who != "last" {
		t.Errorf("%q came in when the limit went", who)
	}
	if b := table.For(limits(3), "app", "shop", nil); b != nil {
		t.Error("the limit is still there")
	}
}

// TestNone: a limit of 0 refuses for good; an ended context ends a wait.
func TestNone(t *testing.T) {
	table := New()
	m := limits(1, shard.Limit{Of: shard.OfSchema, Name: "shop", Concurrency: number(0)}, shard.Limit{Of: shard.OfUser, Name: "app", Concurrency: number(1)})
	var refused *Refused
	if err := table.For(m, "x", "shop", nil).Enter(context.Background(), false); !errors.As(err, &refused) || !refused.Never {
		t.Errorf("a limit of none: %v", err)
	}
	b := table.For(m, "app", "other", nil)
	if err := b.Enter(context.Background(), false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Enter(ctx, false); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	if s := table.Status(m)[1]; s.Running != 1 || s.Waiting != 0 {
		t.Errorf("status %+v", s)
	}
}
