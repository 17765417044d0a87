package integration

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// gatherColumn is a column of a kind that is hard to copy, with values of it.
type gatherColumn struct {
	only   string // "mariadb", "mysql" or both
	name   string
	typ    string
	values []string
}

// gatherColumns are all types, each with its corners. Values of generated columns follow.
var gatherColumns = []gatherColumn{
	{"", "ti", "TINYINT", []string{"-128", "0", "127"}},
	{"", "tu", "TINYINT UNSIGNED ZEROFILL", []string{"0", "7", "255"}},
	{"", "bo", "BOOLEAN", []string{"TRUE", "FALSE"}},
	{"", "bu", "BIGINT UNSIGNED", []string{"0", "18446744073709551615", "9223372036854775808"}},
	{"", "bg", "BIGINT", []string{"-9223372036854775808", "9223372036854775807"}},
	{"", "de", "DECIMAL(65,30)", []string{"-99999999999999999999999999999999999.999999999999999999999999999999", "0.000000000000000000000000000001", "0"}},
	{"", "dz", "DECIMAL(8,2) UNSIGNED ZEROFILL", []string{"0", "12.50"}},
	{"", "fl", "FLOAT", []string{"0.1", "3.4028235e38", "-1.17549435e-38", "16777217", "-0.0", "3.3333333"}},
	{"", "fm", "FLOAT(7,3)", []string{"1234.568", "-0.001"}},
	{"", "dd", "DOUBLE", []string{"0.1", "1.7976931348623157e308", "-2.2250738585072014e-308", "-0.0", "123456789012345680"}},
	{"", "dm", "DOUBLE(15,4)", []string{"12345678901.2345", "-0.5"}},
	{"", "b1", "BIT(1)", []string{"b'0'", "b'1'"}},
	{"", "b64", "BIT(64)", []string{"0xFFFFFFFFFFFFFFFF", "1", "0x8000000000000000"}},
	{"", "da", "DATE", []string{"'0000-00-00'", "'2024-02-31'", "'9999-12-31'", "'2024-00-10'"}},
	{"", "dt", "DATETIME(6)", []string{"'0000-00-00 00:00:00'", "'9999-12-31 23:59:59.999999'", "'2024-10-27 02:30:00.000001'"}},
	{"", "d0", "DATETIME", []string{"'2024-01-01 00:00:00'", "'1000-01-01 00:00:01'"}},
	{"", "t6", "TIME(6)", []string{"'-838:59:59.000000'", "'838:59:58.999999'", "'00:00:00'", "'-00:00:00.000001'"}},
	{"", "ts", "TIMESTAMP(3) NULL", []string{"'2024-10-27 00:30:00.125'", "'2024-10-27 01:30:00.125'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999'", "0"}},
	{"", "tn", "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", []string{"'2000-01-01 00:00:00'", "0"}},
	{"", "yr", "YEAR", []string{"0", "1901", "2155", "2069"}},
	{"", "ch", "CHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", []string{"'a  '", "'é'", "''", "'日本'"}},
	{"", "la", "VARCHAR(20) CHARACTER SET latin1", []string{"'é'", "x'80ff'", "'a'"}},
	{"", "u2", "VARCHAR(20) CHARACTER SET ucs2", []string{"'aé'", "'日'", "''"}},
	{"", "u16", "TEXT CHARACTER SET utf16", []string{"'😀'", "'a'"}},
	{"", "gb", "VARCHAR(20) CHARACTER SET gbk", []string{"x'bfa75c'", "'a'"}},
	{"", "sj", "VARCHAR(20) CHARACTER SET sjis", []string{"x'835c'", "'b'"}},
	{"", "vb", "VARBINARY(300)", []string{"x'00275c220a1aff'", "''", "x'8027'", "'\\\\'"}},
	{"", "bi", "BINARY(4)", []string{"x'00'", "'ab'"}},
	{"", "bl", "LONGBLOB", []string{"REPEAT(x'00ff27', 5000)", "''"}},
	{"", "tx", "MEDIUMTEXT CHARACTER SET utf8mb4", []string{"REPEAT('é''\\\\\"', 1000)", "''", "'\\n\\t\\0'"}},
	{"", "en", "ENUM('a','b''c','', 'é') CHARACTER SET utf8mb4", []string{"'a'", "'b''c'", "''", "'é'", "'wrong'"}},
	{"", "ez", "ENUM('x','y')", []string{"'x'", "'wrong'"}},
	{"", "st", "SET(" + setMembers() + ")", []string{"''", "'m1,m64'", "0xFFFFFFFFFFFFFFFF + 0"}},
	{"", "js", "JSON", []string{`'{"a": [1, 2.5, "é", null, true], "b": {"c": "d''e"}}'`, `'"x"'`, `'[]'`, `'1'`}},
	{"", "ge", "GEOMETRY", []string{"ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('LINESTRING(0 0,1 1.5)')"}},
	{"", "po", "POINT", []string{"ST_GeomFromText('POINT(-1.25 0.1)')"}},
	{"mariadb", "uu", "UUID", []string{"'01234567-89ab-cdef-0123-456789abcdef'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"}},
	{"mariadb", "i6", "INET6", []string{"'::1'", "'fe80::27:5c'"}},
	{"mariadb", "i4", "INET4", []string{"'1.2.3.4'"}},
	{"mysql", "ve", "VECTOR(2)", []string{"0x0000C03F000000C0"}},
	{"", "iv", "INT INVISIBLE", []string{"5", "-5"}},
}

func setMembers() string {
	var m []string
	for i := 1; i <= 64; i++ {
		m = append(m, fmt.Sprintf("'m%d'", i))
	}
	return strings.Join(m, ",")
}

// gatherTypes makes the table with a row for each value of each column, on both sides.
func gatherTypes(t *testing.T, w *world) {
	t.Helper()
	// The rows come from a key by rotation, so that columns with fewer values have them often.
	var defs, names []string
	var columns []gatherColumn
	longest := 0
	for _, c := range gatherColumns {
		if c.only == "" || c.only == w.flavor.String() {
			columns = append(columns, c)
			defs, names = append(defs, c.name+" "+c.typ), append(names, c.name)
			longest = max(longest, len(c.values))
		}
	}
	create := "CREATE TABLE ty (tenant_id BIGINT NOT NULL, n INT NOT NULL AUTO_INCREMENT, " + strings.Join(defs, ", ") +
		", g1 INT AS (tenant_id * 2) VIRTUAL, g2 VARCHAR(30) AS (CONCAT(la, '!')) STORED, " +
		"PRIMARY KEY (tenant_id), KEY (n), UNIQUE KEY g (tenant_id, g1), KEY (ch), CHECK (ti > -1000)) DEFAULT CHARSET=utf8mb4"
	sides := []*peer{w.connect(false, 0).sluice, w.connect(false, 0).one}
	for i, p := range sides {
		for _, sql := range []string{"SET sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone='+00:00'", create} {
			if r, err := p.text(sql); err != nil || r[0].err != nil {
				t.Fatalf("side %d: %.300s: %v %v", i, sql, err, r[0].err)
			}
		}
		for id := range 3*longest + 1 {
			row := []string{fmt.Sprint(id), fmt.Sprint(id * 3)}
			for j, c := range columns {
				v := "NULL"
				if k := (id + j) % (len(c.values) + 1); k < len(c.values) {
					v = c.values[k]
				} else if strings.Contains(c.typ, "NOT NULL") {
					v = c.values[0]
				}
				row = append(row, v)
			}
			sql := "INSERT INTO ty (tenant_id, n, " + strings.Join(names, ", ") + ") VALUES (" + strings.Join(row, ", ") + ")"
			if r, err := p.text(sql); err != nil || r[0].err != nil {
				t.Fatalf("side %d: %.500s: %v %v", i, sql, err, r[0].err)
			}
		}
	}
}

// TestGatherTypes: values of every type come to the home shard as they are, whatever the
// client's time zone, sql_mode and character set.
func TestGatherTypes(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		w := newWorld(t, flavor)
		gatherTypes(t, w)
		var hexed []string
		for _, c := range gatherColumns {
			if c.only != "" && c.only != flavor.String() {
				continue
			}
			switch {
			case strings.HasPrefix(c.typ, "GEOMETRY"), c.typ == "POINT":
				hexed = append(hexed, "ST_AsText(a."+c.name+")", "HEX(a."+c.name+")")
			case strings.HasPrefix(c.typ, "FLOAT"), strings.HasPrefix(c.typ, "DOUBLE"):
				hexed = append(hexed, "a."+c.name+"+0e0", "CAST(a."+c.name+" AS CHAR)")
			case c.typ == "JSON":
				hexed = append(hexed, "JSON_TYPE(a."+c.name+")", "JSON_LENGTH(a."+c.name+")")
			default:
				hexed = append(hexed, "a."+c.name, "HEX(a."+c.name+")")
			}
		}
		selects := []string{
			"SELECT a.* FROM ty a JOIN x ON x.id = a.tenant_id % 3",
			"SELECT a.*, a.iv FROM ty a JOIN x ON x.id = a.tenant_id % 3 AND x.id = 1",
			"SELECT " + strings.Join(hexed, ", ") + " FROM ty a JOIN x ON x.id = a.tenant_id % 3",
			"SELECT a.tenant_id, UNIX_TIMESTAMP(a.ts), UNIX_TIMESTAMP(a.tn) FROM ty a JOIN x ON x.id = a.tenant_id % 3",
			"SELECT COUNT(DISTINCT ch), COUNT(DISTINCT la), COUNT(DISTINCT u2), COUNT(DISTINCT en), COUNT(DISTINCT g2), COUNT(DISTINCT st) FROM ty",
			"SELECT b64, COUNT(*) FROM ty GROUP BY b64 HAVING COUNT(*) > 0",
			"SELECT a.tenant_id FROM ty a JOIN ty b ON a.ch = b.la WHERE a.d0 = '2024-01-01 00:00:00'",
			"SELECT a.tenant_id FROM ty a JOIN x ON x.id = a.tenant_id % 3 WHERE a.ts = '2024-10-27 02:30:00.125'",
			"SELECT ch, COUNT(*) FROM ty GROUP BY tenant_id % 1, ch WITH ROLLUP",
		}
		for _, setting := range []string{
			"SET time_zone='+00:00'",
			"SET time_zone='Europe/Berlin'",
			"SET NAMES latin1",
			"SET NAMES utf8mb4",
			"SET sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
			"SET sql_mode='PAD_CHAR_TO_FULL_LENGTH'",
			"SET sql_mode='', character_set_results=NULL",
			"SET max_error_count=0",
		} {
			for _, binary := range []bool{false, true} {
				p := w.connect(binary, 0)
				if o := p.run(&diffStatement{sql: setting, textOnly: true}); o.refused != "" || o.diff != "" {
					t.Logf("%s: %s %s", setting, o.refused, o.diff)
				}
				for _, sql := range selects {
					o := p.run(&diffStatement{sql: sql, how: comparison{quiet: true}})
					if o.refused != "" || o.diff != "" {
						t.Errorf("%s; %s (binary %v): %s%.1500s\n  one server:\n%.3000s  Sluice:\n%.3000s", setting, sql, binary, o.refused, o.diff, show(o.want), show(o.got))
					}
				}
				p.close()
			}
		}
	})
}
