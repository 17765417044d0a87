package session

import (
	"bytes"
	"context"
	"strconv"

	"sluice/backend"
	"sluice/query"
)

const isUsedLock = "is_used_lock"

// findHolders asks the shard of named locks who has those that a statement asks IS_USED_LOCK() for, and gives
// the numbers by which clients know each other: the shard's are those of Sluice's connections.
func (v *values) findHolders(ctx context.Context, st *statement, stmt *query.Statement) error {
	v.holders = nil
	for _, c := range stmt.Calls {
		if c.Name != isUsedLock {
			continue
		}
		call := string(c.Span.Of(st.sql))
		if !ofLiteral(call, v.state.mode) {
			return notBuilt("IS_USED_LOCK() of what is no literal; ask IS_FREE_LOCK(), or write the name as a literal")
		}
		v.c.Task.Leave()
		var thread uint64
		shard := v.h.topo.Map().ShardName(0)
		err := v.kept.onShard(ctx, shard, false, func(c *backend.Conn) (err error) {
			thread, err = askUint(c, "SELECT "+call)
			return err
		})
		if err != nil {
			return err
		}
		text := "NULL"
		if thread != 0 {
			id := (&peers{v.core}).holder(shard, uint32(thread))
			if id == 0 {
				return notBuilt("IS_USED_LOCK() of a lock that a client of another proxy has, whose number is not known here; ask IS_FREE_LOCK()")
			}
			text = strconv.FormatUint(uint64(id), 10)
		}
		if v.holders == nil {
			v.holders = map[string]string{}
		}
		v.holders[call] = "CAST(" + text + " AS UNSIGNED)"
	}
	return nil
}

// ofLiteral tells whether a function's only argument is a string.
func ofLiteral(call string, mode query.Mode) bool {
	list, ok := query.Words([]byte(call[bytes.IndexByte([]byte(call), '(')+1:]), mode)
	return ok && len(list) == 2 && list[0] == query.Word{} && list[1].Mark == ')'
}

// holder gives the id of the session that keeps a shard's connection of that number, 0 when it is none of this proxy's.
func (p *peers) holder(shard string, thread uint32) uint32 {
	if c := p.kept.pins.of(shard); c != nil && c.ThreadID() == thread {
		return p.c.ID
	}
	if p.h.server == nil {
		return 0
	}
	for _, c := range p.h.server.Clients() {
		if sh, is := c.Session().(*shared); is && keepsThread(sh, shard, thread) {
			return c.ID
		}
	}
	return 0
}

// keepsThread tells whether the session keeps a shard's connection of that number.
func keepsThread(sh *shared, shard string, thread uint32) bool {
	sh.infoMu.Lock()
	defer sh.infoMu.Unlock()
	return sh.keeps != nil && sh.keeps.threads[shard] == thread
}
