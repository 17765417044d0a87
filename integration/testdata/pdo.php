<?php
// What a PHP application does with PDO. Arguments: host, port, "emulated" or "native".
[$host, $port, $mode] = [$argv[1], (int)$argv[2], $argv[3]];
function check(string $what, mixed $got, mixed $want): void {
    if ($got !== $want) {
        fwrite(STDERR, "$what: got " . var_export($got, true) . ", want " . var_export($want, true) . "\n");
        exit(1);
    }
    echo "ok $what\n";
}
$base = $mode === "native" ? 8000 : 9000;
$db = new PDO("mysql:host=$host;port=$port;dbname=shop;charset=utf8mb4", "app", "app", [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_EMULATE_PREPARES => $mode === "emulated",
    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
]);
$del = $db->prepare("DELETE FROM users WHERE user_id = ?");
$ins = $db->prepare("INSERT INTO users (user_id, name, email, country) VALUES (:id, :name, :email, :country)");
for ($i = 1; $i <= 20; $i++) {
    $del->execute([$base + $i]);
    $ins->execute(["id" => $base + $i, "name" => "it's $i", "email" => "back\\slash", "country" => null ?? "nl"]);
    check("insert $i", $ins->rowCount(), 1);
}
$sel = $db->prepare("SELECT user_id, name, email FROM users WHERE user_id = ?");
for ($i = 1; $i <= 20; $i += 7) {
    $sel->execute([$base + $i]);
    check("select $i", $sel->fetchAll(), [["user_id" => $base + $i, "name" => "it's $i", "email" => "back\\slash"]]);
}
$sel = $db->prepare("SELECT user_id FROM users WHERE user_id BETWEEN ? AND ? ORDER BY user_id DESC LIMIT 3");
$sel->bindValue(1, $base + 1, PDO::PARAM_INT);
$sel->bindValue(2, $base + 20, PDO::PARAM_INT);
$sel->execute();
check("merge", $sel->fetchAll(PDO::FETCH_COLUMN), [$base + 20, $base + 19, $base + 18]);
$sel = $db->prepare("SELECT user_id FROM users WHERE user_id IN (?, ?, ?) ORDER BY user_id");
$sel->execute([$base + 3, $base + 1, $base + 2]);
check("IN", $sel->fetchAll(PDO::FETCH_COLUMN), [$base + 1, $base + 2, $base + 3]);
$n = $db->query("SELECT COUNT(*) AS n FROM users WHERE user_id > $base AND user_id <= $base + 20")->fetch();
check("count", $n, ["n" => 20]);
$db->exec("INSERT INTO orders (user_id, item, amount) VALUES ($base, 'pen', 2.25)");
$id = $db->lastInsertId();
$row = $db->query("SELECT order_id, amount FROM orders WHERE user_id = $base AND order_id = $id")->fetch();
check("lastInsertId", $row, ["order_id" => (int)$id, "amount" => "2.25"]);

$db->beginTransaction();
$db->exec("UPDATE users SET name = 'changed' WHERE user_id = " . ($base + 1));
$db->exec("SAVEPOINT s");
$db->exec("DELETE FROM users WHERE user_id = " . ($base + 1));
$db->exec("ROLLBACK TO SAVEPOINT s");
$db->commit();
$sel = $db->prepare("SELECT name FROM users WHERE user_id = ?");
$sel->execute([$base + 1]);
check("savepoint", $sel->fetchColumn(), "changed");
try {
    $ins->execute(["id" => $base + 1, "name" => "x", "email" => "x", "country" => "x"]);
    check("duplicate key", "no error", "23000");
} catch (PDOException $e) {
    check("duplicate key", [$e->getCode(), $e->errorInfo[1]], ["23000", 1062]);
}
echo "done\n";
