package shard

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"time"
)

// Limit bounds the statements of a user, in a schema, or of one kind (digest), on each proxy. Of
// several that hold for a statement each holds.
type Limit struct {
	Of          string        `json:"of"`                    // user, schema, digest
	Name        string        `json:"name"`                  // of a digest: its fingerprint, literals out
	Concurrency *int          `json:"concurrency,omitempty"` // statements at once; 0 lets none through; nil is no limit
	Queue       *int          `json:"queue,omitempty"`       // that may wait for a place; nil is DefaultLimitQueue
	Wait        time.Duration `json:"wait,omitempty"`        // for a place, and for a shard's turn, at most; 0 is DefaultLimitWait for a place
	Time        time.Duration `json:"time,omitempty"`        // of one statement; 0 is no limit
	Rows        uint64        `json:"rows,omitempty"`        // of its answer; 0 is no limit
}

// What a Limit is of.
const (
	OfUser   = "user"
	OfSchema = "schema"
	OfDigest = "digest"
)

// Defaults of a Limit with CONCURRENCY. Two seconds are what a page may take; who waits in a line of a
// hundred behind statements that a DBA has limited gets no place in that time anyway.
const (
	DefaultLimitQueue = 100
	DefaultLimitWait  = 2 * time.Second
	// MaxLimitWait bounds what a client can be kept waiting.
	MaxLimitWait = time.Minute
)

// MaxLimits bounds how many Limits a cluster has: each is looked at when a statement is planned.
const MaxLimits = 1000

// DigestID is a short name of a fingerprint, the same everywhere: 16 hexadecimal digits.
func DigestID(fingerprint string) string {
	h := fnv.New64a()
	h.Write([]byte(fingerprint))
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, h.Sum64()))
}

func (c *checker) checkLimits() {
	if n := len(c.spec.Limits); n > MaxLimits {
		c.add("limits", "there are %d limits; at most %d", n, MaxLimits)
	}
	seen := map[[2]string]bool{}
	for _, l := range c.spec.Limits {
		key := [2]string{l.Of, l.Name}
		switch {
		case l.Of != OfUser && l.Of != OfSchema && l.Of != OfDigest:
			c.add("limits", "a limit is of a user, a schema or a digest, not of %s", clip(l.Of))
		case l.Name == "":
			c.add("limits", "a limit of a %s has no name", l.Of)
		case seen[key]:
			c.add("limits", "the %s %s has two limits", l.Of, clip(l.Name))
		case l.Concurrency != nil && *l.Concurrency < 0, l.Queue != nil && *l.Queue < 0, l.Wait < 0, l.Time < 0:
			c.add("limits", "a limit of the %s %s is below zero", l.Of, clip(l.Name))
		case l.Wait > MaxLimitWait:
			c.add("limits", "WAIT is at most %s", MaxLimitWait)
		}
		seen[key] = true
	}
}
