package integration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

// everything reads all columns of things exactly: what HEX and CAST give does not depend on
// a protocol's way to print a value.
const everything = `SELECT user_id, id, CONCAT_WS('|', code, v, IFNULL(t,'N'), IFNULL(u,'N'), IFNULL(de,'N'), IFNULL(f+0e0,'N'), IFNULL(d,'N'), IFNULL(b+0,'N'),
	IFNULL(j,'N'), IFNULL(HEX(bl),'N'), IFNULL(e,'N'), IFNULL(s,'N'), IFNULL(dt,'N'), IFNULL(ts,'N'), IFNULL(da,'N'), IFNULL(ti,'N'), IFNULL(y,'N'), IFNULL(HEX(vb),'N'),
	IFNULL(HEX(ch),'N'), IFNULL(HEX(te),'N')) FROM `

// owners gives the shard that owns each slot, as the first proxy that answers says.
func (tr *traffic) owners() []int {
	tr.t.Helper()
	var owner []int
	admin := tr.c.px[0].dba()
	defer admin.Close() // a soak asks often, and the port takes a bounded number
	for _, r := range rows(tr.t, admin, "SHOW SLOTS") {
		f := strings.Split(r, "\t")
		first, err1 := strconv.Atoi(f[0])
		last, err2 := strconv.Atoi(f[1])
		at := slices.IndexFunc(tr.c.names(), func(n string) bool { return n == f[2] })
		if err1 != nil || err2 != nil || at < 0 || first != len(owner) {
			tr.t.Fatalf("SHOW SLOTS: %q", r)
		}
		for range last - first + 1 {
			owner = append(owner, at)
		}
	}
	return owner
}

// names are the shards', in the order of the servers.
func (c *cluster) names() (list []string) {
	for i := range c.servers {
		list = append(list, fmt.Sprintf("s%d", i))
	}
	return list
}

// faults gives what is wrong, when no client runs: what the clients have seen, and every row
// of every shard against what they were told. With clean, no shard may hold a row that it
// does not own, and nothing of a migration may be left.
func (tr *traffic) faults(clean bool) (list []string) {
	tr.t.Helper()
	tr.mu.Lock()
	list = append(list, tr.bad...)
	tr.mu.Unlock()
	owner := tr.owners()
	wrong := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }

	// each row's one place
	owned := func(i int, table, user string) bool {
		n, err := strconv.ParseInt(user, 10, 64)
		if err != nil {
			tr.t.Fatal(err)
		}
		mine := owner[shard.SlotOfInt(n)] == i
		if !mine && clean {
			wrong("s%d holds a row of %s of user %s, which it does not own", i, table, user)
		}
		return mine
	}
	lines, counts, purses, flags, things := map[key]int{}, map[int][]int64{}, map[int][]int64{}, map[int][]int64{}, map[key][]string{}
	for i, s := range tr.c.servers {
		if schema := s.Value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'journal'"); schema == "0" {
			continue // a shard that was never given anything
		}
		for _, r := range s.Query("SELECT user_id, seq FROM shop.journal") {
			if owned(i, "journal", r[0]) {
				lines[keyOf(r)]++
			}
		}
		for table, to := range map[string]map[int][]int64{"counters": counts, "flags": flags, "purses": purses} {
			for _, r := range s.Query("SELECT * FROM shop." + table) {
				if owned(i, table, r[0]) {
					n, _ := strconv.ParseInt(r[1], 10, 64)
					k := keyOf([]string{r[0], "0"})
					to[k.user] = append(to[k.user], n)
				}
			}
		}
		for _, r := range s.Query(everything + "shop.things") {
			if owned(i, "things", r[0]) {
				things[keyOf(r)] = append(things[keyOf(r)], r[2])
			}
		}
		if clean {
			for _, r := range s.Query("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE '\\_sluice%'") {
				wrong("s%d has the trigger %s", i, r[0])
			}
			for _, r := range s.Query("XA RECOVER") {
				wrong("s%d has a prepared branch %v", i, r)
			}
			if s.Value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '_sluice' AND TABLE_NAME = 'fence'") == "1" {
				for _, r := range s.Query("SELECT move_id, state FROM _sluice.fence WHERE state <> 'gone'") {
					wrong("s%d has the fence row %v", i, r)
				}
			}
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for k, o := range tr.lines {
		if n := lines[k]; n > 1 || n == 0 && o == there || n == 1 && o == notThere {
			wrong("line %v: the client was told %v, %d are there", k, [...]string{"there", "not there", "nothing"}[o], n)
		}
	}
	for k := range lines {
		if _, ok := tr.lines[k]; !ok {
			wrong("line %v was never written", k)
		}
	}
	sum := int64(0)
	for u := 1; u <= proofUsers; u++ {
		n := counts[u]
		if len(n) != 1 || n[0] < tr.counts[u].sure || n[0] > tr.counts[u].sure+tr.counts[u].perhaps {
			wrong("counter %d: %d increments were acknowledged (perhaps %d more), there is %d", u, tr.counts[u].sure, tr.counts[u].perhaps, n)
		}
		if f := flags[u]; len(f) != 1 || f[0] < tr.flags.sure || f[0] > tr.flags.sure+tr.flags.perhaps {
			wrong("flag %d: %d increments of all were acknowledged (perhaps %d more), there is %d", u, tr.flags.sure, tr.flags.perhaps, f)
		}
		if len(purses[u]) != 1 {
			wrong("there are %d purses of user %d", len(purses[u]), u)
		}
		for _, a := range purses[u] {
			sum += a
		}
	}
	if sum != proofUsers*purse {
		wrong("the purses hold %d, want %d", sum, proofUsers*purse)
	}
	return append(list, tr.compareThings(things)...)
}

func keyOf(r []string) key {
	user, _ := strconv.Atoi(r[0])
	id, _ := strconv.ParseInt(r[1], 10, 64)
	return key{user, id}
}

var shadows atomic.Int64

// compareThings writes the rows that must be there into a table of a plain server, from
// their literals, and compares what that server reads of it.
func (tr *traffic) compareThings(got map[key][]string) (list []string) {
	wrong := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	plain := testkit.Shared(tr.t, tr.c.setup.flavor, 0)
	db := fmt.Sprintf("proof_shadow%d", shadows.Add(1)) // tests run side by side
	plain.Exec("CREATE DATABASE "+db, "USE "+db+"; "+proofTables[4],
		"ALTER TABLE "+db+".things DROP PRIMARY KEY, DROP KEY user_id, ADD COLUMN nr INT NOT NULL FIRST")
	var values []string
	flush := func() {
		if len(values) > 0 {
			plain.Exec("INSERT INTO " + db + ".things (nr, user_id, id, code, " + thingColumns + ") VALUES " + strings.Join(values, ","))
		}
		values = nil
	}
	for k, may := range tr.things {
		for nr, is := range may {
			if is.v != 0 {
				values = append(values, fmt.Sprintf("(%d, %d, %d, '%s', %s)", nr, k.user, k.id, is.code, thing(is.v)))
			}
		}
		if len(values) > 200 {
			flush()
		}
	}
	flush()
	want := map[key][]string{}
	for _, r := range plain.Query(everything + db + ".things") {
		want[keyOf(r)] = append(want[keyOf(r)], r[2])
	}
	plain.Exec("DROP DATABASE " + db)
	for k, g := range got {
		if len(g) > 1 {
			wrong("thing %v is there %d times", k, len(g))
		} else if !slices.Contains(want[k], g[0]) {
			wrong("thing %v is\n%s, want\n%s", k, g[0], strings.Join(want[k], "\nor "))
		}
	}
	for k, may := range tr.things {
		if len(got[k]) == 0 && !slices.ContainsFunc(may, func(c content) bool { return c.v == 0 }) {
			wrong("thing %v is not there, want %v", k, may)
		}
	}
	return list
}

// check stops the clients and fails the test for every fault.
func (tr *traffic) check(clean bool) {
	tr.t.Helper()
	tr.end()
	list := tr.faults(clean)
	for i, f := range list {
		if i == 12 {
			tr.t.Errorf("and %d more", len(list)-i)
			break
		}
		tr.t.Error(f)
	}
	tr.summary()
}

func (tr *traffic) summary() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.t.Logf("%d statements and transactions: %d lines, %d transfers, %d all at once, %d things", tr.done, len(tr.lines), tr.transferred, tr.flags.sure, len(tr.things))
	for text, n := range tr.errors {
		tr.t.Logf("%6d × %s", n, text)
	}
}

// pauses gives the longest time that each slot's writes took that ran in a window, sorted.
func (tr *traffic) pauses(from, to time.Time, in func(slot uint16) bool) (list []time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	longest := map[uint16]time.Duration{}
	for _, s := range tr.samples {
		if s.began.Add(s.took).After(from) && s.began.Before(to) && in(s.slot) {
			longest[s.slot] = max(longest[s.slot], s.took)
		}
	}
	for _, d := range longest {
		list = append(list, d)
	}
	slices.Sort(list)
	return list
}

// rate gives the statements and transactions a second of a stretch of time.
func (tr *traffic) rate(f func()) float64 {
	count := func() int { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.done }
	n, began := count(), time.Now()
	f()
	return float64(count()-n) / time.Since(began).Seconds()
}

func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[min(len(list)-1, int(q*float64(len(list))))]
}
