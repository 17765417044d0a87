package topo

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// register knows all sequences, and what the watch shows of them.
type register struct {
	log      *slog.Logger
	prefix   string // of the keys, with a slash at its end
	instance string // this process: a node that restarts is another one

	mu     sync.Mutex
	seqs   map[string]*sequence
	listed bool // every sequence in etcd is in seqs
	closed bool
	moved  chan struct{}     // closed and replaced when a view changed
	asked  map[string]demand // by key: requests to this proxy that wait for their answer
	wake   chan struct{}     // one slot: there are some
}

func newRegister(log *slog.Logger, prefix, instance string) *register {
	return &register{log: log, prefix: prefix, instance: instance, seqs: map[string]*sequence{},
		moved: make(chan struct{}), asked: map[string]demand{}, wake: make(chan struct{}, 1)}
}

// demand is a request to give up the blocks with id or smaller ones.
type demand struct {
	seq string
	id  uint64
}

var errClosed = errors.New("the topology is closed")

func (r *register) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// with runs f with a sequence, which is not forgotten meanwhile.
func (r *register) with(name string, f func(*sequence) error) error {
	if name == "" || len(name) > 512 {
		return errors.New("the name must have 1 to 512 bytes")
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errClosed
	}
	q := r.sequence(name)
	q.uses++
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		q.uses--
		r.mu.Unlock()
	}()
	return f(q)
}

// sequence gives a sequence by name; the lock is held.
func (r *register) sequence(name string) *sequence {
	q := r.seqs[name]
	if q == nil {
		q = newSequence(name)
		q.seen.complete = r.listed // then there is nothing of it in etcd
		r.seqs[name] = q
	}
	return q
}

// key gives a key of a sequence; its name is escaped, so that a slash in it is no level.
func (r *register) key(q *sequence, parts ...string) string {
	return r.prefix + url.PathEscape(q.name) + "/" + strings.Join(parts, "/")
}

// parse takes a key apart: the sequence, and next, blocks or give with what follows.
func (r *register) parse(key string) (seq string, parts []string, ok bool) {
	parts = strings.Split(strings.TrimPrefix(key, r.prefix), "/")
	seq, err := url.PathUnescape(parts[0])
	return seq, parts[1:], err == nil && len(parts) > 1 && seq != ""
}

// errRolledBack is of an etcd that was restored from a backup or is another one: its
// counters stand where ids were handed out before.
var errRolledBack = errors.New("etcd holds older data than this proxy has seen; no ids can be taken until its newest data are restored")

// learnFrom takes over the counter that a read of its key gave.
func (r *register) learnFrom(q *sequence, kvs []*mvccpb.KeyValue, asOf int64) error {
	var c counter
	rev := int64(0)
	if len(kvs) > 0 {
		rev = kvs[0].ModRevision
		if err := json.Unmarshal(kvs[0].Value, &c); err != nil {
			return fmt.Errorf("%s: %w", kvs[0].Key, err)
		}
	}
	q.learn(c, rev, asOf)
	return nil
}

// viewOf sorts keys by their sequences.
func (r *register) viewOf(kvs []*mvccpb.KeyValue, rev int64) map[string]*view {
	views := map[string]*view{}
	for _, kv := range kvs {
		seq, parts, ok := r.parse(string(kv.Key))
		if !ok {
			continue
		}
		v := views[seq]
		if v == nil {
			v = &view{complete: true, rev: rev}
			views[seq] = v
		}
		r.put(v, parts, kv)
		r.noteDemand(seq, parts, kv)
	}
	return views
}

// put notes one key in a view.
func (r *register) put(v *view, parts []string, kv *mvccpb.KeyValue) {
	switch {
	case len(parts) == 1 && parts[0] == "next":
		var c counter
		err := json.Unmarshal(kv.Value, &c)
		v.counter, v.there = c, err == nil // what cannot be read is asked for when it is needed
	case len(parts) == 2 && parts[0] == "blocks" && parts[1] != r.instance:
		var blocks []block
		if json.Unmarshal(kv.Value, &blocks) != nil {
			blocks = []block{{First: 0, End: ^uint64(0)}} // it may hold any id
		}
		if v.others == nil {
			v.others = map[string][]block{}
		}
		v.others[parts[1]] = blocks
	}
}

// noteDemand notes the key of a request to this proxy.
func (r *register) noteDemand(seq string, parts []string, kv *mvccpb.KeyValue) {
	if len(parts) != 3 || parts[0] != "give" || parts[1] != r.instance {
		return
	}
	if id, err := strconv.ParseUint(string(kv.Value), 10, 64); err == nil {
		r.demand(string(kv.Key), demand{seq: seq, id: id})
	}
}

// loaded and changed take what follow reads of all sequences.
func (r *register) loaded(resp *clientv3.GetResponse) {
	views := r.viewOf(resp.Kvs, resp.Header.Revision)
	r.mu.Lock()
	for name := range views {
		r.sequence(name)
	}
	r.listed = true
	for name, q := range r.seqs {
		v := views[name]
		if v == nil {
			v = &view{complete: true, rev: resp.Header.Revision}
		}
		q.see(v)
		if q.uses == 0 && len(v.others) == 0 && !v.there && q.empty() {
			delete(r.seqs, name)
		}
	}
	r.mu.Unlock()
	r.announceMove()
}

func (r *register) changed(events []*clientv3.Event) {
	for _, e := range events {
		seq, parts, ok := r.parse(string(e.Kv.Key))
		if !ok {
			continue
		}
		r.mu.Lock()
		q := r.sequence(seq)
		r.mu.Unlock()
		q.update(e.Kv.ModRevision, func(v *view) {
			switch {
			case e.Type == clientv3.EventTypePut:
				r.put(v, parts, e.Kv)
			case len(parts) == 1 && parts[0] == "next":
				v.counter, v.there = counter{}, false
			case len(parts) == 2 && parts[0] == "blocks":
				delete(v.others, parts[1])
			}
		})
		if e.Type == clientv3.EventTypePut {
			r.noteDemand(seq, parts, e.Kv)
		}
		if len(parts) == 1 && parts[0] == "next" {
			r.learnEvent(q, e)
		}
	}
	r.announceMove()
}

func (r *register) learnEvent(q *sequence, e *clientv3.Event) {
	var kvs []*mvccpb.KeyValue
	if e.Type == clientv3.EventTypePut {
		kvs = append(kvs, e.Kv)
	}
	if err := r.learnFrom(q, kvs, e.Kv.ModRevision); err != nil {
		r.log.Error("a sequence in etcd cannot be read", "error", err)
	}
}

// announceMove wakes those who wait for a change of a view.
func (r *register) announceMove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.moved)
	r.moved = make(chan struct{})
}

// demand notes a request of another proxy to give up ids.
func (r *register) demand(key string, d demand) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[key] = d
	nudge(r.wake)
}

// demands takes the requests that wait.
func (r *register) demands() map[string]demand {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := maps.Clone(r.asked)
	clear(r.asked)
	return asked
}

// nextMove gives the channel that is closed when a view changes next.
func (r *register) nextMove() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.moved
}
