package query

// isBuiltin knows the functions that the servers have themselves, in lower case; any other
// is a stored or loaded one. The first list is INFORMATION_SCHEMA.SQL_FUNCTIONS of MariaDB
// 10.11, the functions of the servers' grammar, and those that MySQL 9 has besides; a few names
// are how the parser calls them.
func isBuiltin(name string, mode Mode) bool {
	if isOthers(name, mode) {
		return false
	}
	switch name {
	case "to_vector", "'tidb`.(dateliteral", "'tidb`.(timeliteral", "'tidb`.(timestampliteral", "abs", "acos", "add_months",
		"adddate", "addtime", "aes_decrypt", "aes_encrypt", "any_value", "ascii", "asin", "atan", "atan2", "avg",
		"benchmark", "bin", "bin_to_uuid", "binlog_gtid_pos", "bit_and", "bit_count", "bit_length", "bit_or",
		"bit_xor", "cast", "ceil", "ceiling", "char", "char_func", "char_length", "character_length", "charset",
		"chr", "coalesce", "coercibility", "collation", "column_check", "column_exists", "column_json",
		"column_list", "compress", "concat", "concat_operator_oracle", "concat_ws", "connection_id", "conv",
		"convert", "convert_tz", "cos", "cot", "count", "crc32", "crc32c", "cume_dist", "curdate", "current_date",
		"current_role", "current_time", "current_timestamp", "current_user", "curtime", "database", "date",
		"date_add", "date_format", "date_sub", "datediff", "dateliteral", "day", "dayname", "dayofmonth",
		"dayofweek", "dayofyear", "decode", "decode_histogram", "decode_oracle", "default", "default_func",
		"degrees", "dense_rank", "des_decrypt", "des_encrypt", "elt", "encode", "encrypt", "exists", "exp",
		"export_set", "extract", "extractvalue", "field", "find_in_set", "first_value", "floor", "format",
		"format_bytes", "format_pico_time", "found_rows", "from_base64", "from_days", "from_unixtime", "get_format",
		"get_lock", "greatest", "group_concat", "grouping", "gtid_subset", "gtid_subtract", "hex", "hour",
		"icu_version", "if", "ifnull", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "insert",
		"insert_func", "instr", "interval", "is_free_lock", "is_ipv4", "is_ipv4_compat", "is_ipv4_mapped",
		"is_ipv6", "is_used_lock", "is_uuid", "isnull", "json_array", "json_array_append", "json_array_insert",
		"json_arrayagg", "json_compact", "json_contains", "json_contains_path", "json_depth", "json_detailed",
		"json_equals", "json_exists", "json_extract", "json_insert", "json_keys", "json_length", "json_loose",
		"json_memberof", "json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object",
		"json_objectagg", "json_overlaps", "json_pretty", "json_query", "json_quote", "json_remove", "json_replace",
		"json_schema_valid", "json_schema_validation_report", "json_search", "json_set", "json_storage_free",
		"json_storage_size", "json_table", "json_type", "json_unquote", "json_valid", "json_value", "lag",
		"last_day", "last_insert_id", "last_value", "lcase", "lead", "least", "left", "length", "lengthb", "ln",
		"load_file", "localtime", "localtimestamp", "locate", "log", "log10", "log2", "lower", "lpad",
		"lpad_oracle", "ltrim", "ltrim_oracle", "make_set", "makedate", "maketime", "master_gtid_wait",
		"master_pos_wait", "match", "max", "md5", "median", "microsecond", "mid", "min", "minute", "mod", "month",
		"monthname", "name_const", "natural_sort_key", "now", "nth_value", "ntile", "nullif", "nvl", "nvl2", "oct",
		"octet_length", "old_password", "ord", "password", "password_func", "percent_rank", "percentile_cont",
		"percentile_disc", "period_add", "period_diff", "pi", "position", "pow", "power", "ps_current_thread_id",
		"ps_thread_id", "quarter", "quote", "radians", "rand", "random_bytes", "rank", "regexp_instr",
		"regexp_like", "regexp_replace", "regexp_substr", "release_all_locks", "release_lock", "repeat", "replace",
		"replace_oracle", "reverse", "right", "roles_graphml", "round", "row", "row_count", "row_number", "rpad",
		"rpad_oracle", "rtrim", "rtrim_oracle", "schema", "sec_to_time", "second", "session_user", "sformat", "sha",
		"sha1", "sha2", "sign", "sin", "sleep", "soundex", "source_pos_wait", "space", "sqrt", "statement_digest",
		"statement_digest_text", "std", "stddev", "stddev_pop", "stddev_samp", "str_to_date", "strcmp", "subdate",
		"substr", "substr_oracle", "substring", "substring_index", "subtime", "sum", "sys_guid", "sysdate",
		"system_user", "tan", "time", "time_format", "time_to_sec", "timediff", "timestamp", "timestampadd",
		"timestampdiff", "to_base64", "to_char", "to_days", "to_seconds", "trim", "trim_oracle", "truncate",
		"ucase", "uncompress", "uncompressed_length", "unhex", "unix_timestamp", "updatexml", "upper", "user",
		"utc_date", "utc_time", "utc_timestamp", "uuid", "uuid_short", "uuid_to_bin", "validate_password_strength",
		"value", "values", "var_pop", "var_samp", "variance", "version", "wait_for_executed_gtid_set", "week",
		"weekday", "weekofyear", "weight_string", "wsrep_last_seen_gtid", "wsrep_last_written_gtid",
		"wsrep_sync_wait_upto_gtid", "year", "yearweek":
		return true
	case // of geometries
		"area", "asbinary", "astext", "aswkb", "aswkt", "boundary", "buffer", "centroid", "contains", "convexhull",
		"crosses", "dimension", "disjoint", "distance", "endpoint", "envelope", "equals", "exteriorring",
		"geomcollfromtext", "geomcollfromwkb", "geometrycollection", "geometrycollectionfromtext",
		"geometrycollectionfromwkb", "geometryfromtext", "geometryfromwkb", "geometryn", "geometrytype",
		"geomfromtext", "geomfromwkb", "glength", "interiorringn", "intersects", "isclosed", "isempty", "isring",
		"issimple", "linefromtext", "linefromwkb", "linestring", "linestringfromtext", "linestringfromwkb",
		"mbrcontains", "mbrcoveredby", "mbrcovers", "mbrdisjoint", "mbrequal", "mbrequals", "mbrintersects",
		"mbroverlaps", "mbrtouches", "mbrwithin", "mlinefromtext", "mlinefromwkb", "mpointfromtext",
		"mpointfromwkb", "mpolyfromtext", "mpolyfromwkb", "multilinestring", "multilinestringfromtext",
		"multilinestringfromwkb", "multipoint", "multipointfromtext", "multipointfromwkb", "multipolygon",
		"multipolygonfromtext", "multipolygonfromwkb", "numgeometries", "numinteriorrings", "numpoints", "overlaps",
		"point", "pointfromtext", "pointfromwkb", "pointn", "pointonsurface", "polyfromtext", "polyfromwkb",
		"polygon", "polygonfromtext", "polygonfromwkb", "srid", "st_area", "st_asbinary", "st_asgeojson",
		"st_astext", "st_aswkb", "st_aswkt", "st_boundary", "st_buffer", "st_buffer_strategy", "st_centroid",
		"st_collect", "st_contains", "st_convexhull", "st_crosses", "st_difference", "st_dimension", "st_disjoint",
		"st_distance", "st_distance_sphere", "st_endpoint", "st_envelope", "st_equals", "st_exteriorring",
		"st_frechetdistance", "st_geohash", "st_geomcollfromtext", "st_geomcollfromtxt", "st_geomcollfromwkb",
		"st_geometrycollectionfromtext", "st_geometrycollectionfromwkb", "st_geometryfromtext",
		"st_geometryfromwkb", "st_geometryn", "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext",
		"st_geomfromwkb", "st_hausdorffdistance", "st_interiorringn", "st_intersection", "st_intersects",
		"st_isclosed", "st_isempty", "st_isring", "st_issimple", "st_isvalid", "st_latfromgeohash", "st_latitude",
		"st_length", "st_linefromtext", "st_linefromwkb", "st_lineinterpolatepoint", "st_lineinterpolatepoints",
		"st_linestringfromtext", "st_linestringfromwkb", "st_longfromgeohash", "st_longitude", "st_makeenvelope",
		"st_mlinefromtext", "st_mlinefromwkb", "st_mpointfromtext", "st_mpointfromwkb", "st_mpolyfromtext",
		"st_mpolyfromwkb", "st_multilinestringfromtext", "st_multilinestringfromwkb", "st_multipointfromtext",
		"st_multipointfromwkb", "st_multipolygonfromtext", "st_multipolygonfromwkb", "st_numgeometries",
		"st_numinteriorring", "st_numinteriorrings", "st_numpoints", "st_overlaps", "st_pointatdistance",
		"st_pointfromgeohash", "st_pointfromtext", "st_pointfromwkb", "st_pointn", "st_pointonsurface",
		"st_polyfromtext", "st_polyfromwkb", "st_polygonfromtext", "st_polygonfromwkb", "st_relate", "st_simplify",
		"st_srid", "st_startpoint", "st_swapxy", "st_symdifference", "st_touches", "st_transform", "st_union",
		"st_validate", "st_within", "st_x", "st_y", "startpoint", "touches", "within", "x", "y":
		return true
	}
	return isLockFunction(name) || isNondeterministic(name) || isSessionFunction(name)
}

// isOthers knows the functions that only the other kind of server has, of MariaDB 10.11 and MySQL 9: here a
// stored function can have such a name.
func isOthers(name string, mode Mode) bool {
	if mode.MariaDB {
		switch name {
		case "to_vector", "any_value", "bin_to_uuid", "format_bytes", "format_pico_time", "grouping", "gtid_subset",
			"gtid_subtract", "icu_version", "is_uuid", "json_schema_valid", "json_schema_validation_report",
			"json_storage_free", "json_storage_size", "ps_current_thread_id", "ps_thread_id", "regexp_like",
			"roles_graphml", "source_pos_wait", "statement_digest", "statement_digest_text", "uuid_to_bin",
			"validate_password_strength", "wait_for_executed_gtid_set", "distance", "mbrcoveredby", "mbrcovers",
			"st_buffer_strategy", "st_collect", "st_frechetdistance", "st_geohash", "st_geomcollfromtxt",
			"st_hausdorffdistance", "st_isvalid", "st_latfromgeohash", "st_latitude", "st_lineinterpolatepoint",
			"st_lineinterpolatepoints", "st_longfromgeohash", "st_longitude", "st_makeenvelope", "st_numinteriorring",
			"st_pointatdistance", "st_pointfromgeohash", "st_simplify", "st_swapxy", "st_transform", "st_validate":
			return true
		}
		return false
	}
	switch name {
	case "md5", "sha", "sha1":
		return mode.ServerVersion >= 90600
	case "add_months", "binlog_gtid_pos", "chr", "column_check", "column_exists", "column_json", "column_list",
		"concat_operator_oracle", "crc32c", "decode", "decode_histogram", "decode_oracle", "des_decrypt",
		"des_encrypt", "encode", "encrypt", "json_compact", "json_detailed", "json_equals", "json_exists",
		"json_loose", "json_normalize", "json_query", "lengthb", "lpad_oracle", "ltrim_oracle",
		"master_gtid_wait", "median", "natural_sort_key", "nvl", "nvl2", "old_password", "percentile_cont",
		"percentile_disc", "replace_oracle", "rpad_oracle", "rtrim_oracle", "sformat", "substr_oracle",
		"sys_guid", "to_char", "trim_oracle", "wsrep_last_seen_gtid", "wsrep_last_written_gtid",
		"wsrep_sync_wait_upto_gtid", "area", "asbinary", "astext", "aswkb", "aswkt", "boundary", "buffer",
		"centroid", "convexhull", "crosses", "dimension", "disjoint", "distance", "endpoint", "envelope",
		"equals", "exteriorring", "geomcollfromtext", "geomcollfromwkb", "geometrycollectionfromtext",
		"geometrycollectionfromwkb", "geometryfromtext", "geometryfromwkb", "geometryn", "geometrytype",
		"geomfromtext", "geomfromwkb", "glength", "interiorringn", "intersects", "isclosed", "isempty", "isring",
		"issimple", "linefromtext", "linefromwkb", "linestringfromtext", "linestringfromwkb", "mbrequal",
		"mlinefromtext", "mlinefromwkb", "mpointfromtext", "mpointfromwkb", "mpolyfromtext", "mpolyfromwkb",
		"multilinestringfromtext", "multilinestringfromwkb", "multipointfromtext", "multipointfromwkb",
		"multipolygonfromtext", "multipolygonfromwkb", "numgeometries", "numinteriorrings", "numpoints",
		"overlaps", "pointfromtext", "pointfromwkb", "pointn", "pointonsurface", "polyfromtext", "polyfromwkb",
		"polygonfromtext", "polygonfromwkb", "st_boundary", "st_isring", "st_pointonsurface", "st_relate",
		"startpoint", "touches", "within", "x", "y":
		return true
	}
	return false
}
