package session

import (
	"slices"

	"sluice/backend"
	"sluice/exec"
	"sluice/router"
)

// called settles what a CALL, or a compound statement, has done to the session.
type called struct{ *settling }

// keepFound keeps what FOUND_ROWS() is then.
func (s called) keepFound(e *entry, out *exec.Outcome) {
	if e.plan.Runs == nil {
		return
	}
	switch e.plan.Runs.Found {
	case router.FoundThere:
		s.answers.found, s.answers.unsure = s.askNumber(out, "SELECT FOUND_ROWS()", s.answers.found), false
	case router.FoundUnknown:
		s.answers.unsure = true
	}
}

// brokenOff keeps what it has done to the session's answers before it failed.
func (s called) brokenOff(e *entry, out *exec.Outcome) {
	if e.plan.Runs == nil || len(s.held.list) == 0 {
		return
	}
	s.answers.unsure = s.answers.unsure || e.plan.Runs.Found != router.FoundBefore
	if s.held.preset {
		s.answers.insertID = s.askNumber(out, "SELECT LAST_INSERT_ID()", s.answers.insertID)
	}
}

// keepSettings takes over what programs have set of the server's variables, from the connection that has it. Where that is
// not possible the session ends.
func (s called) keepSettings(e *entry, out *exec.Outcome) {
	names, some := s.set(e.plan)
	l := s.atHome(out)
	if len(names) == 0 && !some || l == nil || !l.done || !l.ok || l.kind == fromApart {
		return
	}
	changes, err := s.values(l.conn, names, some)
	if err == nil {
		err = checkSettings(changes)
	}
	if err == nil && len(changes) > 0 {
		set, before := setter{core: s.core, held: s.held, reply: s.reply}, s.state.vars
		if _, ok := changes["innodb_lock_wait_timeout"]; ok {
			s.kept.tx.Unbound(l.shard)
		}
		set.carry(changes)
		err = set.adopt(l.conn, before)
	}
	if err != nil {
		s.h.log.Warn("what a stored program has set could not be taken over", "connection", s.c.ID, "error", err)
		l.ok, s.kept.gone = false, true
	}
}

// set names the variables that programs may have set. some: there may be others.
func (s called) set(p *router.Plan) (names []string, some bool) {
	set := setter{core: s.core}
	for _, c := range [...]*router.Called{p.Called, p.Runs} {
		if c == nil || !c.Settings && !(c == p.Runs && c.RunsTexts()) {
			continue
		}
		some = some || len(c.Sets) == 0 || c.RunsTexts()
		for _, v := range c.Sets {
			as := set.readBack(v.Name)
			if v.Name == "names" {
				as = charsetVariables
			}
			for _, name := range as {
				if s.h.vars[name] != fixed && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names, some
}

// charsetVariables are those of SET NAMES.
var charsetVariables = []string{"character_set_client", "character_set_results", "collation_connection"}

// usual are variables of all servers that a text is likely to set.
var usual = append([]string{"autocommit", "sql_mode", "time_zone", "foreign_key_checks", "unique_checks", "sql_safe_updates", "sql_select_limit",
	"group_concat_max_len", "div_precision_increment", "default_week_format", "lc_time_names", "innodb_lock_wait_timeout", "lock_wait_timeout",
	"max_sort_length"}, charsetVariables...)

// values gives what the session does not have of variables on a connection.
func (s called) values(c *backend.Conn, names []string, some bool) (map[string]string, error) {
	d := &s.h.defaults
	all := append(slices.Concat(names, usual), d.isolationVar(), d.readOnlyVar())
	if !some {
		all = names
	}
	slices.Sort(all)
	changes, err := readVariables(c, slices.Compact(all))
	if err != nil && inOrder(err) { // a name is none, or a late KILL QUERY
		changes, err = readVariables(c, append(slices.Clone(usual), d.isolationVar(), d.readOnlyVar()))
	}
	for name, value := range changes {
		bound := name == "innodb_lock_wait_timeout" && s.kept.tx.Several() && !slices.Contains(names, name) // Sluice's own
		if bound || s.state.vars.values[name] == value {
			delete(changes, name)
		}
	}
	if changes["character_set_results"] != "" {
		changes[resultsCollation] = ""
	}
	return changes, err
}
