package session

import (
	"bytes"
	"log/slog"
	"strings"
	"time"

	"sluice/slowlog"
)

// slowly is a statement that has taken long.
type slowly struct{ *running }

// log writes what ran where: without the client's values into the proxy's log, with them
// into the slow log.
func (r slowly) log(st *statement, d time.Duration, label string) {
	var shards []string
	for i := range r.bound.Legs {
		shards = append(shards, r.args.Map.ShardName(r.bound.Legs[i].Shard))
	}
	r.h.slow.Add(&slowlog.Entry{
		Started: st.started, Took: d, ID: r.c.ID, User: r.c.User, Host: r.c.Remote.Addr().Unmap().String(), Schema: r.state.schema, Rows: r.reply.rows,
		Failed: r.reply.failed, Strategy: label, Shards: strings.Join(shards, ","), SQL: r.text(st),
	})
	if d < slowAfter {
		return
	}
	r.h.log.Warn("slow statement", slog.Duration("took", d), slog.Uint64("connection", uint64(r.c.ID)), slog.String("user", r.c.User),
		slog.String("schema", r.state.schema), slog.String("strategy", label), slog.String("shards", strings.Join(shards, ",")),
		slog.Uint64("rows", r.reply.rows), slog.Bool("failed", r.reply.failed), slog.String("statement", string(st.scan.Fingerprint[:min(len(st.scan.Fingerprint), maxShownText)])))
}

// text is the statement as it was sent, the values of a prepared one written in; without
// values where it may hold a password, or they cannot be written.
func (r slowly) text(st *statement) []byte {
	fingerprint := bytes.ToLower(st.scan.Fingerprint)
	if bytes.Contains(fingerprint, []byte("identified")) || bytes.Contains(fingerprint, []byte("password")) && !bytes.HasPrefix(fingerprint, []byte("select")) {
		return st.scan.Fingerprint
	}
	if st.exec == nil || len(st.exec.Params) == 0 {
		return st.sql
	}
	text, err := inline(st, r.state.charset())
	if err != nil {
		return st.sql
	}
	return text
}

// slowAfter is when a statement gets a line in the log.
const slowAfter = time.Second
