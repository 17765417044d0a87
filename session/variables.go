package session

// varClass says what may become of a session variable.
type varClass uint8

const (
	unknownVar varClass = iota // carried to every connection, and pins: it may do more than hold a value
	carried                    // a value and nothing else: carried to every connection
	privileged                 // needs a privilege that applications do not have: 1227
	ofSchema                   // carried; USE gives it the schema's again. MySQL asks for a privilege
	fixed                      // would mean something else behind a proxy: only its neutral value, else 1235
)

// newVariables lists the session variables whose nature is known. Those that are privileged
// change what a shard's server does for others (the binary log, replication), or speak of
// one connection where a session has several. session_track_* say what the session itself tells
// a client of its changes (tracker).
func newVariables() map[string]varClass {
	v := map[string]varClass{}
	for class, names := range map[varClass][]string{
		carried: {
			"sql_mode", "time_zone", "character_set_client", "character_set_results", "character_set_connection", "collation_connection",
			"foreign_key_checks", "unique_checks", "check_constraint_checks", "sql_safe_updates", "sql_notes", "sql_warnings", "sql_quote_show_create",
			"group_concat_max_len", "sql_select_limit", "max_execution_time", "max_statement_time", "innodb_lock_wait_timeout", "lock_wait_timeout",
			"transaction_isolation", "tx_isolation", "transaction_read_only", "tx_read_only", "div_precision_increment", "default_week_format",
			"optimizer_switch", "optimizer_search_depth", "optimizer_prune_level", "optimizer_use_condition_selectivity", "use_stat_tables",
			"max_join_size", "sql_big_selects", "max_seeks_for_key", "max_sort_length", "max_length_for_sort_data", "max_error_count",
			"lc_time_names", "lc_messages", "default_storage_engine", "default_tmp_storage_engine", "storage_engine",
			"net_read_timeout", "net_write_timeout", "wait_timeout", "interactive_timeout", "idle_transaction_timeout",
			"sort_buffer_size", "join_buffer_size", "read_buffer_size", "read_rnd_buffer_size", "tmp_table_size", "max_heap_table_size",
			"bulk_insert_buffer_size", "low_priority_updates", "updatable_views_with_limit", "windowing_use_high_precision", "big_tables",
			"block_encryption_mode", "cte_max_recursion_depth", "max_recursive_iterations", "information_schema_stats_expiry", "note_verbosity",
			"sql_require_primary_key", "default_collation_for_utf8mb4", "eq_range_index_dive_limit", "range_optimizer_max_mem_size",
			"old_mode", "system_versioning_asof", "long_query_time", "log_slow_verbosity", "query_cache_type", "explicit_defaults_for_timestamp",
			"session_track_schema", "session_track_system_variables", "binlog_row_image", "show_create_table_verbosity", "print_identified_with_as_hex",
			"collation_server", "character_set_server",
		},
		privileged: {
			"sql_log_bin", "sql_log_off", "server_id", "gtid_next", "gtid_domain_id", "gtid_seq_no", "skip_replication", "skip_parallel_replication",
			"binlog_format", "binlog_direct_non_transactional_updates", "pseudo_slave_mode", "pseudo_replica_mode", "original_commit_timestamp",
			"original_server_version", "immediate_server_version", "require_row_format", "read_only",
			"wsrep_on", "wsrep_osu_method", "rbr_exec_mode", "debug", "debug_sync", "debug_dbug",
		},
		fixed: {
			"pseudo_thread_id", "insert_id", "timestamp", "rand_seed1", "rand_seed2", "completion_type", "sql_auto_is_null",
			"auto_increment_increment", "auto_increment_offset", "error_count", "warning_count", "proxy_user", "external_user",
			"profiling", "session_track_state_change", "session_track_transaction_info", "session_track_gtids",
		},
		ofSchema: {"collation_database", "character_set_database"},
	} {
		for _, name := range names {
			v[name] = class
		}
	}
	return v
}

// neutral tells whether a value of a fixed variable is the one that it has anyway.
func neutral(name, value string, isDefault bool) bool {
	switch name {
	case "sql_auto_is_null", "profiling", "session_track_state_change", "session_track_transaction_info", "session_track_gtids":
		return isDefault || isOff(value)
	case "completion_type":
		return isDefault || value == "0" || value == "NO_CHAIN"
	case "auto_increment_increment", "auto_increment_offset":
		return isDefault || value == "1"
	case "timestamp":
		return isDefault || value == "0"
	}
	return false
}

func isOff(value string) bool { return value == "0" || value == "OFF" || value == "FALSE" }

func isOn(value string) bool { return value == "1" || value == "ON" || value == "TRUE" }
