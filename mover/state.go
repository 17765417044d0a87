package mover

import (
	"context"
	stdjson "encoding/json"
	"fmt"

	"sluice/binlog"
)

// The notes of a migration, on its servers.
//
// progress is at the side that is written: one row a stream, changed in every transaction
// that changes rows there. Its token says who may write: the row is the first thing that such a
// transaction locks, and a mover that was paused and replaced finds no row with its token.
//
// wm is at the side that is read: its changes are the watermarks.
const (
	createSchema   = "CREATE DATABASE IF NOT EXISTS _sluice"
	createProgress = "CREATE TABLE IF NOT EXISTS _sluice.progress (move_id BIGINT NOT NULL, stream VARCHAR(16) CHARACTER SET ascii NOT NULL, " +
		"token BIGINT NOT NULL, seq BIGINT NOT NULL, state MEDIUMBLOB NOT NULL, PRIMARY KEY (move_id, stream)) ENGINE=InnoDB"
	createWM = "CREATE TABLE IF NOT EXISTS _sluice.wm (move_id BIGINT NOT NULL, stream VARCHAR(16) CHARACTER SET ascii NOT NULL, " +
		"token BIGINT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (move_id, stream)) ENGINE=InnoDB"
)

// state is what progress stores.
type state struct {
	Source string          // identity of the server that is read
	Resume binlog.Position // where the stream begins again: before the oldest branch that is pending
	GTID   string          // of the transaction that ends at Resume; "" if that is not known
	WM     string          // a watermark; branches of which nothing is known when they end before it were dealt with
	Known  []string        `json:",omitempty"` // branches that were prepared before the stream and have no part in it
	Tables []tableState

	Applied, Repaired int64
}

// tableState is how far a table is copied.
type tableState struct {
	Name            string
	Cursor          [][]byte `json:",omitempty"` // key up to which rows are copied; none: from the start
	Scanned, Copied int64
	Done            bool
}

// clone gives a state that can be changed while the old one is still in force.
func (s *state) clone() *state {
	c := *s
	c.Tables = append([]tableState(nil), s.Tables...)
	return &c
}

// makeNotes makes the tables of the notes, where they are missing.
func makeNotes(s *session, create string, table string) error {
	_, err := s.query("SELECT 1 FROM _sluice." + table + " LIMIT 0")
	if c := code(err); c != errNoDatabase && c != errNoTableCode {
		return err
	}
	if err := s.run(createSchema); err != nil && code(err) != errDenied {
		return err
	}
	return s.run(create)
}

func rowOf(id int64, stream string) string {
	return fmt.Sprintf(" WHERE move_id = %d AND stream = %s", id, literal(stream))
}

// readState reads a stream's notes; nil: there are none. token is who may write.
func readState(s *session, id int64, stream string) (st *state, token int64, err error) {
	rows, err := s.query("SELECT token, state FROM _sluice.progress" + rowOf(id, stream))
	if err != nil || len(rows) == 0 {
		return nil, 0, err
	}
	st = new(state)
	if _, err := fmt.Sscan(string(rows[0][0]), &token); err != nil {
		return nil, 0, err
	}
	if len(rows[0][1]) == 0 {
		return nil, token, nil
	}
	if err := stdjson.Unmarshal(rows[0][1], st); err != nil {
		return nil, 0, &Stopped{fmt.Sprintf("the row of migration %d in _sluice.progress on shard %s cannot be read: %v", id, s.server, err), "CANCEL and start again"}
	}
	return st, token, nil
}

// claim takes the right to write: only a token that is not smaller gives it. Transactions
// of the one that had it before end first.
func claim(s *session, id int64, stream string, token int64) error {
	if err := s.run(fmt.Sprintf("UPDATE _sluice.progress SET token = %d, seq = seq + 1%s AND token <= %d", token, rowOf(id, stream), token)); err != nil {
		return err
	}
	rows, err := s.query("SELECT token FROM _sluice.progress" + rowOf(id, stream))
	if err != nil {
		return err
	}
	if len(rows) != 1 || string(rows[0][0]) != fmt.Sprint(token) {
		return ErrReplaced
	}
	return nil
}

// store writes the state, in whatever transaction the session is in; ErrReplaced if another
// token is in force. It locks the row until that ends.
func store(s *session, id int64, stream string, token int64, st *state) error {
	b, err := stdjson.Marshal(st)
	if err != nil {
		return err
	}
	n, err := s.exec(fmt.Appendf(nil, "UPDATE _sluice.progress SET seq = seq + 1, state = X'%x'%s AND token = %d", b, rowOf(id, stream), token))
	if err == nil && n != 1 {
		return ErrReplaced
	}
	return err
}

// Take gives the right to write the rows of a stream to the given token: a mover with a
// smaller one changes nothing any more when it has returned. A stream that was never
// prepared is no error.
func Take(ctx context.Context, target Server, id int64, stream string, token int64) error {
	s, err := dial(ctx, target, "")
	if err != nil {
		return err
	}
	defer s.close()
	rows, err := s.query("SELECT token FROM _sluice.progress" + rowOf(id, stream))
	if c := code(err); c == errNoDatabase || c == errNoTableCode || err == nil && len(rows) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return claim(s, id, stream, token)
}

// Forget deletes the notes about a migration from a server.
func Forget(ctx context.Context, on Server, id int64) error {
	s, err := dial(ctx, on, "")
	if err != nil {
		return err
	}
	defer s.close()
	for _, table := range []string{"progress", "wm"} {
		err := s.run(fmt.Sprintf("DELETE FROM _sluice.%s WHERE move_id = %d", table, id))
		if c := code(err); err != nil && c != errNoDatabase && c != errNoTableCode {
			return err
		}
	}
	return nil
}
