// Package shard holds what a cluster is at one moment: its shards, the slot map, the
// rules of its tables and its users. Everything here is pure, immutable data: a Map is
// built once by New, published whole, and never changed afterwards. It does no I/O.
package shard

import (
	"cmp"
	"hash/crc32"
	"strconv"
)

// Slots is the number of hash slots of a cluster. It never changes.
const Slots = 16384

// SlotOf gives the slot (0…16383) of a shard key in its canonical form: the shortest
// decimal text of an integer, or the bytes of a binary or _bin string (without trailing
// spaces where the collation pads). It equals MOD(CRC32(key), 16384) in SQL.
func SlotOf(key []byte) uint16 { return SlotOfSum(Sum(key)) }

// Sum gives the CRC32 of a shard key in its canonical form, and SlotOfSum the slot that it is in.
func Sum(key []byte) uint32       { return crc32.ChecksumIEEE(key) }
func SlotOfSum(sum uint32) uint16 { return uint16(sum % Slots) }

// SlotOfInt gives the slot of a signed integer key.
func SlotOfInt(key int64) uint16 {
	var buf [20]byte
	return SlotOf(strconv.AppendInt(buf[:0], key, 10))
}

// SlotOfUint gives the slot of an unsigned integer key.
func SlotOfUint(key uint64) uint16 { return SlotOfSum(SumOfUint(key)) }

// SumOfUint gives the CRC32 of an unsigned integer key.
func SumOfUint(key uint64) uint32 {
	var buf [20]byte
	return Sum(strconv.AppendUint(buf[:0], key, 10))
}

// Kind says how the rows of a table are spread.
type Kind uint8

const (
	Unsharded Kind = iota // all rows on the schema's default shard
	Sharded               // each row on the shard that owns its key's slot
	Reference             // every row on every shard
)

func (k Kind) String() string {
	switch k {
	case Unsharded:
		return "unsharded"
	case Sharded:
		return "sharded"
	case Reference:
		return "reference"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Shard is one primary server and its replicas.
type Shard struct {
	Name     string   `json:"name"`
	Primary  string   `json:"primary"` // host:port
	Replicas []string `json:"replicas,omitempty"`
	State    string   `json:"state,omitempty"` // "" is active; Joining
	Cache    string   `json:"cache,omitempty"` // "" or FollowBinlog
}

// FollowBinlog has the result cache follow a shard's binary log, for writes that no proxy makes.
const FollowBinlog = "follow_binlog"

// Range is a contiguous run of slots, both ends included, that one shard owns.
type Range struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
	Shard string `json:"shard"`
	State string `json:"state,omitempty"` // "" is stable
}

// Table is the rule of one table, or of all tables that a glob matches.
type Table struct {
	Name     string `json:"name"` // exact, or a glob with * and ?
	Kind     Kind   `json:"kind"`
	ShardKey string `json:"shard_key,omitempty"` // column name; only when sharded
	Sequence string `json:"sequence,omitempty"`  // AUTO_INCREMENT column fed by the cluster's sequence
	Auto     int64  `json:"auto,omitempty"`      // when CREATE TABLE made the rule by auto_shard_key, ns since 1970; DROP TABLE takes it away. 0: a DBA's
}

// SameRule tells whether two rules say the same of a table, whoever made them.
func (t Table) SameRule(other Table) bool {
	t.Auto, other.Auto = 0, 0
	return t == other
}

// Schema is a logical database; it exists under this name on every shard.
type Schema struct {
	Name         string   `json:"name"`
	DefaultShard string   `json:"default_shard"`
	AutoShardKey []string `json:"auto_shard_key,omitempty"`
	Tables       []Table  `json:"tables,omitempty"`
}

// User may log in on the data port and sees only Schemas.
type User struct {
	Name     string   `json:"name"`
	Password string   `json:"password"`
	Schemas  []string `json:"schemas"`
}

// Admin may log in on the admin port.
type Admin struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// Backend is the account with which proxies log in to every shard.
type Backend struct {
	User           string `json:"user"`
	Password       string `json:"password"`
	MaxConnections int    `json:"max_connections"` // per shard and proxy
	TLS            string `json:"tls,omitempty"`   // "", "preferred", "required", "verify"
}

// CacheRule turns the result cache on for a table; the first match wins.
type CacheRule struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	TTL    string `json:"ttl"`
	Stale  string `json:"stale,omitempty"` // for how long after TTL a result is still given when the database fails; "": never
}

// CacheState is what the proxies tell each other of the result cache; see docs/CACHE.md.
type CacheState struct {
	Secret string       `json:"secret"`           // drawn once; from then on writes are marked
	Ready  bool         `json:"ready"`            // all proxies do so: results may be given
	Epoch  int64        `json:"epoch"`            // grows when a suspension ends
	Off    []string     `json:"off,omitempty"`    // nodes that cannot mark their writes: the cache is suspended
	Tables []CacheTable `json:"tables,omitempty"` // cached by a hint, besides those of the rules
}

// CacheTable is a table that a hint asked to cache.
type CacheTable struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	Ready  bool   `json:"ready"` // all proxies mark their writes to it
}

// Gather bounds what is brought together on one shard for one SELECT.
type Gather struct {
	MaxRows  int `json:"max_rows,omitempty"`  // 0 is DefaultGatherRows
	MaxBytes int `json:"max_bytes,omitempty"` // of their values; 0 is DefaultGatherBytes
}

// Defaults of Gather. A million short rows take some seconds to load, and 256 MiB fit a
// server's temporary tables with room for those of others.
const (
	DefaultGatherRows  = 1_000_000
	DefaultGatherBytes = 256 << 20
)

// Rows and Bytes are the bounds that hold.
func (g Gather) Rows() int  { return cmp.Or(g.MaxRows, DefaultGatherRows) }
func (g Gather) Bytes() int { return cmp.Or(g.MaxBytes, DefaultGatherBytes) }

// Spec is the stored form of a cluster: what etcd holds as one JSON value.
type Spec struct {
	Shards  []Shard     `json:"shards"`
	Ranges  []Range     `json:"ranges"`
	Schemas []Schema    `json:"schemas"`
	Users   []User      `json:"users"`
	Admins  []Admin     `json:"admins"`
	Backend Backend     `json:"backend"`
	Cache   []CacheRule `json:"cache,omitempty"`
	Gather  Gather      `json:"gather,omitzero"`
	Moves   []Move      `json:"moves,omitempty"` // migrations that matter to routing
	Limits  []Limit     `json:"limits,omitempty"`

	CacheState CacheState `json:"cache_state,omitzero"`
}

// Map is a Spec made fast to ask. It is immutable and safe for concurrent use.
type Map struct {
	Version int64 // etcd's mod revision of the value; grows with every change
	Spec    Spec  // read only

	owner   [Slots]int16 // index into Spec.Shards
	slots   []int        // number of slots of each of Spec.Shards
	moves   []int16      // 1 + index into Spec.Moves of each slot, 0 for none; nil without moves
	foreign [][]Span     // of each of Spec.Shards; nil without moves
	frozen  bool
	joins   bool
	shards  map[string]int
	schemas map[string]*Schema
	users   map[string]*User
	admins  map[string]*Admin
}
