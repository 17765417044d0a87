<?php
// Everything of mysqli. mode: text, compress, tls.
require __DIR__ . '/common.php';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function connect(int $flags = 0, ?string $user = 'app', ?string $password = 'app', array $options = []): mysqli {
    global $host, $port, $schema, $mode;
    $db = mysqli_init();
    $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 20);
    $db->options(MYSQLI_OPT_LOCAL_INFILE, true);
    foreach ($options as $name => $value) {
        $db->options($name, $value);
    }
    if ($mode === 'compress') {
        $flags |= MYSQLI_CLIENT_COMPRESS;
    }
    if ($mode === 'tls') {
        $db->ssl_set(null, null, getenv('CA') ?: null, null, null);
        $flags |= MYSQLI_CLIENT_SSL | (getenv('CA') ? 0 : MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT);
    }
    $db->real_connect($host, $user, $password, $schema, $port, null, $flags);
    return $db;
}

$db = connect();
say('server', [$db->server_info, $db->server_version, $db->protocol_version, $db->host_info, $db->client_info]);
say('charset of the login', [$db->character_set_name(), (array)$db->get_charset()]);
say('variables', $db->query('SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection, @@autocommit, @@sql_mode, @@time_zone, @@version, @@max_allowed_packet, @@lower_case_table_names, @@wait_timeout')->fetch_row());
foreach (TABLES as $sql) {
    $db->query($sql);
}
foreach (['latin1', 'utf8mb4', 'gbk', 'big5', 'cp1251', 'utf8mb4'] as $charset) {
    attempt("set_charset $charset", fn() => $db->set_charset($charset));
    say('literal', [bin2hex($db->query("SELECT 'é'")->fetch_row()[0]), bin2hex($db->real_escape_string("\xbf' \x00 \n \" \\ \x1a")), $db->character_set_name()]);
}

// Inserts: insert_id, affected_rows, info.
$after = fn() => [$db->insert_id, $db->affected_rows, $db->info, $db->warning_count, $db->field_count, $db->errno, $db->sqlstate];
$run = function (string $sql) use ($db, $after) {
    attempt($sql, fn() => $db->query($sql));
    say('  after', $after());
};
$run("INSERT INTO members (name, email) VALUES ('one', 'one@x')");
$run("INSERT INTO members (name, email, born, score, credit, kind, flags, seen, big, small, bits, body, raw, y, t, dt, f) VALUES ('two', NULL, '2000-02-29', 1.5e10, '12.345', 'staff', 'a,c', '2024-01-02 03:04:05', 18446744073709551615, 1, b'10101', 'тело 😀', 0x00ff27, 1999, '-12:34:56.789', '2024-05-06 07:08:09.123456', 0.1)");
$run("INSERT INTO members (name) VALUES ('three'), ('four'), ('five'), ('six')");
$run("INSERT INTO members SET name = 'seven', credit = 7");
$run("INSERT INTO members (id, name) VALUES (100, 'hundred')");
$run("INSERT INTO members (name) VALUES ('after hundred')");
$run("INSERT IGNORE INTO members (id, name) VALUES (100, 'again'), (102, 'new')");
$run("INSERT INTO members (id, name) VALUES (100, 'dup') ON DUPLICATE KEY UPDATE name = 'hundred and one'");
$run("INSERT INTO members (id, name) VALUES (100, 'dup') ON DUPLICATE KEY UPDATE name = 'hundred and one'");
$run("REPLACE INTO members (id, name) VALUES (100, 'replaced')");
$run("INSERT INTO members (id, name) VALUES (100, 'dup')");
$run("INSERT INTO posts (member_id, title) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (1, 'd'), (2, 'e')");
$run("INSERT INTO labels VALUES ('de', 'Deutsch'), ('fr', 'Français')");
$run("INSERT INTO notes (note, n) VALUES ('x', 1), ('y', 2), ('z', 3)");
$run("UPDATE members SET credit = credit + 1 WHERE id = 2");
$run("UPDATE members SET credit = 8 WHERE id > 2");
$run("UPDATE members SET credit = 8 WHERE id > 2");
$run("UPDATE notes SET n = n + 1");
$run("UPDATE labels SET label = 'German' WHERE code = 'de'");
$run("DELETE FROM members WHERE id = 102");
$run("DELETE FROM members WHERE id IN (9999, 10000)");
$run("SELECT 1/0");
$run("SHOW WARNINGS");
$run("SELECT CAST('12abc' AS SIGNED)");
say('get_warnings', ($w = $db->get_warnings()) ? [$w->message, $w->sqlstate, $w->errno] : $w);
$run("INSERT INTO notes (n) VALUES ('12abc')");
$run("INSERT INTO notes (n) VALUES (99999999999)");
$run("INSERT INTO labels VALUES ('toolong', 'x')");
$run("DROP TABLE IF EXISTS nowhere");
$run("SELECT * FROM nowhere");
$run("SELEKT 1");
$run("SELECT nothing FROM members");
$run("SELECT LAST_INSERT_ID(), ROW_COUNT()");
attempt('FOUND_ROWS()', fn() => [$db->query("SELECT FOUND_ROWS()")->fetch_row(), $db->warning_count]);
$run("UPDATE members SET name = 'x' WHERE id = 1 AND name = 'never'");
say('found rows flag', (function () {
    $f = connect(MYSQLI_CLIENT_FOUND_ROWS);
    $f->query("UPDATE members SET credit = 8 WHERE id > 2");
    return [$f->affected_rows, $f->info];
})());

// Results: all ways to fetch, with metadata.
$meta = function (mysqli_result $r): array {
    $out = [];
    foreach ($r->fetch_fields() as $f) {
        $out[] = [$f->name, $f->orgname, $f->table, $f->orgtable, $f->max_length, $f->length, $f->charsetnr, $f->flags, $f->type, $f->decimals];
    }
    return $out;
};
foreach (["SELECT * FROM members ORDER BY id", "SELECT m.name AS n, COUNT(*) c, SUM(p.likes) s, AVG(p.likes) a FROM members m JOIN posts p ON p.member_id = m.id GROUP BY m.id, m.name ORDER BY m.id",
    "SELECT id, name FROM members WHERE id = 2", "SELECT DISTINCT kind FROM members ORDER BY kind", "SELECT COUNT(*), MAX(name), MIN(born), SUM(credit), AVG(score) FROM members",
    "SELECT post_id, title, label FROM posts, labels ORDER BY post_id, label LIMIT 2, 5", "SELECT 1 a, 'x' b, NULL c, 1.50 d, 1e3 e, NOW() > '2000-01-01' f",
    "SELECT name, (SELECT COUNT(*) FROM posts WHERE posts.member_id = members.id) n FROM members ORDER BY n DESC, name LIMIT 4", "(SELECT id FROM members) UNION (SELECT n FROM notes) ORDER BY 1 LIMIT 5"] as $sql) {
    $r = $db->query($sql);
    say($sql, [$r->num_rows, $r->field_count, $meta($r), $r->fetch_all(MYSQLI_ASSOC), $r->lengths]);
    $r = $db->query($sql, MYSQLI_USE_RESULT);
    $rows = [];
    while ($row = $r->fetch_row()) {
        $rows[] = [$row, $r->lengths];
    }
    say('  unbuffered', $rows);
    $r->free();
}
$r = $db->query("SELECT id, name FROM members ORDER BY id");
$r->data_seek(3);
say('data_seek', [$r->fetch_object(), $r->fetch_array(MYSQLI_BOTH), $r->fetch_column(1), iterator_to_array($r)]);
$r = $db->query("SELECT id FROM members", MYSQLI_USE_RESULT);
$r->fetch_row();
$r->free();
say('after a result read in part', $db->query("SELECT 'fine'")->fetch_row());
$native = connect(0, 'app', 'app', [MYSQLI_OPT_INT_AND_FLOAT_NATIVE => true]);
say('native types of text', $native->query("SELECT id, score, credit, f, small, big, y FROM members WHERE id = 2")->fetch_row());

// Prepared statements.
$st = $db->prepare("INSERT INTO members (name, email, score, credit, big, raw, born) VALUES (?, ?, ?, ?, ?, ?, ?)");
say('prepared insert', [$st->param_count, $st->field_count, $st->affected_rows, $st->insert_id]);
foreach ([['p1', 'p1@x', 1.25, '3.14159', '18446744073709551615', "\x00\xff'", '1999-12-31'], ['p2', null, -0.0, null ?? '1', 5, '', '0001-01-01'], ['p3', "it's \\ \"q\"", 1e300, '-1.5', 0, "\n", null]] as $row) {
    attempt('  execute', function () use ($st, $row) {
        $st->bind_param('ssdssss', ...$row);
        return [$st->execute(), $st->affected_rows, $st->insert_id];
    });
}
$st->close();
$st = $db->prepare("SELECT id, name, born, score, credit, kind, flags, big, small, bits, body, HEX(raw), y, t, dt, f FROM members WHERE id = ?");
say('result_metadata', $meta($st->result_metadata()));
foreach ([2, '2', 100, -1, null, 2.0] as $id) {
    $st->bind_param(is_float($id) ? 'd' : (is_string($id) ? 's' : 'i'), $id);
    $st->execute();
    $r = $st->get_result();
    say('  get_result ' . json_encode($id), [$r->num_rows, $meta($r), $r->fetch_all(MYSQLI_NUM)]);
}
$st->execute([2]);
$st->bind_result($a, $b, $c, $d, $e, $f, $g, $h, $i, $j, $k, $l, $m, $n, $o, $p);
$st->store_result();
say('bind_result', [$st->num_rows, $st->fetch(), [$a, $b, $c, $d, $e, $f, $g, $h, $i, $j, $k, $l, $m, $n, $o, $p], $st->fetch()]);
$st->free_result();
$st->close();
$st = $db->prepare("SELECT id, name FROM members WHERE name > ? ORDER BY name LIMIT ?");
$st->execute(['m', 3]);
say('merge with LIMIT ?', $st->get_result()->fetch_all());
$st = $db->prepare("SELECT id FROM members WHERE id IN (?, ?, ?) ORDER BY id");
$st->execute([100, 1, 3]);
say('IN', $st->get_result()->fetch_all());
$st = $db->prepare("UPDATE members SET credit = credit + ? WHERE id = ?");
foreach ([1, 2, 3, 9999] as $id) {
    $st->execute(['0.5', $id]);
    say("update $id", [$st->affected_rows, $st->insert_id, $db->info, $st->sqlstate]);
}
foreach (["SELECT ? + 1", "SELECT COUNT(*) FROM posts WHERE member_id = ? AND title <> ?", "DELETE FROM posts WHERE member_id = ? AND title = ?", "CALL nothing(?)", "SELECT * FROM nowhere WHERE a = ?", "SELEKT ?", "SELECT 1; SELECT 2", "SHOW TABLES", "SET @v = ?", "DO 1", "CREATE TABLE made (a INT)", "DROP TABLE made"] as $sql) {
    attempt("prepare $sql", function () use ($db, $sql) {
        $st = $db->prepare($sql);
        $st->execute(array_slice([5, 'zz'], 0, $st->param_count));
        $r = $st->get_result();
        return [$st->param_count, $st->field_count, $st->affected_rows, $r ? $r->fetch_all() : null];
    });
}
foreach (['read only' => "SELECT id, name FROM members ORDER BY id", 'one shard' => "SELECT post_id, title FROM posts WHERE member_id = 1 ORDER BY post_id", 'gather' => "SELECT m.name, p.title FROM members m JOIN posts p ON p.post_id = m.id ORDER BY 1"] as $what => $sql) {
    $st = $db->prepare($sql);
    $st->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    attempt("cursor $what", function () use ($st) {
        $st->execute();
        $st->bind_result($a, $b);
        for ($rows = []; $st->fetch();) {
            $rows[] = [$a, $b];
        }
        return $rows;
    });
    attempt('  again', fn() => [$st->reset(), $st->execute(), $st->fetch(), $st->free_result()]);
    $st->close();
}
$st = $db->prepare("INSERT INTO blobs VALUES (?, ?)");
for ($id = 1; $id <= 3; $id++) {
    $null = null;
    $st->bind_param('ib', $id, $null);
    for ($part = 0; $part < 5; $part++) {
        $st->send_long_data(1, str_repeat(chr(65 + $part), 100000 * $id));
    }
    $st->execute();
    say("long data $id", [$st->affected_rows, $db->query("SELECT LENGTH(b), SHA2(b, 256) FROM blobs WHERE id = $id")->fetch_row()]);
}
$large = str_repeat("0123456789abcde\n", 1 << 20) . 'more than 16 MiB';
attempt('more than a packet', function () use ($db, $large) {
    $db->query("INSERT INTO blobs VALUES (4, '" . $db->real_escape_string($large) . "')");
    return [$db->affected_rows, $db->query("SELECT LENGTH(b), SHA2(b, 256) FROM blobs WHERE id = 4")->fetch_row(), md5($db->query("SELECT b FROM blobs WHERE id = 4")->fetch_row()[0])];
});
attempt('more than a packet, prepared', function () use ($db, $large) {
    $st = $db->prepare("REPLACE INTO blobs VALUES (?, ?)");
    $st->execute([5, $large]);
    $st2 = $db->prepare("SELECT b FROM blobs WHERE id = ?");
    $st2->execute([5]);
    return [$st->affected_rows, md5($st2->get_result()->fetch_row()[0])];
});
$db->query("DELETE FROM blobs WHERE id > 3");

// Several statements.
$multi = function (string $sql) use ($db): array {
    $out = [];
    try {
        $db->multi_query($sql);
        do {
            $r = $db->store_result();
            $out[] = $r ? $r->fetch_all() : [$db->affected_rows, $db->insert_id, $db->info];
        } while ($db->more_results() && $db->next_result());
    } catch (mysqli_sql_exception $e) {
        $out[] = [$e->getCode(), $e->getMessage()];
    }
    return $out;
};
say('multi', $multi("SELECT 1; INSERT INTO notes (note) VALUES ('multi'); SELECT COUNT(*) FROM members; SET @x = 5; SELECT @x; UPDATE posts SET likes = likes + 1; SELECT title FROM posts WHERE member_id = 2 ORDER BY 1;"));
say('multi with an error', $multi("SELECT 1; SELECT * FROM nowhere; SELECT 2"));
say('multi with text', $multi("SELECT 'a;b', \"c;d\", `id` FROM members WHERE id = 1; -- end\n SELECT /* ; */ 2; # done"));
say('multi begins a transaction', $multi("BEGIN; UPDATE members SET credit = 0; ROLLBACK; SELECT COUNT(*) FROM members WHERE credit = 0"));
attempt('no multi in query()', fn() => $db->query("SELECT 1; SELECT 2"));
attempt('execute_query', fn() => $db->execute_query("SELECT name FROM members WHERE id = ?", [2])->fetch_row());

// Transactions.
$credit = fn() => $db->query("SELECT GROUP_CONCAT(credit ORDER BY id) FROM members WHERE id <= 4")->fetch_row()[0];
say('before', $credit());
$db->begin_transaction();
$db->query("UPDATE members SET credit = credit - 1 WHERE id = 1");
$db->query("UPDATE members SET credit = credit + 1 WHERE id = 2");
$db->savepoint('s1');
$db->query("UPDATE members SET credit = 0 WHERE id = 3");
$db->query("SAVEPOINT s2");
$db->query("DELETE FROM members WHERE id = 4");
$db->query("ROLLBACK TO s2");
attempt('release_savepoint', fn() => $db->release_savepoint('s1'));
attempt('a savepoint that is gone', fn() => $db->query("ROLLBACK TO SAVEPOINT s1"));
say('inside', $credit());
$db->commit();
say('committed', $credit());
$db->begin_transaction(MYSQLI_TRANS_START_READ_ONLY | MYSQLI_TRANS_START_WITH_CONSISTENT_SNAPSHOT, 'named');
attempt('write in READ ONLY', fn() => $db->query("UPDATE members SET credit = 0 WHERE id = 1"));
$db->rollback(0, 'named');
$db->autocommit(false);
$db->query("UPDATE members SET credit = 77 WHERE id IN (1, 2, 3)");
say('autocommit', [$db->query("SELECT @@autocommit")->fetch_row(), $credit()]);
$db->rollback(MYSQLI_TRANS_COR_AND_CHAIN);
$db->query("UPDATE members SET credit = 78 WHERE id = 1");
$db->commit(MYSQLI_TRANS_COR_NO_RELEASE);
$db->autocommit(true);
say('after', $credit());
$db->begin_transaction();
attempt('error in a transaction', fn() => $db->query("INSERT INTO members (id, name) VALUES (1, 'dup')"));
$db->query("UPDATE members SET credit = 79 WHERE id = 2");
$db->query("CREATE TABLE made (a INT)");
$db->rollback();
say('DDL has committed', $credit());
$db->query("DROP TABLE made");
$other = connect();
$db->query("SET innodb_lock_wait_timeout = 1");
$other->begin_transaction();
$other->query("SELECT * FROM members WHERE id = 1 FOR UPDATE");
attempt('lock wait', fn() => $db->query("UPDATE members SET credit = 1 WHERE id = 1"));
$other->rollback();
$other->close();

// LOAD DATA LOCAL.
$pinned = $db;
$db = connect();
$file = sys_get_temp_dir() . '/compat-load-' . getmypid();
file_put_contents($file, "1,\"a, b\",10\n2,it's,20\n3,\\N,30\nbad,line\n");
attempt("LOAD DATA LOCAL", fn() => $db->query("LOAD DATA LOCAL INFILE '$file' INTO TABLE notes FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' (@skip, note, n)"));
say('  after', $after());
say('  warnings', $db->query("SHOW WARNINGS")->fetch_all());
say('loaded', $db->query("SELECT note, n FROM notes ORDER BY id")->fetch_all());
attempt('LOAD of a file that is not there', fn() => $db->query("LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE notes"));
say('after it', $db->query("SELECT 'fine'")->fetch_row());
unlink($file);
$db = $pinned;

// The session.
$db->query("SET @a = 41, @b = 'text', time_zone = '+05:00', sql_mode = 'ANSI_QUOTES', SESSION group_concat_max_len = 5");
say('session', [$db->query('SELECT @a + 1, @b, @@time_zone, @@sql_mode, @@group_concat_max_len, "id" FROM members WHERE id = 2')->fetch_row(), $db->query("SELECT seen, GROUP_CONCAT(name) FROM members WHERE id = 2 GROUP BY seen")->fetch_row()]);
$db->query("CREATE TEMPORARY TABLE tmp (a INT PRIMARY KEY)");
$db->query("INSERT INTO tmp VALUES (1), (2)");
say('temporary table', [$db->query("SELECT COUNT(*) FROM tmp")->fetch_row(), $db->query("SELECT GET_LOCK('compat', 1), IS_FREE_LOCK('compat'), RELEASE_LOCK('compat')")->fetch_row()]);
attempt('change_user', fn() => $db->change_user('app', 'app', $schema));
say('after change_user', $db->query("SELECT @a, @@time_zone, @@sql_mode, @@group_concat_max_len, @@character_set_client, DATABASE()")->fetch_row());
attempt('temporary table is gone', fn() => $db->query("SELECT * FROM tmp"));
attempt('change_user with a wrong password', fn() => (clone_connection())->change_user('app', 'wrong', $schema));
function clone_connection(): mysqli { return connect(); }
attempt('select_db', fn() => $db->select_db($schema));
attempt('select_db nowhere', fn() => $db->select_db('nowhere_at_all'));
say('ping', [$db->ping(), $db->thread_safe(), array_map(fn($s) => preg_replace('/\d+(\.\d+)?/', 'N', $s), preg_split('/  /', $db->stat()))[0]]);
say('thread_id', $db->thread_id === (int)$db->query("SELECT CONNECTION_ID()")->fetch_row()[0]);
attempt('refresh', fn() => $db->refresh(MYSQLI_REFRESH_TABLES));
attempt('dump_debug_info', fn() => $db->dump_debug_info());
$victim = connect();
$killer = connect();
$killer->query("KILL " . $victim->thread_id);
usleep(100000);
attempt('killed', fn() => $victim->query("SELECT 1"));
$victim = connect();
$victim->query("DO SLEEP(0)");
$victim->query("SELECT SLEEP(30)", MYSQLI_ASYNC);
usleep(200000);
$killer->query("KILL QUERY " . $victim->thread_id);
attempt('query killed', fn() => $victim->reap_async_query()->fetch_row());
attempt('  its connection lives', fn() => $victim->query("SELECT 1")->fetch_row());
$async = [connect(), connect(), connect()];
foreach ($async as $n => $a) {
    $a->query("SELECT $n, COUNT(*) FROM members WHERE SLEEP(0.001) = 0", MYSQLI_ASYNC);
}
$got = [];
while (count($got) < 3) {
    $read = $error = $reject = $async;
    if (!mysqli_poll($read, $error, $reject, 10)) {
        break;
    }
    foreach ($read as $a) {
        $got[] = $a->reap_async_query()->fetch_row();
    }
    $async = array_udiff($async, $read, fn($x, $y) => spl_object_id($x) <=> spl_object_id($y));
    if (!$async) {
        break;
    }
}
sort($got);
say('async', $got);
$slow = connect(0, 'app', 'app', [MYSQLI_OPT_READ_TIMEOUT => 1]);
attempt('read timeout', fn() => $slow->query("SELECT SLEEP(5)"));
// PHP warns of what the server says before it closes.
error_reporting(E_ALL & ~E_WARNING);
$short = connect();
$short->query("SET SESSION wait_timeout = 1");
usleep(2500000);
attempt('wait_timeout', fn() => $short->query("SELECT 1"));
error_reporting(E_ALL);
$init = connect(0, 'app', 'app', [MYSQLI_INIT_COMMAND => "SET @init = 'done', sql_mode = 'STRICT_ALL_TABLES'"]);
say('init command', $init->query("SELECT @init, @@sql_mode")->fetch_row());
$p = new mysqli("p:$host", 'app', 'app', $schema, $port);
$p->query("SET @kept = 1");
$id = $p->thread_id;
$p->close();
$p = new mysqli("p:$host", 'app', 'app', $schema, $port);
say('persistent', [$p->thread_id === $id, $p->query("SELECT @kept")->fetch_row()]);
error_reporting(E_ALL & ~E_WARNING);
$id = $p->thread_id;
$p->close();
$killer->query("KILL $id");
usleep(100000);
$p = new mysqli("p:$host", 'app', 'app', $schema, $port);
say('persistent, after its connection was killed', [$p->thread_id !== $id, $p->query("SELECT 1")->fetch_row()]);
$victim = connect();
$st = $victim->prepare("SELECT name FROM members WHERE id = ?");
$killer->query("KILL " . $victim->thread_id);
usleep(100000);
attempt('a statement of a lost connection', fn() => $st->execute([2]));
attempt('  connected again', function () use (&$victim) {
    $victim = connect();
    $st = $victim->prepare("SELECT name FROM members WHERE id = ?");
    $st->execute([2]);
    return $st->get_result()->fetch_row();
});
error_reporting(E_ALL);
attempt('wrong password', fn() => connect(0, 'app', 'wrong'));
attempt('no user', fn() => connect(0, 'nobody_here', 'x'));
attempt('no schema', function () use ($host, $port) { new mysqli($host, 'app', 'app', 'nowhere_at_all', $port); });
attempt('closed', fn() => [$killer->close(), 'closed']);
$kinds = $db->query("SHOW COLUMNS FROM members")->fetch_all(MYSQLI_ASSOC);
say('SHOW COLUMNS', $kinds);
say('SHOW CREATE', preg_replace('/ AUTO_INCREMENT=\d+/', '', $db->query("SHOW CREATE TABLE posts")->fetch_row()[1]));
say('SHOW INDEX', array_map(fn($r) => array_slice($r, 0, 5), $db->query("SHOW INDEX FROM posts")->fetch_all()));
say('tables', $db->query("SHOW FULL TABLES")->fetch_all());
say('processlist', count($db->query("SHOW PROCESSLIST")->fetch_all()) > 0);
say('done', true);
