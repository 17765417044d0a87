package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// alone is a cluster of one proxy.
type alone struct {
	state   State
	unsure  bool
	suspend error
}

func (a *alone) CacheState() State { return a.state }
func (a *alone) Sure() bool        { return !a.unsure }
func (a *alone) Suspend(context.Context) error {
	if a.suspend == nil {
		a.state.Suspended, a.state.Self = true, true
	}
	return a.suspend
}
func (a *alone) Resume(context.Context) error {
	a.state.Suspended, a.state.Self = false, false
	a.state.Epoch++
	return nil
}

// broken is a store whose writes fail while it is told to.
type broken struct {
	*local
	down  bool
	takes func() time.Duration // a ping; nil: no time
}

var errDown = errors.New("down")

func (b *broken) begin(ctx context.Context, tags []key, version, writer string, lease time.Duration) error {
	if b.down {
		return errDown
	}
	return b.local.begin(ctx, tags, version, writer, lease)
}

func (b *broken) ping(ctx context.Context) error {
	if b.down {
		return errDown
	}
	if b.takes != nil {
		if end, _ := ctx.Deadline(); time.Until(end) < b.takes() {
			return context.DeadlineExceeded
		}
	}
	return nil
}

func open(t *testing.T) (*Cache, *alone, *broken) {
	cl := &alone{state: State{Secret: "s", Ready: true}}
	c := New(Options{Cluster: cl, Log: slog.New(slog.DiscardHandler)})
	b := &broken{local: c.store.(*local)}
	c.store = b
	t.Cleanup(c.Close)
	return c, cl, b
}

func read(keys ...uint32) *Query {
	return &Query{Key: fmt.Append(nil, keys), Tables: []Table{{Schema: "s", Name: "t", Keyed: true}}, Keys: keys, TTL: time.Minute}
}

// put stores what is not there.
func put(t *testing.T, c *Cache, q *Query, text string) {
	t.Helper()
	res, miss := c.Lookup(context.Background(), q)
	if res != nil || miss == nil {
		t.Fatalf("a hit (%v), or no say (%v)", res, miss)
	}
	miss.Store(context.Background(), &Result{Packets: []byte(text), Next: 5, Rows: 2, Found: 3})
	miss.End()
}

func has(c *Cache, q *Query) bool {
	res, miss := c.Lookup(context.Background(), q)
	miss.End()
	return res != nil
}

func mayStore(m *Miss) bool { return m != nil && !m.closed }

// noSay tells that there is no result, and that the database's may not be stored.
func noSay(res *Result, m *Miss) bool {
	if m != nil {
		m.stored = true // by who would have stored it
	}
	m.End()
	return res == nil && !mayStore(m)
}

func write(keys ...uint32) *Write {
	return &Write{Tables: []Table{{Schema: "s", Name: "t", Keyed: len(keys) > 0}}, Keys: keys}
}

func TestDrops(t *testing.T) {
	byKey, other, whole := read(1), read(2), read()
	for _, x := range []struct {
		name string
		w    *Write
		left []bool // of these three
	}{
		{"its key", write(1), []bool{false, true, false}},
		{"another key", write(9), []bool{true, true, false}},
		{"the table", write(), []bool{false, false, false}},
		{"the schema", &Write{Schemas: []string{"s"}}, []bool{false, false, false}},
		{"everything", &Write{All: true}, []bool{false, false, false}},
		{"another table", &Write{Tables: []Table{{Schema: "s", Name: "u"}}}, []bool{true, true, true}},
	} {
		c, _, _ := open(t)
		list := []*Query{byKey, other, whole}
		for _, q := range list {
			put(t, c, q, "x")
		}
		m, err := c.Begin(context.Background(), x.w)
		if err != nil {
			t.Fatal(err)
		}
		during := has(c, byKey)
		m.End(true)
		if during != x.left[0] {
			t.Errorf("%s: while it is written a hit: %v", x.name, during)
		}
		for i, q := range list {
			if has(c, q) != x.left[i] {
				t.Errorf("%s: %d is left: %v", x.name, i, !x.left[i])
			}
		}
	}
}

// TestStale: what is over is given when the database fails, for as long as the query allows, and never after a write.
func TestStale(t *testing.T) {
	c, cl, _ := open(t)
	ctx := context.Background()
	for _, x := range []struct {
		stale time.Duration
		spoil func()
		want  bool
	}{
		{time.Hour, func() {}, true},
		{0, func() {}, false},
		{10 * time.Millisecond, func() {}, false},
		{time.Hour, func() {
			m, err := c.Begin(ctx, write(1))
			if err != nil {
				t.Fatal(err)
			}
			m.End(true)
		}, false},
		{time.Hour, func() { cl.state.Suspended = true }, false},
		{time.Hour, func() { cl.unsure = true }, false},
		{time.Hour, func() { cl.state.Epoch++ }, false},
	} {
		cl.state.Suspended, cl.unsure = false, false
		q := read(1)
		q.TTL, q.Stale = 20*time.Millisecond, x.stale
		q.Key = fmt.Append(q.Key, x.stale)
		c.Bump(ctx, write(1))
		put(t, c, q, "x")
		time.Sleep(50 * time.Millisecond)
		if has(c, q) {
			t.Error("what is over is a hit")
		}
		x.spoil()
		if res := c.Stale(ctx, q); (res != nil) != x.want || res != nil && string(res.Packets) != "x" {
			t.Errorf("stale %v: %v, want one: %v", x.stale, res, x.want)
		}
	}
}

// TestRace: what was read before a write and stored after it is not stored.
func TestRace(t *testing.T) {
	c, _, _ := open(t)
	_, miss := c.Lookup(context.Background(), read(1))
	m, err := c.Begin(context.Background(), write(1))
	if err != nil {
		t.Fatal(err)
	}
	c.flights.most = time.Millisecond
	_, during := c.Lookup(context.Background(), read(1))
	during.Store(context.Background(), &Result{Packets: []byte("being written")})
	during.End()
	if !during.closed {
		t.Error("what is being written may be stored")
	}
	m.End(true)
	miss.Store(context.Background(), &Result{Packets: []byte("old")})
	miss.End()
	if has(c, read(1)) || c.Rules()[0].Refused != 1 {
		t.Error("an old result was stored")
	}
}

// TestUnknown: a write of unknown outcome keeps its mark.
func TestUnknown(t *testing.T) {
	c, _, _ := open(t)
	put(t, c, read(1), "x")
	m, err := c.Begin(context.Background(), write(1))
	if err != nil {
		t.Fatal(err)
	}
	m.End(false)
	if res, miss := c.Lookup(context.Background(), read(1)); !noSay(res, miss) {
		t.Error("nobody knows what is there")
	}
}

// TestSuspension: a write that cannot be marked suspends the cache, costs nothing more then, and
// what was stored before is not found after it.
func TestSuspension(t *testing.T) {
	c, cl, b := open(t)
	put(t, c, read(1), "x")
	b.down = true
	m, err := c.Begin(context.Background(), write(1))
	if err != nil || !cl.state.Suspended || !m.plain {
		t.Fatal(err, cl.state, m.plain)
	}
	if has(c, read(1)) {
		t.Error("a hit while it is suspended")
	}
	m.End(true)
	b.down = false
	if !c.lift(context.Background()) || cl.state.Suspended {
		t.Error("not resumed")
	}
	if has(c, read(1)) {
		t.Error("found under another epoch")
	}
	b.down, cl.suspend = true, errDown
	if _, err := c.Begin(context.Background(), write(1)); !errors.Is(err, ErrUnsafe) {
		t.Error(err)
	}
	if m, err := c.Begin(context.Background(), &Write{}); err != nil || m.c != nil {
		t.Error("a write of nothing that is cached:", err)
	}
}

// TestFallsBack: a write that cannot be marked while others that run unmarked are waited for runs unmarked, too, at once; and
// the suspension is ended when all of them have.
func TestFallsBack(t *testing.T) {
	c, cl, b := open(t)
	begin := func() Mark {
		t.Helper()
		m, err := c.Begin(context.Background(), write(1))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	b.down = true
	slow := begin()
	lifted := make(chan bool, 1)
	go func() { lifted <- c.lift(context.Background()) }()
	eventually(t, c.guard.marks)
	again := begin()
	if !slow.plain || !again.plain || <-lifted {
		t.Fatal("lifted, or marked", slow.plain, again.plain)
	}
	b.down = false
	slow.End(true)
	go func() { lifted <- c.lift(context.Background()) }()
	eventually(t, c.guard.marks)
	if m := begin(); m.plain {
		t.Error("not marked")
	} else {
		m.End(true)
	}
	again.End(true)
	if !<-lifted || cl.state.Suspended {
		t.Error("not resumed")
	}
}

// TestAnswers: a Redis to which connections take long answers, and one that takes long itself does not.
func TestAnswers(t *testing.T) {
	c, _, b := open(t)
	made := false
	b.takes = func() time.Duration {
		if !made {
			made = true
			return 4 * writeBudget
		}
		return 0
	}
	if err := answers(context.Background(), c.store); err != nil {
		t.Error(err)
	}
	b.takes = func() time.Duration { return 4 * writeBudget }
	if answers(context.Background(), c.store) == nil {
		t.Error("writes would wait in vain")
	}
}

// TestDropOwed: what somebody else has written is not forgotten where nobody can be told of it.
func TestDropOwed(t *testing.T) {
	c, cl, b := open(t)
	b.down, cl.suspend = true, errDown
	if err := c.Drop(context.Background(), write(1)); !errors.Is(err, ErrUnsafe) {
		t.Error(err)
	}
	cl.suspend = nil
	if err := c.Drop(context.Background(), write(1)); err != nil || !cl.state.Suspended {
		t.Error(err)
	}
}

func TestNoSay(t *testing.T) {
	for name, change := range map[string]func(*alone){
		"unsure": func(a *alone) { a.unsure = true }, "suspended": func(a *alone) { a.state.Suspended = true }, "not ready": func(a *alone) { a.state.Ready = false },
	} {
		c, cl, _ := open(t)
		put(t, c, read(1), "x")
		change(cl)
		if res, miss := c.Lookup(context.Background(), read(1)); !noSay(res, miss) {
			t.Errorf("%s: it has a say", name)
		}
	}
}

// TestValues: a value is believed under its own name, secret and versions only, and to the last bit.
func TestValues(t *testing.T) {
	c, cl, _ := open(t)
	r := c.rings(&cl.state)
	at := r.placeOf(read(1))
	states := []string{"a", "b"}
	for _, text := range []string{"", "short", strings.Repeat("long ", 4000)} {
		res := &Result{Packets: []byte(text), Next: 7, Rows: 1, Found: 9}
		until := time.Now().Add(time.Minute).Truncate(time.Millisecond)
		b := r.seal(&at, states, res, until)
		got, end, ok := r.open(&at, states, b)
		if !ok || !end.Equal(until) || !bytes.Equal(got.Packets, res.Packets) || got.Next != 7 || got.Rows != 1 || got.Found != 9 {
			t.Fatal(got, ok)
		}
		if len(text) > 10000 && len(b) > len(text)/2 {
			t.Error("not compressed")
		}
		for i := range b {
			if i > 64 && i < len(b)-4 {
				continue
			}
			b[i] ^= 1
			if _, _, ok := r.open(&at, states, b); ok {
				t.Fatalf("byte %d is not looked at", i)
			}
			b[i] ^= 1
		}
		other := r.placeOf(read(2))
		if _, _, ok := r.open(&other, states, b); ok {
			t.Error("under another name")
		}
		if _, _, ok := r.open(&at, []string{"a", "c"}, b); ok {
			t.Error("under other versions")
		}
		if _, _, ok := r.open(&at, states, b[:len(b)/2]); ok {
			t.Error("half of it")
		}
	}
	if other := c.rings(&State{Secret: "x"}).placeOf(read(1)); other.entry.name == at.entry.name {
		t.Error("the secret is not in the name")
	}
}

// TestManyKeys: a write of too many keys is one of the table.
func TestManyKeys(t *testing.T) {
	var w Write
	for k := range uint32(MaxWrites + 1) {
		w.Add(write(k))
	}
	if w.Tables[0].Keyed {
		t.Error("keyed")
	}
}

func TestBreaker(t *testing.T) {
	var b breaker
	for range breakerAfter {
		if !b.closed() {
			t.Fatal("open too soon")
		}
		for range 10 { // at once
			_ = b.report(errDown)
		}
		b.last.Store(0)
	}
	if b.closed() {
		t.Error("closed")
	}
	_ = b.report(nil)
	if !b.closed() {
		t.Error("open")
	}
}

// TestFlights: one asks the database, the others wait for it and look again; for what is not stored nobody waits.
func TestFlights(t *testing.T) {
	c, _, _ := open(t)
	_, miss := c.Lookup(context.Background(), read(1))
	got := make(chan *Result, 3)
	for range cap(got) {
		go func() {
			res, other := c.Lookup(context.Background(), read(1))
			other.End()
			got <- res
		}()
	}
	for c.Rules()[0].Waited < int64(cap(got)) {
		time.Sleep(time.Millisecond)
	}
	miss.Store(context.Background(), &Result{Packets: []byte("x")})
	miss.End()
	for range cap(got) {
		if res := <-got; res == nil || string(res.Packets) != "x" {
			t.Error(res)
		}
	}
	if s := c.Rules()[0]; s.Misses != 1 || s.Hits != int64(cap(got)) {
		t.Errorf("%+v", s)
	}
	_, barren := c.Lookup(context.Background(), read(2))
	barren.End()
	for range 2 {
		_, again := c.Lookup(context.Background(), read(2))
		if again == nil || again.flight != nil {
			t.Error("somebody would be waited for")
		}
	}
}

// TestShared: who came before the database was asked is given what it answered, also while somebody writes and nothing is
// stored; who came later is not.
func TestShared(t *testing.T) {
	c, _, _ := open(t)
	c.flights.most = time.Minute
	ctx := context.Background()
	type answer struct {
		res  *Result
		miss *Miss
	}
	got := make(chan answer, 5)
	ask := func(waiting int64) {
		go func() {
			res, miss := c.Lookup(ctx, read(1))
			got <- answer{res, miss}
		}()
		for c.Rules()[0].Waited < waiting {
			time.Sleep(time.Millisecond)
		}
	}
	_, first := c.Lookup(ctx, read(1))
	for i := range int64(4) {
		ask(i + 1)
	}
	mark, err := c.Begin(ctx, write(1))
	if err != nil {
		t.Fatal(err)
	}
	first.Store(ctx, &Result{Packets: []byte("before")})
	first.End()
	second := <-got
	if second.res != nil || second.miss == nil {
		t.Fatalf("who waited for the first was given %+v", second)
	}
	ask(4 + 3 + 1) // it is one who waits for the second only
	second.miss.Store(ctx, &Result{Packets: []byte("while it is written")})
	second.miss.End()
	var last *Miss
	for range 4 {
		switch a := <-got; {
		case a.res == nil && last == nil:
			last = a.miss
		case a.res == nil || string(a.res.Packets) != "while it is written":
			t.Errorf("%+v", a)
		}
	}
	if last == nil {
		t.Error("who came while the second was asked was given its answer")
	}
	last.End()
	mark.End(true)
	if has(c, read(1)) {
		t.Error("it was stored")
	}
}

// hurried is a cluster whose slots are about to switch at some time.
type hurried struct {
	alone
	now atomic.Bool
}

func (h *hurried) CacheState() State {
	s := h.state
	s.Hurry = h.now.Load()
	return s
}

// TestHurry: who waits for another waits no more when slots are about to switch.
func TestHurry(t *testing.T) {
	h := &hurried{alone: alone{state: State{Secret: "s", Ready: true}}}
	c := New(Options{Cluster: h, Log: slog.New(slog.DiscardHandler)})
	defer c.Close()
	c.flights.most = time.Hour
	_, first := c.Lookup(context.Background(), read(1))
	got := make(chan *Miss)
	go func() {
		_, miss := c.Lookup(context.Background(), read(1))
		got <- miss
	}()
	for c.Rules()[0].Waited == 0 {
		time.Sleep(time.Millisecond)
	}
	h.now.Store(true)
	if miss := <-got; miss == nil || miss.flight != nil {
		t.Errorf("%+v", miss)
	}
	first.End()
}

// TestLost: where a loader is stopped, one of those who wait asks next, and the others are given its answer.
func TestLost(t *testing.T) {
	c, _, _ := open(t)
	c.flights.most = time.Minute
	ctx := context.Background()
	_, first := c.Lookup(ctx, read(1))
	const n = 20
	got := make(chan *Result, n)
	var asking atomic.Int64
	for range n {
		go func() {
			res, miss := c.Lookup(ctx, read(1))
			if miss != nil {
				for asking.Add(1); asking.Load() == 1 && c.Rules()[0].Waited < n+n-1; { // all have looked again
					time.Sleep(time.Millisecond)
				}
				miss.Store(ctx, &Result{Packets: []byte("x")})
				miss.End()
			}
			got <- res
		}()
	}
	for c.Rules()[0].Waited < n {
		time.Sleep(time.Millisecond)
	}
	first.Lost()
	first.End()
	asked := 0
	for range n {
		if <-got == nil {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("%d have asked", asked)
	}
}

// told is an Asker who is told to stop.
type told struct{ stop atomic.Bool }

func (a *told) Interrupted() error {
	if a.stop.Load() {
		return context.Canceled
	}
	return nil
}

// TestStopped: who is told to stop does not wait on, and is not waited for.
func TestStopped(t *testing.T) {
	c, _, _ := open(t)
	c.flights.most = time.Hour
	_, first := c.Lookup(context.Background(), read(1))
	asker := &told{}
	q := read(1)
	q.Asker = asker
	done := make(chan bool)
	go func() {
		res, miss := c.Lookup(context.Background(), q)
		done <- res == nil && miss == nil
	}()
	for c.Rules()[0].Waited == 0 {
		time.Sleep(time.Millisecond)
	}
	asker.stop.Store(true)
	if !<-done {
		t.Error("he is waited for")
	}
	first.End()
}

// TestLooks: looks that come together are asked together, each gets its own, and one that gives up
// leaves nobody without an answer.
func TestLooks(t *testing.T) {
	var asked atomic.Int64
	gate := make(chan struct{})
	l := &looks{mget: func(_ context.Context, keys []string) ([]any, error) {
		asked.Add(1)
		<-gate
		got := make([]any, len(keys))
		for i, k := range keys {
			got[i] = "of " + k
		}
		return got, nil
	}}
	const n = 40
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			k := fmt.Sprint(i)
			got, err := l.get(context.Background(), []string{k, k + "b"})
			if err != nil || len(got) != 2 || got[0] != "of "+k || got[1] != "of "+k+"b" {
				t.Error(k, got, err)
			}
		})
	}
	for asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // most of the others wait
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.get(ctx, []string{"x"}); err == nil {
		t.Error("an answer for one that has gone")
	}
	close(gate)
	all.Wait()
	if asked.Load() > n/2 {
		t.Error(asked.Load())
	}
}

// TestSlow: nobody waits for one that has been under way for long, or whose result turns out not to be stored; and
// a ttl counts from before the database was asked.
func TestSlow(t *testing.T) {
	c, _, _ := open(t)
	_, slow := c.Lookup(context.Background(), read(1))
	slow.flight.began = slow.flight.began.Add(-2 * loadWait)
	_, long := c.Lookup(context.Background(), read(2))
	long.Unfit()
	_, next := c.Lookup(context.Background(), read(1))
	if next == nil || next.flight == nil || next.flight == slow.flight {
		t.Error("not the next one is waited for")
	}
	if _, miss := c.Lookup(context.Background(), read(2)); miss == nil || miss.flight != nil {
		t.Error("somebody would be waited for")
	}
	next.Store(context.Background(), &Result{Packets: make([]byte, MaxResult+1)})
	next.End()
	long.End()
	slow.began = slow.began.Add(-time.Minute)
	slow.Store(context.Background(), &Result{Packets: []byte("x")})
	slow.End()
	if has(c, read(1)) || c.Rules()[0].Waited != 0 {
		t.Errorf("older than its ttl, or waited: %+v", c.Rules()[0])
	}
}
