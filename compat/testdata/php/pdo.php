<?php
// Everything of PDO. mode: emulated, native.
require __DIR__ . '/common.php';

function connect(array $options = [], string $user = 'app', string $password = 'app'): PDO {
    global $host, $port, $schema, $mode;
    return new PDO("mysql:host=$host;port=$port;dbname=$schema;charset=utf8mb4", $user, $password, $options + [
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => $mode === 'emulated', PDO::MYSQL_ATTR_LOCAL_INFILE => true, PDO::ATTR_TIMEOUT => 20]);
}

$db = connect();
foreach (TABLES as $sql) {
    $db->exec($sql);
}
foreach (['CLIENT_VERSION', 'CONNECTION_STATUS', 'SERVER_VERSION', 'DRIVER_NAME', 'AUTOCOMMIT', 'CASE', 'ORACLE_NULLS', 'PERSISTENT'] as $a) {
    attempt($a, fn() => $db->getAttribute(constant("PDO::ATTR_$a")));
}
say('quote', [$db->quote("it's \\ \0 \n é 😀"), $db->quote("\xff\xfe")]);
$ins = $db->prepare("INSERT INTO members (name, email, born, score, credit, big, body, raw) VALUES (:name, :email, :born, :score, :credit, :big, :body, :raw)");
foreach ([['o\'ne', 'a@x', '2001-02-03', '1.5', '2.345', '18446744073709551615', "тело 😀", "\x00\xff"], ['two', null, null, null, '0', null, '', ''], ['back\\slash "q"', 'b', '1999-12-31', '-1e10', '-5.5', '7', str_repeat('x', 1000), "'"]] as $row) {
    $names = [':name', ':email', ':born', ':score', ':credit', ':big', ':body', ':raw'];
    attempt('insert', fn() => [$ins->execute(array_combine($names, $row)), $ins->rowCount(), $db->lastInsertId()]);
}
$ins = $db->prepare("INSERT INTO members (name, email) VALUES (?, ?), (?, ?), (?, ?)");
attempt('three rows', fn() => [$ins->execute(['x', 'y', 'z', null, 'w', 'v']), $ins->rowCount(), $db->lastInsertId()]);
$db->exec("INSERT INTO posts (member_id, title, likes) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (1, 'd', 4), (4, 'e', 5), (6, 'f', 6)");
$db->exec("INSERT INTO labels VALUES ('de', 'Deutsch'), ('fr', 'Français')");
say('lastInsertId of several', $db->lastInsertId());
$st = $db->prepare("SELECT * FROM members WHERE id = ?");
foreach ([1, '2', 99, null] as $id) {
    $st->execute([$id]);
    say('by id ' . json_encode($id), [$st->rowCount(), $st->columnCount(), $st->fetchAll(PDO::FETCH_ASSOC)]);
}
$meta = function (PDOStatement $st): array {
    $out = [];
    for ($i = 0; $i < $st->columnCount(); $i++) {
        $out[] = $st->getColumnMeta($i);
    }
    return $out;
};
say('meta', $meta($st));
foreach ([PDO::PARAM_INT, PDO::PARAM_STR, PDO::PARAM_BOOL, PDO::PARAM_NULL, PDO::PARAM_LOB] as $type) {
    $st->bindValue(1, 1, $type);
    attempt("bindValue $type", fn() => [$st->execute(), count($st->fetchAll())]);
}
$queries = [
    "SELECT id, name FROM members ORDER BY name DESC, id LIMIT 3 OFFSET 1" => [],
    "SELECT name, credit FROM members WHERE credit BETWEEN ? AND ? ORDER BY credit, id" => ['-10', '10'],
    "SELECT m.name, p.title FROM members m JOIN posts p ON p.member_id = m.id WHERE m.id = ? ORDER BY p.post_id" => [1],
    "SELECT m.name, COUNT(p.post_id) n, SUM(likes) FROM members m LEFT JOIN posts p ON p.member_id = m.id GROUP BY m.id, m.name HAVING n >= ? ORDER BY n DESC, m.name" => [1],
    "SELECT title FROM posts WHERE member_id IN (SELECT id FROM members WHERE name LIKE ?) ORDER BY title" => ['%o%'],
    "SELECT a.name, b.name FROM members a, members b WHERE a.id = b.id + ? ORDER BY 1, 2" => [1],
    "SELECT COUNT(*), SUM(credit), AVG(likes), GROUP_CONCAT(title ORDER BY title) FROM members JOIN posts ON member_id = id WHERE title <> ?" => ['zz'],
    "SELECT name FROM members WHERE id = ? UNION ALL SELECT title FROM posts WHERE post_id = ? ORDER BY 1" => [1, 2],
    "SELECT code, label FROM labels WHERE code = ?" => ['fr'],
    "SELECT ? AS a, CAST(? AS UNSIGNED) AS b, CONCAT(?, 'x') AS c" => ['1', '2', '3'],
    "WITH t AS (SELECT member_id, SUM(likes) s FROM posts GROUP BY member_id) SELECT name, s FROM t JOIN members ON id = member_id WHERE s > ? ORDER BY s, name" => [2],
    "SELECT name, ROW_NUMBER() OVER (ORDER BY name, id) rn FROM members WHERE id < ? ORDER BY rn" => [5],
];
foreach ($queries as $sql => $params) {
    attempt($sql, function () use ($db, $sql, $params, $meta) {
        $st = $db->prepare($sql);
        $st->execute($params);
        return [$st->rowCount(), $meta($st), $st->fetchAll(PDO::FETCH_NUM)];
    });
}
$q = fn() => $db->query("SELECT id, name, credit FROM members ORDER BY id");
say('FETCH_KEY_PAIR', $db->query("SELECT id, name FROM members ORDER BY id")->fetchAll(PDO::FETCH_KEY_PAIR));
say('FETCH_GROUP', $db->query("SELECT member_id, title FROM posts ORDER BY post_id")->fetchAll(PDO::FETCH_GROUP | PDO::FETCH_COLUMN));
say('FETCH_UNIQUE', $q()->fetchAll(PDO::FETCH_UNIQUE | PDO::FETCH_ASSOC));
say('FETCH_OBJ', $q()->fetch(PDO::FETCH_OBJ));
say('FETCH_BOTH', $q()->fetch(PDO::FETCH_BOTH));
say('FETCH_COLUMN', $q()->fetchAll(PDO::FETCH_COLUMN, 1));
say('iterate', array_map(fn($r) => $r[1], iterator_to_array($q())));
$st = $db->query("SELECT id, name FROM members ORDER BY id");
$st->bindColumn(1, $id, PDO::PARAM_INT);
$st->bindColumn('name', $name);
$st->fetch(PDO::FETCH_BOUND);
say('bindColumn', [$id, $name]);
$st = $db->prepare("SELECT id FROM members ORDER BY id", [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
attempt('scroll', fn() => [$st->execute(), $st->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_NEXT), $st->closeCursor()]);

$un = connect([PDO::MYSQL_ATTR_USE_BUFFERED_QUERY => false]);
$st = $un->query("SELECT id FROM members ORDER BY id");
$st->fetch();
attempt('unbuffered and another', fn() => $un->query("SELECT 1")->fetchAll());
$st->closeCursor();
attempt('after closeCursor', fn() => $un->query("SELECT 1")->fetchAll());
$str = connect([PDO::ATTR_STRINGIFY_FETCHES => true]);
say('stringified', $str->query("SELECT id, credit, score, 1 + 1 FROM members WHERE id = 1")->fetch(PDO::FETCH_NUM));
$found = connect([PDO::MYSQL_ATTR_FOUND_ROWS => true]);
say('found rows', [$db->exec("UPDATE members SET credit = credit WHERE id < 4"), $found->exec("UPDATE members SET credit = credit WHERE id < 4")]);
$comp = connect([PDO::MYSQL_ATTR_COMPRESS => true]);
say('compressed', [$comp->query("SELECT COUNT(*) FROM members")->fetchColumn(), strlen($comp->query("SELECT REPEAT('x', 300000)")->fetchColumn())]);
$init = connect([PDO::MYSQL_ATTR_INIT_COMMAND => "SET sql_mode = 'ANSI', @i = 3"]);
say('init', $init->query('SELECT @@sql_mode, @i, "id" FROM members WHERE id = 1')->fetch(PDO::FETCH_NUM));
$p = connect([PDO::ATTR_PERSISTENT => true]);
$id = $p->query("SELECT CONNECTION_ID()")->fetchColumn();
unset($p);
$p = connect([PDO::ATTR_PERSISTENT => true]);
say('persistent', $p->query("SELECT CONNECTION_ID()")->fetchColumn() === $id);
if ($mode === 'emulated') {
    $st = $db->query("SELECT 1; SELECT name FROM members WHERE id = 2; UPDATE members SET credit = 1 WHERE id = 1; SELECT 'last'");
    $sets = [];
    do {
        $sets[] = [$st->columnCount(), $st->columnCount() ? $st->fetchAll(PDO::FETCH_NUM) : $st->rowCount()];
    } while ($st->nextRowset());
    say('rowsets', $sets);
}
$single = connect([PDO::MYSQL_ATTR_MULTI_STATEMENTS => false]);
attempt('multi is off', fn() => $single->query("SELECT 1; SELECT 2")->fetchAll());

say('begin', [$db->inTransaction(), $db->beginTransaction(), $db->inTransaction()]);
attempt('begin again', fn() => $db->beginTransaction());
$db->exec("UPDATE members SET credit = 100 WHERE id = 1");
$db->exec("UPDATE members SET credit = 200 WHERE id = 2");
$db->exec("SAVEPOINT a");
$db->exec("UPDATE members SET credit = 300");
$db->exec("ROLLBACK TO a");
say('commit', [$db->commit(), $db->inTransaction(), $db->query("SELECT credit FROM members ORDER BY id")->fetchAll(PDO::FETCH_COLUMN)]);
$db->beginTransaction();
$db->exec("DELETE FROM posts");
say('rollback', [$db->rollBack(), $db->query("SELECT COUNT(*) FROM posts")->fetchColumn()]);
$db->beginTransaction();
$db->exec("INSERT INTO members (name) VALUES ('before DDL')");
$db->exec("CREATE TABLE made (a INT)");
say('implicit commit', $db->inTransaction());
attempt('roll back after DDL', fn() => $db->rollBack());
$db->exec("DROP TABLE made");
$db->setAttribute(PDO::ATTR_AUTOCOMMIT, 0);
$db->exec("UPDATE members SET credit = 5");
say('autocommit off', [$db->inTransaction(), $db->rollBack(), $db->query("SELECT MAX(credit) FROM members")->fetchColumn()]);
$db->setAttribute(PDO::ATTR_AUTOCOMMIT, 1);

foreach (["INSERT INTO members (id, name) VALUES (1, 'dup')", "SELEKT", "SELECT * FROM nowhere", "SELECT nocolumn FROM members", "INSERT INTO posts (title) VALUES (NULL)", "INSERT INTO labels VALUES ('x', 'y'), ('x', 'z')", "SELECT * FROM members WHERE id = (SELECT member_id FROM posts)", "CALL nothing()", "SELECT a.b.c FROM members"] as $sql) {
    attempt($sql, fn() => $db->exec($sql));
    attempt("prepared $sql", fn() => $db->prepare($sql)->execute());
}
attempt('too few parameters', fn() => $db->prepare("SELECT ?, ?")->execute([1]));
attempt('no such name', fn() => $db->prepare("SELECT :a")->execute(['b' => 1]));
$silent = connect([PDO::ATTR_ERRMODE => PDO::ERRMODE_SILENT]);
say('silent', [$silent->query("SELECT * FROM nowhere"), $silent->errorCode(), $silent->errorInfo()]);

$blob = $db->prepare("INSERT INTO blobs VALUES (?, ?)");
$file = tmpfile();
fwrite($file, random_bytes(1000) . str_repeat("\0\xff'\\", 100000));
rewind($file);
$sum = md5(stream_get_contents($file));
rewind($file);
$blob->bindValue(1, 1, PDO::PARAM_INT);
$blob->bindParam(2, $file, PDO::PARAM_LOB);
attempt('LOB', fn() => [$blob->execute(), md5($db->query("SELECT b FROM blobs WHERE id = 1")->fetchColumn()) === $sum]);
$large = str_repeat("PDO\0'", (17 << 20) / 5);
attempt('more than a packet', fn() => [$blob->execute([2, $large]), md5($db->query("SELECT b FROM blobs WHERE id = 2")->fetchColumn()) === md5($large)]);
$db->exec("DELETE FROM blobs");
$csv = tempnam(sys_get_temp_dir(), 'load');
file_put_contents($csv, "a\t1\nb\t2\n\\N\t3\n");
attempt('LOAD DATA LOCAL', fn() => [$db->exec("LOAD DATA LOCAL INFILE " . $db->quote($csv) . " INTO TABLE notes (note, n)"), $db->query("SELECT note, n FROM notes ORDER BY n")->fetchAll(PDO::FETCH_NUM)]);
unlink($csv);
attempt('wrong password', fn() => connect([], 'app', 'wrong') instanceof PDO);
attempt('closed by KILL', function () use ($db) {
    $v = connect();
    $db->exec("KILL " . $v->query("SELECT CONNECTION_ID()")->fetchColumn());
    usleep(100000);
    return $v->query("SELECT 1")->fetchAll();
});
for ($i = 0; $i < 200; $i++) {
    $st = $db->prepare("SELECT name, $i FROM members WHERE id = ?");
    $st->execute([1 + $i % 3]);
    $st->fetchAll();
}
say('many statements', $st->queryString);
$st = $db->prepare("INSERT INTO notes (note, n) VALUES (?, ?)");
$db->beginTransaction();
for ($i = 0; $i < 100; $i++) {
    $st->execute(["note $i", $i]);
}
$db->commit();
say('batch', $db->query("SELECT COUNT(*), SUM(n) FROM notes")->fetch(PDO::FETCH_NUM));
say('done', true);
