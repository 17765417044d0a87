# SELECTs that are rare, over several shards.
# SQL_CALC_FOUND_ROWS
#! text
SELECT SQL_CALC_FOUND_ROWS id, i FROM t ORDER BY id LIMIT 3
#! text deprecated
SELECT FOUND_ROWS()
#! text
SELECT SQL_CALC_FOUND_ROWS i, COUNT(*) FROM t GROUP BY i ORDER BY i LIMIT 2, 2
#! text deprecated
SELECT FOUND_ROWS()
#! text
SELECT SQL_CALC_FOUND_ROWS DISTINCT t.i FROM t JOIN o ON o.n = t.i ORDER BY 1 LIMIT 1
#! text deprecated
SELECT FOUND_ROWS()
SELECT SQL_CALC_FOUND_ROWS id FROM t WHERE id = 5 LIMIT 0
# SELECT … INTO variables
#! text
SELECT COUNT(*), MAX(id) INTO @n, @m FROM t
#! text
SELECT @n, @m
#! text
SELECT id, sb INTO @a, @b FROM t ORDER BY id DESC LIMIT 1
#! text
SELECT @a, @b, @a + 1
#! text
SELECT id INTO @a FROM t WHERE id < 0
#! text
SELECT @a
SET @k = (SELECT MAX(id) FROM t)
#! text
SELECT @k
SELECT id FROM t WHERE id = @k
SET @x = 1, @y = (SELECT COUNT(*) FROM t WHERE i > @x)
#! text
SELECT @x, @y
DO (SELECT COUNT(*) FROM t)
DO SLEEP((SELECT COUNT(*) FROM t) * 0), @z := (SELECT MIN(id) FROM o JOIN t ON t.id = o.uid)
#! text
SELECT @z
# sql_select_limit
SET sql_select_limit = 3
SELECT id FROM t ORDER BY id
SELECT id FROM t ORDER BY id LIMIT 5
SELECT i, COUNT(*) FROM t GROUP BY i ORDER BY i
SELECT t.id, o.n FROM t JOIN o ON o.uid = t.i ORDER BY 1, 2
SELECT COUNT(*) FROM t
SELECT id FROM t WHERE id IN (SELECT uid FROM o) ORDER BY id
SELECT id FROM t UNION SELECT uid FROM o ORDER BY 1
SELECT * FROM (SELECT id FROM t) x ORDER BY id
SELECT DISTINCT i FROM t ORDER BY i
SELECT id FROM t WHERE id IN (1, 2, 3, 4, 5, 6) ORDER BY id
SET sql_select_limit = DEFAULT
SELECT COUNT(*) FROM t
# LAST_INSERT_ID(expr)
SELECT LAST_INSERT_ID(2)
SELECT id FROM t WHERE LAST_INSERT_ID(30) AND id < LAST_INSERT_ID() ORDER BY id
SELECT LAST_INSERT_ID(2)
SELECT COUNT(*) FROM t JOIN o ON o.n = t.i WHERE LAST_INSERT_ID(30) AND t.id < LAST_INSERT_ID()
SELECT LAST_INSERT_ID(2)
SELECT COUNT(DISTINCT LAST_INSERT_ID()) FROM t WHERE LAST_INSERT_ID(30) AND t.id < LAST_INSERT_ID()
SELECT LAST_INSERT_ID(2)
DELETE FROM t WHERE LAST_INSERT_ID(3) AND id < LAST_INSERT_ID() - 100
UPDATE t SET i = LAST_INSERT_ID() WHERE LAST_INSERT_ID(1) AND id < LAST_INSERT_ID() - 100
#! text
SELECT LAST_INSERT_ID(MAX(id)) FROM t
#! text
SELECT LAST_INSERT_ID()
#! text
SELECT COUNT(*), LAST_INSERT_ID(7) FROM t JOIN o ON o.n = t.i
#! text
SELECT LAST_INSERT_ID(), @@last_insert_id, @@identity
#! text
SELECT COUNT(*) + @@last_insert_id FROM t
#! text
SELECT id FROM t WHERE id > LAST_INSERT_ID() ORDER BY id
# @@warning_count
#! text
SELECT 1/0, CAST('x' AS SIGNED)
#! text
SELECT @@warning_count + 1, @@error_count AS e
#! text
SELECT @@warning_count
#! text
SELECT 1/0
#! text
SELECT IF(@@warning_count > 0, 'warned', 'fine')
#! text
SELECT 1/0
#! text
SELECT @@session.warning_count w, @@local.error_count, 7, 'x' `y`, @@warning_count = 1, ROW_COUNT(), LAST_INSERT_ID() + 1
#! text
SELECT nothing
#! text
SELECT @@Error_Count, IF(@@error_count = 1, @@warning_count, IF(1 <> 2, 'a', 3)) FROM DUAL
#! text
SELECT @@error_count, IF(@@error_count = 1, @@warning_count, IF(1 <> 2, 'a', 3))
SELECT 1/0
#! text
SELECT 1/0, @@warning_count
SELECT 1/0
#! text
SELECT @@warning_count + 1/0
SELECT 1/0, 1/0, 1/0
#! text
SELECT @@warning_count, 1/0, @@warning_count
SELECT nosuch
#! text
SELECT @@error_count, 1/0, @@error_count, @@warning_count
SELECT 1/0, 1/0
#! text
SELECT @@warning_count, 'a' = 0
SELECT 1/0, 1/0
#! binary
SELECT @@warning_count, 'a' = 0, @@warning_count
SELECT 1/0
#! text
SELECT @@warning_count, COUNT(*) FROM t
SELECT 1/0
#! text
SELECT @@warning_count, id FROM x WHERE id < 9 ORDER BY id
SELECT 1/0
#! text
SELECT 1/0, @@session.warning_count, @@error_count FROM x WHERE id = 5
SELECT 1/0
#! text
SELECT COUNT(*), MAX(@@warning_count) FROM x WHERE id > @@error_count
#! text
SELECT @@warning_count
# information_schema by full names of its columns
SELECT information_schema.tables.table_name FROM information_schema.tables WHERE information_schema.tables.table_schema = 'shop' AND information_schema.tables.table_name = 'x'
SELECT tables.table_name FROM information_schema.tables WHERE tables.table_schema = 'shop' AND tables.table_name = 'x'
SELECT information_schema.TABLES.TABLE_NAME, TABLES.TABLE_ROWS < 0 FROM information_schema.TABLES WHERE information_schema.TABLES.TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'x'
SELECT table_name, Table_Type t FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY table_name
SELECT x.table_name n, x.c FROM (SELECT table_name, COUNT(*) c FROM information_schema.columns WHERE table_schema = 'shop' GROUP BY table_name) x ORDER BY n
SELECT information_schema.`columns`.column_name, columns.column_name = 'id' FROM information_schema.`columns` WHERE table_schema = 'shop' AND table_name = 'x' ORDER BY information_schema . columns.ordinal_position
SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'x' UNION SELECT column_name FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'x' ORDER BY 1
# named locks
#! text
SELECT GET_LOCK('rare', 0), COUNT(*) FROM t
#! text
SELECT RELEASE_LOCK('rare'), COUNT(*) FROM t
#! text
SELECT id, IS_FREE_LOCK('rare') FROM t WHERE id < 4 ORDER BY id
# executable comments
SELECT /*! STRAIGHT_JOIN */ COUNT(*) FROM t JOIN o ON o.n = t.i
SELECT id FROM t /*!40000 FORCE INDEX (PRIMARY) */ WHERE i > (SELECT MIN(i) FROM t) ORDER BY id
SELECT /*!50000 COUNT(DISTINCT i) */ FROM t
SELECT /*!99999 nonsense */ id FROM t ORDER BY id LIMIT 2
# WITH within WITH, and mentioned twice
#! mariadb
WITH a AS (WITH b AS (SELECT id, i FROM t) SELECT x.id FROM b x JOIN b y ON y.i = x.i + 1) SELECT COUNT(*) FROM a
WITH a AS (SELECT id FROM t) SELECT COUNT(*) FROM a x JOIN a y ON x.id = y.id
#! mariadb
SELECT * FROM (WITH b AS (SELECT MAX(i) m FROM t) SELECT x.m FROM b x JOIN b y ON x.m = y.m) z
# names beyond ASCII
SELECT COUNT(*) AS größe FROM t `tä` JOIN o ON o.n = `tä`.i
SELECT (SELECT COUNT(*) FROM o) AS `日本`, 'ü' FROM t ORDER BY id LIMIT 1
# tables of two default shards
SELECT COUNT(*) FROM shop.p JOIN plain.q ON plain.q.id = shop.p.id
# PROCEDURE-like odds
SELECT * FROM t PARTITION (p0) ORDER BY id
SELECT COUNT(DISTINCT i) FROM t PARTITION (p0)
#! size
TABLE r
VALUES ROW(1, (SELECT COUNT(*) FROM t))
SELECT SQL_BIG_RESULT SQL_NO_CACHE HIGH_PRIORITY i, COUNT(*) FROM t GROUP BY i ORDER BY i
SELECT STRAIGHT_JOIN t.id FROM t JOIN o ON o.uid = t.id ORDER BY t.id, o.n
SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 1
# sql_select_limit again: what is copied is not cut short
SET sql_select_limit = 2
SELECT COUNT(DISTINCT i), COUNT(DISTINCT sb) FROM t
SELECT COUNT(*) FROM (SELECT i FROM t) q
SELECT x.id, (SELECT COUNT(*) FROM o WHERE o.n <= x.i) FROM t x ORDER BY x.id
SELECT id FROM t UNION ALL SELECT uid FROM o ORDER BY 1 DESC
#! size
SELECT id, i FROM t -- the end
SELECT id FROM t ORDER BY id LIMIT 3 OFFSET 4
UPDATE x SET v = (SELECT COUNT(DISTINCT i) FROM t) WHERE id < 5
SET @n = (SELECT COUNT(DISTINCT i) FROM t)
#! text
SELECT @n
SELECT id FROM t WHERE id = 3
#! size
TABLE r
SET sql_select_limit = 0
SELECT id FROM t ORDER BY id
SET sql_select_limit = 18446744073709551615
SELECT COUNT(*) FROM t
# PARTITION of tables that are gathered
CREATE TABLE pt (tenant_id INT NOT NULL, id INT NOT NULL, v VARCHAR(10), PRIMARY KEY (tenant_id, id), KEY (v))
  PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), PARTITION `p 2` VALUES LESS THAN MAXVALUE)
INSERT INTO pt VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'a'), (4, 12, 'b'), (5, 13, 'c'), (6, 14, 'a'), (7, 30, 'd'), (8, 31, 'a'), (9, 4, 'c'), (10, 15, 'b')
SELECT COUNT(DISTINCT v) FROM pt
SELECT COUNT(DISTINCT v), GROUP_CONCAT(id ORDER BY id) FROM pt PARTITION (p0)
SELECT COUNT(DISTINCT v), GROUP_CONCAT(id ORDER BY id) FROM pt PARTITION (`p 2`, p1) AS q WHERE q.id > 12
SELECT a.id, b.id FROM pt PARTITION (p0) a JOIN pt PARTITION (p1) b ON b.v = a.v ORDER BY 1, 2
SELECT a.id, b.id FROM pt PARTITION (p0) a LEFT JOIN pt PARTITION (p1) b ON b.v = a.v AND b.id > 13 ORDER BY 1, 2
SELECT id, (SELECT COUNT(*) FROM pt PARTITION (p1) WHERE v <= pt2.v) FROM pt pt2 ORDER BY id
SELECT v FROM pt PARTITION (p0) UNION SELECT v FROM shop.pt PARTITION (`p 2`) ORDER BY 1
SELECT pt.v, t.id FROM pt PARTITION (p1) JOIN t ON t.i = pt.id ORDER BY 1, 2
SELECT COUNT(DISTINCT v) FROM pt PARTITION (nothere)
SELECT COUNT(DISTINCT v) FROM pt PARTITION (nothere) WHERE tenant_id = NULL
SELECT COUNT(DISTINCT v) FROM pt PARTITION (p1) WHERE tenant_id IN (4, 5, 9)
SELECT * FROM pt PARTITION (p0) ORDER BY id
SELECT v, COUNT(*) FROM pt PARTITION (p0, p1) GROUP BY v ORDER BY v
#! mariadb
SELECT JSON_ARRAYAGG(v ORDER BY id) FROM pt PARTITION (p1)
UPDATE x SET v = (SELECT COUNT(DISTINCT v) FROM pt PARTITION (p1)) WHERE id < 3
UPDATE pt PARTITION (p0) SET v = 'z' ORDER BY id LIMIT 2
DROP TABLE pt
