# UPDATE and DELETE whose rows of several shards come together on one.
#! reset
UPDATE x SET v = 100 ORDER BY id LIMIT 3
SELECT * FROM x ORDER BY id
#! reset
UPDATE x SET v = v + 1 WHERE v >= 0 ORDER BY v DESC, id LIMIT 5
SELECT * FROM x ORDER BY id
#! reset
UPDATE x SET v = 7 WHERE id > 0 ORDER BY id DESC
#! reset
UPDATE x SET v = 7 ORDER BY id LIMIT 2
#! reset
UPDATE x SET v = 8 LIMIT 0
#! reset
UPDATE x SET v = 8 LIMIT 1000000
#! reset
DELETE FROM x ORDER BY id LIMIT 2
#! reset
DELETE FROM x WHERE v = 8 ORDER BY txt, id DESC LIMIT 3
SELECT * FROM x ORDER BY id
#! reset
DELETE FROM x ORDER BY id DESC LIMIT 1
#! reset
DELETE FROM s ORDER BY name LIMIT 2
#! reset
DELETE FROM s WHERE n > 1 ORDER BY v DESC, name LIMIT 2
SELECT name, n, v FROM s ORDER BY name
#! reset
DELETE FROM b ORDER BY k LIMIT 2
#! reset
UPDATE b SET n = 900 ORDER BY k DESC LIMIT 2
SELECT k, n FROM b ORDER BY k
#! reset
UPDATE t SET i = 5, ts = '2020-02-02 02:02:02', f = f / 3, g = g / 3, ci = 'CHANGED', st = 'a,c', e = 'Big', bt = b'101', yr = 2001 ORDER BY ci, id LIMIT 4
SELECT * FROM t ORDER BY id
#! reset
DELETE FROM t WHERE t.id > 2 ORDER BY dt, id LIMIT 2
#! reset
DELETE FROM shop.t WHERE shop.t.id > 2 ORDER BY shop.t.tm, id LIMIT 1
# subqueries
#! reset
UPDATE x SET v = (SELECT COUNT(*) FROM o)
#! reset
UPDATE x SET v = (SELECT MAX(n) FROM o WHERE o.uid = x.id)
#! reset
UPDATE x SET v = (SELECT MAX(n) FROM o WHERE o.uid <> x.id) WHERE id IN (SELECT uid FROM o WHERE n = 1)
SELECT * FROM x ORDER BY id
#! reset
DELETE FROM x WHERE id IN (SELECT uid + 1 FROM o)
#! reset
DELETE FROM o WHERE NOT EXISTS (SELECT 1 FROM x WHERE x.v = o.n)
SELECT * FROM x ORDER BY id
SELECT uid, n, amount FROM o ORDER BY uid, n
#! reset
DELETE FROM x WHERE id = (SELECT MIN(id) FROM t)
#! mariadb
#! reset
UPDATE x SET v = (SELECT MAX(v) FROM (SELECT v FROM x) d)
#! mysql
#! reset
UPDATE x SET v = (SELECT MAX(v) FROM x)
#! mysql
#! reset
DELETE FROM x WHERE id IN (SELECT id FROM x)
# joins
#! reset
UPDATE x JOIN t ON t.i = x.v SET x.txt = t.nm, x.v = 3
#! reset
UPDATE x, o SET x.v = o.n, o.amount = 5 WHERE x.id = o.n
SELECT * FROM x ORDER BY id
SELECT uid, n, amount FROM o ORDER BY uid, n
#! reset
UPDATE x LEFT JOIN o ON o.n = x.id SET x.v = -1 WHERE o.uid IS NULL
#! reset
UPDATE x JOIN r ON r.n = x.v SET x.txt = r.name
#! reset
UPDATE x JOIN r ON r.n > x.id SET x.txt = 'below', r.name = 'above'
SELECT * FROM r ORDER BY code
SELECT * FROM x ORDER BY id
#! reset
UPDATE x JOIN p ON p.i = x.id SET x.txt = p.name
#! reset
UPDATE p JOIN x ON p.i = x.id SET p.name = CONCAT('p', x.v)
#! reset
UPDATE p, x SET p.name = 'both', x.txt = 'both' WHERE p.i = x.id
SELECT i, name FROM p ORDER BY i, name
#! reset
DELETE x FROM x JOIN o ON o.n = x.id
#! reset
DELETE x, o FROM x JOIN o ON o.n = x.v
#! reset
DELETE FROM x USING x JOIN r ON r.n = x.id
#! reset
DELETE q FROM x AS q LEFT JOIN o AS z ON z.n = q.id WHERE z.n IS NULL
SELECT * FROM x ORDER BY id
#! reset
DELETE p FROM p JOIN x ON p.i = x.id
#! reset
UPDATE p SET name = (SELECT COUNT(*) FROM o)
#! reset
DELETE FROM p WHERE i IN (SELECT uid FROM o)
SELECT i, name FROM p ORDER BY i, name
#! reset
UPDATE r SET n = n + (SELECT COUNT(*) FROM t) ORDER BY n DESC
#! reset
DELETE FROM r WHERE n > (SELECT COUNT(*) FROM o) ORDER BY code LIMIT 1
#! reset
UPDATE r SET name = 'first' ORDER BY code LIMIT 1
#! reset
DELETE FROM r ORDER BY code DESC LIMIT 1
SELECT * FROM r ORDER BY code
#! mysql
#! reset
WITH q AS (SELECT uid FROM o WHERE n = 2) UPDATE x JOIN q ON q.uid = x.id SET x.v = 77
#! mysql
#! reset
WITH q AS (SELECT uid FROM o WHERE n = 1) DELETE FROM x WHERE id IN (SELECT uid FROM q)
# the shard key: rows move
#! reset
UPDATE w SET k = 100001 WHERE k = 1
UPDATE w SET k = 100002 WHERE k = 100001
#! reset
UPDATE w SET k = k + 1000 ORDER BY k
SELECT * FROM w ORDER BY k
#! reset
UPDATE w SET k = k + 1 ORDER BY k DESC
#! reset
UPDATE w SET k = k + 1
#! reset
UPDATE w SET k = k - 1 ORDER BY k
SELECT * FROM w ORDER BY k
#! reset
UPDATE w SET k = 5
#! reset
UPDATE IGNORE w SET k = 1002
SELECT * FROM w ORDER BY k
#! reset
UPDATE w SET k = NULL WHERE k > 5
#! reset
UPDATE w SET k = -1 WHERE k > 5 LIMIT 1
#! reset
UPDATE w SET k = 'abc' WHERE k > 5 LIMIT 1
#! reset
UPDATE o SET uid = uid + 1, n = n + 100
#! reset
UPDATE o SET uid = 7 WHERE uid = 3
#! reset
UPDATE o SET uid = 9 WHERE uid IN (4, 5) AND n > 100
SELECT uid, n, amount FROM o ORDER BY uid, n
#! reset
UPDATE s SET name = CONCAT(name, '_') WHERE n > 0
#! reset
UPDATE s SET name = 'same' WHERE n > 0 LIMIT 2
#! reset
UPDATE s SET name = 'é' LIMIT 1
SELECT name, n, v FROM s ORDER BY name
#! reset
UPDATE a SET uid = uid + 10 WHERE name IS NOT NULL
SELECT uid, name FROM a ORDER BY uid, name
#! reset
UPDATE t SET id = id + 500 WHERE id < 6
#! reset
UPDATE t JOIN o ON t.i = o.n SET t.id = t.id + 5000, o.uid = 1
SELECT * FROM t ORDER BY id
# faults
#! reset
UPDATE x SET nothing = 1 ORDER BY id LIMIT 1
#! reset
UPDATE x SET v = nothing LIMIT 1
#! reset
DELETE FROM x ORDER BY nothing LIMIT 1
#! reset
UPDATE x SET v = 'abc' LIMIT 1
#! reset
UPDATE IGNORE x SET v = 'abc' LIMIT 1
#! reset
UPDATE x SET v = 99999999999 LIMIT 1
#! reset
UPDATE x SET txt = REPEAT('a', 200) ORDER BY id LIMIT 2
#! reset
UPDATE r SET n = 1 ORDER BY code LIMIT 3
#! reset
UPDATE x SET v = (SELECT n FROM o)
#! reset
UPDATE x JOIN o SET v = 1, id = 3 WHERE nothing = 2
# parameters
#! reset
#! args int:3
UPDATE x SET v = 55 ORDER BY id LIMIT ?
#! reset
#! args int:5 int:1
UPDATE x SET v = v + ? WHERE id > ? ORDER BY id DESC LIMIT 2
#! reset
#! args int:9 int:2
UPDATE w SET k = ? WHERE k = ?
#! reset
#! args str:x int:4
DELETE FROM x WHERE txt > ? ORDER BY id LIMIT ?
#! reset
#! args int:4
UPDATE x SET v = (SELECT COUNT(*) FROM o WHERE n < ?)
SELECT * FROM x ORDER BY id
#! reset
BEGIN
UPDATE x SET v = 60 ORDER BY id LIMIT 2
UPDATE w SET k = k + 7 WHERE k > 0
UPDATE w SET k = 5
SELECT * FROM w ORDER BY k
ROLLBACK
SELECT * FROM w ORDER BY k
#! reset
BEGIN
UPDATE o SET uid = 12 WHERE uid = 7 ORDER BY n LIMIT 1
DELETE x FROM x JOIN o ON o.n = x.id
COMMIT
SELECT uid, n FROM o ORDER BY uid, n
# a statement that fails is undone, and no other one of its transaction
#! reset
BEGIN
UPDATE x SET v = 70 ORDER BY id LIMIT 2
UPDATE w SET k = 8000 WHERE k = 1000
UPDATE w SET k = 64000 WHERE k = 8000
UPDATE w SET k = 64000 WHERE k IN (1000, 27000)
UPDATE x SET id = id + 1 ORDER BY id DESC LIMIT 30
UPDATE x SET id = 5 ORDER BY id LIMIT 1
SAVEPOINT one
DELETE FROM o WHERE uid IN (SELECT id FROM x WHERE v = 1) OR n = (SELECT MAX(n) FROM r)
ROLLBACK TO one
COMMIT
SELECT * FROM w ORDER BY k
SELECT * FROM x ORDER BY id
SELECT uid, n FROM o ORDER BY uid, n
#! reset
SET autocommit = 0
UPDATE x JOIN r ON r.n = x.v SET x.txt = r.name, x.id = x.id + 5000
ROLLBACK
UPDATE x JOIN r ON r.n = x.v SET x.txt = r.name, x.id = x.id + 6000
COMMIT
SET autocommit = 1
SELECT * FROM x ORDER BY id
# matched rows
#! reset session found-rows
UPDATE x SET v = 1 ORDER BY id LIMIT 8
UPDATE x SET v = 1 ORDER BY id LIMIT 8
SELECT ROW_COUNT()
UPDATE w SET k = 64000 WHERE k = 64000 AND a > (SELECT MIN(n) FROM r) - 100
UPDATE x SET v = (SELECT MIN(n) FROM r)
DELETE FROM x ORDER BY id LIMIT 3
SELECT ROW_COUNT()
#! reset session
UPDATE x SET v = 1 ORDER BY id LIMIT 8
SELECT ROW_COUNT()
UPDATE x SET v = LAST_INSERT_ID(v + 5) ORDER BY id LIMIT 1
SELECT LAST_INSERT_ID()
UPDATE x SET txt = LAST_INSERT_ID() ORDER BY id LIMIT 1
# values whose columns are odd
#! reset
UPDATE t SET u = 18446744073709551615, d = -0.001, f = -1e-300, g = 1e-30, dt = '0001-01-01', ts = '9999-12-31 23:59:59.999999', tm = '-838:59:59', bl = x'00275c0a', tx = 'a\'b\\c\nd', js = '{"a": [1, "x", null]}' ORDER BY id DESC LIMIT 5
UPDATE t SET id = id + 70000 ORDER BY id LIMIT 20
SELECT * FROM t ORDER BY id
UPDATE t SET sb = NULL, ci = CONCAT(ci, 'ß€😀'), e = NULL, st = '', bt = NULL, yr = 0 WHERE ti > (SELECT MIN(n) FROM r)
SELECT * FROM t ORDER BY id
SET time_zone = '+05:30'
UPDATE o SET at = '2024-07-01 12:00:00', uid = uid + 1000 WHERE n > (SELECT MIN(n) FROM r)
SELECT uid, n, at FROM o ORDER BY uid, n
SET time_zone = '+00:00'
SELECT uid, n, at FROM o ORDER BY uid, n
SET NAMES latin1
UPDATE s SET v = 'x' ORDER BY name LIMIT 20
SET NAMES utf8mb4
SELECT name, n, v FROM s ORDER BY name
SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH'
UPDATE "o" SET code = 'a\' ORDER BY uid, n LIMIT 5
UPDATE s SET name = CONCAT(name, '\') WHERE n > 10
SET sql_mode = ''
UPDATE x SET v = 'abc', txt = REPEAT('z', 200) ORDER BY id LIMIT 2
UPDATE w SET k = 'abc' WHERE k = 1000 AND a < (SELECT MAX(n) FROM r)
SELECT name, n, v FROM s ORDER BY name
SELECT uid, n, code FROM o ORDER BY uid, n
# DELETE … RETURNING
#! reset mariadb
DELETE FROM x WHERE v > 0 ORDER BY v DESC, id LIMIT 3 RETURNING id, v + 1 AS w, x.txt
SELECT ROW_COUNT()
#! any mariadb
DELETE FROM x WHERE v = 1 RETURNING *
#! mariadb
DELETE FROM x WHERE v = 100 RETURNING id
#! mariadb
DELETE FROM r WHERE n > 1 ORDER BY code LIMIT 2 RETURNING code, n
#! mariadb
DELETE FROM p WHERE i IN (SELECT uid FROM o) ORDER BY i, name RETURNING i, name
#! mariadb
DELETE FROM x RETURNING nothing
#! args int:1
#! mariadb
DELETE FROM x WHERE v > ? ORDER BY id RETURNING id, v
SELECT * FROM x ORDER BY id
BEGIN
#! mariadb
DELETE FROM o WHERE n = 2 ORDER BY uid RETURNING uid, n, amount, at
ROLLBACK
SELECT * FROM r ORDER BY code
