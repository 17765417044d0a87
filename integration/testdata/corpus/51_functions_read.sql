# Stored functions that read sharded tables: made on the default shard itself, as those of an imported database are.
#! text
/*sluice: shard=s1*/ CREATE FUNCTION total() RETURNS INT READS SQL DATA RETURN (SELECT SUM(v) FROM x)
#! text
/*sluice: shard=s1*/ CREATE FUNCTION amounts(k INT) RETURNS INT READS SQL DATA BEGIN DECLARE s INT; SELECT SUM(n) INTO s FROM o WHERE uid = k; RETURN COALESCE(s, 0) + (SELECT COUNT(*) FROM p); END
#! text
/*sluice: shard=s1*/ CREATE FUNCTION named(k VARCHAR(20) CHARACTER SET utf8mb4) RETURNS VARCHAR(40) CHARACTER SET utf8mb4 READS SQL DATA RETURN (SELECT MAX(name) FROM r WHERE code = k)
#! text
/*sluice: shard=s1*/ CREATE FUNCTION thrice() RETURNS INT READS SQL DATA RETURN total() + 2 * total()
#! text
/*sluice: shard=s1*/ CREATE FUNCTION pairs() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x a JOIN x b ON a.v = b.v)
#! text
/*sluice: shard=s1*/ CREATE PROCEDURE show_total() SELECT total()
SELECT total()
SELECT total(), amounts(7), named('de')
SELECT thrice()
SELECT id, total() FROM x WHERE id < 5 ORDER BY id
SELECT x.id, amounts(x.id) FROM x ORDER BY x.id
SELECT uid, amounts(uid) FROM o WHERE uid = 7
SELECT i, total() FROM p ORDER BY i, id
SELECT code, named(code), total() FROM r ORDER BY code
SELECT COUNT(*) FROM p WHERE i < total()
SET @t = total()
SELECT @t
DO total()
#! args int:7
SELECT amounts(?)
#! args int:7 int:5
SELECT id, amounts(?) FROM x WHERE id = ?
SELECT pairs()
CALL show_total()
BEGIN
UPDATE x SET v = v + 1000 WHERE id = 5
SELECT total()
SELECT id, total() FROM x WHERE id = 5
UPDATE x SET v = v + 1000 WHERE id < 9
SELECT total()
INSERT INTO p (i, name) VALUES (1, 'own')
SELECT amounts(7), MAX(id) FROM x
ROLLBACK
SELECT total()
START TRANSACTION READ ONLY
SELECT total()
SELECT id, amounts(id) FROM x WHERE id < 9 ORDER BY id
COMMIT
INSERT INTO p (i, name) VALUES (total(), 'total')
INSERT INTO p (i, name) SELECT amounts(id), 'amounts' FROM x WHERE id < 9 ORDER BY id
INSERT INTO x (id, v) VALUES (9001, amounts(7))
INSERT INTO x (id, v) VALUES (9002, total())
INSERT INTO o (uid, n, amount) VALUES (9003, 1, total())
REPLACE INTO w SELECT id, total() FROM x WHERE id = 5
UPDATE p SET i = total() WHERE name = 'own'
UPDATE p SET i = amounts(i) ORDER BY id LIMIT 3
UPDATE o SET amount = total() WHERE uid = 7
UPDATE o SET amount = total() WHERE n = 1 AND total() > 5
UPDATE x SET v = total() WHERE id = 5
DELETE FROM o WHERE uid < amounts(1)
UPDATE r SET n = total() WHERE code = 'de'
SELECT i, name FROM p ORDER BY id
SELECT * FROM o ORDER BY uid, n
SELECT * FROM r ORDER BY code
SELECT * FROM x ORDER BY id
#! mariadb
SELECT id, total() FROM x WHERE v > 2 ORDER BY id FETCH FIRST 3 ROWS ONLY
#! mariadb
SELECT i, total() FROM p ORDER BY i, id FETCH FIRST 3 ROWS ONLY
# where the transaction is elsewhere
#! session
BEGIN
UPDATE x SET txt = 'a' WHERE id = 6
SELECT GET_LOCK('aa', 1)
SELECT named('de')
SELECT total()
CALL show_total()
ROLLBACK
# views of sharded tables, made so
#! session
#! text
/*sluice: shard=s1*/ CREATE VIEW all_x AS SELECT id, v FROM x
CREATE VIEW some_p AS SELECT i FROM p
#! text
/*sluice: shard=s1*/ CREATE VIEW over_x AS SELECT a.v, some_p.i FROM all_x a JOIN some_p ON some_p.i = a.id
SELECT COUNT(*) FROM all_x
SELECT COUNT(*) FROM over_x JOIN x ON x.id = over_x.i
SELECT * FROM some_p ORDER BY i
DESCRIBE all_x
INSERT INTO p (i, name) SELECT v, 'view' FROM all_x
SELECT COUNT(*) FROM all_x, JSON_TABLE('[1]', '$[*]' COLUMNS (n FOR ORDINALITY)) j
SELECT COUNT(*) FROM some_p, JSON_TABLE('[1]', '$[*]' COLUMNS (n FOR ORDINALITY)) j
#! mariadb text
BEGIN NOT ATOMIC SELECT COUNT(*) FROM all_x; END
#! mariadb text
BEGIN NOT ATOMIC SELECT total(); END
#! mariadb text
ANALYZE UPDATE all_x SET v = v + 1
#! mariadb text
ANALYZE UPDATE p SET i = total()
CREATE TABLE q9 AS SELECT * FROM all_x
CREATE TABLE q9 AS SELECT total() AS c
CREATE TABLE q9 AS SELECT i FROM some_p
DROP TABLE q9
SHOW COLUMNS FROM p WHERE total() = 24
# views that call functions
#! text
/*sluice: shard=s1*/ CREATE VIEW total_p AS SELECT id, total() AS c FROM p
#! text
/*sluice: shard=s1*/ CREATE VIEW over_total AS SELECT MAX(c) AS m FROM total_p
#! text
/*sluice: shard=s1*/ CREATE VIEW named_p AS SELECT id, named('de') AS n FROM p
SELECT MAX(c) FROM total_p
SELECT m FROM over_total
INSERT INTO p (i, name) SELECT m, 'total' FROM over_total
SELECT id, n FROM named_p ORDER BY id
SELECT x.id, n FROM named_p JOIN x ON x.id = named_p.id ORDER BY x.id
# views of reference tables
#! text
/*sluice: shard=s1*/ CREATE VIEW some_r AS SELECT code, n FROM r
SELECT code, n FROM some_r ORDER BY code
UPDATE some_r SET n = n + 1
DELETE FROM some_r WHERE code = 'de'
INSERT INTO p (i, name) SELECT n, code FROM some_r
#! mariadb text
BEGIN NOT ATOMIC UPDATE some_r SET n = n + 1; END
SELECT * FROM r ORDER BY code
DROP VIEW some_r
DROP VIEW named_p, over_total, total_p
DROP VIEW over_x, all_x, some_p
