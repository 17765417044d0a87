# INSERT in its forms.
INSERT INTO x VALUES (200, 1, 'a')
INSERT INTO x VALUES (201, 1, 'a'), (202, 2, 'b'), (203, 3, 'c'), (204, 4, 'd'), (205, 5, 'e')
INSERT INTO x (v, id) VALUES (1, 206), (2, 207)
INSERT INTO x (id) VALUES (208)
INSERT INTO x SET id = 209, v = 3
INSERT INTO x SET v = 3, id = 210, txt = DEFAULT
INSERT x VALUES (211, DEFAULT, DEFAULT)
INSERT INTO x VALUE (212, 1 + 1, CONCAT('a', 'b'))
INSERT INTO x (id, v) VALUES (213, NULL), (214, DEFAULT)
INSERT INTO x VALUES ('215', '5', 6)
INSERT INTO x VALUES (216, '5abc', 6)
INSERT INTO x VALUES (216.0, 5, 6)
INSERT INTO x VALUES ('217abc', 5, 6)
INSERT INTO x VALUES (0x0100, 5, 6)
INSERT INTO x VALUES (218 + 0, 5, 6)
INSERT INTO x VALUES (-5, 1, 'negative')
INSERT INTO x VALUES (- 6, 1, 'negative')
INSERT INTO x VALUES (+219, 1, 'plus')
INSERT INTO x VALUES (99999999999, 1, 'too large')
INSERT INTO x VALUES (NULL, 1, 'null')
INSERT INTO x VALUES (200, 1, 'dup')
INSERT INTO x VALUES (220, 1, 'a'), (200, 1, 'dup'), (221, 1, 'b')
SELECT id FROM x WHERE id IN (220, 221)
INSERT INTO x VALUES (222, 1)
INSERT INTO x VALUES (222, 1, 'a', 'b')
INSERT INTO x (id, nothing) VALUES (222, 1)
INSERT INTO x (id, id) VALUES (222, 222)
INSERT INTO x () VALUES ()
INSERT INTO x VALUES ()
INSERT INTO nothing VALUES (1)
INSERT IGNORE INTO x VALUES (200, 9, 'ignored')
INSERT IGNORE INTO x VALUES (200, 9, 'ignored'), (223, 9, 'not ignored'), (201, 9, 'ignored')
INSERT IGNORE INTO x VALUES (224, 'abc', 'not a number')
INSERT IGNORE INTO x (id) VALUES (225), (225)
INSERT INTO x VALUES (200, 10, 'odku') ON DUPLICATE KEY UPDATE v = 10
INSERT INTO x VALUES (200, 10, 'odku') ON DUPLICATE KEY UPDATE v = 10
INSERT INTO x VALUES (226, 10, 'odku') ON DUPLICATE KEY UPDATE v = 11
INSERT INTO x VALUES (200, 1, 'a'), (227, 2, 'b'), (201, 3, 'c') ON DUPLICATE KEY UPDATE v = VALUES(v) + 100, txt = 'changed'
INSERT INTO x VALUES (200, 1, 'a') ON DUPLICATE KEY UPDATE v = v + 1, txt = CONCAT(txt, '!')
INSERT INTO x VALUES (200, 1, 'a') ON DUPLICATE KEY UPDATE id = 200
INSERT INTO x VALUES (200, 1, 'a') ON DUPLICATE KEY UPDATE id = 999
REPLACE INTO x VALUES (200, 1, 'replaced')
REPLACE INTO x VALUES (200, 1, 'replaced'), (228, 1, 'new'), (201, 1, 'replaced')
REPLACE INTO x SET id = 229, v = 1
SELECT * FROM x ORDER BY id
INSERT INTO x SELECT 230, 1, 'selected'
INSERT INTO x SELECT id + 1000, v, txt FROM x WHERE id = 3
INSERT INTO x (id, v) SELECT n, n FROM r WHERE n > 100
INSERT INTO w (k) VALUES (1), (2), (3), (5)
INSERT INTO w (k, a) VALUES (6, DEFAULT), (7, DEFAULT(a))
INSERT INTO w (k, a) VALUES (8, 200)
INSERT INTO w (k, a) VALUES (-1, 2)
INSERT INTO w (k, a) VALUES (8, NULL)
INSERT INTO w (k, b) VALUES (8, 'longer than ten characters')
INSERT IGNORE INTO w (k, b) VALUES (8, 'longer than ten characters'), (9, 'also longer than it may be'), (10, 'fits')
INSERT IGNORE INTO w (k, a) VALUES (11, 200), (12, NULL)
INSERT INTO w (k, c) VALUES (13, -1)
SELECT * FROM w ORDER BY k
SET sql_mode = ''
INSERT INTO w (k, a, b) VALUES (14, 200, 'longer than ten characters'), (15, -200, 'x')
# (NULL for a NOT NULL column is an error in an INSERT of one row and a warning in one of several; Sluice's parts may have one.)
INSERT INTO w (k, c) VALUES (17, 'abc'), (18, '')
INSERT INTO w (k, a) VALUES ('19abc', 1)
UPDATE w SET a = 1000 WHERE k = 14
UPDATE w SET a = NULL WHERE k = 14
SET sql_mode = DEFAULT
SELECT * FROM w WHERE k < 100 ORDER BY k
INSERT INTO s (name, n) VALUES ('new', 100), ('new ', 101)
INSERT INTO s (name, n) VALUES ('neu', 100), ('Neu', 101), ('NEU', 102)
INSERT INTO s (name, n) VALUES ('abc   ', 1)
INSERT INTO s (name, n) VALUES ('x   ', 103)
SELECT CONCAT('<', name, '>') FROM s WHERE name = 'x'
INSERT INTO s (name, n) VALUES (5, 1)
INSERT INTO s (name, n) VALUES (55, 1)
INSERT INTO s (name, n) VALUES (5.5, 1)
INSERT INTO s (name, n) VALUES ('a string that is longer than twenty', 1)
INSERT INTO s (name, n) VALUES ('twenty characters ok      ', 1)
INSERT INTO s (name, n) VALUES (x'C3A4', 1)
INSERT INTO s (name, n) VALUES (_utf8mb4'ö', 1)
INSERT INTO s (name, n) VALUES ('ÄÖÜ', 1), ('😀😀', 2)
INSERT INTO s (name, n) VALUES (NULL, 1)
INSERT INTO s (n) VALUES (1)
SELECT name, n FROM s ORDER BY name
INSERT INTO b VALUES ('abc  ', 50), ('ABC ', 51)
INSERT INTO b VALUES ('abc', 52)
INSERT INTO b VALUES ('twenty-one characters', 53)
SELECT k, n FROM b ORDER BY k
INSERT INTO t (id, d, dt, e, st, bt) VALUES (500, 1.0005, '2020-02-30', 'small', 'a,b', b'1')
INSERT INTO t (id, d, dt, e, st, bt) VALUES (500, 1.0005, '2020-02-28', 'small', 'b,a', b'1')
INSERT INTO t (id, e) VALUES (501, 'nothing')
INSERT INTO t (id, e) VALUES (501, 2), (502, 'LARGE'), (503, '')
INSERT INTO t (id, d) VALUES (503, 99999999999)
INSERT INTO t (id, js) VALUES (503, '{"a": ')
INSERT INTO t (id, js) VALUES (504, '{"b": 1,   "a": [1,2]}')
INSERT INTO t (id, ts) VALUES (505, '2020-01-01 00:00:00.1234567'), (506, '2020-13-01')
INSERT IGNORE INTO t (id, ts, d, i) VALUES (507, '2020-13-01', 1.23456, 'x')
INSERT INTO t (id, f, g) VALUES (508, 1e308, 3.4e38), (509, 0.1, 0.1)
INSERT INTO t (id, bl) VALUES (510, x'00FF27225C'), (511, _binary'a\'b\\')
SELECT id, d, dt, e, st, bt, js, ts, f, g, bl FROM t WHERE id >= 500 ORDER BY id
INSERT INTO o VALUES (50, 1, 1.005, 'a', NULL), (50, 2, 2.004, 'b', NULL), (51, 1, 3, 'c', NULL)
INSERT INTO o (uid, n) VALUES (50, 1)
INSERT INTO o (uid, n) VALUES (52, 1), (52, 1)
INSERT INTO r VALUES ('xx', 'new', 50)
INSERT INTO r VALUES ('xx', 'dup', 51)
INSERT INTO r VALUES ('yy', 'dup of n', 50)
INSERT INTO r VALUES ('y1', 'a', 60), ('y2', 'b', 61), ('y3', 'c', 62)
INSERT INTO r VALUES ('y4', 'a', 63), ('xx', 'b', 64)
INSERT INTO r VALUES ('xx', 'b', 64) ON DUPLICATE KEY UPDATE name = 'odku', n = VALUES(n)
REPLACE INTO r VALUES ('y1', 'replaced', 61)
INSERT IGNORE INTO r VALUES ('xx', 'ignored', 65), ('zz', 'not ignored', 66)
INSERT INTO r (code, name) SELECT 'q1', 'selected'
INSERT INTO r VALUES ('q2', UUID(), 70)
UPDATE r SET name = CONCAT(name, '!') WHERE n > 60
UPDATE r SET n = n + 1000
UPDATE r SET n = 1 WHERE code IN ('q1', 'zz')
DELETE FROM r WHERE code = 'xx'
DELETE FROM r WHERE n IS NULL
DELETE FROM r WHERE code = 'nothing'
SELECT * FROM r ORDER BY code
INSERT INTO p (i, name) VALUES (1, 'a'), (2, 'b')
INSERT INTO p (id, i) VALUES (1, 1)
INSERT INTO p (i) SELECT n FROM r WHERE n IS NOT NULL
UPDATE p SET name = 'all'
DELETE FROM p WHERE i = 2 ORDER BY id LIMIT 1
DELETE FROM p
INSERT INTO a (uid, name) VALUES (1, 'x')
INSERT INTO a (uid) VALUES (1), (2), (3)
INSERT INTO a (id, uid) VALUES (500000, 1), (500001, 2)
# A unique index without the shard key is one of each shard: equal values are only noticed there.
INSERT INTO a (id, uid) VALUES (500000, 1)
INSERT IGNORE INTO a (id, uid) VALUES (500001, 2), (500002, 3)
INSERT INTO a VALUES (NULL, 5, 'x'), (0, 6, 'y')
INSERT INTO a (id, uid, name) VALUES (500001, 2, 'odku') ON DUPLICATE KEY UPDATE name = 'odku'
INSERT INTO a SET uid = 20, name = 'set'
SELECT uid, name FROM a ORDER BY uid, name
#! args int:300 int:5 str:prepared
INSERT INTO x VALUES (?, ?, ?)
#! args int:301 int:302 int:303
INSERT INTO x (id) VALUES (?), (?), (?)
#! args str:304 str:7 null:
INSERT INTO x VALUES (?, ?, ?)
#! args double:305 double:1.5 str:double
INSERT INTO x VALUES (?, ?, ?)
#! args double:305.5 double:1.5 str:double
INSERT INTO x VALUES (?, ?, ?)
#! args null:
INSERT INTO x (id) VALUES (?)
#! args int:21 int:22
INSERT INTO a (uid, name) VALUES (?, 'p'), (?, 'q')
#! args null: int:23
INSERT INTO a (id, uid) VALUES (?, ?)
#! args int:0 int:24
INSERT INTO a (id, uid) VALUES (?, ?)
#! args int:600000 int:25
INSERT INTO a (id, uid) VALUES (?, ?)
#! args str:prepared int:1
INSERT INTO s (name, n) VALUES (?, ?)
#! args str:prepared␣␣ int:1
INSERT INTO s (name, n) VALUES (?, ?)
#! args blob:bl␣ob int:2
INSERT INTO b VALUES (?, ?)
# ON DUPLICATE KEY UPDATE of the shard key by the value that was to be inserted
#! reset
#! deprecated
INSERT INTO x VALUES (5, 50, 'a'), (970, 1, 'b'), (6, 60, 'c'), (7, 70, 'd') ON DUPLICATE KEY UPDATE id = VALUES(id), v = VALUES(v), txt = 'dup'
#! text
SHOW WARNINGS
#! text
INSERT INTO x VALUES (5, '51x', 'a'), (970, '1x', 'b'), (6, '60x', 'c'), (7, '60x', 'd') ON DUPLICATE KEY UPDATE v = 1
#! text
INSERT IGNORE INTO x VALUES (5, '51x', 'a'), (970, '1x', 'b'), (6, '60x', 'c'), (7, '60x', 'd') ON DUPLICATE KEY UPDATE v = '5x'
#! text
SHOW WARNINGS
#! deprecated
INSERT INTO o (uid, n, code) VALUES (3, 1, 'vv') ON DUPLICATE KEY UPDATE uid = VALUES(uid), n = VALUES(n), code = VALUES(code)
#! mysql
INSERT INTO x VALUES (5, 51, 'a'), (971, 1, 'b') AS fresh ON DUPLICATE KEY UPDATE id = fresh.id, v = fresh.v
#! deprecated
INSERT INTO x (id, v) SELECT id + 3, v FROM x WHERE id < 9 ON DUPLICATE KEY UPDATE id = VALUES(id), v = VALUES(v)
SELECT * FROM x ORDER BY id
