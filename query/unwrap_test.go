package query

import "testing"

func TestUnwrap(t *testing.T) {
	mode := Mode{MariaDB: true, ServerVersion: 101100}
	for _, c := range []struct{ in, want string }{
		{"SELECT 1", "SELECT 1"},
		{"SELECT /*! STRAIGHT_JOIN */ 1 /* a */", "SELECT   STRAIGHT_JOIN   1 /* a */"},
		{"SELECT /*!40000 a*/,'/*! b */',/*!99999 no */c", "SELECT   a ,'/*! b */',/*!99999 no */c"},
		{"/*sluice: primary*/ SELECT /*M!100000 1 */", "/*sluice: primary*/ SELECT   1  "},
	} {
		if got, ok := Unwrap([]byte(c.in), mode); !ok || string(got) != c.want {
			t.Errorf("%s: %v %q, want %q", c.in, ok, got, c.want)
		}
	}
	if _, ok := Unwrap([]byte("SELECT /*! 1"), mode); ok {
		t.Error("an open comment is taken")
	}
}
