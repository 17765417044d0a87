# Stored programs of what several shards have, where nothing else of the statement is.
#! text
/*sluice: shard=s1*/ CREATE FUNCTION wr9(k INT) RETURNS INT MODIFIES SQL DATA BEGIN UPDATE r SET n = k WHERE code = 'de'; RETURN k; END
#! text
/*sluice: shard=s1*/ CREATE PROCEDURE pr9(k INT) UPDATE r SET n = k WHERE code = 'de'
#! text
/*sluice: shard=s1*/ CREATE FUNCTION rr9() RETURNS INT READS SQL DATA BEGIN DECLARE n INT DEFAULT 0; DECLARE c CURSOR FOR SELECT COUNT(*) FROM r; DECLARE CONTINUE HANDLER FOR NOT FOUND SET n = -1; OPEN c; FETCH c INTO n; CLOSE c; RETURN n; END
SELECT wr9(901)
DO wr9(902)
SET @a = wr9(903)
UPDATE p SET i = wr9(904) LIMIT 1
INSERT INTO p (i) VALUES (wr9(905))
CALL pr9(906)
SELECT rr9()
# views
#! text
/*sluice: shard=s1*/ CREATE VIEW vx9 AS SELECT id, v FROM x
#! text
/*sluice: shard=s1*/ CREATE FUNCTION fv9() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM vx9)
#! text
/*sluice: shard=s1*/ CREATE PROCEDURE pv9() SELECT COUNT(*) FROM vx9
#! text
/*sluice: shard=s1*/ CREATE FUNCTION wv9() RETURNS INT MODIFIES SQL DATA BEGIN UPDATE vx9 SET v = v + 1; RETURN 1; END
SELECT fv9()
CALL pv9()
SELECT wv9()
# statements that are not understood
#! text
/*sluice: shard=s1*/ CREATE FUNCTION total9() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x)
#! mariadb
BEGIN NOT ATOMIC SELECT total9(); END
#! mariadb
IF total9() > 5 THEN SELECT total9(); END IF
CREATE TABLE made9 AS SELECT total9() AS n
# texts that they make
#! text
/*sluice: shard=s1*/ CREATE PROCEDURE sm9() BEGIN PREPARE sm9 FROM 'SELECT COUNT(*) FROM x'; EXECUTE sm9; DEALLOCATE PREPARE sm9; END
CALL sm9()
#! text mariadb
/*sluice: shard=s1*/ CREATE PROCEDURE ei9() EXECUTE IMMEDIATE 'DELETE FROM x WHERE v > 0'
#! mariadb
CALL ei9()
# the state of the session
#! text
CREATE FUNCTION who9() RETURNS VARCHAR(100) NO SQL RETURN USER()
#! text
CREATE FUNCTION held9() RETURNS BIGINT NO SQL RETURN IS_USED_LOCK('a9')
#! text
CREATE PROCEDURE rows9() BEGIN UPDATE p SET i = 77 WHERE i = 77; SELECT ROW_COUNT(); END
#! text
CREATE PROCEDURE before9() SELECT ROW_COUNT()
SELECT who9()
SELECT MAX(i), who9() FROM p
UPDATE p SET name = who9()
SELECT held9()
CALL rows9()
CALL before9()
# a body is read by the sql_mode that it was made with, and its texts have escapes
#! text
/*sluice: shard=s1*/ CREATE FUNCTION esc9() RETURNS INT READS SQL DATA BEGIN DECLARE s TEXT DEFAULT '\''; RETURN (SELECT COUNT(*) FROM x WHERE CONCAT('a',v) <> '\''); END
#! text
/*sluice: shard=s1*/ SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')
#! text
/*sluice: shard=s1*/ CREATE FUNCTION back9() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM x WHERE CONCAT('a', v) <> '\') + (SELECT COUNT(*) FROM x WHERE v <> '\')
SELECT esc9()
SELECT back9()
#! session
SELECT esc9()
SELECT back9()
# SET of a variable of the server
#! text
CREATE FUNCTION zone9(k INT) RETURNS INT NO SQL BEGIN DECLARE n INT; SET n = k, k = n + 1; SET time_zone = '+05:00'; RETURN k; END
SELECT zone9(1), @@time_zone
SELECT @@time_zone
SELECT * FROM r ORDER BY code
SELECT * FROM x ORDER BY id
DROP VIEW vx9
