package mover

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/binlog"
)

// Prepare makes what is missing at the target (the tables, the notes in _sluice with the
// position from which the stream starts) or takes over what is there, with the token. It
// waits until every XA branch is finished that was prepared at the source when it came,
// unless the stream only follows.
func (m *Mover) Prepare(ctx context.Context) error {
	m.set(func(s *Status) { s.Phase = "preparing" })
	return judge(ctx, m.prepare(ctx))
}

func (m *Mover) prepare(ctx context.Context) error {
	src, err := plain(ctx, m.opts.Source)
	if err != nil {
		return err
	}
	defer src.close()
	dst, err := dial(ctx, m.opts.Target, m.opts.Secret)
	if err != nil {
		return err
	}
	defer dst.close()
	if err := m.loadTables(src); err != nil {
		return err
	}
	if err := createTables(ctx, src, m.opts.Target, m.opts.Tables); err != nil {
		return err
	}
	if err := makeNotes(dst, createProgress, "progress"); err != nil {
		return err
	}
	if err := makeNotes(src, createWM, "wm"); err != nil {
		return err
	}
	if err := dst.run(fmt.Sprintf("INSERT IGNORE INTO _sluice.progress (move_id, stream, token, seq, state) VALUES (%d, %s, %d, 0, '')",
		m.opts.ID, literal(m.opts.Stream), m.opts.Token)); err != nil {
		return err
	}
	if err := claim(dst, m.opts.ID, m.opts.Stream, m.opts.Token); err != nil {
		return err
	}
	st, _, err := readState(dst, m.opts.ID, m.opts.Stream)
	if err != nil {
		return err
	}
	if st == nil {
		if st, err = m.begin(ctx, src); err != nil {
			return err
		}
		if err := store(dst, m.opts.ID, m.opts.Stream, m.opts.Token, st); err != nil {
			return err
		}
	}
	return m.adopt(st)
}

// loadTables reads the definitions at the source.
func (m *Mover) loadTables(src *session) error {
	m.tables, m.layouts, m.within = nil, nil, nil
	for i, of := range m.opts.Tables {
		t, err := load(src.Conn, m.opts.Source.Name, of, i)
		if err != nil {
			return err
		}
		switch {
		case t.key < 0:
			return &Stopped{"the table " + of.String() + " has no primary key by which rows can be found", "give it one, then RESUME"}
		case !of.Whole && t.shard < 0:
			return &Stopped{"the table " + of.String() + " has no column " + of.Key, "put its rule right, then RESUME"}
		}
		m.tables = append(m.tables, t)
		m.layouts = append(m.layouts, t.layout())
		m.within = append(m.within, t.within(m.opts.Slots))
	}
	return nil
}

// createTables makes the tables that the target does not have, as the source has them.
func createTables(ctx context.Context, src *session, target Server, tables []Table) error {
	dst, err := plain(ctx, target)
	if err != nil {
		return err
	}
	defer dst.close()
	return createMissing(src, dst, tables)
}

func createMissing(src, dst *session, tables []Table) error {
	if err := dst.run("SET SESSION foreign_key_checks=0, SESSION sql_mode=''"); err != nil {
		return err
	}
	for _, t := range tables {
		rows, err := dst.query("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + literal(t.Schema) + " AND TABLE_NAME = " + literal(t.Name))
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			continue
		}
		for _, what := range []string{"DATABASE IF NOT EXISTS " + quote(t.Schema), "TABLE " + quote(t.Schema) + "." + quote(t.Name)} {
			show := strings.Replace(what, "IF NOT EXISTS ", "", 1)
			rows, err := src.query("SHOW CREATE " + show)
			if err != nil {
				return err
			}
			sql := string(rows[0][1])
			if strings.HasPrefix(what, "DATABASE") {
				sql = strings.Replace(sql, "CREATE DATABASE ", "CREATE DATABASE IF NOT EXISTS ", 1)
			} else if err := dst.run("USE " + quote(t.Schema)); err != nil {
				return err
			}
			if err := dst.run(sql); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin makes the first state: where the stream starts. Whatever was committed before that
// position is visible to the first read when a watermark has been acknowledged; a branch
// that was prepared before is not, so these have to end first. (Nothing is read when the
// stream only follows, and nothing that is prepared can have rows that move: such branches
// are noted, to be left out.)
func (m *Mover) begin(ctx context.Context, src *session) (*state, error) {
	id, err := identity(src)
	if err != nil {
		return nil, err
	}
	st := &state{Source: id}
	if st.Resume, err = binlog.Current(src.Conn); err != nil {
		return nil, faulted(err)
	}
	prepared, err := branches(src)
	if err != nil {
		return nil, err
	}
	for first := prepared; !m.opts.Follow && len(prepared) > 0; {
		m.set(func(s *Status) {
			s.Waiting = fmt.Sprintf("%d XA branches that are prepared on %s to end", len(prepared), m.opts.Source.Name)
		})
		if err := nap(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
		now, err := branches(src)
		if err != nil {
			return nil, err
		}
		prepared = nil
		for _, xid := range now {
			for _, f := range first {
				if f == xid {
					prepared = append(prepared, xid)
				}
			}
		}
	}
	m.set(func(s *Status) { s.Waiting = "" })
	st.Known = prepared
	n, err := m.mark(src)
	if err != nil {
		return nil, err
	}
	st.WM = markName(m.opts.Token, n)
	for _, t := range m.tables {
		st.Tables = append(st.Tables, tableState{Name: t.String(), Done: m.opts.Follow})
	}
	return st, nil
}

// adopt takes a stored state for its own.
func (m *Mover) adopt(st *state) error {
	if len(st.Tables) != len(m.tables) {
		return &Stopped{"the tables of the migration are not those that it began with", "CANCEL and start again"}
	}
	for i, t := range m.tables {
		if st.Tables[i].Name != t.String() {
			return &Stopped{"the tables of the migration are not those that it began with", "CANCEL and start again"}
		}
	}
	m.mu.Lock()
	m.state = st
	m.mu.Unlock()
	return nil
}

// branches gives the XA branches that are prepared on a server.
func branches(s *session) (all []string, err error) {
	rows, err := s.query("XA RECOVER")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		format, err1 := strconv.ParseInt(string(r[0]), 10, 64)
		g, err2 := strconv.Atoi(string(r[1]))
		b, err3 := strconv.Atoi(string(r[2]))
		if errors.Join(err1, err2, err3) != nil || g < 0 || b < 0 || g+b != len(r[3]) {
			return nil, fmt.Errorf("shard %s: XA RECOVER gave %q", s.server, r)
		}
		all = append(all, binlog.XID(format, r[3][:g], r[3][g:]))
	}
	return all, nil
}

// identity tells a server from the one that may take its place.
func identity(s *session) (string, error) {
	name := "@@GLOBAL.server_id"
	if flavorOf(s.Conn) == mysql {
		name = "@@GLOBAL.server_uuid"
	}
	rows, err := s.query("SELECT " + name)
	if err != nil {
		return "", err
	}
	return flavorOf(s.Conn).String() + " " + string(rows[0][0]), nil
}

// sameServer tells whether the source is still the server that the state was made with, and
// still has the history that it had.
func sameServer(src *session, st *state) error {
	id, err := identity(src)
	if err != nil {
		return err
	}
	ok := id == st.Source
	if ok && st.GTID != "" && flavorOf(src.Conn) == mariadb {
		rows, err := src.query(fmt.Sprintf("SELECT BINLOG_GTID_POS(%s, %d)", literal(st.Resume.File), st.Resume.Offset))
		if err != nil {
			return err
		}
		// NULL or "": the file is gone; the stream says so itself.
		if got := string(rows[0][0]); got != "" {
			ok = strings.Contains(","+got+",", ","+st.GTID+",")
		}
	}
	if !ok {
		return &Stopped{fmt.Sprintf("the server of the shard %s is not the one that the rows were read from (it was %s)", src.server, st.Source),
			"rows that the new one lacks may have been copied: CANCEL and start again"}
	}
	return nil
}

// faulted makes a *Stopped of a stream's fault.
func faulted(err error) error {
	var f *binlog.Fault
	if errors.As(err, &f) {
		return &Stopped{Reason: f.Reason, Do: "CANCEL and start again"}
	}
	return err
}

// mark writes a watermark at the source and returns when it is committed: all that the
// stream has shown before is visible then. Its number comes back through the stream.
func (m *Mover) mark(s *session) (int64, error) {
	m.marking.Lock()
	defer m.marking.Unlock()
	if m.lastWM == 0 {
		m.lastWM = time.Now().UnixMicro() // an earlier Mover with this token may have begun
	}
	m.lastWM++
	n := m.lastWM
	if f := m.feed.Load(); f != nil {
		f.mu.Lock()
		f.sent[n] = time.Now()
		f.mu.Unlock()
	}
	changed, err := s.exec(fmt.Appendf(nil, "UPDATE _sluice.wm SET token = %d, n = %d%s", m.opts.Token, n, rowOf(m.opts.ID, m.opts.Stream)))
	if err != nil || changed == 1 {
		return n, err
	}
	return n, s.run(fmt.Sprintf("INSERT INTO _sluice.wm (move_id, stream, token, n) VALUES (%d, %s, %d, %d)", m.opts.ID, literal(m.opts.Stream), m.opts.Token, n))
}

// visible returns when everything that the stream has shown before can be read.
func (m *Mover) visible(s *session) (int64, error) {
	if m.opts.Faults.Off("mover.watermark") { // tests show what happens then
		return 0, nil
	}
	return m.mark(s)
}

// markName is what a state notes of a watermark.
func markName(token, n int64) string { return fmt.Sprintf("%d:%d", token, n) }
