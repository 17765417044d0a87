package advise

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/shard"
	"sluice/wire"
)

// tableKey names a table of a schema.
type tableKey struct{ schema, table string }

func (k tableKey) String() string { return k.schema + "." + k.table }

// Table is a table as it is on the existing server.
type Table struct {
	tableKey
	info     *shard.TableInfo
	nullable map[string]bool // columns, lower case
	auto     string          // the AUTO_INCREMENT column; "" when none
	primary  []string
	unique   []index
	foreign  []foreignKey
	triggers []string
	rows     uint64 // an estimate, as the server has it
	bytes    uint64 // data and indexes
}

type index struct {
	name    string
	columns []string
	whole   []bool // not only a prefix of the column
}

type foreignKey struct {
	name     string
	columns  []string
	parent   tableKey
	pcolumns []string
}

// program is what lives on the server beside tables: a view, a routine, an event, a trigger.
type program struct {
	kind string
	tableKey
	text string
}

// source is the existing server. Everything that is sent to it reads.
type source struct {
	ctx     context.Context
	conn    *backend.Conn
	mode    query.Mode
	version string
	infos   map[tableKey]*shard.TableInfo // also of information_schema
	missing map[tableKey]error
	nulls   map[node]bool // what hasNull has found
}

const pageRows = 5000

// rows reads a whole result in pages: what a connection takes of one has a bound.
func (s *source) rows(sql string, args ...string) (all [][]string, err error) {
	for _, a := range args {
		sql = strings.Replace(sql, "?", string(query.QuoteString(nil, a, s.mode)), 1)
	}
	for offset := 0; ; offset += pageRows {
		_, page, err := s.conn.Query(fmt.Sprintf("%s LIMIT %d, %d", sql, offset, pageRows))
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			row := make([]string, len(r))
			for i := range r {
				row[i] = string(r[i])
			}
			all = append(all, row)
		}
		if len(page) < pageRows {
			return all, s.ctx.Err()
		}
	}
}

// begin brings the connection to the state in which columns say their own collations.
func (s *source) begin() error {
	_, rows, err := s.conn.Query("SELECT VERSION(), @@GLOBAL.sql_mode")
	if err != nil {
		return err
	}
	s.version = string(rows[0][0])
	s.mode = query.Version(s.version).With(string(rows[0][1])) // that of this connection, too
	if _, err = s.conn.Exec("SET character_set_results = NULL"); err == nil && !s.mode.MariaDB {
		_, err = s.conn.Exec("SET information_schema_stats_expiry = 0") // numbers of now, not of a day ago
	}
	s.infos, s.missing, s.nulls = map[tableKey]*shard.TableInfo{}, map[tableKey]error{}, map[node]bool{}
	return err
}

// info looks a table's columns up once.
func (s *source) info(k tableKey) (*shard.TableInfo, error) {
	if info, ok := s.infos[k]; ok {
		return info, nil
	}
	if err, ok := s.missing[k]; ok {
		return nil, err
	}
	info, err := exec.TableInfo(s.conn, k.schema, k.table)
	if err != nil {
		s.missing[k] = err
		return nil, err
	}
	s.infos[k] = info
	return info, nil
}

// describe lets the server say what a result looks like (router.Plan.Probe).
func (s *source) describe(schema, sql string) ([]shard.Column, error) {
	if schema != "" {
		if err := s.use(schema); err != nil {
			return nil, err
		}
	}
	return exec.Describe(s.conn, sql)
}

func (s *source) use(schema string) error {
	_, err := s.conn.Exec("USE " + string(query.QuoteName(nil, schema)))
	return err
}

// tables reads a schema.
func (s *source) tables(schema string) (tables []*Table, err error) {
	rows, err := s.rows("SELECT TABLE_NAME, IFNULL(TABLE_ROWS, 0), IFNULL(DATA_LENGTH, 0) + IFNULL(INDEX_LENGTH, 0) "+
		"FROM information_schema.TABLES WHERE TABLE_SCHEMA=? AND TABLE_TYPE='BASE TABLE' ORDER BY TABLE_NAME", schema)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		found, err := s.rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME=? ORDER BY 1", schema)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("there is no schema %s, or this user may not see it", schema)
		}
	}
	by := map[string]*Table{}
	for _, r := range rows {
		t := &Table{tableKey: tableKey{schema, r[0]}, nullable: map[string]bool{}}
		t.rows, t.bytes = number(r[1]), number(r[2])
		if t.info, err = s.info(t.tableKey); err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		for _, c := range t.info.Columns {
			t.nullable[strings.ToLower(c.Name)] = c.Flags&wire.FlagNotNull == 0
			if c.Flags&wire.FlagAutoIncrement != 0 {
				t.auto = c.Name
			}
		}
		tables, by[r[0]] = append(tables, t), t
	}
	return tables, s.keys(schema, by)
}

// keys reads unique keys, foreign keys and triggers.
func (s *source) keys(schema string, by map[string]*Table) error {
	rows, err := s.rows("SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART IS NULL FROM information_schema.STATISTICS "+
		"WHERE TABLE_SCHEMA=? AND NON_UNIQUE=0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX", schema)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := by[r[0]]
		switch {
		case t == nil:
		case r[1] == "PRIMARY":
			t.primary = append(t.primary, r[2])
		default:
			if n := len(t.unique); n == 0 || t.unique[n-1].name != r[1] {
				t.unique = append(t.unique, index{name: r[1]})
			}
			u := &t.unique[len(t.unique)-1]
			u.columns, u.whole = append(u.columns, r[2]), append(u.whole, r[3] == "1")
		}
	}
	rows, err = s.rows("SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE "+
		"WHERE TABLE_SCHEMA=? AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION", schema)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := by[r[0]]
		if t == nil {
			continue
		}
		if n := len(t.foreign); n == 0 || t.foreign[n-1].name != r[1] {
			t.foreign = append(t.foreign, foreignKey{name: r[1], parent: tableKey{r[3], r[4]}})
		}
		f := &t.foreign[len(t.foreign)-1]
		f.columns, f.pcolumns = append(f.columns, r[2]), append(f.pcolumns, r[5])
	}
	rows, err = s.rows("SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA=? ORDER BY 1, 2", schema)
	for _, r := range rows {
		if t := by[r[0]]; t != nil {
			t.triggers = append(t.triggers, r[1])
		}
	}
	return err
}

// programs reads views, routines, events and triggers.
func (s *source) programs(schema string) (all []program, err error) {
	for _, q := range []struct{ kind, sql string }{
		{"view", "SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA=? ORDER BY 1"},
		{"", "SELECT ROUTINE_NAME, ROUTINE_DEFINITION, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA=? ORDER BY 1"},
		{"event", "SELECT EVENT_NAME, EVENT_DEFINITION FROM information_schema.EVENTS WHERE EVENT_SCHEMA=? ORDER BY 1"},
		{"trigger", "SELECT TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA=? ORDER BY 1"},
	} {
		rows, err := s.rows(q.sql, schema)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			kind := q.kind
			if kind == "" {
				kind = strings.ToLower(r[2])
			}
			all = append(all, program{kind, tableKey{schema, r[0]}, r[1]})
		}
	}
	return all, nil
}

// called reads what statements with stored functions depend on.
func (s *source) called(schema string) (*shard.Programs, error) {
	all := &shard.Programs{Routines: map[string]shard.Routine{}, Tables: map[string]shard.Name{}}
	list, err := s.programs(schema)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.kind == "function" || p.kind == "procedure" {
			all.Routines[strings.ToLower(p.table)] = shard.Routine{Body: p.text}
		}
	}
	rows, err := s.rows("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA=?", schema)
	for _, r := range rows {
		all.Tables[strings.ToLower(r[0])] = shard.Name{Name: r[0], View: r[1] == "VIEW"}
	}
	return all, err
}

// hasNull tells whether a column is NULL in some row.
func (s *source) hasNull(k tableKey, column string) (bool, error) {
	if null, known := s.nulls[node{k, column}]; known {
		return null, nil
	}
	name := string(query.QuoteName(nil, k.schema)) + "." + string(query.QuoteName(nil, k.table))
	_, rows, err := s.conn.Query("SELECT 1 FROM " + name + " WHERE " + string(query.QuoteName(nil, column)) + " IS NULL LIMIT 1")
	if err == nil {
		s.nulls[node{k, column}] = len(rows) > 0
	}
	return len(rows) > 0, err
}

func number(text string) uint64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 {
		return 0
	}
	return uint64(f)
}
