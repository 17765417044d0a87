package session

import (
	"regexp"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/query"
	"sluice/wire"
)

// grant is a line of SHOW GRANTS about a schema, or all: a table's say nothing of the others.
var grant = regexp.MustCompile("^(GRANT|REVOKE) (.*?) ON [`\"]?(.*?)[`\"]?\\.\\* (?:TO|FROM) (\\S+)")

// may asks whether the connection's account has a privilege on all of a schema: information_schema leaves out, without a word,
// triggers of tables for which it has no TRIGGER, and programs that it may not EXECUTE. What the connection may in its current
// schema it keeps from when it went there, whatever was granted since, so that it goes there again.
func (p systems) may(c *backend.Conn, privilege, schema string) (bool, error) {
	if schema == p.state.schema {
		if err := p.enterAgain(c); err != nil {
			return false, err
		}
	}
	lines, all, err := grantsOf(c)
	return all || granted(lines, privilege, schema), err
}

// grantsOf gives the lines of SHOW GRANTS of a connection's account. all: the server has no grant tables, and no rights either.
func grantsOf(c *backend.Conn) (lines []string, all bool, err error) {
	rows, err := textRows(c, "SHOW GRANTS")
	if wire.IsCode(err, 1290) {
		return nil, true, nil
	}
	for _, r := range rows {
		lines = append(lines, r[0])
	}
	return lines, false, err
}

func (p systems) enterAgain(c *backend.Conn) error {
	if _, err := c.Exec("USE " + string(query.QuoteName(nil, p.state.schema))); err != nil {
		return err
	}
	if collation := p.state.vars.values[schemaCollation]; collation != "" {
		_, err := c.Exec("SET " + schemaCollation + "=" + collation)
		return err
	}
	return nil
}

// granted tells whether lines of SHOW GRANTS give a privilege on all of a schema. Of several patterns that are the schema's its own
// name decides; where it is not there, another one does for a server, and here it has to be in all of them.
func granted(lines []string, privilege, schema string) bool {
	type rights struct{ all, taken, some, less, named, exact bool }
	of := map[string]rights{} // by who has them: the account, or a role
	for _, line := range lines {
		m := grant.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		r, has := of[m[4]], slices.ContainsFunc(strings.Split(m[2], ", "), func(p string) bool { return p == privilege || p == "ALL PRIVILEGES" || p == "ALL" })
		switch {
		case m[3] != "*" && !likes(m[3], schema):
		case m[1] == "REVOKE":
			r.taken = r.taken || has
		case m[3] == "*":
			r.all = r.all || has
		case exactly(m[3], schema):
			r.named, r.exact = true, r.exact || has
		default:
			r.some, r.less = r.some || has, r.less || !has
		}
		of[m[4]] = r
	}
	for _, r := range of {
		if r.all && !r.taken || r.exact || !r.named && r.some && !r.less {
			return true
		}
	}
	return false
}

// exactly tells whether a pattern of a GRANT is a schema's name and nothing else.
func exactly(pattern, schema string) bool {
	plain := strings.NewReplacer(`\_`, "", `\%`, "").Replace(pattern)
	return !strings.ContainsAny(plain, "_%") && likes(pattern, schema)
}

// likes tells whether a pattern of a GRANT is a schema's: % and _ as in LIKE.
func likes(pattern, schema string) bool {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteByte('.')
		case c == '\\' && i+1 < len(pattern):
			i++
			fallthrough
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	is, err := regexp.MatchString("(?is)^"+b.String()+"$", schema)
	return err == nil && is
}
