package mover

import (
	"context"
	"fmt"
	"testing"
)

func TestIsDecimal(t *testing.T) {
	for text, want := range map[string]bool{
		"1.50": true, "1.5": false, "0.00": true, "0.0": false, "-0.0": false, "1.0": false, "18446744073709551615": false, "18446744073709551616": true,
		"-9223372036854775808": false, "-9223372036854775809": true, "1e22": false, "1.7976931348623157e308": false, "12345678901234567890.123": true, "0.1": false,
		"0.10000000000000001": true, "0.0000001": false, "0.000000000000001": true, "999999999999999.0": false, "1000000000000000.0": true, "123456789012345.6": false,
	} {
		if got := isDecimal([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if got := fmt.Sprint(decimals([]byte(`{"a": [1, {"b\"ü": 1.50}, "2.50", [2.500]], "": 3.10, "c": {"d": {}}, "e": 1.5}`))); got != `[{$."a"[1]."b\"ü" 1.50} {$."a"[3][0] 2.500} {$."" 3.10}]` {
		t.Error(got)
	}
}

// TestDecimalsInDocuments: documents that hold DECIMALs, dates and other values that their
// text does not show read the same at the target, and no comparison finds them different.
func TestDecimalsInDocuments(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.src.Exec("CREATE TABLE app.t (id BIGINT PRIMARY KEY, j JSON) CHARACTER SET utf8mb4")
		values := []string{"JSON_OBJECT('d', CAST(1.50 AS DECIMAL(5,2)), 'x', 15e-1)", "JSON_OBJECT('n', 12345678901234567890.12345678901234567890)", "JSON_ARRAY(0.00, -7.10, 1e300, 0.1e0, 3, 18446744073709551616)",
			"JSON_OBJECT('a', NOW(6), 'b', CURDATE(), 'c', CAST('10:11:12.5' AS TIME(3)))", "JSON_OBJECT('😀\"\\\\', JSON_ARRAY('ü', JSON_OBJECT('', 2.50)))", "'{\"a\": 1.10, \"b\": \"1.10\"}'", "NULL", "'2.50'",
			"JSON_OBJECT('e', 1e15, 'f', 1e-15, 'g', 123456789012345e0, 'h', 1e-14, 'i', -0e0, 'k', 1.7976931348623157e308)", "JSON_ARRAY(CAST(1.0 AS DECIMAL(30,29)), 99999999999999999999999999999999999.999999999999999999999999999999)"}
		if w.src.Value("SELECT VERSION() LIKE '%MariaDB%'") == "0" {
			values = append(values, "CAST(2.50 AS JSON)", "CAST(JSON_ARRAY(X'00ff', b'101') AS JSON)")
		}
		for i := range 20 {
			for j, v := range values {
				w.src.Exec(fmt.Sprintf("INSERT INTO app.t VALUES (%d, %s)", 100*i+j, v))
			}
		}
		r := w.run(must(t, New(w.options(half, Table{Schema: "app", Name: "t", Key: "id"}))))
		r.copied(t)
		w.src.Exec("UPDATE app.t SET j = JSON_SET(j, '$.later', CAST(9.90 AS DECIMAL(4,2))) WHERE id % 100 = 1")
		r.drain(t)
		report, err := r.Verify(context.Background())
		if err != nil || report.Differing != 0 || report.Rows < 50 {
			t.Errorf("%+v, %v", report, err)
		}
		if n := w.same("t", Within("MOD(CRC32(id),16384)", half)); n < 50 {
			t.Errorf("%d rows", n)
		}
		if w.src.Value("SELECT VERSION() LIKE '%MariaDB%'") == "1" {
			return
		}
		types := "SELECT GROUP_CONCAT(CONCAT(JSON_TYPE(JSON_EXTRACT(j, '$.d')), JSON_TYPE(JSON_EXTRACT(j, '$.x'))) ORDER BY id) FROM app.t WHERE id % 100 = 0 AND " + Within("MOD(CRC32(id),16384)", half)
		if a, b := w.src.Value(types), w.dst.Value(types); a != b || a == "" {
			t.Errorf("types %s, want %s", b, a)
		}
	})
}
