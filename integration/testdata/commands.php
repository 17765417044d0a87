<?php
// What mysqli sends besides queries: php commands.php host port file
[, $host, $port, $file] = $argv;
function same($got, $want, $what) {
    if ($got !== $want) {
        fwrite(STDERR, "$what: got " . var_export($got, true) . ", want " . var_export($want, true) . "\n");
        exit(1);
    }
}
function value($m, $sql) { return $m->query($sql)->fetch_row()[0]; }

$m = new mysqli($host, 'app', 'app', 'shop', $port);
$m->query('SET @a = 5');
same($m->change_user('guest', 'guest', 'plain'), true, 'change_user');
same(value($m, "SELECT CONCAT(SUBSTRING_INDEX(CURRENT_USER(), '@', 1), ' ', DATABASE(), ' ', @a IS NULL)"), 'guest plain 1', 'after change_user');
try {
    $m->change_user('guest', 'wrong', 'plain');
    same(true, false, 'change_user with a wrong password');
} catch (mysqli_sql_exception $e) {
    same($e->getCode(), 1045, 'change_user with a wrong password');
}

foreach ([0, MYSQLI_CLIENT_COMPRESS] as $flags) {
    $m = mysqli_init();
    $m->options(MYSQLI_OPT_LOCAL_INFILE, true);
    $m->real_connect($host, 'app', 'app', 'plain', $port, null, $flags);
    $m->query('DELETE FROM t');
    $m->query("LOAD DATA LOCAL INFILE '$file' INTO TABLE t");
    same($m->affected_rows, 1000, 'LOAD DATA LOCAL');
    same($m->info, 'Records: 1000  Deleted: 0  Skipped: 0  Warnings: 0', 'LOAD DATA LOCAL');
    $m->multi_query('SELECT 1; SELECT COUNT(*) FROM t; DO 0; SELECT 3');
    $got = [];
    do {
        $r = $m->store_result();
        $got[] = $r ? $r->fetch_row()[0] : 'ok';
    } while ($m->next_result());
    same(implode(' ', $got), '1 1000 ok 3', 'multi_query');
    same(substr($m->stat(), 0, 8), 'Uptime: ', 'stat');
    same($m->select_db('shop'), true, 'select_db');
    same($m->ping(), true, 'ping');
    same(value($m, 'SELECT CONNECTION_ID()'), (string) $m->thread_id, 'thread_id');
    $m->kill($m->thread_id);
    try {
        $m->query('SELECT 1');
        same(true, false, 'a killed connection');
    } catch (mysqli_sql_exception $e) {
        same($e->getCode(), 2006, 'a killed connection');
    }
}

// Persistent connections are reset by COM_CHANGE_USER when they are used again.
for ($i = 0; $i < 3; $i++) {
    $m = new mysqli('p:' . $host, 'app', 'app', 'shop', $port);
    same(value($m, 'SELECT @b IS NULL'), '1', 'a persistent connection');
    $m->query('SET @b = 1');
    $id = $m->thread_id;
    if ($i > 0) {
        same($id, $last, 'a persistent connection');
    }
    $last = $id;
    $m->close();
}
echo "done\n";
