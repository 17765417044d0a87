package cache

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"strconv"
)

// Tags. What a result depends on, and a write changes, is named by tags:
//
//   - everything
//     s:S      all tables of schema S
//     t:T      all rows of table T
//     a:T      any row of table T
//     k:T:K    the rows of table T with the key K
//
//     a read by key depends on  *  s:S  t:T  k:T:K
//     any other read on         *  s:S  a:T
//     a write by key changes    a:T  k:T:K
//     any other write           t:T  a:T          (or s:S, or *)
//
// In a Redis Cluster keys are spread over a fixed number of buckets, each a hash tag and so one
// of its slots. What has the same key lies in one bucket, so that a read by key asks one node;
// *, s: and t: stand in every bucket.
const clusterBuckets = 32

// key is a name in the store and its bucket.
type key struct {
	bucket int
	name   string
}

// place is where a read's entry and its tags are.
type place struct {
	entry key
	tags  []key
}

// lock is the name of the lock of who asks the database for the entry.
func (p *place) lock() key { return key{p.entry.bucket, p.entry.name + ":l"} }

// everything is the tag of all that is stored, by any cluster that uses the Redis.
const everything = "*"

func everythingIn(bucket int) string { return "sluice:{" + strconv.Itoa(bucket) + "}:*" }

// ring makes names and values under one secret and epoch.
type ring struct {
	secret  string
	epoch   int64
	buckets int
	prefix  string
	mac     []byte
}

// rings gives the ring of a state.
func (c *Cache) rings(st *State) *ring {
	if r := c.ring.Load(); r != nil && r.secret == st.Secret && r.epoch == st.Epoch {
		return r
	}
	r := &ring{secret: st.Secret, epoch: st.Epoch, buckets: c.store.buckets()}
	sum := sha256.Sum256([]byte("sluice result cache\x00" + st.Secret))
	r.mac = sum[:]
	id := sha256.Sum256(sum[:])
	r.prefix = "sluice:" + hex.EncodeToString(id[:4]) + ":{"
	c.ring.Store(r)
	return r
}

func (r *ring) key(bucket int, kind, name string) key {
	if kind == everything {
		return key{bucket, everythingIn(bucket)}
	}
	return key{bucket, r.prefix + strconv.Itoa(bucket) + "}:" + kind + name}
}

func (r *ring) bucketOf(table string) int {
	return int(crc32.ChecksumIEEE([]byte(table)) % uint32(r.buckets))
}

func (r *ring) bucketOfKey(k uint32) int { return int(k>>8) % r.buckets }

// placeOf finds a read's place.
func (r *ring) placeOf(q *Query) place {
	keyed := len(q.Keys) > 0 && len(q.Keys) <= maxKeys
	home := r.bucketOf(q.Tables[0].id())
	if keyed {
		home = r.bucketOfKey(q.Keys[0])
	}
	var p place
	p.tags = append(make([]key, 0, 3+2*len(q.Tables)), r.key(home, everything, ""))
	for i, t := range q.Tables {
		if i == 0 || t.Schema != q.Tables[i-1].Schema {
			p.tags = append(p.tags, r.key(home, "s:", t.Schema))
		}
		id := t.id()
		if !keyed || !t.Keyed {
			p.tags = append(p.tags, r.key(r.bucketOf(id), "a:", id))
			continue
		}
		p.tags = append(p.tags, r.key(home, "t:", id))
		for _, k := range q.Keys {
			p.tags = append(p.tags, r.key(r.bucketOfKey(k), "k:", id+":"+strconv.FormatUint(uint64(k), 36)))
		}
	}
	h := hmac.New(sha256.New, r.mac)
	h.Write(strconv.AppendInt(nil, r.epoch, 10))
	h.Write([]byte{0})
	h.Write(q.Key)
	p.entry = r.key(home, "e:", hex.EncodeToString(h.Sum(nil)[:20]))
	return p
}

// Write is what a write changes.
type Write struct {
	All     bool     // perhaps everything
	Schemas []string // perhaps every table of these
	Tables  []Table  // keyed: the rows of the keys only
	Keys    []uint32
}

// Nothing tells whether nothing is changed that could be cached.
func (w *Write) Nothing() bool { return !w.All && len(w.Schemas) == 0 && len(w.Tables) == 0 }

// Add joins another write's changes.
func (w *Write) Add(o *Write) {
	w.All = w.All || o.All
	if w.All {
		w.Schemas, w.Tables, w.Keys = nil, nil, nil
		return
	}
	for _, s := range o.Schemas {
		w.addSchema(s)
	}
	for _, t := range o.Tables {
		w.addTable(t)
	}
	for _, k := range o.Keys {
		w.addKey(k)
	}
}

func (w *Write) addSchema(s string) {
	for _, have := range w.Schemas {
		if have == s {
			return
		}
	}
	w.Schemas = append(w.Schemas, s)
}

// addTable joins a table. Keys are those of all keyed tables together.
func (w *Write) addTable(t Table) {
	for i := range w.Tables {
		if have := &w.Tables[i]; have.Schema == t.Schema && have.Name == t.Name {
			have.Keyed = have.Keyed && t.Keyed
			return
		}
	}
	w.Tables = append(w.Tables, t)
}

func (w *Write) addKey(k uint32) {
	for _, have := range w.Keys {
		if have == k {
			return
		}
	}
	if len(w.Keys) >= MaxWrites {
		for i := range w.Tables {
			w.Tables[i].Keyed = false
		}
		return
	}
	w.Keys = append(w.Keys, k)
}

// changed lists the tags of a write.
func (r *ring) changed(w *Write) (list []key) {
	every := func(kind, name string) {
		for b := range r.buckets {
			list = append(list, r.key(b, kind, name))
		}
	}
	if w.All {
		every(everything, "")
		return list
	}
	for _, s := range w.Schemas {
		every("s:", s)
		// Reads by table alone see the schema's tag as well.
	}
	for _, t := range w.Tables {
		id := t.id()
		list = append(list, r.key(r.bucketOf(id), "a:", id))
		if !t.Keyed || len(w.Keys) == 0 {
			every("t:", id)
			continue
		}
		for _, k := range w.Keys {
			list = append(list, r.key(r.bucketOfKey(k), "k:", id+":"+strconv.FormatUint(uint64(k), 36)))
		}
	}
	return list
}
