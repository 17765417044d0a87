package session

import (
	"log/slog"
	"strings"
	"time"
)

// slowAfter is when a statement gets a line in the log.
const slowAfter = time.Second

// observe counts an answered statement. Its time ends when the answer is in the client's
// buffer or socket.
func (s *Session) observe(st *statement, e *entry) {
	d := time.Since(st.started)
	label := e.label
	if e.action == route && len(s.bound.Legs) > 0 {
		label = s.bound.Strategy.String()
	}
	s.h.metrics.Statement(label, d, s.failed)
	e.digest.Observe(d, s.rows, s.failed)
	if d >= slowAfter {
		s.logSlow(st, d, label)
	}
}

// logSlow writes what ran where, without the client's values.
func (s *Session) logSlow(st *statement, d time.Duration, label string) {
	var shards []string
	for i := range s.bound.Legs {
		shards = append(shards, s.args.Map.ShardName(s.bound.Legs[i].Shard))
	}
	s.h.log.Warn("slow statement", slog.Duration("took", d), slog.Uint64("connection", uint64(s.c.ID)), slog.String("user", s.c.User),
		slog.String("schema", s.schema), slog.String("strategy", label), slog.String("shards", strings.Join(shards, ",")),
		slog.Uint64("rows", s.rows), slog.Bool("failed", s.failed), slog.String("statement", string(st.scan.Fingerprint[:min(len(st.scan.Fingerprint), maxShownText)])))
}
