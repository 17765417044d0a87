package admin

import (
	"maps"
	"strings"
	"testing"
)

// TestMatch: optional parts that stand together come in any order, each once; the others where they stand.
func TestMatch(t *testing.T) {
	const syntax = "LIMIT <user> [CONCURRENCY <n>] [TIME <time>] [ROWS <rows>] TO <shard> [AUTO]"
	for in, want := range map[string]map[string]string{
		"LIMIT a TO s":                            {"user": "a", "shard": "s", "LIMIT": "LIMIT", "TO": "TO"},
		"LIMIT a TIME 1s TO s AUTO":               {"user": "a", "shard": "s", "LIMIT": "LIMIT", "TO": "TO", "TIME": "TIME", "time": "1s", "AUTO": "AUTO"},
		"LIMIT a ROWS 5 CONCURRENCY 2 TO s":       {"user": "a", "shard": "s", "LIMIT": "LIMIT", "TO": "TO", "ROWS": "ROWS", "rows": "5", "CONCURRENCY": "CONCURRENCY", "n": "2"},
		"LIMIT a ROWS 5 TIME 1s CONCURRENCY 2 TO": nil,
		"LIMIT a ROWS 5 ROWS 6 TO s":              nil,
		"LIMIT a TO s ROWS 5":                     nil,
	} {
		args := map[string]string{}
		if ok := match(parseSyntax(syntax), strings.Fields(in), args); ok != (want != nil) || ok && !maps.Equal(args, want) {
			t.Errorf("%s: %v, %v", in, ok, args)
		}
	}
}
