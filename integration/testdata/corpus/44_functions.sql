# Stored functions beside sharded tables. (Those that the text protocol makes are there for the binary one.)
#! text
CREATE FUNCTION plus1(val INT) RETURNS INT DETERMINISTIC RETURN val + 1
#! text
CREATE FUNCTION twice(val INT) RETURNS INT DETERMINISTIC BEGIN DECLARE acc INT DEFAULT 0; SET acc = plus1(val) + val; RETURN acc - 1; END
#! text
CREATE FUNCTION howmany() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM p)
#! text
CREATE FUNCTION inner_state() RETURNS INT READS SQL DATA RETURN @v + 1
#! text
CREATE FUNCTION called(val INT) RETURNS VARCHAR(40) CHARACTER SET utf8mb4 READS SQL DATA RETURN (SELECT MAX(name) FROM p WHERE i = val)
SELECT id, plus1(id) FROM x ORDER BY id
SELECT plus1(v), COUNT(*) FROM x GROUP BY plus1(v) ORDER BY 1
SELECT id FROM x WHERE v = plus1(1) ORDER BY id
SELECT twice(id) FROM x WHERE id = 5
SELECT shop.twice(v), howmany() FROM x WHERE id IN (3, 4) ORDER BY 1
SELECT x.id, called(x.v) FROM x JOIN p ON p.i = x.v ORDER BY x.id, p.id
SELECT SUM(plus1(n)) FROM o
SELECT x.id, r.name FROM x JOIN r ON r.n = plus1(x.v) ORDER BY x.id, r.name
SELECT plus1(MAX(id)) FROM t
SELECT id FROM x WHERE id > (SELECT MAX(plus1(n)) FROM o) ORDER BY id
#! args int:3 int:2
SELECT id, plus1(?) FROM x WHERE v > ? ORDER BY id
#! mariadb
SELECT DISTINCT MEDIAN(plus1(v)) OVER () FROM x
#! mariadb
SELECT id, howmany() FROM x WHERE v < plus1(3) ORDER BY id FETCH FIRST 4 ROWS ONLY
#! mariadb
SELECT DISTINCT MEDIAN(plus1(v)) OVER () FROM x WHERE id = 5
#! mariadb
SELECT x.id, `called`(x.v), MEDIAN(v) OVER () FROM x JOIN p ON p.i = x.v WHERE x.id < 20 ORDER BY 1, 2
#! mysql
SELECT plus1(x.id), j.o FROM x JOIN JSON_TABLE('[1,2]', '$[*]' COLUMNS (o FOR ORDINALITY, a INT PATH '$')) j ON j.a = x.id ORDER BY 1
SELECT nosuchfunction(id), JSON_ARRAYAGG(DISTINCT v ORDER BY v) FROM x
SELECT inner_state(), JSON_ARRAYAGG(DISTINCT v ORDER BY v) FROM x
SELECT plus1(1), howmany()
SELECT plus1(i) FROM p ORDER BY 1
SELECT nosuchfunction(id) FROM x
SELECT plus1() FROM x
SELECT inner_state() FROM x
SET @m = (SELECT MAX(plus1(v)) FROM x)
SELECT @m
BEGIN
UPDATE x SET v = v + 100 WHERE id = 5
SELECT SUM(plus1(v)) FROM x
ROLLBACK
START TRANSACTION READ ONLY
SELECT SUM(plus1(v)) FROM x
COMMIT
SELECT SUM(plus1(v)) FROM x
# rows that a function computes
INSERT INTO x (id, v, txt) VALUES (5001, plus1(1), called(1))
INSERT INTO x (id, v) VALUES (plus1(5001), 1), (5003, plus1(plus1(2)))
INSERT INTO x (id, v) VALUES (5003, plus1(9)) ON DUPLICATE KEY UPDATE v = VALUES(v)
INSERT INTO x (id, v) SELECT plus1(id + 6000), twice(v) FROM x WHERE id < 9
INSERT INTO a (uid, name) VALUES (plus1(8), 'id'), (10, called(2))
INSERT INTO r (code, name, n) VALUES ('y9', 'computed', plus1(900))
INSERT INTO p (i, name) SELECT plus1(v), txt FROM x WHERE id > 5000 ORDER BY id
REPLACE INTO o (uid, n, amount) VALUES (7, 1, plus1(5)), (8, plus1(1), 5)
#! args int:5010 int:3
INSERT INTO x (id, v) VALUES (?, plus1(?))
BEGIN
INSERT INTO p (i, name) VALUES (1, 'zzz own')
INSERT INTO x (id, v, txt) VALUES (5020, howmany(), called(1))
SELECT v, txt FROM x WHERE id = 5020
ROLLBACK
INSERT INTO x (id, v) VALUES (5003, 1) ON DUPLICATE KEY UPDATE v = plus1(v)
INSERT INTO x (id, v) VALUES (5030, plus1('x'))
SELECT * FROM x WHERE id > 5000 ORDER BY id
SELECT uid, name FROM a WHERE uid < 11 ORDER BY uid, name
SELECT * FROM r ORDER BY code
#! reset
# of schemas that the user was not given
SELECT elsewhere.f(1)
SELECT id, Elsewhere.`f`(v) FROM x
CALL elsewhere.p(1)
SELECT id FROM p WHERE i = mysql.nothing(id)
