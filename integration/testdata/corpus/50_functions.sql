# Stored functions that write, and that look at the session.
#! text
CREATE TABLE fl (n INT AUTO_INCREMENT PRIMARY KEY, what INT)
#! text
CREATE FUNCTION noted(val INT) RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO fl (what) VALUES (val); RETURN val * 2; END
#! text
CREATE FUNCTION added(val INT) RETURNS INT NO SQL BEGIN SET @sum = COALESCE(@sum, 0) + val; RETURN @sum; END
#! text
CREATE FUNCTION lastid() RETURNS BIGINT NO SQL RETURN LAST_INSERT_ID()
#! text
CREATE FUNCTION seen() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM fl)
#! text
CREATE FUNCTION zone() RETURNS VARCHAR(64) NO SQL RETURN @@time_zone
#! text
CREATE FUNCTION plus1(val INT) RETURNS INT DETERMINISTIC RETURN val + 1
#! text
CREATE FUNCTION howmany() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM p)
#! text
CREATE FUNCTION setid(val INT) RETURNS INT NO SQL RETURN LAST_INSERT_ID(val)
SELECT id, noted(id) FROM x WHERE id < 6 ORDER BY id
SELECT what FROM fl ORDER BY what
SELECT COUNT(*) FROM x WHERE v > 0 AND noted(id) > 3
SELECT COUNT(*), SUM(what) FROM fl
SELECT SUM(noted(n)), seen() FROM o
SELECT COUNT(*), SUM(what) FROM fl
BEGIN
SELECT SUM(noted(v)) FROM x
SELECT seen()
ROLLBACK
SELECT COUNT(*), SUM(what) FROM fl
BEGIN
UPDATE x SET v = v + 100 WHERE id = 5
SELECT SUM(noted(v)) FROM x
COMMIT
SELECT COUNT(*), SUM(what) FROM fl
START TRANSACTION READ ONLY
SELECT SUM(noted(v)) FROM x
SELECT SUM(seen() + v) FROM x
COMMIT
SET @sum = 0
SELECT SUM(added(id)) FROM x
SELECT @sum
SELECT added(1)
SELECT MAX(added(v)) FROM x
SELECT @sum, added(0)
SELECT @sum := MAX(v) FROM x
SELECT added(2)
SELECT COUNT(*) FROM x WHERE added(0) = v
SELECT @sum
INSERT INTO p (i, name) VALUES (1, 'abc')
SELECT lastid() - LAST_INSERT_ID()
SELECT DISTINCT lastid() - LAST_INSERT_ID() FROM x
INSERT INTO a (uid, name) VALUES (1, 'abc')
SELECT lastid() - LAST_INSERT_ID()
SELECT DISTINCT lastid() - LAST_INSERT_ID() FROM x
SELECT setid(77)
SELECT LAST_INSERT_ID() = 77
SELECT MAX(setid(id)) FROM x WHERE id = 5
SELECT LAST_INSERT_ID() = 5
SET time_zone = '+03:00'
SELECT zone(), COUNT(*) FROM x
SELECT id, zone() FROM x WHERE id = 5
# rows that are computed by what writes
INSERT INTO x (id, v) VALUES (7001, noted(5)), (7002, added(4))
INSERT INTO x (id, v) SELECT id + 8000, noted(v) FROM x WHERE id < 5
SELECT id, v FROM x WHERE id > 7000 ORDER BY id
SELECT COUNT(*), SUM(what) FROM fl
#! reset
# the value of another shard's session
#! session
SELECT @sum := v FROM x WHERE id = 6
SELECT added(2)
SELECT added(v) FROM x WHERE id = 7
SELECT @sum
#! session
SELECT @sum := v FROM x WHERE id = 7
SELECT added(2)
SELECT MAX(added(v)) FROM x WHERE id IN (1, 2, 3)
SELECT @sum
# writes with functions
UPDATE x SET v = plus1(v) WHERE id = 5
UPDATE x SET v = plus1(v) WHERE id < 9
UPDATE x SET v = plus1(id) ORDER BY id LIMIT 3
UPDATE x JOIN r ON r.n = plus1(x.v) SET x.txt = r.name
DELETE FROM x WHERE v = plus1(2)
DELETE FROM x WHERE id = plus1(6)
UPDATE r SET n = plus1(n) WHERE code = 'de'
UPDATE p SET i = plus1(i)
DELETE FROM o WHERE n = plus1(0) AND uid = 7
#! args int:3 int:8
UPDATE x SET v = plus1(?) WHERE id = ?
UPDATE x SET v = howmany() WHERE id = 5
UPDATE x SET v = noted(v) WHERE id = 5
UPDATE x SET v = added(v) WHERE id = 5
INSERT INTO x (id, v) VALUES (9, 1) ON DUPLICATE KEY UPDATE v = plus1(v)
INSERT INTO x (id, v) VALUES (9, 1), (10, 2) ON DUPLICATE KEY UPDATE v = plus1(VALUES(v))
UPDATE x SET id = plus1(id + 9100) WHERE id = 4
SELECT * FROM x ORDER BY id
SELECT * FROM r ORDER BY code
SELECT * FROM o ORDER BY uid, n
# where the transaction is elsewhere
#! text
CREATE PROCEDURE seeing() SELECT howmany()
#! session
BEGIN
UPDATE x SET txt = 'a' WHERE id = 6
SELECT howmany()
SET @h = howmany()
SELECT @h
CALL seeing()
UPDATE x SET txt = 'a' WHERE id < 9
CALL seeing()
SELECT howmany()
ROLLBACK
#! session
SELECT GET_LOCK('bb', 1), howmany()
SELECT RELEASE_LOCK('bb')
