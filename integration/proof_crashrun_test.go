package integration

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	inject "sluice/internal/fault"
	"sluice/internal/testkit"
)

// lane is a cluster on which crashes happen one after the other.
type lane struct {
	*dba
	etcd  *testkit.Store
	paths [2]*testkit.Link // everybody's ways to the shards
	link  *testkit.Link    // the third proxy's way to etcd
}

// lane runs cases until there are none, or one fails: nobody knows what it has left.
func (x *matrix) lane(t *testing.T, c crash) {
	l := newLane(t, x.flavor)
	for ok := true; ok; c, ok = x.next() {
		var met []string
		passed := t.Run(c.String(), func(t *testing.T) { met = l.crash(t, c) })
		x.result(c, met, !passed, passed && (len(met) > 0 || len(c.points) == 1))
		if !passed {
			return
		}
	}
	l.check(true)
}

func newLane(t *testing.T, flavor testkit.Flavor) *lane {
	l := &lane{etcd: testkit.Etcd(t)}
	s := setup{flavor: flavor, plain: soak(), schemas: proofSchema, etcd: l.etcd.Addr, maxConns: 48,
		env: []string{inject.Variable + "=reshard-claim:delay=800ms"}} // the proxy that is told to move is the first
	s.on = make([]*testkit.Server, 2)
	var starting sync.WaitGroup
	for i := range s.on {
		starting.Go(func() {
			s.on[i] = testkit.StartServer(t, flavor, testkit.Binlog(100+i), testkit.Args("--binlog-format=ROW"))
		})
	}
	starting.Wait()
	for i, server := range s.on {
		l.paths[i] = testkit.NewLink(t, server.Addr)
		s.addrs = append(s.addrs, l.paths[i].Addr)
	}
	l.link = testkit.NewLink(t, l.etcd.Addr)
	c := start(t, s)
	c.addProxy(s.env...)
	c.setup.etcd = l.link.Addr
	c.addProxy(s.env...)
	c.setup.etcd = l.etcd.Addr
	tr := newTraffic(t, c)
	tr.strict, tr.pace = false, 120*time.Millisecond // what is looked at is not speed
	tr.run(1)
	l.dba = newDBA(tr, c.px[1])
	return l
}

const (
	leaseOver  = 12 * time.Second // another takes over meanwhile
	attemptEnd = 1200 * time.Millisecond
	caseTime   = 10 * time.Minute // a bound for machines that do much else
	crashFirst = 1000
	crashSlots = "1000-6000"
)

// crash moves a part of one shard to the other with something that goes wrong, and gives the
// points at which it did. The next case finds the slots where this one has left them.
func (l *lane) crash(t *testing.T, one crash) (met []string) {
	outer := l.t
	l.t, l.traffic.t, l.c.t = t, t, t
	defer func() { l.t, l.traffic.t, l.c.t = outer, outer, outer }()
	l.source = l.owners()[crashFirst]
	faults := one.points
	if one.stretch.fault != "" {
		faults = append([]string{one.stretch.fault}, faults...)
	}
	way := testkit.NewLink(t, l.etcd.Addr)
	l.c.setup.etcd = way.Addr
	p := l.c.newProxy(fmt.Sprintf("mover%d", time.Now().UnixNano()%1e9), inject.Variable+"="+strings.Join(faults, ","))
	l.c.setup.etcd = l.etcd.Addr
	p.Start()
	d := &drive{lane: l, one: one, p: p, way: way, target: 1 - l.source, seen: map[string]bool{}}
	d.run()
	p.Kill()
	if one.harm.who == "mover" && one.harm.one && len(d.met) > 0 && !strings.Contains(d.met[0], "after-completed") && !strings.Contains(d.met[0], "after-cancelled") {
		lines := rows(t, l.admin, "SHOW MIGRATION "+d.id)
		if node := strings.Split(lines[len(lines)-1], "\t")[1]; !strings.HasPrefix(node, "px") {
			t.Errorf("%s has not taken the migration over, but %s:\n%s", "another", node, strings.Join(lines, "\n"))
		}
	}
	l.sound()
	return d.met
}

// drive is a case that runs.
type drive struct {
	*lane
	one     crash
	p       *px
	way     *testkit.Link // the mover's to etcd
	target  int
	id      string
	ordered bool // it is on its last way: cancelled or reverted if that is meant
	nudged  time.Time
	struck  time.Time // last, or when it was ordered
	met     []string
	seen    map[string]bool
}

// run starts the migration and brings it to its end.
func (d *drive) run() {
	d.t.Helper()
	auto := ""
	if d.one.stretch.order == "" {
		auto, d.ordered, d.struck = " AUTO", true, time.Now()
	}
	d.id = d.begin(fmt.Sprintf("MOVE SLOTS %s TO s%d%s", crashSlots, d.target, auto))
	end := "completed"
	if d.one.stretch.order != "" {
		end = "cancelled"
	}
	last, looked := migration{}, time.Now()
	for began := time.Now(); time.Since(began) < caseTime; time.Sleep(10 * time.Millisecond) {
		if d.stopped() {
			d.strike()
			continue
		}
		if time.Since(looked) < 200*time.Millisecond {
			continue
		}
		looked = time.Now()
		if d.one.stretch.fault != "" && d.p.Running() && (len(d.met) == len(d.one.points) || d.ordered && time.Since(d.struck) > time.Minute) {
			d.p.Kill() // its attempts fail for ever; another takes over
		}
		list, err := d.migrations()
		i := slices.IndexFunc(list, func(m migration) bool { return m.id == d.id })
		if err != nil || i < 0 {
			continue // etcd may be away
		}
		switch last = list[i]; last.state {
		case end:
			time.Sleep(100 * time.Millisecond)
			if d.stopped() { // behind the end
				d.strike()
			}
			return
		case "failed", "completed", "cancelled":
			d.t.Fatalf("migration %+v, want %s:\n%s", last, end, strings.Join(rows(d.t, d.admin, "SHOW MIGRATION "+d.id), "\n"))
		}
		d.order(last)
	}
	d.t.Fatalf("after %v it is not %s: %+v\nmet: %v\n%s\nthe mover: %.8000s", caseTime, end, last, d.met,
		strings.Join(rows(d.t, d.admin, "SHOW MIGRATION "+d.id), "\n"), d.p.Log())
}

// begin starts the migration at the proxy that stands still later. Its answer may be lost.
func (d *drive) begin(statement string) string {
	d.t.Helper()
	admin := d.p.dba()
	defer admin.Close()
	for began := time.Now(); ; time.Sleep(time.Second) {
		got, err := tryRows(admin, statement)
		if err == nil && len(got) == 1 {
			return got[0]
		}
		list, _ := d.migrations()
		for _, m := range list {
			if m.state != "completed" && m.state != "cancelled" {
				return m.id
			}
		}
		if time.Since(began) > 2*time.Minute {
			d.t.Fatalf("%s: %q, %v", statement, got, err)
		}
	}
}

// order is what the DBA does, who does not wait until the next attempt comes by itself.
func (d *drive) order(m migration) {
	text := ""
	again := m.err != "" && !strings.HasPrefix(m.err, "it waits") && time.Since(d.nudged) > time.Second
	switch {
	case d.one.stretch.order == "cancel" && m.state == "ready":
		text = "CANCEL"
	case m.state == "ready" && (again || d.one.stretch.order == "revert" && d.nudged.IsZero()):
		text = "CUTOVER"
	case d.one.stretch.order == "revert" && m.state == "switched" && (again || !d.ordered):
		text = "REVERT"
	default:
		return
	}
	if _, err := d.admin.Exec(text + " MIGRATION " + d.id); err == nil { // or it has gone on meanwhile, or etcd is away
		if d.nudged = time.Now(); text != "CUTOVER" && !d.ordered {
			d.ordered, d.struck = true, d.nudged
		}
	}
}

// stopped tells whether the proxy stands at a point.
func (d *drive) stopped() bool { return processState(d.p.PID()) == "T" }

// strike lets go wrong what is to go wrong at the point at which the proxy stands.
func (d *drive) strike() {
	log := d.p.Log()
	point, _, _ := strings.Cut(log[strings.LastIndex(log, inject.Says)+len(inject.Says):], "\n")
	i := slices.IndexFunc(d.one.points, func(p string) bool { return strings.HasPrefix(p, point+":") })
	if i < 0 {
		d.t.Fatalf("the mover stands at %q", point)
	}
	if !d.ordered || d.seen[point] {
		d.p.Resume()
		return
	}
	d.seen[point], d.met, d.struck = true, append(d.met, d.one.points[i]), time.Now()
	d.t.Logf("%s at %s", time.Now().Format("15:04:05.000"), pointName(point))
	process := map[string]*testkit.Process{"proxy": d.c.px[2].Process, "source": d.c.servers[d.source].Process,
		"target": d.c.servers[d.target].Process, "etcd": d.etcd.Process, "mover": d.p.Process}[d.one.harm.who]
	link := map[string]*testkit.Link{"proxy": d.link, "source": d.paths[d.source], "target": d.paths[d.target], "mover": d.way}[d.one.harm.who]
	long := attemptEnd
	if d.one.harm.one {
		long = leaseOver
	}
	switch d.one.harm.how {
	case "dies":
		process.Kill()
		if process == d.p.Process {
			return
		}
		d.p.Resume()
		time.Sleep(300 * time.Millisecond)
		process.Start()
	case "stands still":
		if process == d.p.Process {
			time.Sleep(long)
			d.p.Resume()
			return
		}
		process.Pause()
		d.p.Resume()
		time.Sleep(long)
		process.Resume()
	case "is cut off", "is cut from etcd":
		link.Stall()
		d.p.Resume()
		time.Sleep(long)
		link.Resume()
	default: // what was asked for is done, and the answer lost
		link.Mute()
		d.p.Resume()
		time.Sleep(long / 2)
		link.Cut()
		link.Resume()
	}
}

// sound looks, while no client is at work, whether everything is there that was acknowledged and
// nothing is left of the migration. Transactions that died with their proxy are resolved first.
func (l *lane) sound() {
	l.t.Helper()
	l.gate.Lock()
	defer l.gate.Unlock()
	var list []string
	for began := time.Now(); time.Since(began) < 45*time.Second; time.Sleep(500 * time.Millisecond) {
		if list = l.faults(true); len(list) == 0 {
			return
		}
	}
	for i, f := range list {
		if i < 12 {
			l.t.Error(f)
		}
	}
}
