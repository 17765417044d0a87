package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// control is a way of things in which one safeguard matters. With it nothing may be wrong
// afterwards, without it something must be: else the proof would not see its absence.
type control struct {
	name string
	off  string // faults of every proxy that leave it out
	with string // faults of every proxy, with the safeguard and without
	lost bool   // the third proxy loses etcd before the switch
	late bool   // a branch that was prepared before the switch is committed after it
}

var controls = []control{
	{name: "the acknowledgements", off: "reshard-acks:off", lost: true},
	{name: "the marker", off: "reshard-marker:off", with: "mover.marked:delay=20ms"},
	{name: "the fence, for a proxy that is lost", off: "reshard-fence:off,reshard-acks:off", lost: true},
	{name: "prepared branches", off: "reshard-xa:off,mover.pending:off", late: true},
}

// TestProofControls takes safeguards away and must see what goes wrong then.
func TestProofControls(t *testing.T) {
	t.Parallel()
	for i, x := range controls {
		if i > 0 && !soak() {
			break
		}
		t.Run(x.name, func(t *testing.T) {
			if !soak() { // one after the other: each is a cluster with traffic
				t.Parallel()
			}
			t.Run("left out", func(t *testing.T) {
				var list []string
				for range 3 { // it takes a moment that a busy machine may not give
					if list = x.run(t, x.off); len(list) > 0 {
						break
					}
				}
				if len(list) == 0 {
					t.Error("nothing went wrong without it")
				}
				for i, f := range list {
					if i < 3 {
						t.Log("as expected: ", f)
					}
				}
			})
			if soak() {
				t.Run("in force", func(t *testing.T) {
					for _, f := range x.run(t, "") {
						t.Error(f)
					}
				})
			}
		})
	}
}

// run moves slots and gives what is wrong afterwards.
func (x *control) run(t *testing.T, off string) []string {
	faults := strings.Trim(off+","+x.with, ",")
	s := setup{env: []string{"SLUICE_FAULT=" + faults}}
	for i := range 2 {
		s.on = append(s.on, testkit.StartServer(t, s.flavor, testkit.Binlog(100+i), testkit.Args("--binlog-format=ROW")))
	}
	etcd := testkit.Etcd(t).Addr
	s.schemas, s.etcd = proofSchema, etcd
	c := start(t, s)
	c.addProxy(s.env...)
	link := testkit.NewLink(t, etcd)
	c.setup.etcd = link.Addr
	c.addProxy(s.env...)
	tr := newTraffic(t, c)
	tr.strict = false
	tr.run(1)
	d := newDBA(tr, c.px[0])
	id := d.start("MOVE SLOTS 1000-7000 TO s1")[0]
	d.await(3*time.Minute, "ready", id)
	if x.lost {
		link.Stall()
		defer link.Resume()
	}
	user := 0 // whom no client knows: they would wait for the branch, and the switch for them
	for u := proofUsers + 1; user == 0; u++ {
		if n := slotOf(u); n >= 1000 && n <= 7000 {
			user = u
		}
	}
	source := c.servers[0].DB(t, "")
	branch, err := source.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer branch.Close()
	direct := func(statement string) {
		if _, err := branch.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if x.late {
		for _, s := range []string{"XA START 'late'", fmt.Sprintf("INSERT INTO shop.counters VALUES (%d, 1)", user), "XA END 'late'", "XA PREPARE 'late'"} {
			direct(s)
		}
	}
	d.say("CUTOVER MIGRATION %s", id)
	if x.late && off != "" { // nothing waits for the branch
		d.await(3*time.Minute, "switched", id)
	} else {
		time.Sleep(3 * time.Second)
	}
	if x.late {
		direct("XA COMMIT 'late'")
	}
	d.await(3*time.Minute, "switched", id)
	time.Sleep(500 * time.Millisecond)
	tr.end()
	list := tr.faults(false)
	if x.late {
		if got := rows(t, c.open("shop"), fmt.Sprintf("SELECT COUNT(*) FROM counters WHERE user_id = %d", user)); got[0] != "1" {
			list = append(list, "a row that a prepared branch has inserted is lost")
		}
	}
	return list
}
