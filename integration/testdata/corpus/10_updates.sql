# UPDATE and DELETE by key and otherwise.
UPDATE x SET v = 100 WHERE id = 3
UPDATE x SET v = 100 WHERE id = 3
UPDATE x SET v = v + 1, txt = CONCAT(txt, v) WHERE id = 4
UPDATE x SET v = DEFAULT WHERE id = 4
UPDATE x SET v = NULL WHERE id = 4
UPDATE x SET v = 'abc' WHERE id = 4
UPDATE IGNORE x SET v = 'abc' WHERE id = 4
UPDATE x SET v = 5 WHERE id = 10000
UPDATE x SET v = 5 WHERE id = '5'
UPDATE x SET v = 6 WHERE id = '5abc'
UPDATE x SET v = 6 WHERE id = 5.0
UPDATE x SET v = 6 WHERE id = 5.5
UPDATE x SET v = 6 WHERE id = NULL
UPDATE x SET v = 7 WHERE id IN (6)
UPDATE x SET v = 7 WHERE id IN (6, 7, 8)
UPDATE x SET v = 8 WHERE id = 6 AND v = 7
UPDATE x SET v = 9 WHERE id = 6 OR id = 7
UPDATE x SET v = 9 WHERE v = 8
UPDATE x SET v = 9
UPDATE x SET v = 9 WHERE id BETWEEN 6 AND 6
UPDATE x SET id = 6 WHERE id = 6
UPDATE x SET id = 1006 WHERE id = 6
UPDATE x SET id = id WHERE id = 6
UPDATE x SET x.v = 10 WHERE x.id = 6
UPDATE x AS q SET q.v = 11 WHERE q.id = 6
UPDATE shop.x SET v = 12 WHERE shop.x.id = 6
UPDATE x SET nothing = 1 WHERE id = 6
UPDATE nothing SET v = 1 WHERE id = 6
UPDATE x SET v = 13 WHERE id = 6 ORDER BY id LIMIT 1
UPDATE x SET v = 14 WHERE id = 6 LIMIT 0
UPDATE x SET v = (SELECT MAX(n) FROM r) WHERE id = 6
UPDATE x SET v = (SELECT COUNT(*) FROM o WHERE uid = 6) WHERE id = 6
UPDATE x SET v = (SELECT COUNT(*) FROM o) WHERE id = 6
UPDATE x JOIN r ON r.n = x.v SET x.txt = r.name WHERE x.id = 6
UPDATE x, t SET x.v = t.i WHERE x.id = t.id AND x.id = 7
UPDATE LOW_PRIORITY x SET v = 15 WHERE id = 6
UPDATE o SET amount = amount * 1.1 WHERE uid = 7
UPDATE o SET code = UPPER(code) WHERE uid = 7 AND n = 2
UPDATE o SET n = n + 10 WHERE uid = 7 ORDER BY n DESC
UPDATE o SET n = 11 WHERE uid = 7
UPDATE s SET n = 500 WHERE name = 'abc'
UPDATE s SET n = 501 WHERE name = 'abc '
UPDATE s SET n = 502 WHERE name = 'é'
UPDATE s SET name = 'abc ' WHERE name = 'abc'
UPDATE s SET name = 'other' WHERE name = 'abc'
UPDATE b SET n = 503 WHERE k = 'abc'
UPDATE b SET n = 504 WHERE k = 'abc '
UPDATE t SET ci = 'ABC', sb = 'abc', d = 1.23456, ts = '2020-01-01 00:00:00.1234567' WHERE id = 5
UPDATE t SET ti = 1000 WHERE id = 5
UPDATE t SET ti = NULL WHERE id = 5
UPDATE t SET e = 'nothing' WHERE id = 5
UPDATE t SET js = JSON_OBJECT('k', 1) WHERE id = 5
UPDATE t SET i = i / 0 WHERE id = 5
UPDATE t SET u = u - 100 WHERE id = 6
SELECT * FROM t WHERE id IN (5, 6) ORDER BY id
DELETE FROM x WHERE id = 8
DELETE FROM x WHERE id = 8
DELETE FROM x WHERE id = '9'
DELETE FROM x WHERE id = 10 AND v > 1000
DELETE FROM x WHERE id IN (11)
DELETE FROM x WHERE id IN (11, 12)
DELETE FROM x WHERE v = 3
DELETE FROM x WHERE id = 13 ORDER BY id LIMIT 1
DELETE FROM x WHERE id = 14 LIMIT 1
DELETE x FROM x WHERE x.id = 15
DELETE FROM x USING x WHERE x.id = 16
DELETE q FROM x AS q WHERE q.id = 17
DELETE x, t FROM x JOIN t ON x.id = t.id WHERE x.id = 18
DELETE FROM x WHERE id IN (SELECT 19)
DELETE FROM o WHERE uid = 7
DELETE FROM o WHERE uid = 3 AND n = 1
DELETE QUICK FROM s WHERE name = 'ABC'
DELETE IGNORE FROM s WHERE name = 'e'
DELETE FROM nothing WHERE id = 1
DELETE FROM x WHERE nothing = 1
#! mariadb
DELETE FROM x WHERE id = 20 RETURNING id, v
#! mariadb
INSERT INTO x VALUES (900, 1, 'r') RETURNING id, txt
#! args int:77 int:21
UPDATE x SET v = ? WHERE id = ?
#! args str:77 str:21
UPDATE x SET v = ? WHERE id = ?
#! args int:77 double:21
UPDATE x SET v = ? WHERE id = ?
#! args int:77 null:
UPDATE x SET v = ? WHERE id = ?
#! args int:22
DELETE FROM x WHERE id = ?
#! args int:21
SELECT id, v FROM x WHERE id = ?
#! args str:21
SELECT id, v FROM x WHERE id = ?
#! args str:21abc
SELECT id, v FROM x WHERE id = ?
#! args str:␣21
SELECT id, v FROM x WHERE id = ?
#! args double:21
SELECT id, v FROM x WHERE id = ?
#! args double:21.5
SELECT id, v FROM x WHERE id = ?
#! args decimal:21.0
SELECT id, v FROM x WHERE id = ?
#! args null:
SELECT id, v FROM x WHERE id = ?
#! args blob:21
SELECT id, v FROM x WHERE id = ?
#! args uint:18446744073709551615
SELECT id, v FROM x WHERE id = ?
#! args int:-1
SELECT id, v FROM x WHERE id = ?
#! args int:1 int:2 int:3
SELECT id, v FROM x WHERE id IN (?, ?, ?) ORDER BY id
#! args int:1 int:1 null:
SELECT id, v FROM x WHERE id IN (?, ?, ?) ORDER BY id
#! args int:1 str:2 double:3
SELECT id, v FROM x WHERE id IN (?, ?, ?) ORDER BY id
#! args int:1 int:5
SELECT id, v FROM x WHERE id BETWEEN ? AND ? ORDER BY id
#! args int:1 str:x
SELECT ?, ?
#! args int:1
SELECT id, ? FROM x ORDER BY id
#! args str:abc
SELECT name, n FROM s WHERE name = ?
#! args str:abc␣
SELECT name, n FROM s WHERE name = ?
#! args str:é
SELECT name, n FROM s WHERE name = ?
#! args int:5
SELECT name, n FROM s WHERE name = ? ORDER BY n
#! args blob:abc
SELECT name, n FROM s WHERE name = ?
#! args blob:abc
SELECT k, n FROM b WHERE k = ?
#! args str:abc
SELECT k, n FROM b WHERE k = ?
#! args int:5
SELECT k, n FROM b WHERE k = ?
