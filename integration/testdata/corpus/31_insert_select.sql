# INSERT … SELECT within and across shards: rows of one shard, of all, joined, grouped, ordered.
#! doc inserts
INSERT INTO x (id, v) SELECT id, i FROM t WHERE id > 60
INSERT INTO x (id, v) SELECT id + 1000, i FROM t
INSERT INTO x SELECT id + 2000, v, txt FROM x WHERE id < 40
INSERT INTO x (id, v, txt) SELECT uid + 3000, COUNT(*), MAX(code) FROM o GROUP BY uid
INSERT INTO x (id, v) SELECT 4000 + n, COUNT(DISTINCT uid) FROM o GROUP BY n
INSERT INTO x (id, v) SELECT id + 5000, i FROM t ORDER BY id LIMIT 7
INSERT INTO x (id, v) SELECT id + 5100, i FROM t ORDER BY i DESC, id LIMIT 5 OFFSET 3
INSERT INTO x (id, v) SELECT t.id + 6000, o.n FROM t JOIN o ON t.i = o.n AND o.uid = 3
INSERT INTO x (id, v) SELECT t.id + 7000, r.n FROM t JOIN r ON t.i = r.n
INSERT INTO x (id, v) SELECT 8000 + n, n FROM r WHERE n IS NOT NULL
INSERT INTO x (id, v) SELECT 8500 + id, i FROM p
INSERT INTO x (id, v) SELECT id + 9000, i FROM t WHERE id < 5 UNION ALL SELECT uid + 9100, n FROM o WHERE n = 1
INSERT INTO x (id, v) SELECT id + 9500, (SELECT MAX(n) FROM o WHERE o.uid = t.id) FROM t
INSERT INTO x (id, v) WITH q AS (SELECT id, i FROM t) SELECT a.id + 10000, b.i FROM q a JOIN q b ON a.id = b.id
INSERT INTO x (id) SELECT 10500 + ROW_NUMBER() OVER (ORDER BY id) FROM t
INSERT INTO x SELECT 11000, 1, 'one row' FROM t WHERE id = 1
INSERT INTO x SELECT 11001, 1, 'no row' FROM t WHERE id = -1

SELECT COUNT(*), SUM(id), SUM(v) FROM x
# Errors, and that nothing is left of them. (Which of several duplicates is met first depends on the order of the rows.)
INSERT INTO x (id, v) SELECT IF(id = 5, 1005, id + 11000), i FROM t
INSERT INTO x (id, v) SELECT 12000, i FROM t WHERE id < 9
INSERT INTO x (id, v) SELECT id + 12000 FROM t
INSERT INTO x (id, nothing) SELECT id, i FROM t
INSERT INTO x (id, v) SELECT id + 12000, nothing FROM t
INSERT INTO x (id, v) SELECT NULL, i FROM t WHERE id = 1
INSERT INTO x (v) SELECT i FROM t WHERE id = 1
INSERT INTO x (id, v) SELECT 99999999999 + id, i FROM t
INSERT INTO x (id, v) SELECT 12000 + id, ci FROM t WHERE id < 4
INSERT INTO w (k, b) SELECT 12000 + id, CONCAT('a text that is too long ', id) FROM t
INSERT INTO w (k, a) SELECT 12000 + id, 1000 FROM t
SELECT COUNT(*) FROM x WHERE id >= 12000
# IGNORE, REPLACE, ON DUPLICATE KEY UPDATE.
INSERT IGNORE INTO x (id, v) SELECT id + 1000, i FROM t
INSERT IGNORE INTO x (id, v) SELECT id + 990, i FROM t
INSERT IGNORE INTO x (id, v) SELECT 13000 + id, ci FROM t WHERE id < 4
INSERT IGNORE INTO x (id, v) SELECT MOD(id, 3) + 13100, 1 FROM t
INSERT IGNORE INTO w (k, b) SELECT 13000 + id, CONCAT('a text that is too long ', id) FROM t WHERE id < 5
REPLACE INTO x (id, v) SELECT id + 1000, 77 FROM t
REPLACE INTO x (id, v) SELECT id + 13200, 77 FROM t
INSERT INTO x (id, v) SELECT id + 990, 5 FROM t ON DUPLICATE KEY UPDATE v = VALUES(v) + 1
INSERT INTO x (id, v) SELECT t.id + 1000, 5 FROM t ON DUPLICATE KEY UPDATE txt = CONCAT('dup ', x.id), v = x.v + VALUES(v)
INSERT INTO x (id, v) SELECT id + 1000, i FROM t ON DUPLICATE KEY UPDATE v = x.v
INSERT INTO x (id, v) SELECT id + 1000, v FROM w JOIN x USING (v) ON DUPLICATE KEY UPDATE v = 1
INSERT INTO x (id, v) SELECT id + 1000, i FROM t ON DUPLICATE KEY UPDATE nothing = 1
INSERT INTO x (id, v) SELECT y.id + 1000, y.v FROM x y ON DUPLICATE KEY UPDATE v = v + 1
SELECT COUNT(*), SUM(id), SUM(v) FROM x
SELECT id, v, txt FROM x WHERE id < 1010 ORDER BY id
# All types, as they are.
INSERT INTO t SELECT id + 500, i, u, d, f, g, ci, sb, dt, ts, ti, e, st, bt, js, bl FROM t WHERE id < 20
INSERT INTO t (id, i, d, f, ci, dt, e) SELECT 600 + id, v, v / 3, v / 7, txt, '2020-01-01', 'small' FROM x WHERE id < 30
INSERT INTO t (id, ts, dt, bl) SELECT 700 + uid, '2021-03-04 05:06:07', '2021-03-04 05:06:07', code FROM o WHERE n = 1
SELECT * FROM t WHERE id >= 500 ORDER BY id
# Ids of the cluster.
INSERT INTO a (uid, name) SELECT id, ci FROM t WHERE id < 10
SELECT LAST_INSERT_ID() > 0
SELECT name FROM a WHERE id = LAST_INSERT_ID() AND uid < 0
INSERT INTO a (id, uid, name) SELECT NULL, uid + 50, name FROM a
INSERT INTO a (id, uid, name) SELECT 0, id + 70, 'zero' FROM x WHERE id < 4
INSERT INTO a (id, uid, name) SELECT 700000 + id, id, 'explicit' FROM x WHERE id < 9
INSERT INTO a SELECT NULL, id + 80, 'all' FROM x WHERE id < 9
SELECT uid, name FROM a ORDER BY uid, name
SELECT COUNT(DISTINCT id) = COUNT(*) FROM a
INSERT INTO p (i, name) SELECT id, ci FROM t WHERE id < 15
INSERT INTO p (i, name) SELECT i + 1, name FROM p
INSERT INTO p (i, name) SELECT uid, COUNT(*) FROM o GROUP BY uid
SELECT i, name FROM p ORDER BY i, name
INSERT INTO r (code, name, n) SELECT CONCAT('z', MOD(id, 10)), ci, 1000 + id FROM t WHERE id BETWEEN 1 AND 5
INSERT INTO r (code, name, n) SELECT DISTINCT CONCAT('y', n), 'distinct', 2000 + n FROM o WHERE n < 5
INSERT INTO r (code, name, n) SELECT code, name, n FROM r
INSERT IGNORE INTO r (code, name, n) SELECT code, name, n FROM r
REPLACE INTO r (code, name, n) SELECT CONCAT('x', MOD(id, 10)), 'r', id + 3000 FROM x WHERE id < 30 AND id > 20 ORDER BY id
INSERT INTO r (code, name, n) SELECT code, 'up', n FROM (SELECT code, name, n FROM r) q ON DUPLICATE KEY UPDATE name = CONCAT(r.name, '+')
SELECT * FROM r ORDER BY code
# Shard keys that are strings.
INSERT INTO s (name, n) SELECT CONCAT('n', id), id FROM t WHERE id < 12
INSERT INTO s (name, n) SELECT CONCAT(name, ' '), n FROM s WHERE name = 'abc'
INSERT INTO s (name, n) SELECT ci, 1 FROM t WHERE id = 1
INSERT INTO b SELECT CONCAT('k', id), id FROM t WHERE id < 12
SELECT name, n FROM s ORDER BY name
SELECT k, n FROM b ORDER BY k
# Values that a server has to compute.
INSERT INTO x VALUES (20000 + 1, 1, 'computed')
INSERT INTO x VALUES (ABS(-20002), 1, UPPER('computed')), (20003, 2, 'literal')
INSERT INTO x VALUES (20004, (SELECT MAX(n) FROM o), 'subquery')
INSERT INTO x VALUES ((SELECT MAX(id) + 20000 FROM t), 1, 'key of a subquery'), (20005, 1, 'literal')
INSERT INTO x (v, id) VALUES (1, LENGTH('abc') + 20010), (2, 20014)
INSERT INTO x SET id = 20020 + 1, v = 2
INSERT INTO x VALUES (20021 + 0, 3, 'dup') ON DUPLICATE KEY UPDATE v = VALUES(v) + 1
INSERT INTO x VALUES (20021 + 0, 3, 'dup'), (20021, 4, 'dup again') ON DUPLICATE KEY UPDATE v = VALUES(v) + 1
INSERT IGNORE INTO x VALUES (20021 + 0, 3, 'dup'), (20022, 4, 'new')
REPLACE INTO x VALUES (20021 + 0, 3, 'replaced')
INSERT INTO x VALUES ('20023abc', 1, 'a')
INSERT INTO x VALUES (20024.4, 1, 'decimal'), (2.0025e4, 1, 'float')
INSERT INTO x VALUES (0x5000, 1, 'hex')
SET @k = 20030
INSERT INTO x VALUES (@k, 1, 'variable'), (@k + 1, 2, 'variable')
INSERT INTO a (uid, name) VALUES (100 + 1, 'computed'), (102, 'literal')
INSERT INTO a (id, uid, name) VALUES (700100 + 1, 103, 'computed id')
INSERT INTO s (name, n) VALUES (CONCAT('com', 'puted'), 1)
INSERT INTO o (uid, n, amount) VALUES (90 + 1, (SELECT COUNT(*) FROM t), 1.5)
SELECT * FROM x WHERE id >= 20000 ORDER BY id
SELECT name, n FROM s WHERE name = 'computed'
# Without strict mode.
SET sql_mode = ''
INSERT INTO x (id, v) SELECT 21000 + id, ci FROM t WHERE id < 6
INSERT INTO w (k, b) SELECT 21000 + id, CONCAT('a text that is too long ', id) FROM t WHERE id < 4
INSERT INTO x VALUES ('21020abc', 1, 'a'), (99999999999, 1, 'clipped')
SET sql_mode = DEFAULT
SELECT * FROM x WHERE id >= 21000 ORDER BY id
# In a transaction.
BEGIN
INSERT INTO x VALUES (22000, 1, 'own')
INSERT INTO x (id, v) SELECT id + 1, v FROM x WHERE id = 22000
INSERT INTO x (id, v) SELECT id + 100, v FROM x WHERE id >= 22000
SELECT id FROM x WHERE id >= 22000 ORDER BY id
INSERT INTO x (id, v) SELECT id + 101, v FROM x WHERE id IN (22000, 22001)
INSERT INTO x (id, v) SELECT id + 300, v FROM x WHERE id >= 22000
SAVEPOINT s
INSERT INTO p (i) SELECT id FROM x WHERE id >= 22000
ROLLBACK TO s
SELECT COUNT(*) FROM p
COMMIT
SELECT id FROM x WHERE id >= 22000 ORDER BY id
BEGIN
INSERT INTO x (id, v) SELECT id + 23000, i FROM t
ROLLBACK
SELECT COUNT(*) FROM x WHERE id >= 23000
#! args int:24000 int:10
INSERT INTO x (id, v) SELECT id + ?, i FROM t WHERE id < ?
#! args int:24100 str:prepared
INSERT INTO x (id, txt) VALUES (? + 1, ?), (24200, 'b')
#! args int:24300
INSERT INTO x (id) SELECT ?
#! args int:24400 int:4
INSERT INTO x (id, v) SELECT id + ?, 1 FROM t WHERE id < 9 ON DUPLICATE KEY UPDATE v = ?
#! args int:24400 int:4
INSERT INTO x (id, v) SELECT id + ?, 1 FROM t WHERE id < 9 ON DUPLICATE KEY UPDATE v = ?
#! args null: int:5
INSERT INTO a (id, uid) SELECT ?, id FROM x WHERE id < ?
SELECT * FROM x WHERE id >= 24000 ORDER BY id
# A condition that has to convert values is an error for every row that is looked at, copied or not
#! reset
INSERT INTO x (id, v) SELECT id + 500, 1 FROM x WHERE txt IN ('TWO', 18446744073709551615, 'e', 'e', 'e')
INSERT INTO x (id, v) SELECT id + 500, 1 FROM x WHERE txt = 5
# The insert id of a REPLACE whose rows give theirs is the last row's, also where all are replaced.
#! session
REPLACE INTO a (id, uid, name) SELECT id, uid, 'replaced' FROM a
REPLACE INTO a (id, uid, name) SELECT id, uid, 'replaced' FROM a WHERE id = 0
INSERT IGNORE INTO a (id, uid, name) SELECT id, uid, 'ignored' FROM a
