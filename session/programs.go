package session

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/query"
	"sluice/shard"
)

// eachRow stands before the body of a trigger.
var eachRow = regexp.MustCompile(`(?i)\bFOR\s+EACH\s+ROW\b`)

// programs puts a schema's stored programs, and the names of its tables, into the catalog.
func (p systems) programs(ctx context.Context, version int64, schema string) error {
	all := &shard.Programs{Routines: map[string]shard.Routine{}, Tables: map[string]shard.Name{}}
	of := string(query.QuoteString(nil, schema, p.state.mode))
	look := func(c *backend.Conn) error {
		sees, err := p.may(c, "EXECUTE", schema)
		if err != nil {
			return err
		}
		all.Hidden = !sees
		_, rows, err := c.Query("SELECT ROUTINE_NAME, ROUTINE_DEFINITION, SQL_MODE, ROUTINE_TYPE, SECURITY_TYPE = 'DEFINER' AND DEFINER <> CURRENT_USER() FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = " + of)
		if err != nil {
			return err
		}
		for _, r := range rows {
			name := strings.ToLower(string(r[0]))
			_, twice := all.Routines[name] // a function and a procedure
			body, seen := string(r[1]), r[1] != nil
			if seen && !twice && !p.state.mode.MariaDB {
				if body, seen, err = p.written(c, schema, string(r[0]), string(r[3]), body); err != nil {
					return err
				}
			}
			all.Routines[name] = shard.Routine{Body: body, Mode: string(r[2]), Unseen: twice || !seen, Definer: string(r[4]) == "1"}
		}
		_, rows, err = c.Query("SELECT SPECIFIC_NAME, PARAMETER_NAME FROM information_schema.PARAMETERS WHERE PARAMETER_NAME IS NOT NULL AND SPECIFIC_SCHEMA = " + of)
		if err != nil {
			return err
		}
		for _, r := range rows {
			name := strings.ToLower(string(r[0]))
			routine := all.Routines[name]
			routine.Parameters = append(routine.Parameters, string(r[1]))
			all.Routines[name] = routine
		}
		_, rows, err = c.Query("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + of)
		for _, r := range rows {
			all.Tables[strings.ToLower(string(r[0]))] = shard.Name{Name: string(r[0]), View: string(r[1]) == "VIEW"}
		}
		return err
	}
	err := p.onHome(ctx, schema, func(c *backend.Conn) error { return p.inUTF8(c, func() error { return look(c) }) })
	if err == nil {
		p.h.catalog.addPrograms(version, schema, all, time.Now())
	}
	return err
}

// written gives the body of a stored program as it was written: in the ROUTINE_DEFINITION of MySQL the
// texts have lost their escapes, so that their ends cannot be found.
func (p systems) written(c *backend.Conn, schema, name, kind, body string) (text string, ok bool, err error) {
	first := strings.IndexAny(body, `'"_`)
	if !rewritten(body) || first < 0 {
		return body, true, nil
	}
	_, rows, err := c.Query("SHOW CREATE " + kind + " " + string(query.QuoteName(nil, schema)) + "." + string(query.QuoteName(nil, name)))
	if slices.Contains(unshown, codeOf(err)) {
		return "", false, nil
	}
	if err != nil || len(rows) != 1 || len(rows[0]) < 3 {
		return "", false, err
	}
	create := string(rows[0][2])
	if kind == "TRIGGER" {
		at := eachRow.FindStringIndex(create)
		if at == nil {
			return "", false, nil
		}
		return create[at[1]:], true, nil
	}
	at := strings.Index(create, "\n"+body[:first]) // the body begins a line; those above are indented
	if at < 0 || first == 0 {
		return "", false, nil
	}
	return create[at+1:], true, nil
}

// rewritten tells whether the body of a program in MySQL's information_schema may be another than the one that was written.
func rewritten(body string) bool { return strings.ContainsAny(body, `'"`) }

// unshown are the errors of SHOW CREATE for what was dropped meanwhile, or is not for the proxies' account. Others say
// nothing of the program.
var unshown = []uint16{1044, 1045, 1049, 1142, 1143, 1146, 1227, 1305, 1356, 1360, 1370}

// inUTF8 runs f, which looks at tables for all sessions, where SHOW CREATE of MySQL gives texts in UTF-8 and not in the
// character set that they were made in.
func (p systems) inUTF8(c *backend.Conn, f func() error) error {
	if p.state.mode.MariaDB {
		return f()
	}
	if _, err := c.Exec("SET SESSION character_set_results=utf8mb4"); err != nil {
		return err
	}
	err := f()
	if inOrder(err) {
		if _, back := c.Exec("SET SESSION character_set_results=NULL"); back != nil {
			return fmt.Errorf("variables of a look-up could not be set back: %v", back)
		}
	}
	return err
}

// views puts the definitions of a schema's views into the catalog.
func (p systems) views(ctx context.Context, version int64, schema string) error {
	all := map[string]shard.View{}
	err := p.onHome(ctx, schema, func(c *backend.Conn) error {
		_, rows, err := c.Query("SELECT TABLE_NAME, VIEW_DEFINITION, SECURITY_TYPE = 'DEFINER' AND DEFINER <> CURRENT_USER() FROM information_schema.VIEWS WHERE TABLE_SCHEMA = " + string(query.QuoteString(nil, schema, p.state.mode)))
		for _, r := range rows {
			all[strings.ToLower(string(r[0]))] = shard.View{Text: string(r[1]), Definer: string(r[2]) == "1"}
		}
		return err
	})
	if err == nil {
		p.h.catalog.addViews(version, schema, all, time.Now())
	}
	return err
}

// onHome asks the default shard what its information_schema says of a schema, which no temporary table
// of the session hides.
func (p systems) onHome(ctx context.Context, schema string, f func(*backend.Conn) error) error {
	return p.on(ctx, p.shardOf(schema), f)
}

// on is onHome of any shard.
func (p systems) on(ctx context.Context, name string, f func(*backend.Conn) error) error {
	c := p.kept.own(name)
	if c == nil {
		return p.kept.onShard(ctx, name, true, f)
	}
	if err := p.kept.sync(c, name); err != nil {
		return err
	}
	return p.kept.onOwn(c, name, true, f)
}
