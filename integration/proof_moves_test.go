package integration

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

// dba drives migrations as a DBA does.
type dba struct {
	*traffic
	admin   *sql.DB
	pauses  []time.Duration // of each write that a cutover held longest, over all cutovers
	longest time.Duration
	source  int // of the crash case that runs
}

// migration is a row of SHOW MIGRATIONS.
type migration struct {
	id, slots, source, target, state, pause, err string
}

func (d *dba) migrations() (list []migration, err error) {
	out, err := tryRows(d.admin, "SHOW MIGRATIONS")
	for _, r := range out {
		f := strings.Split(r, "\t")
		list = append(list, migration{f[0], f[1], f[2], f[3], f[4], f[8], f[9]})
	}
	return list, err
}

// start gives the migrations that a statement started.
func (d *dba) start(statement string) []string {
	d.t.Helper()
	ids := []string{}
	for _, r := range rows(d.t, d.admin, statement) {
		ids = append(ids, strings.Split(r, "\t")[0])
	}
	if len(ids) == 0 {
		d.t.Fatalf("%s started no migration", statement)
	}
	return ids
}

// await waits until migrations are in a state; failed and another end are failures.
func (d *dba) await(limit time.Duration, state string, ids ...string) {
	d.t.Helper()
	var last []migration
	for began := time.Now(); time.Since(began) < limit; time.Sleep(20 * time.Millisecond) {
		list, err := d.migrations()
		if err != nil {
			continue // its etcd or its proxy may be away
		}
		last = list
		left := 0
		for _, m := range list {
			switch {
			case !slices.Contains(ids, m.id) || m.state == state:
			case m.state == "failed" || m.state == "completed" || m.state == "cancelled":
				d.t.Fatalf("migration %+v, want %s", m, state)
			default:
				left++
			}
		}
		if left == 0 {
			return
		}
	}
	for _, p := range d.c.px {
		d.t.Logf("%.6000s", p.Log())
	}
	d.t.Fatalf("after %v the migrations %v are not %s: %+v", limit, ids, state, last)
}

// say runs an admin statement.
func (d *dba) say(format string, args ...any) {
	d.t.Helper()
	must(d.t, d.admin, fmt.Sprintf(format, args...))
}

// during runs a stretch and notes how long the writes to the slots were held meanwhile.
func (d *dba) during(what string, in func(uint16) bool, f func()) {
	d.t.Helper()
	began := time.Now()
	rate := d.rate(f)
	time.Sleep(50 * time.Millisecond)
	list := d.traffic.pauses(began, time.Now(), in)
	if len(list) > 0 {
		d.pauses, d.longest = append(d.pauses, list[len(list)-1]), max(d.longest, list[len(list)-1])
	}
	d.t.Logf("%s: %.0f statements/s; longest write of each moving slot p50 %v, p99 %v, max %v", what, rate,
		quantile(list, .5).Round(time.Millisecond), quantile(list, .99).Round(time.Millisecond), quantile(list, 1).Round(time.Millisecond))
}

// within tells whether a slot is in a list as MOVE SLOTS takes it.
func within(spans string) func(uint16) bool {
	return func(slot uint16) bool {
		for _, s := range strings.Split(spans, ",") {
			first, last, _ := strings.Cut(s, "-")
			a, _ := strconv.Atoi(first)
			b, _ := strconv.Atoi(last)
			if int(slot) >= a && int(slot) <= b {
				return true
			}
		}
		return false
	}
}

func anywhere(uint16) bool { return true }

func slotOf(user int) int { return int(shard.SlotOfInt(int64(user))) }

func newDBA(tr *traffic, p *px) *dba { return &dba{traffic: tr, admin: p.dba()} }

// add adds the spare server as a shard.
func (d *dba) add(s *testkit.Server) {
	d.t.Helper()
	d.say("ADD SHARD s%d PRIMARY '%s'", len(d.c.servers), s.Addr)
	d.c.servers = append(d.c.servers, s)
}

func (d *dba) split() {
	d.during("split", within("0-2047"), func() {
		d.await(3*time.Minute, "completed", d.start("MOVE SLOTS 0-2047 TO s4 AUTO")...)
	})
}

func (d *dba) revert() {
	d.during("cutover and revert", within("5000-6999"), func() {
		id := d.start("MOVE SLOTS 5000-6999 TO s2")
		d.await(3*time.Minute, "ready", id...)
		for _, one := range id { // of each shard that owns some of them
			d.say("CUTOVER MIGRATION %s", one)
		}
		d.await(3*time.Minute, "switched", id...)
		time.Sleep(300 * time.Millisecond) // writes that must come back
		for _, one := range id {
			d.say("REVERT MIGRATION %s", one)
		}
		d.await(3*time.Minute, "cancelled", id...)
	})
}

func (d *dba) cancel() {
	d.during("cancel", within("9000-11999"), func() {
		id := d.start("MOVE SLOTS 9000-11999 TO s3")
		d.await(3*time.Minute, "ready", id...)
		for _, one := range id {
			d.say("CANCEL MIGRATION %s", one)
		}
		d.await(3*time.Minute, "cancelled", id...)
	})
}

// drain moves everything that a shard owns to another.
func (d *dba) drain(from, to int) {
	d.t.Helper()
	owner := d.owners()
	var spans []string
	for slot := 0; slot < shard.Slots; {
		end := slot
		for end < shard.Slots && owner[end] == owner[slot] {
			end++
		}
		if owner[slot] == from {
			spans = append(spans, fmt.Sprintf("%d-%d", slot, end-1))
		}
		slot = end
	}
	if len(spans) == 0 {
		return
	}
	list := strings.Join(spans, ",")
	d.during(fmt.Sprintf("everything of s%d to s%d", from, to), within(list), func() {
		d.await(3*time.Minute, "completed", d.start(fmt.Sprintf("MOVE SLOTS %s TO s%d AUTO", list, to))...)
	})
}

func (d *dba) rebalance() {
	d.during("rebalance", anywhere, func() { d.await(5*time.Minute, "completed", d.start("REBALANCE")...) })
}

func (d *dba) report() {
	slices.Sort(d.pauses)
	d.t.Logf("%d stretches: the longest held write of each p50 %v, p99 %v, max %v", len(d.pauses), quantile(d.pauses, .5), quantile(d.pauses, .99), d.longest)
}

// TestProofMoves: four shards become five, slots come back, and no client notices. In a soak
// everything moves, again and again, on both kinds of servers.
func TestProofMoves(t *testing.T) {
	t.Parallel()
	for _, flavor := range soaked() {
		t.Run(flavor.String(), func(t *testing.T) {
			c, spare := proofCluster(t, setup{flavor: flavor}, 4)
			tr := newTraffic(t, c)
			tr.run(1)
			d := newDBA(tr, c.px[1])
			t.Logf("before: %.0f statements/s", tr.rate(func() { time.Sleep(2 * time.Second) }))
			d.add(spare)
			d.split()
			d.revert()
			if soak() {
				d.cancel()
				for range 2 {
					d.rebalance()
					d.revert()
					d.drain(4, 0)
					d.drain(3, 4)
					d.cancel()
					d.drain(4, 3)
				}
			}
			time.Sleep(200 * time.Millisecond)
			tr.check(true)
			d.report()
		})
	}
}
