package router

import (
	"bytes"
	"slices"
)

// setVars gives the variables, in lower case, that optimizer hints set for the statement: /*+ SET_VAR(name=value) */ of
// MySQL; for MariaDB that is a comment. A fingerprint has the hints of its texts.
func setVars(in *Input) (names []string) {
	if in.Mode.MariaDB || !bytes.Contains(in.Scan.Fingerprint, []byte("/*+")) {
		return nil
	}
	rest := bytes.ToLower(in.Scan.Fingerprint)
	for {
		_, after, ok := bytes.Cut(rest, []byte("set_var"))
		if !ok {
			return names
		}
		rest = bytes.TrimLeft(after, " \t\r\n(`")
		end := bytes.IndexFunc(rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' })
		if end > 0 {
			names = append(names, string(rest[:end]))
		}
	}
}

// limitsEach refuses to merge a SELECT under a hint that means all of it, and each shard's part in another way.
func (m grouper) limitsEach() error {
	for _, name := range setVars(m.in) {
		if name == "sql_select_limit" || name == "max_sort_length" {
			return notOverShards("a SELECT under the hint SET_VAR("+name+"=…)", "SET SESSION "+name)
		}
	}
	return nil
}

// givesIDs refuses hints that say which ids a row gets, where Sluice gives them.
func givesIDs(p *planner) error {
	if p.plan.Sequence() == "" {
		return nil
	}
	for _, name := range setVars(p.in) {
		if slices.Contains([]string{"sql_mode", "auto_increment_increment", "auto_increment_offset", "insert_id"}, name) {
			return unsupported("an INSERT whose ids come from a sequence, under the hint SET_VAR(%s=…); SET SESSION %[1]s instead", name)
		}
	}
	return nil
}
