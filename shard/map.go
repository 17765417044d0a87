package shard

import (
	"slices"
)

// New checks a Spec (every slot owned once by a known shard, names unique and valid,
// default shards known, sharded tables with a key …) and builds its Map. The error is of
// type Faults and lists every fault. The Map keeps a copy of spec.
func New(version int64, spec Spec) (*Map, error) {
	if faults := Check(spec); len(faults) > 0 {
		return nil, faults
	}
	m := &Map{
		Version: version,
		Spec:    spec.Clone(),
		shards:  make(map[string]int, len(spec.Shards)),
		schemas: make(map[string]*Schema, len(spec.Schemas)),
		users:   make(map[string]*User, len(spec.Users)),
		admins:  make(map[string]*Admin, len(spec.Admins)),
		slots:   make([]int, len(spec.Shards)),
	}
	for i := range m.Spec.Shards {
		m.shards[m.Spec.Shards[i].Name] = i
	}
	for _, r := range m.Spec.Ranges {
		owner := m.shards[r.Shard]
		for slot := int(r.First); slot <= int(r.Last); slot++ {
			m.owner[slot] = int16(owner)
		}
		m.slots[owner] += int(r.Last) - int(r.First) + 1
	}
	for i := range m.Spec.Schemas {
		m.schemas[m.Spec.Schemas[i].Name] = &m.Spec.Schemas[i]
	}
	for i := range m.Spec.Users {
		m.users[m.Spec.Users[i].Name] = &m.Spec.Users[i]
	}
	for i := range m.Spec.Admins {
		m.admins[m.Spec.Admins[i].Name] = &m.Spec.Admins[i]
	}
	m.listMoves()
	return m, nil
}

// Owner gives the index in Spec.Shards of the shard that owns slot.
func (m *Map) Owner(slot uint16) int { return int(m.owner[slot]) }

// SlotCount gives how many slots the shard with that index owns.
func (m *Map) SlotCount(i int) int { return m.slots[i] }

// ShardName gives the name of the shard with that index.
func (m *Map) ShardName(i int) string { return m.Spec.Shards[i].Name }

// ShardIndex gives a shard's index in Spec.Shards.
func (m *Map) ShardIndex(name string) (int, bool) { i, ok := m.shards[name]; return i, ok }

// Schema gives a logical database by name (names compare as bytes), or nil.
func (m *Map) Schema(name string) *Schema { return m.schemas[name] }

// User gives an application account, or nil.
func (m *Map) User(name string) *User { return m.users[name] }

// Admin gives an administrator's account, or nil.
func (m *Map) Admin(name string) *Admin { return m.admins[name] }

// May tells whether the user was given the schema.
func (u *User) May(schema string) bool { return slices.Contains(u.Schemas, schema) }

// PassThrough tells whether the schema has no table rules at all, so that every
// statement goes to the default shard untouched.
func (s *Schema) PassThrough() bool { return len(s.Tables) == 0 && len(s.AutoShardKey) == 0 }

// Rule gives the rule of a table: an exact name first, else the first glob that
// matches, else an unsharded rule. Names compare as bytes, as on a Linux server. The rule
// is always under the table's own name, also when a glob gave it.
func (s *Schema) Rule(table string) Table {
	glob := -1
	for i := range s.Tables {
		t := &s.Tables[i]
		if t.Name == table {
			return *t
		}
		if glob < 0 && IsGlob(t.Name) && Match(t.Name, table) {
			glob = i
		}
	}
	if glob < 0 {
		return Table{Name: table, Kind: Unsharded}
	}
	rule := s.Tables[glob]
	rule.Name = table
	return rule
}
