package main

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice/backend"
	"sluice/wire"
)

// greeting is what clients are told of the shards before their login.
type greeting struct {
	status func() []backend.Status
	last   atomic.Pointer[look]
}

// look is one at the shards.
type look struct {
	at        time.Time
	known     bool // all are
	version   string
	collation uint8
	extended  bool
}

// lookTime is how old a look at shards that are all known may be: thousands of logins a second need not have all pools locked for each.
const lookTime = 100 * time.Millisecond

func (g *greeting) look() *look {
	if l := g.last.Load(); l != nil && l.known && time.Since(l.at) < lookTime {
		return l
	}
	all := g.status()
	l := &look{at: time.Now(), version: versionOf(all), collation: collationOf(all),
		known:    !slices.ContainsFunc(all, func(s backend.Status) bool { return s.Version == "" }),
		extended: len(all) > 0 && !slices.ContainsFunc(all, func(s backend.Status) bool { return !s.Extended }),
	}
	g.last.Store(l)
	return l
}

// version is what clients see in the greeting: the version of the shards, because
// drivers choose their SQL by it.
func (g *greeting) version() string { return g.look().version }

// collation is the greeting's.
func (g *greeting) collation() uint8 { return g.look().collation }

// extended tells whether all shards are known to have what MariaDB's clients then ask for.
func (g *greeting) extended() bool { return g.look().extended }

func versionOf(all []backend.Status) string {
	for _, s := range all {
		if s.Version != "" {
			return greeted(s.Version)
		}
	}
	return greeted("10.11.0-MariaDB-sluice")
}

// greeted gives a version as its server greets with it: MariaDB before 11 says 5.5.5 first, and
// clients (Connector/J) take what they may ask it from that.
func greeted(version string) string {
	if strings.HasPrefix(version, "10.") && strings.Contains(version, "MariaDB") {
		return "5.5.5-" + version
	}
	return version
}

// collationOf is that of the shards in the greeting: clients that ask for no character
// set of their own take it. A greeting has a number's lower byte only. MariaDB's newer
// collations have numbers above 255, all of Unicode; where it may be one of those,
// utf8mb4_general_ci stands for them.
func collationOf(all []backend.Status) uint8 {
	const latin1, utf8mb3, utf8mb4 = 8, 33, uint8(wire.CollationUTF8MB4)
	for _, s := range all {
		switch {
		case s.Version == "":
		case !strings.Contains(s.Version, "MariaDB") && s.Collation != 0, s.Collation == latin1, s.Collation == utf8mb3:
			return s.Collation
		default:
			return utf8mb4
		}
	}
	return utf8mb4
}
