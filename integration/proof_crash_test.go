package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// crash is something that dies or stands still while a migration is before or after a step.
type crash struct {
	step  string // of package reshard; fault points are before and after it
	after bool
	who   string // the proxy that runs the migration ("mover"), another proxy, "source", "target", "etcd", the mover's way to etcd ("link")
	still bool   // stopped, not killed
	back  bool   // on the way back: the migration is reverted
}

func (c crash) point() string {
	if c.after {
		return "reshard-after-" + c.step
	}
	return "reshard-before-" + c.step
}

func (c crash) String() string {
	verb := "dies"
	if c.still {
		verb = "stands still"
	}
	if c.who == "link" {
		verb = "is cut"
	}
	text := fmt.Sprintf("%s %s at %s", c.who, verb, c.point())
	if c.back {
		text += " on the way back"
	}
	return text
}

// The steps of a migration in their order; those of a switch are made again on the way back.
var (
	makingSteps  = []string{"fence-rows", "known", "stream", "copying", "catching_up", "verifying", "triggers", "ready", "way-back"}
	switchSteps  = []string{"acks", "fence", "xa", "marker", "pair", "turn", "own", "commit"}
	endingSteps  = []string{"switched", "old-maps", "clean", "drop-triggers", "drop-notes", "drop-fence", "unlist", "completed"}
	crashVictims = []string{"mover", "proxy", "source", "target", "etcd", "link"}
)

// crashes gives every case in a soak, else one at a step of the switch, drawn by the seed:
// the mover dies, or a server.
func crashes(t *testing.T) (list []crash) {
	var all []crash
	for i, steps := range [][]string{makingSteps, switchSteps, endingSteps} {
		for _, step := range steps {
			for _, after := range []bool{false, true} {
				for _, who := range crashVictims {
					for _, still := range []bool{false, true} {
						if still && who == "link" {
							continue // there is one way to cut it
						}
						all = append(all, crash{step, after, who, still, false})
						if i == 1 {
							all = append(all, crash{step, after, who, still, true})
						}
					}
				}
			}
		}
	}
	seed := testSeed(t)
	r := rand.New(rand.NewPCG(seed, 3))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if soak() {
		return all
	}
	for _, c := range all {
		if !c.still && !c.back && strings.Contains(strings.Join(switchSteps, " "), c.step) && c.who != "proxy" && c.who != "etcd" && c.who != "link" {
			return []crash{c}
		}
	}
	return nil
}

// TestProofCrashes: with traffic on three proxies a fourth runs a migration, which one of
// them takes over when it dies. The migration comes to its end, and nothing is lost.
func TestProofCrashes(t *testing.T) {
	t.Parallel()
	etcd := testkit.Etcd(t)
	// Others take a migration up later than the proxy that was told to move.
	c, _ := proofCluster(t, setup{etcd: etcd.Addr, env: []string{"SLUICE_FAULT=reshard-claim:delay=800ms"}}, 3)
	tr := newTraffic(t, c)
	tr.strict, tr.pace = false, 4*time.Millisecond
	tr.run(1)
	d := newDBA(tr, c.px[1])
	for _, one := range crashes(t) {
		if !t.Run(one.String(), func(t *testing.T) { d.crash(t, one, etcd) }) {
			break
		}
	}
	time.Sleep(time.Second)
	tr.check(true)
}

// crash moves a part of one shard to another, and back if that is meant, with one thing that
// goes wrong. The next case finds it where this one has left it.
func (d *dba) crash(t *testing.T, one crash, etcd *testkit.Store) {
	outer, outerTraffic := d.t, d.traffic.t
	d.t, d.traffic.t = t, t
	defer func() { d.t, d.traffic.t = outer, outerTraffic }()
	action := "stop"
	if one.who == "mover" && !one.still {
		action = "exit"
	}
	nth := ""
	if one.back {
		nth = ":2"
	}
	end := "completed"
	if one.back {
		end = "cancelled"
	}
	link := testkit.NewLink(t, etcd.Addr)
	for range 4 {
		direct := d.c.setup.etcd
		d.c.setup.etcd = link.Addr
		p := d.c.newProxy(fmt.Sprintf("mover%d", time.Now().UnixNano()%1e9), "SLUICE_FAULT="+one.point()+":"+action+nth)
		d.c.setup.etcd = direct
		p.Start()
		id := d.begin(p, one)
		met := d.met(p, action == "stop", id)
		if met {
			d.strike(p, one, etcd, link)
		}
		d.await(3*time.Minute, end, id)
		p.Kill()
		if met {
			return
		}
		t.Log("another proxy ran the migration; once more")
	}
}

const (
	leaseOver  = 12 * time.Second // another takes over meanwhile
	crashFirst = 1000
	crashSlots = "1000-3000"
)

// begin starts a migration at a proxy, as far as to its way back when that is meant.
func (d *dba) begin(p *px, one crash) string {
	d.t.Helper()
	away := newDBA(d.traffic, p)
	d.source = d.owners()[crashFirst]
	target := fmt.Sprintf("s%d", 1-d.source)
	if !one.back {
		return away.start("MOVE SLOTS " + crashSlots + " TO " + target + " AUTO")[0]
	}
	id := away.start("MOVE SLOTS " + crashSlots + " TO " + target)[0]
	away.await(3*time.Minute, "ready", id)
	away.say("CUTOVER MIGRATION %s", id)
	away.await(3*time.Minute, "switched", id)
	away.say("REVERT MIGRATION %s", id)
	return id
}

// met waits until a proxy has met its fault; false: the migration is over without it.
func (d *dba) met(p *px, stopped bool, id string) bool {
	d.t.Helper()
	for range 3000 {
		if stopped && processState(p.PID()) == "T" || !stopped && !p.Running() {
			return true
		}
		if list, err := d.migrations(); err == nil {
			for _, m := range list {
				if m.id == id && (m.state == "completed" || m.state == "cancelled") {
					return false
				}
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	d.t.Fatalf("%s has not met its fault: %s", p.config, p.Log())
	return false
}

// strike lets go wrong what is to go wrong while the proxy stands at the fault, or is dead.
func (d *dba) strike(p *px, one crash, etcd *testkit.Store, link *testkit.Link) {
	var process *testkit.Process
	switch one.who {
	case "proxy":
		process = d.c.px[2].Process
	case "source":
		process = d.c.servers[d.source].Process
	case "target":
		process = d.c.servers[1-d.source].Process
	case "etcd":
		process = etcd.Process
	}
	switch {
	case one.who == "link":
		link.Stall()
		p.Resume()
		time.Sleep(leaseOver)
		link.Resume()
	case process == nil && one.still:
		time.Sleep(leaseOver)
		p.Resume()
	case process == nil:
		p.Kill()
	case one.still:
		process.Pause()
		p.Resume()
		time.Sleep(1500 * time.Millisecond)
		process.Resume()
	default:
		process.Kill()
		p.Resume()
		time.Sleep(300 * time.Millisecond)
		process.Start()
	}
}
