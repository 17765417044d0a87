package router

import (
	"slices"
	"strings"

	"sluice/query"
	"sluice/shard"
)

// createTable plans CREATE TABLE. The new table is the first of the statement.
func (p creator) createTable() error {
	if len(p.tables) == 0 {
		return unsupported("CREATE TABLE without a name")
	}
	t := &p.tables[0]
	if t.system {
		return p.deniedSchema(t.schema)
	}
	if p.stmt.Temporary {
		return p.temporaryTable()
	}
	rule := t.rule
	declared, err := p.likeRule(t)
	if declared == nil && err == nil {
		declared, err = p.autoKey(t)
	}
	if err != nil {
		return err
	}
	if declared != nil {
		rule = *declared
	}
	if rule.Kind != shard.Unsharded {
		if err := whileMoving(p.planner, t.name()); err != nil {
			return err
		}
		p.plan.sharded = true
	}
	if in, err := p.inSteps(t, rule); in || err != nil {
		return err
	}
	switch rule.Kind {
	case shard.Unsharded:
		return p.unshardedDDL()
	case shard.Sharded:
		if err := p.checkKey(t, rule); err != nil {
			return err
		}
	}
	if err := referring(p).foreignKeys(t.schema, rule); err != nil {
		return err
	}
	if declared != nil {
		if err := shard.CheckObject(declared.Name); err != nil {
			return refuse(1235, "42000", "the table cannot be sharded: %v", err)
		}
		p.plan.Declares, p.plan.declareSchema = declared, t.schema
	} else if t.rule.Auto != 0 { // which may go with its table at this moment, at another proxy
		p.plan.Declares, p.plan.declareSchema, p.plan.declared = &rule, t.schema, true
	}
	p.plan.Table = t.name()
	if p.stmt.OrReplace {
		p.plan.drops = []string{t.name()}
	}
	p.everywhere()
	return nil
}

// likeRule gives a table without a rule that of the table of its schema which it is made like: tools that change a schema beside
// its use put it in the place of that one. One that is there from such a statement stays as it is.
func (p creator) likeRule(t *table) (*shard.Table, error) {
	s := p.in.Map.Schema(t.schema)
	if p.stmt.CreateLike == nil || p.stmt.CreateSelect || t.rule.Auto == 0 && hasRule(s, t.rule.Name) {
		return nil, nil
	}
	like, err := p.tableOf(p.stmt.CreateLike)
	if err != nil || like.system || like.unsharded() || like.schema != t.schema {
		return nil, err
	}
	rule := like.rule
	rule.Name, rule.Auto = t.rule.Name, 0
	if t.rule.Auto != 0 && !t.rule.SameRule(rule) {
		return nil, nil
	}
	return &rule, nil
}

// autoKey gives the rule of a table that has one of the schema's auto_shard_key columns
// and no rule of its own. One that such a CREATE TABLE has made before stays as it is where this
// one makes another: the table may be there.
func (p creator) autoKey(t *table) (*shard.Table, error) {
	s := p.in.Map.Schema(t.schema)
	if len(s.AutoShardKey) == 0 || t.rule.Auto == 0 && hasRule(s, t.rule.Name) {
		return nil, nil
	}
	rule, err := p.ruleByColumns(t, s)
	if rule != nil && t.rule.Auto != 0 && !t.rule.SameRule(*rule) {
		return nil, nil
	}
	return rule, err
}

func (p creator) ruleByColumns(t *table, s *shard.Schema) (*shard.Table, error) {
	like, err := p.likeColumns()
	if err != nil {
		return nil, err
	}
	for _, key := range s.AutoShardKey {
		for i := range p.stmt.ColumnDefs {
			if strings.EqualFold(p.stmt.ColumnDefs[i].Name, key) {
				return &shard.Table{Name: t.rule.Name, Kind: shard.Sharded, ShardKey: p.stmt.ColumnDefs[i].Name, Sequence: p.autoIncrement()}, nil
			}
		}
		if like != nil && like.Index(key) >= 0 {
			rule := &shard.Table{Name: t.rule.Name, Kind: shard.Sharded, ShardKey: like.Columns[like.Index(key)].Name}
			for i := range like.Columns {
				if like.Columns[i].Flags&flagAutoIncrement != 0 {
					rule.Sequence = like.Columns[i].Name
				}
			}
			return rule, nil
		}
	}
	return nil, nil
}

func (p creator) autoIncrement() string {
	for i := range p.stmt.ColumnDefs {
		if p.stmt.ColumnDefs[i].AutoIncrement {
			return p.stmt.ColumnDefs[i].Name
		}
	}
	return ""
}

// likeColumns gives the columns of the table after LIKE.
func (p creator) likeColumns() (*shard.TableInfo, error) {
	if p.stmt.CreateLike == nil {
		return nil, nil
	}
	t, err := p.tableOf(p.stmt.CreateLike)
	if err != nil {
		return nil, err
	}
	info := p.in.Catalog.Table(t.schema, t.rule.Name)
	if info == nil {
		return nil, &NeedTable{t.schema, t.rule.Name}
	}
	return info, nil
}

// checkKey holds the new table's shard key against what a key can be.
func (p creator) checkKey(t *table, rule shard.Table) error {
	if p.stmt.CreateLike != nil {
		return p.checkLikeKey(t, rule)
	}
	for i := range p.stmt.ColumnDefs {
		c := &p.stmt.ColumnDefs[i]
		if !strings.EqualFold(c.Name, rule.ShardKey) {
			continue
		}
		why, mend := keyDefinition(c, p.stmt.TableCharset, p.stmt.TableCollate)
		if why == "" {
			why, mend = p.keyAttributes(c.Name), "BIGINT NOT NULL"
		}
		if why != "" {
			return refuse(1105, "HY000", "the shard key %s of %s %s; declare it as %s", rule.ShardKey, t.name(), why, mend)
		}
		return nil
	}
	return refuse(1105, "HY000", "%s has no column %s, which is its shard key; add the column, or change the table's rule", t.name(), rule.ShardKey)
}

// keyAttributes says why the attributes of a column of CREATE TABLE make it no shard key.
func (p creator) keyAttributes(column string) string {
	for i, w := range p.words {
		if before := p.words.at(i - 1); before != "(" && before != "," || !strings.EqualFold(unquoted(w), column) {
			continue
		}
		depth := 0
		for _, a := range p.words[i+1:] {
			switch a {
			case "(":
				depth++
			case ")":
				depth--
			case "zerofill":
				return isZerofill
			case "as", "generated":
				if depth == 0 {
					return isGenerated
				}
			}
			if depth < 0 || a == "," && depth == 0 {
				break
			}
		}
	}
	return ""
}

func (p creator) checkLikeKey(t *table, rule shard.Table) error {
	info, err := p.likeColumns()
	if err != nil {
		return err
	}
	i := info.Index(rule.ShardKey)
	if i < 0 {
		return refuse(1105, "HY000", "%s has no column %s, which is its shard key; write its columns out", t.name(), rule.ShardKey)
	}
	if _, why := keyTypeOf(&info.Columns[i]); why != "" {
		return badKey(t.schema, t.rule.Name, rule.ShardKey, why)
	}
	return nil
}

// keyDefinition says why a column of CREATE TABLE cannot be a shard key, and what can.
func keyDefinition(c *query.ColumnDef, tableCharset, tableCollate string) (why, mend string) {
	const text = "VARCHAR(…) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
	switch t := strings.ToLower(c.Type); {
	case isIntegerType(t), t == "binary", t == "varbinary", t == "serial":
		return "", ""
	case t == "char" || t == "varchar" || t == "character" || t == "nchar" || t == "nvarchar":
		collate, charset := c.Collate, c.Charset
		if collate == "" && charset == "" {
			collate, charset = tableCollate, tableCharset
		}
		if charset == "" {
			charset, _, _ = strings.Cut(collate, "_")
		}
		switch {
		case charset != "" && !hasBin(charset):
			return "is a string of the character set " + charset + ", which a shard key cannot have", text
		case c.Binary || strings.HasSuffix(strings.ToLower(collate), "_bin") || strings.EqualFold(charset, "binary"):
			return "", ""
		}
		return "is a string whose collation is not a _bin one, so that different texts can be equal", text
	}
	return "is of type " + c.Type, "BIGINT NOT NULL, or " + text
}

// columnsOfSession refuses definitions of columns that ask who is there: a shard knows Sluice's account and its connection.
func columnsOfSession(p *planner) error {
	w := p.words
	if verb := verbOf(w); verb != "create" && verb != "alter" || definedBy(w) != "" {
		return nil
	}
	if i := slices.Index(w, "select"); i >= 0 { // of CREATE TABLE … SELECT, which is given values
		w = w[:i]
	}
	for i, s := range w {
		switch s {
		case "user", "session_user", "system_user", "connection_id":
			if w.at(i+1) != "(" || w.at(i+2) != ")" {
				continue
			}
		case "current_user":
		default:
			continue
		}
		return unsupported("%s() in the definition of a table would be that of Sluice's own connection to the shard; leave it out, and let the application write the value", strings.ToUpper(s))
	}
	return nil
}
