package reshard

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/backend"
	"sluice/shard"
	"sluice/wire"
)

// The fence stands on the servers themselves, so that it stops every writer, also one that
// has never heard of the migration. A row says whether writes to the moving slots are let
// through on that server:
//
//	                     source          target
//	prepared             open,   0       fenced, 0
//	FENCE(source, att)   fenced, att     fenced, 0        waits for the writers of before
//	OWN(target, att)     fenced, att     open,   att
//	aborted              open,   att     fenced, att      UNFENCE(source), then DISOWN(target)
//
//	completed            gone,   att     -                for proxies that start from an old map
//
// On the way back source and target are changed round. A change is made only if the token
// allows it, so that a proxy which was stopped, replaced and woken up changes nothing.
const (
	createSchema = "CREATE DATABASE IF NOT EXISTS _sluice"
	createFence  = "CREATE TABLE IF NOT EXISTS _sluice.fence (move_id BIGINT NOT NULL PRIMARY KEY, state ENUM('open','fenced','gone') NOT NULL, " +
		"token BIGINT NOT NULL, slots MEDIUMTEXT CHARACTER SET ascii NOT NULL, note VARCHAR(255) CHARACTER SET ascii NOT NULL) ENGINE=InnoDB"
)

const (
	open   = "open"
	fenced = "fenced"
	gone   = "gone"
)

// errReplaced says that another proxy has taken the migration over, or another attempt has
// begun: this one must change nothing more.
var errReplaced = errors.New("this attempt has been replaced by a later one")

// control are the settings of the connections that steer a migration. A lock is not waited
// for longer than the pause of a switch may last.
var control = &backend.Settings{Key: "reshard.control", Set: "SET innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, sql_mode = ''"}

// makeFence writes a migration's row on a server, unless it is there. note tells clusters
// that share a server apart: a row with another note is an error.
func makeFence(ctx context.Context, c *backend.Conn, r *Record, state string) error {
	rows, err := query(ctx, c, "SELECT note FROM _sluice.fence WHERE move_id = "+number(r.ID))
	if wire.IsCode(err, 1049, 1146) { // unknown database, table
		if _, err = query(ctx, c, createSchema); err == nil || wire.IsCode(err, 1044) {
			_, err = query(ctx, c, createFence)
		}
	}
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		_, err = query(ctx, c, fmt.Sprintf("INSERT INTO _sluice.fence (move_id, state, token, slots, note) VALUES (%d, '%s', 0, '%s', '%s')",
			r.ID, state, spansText(r.Slots), r.note()))
		return err
	}
	if got := string(rows[0][0]); got != r.note() {
		return lasting(fmt.Errorf("_sluice.fence on shard %s has a row of a migration %d of another cluster (%s); DELETE it there if that cluster is no more, then start the move again",
			c.Shard(), r.ID, got))
	}
	return nil
}

// setFence is the compare-and-set of a fence. With fresh, only a smaller token gives way to
// this one (FENCE, OWN); without, an equal one too (DISOWN, UNFENCE). It waits for the
// transactions that have read the row through a trigger.
func setFence(ctx context.Context, c *backend.Conn, id int64, state string, token int64, fresh bool) error {
	op := "<="
	if fresh {
		op = "<"
	}
	if _, err := query(ctx, c, fmt.Sprintf("UPDATE _sluice.fence SET state = '%s', token = %d WHERE move_id = %d AND token %s %d", state, token, id, op, token)); err != nil {
		return err
	}
	now, at, err := readFence(ctx, c, id)
	switch {
	case err != nil:
		return err
	case now == state && at == token:
		return nil
	}
	return fmt.Errorf("%w: the fence on shard %s is %s with token %d, not %s with %d", errReplaced, c.Shard(), now, at, state, token)
}

// readFence reads a fence as it is committed.
func readFence(ctx context.Context, c *backend.Conn, id int64) (state string, token int64, err error) {
	rows, err := query(ctx, c, "SELECT state, token FROM _sluice.fence WHERE move_id = "+number(id))
	if err != nil {
		return "", 0, err
	}
	if len(rows) != 1 || len(rows[0]) != 2 {
		return "", 0, fmt.Errorf("%w: the fence on shard %s is gone", errReplaced, c.Shard())
	}
	token, err = strconv.ParseInt(string(rows[0][1]), 10, 64)
	return string(rows[0][0]), token, err
}

// dropFence deletes a migration's row on a server. Its triggers have to be gone by then.
func dropFence(ctx context.Context, c *backend.Conn, r *Record) error {
	_, err := query(ctx, c, fmt.Sprintf("DELETE FROM _sluice.fence WHERE move_id = %d AND note = '%s'", r.ID, r.note()))
	if wire.IsCode(err, 1049, 1146) {
		return nil
	}
	return err
}

// query runs one statement. When ctx ends first, the statement is killed and its answer
// awaited a moment longer: a change of a fence must not come to pass after it was given up,
// and if it does all the same, its token is too old by then.
func query(ctx context.Context, c *backend.Conn, sql string) (rows [][][]byte, err error) {
	err = bounded(ctx, c, func() error {
		_, rows, err = c.Query(sql)
		return err
	})
	return rows, err
}

// processes lists what runs at a server.
func processes(ctx context.Context, c *backend.Conn) (list []backend.Process, err error) {
	err = bounded(ctx, c, func() error {
		list, err = c.Processes()
		return err
	})
	return list, err
}

// bounded runs one statement within ctx and statementTime.
func bounded(ctx context.Context, c *backend.Conn, run func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	limit := time.Now().Add(statementTime)
	if d, ok := ctx.Deadline(); ok && d.Before(limit) {
		limit = d
	}
	if err := c.SetDeadline(limit.Add(killTime)); err != nil {
		return err
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		kill, cancel := context.WithTimeout(context.WithoutCancel(ctx), killTime)
		defer cancel()
		_ = c.Kill(kill) // if it cannot be, the deadline ends the wait
	})
	err := run()
	if !stop() {
		<-stopped // the KILL must not meet the next statement
		if err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
	return err
}

const (
	statementTime = 20 * time.Second // of a statement that steers; none of them reads many rows
	killTime      = time.Second
)

func number(n int64) string { return strconv.FormatInt(n, 10) }

// literal quotes a text for a connection whose sql_mode is empty: backslashes escape.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'"
}

func name(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// spansText writes slots as MOVE SLOTS takes them: 0-4095,5000-5000.
func spansText(spans []shard.Span) string {
	var b strings.Builder
	for i, s := range spans {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d-%d", s.First, s.Last)
	}
	return b.String()
}
