package mover

import (
	"sluice/shard"
	"testing"
)

// everyType has each kind of column that servers of a kind have.
func everyType(w *world) string {
	if w.src.Flavor.String() == "mysql" {
		return "j JSON, v INT AS (i DIV 2) VIRTUAL, st VARCHAR(80) AS (CONCAT('g',i)) STORED, hidden INT DEFAULT 3 INVISIBLE"
	}
	return "j JSON, v INT AS (i DIV 2) VIRTUAL, st VARCHAR(80) AS (CONCAT('g',i)) STORED, hidden INT DEFAULT 3 INVISIBLE, uid UUID, ip INET6"
}

const typedColumns = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, user_id BIGINT NOT NULL, i INT, big BIGINT UNSIGNED, z INT(8) UNSIGNED ZEROFILL, " +
	"d DECIMAL(40,12), d2 DECIMAL(5,5), f FLOAT, db DOUBLE, b BIT(37), b1 BIT(1), e ENUM('a','b','','c'), s SET('x','y','z'), " +
	"c CHAR(10), c1 VARCHAR(200) CHARACTER SET latin1, c4 VARCHAR(200), bin BINARY(8), vb VARBINARY(300), t TEXT, bl LONGBLOB, " +
	"dt DATETIME(6), ts TIMESTAMP(3) NULL, da DATE, ti TIME(4), y YEAR, g GEOMETRY, "

func (w *world) createTyped(name string) {
	w.src.Exec("CREATE TABLE app." + name + " (" + typedColumns + everyType(w) + ", PRIMARY KEY (id)) CHARACTER SET utf8mb4")
}

// oddRows are values at the edges of their types.
var oddRows = []string{
	"user_id=1",
	"user_id=2, i=-2147483648, big=18446744073709551615, z=7, d=-12345678901234567890.123456789012, d2=-0.00001, f=0.12345679, db=1e308, b=b'1010101', b1=1, e='c', s='x,z', " +
		"c='äö ü', c1='äöü', c4='日本語😀\\'\"\\\\\\n\\0x', bin='ab', vb=0x00FF27, t='', bl=0x00, dt='2020-02-29 23:59:59.123456', ts='2021-03-28 02:30:00.5', da='1000-01-01', ti='-838:59:59', y=1901, g=ST_GeomFromText('POINT(1 2)'), j='{\"a\": [1, 2.5, null]}'",
	"user_id=3, f=16777217, db=-0e0, e='', s='', c='', c1='', c4=' x ', bin='', vb='', t=REPEAT('x\\0',40000), bl=REPEAT(0xFF27005C,100000), dt='0000-00-00 00:00:00', ts='1970-01-01 01:00:01', da='0000-00-00', ti='00:00:00.0001', y=0",
	"user_id=4, f=-0e0, db=0.1, d=0.000000000001, d2=0.5, b=0, c4=REPEAT('😀',200), dt='9999-12-31 23:59:59.999999', ts='2038-01-19 03:14:07.999', y=2155, j='[]'",
	"user_id=5, dt='2020-00-31', da='2020-02-31', c1='\\'', vb='\\\\', j='\"\\\\u00e4\"'",
	"user_id=6, f=3.4028235e38, db=5e-324, i=0, big=0, c4='Ａ', ti='838:59:59'",
}

// TestEveryType copies rows with every type of column, as they are.
func TestEveryType(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.createTyped("typed")
		for _, set := range oddRows {
			w.src.Exec("SET NAMES utf8mb4, time_zone='+01:00', sql_mode='ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'; INSERT INTO app.typed SET " + set)
		}
		if w.src.Flavor.String() == "mariadb" {
			w.src.Exec("UPDATE app.typed SET uid='123e4567-e89b-12d3-a456-426655440000', ip='2001:db8::ff00:42:8329' WHERE user_id=2")
		}
		w.src.Exec("SET sql_mode='NO_AUTO_VALUE_ON_ZERO'; INSERT INTO app.typed (id, user_id) VALUES (0, 9)")
		m := must(t, New(w.options([]shard.Span{{First: 0, Last: 16383}}, Table{Schema: "app", Name: "typed", Key: "user_id"})))
		r := w.run(m)
		r.copied(t)
		r.drain(t)
		if n := w.same("typed", "TRUE"); n != len(oddRows)+1 {
			t.Errorf("%d rows", n)
		}
		// And once more through the stream.
		w.src.Exec("UPDATE app.typed SET hidden = 4")
		r.drain(t)
		w.same("typed", "TRUE")
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
