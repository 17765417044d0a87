package exec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/router"
	"sluice/wire"
)

// definer makes the tables of copies.
type definer struct{ *gathering }

// create makes the temporary table of a copy. LIKE gives it the original's columns, keys
// and defaults. Where the server cannot make that one temporary (it is partitioned,
// compressed, or has a FULLTEXT key) its definition is used without what stands in the way.
func (g definer) create(t *router.GatherTable) error {
	name := tableName(t.Schema, t.Name)
	if t.Scratch {
		if done, err := scratcher(g).create(t); done || err != nil {
			return err
		}
	}
	if !t.Shadow && (!t.Foreign || t.CopyOf != "") {
		original := tableName(t.Schema, t.Table)
		if t.CopyOf != "" {
			original = tableName(t.Schema, t.CopyOf)
		}
		err := g.make(name, "CREATE TEMPORARY TABLE "+name+" LIKE "+original)
		var we *wire.Error
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &we):
			return g.home.failed(err)
		case (we.Code == 1792 || we.Code == 4091) && !g.plan.Apart:
			return ErrApart
		case we.Code == 1044 || we.Code == 1142:
			return refuse(1105, "HY000", "the account of the proxies needs the privilege CREATE TEMPORARY TABLES on %s to answer a SELECT over several shards", t.Schema)
		case we.Code == 1146 || we.Code == 1317 || we.Code == 1050 || t.CopyOf != "":
			return we
		}
	}
	text, err := g.definition(t)
	if err != nil {
		return err
	}
	if g.plan.Ranks && g.textKeys {
		return scratcher(g).unmatched()
	}
	if err := g.createShown(name, text); (wire.IsCode(err, 1792) || wire.IsCode(err, 4091)) && !g.plan.Apart {
		return ErrApart
	} else if err != nil {
		return g.home.failed(err)
	}
	return nil
}

// make runs a statement that makes a temporary table. Its name is noted before it is there: a KILL
// may be the answer of a statement that has made it, and what is not dropped hides a table.
func (g definer) make(name, text string) error {
	noted := slices.Contains(g.made, name)
	if !noted {
		g.made = append(g.made, name)
	}
	_, err := g.home.conn.Exec(text)
	if !noted && unmade(err) {
		g.made = g.made[:len(g.made)-1] // there may be one of the client's
	}
	return err
}

// unmade tells whether a statement has surely not made its table. Of those that are interrupted, by
// KILL (1317) or a limit of their time (1969, 3024), nobody knows.
func unmade(err error) bool {
	var we *wire.Error
	return errors.As(err, &we) && we.Code != 1317 && we.Code != 1969 && we.Code != 3024
}

// definition gives the statement that creates a copy where LIKE does not work.
func (g definer) definition(t *router.GatherTable) (string, error) {
	l := g.home
	if t.Foreign && len(t.Legs) > 0 {
		l = g.source(t.Legs[0].Shard)
	}
	name := tableName(t.Schema, t.Name)
	text, isView, err := g.shown(l, t)
	if err != nil {
		return "", err
	}
	ok := isView
	if isView {
		text = "CREATE TEMPORARY TABLE " + name + " (" + text + ")"
	} else {
		g.textKeys = hasTextKey(text)
		text, ok = temporaryDefinition(text, name)
		if t.Shadow { // MySQL's are named in the schema, and there the original has the names
			text = checkLine.ReplaceAllString(text, "$1")
		}
	}
	if !ok {
		return "", refuse(1105, "HY000", "the definition of %s.%s is not understood", t.Schema, t.Table)
	}
	return text, nil
}

// shown asks a connection for a table's definition; of a view, for those of its columns.
func (g definer) shown(l *leg, t *router.GatherTable) (text string, isView bool, err error) {
	if l.conn != g.home.conn { // home is in the state that definitions are to be shown in
		state, err := enterLoad(l.conn, false)
		if err == nil {
			err = state.unconverted()
		}
		if err == nil {
			text, isView, err = showCreate(l.conn, t)
			if back := state.leave(); back != nil && err == nil {
				err = back
			}
		}
		if err != nil {
			return "", false, l.failed(err)
		}
		return text, isView, nil
	}
	if err = g.state.unconverted(); err == nil {
		text, isView, err = showCreate(l.conn, t)
	}
	if err != nil {
		return "", false, l.failed(err)
	}
	return text, isView, nil
}

func showCreate(c *backend.Conn, t *router.GatherTable) (text string, isView bool, err error) {
	cols, rows, err := c.Query("SHOW CREATE TABLE " + tableName(t.Schema, t.Table))
	if err != nil {
		return "", false, err
	}
	if len(rows) != 1 || len(cols) < 2 {
		return "", false, fmt.Errorf("%w: SHOW CREATE TABLE gives %d rows of %d columns", wire.ErrMalformed, len(rows), len(cols))
	}
	if cols[1].Name == "Create View" {
		text, err = viewColumns(c, t)
		return text, true, err
	}
	return string(rows[0][1]), false, nil
}

// viewColumns defines columns as those of a view.
func viewColumns(c *backend.Conn, t *router.GatherTable) (string, error) {
	_, rows, err := c.Query("SHOW FULL COLUMNS FROM " + tableName(t.Schema, t.Table))
	if err != nil {
		return "", err
	}
	var list []string
	for _, r := range rows { // Field, Type, Collation, Null …
		if len(r) < 4 {
			return "", fmt.Errorf("%w: SHOW FULL COLUMNS gives %d columns", wire.ErrMalformed, len(r))
		}
		text := quoteName(string(r[0])) + " " + string(r[1])
		if r[2] != nil {
			text += " COLLATE " + string(r[2])
		}
		if string(r[3]) == "NO" {
			text += " NOT NULL"
		} else {
			text += " NULL"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", "), nil
}

var tableCharset = regexp.MustCompile(`DEFAULT CHARSET=\w+( COLLATE=\w+)?`)

// temporaryDefinition is that of a temporary table: without foreign keys and FULLTEXT keys.
func temporaryDefinition(text, name string) (string, bool) {
	return definitionOf(text, "CREATE TEMPORARY TABLE "+name, "", func(line string) bool {
		return strings.HasPrefix(line, "FULLTEXT ") || foreignKey.MatchString(line)
	})
}

// definitionOf turns the text of SHOW CREATE TABLE into that of another table with its columns and keys,
// but for the lines that are left out, without partitions, and options other than the character
// set. Each column and key has a line of its own, with line breaks in texts escaped.
func definitionOf(text, create, options string, out func(line string) bool) (string, bool) {
	lines := strings.Split(text, "\n")
	end := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, ")") })
	if end < 2 || !strings.HasPrefix(lines[0], "CREATE ") || !strings.HasSuffix(lines[0], "(") {
		return "", false
	}
	var kept []string
	for _, line := range lines[1:end] {
		if word := strings.TrimLeft(line, " "); strings.HasPrefix(word, "PERIOD ") || out(word) {
			continue
		}
		kept = append(kept, strings.TrimSuffix(line, ","))
	}
	return create + " (\n" + strings.Join(kept, ",\n") + "\n) " + options + tableCharset.FindString(lines[end]), true
}

var checkLine = regexp.MustCompile("(?m),\n  CONSTRAINT `(?:[^`]|``)*` CHECK .*?(,?)$")

var foreignKey = regexp.MustCompile("^CONSTRAINT `(?:[^`]|``)*` FOREIGN KEY ")

// makePlain makes plain keys of a copy's unique ones. The table is as it was before the
// INSERT that found duplicates, if its engine can take that back. ALTER TABLE would commit
// the client's transaction, also of a temporary table (MySQL manual, "Statements That Cause
// an Implicit Commit"): the rows wait in another one while it is made again.
func (g definer) makePlain(t *router.GatherTable) error {
	l := g.home
	name, aside := tableName(t.Schema, t.Name), tableName(t.Schema, t.Name+"_plain")
	text, _, err := g.shown(l, &router.GatherTable{Schema: t.Schema, Table: t.Name})
	if err != nil {
		return err
	}
	if !strings.Contains(text, "ENGINE=InnoDB") || slices.Contains(g.scratch, name) {
		return refuse(1105, "HY000", "rows of two shards have the same value of a unique key of %s.%s", t.Schema, t.Table)
	}
	text, changed := plainKeys(text, strings.Contains(l.conn.ServerVersion(), "MariaDB"))
	if !changed {
		return refuse(1105, "HY000", "rows of %s.%s are there twice", t.Schema, t.Table)
	}
	text, ok := temporaryDefinition(text, aside)
	if !ok {
		return refuse(1105, "HY000", "the definition of %s.%s is not understood", t.Schema, t.Table)
	}
	if err := g.createShown(aside, text+" ENGINE=InnoDB"); err != nil {
		return l.failed(err)
	}
	columns := columnList(t)
	if t.Write != nil {
		columns += ", " + rowColumn
	}
	if err := g.pour(t, aside, name, columns); err != nil {
		return err
	}
	if _, err := l.conn.Exec("DROP TEMPORARY TABLE " + name); err != nil {
		return l.failed(err)
	}
	if err := g.make(name, "CREATE TEMPORARY TABLE "+name+" LIKE "+aside); err != nil {
		return l.failed(err)
	}
	if err := g.pour(t, name, aside, columns); err != nil {
		return err
	}
	if _, err := l.conn.Exec("DROP TEMPORARY TABLE " + aside); err != nil {
		return l.failed(err)
	}
	g.made = slices.DeleteFunc(g.made, func(s string) bool { return s == aside })
	return nil
}

// createShown creates a table by a text of SHOW CREATE TABLE, which is in utf8mb4, with
// letters of names, defaults and ENUMs in it. The home connection is in the loading state. name is
// that of a temporary table, "" for others. On error the table may be there.
func (g definer) createShown(name, text string) error {
	c := g.home.conn
	_, rows, err := c.Query("SELECT @@collation_connection")
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("%w: no collation_connection", wire.ErrMalformed)
	}
	if err != nil {
		return err
	}
	own := "SESSION collation_connection=" + systemValue(rows[0][0])
	g.state.restore = append(g.state.restore, "SET "+own)
	if _, err := c.Exec("SET SESSION character_set_client=utf8mb4, SESSION collation_connection=utf8mb4_general_ci"); err != nil {
		return err
	}
	if name == "" {
		_, err = c.Exec(text)
	} else {
		err = g.make(name, text)
	}
	if _, back := c.Exec("SET SESSION character_set_client=binary, " + own); err == nil {
		err = back
	}
	return err
}

// pour copies the rows of a temporary table to another one with the same columns.
func (g definer) pour(t *router.GatherTable, to, from, columns string) error {
	l := g.home
	ok, err := l.conn.Exec("INSERT INTO " + to + " (" + columns + ") SELECT " + columns + " FROM " + from)
	if err == nil && ok.Warnings > 0 {
		return heed(l, t)
	}
	if err != nil {
		return l.failed(err)
	}
	return nil
}

var uniqueKey = regexp.MustCompile("^  (?:(PRIMARY) KEY|UNIQUE KEY) ")

// plainKeys makes plain keys of a definition's unique ones. MariaDB has unique keys over whole
// texts by hashes of them; no plain key can be over these.
func plainKeys(text string, isMariaDB bool) (plain string, changed bool) {
	var kept []string
	for _, line := range strings.Split(text, "\n") {
		if m := uniqueKey.FindStringSubmatch(line); m != nil {
			changed = true
			if isMariaDB && strings.HasSuffix(strings.TrimSuffix(line, ","), " USING HASH") {
				continue
			}
			rest := strings.TrimPrefix(line, m[0])
			if m[1] != "" {
				rest = "`sluice_primary` " + rest
			}
			line = "  KEY " + rest
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n"), changed
}

func columnList(t *router.GatherTable) string {
	var list []string
	for _, c := range t.Columns {
		list = append(list, quoteName(c.Name))
	}
	return strings.Join(list, ", ")
}

// copyAgain fills a copy with the rows of another one.
func (g definer) copyAgain(t *router.GatherTable) error {
	columns := columnList(t)
	ok, err := g.home.conn.Exec("INSERT INTO " + tableName(t.Schema, t.Name) + " (" + columns + ") SELECT " + columns + " FROM " + tableName(t.Schema, t.CopyOf))
	if err != nil {
		return g.home.failed(err)
	}
	if g.amount.rows += int(ok.AffectedRows); g.amount.rows > g.plan.Limits.Rows() {
		return tooLarge{}
	}
	return nil
}
