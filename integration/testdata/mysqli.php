<?php
// What a PHP application does with mysqli. Arguments: host, port. Prints one line a check.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
[$host, $port] = [$argv[1], (int)$argv[2]];
function check(string $what, mixed $got, mixed $want): void {
    if ($got !== $want) {
        fwrite(STDERR, "$what: got " . var_export($got, true) . ", want " . var_export($want, true) . "\n");
        exit(1);
    }
    echo "ok $what\n";
}
$db = new mysqli($host, "app", "app", "shop", $port);
$db->set_charset("utf8mb4");

$db->query("DELETE FROM users WHERE user_id = 7001");
$db->query("INSERT INTO users (user_id, name, email, country) VALUES (7001, 'Zoë', 'z@example.com', 'de')");
check("affected_rows of an INSERT", $db->affected_rows, 1);
$row = $db->query("SELECT name, email FROM users WHERE user_id = 7001")->fetch_assoc();
check("row by key", $row, ["name" => "Zoë", "email" => "z@example.com"]);

// A sequence gives ids that are unique over all shards; insert_id knows them.
$ids = [];
for ($i = 1; $i <= 5; $i++) {
    $db->query("INSERT INTO orders (user_id, item, amount) VALUES (" . (7000 + $i) . ", 'book', 1.50)");
    $ids[] = $db->insert_id;
}
check("unique ids", count(array_unique($ids)), 5);
check("LAST_INSERT_ID()", (int)$db->query("SELECT LAST_INSERT_ID()")->fetch_row()[0], $ids[4]);

// Native prepared statements, re-executed with other values.
$st = $db->prepare("SELECT user_id, amount FROM orders WHERE user_id = ? AND item = ?");
$item = "book";
foreach ([7001, 7002, 7003] as $user) {
    $st->bind_param("is", $user, $item);
    $st->execute();
    $rows = $st->get_result()->fetch_all(MYSQLI_ASSOC);
    check("prepared, user $user", $rows[0], ["user_id" => $user, "amount" => "1.50"]);
}
$st->close();
$st = $db->prepare("INSERT INTO users (user_id, name, email, country) VALUES (?, ?, ?, ?)");
foreach ([7011, 7012, 7013] as $user) {
    $db->query("DELETE FROM users WHERE user_id = $user");
    $name = "n$user"; $email = "e$user"; $country = "fr";
    $st->bind_param("isss", $user, $name, $email, $country);
    $st->execute();
    check("prepared insert $user", $st->affected_rows, 1);
}
// Rows of all shards, merged.
$rows = $db->query("SELECT user_id FROM users WHERE user_id BETWEEN 7011 AND 7013 ORDER BY user_id DESC LIMIT 2")->fetch_all();
check("merge", array_map(fn($r) => (int)$r[0], $rows), [7013, 7012]);
$st = $db->prepare("SELECT COUNT(*), SUM(amount), MIN(amount) FROM orders WHERE user_id > ? AND item = 'book'");
$floor = 7000;
$st->bind_param("i", $floor);
$st->execute();
check("prepared aggregate", $st->get_result()->fetch_row()[1] >= "7.50", true);

// A cursor.
$st = $db->prepare("SELECT user_id FROM users WHERE user_id = ?");
$st->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
$user = 7011;
$st->bind_param("i", $user);
$st->execute();
$st->bind_result($got);
check("cursor row", $st->fetch(), true);
check("cursor value", $got, 7011);
check("cursor end", $st->fetch(), null);
$st->close();

// Transactions of one user.
$db->begin_transaction();
$db->query("UPDATE users SET name = 'gone' WHERE user_id = 7011");
$db->rollback();
check("rollback", $db->query("SELECT name FROM users WHERE user_id = 7011")->fetch_row()[0], "n7011");
$db->begin_transaction();
$db->query("UPDATE users SET name = 'kept' WHERE user_id = 7011");
$db->commit();
check("commit", $db->query("SELECT name FROM users WHERE user_id = 7011")->fetch_row()[0], "kept");

// Several statements in one packet.
$db->multi_query("SELECT 1; SELECT name FROM users WHERE user_id = 7012; SET @x = 5; SELECT @x");
$all = [];
do {
    if ($r = $db->store_result()) {
        $all[] = $r->fetch_row()[0];
    }
} while ($db->more_results() && $db->next_result());
check("multi_query", $all, ["1", "n7012", "5"]);

// Errors have their numbers.
foreach (["SELECT * FROM no_such_table" => 1146, "SELEC 1" => 1064,
          "INSERT INTO users (user_id, name, email, country) VALUES (7011, 'x', 'x', 'x')" => 1062] as $sql => $code) {
    try {
        $db->query($sql);
        check("error $code", "no error", $code);
    } catch (mysqli_sql_exception $e) {
        check("error $code", $e->getCode(), $code);
    }
}
check("ping by a statement", $db->query("DO 1"), true);
try {
    $db->change_user("app", "wrong", "shop");
    check("change_user with a wrong password", "no error", 1045);
} catch (mysqli_sql_exception $e) {
    check("change_user with a wrong password", $e->getCode(), 1045);
}
try {
    new mysqli($host, "app", "app", "mysql", $port);
    check("a schema that was not given", "no error", 1044);
} catch (mysqli_sql_exception $e) {
    check("a schema that was not given", $e->getCode(), 1044);
}
echo "done\n";
