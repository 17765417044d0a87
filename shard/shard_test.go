package shard

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func shards(n int) []Shard {
	list := make([]Shard, n)
	for i := range list {
		list[i] = Shard{Name: fmt.Sprintf("s%d", i), Primary: fmt.Sprintf("10.0.%d.%d:3306", i/250, i%250)}
	}
	return list
}

func sample() Spec {
	s := Spec{
		Shards: shards(4),
		Schemas: []Schema{
			{Name: "shop", DefaultShard: "s0", AutoShardKey: []string{"user_id"}, Tables: []Table{
				{Name: "users", Kind: Sharded, ShardKey: "user_id"},
				{Name: "countries", Kind: Reference, Sequence: "id"},
				{Name: "sbtest*", Kind: Sharded, ShardKey: "id", Sequence: "id"},
				{Name: "sbtest?", Kind: Reference},
				{Name: "sbtest7"},
			}},
			{Name: "blog", DefaultShard: "s1"},
		},
		Users:   []User{{Name: "app", Password: "app", Schemas: []string{"shop"}}},
		Admins:  []Admin{{Name: "root", Password: "root"}},
		Backend: Backend{User: "sluice", Password: "x", MaxConnections: 64},
		Cache:   []CacheRule{{Schema: "shop", Table: "users", TTL: "60s"}},
	}
	s.Shards[0].Replicas = []string{"10.9.0.1:3306"}
	s.Ranges = Deal(s.Shards)
	return s
}

// The slot is what MOD(CRC32('alice'), 16384) gives in SQL.
func TestSlotIsThatOfSQL(t *testing.T) {
	for key, want := range map[string]uint16{"": 0, "0": 7969, "1": 12215, "42": 12424, "alice": 15431} {
		if got := SlotOf([]byte(key)); got != want {
			t.Errorf("slot of %q = %d, want %d", key, got, want)
		}
	}
	for range 1000 {
		n := rand.Int64() - rand.Int64()
		if got, want := SlotOfInt(n), uint16(crc32.ChecksumIEEE(fmt.Append(nil, n))%Slots); got != want {
			t.Fatalf("slot of %d = %d, want %d", n, got, want)
		}
		u := rand.Uint64()
		if got, want := SlotOfUint(u), uint16(crc32.ChecksumIEEE(fmt.Append(nil, u))%Slots); got != want {
			t.Fatalf("slot of %d = %d, want %d", u, got, want)
		}
	}
}

func TestDealGivesEverySlotOnceInEqualRuns(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 7, 16, 100, 255, 1000, 4097, Slots} {
		runs := Deal(shards(n))
		if len(runs) != n {
			t.Fatalf("%d shards: %d runs", n, len(runs))
		}
		next := 0
		for i, r := range runs {
			size := int(r.Last) - int(r.First) + 1
			if int(r.First) != next || r.Shard != fmt.Sprintf("s%d", i) || size < Slots/n || size > Slots/n+1 {
				t.Fatalf("%d shards: run %d is %+v, want one of about %d slots from %d", n, i, r, Slots/n, next)
			}
			next += size
		}
		if next != Slots {
			t.Fatalf("%d shards: %d slots are dealt", n, next)
		}
	}
	if runs := Deal(nil); len(runs) != 0 {
		t.Fatalf("no shards: %v", runs)
	}
}

func TestMapAnswersAsItsSpec(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		spec := sample()
		spec.Shards = shards(1 + rng.IntN(9))
		spec.Schemas, spec.Users, spec.Cache, spec.Ranges = nil, nil, nil, nil
		var want [Slots]int
		for next := 0; next < Slots; {
			last := min(Slots-1, next+rng.IntN(3000))
			owner := rng.IntN(len(spec.Shards))
			spec.Ranges = append(spec.Ranges, Range{First: uint16(next), Last: uint16(last), Shard: spec.Shards[owner].Name})
			for ; next <= last; next++ {
				want[next] = owner
			}
		}
		rng.Shuffle(len(spec.Ranges), func(i, j int) { spec.Ranges[i], spec.Ranges[j] = spec.Ranges[j], spec.Ranges[i] })
		m, err := New(7, spec)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		counts := make([]int, len(spec.Shards))
		for slot := range uint16(Slots) {
			if m.Owner(slot) != want[slot] {
				t.Fatalf("seed %d: slot %d is owned by %d, want %d", seed, slot, m.Owner(slot), want[slot])
			}
			counts[want[slot]]++
		}
		for i, n := range counts {
			if at, ok := m.ShardIndex(m.ShardName(i)); m.SlotCount(i) != n || at != i || !ok {
				t.Fatalf("seed %d: shard %d owns %d slots, want %d; its name leads to %d", seed, i, m.SlotCount(i), n, at)
			}
		}
		// One slot taken away or given twice is always seen.
		broken := spec.Clone()
		r := &broken.Ranges[rng.IntN(len(broken.Ranges))]
		if seed%2 == 0 && r.Last < Slots-1 {
			r.Last++
		} else if r.First > 0 {
			r.First--
		} else {
			r.First++
		}
		if _, err := New(7, broken); err == nil {
			t.Fatalf("seed %d: accepted %+v", seed, broken.Ranges)
		}
	}
}

func TestMapIsACopy(t *testing.T) {
	spec := sample()
	m, err := New(1, spec)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	spec.Shards[0].Replicas[0] = "changed"
	spec.Ranges[0].Shard = "changed"
	spec.Schemas[0].Tables[0].ShardKey = "changed"
	spec.Schemas[0].AutoShardKey[0] = "changed"
	spec.Users[0].Schemas[0] = "changed"
	spec.Admins[0].Name = "changed"
	spec.Cache[0].TTL = "changed"
	if !reflect.DeepEqual(m.Spec, want) {
		t.Fatalf("the map changed with the spec it was made of: %+v", m.Spec)
	}
	if m.Schema("shop") != &m.Spec.Schemas[0] || m.User("app") != &m.Spec.Users[0] || m.Admin("root") != &m.Spec.Admins[0] {
		t.Fatal("lookups do not lead into the map's own spec")
	}
	if m.Schema("Shop") != nil || m.User("App") != nil || m.Admin("app") != nil {
		t.Fatal("names do not compare as bytes")
	}
	if u := m.User("app"); !u.May("shop") || u.May("blog") || u.May("") {
		t.Fatal("May")
	}
	stored, err := json.Marshal(m.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var again Spec
	if err := json.Unmarshal(stored, &again); err != nil || !reflect.DeepEqual(again, want) {
		t.Fatalf("the stored form does not come back: %v\n%s", err, stored)
	}
}

func TestRule(t *testing.T) {
	s := &sample().Schemas[0]
	for table, want := range map[string]Table{
		"users":    {Name: "users", Kind: Sharded, ShardKey: "user_id"},
		"Users":    {Name: "Users"},
		"sbtest1":  {Name: "sbtest1", Kind: Sharded, ShardKey: "id", Sequence: "id"},
		"sbtest":   {Name: "sbtest", Kind: Sharded, ShardKey: "id", Sequence: "id"},
		"sbtest7":  {Name: "sbtest7"},
		"asbtest1": {Name: "asbtest1"},
		"":         {},
	} {
		if got := s.Rule(table); got != want {
			t.Errorf("rule of %q = %+v, want %+v", table, got, want)
		}
	}
	if s.PassThrough() || !sample().Schemas[1].isPassThrough() {
		t.Error("PassThrough")
	}
}

func (s Schema) isPassThrough() bool { return s.PassThrough() }

// Match agrees with the regular expression that means the same.
func TestMatchIsTheRegularExpression(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	text := func(alphabet string) string {
		runes, b := []rune(alphabet), strings.Builder{}
		for range rng.IntN(9) {
			b.WriteRune(runes[rng.IntN(len(runes))])
		}
		return b.String()
	}
	matched := 0
	for range 50000 {
		pattern, name := text("abé*?"), text("abé")
		re := "(?s)^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + "$"
		want := regexp.MustCompile(re).MatchString(name)
		if got := Match(pattern, name); got != want {
			t.Fatalf("Match(%q, %q) = %v", pattern, name, got)
		}
		if want {
			matched++
		}
	}
	if matched < 1000 {
		t.Fatalf("only %d of the cases match", matched)
	}
	if Match(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 4000)) {
		t.Fatal("matched")
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"s0", "a/b", "..", "%2f", "a\x00b", "é", "\xff", "[::1]:3306", "localhost", "*", "a.b", strings.Repeat("x", 65)} {
		f.Add(s)
	}
	id := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := CheckID(s) == nil; got != id.MatchString(s) {
			t.Errorf("CheckID(%q) = %v", s, got)
		}
		if CheckObject(s) == nil && strings.ContainsAny(s, "/\\\x00.`'\"\n*?") {
			t.Errorf("CheckObject(%q) accepts it", s)
		}
		if checkTable(s) == nil && !IsGlob(s) && !Match(s, s) {
			t.Errorf("%q does not match itself", s)
		}
		for _, err := range []error{CheckID(s), CheckIdentifier(s), checkTable(s), checkAccount(s), CheckAddress(s)} {
			if err != nil && (!strings.Contains(err.Error(), "; ") || strings.ContainsAny(err.Error(), "\n\x00")) {
				t.Errorf("the message for %q is not one line that says what to write: %v", s, err)
			}
		}
	})
}
