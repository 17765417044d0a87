package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const typesTable = `CREATE TABLE types (
	t1 TINYINT, t1u TINYINT UNSIGNED, t1z TINYINT(3) UNSIGNED ZEROFILL,
	t2 SMALLINT, t2u SMALLINT UNSIGNED, t3 MEDIUMINT, t3u MEDIUMINT UNSIGNED,
	t4 INT, t4u INT UNSIGNED, t4z INT(8) ZEROFILL, t8 BIGINT, t8u BIGINT UNSIGNED, t8z BIGINT(20) ZEROFILL,
	f FLOAT, f2 FLOAT(10,2), d DOUBLE, d3 DOUBLE(12,3), dz DOUBLE(14,4) ZEROFILL, fz FLOAT ZEROFILL,
	n DECIMAL(20,5), nz DECIMAL(10,2) ZEROFILL,
	da DATE, dt DATETIME, dt6 DATETIME(6), dt2 DATETIME(2), ts TIMESTAMP NULL, ts3 TIMESTAMP(3) NULL,
	ti TIME, ti6 TIME(6), ti1 TIME(1), y YEAR, b1 BIT(1), b20 BIT(20),
	c CHAR(10), v VARCHAR(100), bi BINARY(4), vb VARBINARY(10), tt TINYTEXT, tx TEXT, mt MEDIUMTEXT, lt LONGTEXT,
	tb TINYBLOB, bl BLOB, e ENUM('a','b','é'), s SET('x','y','z'), j JSON, g GEOMETRY)`

// typesValues are the columns' values, by name; a column without gets NULL.
var typesValues = []map[string]string{
	{},
	{"t1": "-128", "t1u": "255", "t1z": "7", "t2": "-32768", "t2u": "65535", "t3": "-8388608", "t3u": "16777215", "t4": "-2147483648",
		"t4u": "4294967295", "t4z": "42", "t8": "-9223372036854775808", "t8u": "18446744073709551615", "t8z": "99",
		"f": "1.5", "f2": "-12345.678", "d": "0.1", "d3": "-1.2345", "dz": "12.5", "fz": "1.25", "n": "-12345.67891", "nz": "1.5",
		"da": "'2024-02-29'", "dt": "'2024-12-31 23:59:58'", "dt6": "'2024-01-01 00:00:00.000001'", "dt2": "'1000-01-01 00:00:00.99'",
		"ts": "'2024-06-01 12:00:00'", "ts3": "'2024-06-01 00:00:00.120'", "ti": "'-838:59:59'", "ti6": "'00:00:00.000123'", "ti1": "'100:00:00.5'",
		"y": "2024", "b1": "1", "b20": "b'10000000000000000001'", "c": "'ab'", "v": "'naïve'", "bi": "x'00ff'", "vb": "x'00fbfcfdfeff'",
		"tt": "''", "tx": "REPEAT('x', 300)", "mt": "REPEAT('y', 70000)", "lt": "'z'", "tb": "x'fb'", "bl": "REPEAT(x'fe', 252)",
		"e": "'é'", "s": "'x,z'", "j": `'{"a": [1, null]}'`, "g": "ST_GeomFromText('POINT(1 2)')"},
	{"t1": "0", "t1u": "0", "t1z": "0", "t4": "0", "t4z": "0", "t8z": "18446744073709551615", "f": "0", "d": "0", "dz": "0", "n": "0", "nz": "0",
		"da": "'0000-00-00'", "dt": "'0000-00-00 00:00:00'", "dt6": "'2024-01-01 00:00:00'", "ts": "'0000-00-00'", "ti": "'0:0:0'", "ti6": "'-00:00:01'",
		"ti1": "'23:59:59.9'", "y": "0", "b1": "0", "b20": "0", "c": "''", "e": "''", "s": "''"},
}

// doubles and floats are stored one a row: their text is where servers have rules.
var floatValues = []string{"1e15", "1e14", "123456789012345678", "1e16", "1e20", "-1e300", "1e-5", "1.5e-14", "1e-15", "1.7976931348623157e308",
	"2.2250738585072014e-308", "4.9e-324", "0.1", "1/3", "100", "-0.0", "12345.678901234567", "3.4e38", "1.17e-38", "16777217", "999999.5", "123456.7", "0.00001234567",
	"123456789012345", "1234567890123456", "999999999999999", "1e15+0.5", "1.0e-10", "-7.25", "33554432.5", "9007199254740993"}

// TestTypes compares the two protocols' forms of every type on real servers.
func TestTypes(t *testing.T) {
	eachServer(t, func(t *testing.T, addr string) {
		c := login(t, addr, NoCompression)
		execSQL(t, c, "SET sql_mode='', timestamp=1700000000.123456", "CREATE DATABASE IF NOT EXISTS wire_types", "USE wire_types", "DROP TABLE IF EXISTS types", typesTable)
		for _, row := range typesValues {
			names, values := []string{"t1"}, []string{"NULL"}
			for k, v := range row {
				if k == "t1" {
					values[0] = v
					continue
				}
				names, values = append(names, k), append(values, v)
			}
			execSQL(t, c, fmt.Sprintf("INSERT INTO types (%s) VALUES (%s)", strings.Join(names, ","), strings.Join(values, ",")))
		}
		for _, v := range floatValues {
			execSQL(t, c, "INSERT IGNORE INTO types (d, f, d3, f2, dz) VALUES ("+v+","+v+","+v+","+v+","+v+")")
		}
		compareProtocols(t, c, "SELECT * FROM types")
		compareProtocols(t, c, "SELECT 1, -1, 1.5, 1e0, 'a', NULL, x'41', CAST(1 AS UNSIGNED), 1/3, SUM(t4), AVG(d), MAX(dt6), COUNT(*) FROM types")
		compareProtocols(t, c, "SELECT d/3, f/3, f+0e0, SQRT(ABS(d)), NOW(), CURDATE(), CURTIME(3), NOW(4), CAST('12:00' AS TIME), DATE_ADD(da, INTERVAL 1 DAY) FROM types")
		compareProtocols(t, c, "SHOW FULL COLUMNS FROM types")
		compareProtocols(t, c, "SELECT y, SEC_TO_TIME(90.5), TIMEDIFF(dt6, dt), IF(t1, dt, da), CASE WHEN t1 THEN 1.5 ELSE d END, COALESCE(f, t8u) FROM types")
		execSQL(t, c, "DROP TABLE types")
	})
}

// compareProtocols runs a query both ways and converts each answer into the other.
func compareProtocols(t *testing.T, c *Conn, sql string) {
	t.Helper()
	cols, rows, err := rowsOf(t, c, ComQuery, []byte(sql))
	must(t, err)
	text := splitAll(t, cols, rows, false)
	p, _, _ := prepare(t, c, sql)
	bcols, brows, err := rowsOf(t, c, ComStmtExecute, AppendExecute(nil, &Execute{ID: p.ID}))
	must(t, err)
	bin := splitAll(t, bcols, brows, true)
	if len(text) != len(bin) || len(text) == 0 {
		t.Fatalf("%s: %d rows of text, %d binary", sql, len(text), len(bin))
	}
	for r := range text {
		if got := AppendTextRow(nil, text[r]); !bytes.Equal(got, rows[r]) {
			t.Errorf("%s: text row %d changes when it is put together again", sql, r)
		}
		if got := AppendBinaryRow(nil, bin[r], bcols); !bytes.Equal(got, brows[r]) {
			t.Errorf("%s: binary row %d changes when it is put together again", sql, r)
		}
		for i := range bcols {
			compareValue(t, fmt.Sprintf("%.40s: row %d, %s (type %d, decimals %d)", sql, r, bcols[i].Name, bcols[i].Type, bcols[i].Decimals),
				&bcols[i], text[r][i], bin[r][i])
		}
	}
}

func compareValue(t *testing.T, what string, col *Column, text, bin []byte) {
	t.Helper()
	if text == nil || bin == nil {
		if text != nil || bin != nil {
			t.Errorf("%s: NULL in one protocol only", what)
		}
		return
	}
	got, err := BinaryToText(nil, bin, col)
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%s: binary %.60x gives %.60q, the server says %.60q (%v)", what, bin, got, text, err)
	}
	back, err := TextToBinary(nil, text, col)
	if err != nil {
		t.Errorf("%s: text %.60q: %v", what, text, err)
		return
	}
	if exact := col.Type != TypeFloat && col.Type != TypeDouble || col.Decimals >= NotFixedDecimals && col.Type == TypeDouble; exact && !bytes.Equal(back, bin) {
		if !(col.Type == TypeDouble && isZero(back) && isZero(bin)) {
			t.Errorf("%s: text %.60q gives %.60x, the server says %.60x", what, text, back, bin)
		}
	}
}

// isZero says that a double is 0 or -0, which have one text.
func isZero(b []byte) bool { return len(b) == 8 && intBits(b)<<1 == 0 }
