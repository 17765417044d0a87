# What random statements have found.
# The session's own results are in the character set of results.
SET NAMES latin1
SELECT 1/0
#! text
SHOW WARNINGS
SHOW DATABASES LIKE 'shop'
SET NAMES utf8mb4
# Of a statement that failed on several shards one error is told.
UPDATE t SET ti = ti + 126
#! text
SHOW WARNINGS
# (MariaDB deletes nothing and warns: of a constant that each shard folds, each warns.)
#! mysql
DELETE FROM o WHERE uid = '1e1' AND uid BETWEEN 'blob' AND - 5
#! text mysql
SHOW ERRORS
#! text mysql
SELECT @@error_count
# Groups on their own shards, in the order of an expression that they are grouped by (only_full_group_by).
#! fold
SELECT uid, LOWER(code), SUM(n) FROM o GROUP BY uid, LOWER(code) ORDER BY uid, LOWER(code)
#! fold
SELECT uid, LOWER(code) AS l, SUM(n) FROM o GROUP BY uid, l ORDER BY l, uid
#! fold
SELECT uid, LOWER(code), SUM(n) FROM o GROUP BY uid, 2 ORDER BY 2, uid
# A temporary table of the session is in nobody's way.
CREATE TEMPORARY TABLE tt (id INT NOT NULL PRIMARY KEY, v INT)
INSERT INTO x (id, v) VALUES (901, 1), (902, 2), (903, 3), (904, 4), (905, 5)
INSERT INTO r (code, name, n) VALUES ('t1', 'temporary', 901)
DROP TEMPORARY TABLE tt
# Parameters that Oracle MySQL counts and does not define.
#! args int:1
SELECT GROUP_CONCAT(n ORDER BY ?) FROM o WHERE uid = 1
#! args int:1
SELECT GROUP_CONCAT(i ORDER BY ?) FROM t WHERE id IN (5, 100)
# FOUND_ROWS() counts the rows that OFFSET has skipped.
SELECT id FROM x ORDER BY id LIMIT 2 OFFSET 3
#! deprecated
SELECT FOUND_ROWS()
SELECT id FROM x ORDER BY id LIMIT 3, 1000
#! deprecated
SELECT FOUND_ROWS()
SELECT id FROM x ORDER BY id LIMIT 2 OFFSET 1000
#! deprecated
SELECT FOUND_ROWS()
SELECT id FROM x ORDER BY id LIMIT 0 OFFSET 3
#! deprecated
SELECT FOUND_ROWS()
#! size
SELECT id FROM x LIMIT 2 OFFSET 3
#! deprecated
SELECT FOUND_ROWS()
SELECT COUNT(*) FROM x LIMIT 1 OFFSET 1
#! deprecated
SELECT FOUND_ROWS()
SELECT v FROM x GROUP BY v ORDER BY v LIMIT 2 OFFSET 1
#! deprecated
SELECT FOUND_ROWS()
SELECT DISTINCT v FROM x ORDER BY v LIMIT 1 OFFSET 2
#! deprecated
SELECT FOUND_ROWS()
SELECT n FROM o WHERE uid = 1 ORDER BY n LIMIT 1 OFFSET 1
#! deprecated
SELECT FOUND_ROWS()
SELECT n FROM o WHERE uid = 1 ORDER BY n LIMIT 1 OFFSET 100
#! deprecated
SELECT FOUND_ROWS()
SELECT code FROM r ORDER BY code LIMIT 2 OFFSET 1
#! deprecated
SELECT FOUND_ROWS()
SELECT code FROM r ORDER BY code LIMIT 0 OFFSET 1
#! deprecated
SELECT FOUND_ROWS()
SELECT id FROM x WHERE v > (SELECT MIN(v) FROM x) ORDER BY id LIMIT 2 OFFSET 1
#! deprecated
SELECT FOUND_ROWS()
(SELECT code FROM r) UNION (SELECT code FROM r) ORDER BY code LIMIT 2 OFFSET 1
#! deprecated
SELECT FOUND_ROWS()
#! args int:2 int:3
SELECT id FROM x ORDER BY id LIMIT ? OFFSET ?
#! deprecated
SELECT FOUND_ROWS()
#! args int:2 int:1
SELECT code FROM r ORDER BY code LIMIT ? OFFSET ?
#! deprecated
SELECT FOUND_ROWS()
# A prepared statement is executed under another collation_connection than it was prepared under.
UPDATE t SET f = 1e30 WHERE id < 20
SELECT CONCAT(n), HEX(n) FROM o WHERE uid = 1 ORDER BY n
SELECT CAST(n AS CHAR) FROM o WHERE uid = 1 ORDER BY n
SELECT CONCAT(n, 'x'), 'x' FROM o WHERE uid = 1 ORDER BY n
SELECT DAYNAME(at) FROM o WHERE uid IN (1, 5, 7) ORDER BY uid, n
SELECT GROUP_CONCAT(n), MAX(code) FROM o WHERE uid = 1
SELECT DATE_FORMAT(at, '%W'), HEX(n), CAST(n AS CHAR), 'x' FROM o WHERE uid = 1 ORDER BY n
SELECT HEX(i), 'x', CONCAT(id) FROM t WHERE ci > 'b' ORDER BY id
SELECT HEX(COUNT(DISTINCT n)), 'x', MAX(CONCAT(n)) FROM o WHERE code <> 'A'
SELECT a.uid, a.n, b.id FROM o a JOIN x b ON b.id <> a.uid WHERE IF(a.n = 1, 'a', 'b') = 'A' ORDER BY a.uid, a.n, b.id LIMIT 5
SELECT COUNT(DISTINCT id), MAX('x') FROM t WHERE f LIKE '%E%'
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT CONCAT(n), HEX(n) FROM o WHERE uid = 1 ORDER BY n
SELECT CAST(n AS CHAR) FROM o WHERE uid = 1 ORDER BY n
SELECT CONCAT(n, 'x'), 'x' FROM o WHERE uid = 1 ORDER BY n
SELECT DAYNAME(at) FROM o WHERE uid IN (1, 5, 7) ORDER BY uid, n
SELECT GROUP_CONCAT(n), MAX(code) FROM o WHERE uid = 1
SELECT DATE_FORMAT(at, '%W'), HEX(n), CAST(n AS CHAR), 'x' FROM o WHERE uid = 1 ORDER BY n
SELECT HEX(i), 'x', CONCAT(id) FROM t WHERE ci > 'b' ORDER BY id
SELECT HEX(COUNT(DISTINCT n)), 'x', MAX(CONCAT(n)) FROM o WHERE code <> 'A'
SELECT a.uid, a.n, b.id FROM o a JOIN x b ON b.id <> a.uid WHERE IF(a.n = 1, 'a', 'b') = 'A' ORDER BY a.uid, a.n, b.id LIMIT 5
SELECT COUNT(DISTINCT id), MAX('x') FROM t WHERE f LIKE '%E%'
SET NAMES utf8mb4
# What sql_mode and the character set change in no prepared statement's meaning.
SELECT id FROM t WHERE NOT i = 5 ORDER BY id
SELECT id FROM t WHERE i = 1 || i = 2 ORDER BY id
SELECT id, sb FROM t WHERE sb IN ('é', 'a\\b') ORDER BY id
SELECT name FROM s WHERE name = 'é'
SET sql_mode = 'ANSI_QUOTES'
SELECT id FROM t WHERE NOT i = 5 ORDER BY id
SELECT id FROM t WHERE i = 1 || i = 2 ORDER BY id
SELECT id, sb FROM t WHERE sb IN ('é', 'a\\b') ORDER BY id
SELECT name FROM s WHERE name = 'é'
SET sql_mode = DEFAULT
SET NAMES latin1
SELECT id FROM t WHERE NOT i = 5 ORDER BY id
SELECT id FROM t WHERE i = 1 || i = 2 ORDER BY id
SET NAMES utf8mb4
# info texts in another language
SET lc_messages = 'de_DE'
UPDATE t SET i = 5 WHERE id IN (1, 2, 3, 4, 5)
UPDATE t SET i = 6 ORDER BY id LIMIT 3
INSERT INTO x (id, v) VALUES (9901, 1), (9902, 2), (9903, 3), (9904, 4), (9905, 5), (9906, 6)
INSERT INTO x (id, v) SELECT id + 100, v FROM x WHERE id > 9900
SET lc_messages = DEFAULT
#! reset
SELECT COUNT(*) FROM x WHERE id > 9900
# A constant that is converted is warned of once, not by each shard.
#! reset
UPDATE w SET c = c + 1 WHERE z IN (27000, 0, 3, '2021-06-15 12:34:56.789')
#! text
SHOW WARNINGS
SET sql_mode = ''
UPDATE t SET ti = 3 WHERE id = '5abc'
#! text
SHOW WARNINGS
#! text
SELECT @@warning_count
#! args str:5abc
DELETE FROM t WHERE id = ?
SET sql_mode = DEFAULT
# A list of times, some of which are none
#! args str:2020-01-01␣00:00:00 str:2021-01-01␣00:00:00
SELECT COUNT(DISTINCT n) FROM o WHERE at IN (?, ?, '100:00:00')
#! args str:2020-01-01␣00:00:00 str:nonsense
SELECT COUNT(DISTINCT id) FROM t WHERE ts IN (?, ?)
#! args str:2020-01-01
SELECT COUNT(DISTINCT id) FROM t WHERE dt = ?
# A READ ONLY transaction refuses a write also when there is nothing to write; constants of INSERT … SELECT
START TRANSACTION READ ONLY
INSERT INTO x (id, v) SELECT id + 500, NULL FROM x WHERE v = 12345678
COMMIT
INSERT IGNORE INTO x (id, v) SELECT id, 1 FROM x WHERE id BETWEEN '2020-01-01' AND '1e1'
# Oracle MySQL compares all of a list as times where one of it is one: strings that are none equal each other then
#! reset
#! args str:abc str: datetime:2020-01-01␣00:00:00 str:bb
SELECT l.uid, (SELECT COUNT(*) FROM s m WHERE m.n = l.uid) FROM o l WHERE l.code IN (?, ?, ?, ?)
#! args str:a'b str:abc datetime:2021-06-15␣12:34:56.789000 str:ABC
SELECT COUNT(DISTINCT v), MAX(n) FROM s WHERE name IS NOT NULL AND name IN (?, ?, ?, ?)
#! args str:abc date:2021-06-15
SELECT n FROM s WHERE name IN (?, ?) ORDER BY n
#! args str:abc date:2021-06-15
SELECT COUNT(DISTINCT n) FROM s WHERE name BETWEEN ? AND ?
#! args str:abc str:abd
SELECT COUNT(DISTINCT n) FROM s WHERE name BETWEEN ? AND ?
#! args str:abc
SELECT COUNT(DISTINCT n) FROM s WHERE name = ?
#! args str:abc date:2021-06-15
UPDATE s SET n = n + 1 WHERE name IN (?, ?)
#! args str:abc date:2021-06-15
UPDATE s SET n = (SELECT COUNT(*) FROM x) WHERE name IN (?, ?)
# READ ONLY of one transaction that a statement over shards opens
#! reset
START TRANSACTION READ ONLY
SET autocommit = 0
SET autocommit = 1
INSERT INTO x (id, v) VALUES (900, 1), (901, 1), (902, 1), (903, 1), (904, 1)
UPDATE x SET v = v + 1
UPDATE x SET v = 1 ORDER BY id LIMIT 2
SELECT COUNT(*) FROM x
INSERT INTO x (id, v) VALUES (900, 1), (901, 1), (902, 1), (903, 1), (904, 1)
DELETE FROM x WHERE id > 899
SET TRANSACTION READ ONLY
UPDATE x SET v = v + 1
COMMIT
UPDATE x SET v = v + 1
SET TRANSACTION READ ONLY
UPDATE r SET n = n + 100
ROLLBACK
UPDATE r SET n = n + 100
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
UPDATE x SET v = v + 1
START TRANSACTION READ ONLY
ROLLBACK AND CHAIN
UPDATE x SET v = v + 1
ROLLBACK AND CHAIN
INSERT INTO x (id, v) VALUES (900, 1), (901, 1), (902, 1), (903, 1), (904, 1)
COMMIT AND CHAIN
SELECT COUNT(*) FROM x
ROLLBACK
UPDATE x SET v = v + 1
START TRANSACTION READ ONLY
SET autocommit = 0
ROLLBACK AND CHAIN
SET autocommit = 1
UPDATE x SET v = v + 1
SELECT COUNT(*) FROM x
UPDATE x SET v = v + 1
# An error of preparing is the one that SHOW WARNINGS tells
#! reset
SELECT id FROM nothing1
#! text
SHOW WARNINGS
SELECT id, COUNT(*) FROM nothing2 GROUP BY id
#! text
SHOW WARNINGS
SELECT v FROM x WHERE id =
#! text
SHOW WARNINGS
# MariaDB's prepared statements keep what they found out of their subqueries: no other client may meet that
#! session
#! args str:zz str:a
SELECT id FROM x WHERE txt NOT IN (SELECT name FROM r WHERE name BETWEEN ? AND ?)
#! session
#! args str:a str:e
SELECT id FROM x WHERE txt NOT IN (SELECT name FROM r WHERE name BETWEEN ? AND ?)
#! session
#! args str:zz str:a
SELECT id FROM x WHERE id = 7 AND txt NOT IN (SELECT name FROM r WHERE name BETWEEN ? AND ?)
#! session
#! args str:a str:e
SELECT id FROM x WHERE id = 7 AND txt NOT IN (SELECT name FROM r WHERE name BETWEEN ? AND ?)
# An unsharded table gets rows of sharded ones: Oracle MySQL allows no temporary tables beside such a write
#! reset
#! args int:2
REPLACE INTO p (i, name) SELECT id, txt FROM x WHERE v > ?
REPLACE INTO p (i, name) SELECT id, txt FROM x WHERE v > 2
BEGIN
UPDATE x SET v = v + 1
#! args str:e int:2
INSERT INTO p (i, name) SELECT id, ? FROM x WHERE v > ?
ROLLBACK
# FOUND_ROWS() after INSERT … SELECT is what its SELECT gave.
#! reset
INSERT IGNORE INTO x (id, v) SELECT id + 1, v FROM x
#! deprecated
SELECT FOUND_ROWS()
INSERT INTO x (id, v) SELECT id + 5000, v FROM x WHERE id < 5
#! deprecated
SELECT FOUND_ROWS()
REPLACE INTO x (id, v) SELECT id, i FROM t
#! deprecated
SELECT FOUND_ROWS()
INSERT INTO p (i, name) SELECT id, 'found' FROM x WHERE id IN (5, 6)
#! deprecated
SELECT FOUND_ROWS()
INSERT INTO x (id, v) SELECT id + 9000, v FROM x WHERE id = 5
#! deprecated
SELECT FOUND_ROWS()
INSERT INTO x (id, v) VALUES (9991, 1), (9992, 2), (9993, 3)
#! deprecated
SELECT ROW_COUNT(), FOUND_ROWS()
