package session

import (
	"context"
	"strings"

	"sluice/query"
)

// mayBeSetForOne are the variables that SET STATEMENT … FOR (MariaDB Knowledge Base, "SET
// STATEMENT") may set here: limits, buffers, choices of the optimizer, checks. Others change how
// texts and answers are read, or cannot be set that way on a server either.
func mayBeSetForOne(name string) bool {
	switch name {
	case "max_statement_time", "lock_wait_timeout", "innodb_lock_wait_timeout", "foreign_key_checks", "unique_checks", "check_constraint_checks",
		"sql_select_limit", "group_concat_max_len", "div_precision_increment", "max_sort_length", "max_length_for_sort_data", "max_seeks_for_key",
		"max_recursive_iterations", "optimizer_switch", "optimizer_search_depth", "optimizer_prune_level", "optimizer_use_condition_selectivity",
		"use_stat_tables", "sort_buffer_size", "join_buffer_size", "read_buffer_size", "read_rnd_buffer_size", "tmp_table_size",
		"max_heap_table_size", "bulk_insert_buffer_size", "long_query_time", "log_slow_verbosity":
		return true
	}
	return false
}

// setForOne carries out SET STATEMENT … FOR.
type setForOne struct{ *Session }

// run runs the statement within: the variables are the session's while the
// statement within runs, as any other, and then have the values again that they had.
func (s setForOne) run(ctx context.Context, st *statement, stmt *query.Statement) error {
	if st.exec != nil || st.binary {
		return notBuilt("SET STATEMENT … FOR as a prepared statement; send it as text")
	}
	inner, err := s.planner.reworded(st, stmt.Inner.Of(st.sql))
	if err != nil {
		return err
	}
	switch within := s.h.analyzer.Analyze(inner.sql, inner.scan, s.state.mode); within.Kind {
	case query.Select, query.Values, query.Show, query.Explain, query.Insert, query.Replace, query.Update, query.Delete,
		query.CreateTable, query.AlterTable, query.DropTable, query.TruncateTable, query.RenameTable, query.CreateIndex, query.DropIndex:
	default:
		return notBuilt("SET STATEMENT … FOR %s; SET the variables for the session, and back", strings.ToUpper(within.Verb))
	}
	p := &setPlan{plain: true}
	for i := range stmt.Sets {
		if name := stmt.Sets[i].Name; !mayBeSetForOne(name) {
			return notBuilt("SET STATEMENT of %s; SET it for the session, and back", name)
		}
		if err := s.setter.planVariable(p, st, stmt, i); err != nil {
			return err
		}
	}
	before := s.state.vars
	defer s.back(before, p.reads)
	warnings, err := s.setter.setOnServer(ctx, st, p)
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		return notBuilt("SET STATEMENT with a value that the server changes (%s); write one that it takes as it is", warnings[0][2])
	}
	return s.query(ctx, inner)
}

// back gives the session the variables again that it had. One that it had not set must be
// set on connections that it keeps, which nothing resets.
func (s setForOne) back(before *settings, names []string) {
	if c, _ := s.kept.any(); c != nil {
		defaults := map[string]string{}
		for _, name := range names {
			if before.values[name] == "" {
				defaults[name] = "DEFAULT"
			}
			if name == "sql_select_limit" && defaults[name] != "" {
				defaults[name] = noLimit
			}
		}
		before = before.with(defaults, s.h.intern)
	}
	s.state.setVars(before)
}
