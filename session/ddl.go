package session

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
	"sluice/wire"
)

// defining is what follows DDL over shards: that they all have the same table now, and which
// of its unique keys hold on each shard only.
type defining struct{ *running }

// passIDs moves the sequences of new names past the ids of the old ones before tables get them. What is handed out until then is passed
// on behind the statement (afterDDL); that may fail when nothing can be undone any more, so that without this nothing is begun.
func (d defining) passIDs(ctx context.Context, p *router.Plan) error {
	for _, r := range router.PassesSequences(p) {
		err := d.h.topo.PassIDs(ctx, r[0], r[1], &ids{r: d.running, seq: r[0]})
		var server *wire.Error
		if err != nil && !errors.Is(err, errNoIDs) && !errors.As(err, &server) { // a server's: there is no such table yet, or the statement will be told, too
			return refuse(1105, "HY000", "the ids of %s could not be passed on to %s, and nothing was renamed: %v; run it again", r[0], r[1], err)
		}
	}
	return nil
}

// check compares the tables that the statement has changed. Where some shards said that what
// it wants is so already, and all are alike now, it is complete.
func (d defining) check(ctx context.Context, st *statement, e *entry, out *exec.Outcome, runErr error) error {
	var partly *exec.Partly
	switch {
	case runErr == nil && out.Response.Err == nil:
	case errors.As(runErr, &partly) && partly.Already:
	default:
		if partly != nil {
			d.report(st, runErr)
		}
		return runErr
	}
	if partly != nil {
		for _, t := range e.plan.Leaves { // a shard with both names has renamed nothing
			if name, err := d.holder(ctx, t); err != nil || name != "" {
				d.report(st, runErr)
				return runErr
			}
		}
	}
	for _, t := range e.plan.Defines() {
		difference, _, err := d.compare(ctx, t)
		switch {
		case err != nil && runErr != nil:
			return runErr
		case err != nil:
			d.warn(out, fmt.Sprintf("sluice: whether %s.%s is alike on all shards is not known: %v", t.Schema, t.Table, err))
		case difference != "":
			err = refuse(1105, "HY000", "%s.%s is not alike on all shards after this statement: %s; make it the same there", t.Schema, t.Table, difference)
			if runErr != nil {
				err = refuse(1105, "HY000", "%s; %s", strings.TrimPrefix(runErr.Error(), "sluice: "), difference)
			}
			d.report(st, err)
			return err
		}
	}
	if runErr != nil {
		d.answers.clear()
		d.reply.diagnosed = false
	}
	if e.plan.MayAddUnique() {
		for _, t := range e.plan.Defines() {
			if err := d.uniqueKeys(ctx, t, out); err != nil {
				d.warn(out, fmt.Sprintf("sluice: the unique keys of %s.%s are not known: %v", t.Schema, t.Table, err))
			}
		}
	}
	return nil
}

func (d defining) report(st *statement, err error) {
	d.h.log.Error("a schema change is not the same on all shards", "connection", d.c.ID, "error", err,
		"statement", string(st.scan.Fingerprint[:min(len(st.scan.Fingerprint), maxShownText)]))
}

// warn adds a warning to those of the servers, and to the log. 1503 is
// ER_UNIQUE_KEY_NEED_ALL_FIELDS_IN_PF, which says the same of partitions.
func (d defining) warn(out *exec.Outcome, text string) {
	d.h.log.Warn(strings.TrimPrefix(text, "sluice: "), "connection", d.c.ID)
	d.answers.warn([][][]byte{{[]byte("Warning"), []byte("1503"), []byte(text)}})
	out.Response.OK.Warnings++
}

// before refuses to add keys and constraints without names to a table that some shards have changed already: there
// a server would add them once more, under another name, and the statement would never be complete.
func (d defining) before(ctx context.Context, p *router.Plan) error {
	if err := d.missing(ctx, p.Stmt); err != nil {
		return err
	}
	if !p.Nameless {
		return nil
	}
	for _, t := range p.Defines() {
		difference, there, err := d.compare(ctx, t)
		if err != nil {
			return err
		}
		if there && difference != "" {
			return refuse(1235, "42000", "a key or constraint without a name for %s.%s, which is not alike on all shards (%s): where it is there it would be added again; give it the name that it has there (ADD UNIQUE KEY name (…))",
				t.Schema, t.Table, difference)
		}
	}
	return nil
}

// missing answers DROP TABLE of tables of several shards and unsharded ones where one of these is not there: the other shards would not say so.
// Where the statement was carried out before, but for some shards, it is completed.
func (d defining) missing(ctx context.Context, stmt *query.Statement) error {
	spread := func(t query.TableRef) bool {
		n := temporaryTables{d.planner}.nameOf(t)
		return d.planner.spread(n.Schema, n.Table)
	}
	if stmt.Kind != query.DropTable || stmt.IfExists || !slices.ContainsFunc(stmt.Tables, spread) ||
		!slices.ContainsFunc(stmt.Tables, func(t query.TableRef) bool { return !spread(t) }) {
		return nil
	}
	var gone []string
	for _, t := range stmt.Tables {
		n := temporaryTables{d.planner}.nameOf(t)
		if !spread(t) && slices.ContainsFunc(d.kept.pins.list, func(q pin) bool { return slices.Contains(q.tables, n) }) {
			continue
		}
		there, err := d.isThere(ctx, n.Schema, n.Table, " AND TABLE_TYPE <> 'VIEW'")
		switch {
		case err != nil:
			return err
		case !there && spread(t):
			return nil
		case !there:
			gone = append(gone, n.Schema+"."+n.Table)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return &wire.Error{Code: 1051, SQLState: "42S02", Message: "Unknown table '" + strings.Join(gone, ",") + "'"}
}

// holder names a shard that has a table, "" for none.
func (d defining) holder(ctx context.Context, t router.TableName) (string, error) {
	for i := range d.args.Map.Spec.Shards {
		name := d.args.Map.ShardName(i)
		err := d.kept.onShard(ctx, name, true, func(c *backend.Conn) error {
			_, _, err := c.Query("SHOW CREATE TABLE " + quoted(t))
			return err
		})
		switch {
		case err == nil:
			return name, nil
		case !wire.IsCode(err, 1146):
			return "", err
		}
	}
	return "", nil
}

// compare says where a table's definition differs from that of the first shard, "" for nowhere, and whether all
// that it has asked have one.
// Servers of different versions write the same definition in different words.
func (d defining) compare(ctx context.Context, t router.TableName) (differs string, there bool, err error) {
	first, version := "", ""
	for i := range d.args.Map.Spec.Shards {
		name := d.args.Map.ShardName(i)
		var text, of string
		err := d.kept.onShard(ctx, name, true, func(c *backend.Conn) error {
			of = c.ServerVersion()
			_, rows, err := c.Query("SHOW CREATE TABLE " + quoted(t))
			if err == nil && len(rows) == 1 && len(rows[0]) > 1 {
				text = comparable(string(rows[0][1]))
			}
			return err
		})
		switch {
		case err != nil && inOrder(err) && d.shared.killed() == nil:
			return "shard " + name + ": " + err.Error(), false, nil
		case err != nil:
			return "", false, fmt.Errorf("shard %s: %w", name, err)
		case i == 0:
			first, version = text, of
		case of == version && text != first:
			return difference(d.args.Map.ShardName(0), first, name, text), true, nil
		}
	}
	return "", true, nil
}

var (
	nextNumber     = regexp.MustCompile(` AUTO_INCREMENT=[0-9]+`)
	constraintName = regexp.MustCompile("CONSTRAINT [`\"][^`\"]*[`\"] ")
)

// comparable leaves out of a definition what may differ: the next number, which the rows
// decide, and names of constraints, which a server makes up.
func comparable(text string) string {
	return constraintName.ReplaceAllString(nextNumber.ReplaceAllString(text, ""), "")
}

// difference says how the definitions on two shards differ.
func difference(a, first, b, second string) string {
	inFirst, inSecond := lineThat(first, second), lineThat(second, first)
	switch {
	case inFirst != "" && inSecond != "":
		return fmt.Sprintf("shard %s has %s, shard %s %s", a, inFirst, b, inSecond)
	case inFirst != "":
		return fmt.Sprintf("shard %s has %s, shard %s has not", a, inFirst, b)
	case inSecond != "":
		return fmt.Sprintf("shard %s has %s, shard %s has not", b, inSecond, a)
	}
	return fmt.Sprintf("shards %s and %s have its lines in another order", a, b)
}

// lineThat gives the first line of a definition that another one has not.
func lineThat(text, other string) string {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.Trim(line, " ,"); !strings.Contains(other, line) {
			return line
		}
	}
	return ""
}

func quoted(t router.TableName) string {
	return string(query.QuoteName(nil, t.Schema)) + "." + string(query.QuoteName(nil, t.Table))
}

// uniqueKeys warns of the unique keys of a sharded table by which rows of different shards
// may be the same. A key that the cluster's sequence fills is none of them.
func (d defining) uniqueKeys(ctx context.Context, t router.TableName, out *exec.Outcome) error {
	sc := d.args.Map.Schema(t.Schema)
	if sc == nil {
		return nil
	}
	rule := sc.Rule(t.Table)
	if rule.Kind != shard.Sharded {
		return nil
	}
	where := " WHERE TABLE_SCHEMA=" + string(query.QuoteString(nil, t.Schema, d.state.mode)) + " AND TABLE_NAME=" + string(query.QuoteString(nil, t.Table, d.state.mode))
	var keys, numbered [][][]byte
	err := d.kept.onShard(ctx, sc.DefaultShard, true, func(c *backend.Conn) (err error) {
		if _, keys, err = c.Query("SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS" + where + " AND NON_UNIQUE=0 ORDER BY INDEX_NAME, SEQ_IN_INDEX"); err == nil {
			_, numbered, err = c.Query("SELECT COLUMN_NAME FROM information_schema.COLUMNS" + where + " AND EXTRA LIKE '%auto_increment%'")
		}
		return err
	})
	if err != nil {
		return err
	}
	var names []string
	safe := map[string]bool{}
	for _, k := range keys {
		name, column := string(k[0]), string(k[1])
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
		isKey := strings.EqualFold(column, rule.ShardKey) && k[2] == nil
		if isKey || rule.Sequence != "" && strings.EqualFold(column, rule.Sequence) || len(numbered) == 1 && string(numbered[0][0]) == column {
			safe[name] = true
		}
	}
	for _, name := range names {
		if !safe[name] {
			d.warn(out, fmt.Sprintf("sluice: the unique key %s of %s.%s does not contain the shard key %s: it holds on each shard, not over all of them",
				name, t.Schema, t.Table, rule.ShardKey))
		}
	}
	return nil
}
