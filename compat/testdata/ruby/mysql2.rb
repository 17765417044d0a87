# What a Ruby program sees through mysql2. Arguments: host, port, schema, mode (text, binary,
# compressed, tls). Through Sluice members is sharded by id; labels is a reference table.
require 'mysql2'
require 'json'
require 'date'
host, port, schema, mode = ARGV
$stdout.sync = true

def plain(v)
  case v
  when Hash then v.map { |k, x| [k.to_s, plain(x)] }.to_h
  when Array then v.map { |x| plain(x) }
  when Mysql2::Result then v.to_a.map { |r| plain(r) }
  when String then v.encoding == Encoding::BINARY ? 'hex ' + v.unpack1('H*') : v
  when BigDecimal then 'decimal ' + v.to_s('F')
  when Time then 'time ' + v.getutc.strftime('%F %T.%6N')
  else v.is_a?(Float) || v.is_a?(Integer) || v.nil? || v == true || v == false ? v : v.to_s
  end
end

def say(what, value)
  text = JSON.generate([plain(value)])
  puts "#{what}: #{text.length <= 1500 ? text : text[0, 200] + '… ' + text.length.to_s}"
end

def attempt(what)
  say(what, yield)
rescue Mysql2::Error => e
  say("#{what} throws", [e.class.name, e.error_number, e.sql_state, e.message])
end

options = { host: host, port: port.to_i, username: 'app', password: 'app', database: schema, encoding: 'utf8mb4', flags: Mysql2::Client::MULTI_STATEMENTS, local_infile: true, database_timezone: :utc, connect_timeout: 10 }
options[:flags] |= Mysql2::Client::COMPRESS if mode == 'compressed'
options[:ssl_mode] = mode == 'tls' ? :required : :disabled
c = Mysql2::Client.new(options)
run = lambda do |sql, *args|
  if mode == 'binary'
    c.prepare(sql).execute(*args)
  else
    c.query(args.inject(sql) { |s, a| s.sub('?') { a.nil? ? 'NULL' : a.is_a?(Numeric) ? a.to_s : "'#{c.escape(a.to_s)}'" } })
  end
end
%w[members labels notes].each { |t| c.query("DROP TABLE IF EXISTS #{t}") }
c.query("CREATE TABLE members (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, born DATE, score DOUBLE, credit DECIMAL(12,3) NOT NULL DEFAULT 0, kind ENUM('guest','staff') NOT NULL DEFAULT 'guest', seen DATETIME(6), big BIGINT UNSIGNED, small TINYINT(1), body TEXT, raw VARBINARY(20), t TIME, y YEAR, bits BIT(8)) DEFAULT CHARSET=utf8mb4")
c.query('CREATE TABLE labels (code CHAR(2) NOT NULL PRIMARY KEY, label VARCHAR(40) NOT NULL) DEFAULT CHARSET=utf8mb4')
c.query('CREATE TABLE notes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(100), n INT DEFAULT 5) DEFAULT CHARSET=utf8mb4')
(1..6).each do |id|
  attempt("insert #{id}") do
    run.call('INSERT INTO members (id, name, born, score, credit, kind, seen, big, small, body, raw, t, y, bits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
             id, "m#{id} ' \" \\ 😀", '2001-02-03', id / 4.0, '12.345', 'staff', '2020-02-29 12:34:56.789', 18446744073709551610 + id, id % 2, 'body', "raw'#{id}", '01:02:03', 2024, 5)
    [c.affected_rows, c.last_id]
  end
end
attempt('insert') { c.query("INSERT INTO labels VALUES ('de', 'Deutsch'), ('fr', 'Français')"); c.query("INSERT INTO notes (note) VALUES ('n1'), ('n2'), (NULL)"); [c.affected_rows, c.last_id, c.query_info] }
[['SELECT * FROM members WHERE id = ?', 1], ['SELECT * FROM members WHERE id = ?', '2'], ['SELECT * FROM members WHERE id = ?', nil], ['SELECT * FROM members WHERE id > ? ORDER BY id', 3],
 ['SELECT COUNT(*), SUM(credit), AVG(score), MAX(name) FROM members'], ['SELECT kind, COUNT(*) FROM members GROUP BY kind'], ['SELECT * FROM labels ORDER BY code'], ['SELECT * FROM nowhere'], ['SELEKT'],
 ['INSERT INTO members (id, name) VALUES (?, ?)', 1, 'twice'], ['INSERT INTO members (id, name) VALUES (?, ?)', 7, nil], ['SELECT ? + 1', 41], ['SHOW COLUMNS FROM members']].each do |sql, *args|
  attempt("#{sql} #{args.inspect}") { r = run.call(sql, *args); r && [r.fields, r.to_a, r.count] }
end
attempt('field types') { r = c.query('SELECT * FROM members WHERE id = 1'); r.respond_to?(:field_types) ? r.field_types : nil }
[{ symbolize_keys: true }, { as: :array }, { cast: false }, { cast_booleans: true }, { stream: true, cache_rows: false }, { application_timezone: :utc }].each do |o|
  attempt("SELECT with #{o}") { c.query('SELECT * FROM members WHERE id < 4 ORDER BY id', **o).map { |r| r } }
end
attempt('update') { c.query("UPDATE members SET name = 'x' WHERE id IN (1, 2, 3)"); [c.affected_rows, c.query_info, c.query_info_string] }
attempt('several statements') { out = [c.query('SELECT 1 AS a; UPDATE notes SET n = 6; SELECT id FROM members WHERE id < 3 ORDER BY id').to_a]; while c.next_result; r = c.store_result; out << (r ? r.to_a : c.affected_rows); end; out }
attempt('transaction') { c.query('BEGIN'); c.query("INSERT INTO members (id, name) VALUES (50, 'a'), (51, 'b'), (52, 'c')"); n = c.query('SELECT COUNT(*) n FROM members').to_a; c.query('ROLLBACK'); [n, c.query('SELECT COUNT(*) n FROM members').to_a] }
attempt('warnings') { c.query("SELECT CAST('5x' AS SIGNED)"); [c.warning_count, c.query('SHOW WARNINGS').to_a] }
attempt('async') { c.query('SELECT SLEEP(0.1), 5 AS five', async: true); c.async_result.to_a }
attempt('a prepared statement again') { s = c.prepare('SELECT id, name FROM members WHERE id = ?'); r = (1..4).map { |id| s.execute(id).to_a }; n = [s.param_count, s.field_count, s.fields]; s.close; [r, n] }
attempt('a prepared insert') { s = c.prepare('INSERT INTO notes (note) VALUES (?)'); s.execute('p'); [s.affected_rows, s.last_id] }
attempt('session') { [c.ping, c.select_db(schema), c.encoding.to_s, c.escape("a'b\\\n"), c.info.class.to_s, c.server_info[:id] > 0, c.query('SELECT @@character_set_client, @@collation_connection').to_a] }
attempt('set_server_option') { c.set_server_option(Mysql2::Client::OPTION_MULTI_STATEMENTS_OFF); c.query('SELECT 1; SELECT 2').to_a }
attempt('wrong password') { Mysql2::Client.new(options.merge(password: 'wrong')) }
attempt('read timeout') { Mysql2::Client.new(options.merge(read_timeout: 1)).query('SELECT SLEEP(5)').to_a }
c.close
puts 'done: true'
