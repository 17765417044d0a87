package shard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is one thing that is wrong with a Spec.
type Fault struct {
	Path string // where, in the names of the JSON form: shards[1].primary
	Text string // what is wrong; what to write instead
}

// Faults is the error of New: all that is wrong with a Spec.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Path + ": " + f[i].Text
	}
	return strings.Join(lines, "\n")
}

// maxConnections bounds what one proxy may open to one shard; MySQL's own limit.
const maxConnections = 100000

// Check gives all that is wrong with a Spec, in the order of its fields.
func Check(spec Spec) Faults {
	c := &checker{spec: &spec, shards: map[string]bool{}, joining: map[string]bool{}, schemas: map[string]bool{}}
	c.checkShards()
	c.checkRanges()
	c.checkSchemas()
	c.checkUsers()
	c.checkBackend()
	c.checkCache()
	c.checkGather()
	c.checkMoves()
	c.checkLimits()
	return c.faults
}

type checker struct {
	spec    *Spec
	faults  Faults
	shards  map[string]bool
	joining map[string]bool
	schemas map[string]bool
}

func (c *checker) add(path, format string, args ...any) {
	c.faults = append(c.faults, Fault{Path: path, Text: fmt.Sprintf(format, args...)})
}

// try adds err, if there is one, and tells whether there was none.
func (c *checker) try(path string, err error) bool {
	if err != nil {
		c.add(path, "%s", err)
	}
	return err == nil
}

// once adds a fault when a name was seen before; a name that is empty has its own fault.
func (c *checker) once(seen map[string]bool, path, what, name string) {
	if name != "" && seen[name] {
		c.add(path, "the %s %s is there twice; give every %s its own name", what, clip(name), what)
	}
	seen[name] = true
}

func (c *checker) checkShards() {
	switch n := len(c.spec.Shards); {
	case n == 0:
		c.add("shards", "there is no shard; write at least one, such as {name: s0, primary: 10.0.0.1:3306}")
	case n > Slots:
		c.add("shards", "there are %d shards; write at most %d, one for each slot", n, Slots)
	}
	addrs := map[string]string{}
	for i, s := range c.spec.Shards {
		at := fmt.Sprintf("shards[%d]", i)
		c.try(at+".name", CheckID(s.Name))
		c.once(c.shards, at+".name", "shard", s.Name)
		c.joining[s.Name] = s.State == Joining
		c.address(addrs, at+".primary", "primary of "+s.Name, s.Primary)
		for j, r := range s.Replicas {
			c.address(addrs, fmt.Sprintf("%s.replicas[%d]", at, j), "replica of "+s.Name, r)
		}
		c.state(at+".state", s.State)
		if s.Cache != "" && s.Cache != FollowBinlog {
			c.add(at+".cache", "%s is not known; write %s, or leave it out", clip(s.Cache), FollowBinlog)
		}
	}
}

// address checks a server's address, and that no server is listed twice: rows of a server
// that is two shards would be counted twice.
func (c *checker) address(seen map[string]string, path, role, addr string) {
	if !c.try(path, CheckAddress(addr)) {
		return
	}
	if other, ok := seen[addr]; ok {
		c.add(path, "%s is already the %s; give every server one place", clip(addr), other)
		return
	}
	seen[addr] = role
}

func (c *checker) state(path, state string) {
	if state != "" {
		c.try(path, CheckID(state))
	}
}

func (c *checker) checkRanges() {
	sound := make([]Range, 0, len(c.spec.Ranges))
	for i, r := range c.spec.Ranges {
		at := fmt.Sprintf("ranges[%d]", i)
		if r.First > r.Last || r.Last >= Slots {
			c.add(at, "%d-%d is no range of slots; write first and last from 0 to %d", r.First, r.Last, Slots-1)
			continue
		}
		if !c.shards[r.Shard] {
			c.add(at+".shard", "there is no shard %s; %s", clip(r.Shard), c.knownShards())
		}
		if c.joining[r.Shard] {
			c.add(at+".shard", "the shard %s is joining and cannot own slots yet", clip(r.Shard))
		}
		c.state(at+".state", r.State)
		sound = append(sound, r)
	}
	if len(c.spec.Shards) == 0 {
		return // who would own them
	}
	slices.SortStableFunc(sound, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	next, last := 0, ""
	for _, r := range sound {
		first := int(r.First)
		if first > next {
			c.add("ranges", "no shard owns the slots %d-%d; give every slot to one shard", next, first-1)
		}
		if first < next {
			c.add("ranges", "the slots %d-%d are owned twice, by %s and %s; give every slot to one shard",
				first, min(next-1, int(r.Last)), clip(last), clip(r.Shard))
		}
		if int(r.Last)+1 > next {
			next, last = int(r.Last)+1, r.Shard
		}
	}
	if next < Slots {
		c.add("ranges", "no shard owns the slots %d-%d; give every slot to one shard", next, Slots-1)
	}
}

func (c *checker) checkSchemas() {
	for i, s := range c.spec.Schemas {
		at := fmt.Sprintf("schemas[%d]", i)
		if c.try(at+".name", CheckObject(s.Name)) && IsSystemSchema(s.Name) {
			c.add(at+".name", "%s belongs to the server; write the name of a database of yours", clip(s.Name))
		}
		c.once(c.schemas, at+".name", "schema", s.Name)
		if s.DefaultShard == "" {
			c.add(at+".default_shard", "the default shard is missing; %s", c.knownShards())
		} else if !c.shards[s.DefaultShard] {
			c.add(at+".default_shard", "there is no shard %s; %s", clip(s.DefaultShard), c.knownShards())
		} else if c.joining[s.DefaultShard] {
			c.add(at+".default_shard", "the shard %s is joining and can be the default of no schema yet", clip(s.DefaultShard))
		}
		seen := map[string]bool{}
		for j, col := range s.AutoShardKey {
			path := fmt.Sprintf("%s.auto_shard_key[%d]", at, j)
			c.try(path, CheckIdentifier(col))
			c.once(seen, path, "column", strings.ToLower(col))
		}
		seen = map[string]bool{}
		for j, t := range s.Tables {
			path := fmt.Sprintf("%s.tables[%d]", at, j)
			c.once(seen, path+".name", "table", t.Name)
			c.checkRule(path, t)
		}
	}
}

func (c *checker) checkRule(at string, t Table) {
	c.try(at+".name", checkTable(t.Name))
	switch t.Kind {
	case Sharded:
		if t.ShardKey == "" {
			c.add(at+".shard_key", "the table %s is sharded but has no shard_key; write the column that spreads its rows", clip(t.Name))
		}
	case Reference:
	case Unsharded:
		if t.Sequence != "" {
			c.add(at+".sequence", "the table %s is not sharded and has AUTO_INCREMENT of its own; leave sequence out", clip(t.Name))
		}
	default:
		c.add(at+".kind", "the table %s is of the unknown kind %d; write sharded, reference or unsharded", clip(t.Name), t.Kind)
		return
	}
	if t.Kind != Sharded && t.ShardKey != "" {
		c.add(at+".shard_key", "the table %s is %s and has no use for a shard_key; leave it out, or write kind: sharded", clip(t.Name), t.Kind)
	}
	if t.ShardKey != "" {
		c.try(at+".shard_key", CheckIdentifier(t.ShardKey))
	}
	if t.Sequence != "" {
		c.try(at+".sequence", CheckIdentifier(t.Sequence))
	}
}

func (c *checker) checkUsers() {
	seen := map[string]bool{}
	for i, u := range c.spec.Users {
		at := fmt.Sprintf("users[%d]", i)
		c.try(at+".name", checkAccount(u.Name))
		c.once(seen, at+".name", "user", u.Name)
		c.password(at+".password", u.Password)
		given := map[string]bool{}
		for j, name := range u.Schemas {
			path := fmt.Sprintf("%s.schemas[%d]", at, j)
			if !c.schemas[name] {
				c.add(path, "there is no schema %s; %s", clip(name), known("schemas", c.schemas))
			}
			c.once(given, path, "schema", name)
		}
	}
	seen = map[string]bool{}
	for i, a := range c.spec.Admins {
		at := fmt.Sprintf("admins[%d]", i)
		c.try(at+".name", checkAccount(a.Name))
		c.once(seen, at+".name", "admin", a.Name)
		c.password(at+".password", a.Password)
	}
}

// password checks what the protocol cannot carry; the message never holds the password.
func (c *checker) password(path, password string) {
	if strings.ContainsRune(password, 0) {
		c.add(path, "the password holds a zero byte; write one without")
	}
	if len(password) > 1024 {
		c.add(path, "the password has %d bytes; write at most 1024", len(password))
	}
}

func (c *checker) checkBackend() {
	b := c.spec.Backend
	if b.User != "" { // a Spec without an account can be planned with, but not connected with
		c.try("backend.user", checkAccount(b.User))
	}
	c.password("backend.password", b.Password)
	if b.MaxConnections < 0 || b.MaxConnections > maxConnections {
		c.add("backend.max_connections", "%d is no number of connections; write 1 to %d", b.MaxConnections, maxConnections)
	}
	switch b.TLS {
	case "", "preferred", "required", "verify":
	default:
		c.add("backend.tls", `%s is no TLS mode; write "", preferred, required or verify`, clip(b.TLS))
	}
}

// Bounds of Gather: what one statement may ask of a server's memory and time.
const (
	maxGatherRows  = 1_000_000_000
	maxGatherBytes = 1 << 40
)

func (c *checker) checkGather() {
	if n := c.spec.Gather.MaxRows; n < 0 || n > maxGatherRows {
		c.add("gather.max_rows", "%d is no number of rows; write 1 to %d", n, maxGatherRows)
	}
	if n := c.spec.Gather.MaxBytes; n < 0 || n > maxGatherBytes {
		c.add("gather.max_bytes", "%d is no number of bytes; write 1 to %d", n, maxGatherBytes)
	}
}

// maxStale is the longest that results outlive their time.
const maxStale = 24 * time.Hour

func (c *checker) checkCache() {
	for i, r := range c.spec.Cache {
		at := fmt.Sprintf("cache[%d]", i)
		if !c.schemas[r.Schema] {
			c.add(at+".schema", "there is no schema %s; %s", clip(r.Schema), known("schemas", c.schemas))
		}
		c.try(at+".table", checkTable(r.Table))
		if d, err := time.ParseDuration(r.TTL); err != nil {
			c.add(at+".ttl", "%s is no duration; write it like 60s", clip(r.TTL))
		} else if d <= 0 {
			c.add(at+".ttl", "%s is not above zero; write it like 60s", clip(r.TTL))
		}
		if d, err := time.ParseDuration(r.Stale); r.Stale != "" && (err != nil || d <= 0 || d > maxStale) {
			c.add(at+".stale", "%s is no duration of at most %v; write it like 10m", clip(r.Stale), maxStale)
		}
	}
}

func (c *checker) knownShards() string { return known("shards", c.shards) }

// known says which names may be written, as far as a message can.
func known(what string, names map[string]bool) string {
	list := make([]string, 0, len(names))
	for name := range names {
		if CheckObject(name) == nil {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return "list it under " + what + " first"
	}
	slices.Sort(list)
	if len(list) > 10 {
		list = append(list[:10], "…")
	}
	return "write one of " + strings.Join(list, ", ")
}
