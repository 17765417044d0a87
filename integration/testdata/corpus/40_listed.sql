# What docs/SQL.md lists. "#! doc NAME" puts the statements from there to the next empty line into the list NAME; any file of the
# corpus may do so. The ways and refusals in the document are written by: go test ./integration -run TestDiffCorpus -rewrite
# Tables: t, x (key id), o (key uid, n the second column of its primary key), w (key k), s (name, a _bin string), a (uid, ids of a
# sequence) are sharded, r is a reference table, p is unsharded.
#! doc keys
SELECT * FROM x WHERE id = 5
SELECT * FROM x WHERE id = '5'
SELECT * FROM x WHERE id = 5 AND v > 1 OR id = 5 AND v IS NULL
SELECT * FROM x WHERE id IN (5)
SELECT * FROM x WHERE id IN (1, 2, 3) ORDER BY id
SELECT * FROM x WHERE (id, v) IN ((5, 1), (6, 2)) ORDER BY id
SELECT * FROM x WHERE id = 5 OR id = 6 ORDER BY id
SELECT * FROM x WHERE id = 5 OR v = 3 ORDER BY id
SELECT * FROM x WHERE id BETWEEN 5 AND 5
SELECT * FROM x WHERE id <=> 5
SELECT * FROM x WHERE id = NULL
SELECT * FROM x WHERE id = '5abc'
SELECT * FROM x WHERE id = 0x05
SELECT * FROM x WHERE id = 5e0
SELECT * FROM x WHERE id = 2 + 3
SELECT * FROM x WHERE id = (SELECT 5)
SELECT * FROM x JOIN o ON o.uid = x.id WHERE o.uid = 7 ORDER BY o.n
SELECT n FROM s WHERE name = 'abc'
SELECT n FROM s WHERE name = 'abc  '
SELECT n FROM s WHERE name = 5 ORDER BY n
SELECT n FROM s WHERE name = 'abc' COLLATE utf8mb4_general_ci ORDER BY n
SELECT * FROM r WHERE code = 'de'
SELECT * FROM p ORDER BY id

#! doc order
SELECT id FROM t
SELECT id FROM t WHERE ci LIKE 'a%'
SELECT id, ci FROM t ORDER BY ci, id
SELECT id FROM t ORDER BY ci DESC, id LIMIT 5 OFFSET 3
SELECT id, d AS price FROM t ORDER BY price DESC, 1
SELECT id FROM t ORDER BY i IS NULL, i + ti, id
SELECT id FROM t ORDER BY FIELD(id, 5, 3, 7), id
#! size
SELECT id FROM t LIMIT 10
SELECT DISTINCT i FROM t
SELECT DISTINCT i, ti FROM t ORDER BY ti DESC, i LIMIT 5
SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 3
SELECT id FROM t ORDER BY RAND() > 2, id
SELECT * FROM x WHERE v = 1 ORDER BY id FOR UPDATE

#! doc groups
SELECT COUNT(*), SUM(d), AVG(d), MIN(ts), MAX(e) FROM t
SELECT COUNT(*) FROM t WHERE id = 5
SELECT i, COUNT(*) AS c, SUM(d) FROM t GROUP BY i ORDER BY c DESC, i LIMIT 3
SELECT YEAR(dt), AVG(i) FROM t GROUP BY YEAR(dt) ORDER BY 1
SELECT SUM(i) / COUNT(*) FROM t
SELECT i, COUNT(*) FROM t GROUP BY i HAVING COUNT(*) > 3 ORDER BY i
SELECT uid, COUNT(*) AS c FROM o GROUP BY uid HAVING c > 2 ORDER BY uid
SELECT i, COUNT(*) FROM t GROUP BY i WITH ROLLUP
SELECT COUNT(DISTINCT i), SUM(DISTINCT i) FROM t
SELECT COUNT(DISTINCT id) FROM t
SELECT uid, GROUP_CONCAT(code ORDER BY n) FROM o GROUP BY uid ORDER BY uid
SELECT GROUP_CONCAT(DISTINCT i ORDER BY i SEPARATOR '/') FROM t
SELECT JSON_ARRAYAGG(id) FROM x WHERE id = 5
SELECT STDDEV(i), VARIANCE(ti) FROM t
SELECT BIT_OR(ti), BIT_AND(ti), BIT_XOR(ti) FROM t

#! doc joins
SELECT x.id, o.n FROM x JOIN o ON o.uid = x.id ORDER BY x.id, o.n
SELECT x.id, o.n FROM x LEFT JOIN o USING (n) WHERE 1 = 0
SELECT x.id, o.n FROM x LEFT JOIN o ON o.uid = x.id ORDER BY x.id, o.n
SELECT x.id, r.name FROM x LEFT JOIN r ON r.n = x.v ORDER BY x.id
SELECT r.code, COUNT(x.id) FROM r LEFT JOIN x ON x.v = r.n GROUP BY r.code ORDER BY r.code
SELECT l.id, m.id FROM x l JOIN x m ON l.v = m.v WHERE l.id < m.id ORDER BY l.id, m.id
SELECT x.id, o.uid FROM x JOIN o ON o.n = x.v WHERE o.amount > 40 ORDER BY x.id, o.uid
SELECT p.id, x.v FROM p JOIN x ON x.id = p.i ORDER BY p.id, x.id

#! doc nested
SELECT id FROM x WHERE id IN (SELECT uid FROM o WHERE n = 3) ORDER BY id
SELECT id FROM x WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = x.id) ORDER BY id
SELECT id, (SELECT COUNT(*) FROM o WHERE o.uid = x.id) FROM x WHERE id = 7
SELECT id FROM x WHERE v IN (SELECT n FROM r) ORDER BY id
SELECT id FROM x WHERE v > (SELECT AVG(v) FROM x) ORDER BY id
SELECT id FROM x WHERE v >= ALL (SELECT n FROM o) ORDER BY id
SELECT MAX(c) FROM (SELECT uid, COUNT(*) AS c FROM o GROUP BY uid) AS q
SELECT id FROM x WHERE id = 1 UNION SELECT id FROM x WHERE id = 2 ORDER BY id
SELECT v FROM x UNION SELECT n FROM o ORDER BY v
SELECT v FROM x EXCEPT SELECT n FROM o
SELECT v FROM x INTERSECT SELECT n FROM o
WITH q AS (SELECT v, COUNT(*) AS c FROM x GROUP BY v) SELECT * FROM q WHERE c > 2 ORDER BY v
WITH RECURSIVE q AS (SELECT id, v FROM x WHERE id = 1 UNION SELECT x.id, x.v FROM q JOIN x ON x.id = q.v + 1) SELECT * FROM q ORDER BY id
SELECT id, RANK() OVER (ORDER BY v) FROM x ORDER BY id
SELECT uid, n, SUM(amount) OVER (PARTITION BY uid ORDER BY n) FROM o WHERE uid = 7 ORDER BY n
SELECT id FROM x WHERE v = 1 AND id IN (SELECT uid FROM o) ORDER BY id FOR UPDATE

#! doc inserts
INSERT INTO x (id, v) VALUES (200, 1)
INSERT INTO x VALUES (201, 1, 'a'), (202, 2, 'b'), (203, 3, 'c'), (204, 4, 'd'), (205, 5, 'e'), (206, 6, 'f')
INSERT INTO x SET id = 207, v = DEFAULT
INSERT IGNORE INTO x VALUES (200, 9, 'ignored'), (208, 9, 'new'), (209, 9, 'new')
INSERT INTO x VALUES (200, 1, 'a'), (210, 2, 'b') ON DUPLICATE KEY UPDATE v = v + 1
REPLACE INTO x VALUES (200, 1, 'a'), (211, 2, 'b')
INSERT INTO x VALUES (212 + 0, 1, 'a')
INSERT INTO a (uid, name) VALUES (7, 'id from the sequence'), (8, 'and another')
INSERT INTO r VALUES ('q1', 'on every shard', 90)
INSERT INTO p (i, name) VALUES (1, 'unsharded')
INSERT INTO x (id, v) SELECT uid + 0, n FROM o WHERE uid = 7 AND n = 100
INSERT INTO x (id, v) SELECT id, v FROM x WHERE id = 5 AND v = 1000
INSERT INTO p (i) SELECT n FROM r WHERE n = 90

#! doc updates
UPDATE x SET v = v + 1 WHERE id = 5
UPDATE x SET v = v + 1 WHERE id IN (1, 2, 3)
UPDATE x SET v = v + 1 WHERE v = 2
UPDATE x SET txt = 'all'
UPDATE x JOIN o ON o.uid = x.id SET x.v = o.n WHERE x.id = 7
UPDATE x JOIN r ON r.n = x.v SET x.txt = r.name
UPDATE r SET n = n + 100
UPDATE x SET v = (SELECT COUNT(*) FROM o WHERE o.uid = 7) WHERE id = 7
DELETE FROM x WHERE id = 5
DELETE FROM x WHERE v = 3
DELETE FROM x WHERE id = 6 ORDER BY id LIMIT 1
DELETE x, o FROM x JOIN o ON o.uid = x.id WHERE x.id = 9
UPDATE x SET v = 1 WHERE v > 1 ORDER BY v, id LIMIT 3
DELETE FROM x ORDER BY id DESC LIMIT 2
UPDATE x SET v = (SELECT COUNT(*) FROM o)
DELETE FROM o WHERE uid IN (SELECT v FROM x)
UPDATE x JOIN t ON t.i = x.v SET x.txt = t.nm, t.ti = 3
UPDATE x JOIN p ON p.i = x.id SET x.txt = p.name, p.name = 'both'
UPDATE x JOIN r ON r.n > x.id SET x.txt = 'below', r.name = 'above'
DELETE q FROM x AS q LEFT JOIN o AS z ON z.n = q.id WHERE z.n IS NULL
UPDATE p SET name = (SELECT MAX(v) FROM x)
UPDATE r SET name = 'first' ORDER BY code LIMIT 1
UPDATE x SET id = 1000 WHERE id = 3
UPDATE w SET k = k + 1 ORDER BY k DESC

#! doc schema
CREATE TABLE docs1 (id INT PRIMARY KEY, v INT)
CREATE TABLE docs2 (tenant_id INT PRIMARY KEY, v INT)
ALTER TABLE docs2 ADD COLUMN w INT, ADD KEY (v)
CREATE INDEX w ON docs2 (w)
TRUNCATE TABLE docs2
CREATE TABLE docs3 LIKE docs2
DROP TABLE docs2, docs3
DROP TABLE IF EXISTS docs1
SHOW COLUMNS FROM x
#! mariadb
SHOW TABLES
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME

#! doc session
#! text
SHOW WARNINGS
SET NAMES utf8mb4
SET sql_mode = DEFAULT, time_zone = '+00:00'
SET @v = 5
SELECT * FROM x WHERE id = @v
SELECT LAST_INSERT_ID() > 0
SELECT CONNECTION_ID() > 0
SELECT 1
USE shop
DO 1
#! text
SET GLOBAL max_connections = 10
