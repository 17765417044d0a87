# prepared keys of every type
#! args double:1e15
INSERT INTO s (name, n) VALUES (?, 901)
#! args double:1e16
INSERT INTO s (name, n) VALUES (?, 902)
#! args double:123456
INSERT INTO s (name, n) VALUES (?, 903)
#! args double:100000000000000000000
INSERT INTO s (name, n) VALUES (?, 904)
#! args int:77
INSERT INTO s (name, n) VALUES (?, 905)
#! args uint:18446744073709551615
INSERT INTO s (name, n) VALUES (?, 906)
#! args int:-12
INSERT INTO s (name, n) VALUES (?, 907)
#! args decimal:5.50
INSERT INTO s (name, n) VALUES (?, 908)
#! args decimal:55
INSERT INTO s (name, n) VALUES (?, 909)
#! args date:2020-01-01
INSERT INTO s (name, n) VALUES (?, 910)
#! args blob:blobkey
INSERT INTO s (name, n) VALUES (?, 911)
#! args blob:blob␣␣
INSERT INTO s (name, n) VALUES (?, 912)
#! args str:str␣␣
INSERT INTO s (name, n) VALUES (?, 913)
#! args str:0012
INSERT INTO s (name, n) VALUES (?, 914)
#! args double:5
INSERT INTO b (k, n) VALUES (?, 920)
#! args double:1e15
INSERT INTO b (k, n) VALUES (?, 921)
#! args int:6
INSERT INTO b (k, n) VALUES (?, 922)
#! args str:trail␣
INSERT INTO b (k, n) VALUES (?, 923)
#! args double:1001
INSERT INTO x (id, v) VALUES (?, 1)
#! args double:1002.4
INSERT INTO x (id, v) VALUES (?, 1)
#! args decimal:1003
INSERT INTO x (id, v) VALUES (?, 1)
#! args decimal:1004.00
INSERT INTO x (id, v) VALUES (?, 1)
#! args str:1005
INSERT INTO x (id, v) VALUES (?, 1)
#! args str:1006␣
INSERT INTO x (id, v) VALUES (?, 1)
#! args blob:1007
INSERT INTO x (id, v) VALUES (?, 1)
#! args uint:1008
INSERT INTO x (id, v) VALUES (?, 1)
#! args tiny:-100
INSERT INTO x (id, v) VALUES (?, 1)
#! args date:2020-01-01
INSERT INTO x (id, v) VALUES (?, 1)
#! args null:
INSERT INTO x (id, v) VALUES (?, 1)
INSERT INTO s (name, n) VALUES (7, 930), (07, 931)
INSERT INTO s (name, n) VALUES (008, 932)
INSERT INTO s (name, n) VALUES (-0, 933)
INSERT INTO s (name, n) VALUES (+12, 934)
INSERT INTO s (name, n) VALUES (18446744073709551616, 935)
INSERT INTO s (name, n) VALUES (1.50, 936)
INSERT INTO s (name, n) VALUES (1e3, 937)
INSERT INTO s (name, n) VALUES (0x61, 938)
INSERT INTO s (name, n) VALUES (TRUE, 939)
INSERT INTO s (name, n) VALUES ('trailing   ', 940)
INSERT INTO s (name, n) VALUES ('exactly twenty chars   ', 941)
INSERT INTO s (name, n) VALUES ('12345678901234567890   ', 942)
INSERT INTO s (name, n) VALUES (_latin1'x', 943)
INSERT INTO s (name, n) VALUES ('a' 'bcde', 944)
INSERT INTO s (name, n) VALUES (DATE'2020-02-02', 945)
INSERT INTO b (k, n) VALUES ('12345678901234567890   ', 946)
INSERT INTO b (k, n) VALUES (5, 947)
INSERT INTO b (k, n) VALUES (05, 948)
INSERT INTO w (k) VALUES ('+9')
INSERT INTO w (k) VALUES ('-0')
INSERT INTO w (k) VALUES (DEFAULT)
INSERT INTO w (k) VALUES (DEFAULT(k))
SELECT name, n FROM s ORDER BY n
SELECT k, n FROM b ORDER BY n
SELECT id FROM x ORDER BY id
#! args double:9007199254740992
SELECT id FROM t WHERE id = ?
#! args double:5
SELECT id FROM t WHERE id = ?
#! args double:5.5
SELECT id FROM t WHERE id = ?
#! args decimal:5.0
SELECT id FROM t WHERE id = ?
#! args str:5
SELECT id FROM t WHERE id = ?
#! args blob:5
SELECT id FROM t WHERE id = ?
#! args uint:18446744073709551611
SELECT id FROM t WHERE id = ?
#! args int:-1
SELECT k FROM w WHERE k = ?
#! args date:2020-01-01
SELECT id FROM t WHERE id = ?
#! args null:
SELECT id FROM t WHERE id = ?
#! args blob:abc
SELECT name FROM s WHERE name = ?
#! args blob:abc␣
SELECT name FROM s WHERE name = ?
#! args int:5
SELECT name FROM s WHERE name = ?
#! args double:5
SELECT name FROM s WHERE name = ?
#! args int:5
SELECT k FROM b WHERE k = ?
#! args int:1
SELECT id FROM t ORDER BY ?, id
#! args int:1
SELECT COUNT(*) FROM t GROUP BY ?
#! args int:3
SELECT id FROM t ORDER BY id LIMIT ?
#! args str:3
SELECT id FROM t ORDER BY id LIMIT ?
#! args int:3 int:2
SELECT id FROM t ORDER BY id LIMIT ?, ?
#! args int:3 int:2
SELECT id FROM t WHERE i > ? ORDER BY id LIMIT 2 OFFSET ?
# updates
UPDATE t SET id = 5 WHERE id = 5
UPDATE t SET id = '5' WHERE id = 5
UPDATE t SET id = 6 WHERE id = 5
UPDATE t SET ID = 6 WHERE id = 5
UPDATE t tt SET tt.id = 6 WHERE id = 5
UPDATE t JOIN o ON t.id = o.uid SET uid = 9 WHERE id = 5
UPDATE t JOIN o ON t.id = o.uid SET n = n + 100 WHERE id = 5
UPDATE t JOIN o ON t.id = o.uid SET t.i = o.n WHERE o.uid = 6
UPDATE t, r SET t.i = r.n WHERE t.id = 7 AND r.code = 'it'
UPDATE t SET i = (SELECT MAX(n) FROM o WHERE o.uid = t.id) WHERE id = 7
UPDATE t SET i = (SELECT MAX(n) FROM o) WHERE id = 7
UPDATE t SET i = (SELECT MAX(n) FROM o, (SELECT 3 AS id) d WHERE o.uid = id) WHERE id = 7
DELETE FROM t WHERE id = 9 AND EXISTS (SELECT 1 FROM o, (SELECT 3 AS id) d WHERE o.uid = id)
DELETE t FROM t LEFT JOIN o ON t.id = o.uid WHERE t.id = 8 AND o.uid IS NULL
DELETE t, o FROM t JOIN o ON t.id = o.uid WHERE t.id = 10
DELETE FROM o USING o JOIN t ON t.id = o.uid WHERE t.id = 11
UPDATE s SET name = 'abc ' WHERE name = 'abc'
UPDATE s SET name = 'ABCD' WHERE name = 'abc'
UPDATE t SET i = 1 WHERE id = 5 LIMIT 1
UPDATE t SET i = i + 1 WHERE id = 5 ORDER BY i LIMIT 1
DELETE FROM t WHERE id = 5 LIMIT 0
UPDATE t SET id = DEFAULT WHERE id = 5
UPDATE t SET i = 3 WHERE id = 5 OR id = 5
UPDATE t SET i = 3 WHERE id = 99999999999999999999
UPDATE t SET i = 3 WHERE id = NULL
DELETE FROM t WHERE id IN (99999999999999999999, NULL)
# sequences
INSERT INTO a (uid, name) VALUES (1, 'seq')
INSERT IGNORE INTO a (id, uid, name) SELECT id, uid, name FROM a WHERE uid = 1
#! text
INSERT IGNORE INTO a (id, uid, name) VALUES (NULL, 4, 'ign')
# reference tables
UPDATE r SET n = n + 10 WHERE code = 'de'
UPDATE r SET n = NULL
UPDATE r SET n = n + 1 ORDER BY n DESC
UPDATE r SET name = 'x' LIMIT 1
UPDATE r SET name = 'x' ORDER BY code LIMIT 1
DELETE FROM r ORDER BY name LIMIT 1
UPDATE r, t SET r.name = 'x' WHERE t.id = 5
UPDATE r SET name = (SELECT nm FROM t WHERE id = 5)
UPDATE r AS q SET q.name = (SELECT MAX(code) FROM (SELECT * FROM r) z)
INSERT INTO r SELECT 'zz', nm, 77 FROM t WHERE id = 5
INSERT INTO r (code, name) SELECT 'zz', name FROM r WHERE code = 'de'
INSERT INTO r (code, name) VALUES ('yy', NOW())
INSERT INTO r (code, name) VALUES ('yy', UUID())
INSERT INTO r (code, name) VALUES ('yy', RAND())
INSERT INTO r (code, name) VALUES ('yy', @@server_id)
INSERT INTO r (code, name) VALUES ('yy', @@hostname)
INSERT INTO r (code, name) VALUES ('yx', @@global.port)
INSERT INTO r (code, name) VALUES ('yw', DATABASE())
INSERT INTO r (code, name) VALUES ('yv', CONNECTION_ID())
INSERT INTO r (code, name) VALUES ('yu', USER())
INSERT INTO r (code, name) VALUES ('yt', LAST_INSERT_ID())
INSERT INTO r (code, name) VALUES ('ys', CURRENT_DATE)
INSERT INTO r (code, name) VALUES ('yr', ROW_COUNT())
INSERT INTO r (code, name) VALUES ('yq', LOCALTIME)
INSERT INTO r (code, name) VALUES ('yp', UTC_TIMESTAMP)
INSERT INTO r (code, name) VALUES ('yo', SYSDATE())
INSERT INTO r (code, name) VALUES ('yn', FROM_UNIXTIME(1))
INSERT INTO r (code, name) VALUES ('ym', UNIX_TIMESTAMP())
INSERT INTO r (code, name) VALUES ('yl', HEX(RANDOM_BYTES(4)))
INSERT INTO r (code, name) VALUES ('yk', UUID_SHORT())
INSERT INTO r (code, name) VALUES ('yj', (SELECT name FROM r z WHERE code = 'de'))
INSERT INTO r (code, name) VALUES ('yi', VERSION())
INSERT INTO r (code, name) VALUES ('yh', CURRENT_ROLE())
INSERT INTO r (code, name) VALUES ('yg', @@session.pseudo_thread_id)
INSERT INTO r (code, name) VALUES ('yf', PS_CURRENT_THREAD_ID())
INSERT INTO r (code, name) VALUES ('ye', TIMESTAMP'2020-01-01 00:00:00')
REPLACE INTO r (code, name) VALUES ('yd', CURTIME())
INSERT IGNORE INTO r (code, name) VALUES ('de', 'dup'), ('yc', 'new')
INSERT INTO r (code, name) VALUES ('de', 'dup') ON DUPLICATE KEY UPDATE name = 'odku'
INSERT INTO r (code, name) VALUES ('de', 'dup') ON DUPLICATE KEY UPDATE name = NOW()
DELETE FROM r WHERE code LIKE 'y%'
#! mariadb
DELETE FROM r WHERE code = 'zz' RETURNING code
TRUNCATE TABLE r
