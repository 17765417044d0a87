package reshard

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"sluice/backend"
	"sluice/shard"
	"sluice/wire"
)

// listTables lists the sharded and the reference tables that there are on a server, by schema
// and name. Their order is stored, since the triggers are named by it.
func listTables(ctx context.Context, c *backend.Conn, spec *shard.Spec) (list, references []Table, err error) {
	for i := range spec.Schemas {
		s := &spec.Schemas[i]
		if s.PassThrough() {
			continue
		}
		rows, err := query(ctx, c, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+literal(s.Name)+
			" AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME")
		if err != nil {
			return nil, nil, err
		}
		for _, row := range rows {
			rule := s.Rule(string(row[0]))
			switch rule.Kind {
			case shard.Sharded:
				list = append(list, Table{Schema: s.Name, Name: rule.Name, Key: rule.ShardKey})
			case shard.Reference:
				references = append(references, Table{Schema: s.Name, Name: rule.Name})
			}
		}
	}
	for i := range list {
		t := &list[i]
		rows, err := query(ctx, c, "SELECT COLUMN_NAME, COALESCE(COLLATION_NAME, '') FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "+literal(t.Schema)+
			" AND TABLE_NAME = "+literal(t.Name)+" AND COLUMN_NAME = "+literal(t.Key))
		if err != nil {
			return nil, nil, err
		}
		if len(rows) != 1 {
			return nil, nil, fmt.Errorf("%s has no column %s, which is its shard key", t, t.Key)
		}
		t.Key, t.Pads = string(rows[0][0]), pads(string(rows[0][1]))
	}
	return list, references, nil
}

var (
	nextNumber     = regexp.MustCompile(` AUTO_INCREMENT=[0-9]+`)
	constraintName = regexp.MustCompile("CONSTRAINT [`\"][^`\"]*[`\"] ")
)

// definition gives SHOW CREATE TABLE, "" for a table that is not there.
func definition(ctx context.Context, c *backend.Conn, t *Table) (string, error) {
	rows, err := query(ctx, c, "SHOW CREATE TABLE "+name(t.Schema)+"."+name(t.Name))
	switch {
	case wire.IsCode(err, 1049, 1146):
		return "", nil
	case err != nil:
		return "", err
	case len(rows) != 1 || len(rows[0]) < 2:
		return "", fmt.Errorf("SHOW CREATE TABLE %s answered %d rows", t, len(rows))
	}
	return string(rows[0][1]), nil
}

// comparable leaves out of a definition what may differ: the next number, which the rows
// decide, and names of constraints, which a server makes up.
func comparable(text string) string {
	return constraintName.ReplaceAllString(nextNumber.ReplaceAllString(text, ""), "")
}

// differences says which tables are not defined alike on two servers.
func differences(ctx context.Context, source, target *backend.Conn, tables []Table) (faults []string, err error) {
	for i := range tables {
		t := &tables[i]
		want, err := definition(ctx, source, t)
		if err != nil {
			return nil, err
		}
		have, err := definition(ctx, target, t)
		if err != nil {
			return nil, err
		}
		if comparable(have) != comparable(want) {
			faults = append(faults, fmt.Sprintf("%s is not the same on the shards %s and %s (%s)", t, source.Shard(), target.Shard(), firstDifference(want, have)))
		}
	}
	return faults, nil
}

// firstDifference shows the first line that only one of two definitions has.
func firstDifference(a, b string) string {
	la, lb := strings.Split(comparable(a), "\n"), strings.Split(comparable(b), "\n")
	for i := range max(len(la), len(lb)) {
		x, y := "nothing", "nothing"
		if i < len(la) {
			x = strings.TrimSpace(la[i])
		}
		if i < len(lb) {
			y = strings.TrimSpace(lb[i])
		}
		if x != y {
			return fmt.Sprintf("%.120s against %.120s", x, y)
		}
	}
	return "their texts"
}
