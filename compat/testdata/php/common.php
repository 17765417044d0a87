<?php
// What all scripts share: they print what they see, and what is printed must be the same on
// every server. Arguments: host, port, schema, mode (see each script).
[, $host, $port, $schema, $mode] = $argv;
$port = (int)$port;

// say prints a value, with its type.
function say(string $what, mixed $value): void {
    echo $what, ': ', short(json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION)), "\n";
}

function short(string $s): string {
    return strlen($s) <= 2000 ? $s : substr($s, 0, 200) . '… ' . strlen($s) . ' ' . md5($s);
}

// attempt prints what a function gives, or its exception.
function attempt(string $what, callable $f): mixed {
    try {
        $value = $f();
        say($what, $value instanceof mysqli_result || $value instanceof mysqli_stmt || $value instanceof PDOStatement ? get_class($value) : $value);
        return $value;
    } catch (mysqli_sql_exception $e) {
        say($what . ' throws', [$e->getCode(), $e->getSqlState(), $e->getMessage()]);
    } catch (PDOException $e) {
        say($what . ' throws', [$e->getCode(), $e->errorInfo, $e->getMessage()]);
    }
    return null;
}

// tables are made once by each run. Through Sluice members is sharded by id, posts by
// member_id, blobs by id; labels is a reference table.
const TABLES = [
    'DROP TABLE IF EXISTS posts', 'DROP TABLE IF EXISTS members', 'DROP TABLE IF EXISTS labels', 'DROP TABLE IF EXISTS blobs', 'DROP TABLE IF EXISTS notes',
    "CREATE TABLE members (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, email VARCHAR(100), born DATE, score DOUBLE, credit DECIMAL(12,3) NOT NULL DEFAULT '0.000',
        kind ENUM('guest','staff','root') NOT NULL DEFAULT 'guest', flags SET('a','b','c') NOT NULL DEFAULT '', seen TIMESTAMP NULL, big BIGINT UNSIGNED, small TINYINT(1), bits BIT(8), body TEXT, raw VARBINARY(20), y YEAR, t TIME(3), dt DATETIME(6), f FLOAT,
        KEY name (name)) DEFAULT CHARSET=utf8mb4",
    "CREATE TABLE posts (post_id BIGINT NOT NULL AUTO_INCREMENT, member_id INT UNSIGNED NOT NULL, title VARCHAR(100) NOT NULL, likes INT NOT NULL DEFAULT 0, PRIMARY KEY (post_id), KEY (member_id)) DEFAULT CHARSET=utf8mb4",
    "CREATE TABLE labels (code CHAR(2) NOT NULL PRIMARY KEY, label VARCHAR(40) NOT NULL) DEFAULT CHARSET=utf8mb4",
    "CREATE TABLE blobs (id INT NOT NULL PRIMARY KEY, b LONGBLOB) DEFAULT CHARSET=utf8mb4",
    "CREATE TABLE notes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(100), n INT) DEFAULT CHARSET=utf8mb4",
];
