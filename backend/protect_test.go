package backend

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

// lineUp has a user wait for connections; each that gets one tells its name and gives it back.
func lineUp(t *testing.T, p *Pools, ask Ask, n int, wg *sync.WaitGroup, served func(string)) {
	t.Helper()
	for range n {
		before := p.Status()[0].Waiting
		wg.Go(func() {
			c, err := p.GetFor(context.Background(), ask, "s0", Class{}, "", nil)
			if err != nil {
				t.Error(err)
				return
			}
			name := ask.User
			if ask.Held {
				name = "held"
			}
			served(name)
			c.Put()
		})
		eventually(t, "it waits", func() bool { return p.Status()[0].Waiting == before+1 })
	}
}

// TestFair: a user with few clients waits no longer because another has many, and who holds
// connections goes before both.
func TestFair(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 20 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 1}, s.Addr))
	c := get(t, p, "", nil)
	var mu sync.Mutex
	var order []string
	served := func(who string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, who)
	}
	var wg sync.WaitGroup
	lineUp(t, p, Ask{User: "many"}, 12, &wg, served)
	lineUp(t, p, Ask{User: "few"}, 3, &wg, served)
	lineUp(t, p, Ask{Held: true}, 2, &wg, served)
	c.Put()
	wg.Wait()
	if order[0] != "held" || order[1] != "held" {
		t.Errorf("who holds connections did not go first: %v", order)
	}
	last := 0
	for i, who := range order {
		if who == "few" {
			last = i
		}
	}
	if last > 8 {
		t.Errorf("three of one user waited for those of another: %v", order)
	}
}

// TestSpare: newcomers leave places to those that hold connections, and do not wait where these are free.
func TestSpare(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: time.Second}, mapOf(t, shard.Backend{MaxConnections: 8}, s.Addr))
	var conns []*Conn
	lease := func(ask Ask) error {
		c, err := p.GetFor(context.Background(), ask, "s0", Class{}, "", nil)
		if err == nil {
			conns = append(conns, c)
		}
		return err
	}
	for range 7 {
		if err := lease(Ask{User: "app"}); err != nil {
			t.Fatal(err)
		}
	}
	err := lease(Ask{User: "app"})
	if u := unavailable(t, err); !u.Full {
		t.Errorf("the last place: %v", err)
	}
	if err := lease(Ask{User: "app", Held: true}); err != nil {
		t.Errorf("the last place is not for those that hold connections: %v", err)
	}
	if st := p.Status()[0]; st.Busy != 8 || st.Refused != 1 || st.Open != 8 {
		t.Errorf("%+v", st)
	}
	for _, c := range conns {
		c.Put()
	}
}

// TestRest: a transaction between two statements takes no part in the limit, and is at work again
// without waiting.
func TestRest(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 20 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 16}, s.Addr))
	pl := p.table.Load().byName["s0"]
	pl.pace.limit = 2
	app := Ask{User: "app"}
	a, err := p.GetFor(context.Background(), app, "s0", Class{}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.GetFor(context.Background(), app, "s0", Class{}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *Conn)
	go func() {
		c, err := p.GetFor(context.Background(), app, "s0", Class{}, "", nil)
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	eventually(t, "a third waits", func() bool { return p.Status()[0].Waiting == 1 })
	a.Rest()
	a.Rest() // says nothing new
	c := <-got
	if st := p.Status()[0]; st.Busy != 2 || st.Open != 3 {
		t.Errorf("%+v", st)
	}
	a.Wake()
	if st := p.Status()[0]; st.Busy != 3 {
		t.Errorf("%+v", st)
	}
	a.Rest()
	a.Put() // a COMMIT does not wake
	b.Rest()
	b.Close()
	c.Put()
	if st := p.Status()[0]; st.Busy != 0 || st.Idle != 2 || st.Open != 2 {
		t.Errorf("%+v", st)
	}
	if n := pl.resting.Load(); n != 0 {
		t.Errorf("%d connections rest, and none is leased", n)
	}
}

// TestPatience: while newcomers stand without a break, who has waited too long is told so in his
// turn, as far as more wait than can be at work; when the queue comes and goes nobody is.
func TestPatience(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{WaitTimeout: 20 * time.Second}, mapOf(t, shard.Backend{MaxConnections: 1}, s.Addr))
	pl := p.table.Load().byName["s0"]
	for _, stands := range []bool{false, true} {
		c := leaseAs(t, p, "app", "s0")
		got := make(chan error)
		for i := range 3 {
			go func() {
				c, err := p.GetFor(context.Background(), Ask{User: []string{"app", "app", "other"}[i]}, "s0", Class{}, "", nil)
				if err == nil {
					c.Put()
				}
				got <- err
			}()
			eventually(t, "it waits", func() bool { return p.Status()[0].Waiting == i+1 })
		}
		pl.mu.Lock()
		for _, l := range pl.queue.lines {
			for w := l.waiting.first; w != nil; w = w.behind {
				w.came = w.came.Add(-2 * leastPatience)
			}
		}
		if stands {
			pl.queue.since = pl.queue.since.Add(-2 * standing)
		}
		pl.mu.Unlock()
		c.Put()
		refused := 0
		for range 3 {
			err := <-got
			switch {
			case err == nil:
			case stands:
				refused++
				if u := unavailable(t, err); !u.Full || !errors.Is(err, errLong) {
					t.Errorf("%v", err)
				}
			default:
				t.Errorf("in a burst: %v", err)
			}
		}
		if stands && refused != 2 {
			t.Errorf("%d of three were refused, while one place was free", refused)
		}
	}
}

// TestHang: of a server that stops without a word, what runs is given up after a while, newcomers are
// refused at once, what rests stays, and when it goes on all goes on.
func TestHang(t *testing.T) {
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			s := testkit.StartServer(t, flavor)
			p := open(t, Options{HangTimeout: 2 * time.Second, DialTimeout: time.Second}, mapOf(t, shard.Backend{}, s.Addr))
			rests, works, idle := get(t, p, "", nil), get(t, p, "", nil), get(t, p, "", nil)
			rests.Rest()
			idle.Put()
			ended := make(chan error)
			go func() {
				_, err := works.Exec("DO SLEEP(60)")
				works.Close()
				ended <- err
			}()
			eventually(t, "it runs", func() bool {
				return s.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(60)'") == "1"
			})
			s.Pause()
			err := <-ended
			if !errors.Is(err, net.ErrClosed) || !works.Severed() {
				t.Errorf("what ran there ended with %v, severed: %v", err, works.Severed())
			}
			start := time.Now()
			_, err = p.Get(context.Background(), "s0", Class{}, "", nil)
			if u := unavailable(t, err); u.Full || time.Since(start) > time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			if st := p.Status()[0]; st.Severed != 1 || !slices.Contains([]string{"open", "half-open"}, st.Breaker) {
				t.Errorf("%+v", st)
			}
			s.Resume()
			eventually(t, "it is up again", func() bool { return p.Status()[0].Breaker == "closed" })
			if value(t, rests, "SELECT 1") != "1" {
				t.Error("what rested does not answer")
			}
			rests.Put()
			c := get(t, p, "", nil)
			if value(t, c, "SELECT 2") != "2" {
				t.Error("no answer")
			}
			c.Put()
		})
	}
}

// TestLongStatement: a statement that takes its time on a server that lives is left alone.
func TestLongStatement(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{HangTimeout: 400 * time.Millisecond}, mapOf(t, shard.Backend{}, s.Addr))
	c := get(t, p, "", nil)
	if got := value(t, c, "SELECT SLEEP(2)"); got != "0" {
		t.Errorf("SLEEP gave %s", got)
	}
	if st := p.Status()[0]; st.Severed != 0 || st.Breaker != "closed" {
		t.Errorf("%+v", st)
	}
	c.Put()
}

// TestAskAllocates nothing where nobody waits.
func TestAskAllocates(t *testing.T) {
	s := testkit.Shared(t, testkit.MariaDBFlavor, 0)
	p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
	ask := Ask{User: "app"}
	lease := func() {
		c, err := p.GetFor(context.Background(), ask, "s0", Class{}, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Rest()
		c.Wake()
		c.Put()
	}
	lease()
	if n := testing.AllocsPerRun(1000, lease); n != 0 {
		t.Errorf("a lease allocates %v times", n)
	}
}
