package session

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"sluice/cache"
)

// silent is a cluster whose store does not answer.
type silent struct{}

func (silent) CacheState() cache.State       { return cache.State{Secret: "s", Ready: true} }
func (silent) Sure() bool                    { return true }
func (silent) Suspend(context.Context) error { return errors.New("no answer") }
func (silent) Resume(context.Context) error  { return errors.New("no answer") }

// TestFollowOwes: what a log tells and cannot be dropped, because neither Redis nor etcd answers, ends the stream, so that
// everything is dropped when one of them does.
func TestFollowOwes(t *testing.T) {
	c := cache.New(cache.Options{Cluster: silent{}, Redis: &cache.Redis{Addrs: []string{"127.0.0.1:1"}}, Log: slog.New(slog.DiscardHandler)})
	defer c.Close()
	of := &tail{r: &results{c: c}, out: make(chan cache.Write, 1)}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	of.out <- cache.Write{All: true}
	if err := of.drop(ctx); !errors.Is(err, cache.ErrUnsafe) {
		t.Error(err)
	}
}
