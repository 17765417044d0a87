package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Times of a change of the process.
const (
	// No commit takes longer on a server that is well; one that does may be seen before it is acknowledged, and
	// then not be seen in what was stored in between, until its END.
	settleTime = 2 * time.Second
	// A node of a Redis Cluster is made a primary again no sooner than the node timeout after it was
	// made a replica: each connection from before is gone then.
	clusterConnLife = time.Second
)

// settler is the mark of nobody's write.
const settler = "settle"

func (s *redisStore) settle() time.Duration {
	if s.faults.Off("cache.settle") {
		return 0
	}
	return settleTime
}

// greet is what is said first on every connection. A process that started from a dump, or a replica that
// was promoted, may have lost what the last one was told: the name of the process that
// the data were last used under, and of its time as a primary (a replica that is promoted begins a history of another
// name, also one that has never got its primary's data) stand beside them, and where they are others everything
// stored so far is made unreachable before the connection is used. A process keeps its data as long as its
// connections live, except where it is made a replica and back: replicas are left alone, and in a Redis
// Cluster connections do not live long enough for that.
//
// A write that was begun at the process before has lost its mark, and may be decided at any moment. So nobody
// believes anything for a while: then it has made its END, which changes its tags.
func (s *redisStore) greet(ctx context.Context, cn *redis.Conn) error {
	// The reader in whose time the connection is made may have little left of it.
	budget := greetBudget
	if end, ok := ctx.Deadline(); ok {
		budget = min(max(time.Until(end), writeBudget), greetBudget)
	}
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	var server, history *redis.StringCmd
	var role *redis.Cmd
	var timeout *redis.MapStringStringCmd
	_, err := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		server, history, role = p.Info(ctx, "server"), p.Info(ctx, "replication"), p.Do(ctx, "ROLE")
		for _, sc := range scripts() {
			p.ScriptLoad(ctx, sc.text)
		}
		if s.n > 1 {
			timeout = p.ConfigGet(ctx, "cluster-node-timeout")
		}
		return nil
	})
	if err != nil && (timeout == nil || timeout.Err() == nil) {
		return s.complain(err)
	}
	if kind, _ := role.Slice(); len(kind) == 0 || kind[0] != "master" {
		return errors.New("this Redis is a replica")
	}
	if timeout != nil && timeout.Err() == nil { // who may not ask must know
		if ms, err := strconv.Atoi(timeout.Val()["cluster-node-timeout"]); err == nil && time.Duration(ms)*time.Millisecond < 2*clusterConnLife {
			return s.complain(fmt.Errorf("cluster-node-timeout of this Redis Cluster is %d ms; the result cache needs %v at least", ms, 2*clusterConnLife))
		}
	}
	id := field(server.Val(), "run_id")
	if id == "" {
		return s.complain(errors.New("this Redis does not tell its run_id; the result cache cannot use it"))
	}
	if s.faults.Off("cache.process") {
		return nil
	}
	greeted, _ := cn.Pipelined(ctx, func(p redis.Pipeliner) error {
		for b := range s.n {
			tag := everythingIn(b)
			greetScript.run(ctx, p, []string{strings.TrimSuffix(tag, everything) + "process", tag}, id+":"+field(history.Val(), "master_replid"), token(), settler, s.settle().Milliseconds())
		}
		return nil
	})
	for _, cmd := range greeted {
		if err := cmd.Err(); err != nil && !strings.HasPrefix(err.Error(), "MOVED ") {
			return s.complain(err)
		}
	}
	return nil
}

// field gives a field of what INFO says, "" for none.
func field(info, name string) string {
	_, rest, _ := strings.Cut(info, "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return strings.TrimSpace(value)
}

// complain says once what is wrong.
func (s *redisStore) complain(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := err.Error(); text != s.told {
		s.told = text
		s.log.Warn("the result cache cannot use its Redis", "error", err)
	}
	return err
}
