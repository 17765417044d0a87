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
# of schemas that the user was not given
SELECT elsewhere.f(1)
SELECT id, Elsewhere.`f`(v) FROM x
CALL elsewhere.p(1)
SELECT id FROM p WHERE i = mysql.nothing(id)
