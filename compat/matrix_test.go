package compat

import (
	"database/sql"
	"strings"
	"sync"
	"testing"
)

// result is one line of the matrix.
type result struct {
	Client, Server, Mode, What string
	Passed, Of                 int
}

type results struct {
	mu   sync.Mutex
	seen []result
}

var matrix results

func (r *results) record(t *testing.T, one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, one)
}

func (r *results) write() int { return 0 }

// queryRows gives a result as text, values separated by tabs; NULL is "NULL".
func queryRows(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	r, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer r.Close()
	cols, err := r.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		values, to := make([]sql.NullString, len(cols)), make([]any, len(cols))
		for i := range values {
			to[i] = &values[i]
		}
		if err := r.Scan(to...); err != nil {
			t.Fatal(err)
		}
		text := make([]string, len(cols))
		for i, v := range values {
			if text[i] = v.String; !v.Valid {
				text[i] = "NULL"
			}
		}
		out = append(out, strings.Join(text, "\t"))
	}
	if err := r.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}
