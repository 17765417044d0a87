# updates and deletes over several shards
UPDATE t SET i = i + 1 WHERE ti = 2
UPDATE t SET i = 7 WHERE id IN (1, 2, 3, 4)
UPDATE t SET i = 8 WHERE id = 5.0
UPDATE t SET ti = ti + 1, i = ti WHERE id < 5
UPDATE t SET id = 6 WHERE id IN (5, 6)
UPDATE t SET id = 5 WHERE ti = 1
UPDATE t SET i = NULL
UPDATE t SET i = id, ti = 3 ORDER BY id
UPDATE t SET i = 3 LIMIT 3
UPDATE t SET i = 9 ORDER BY id LIMIT 3
DELETE FROM t WHERE ti = 1 ORDER BY id LIMIT 2
UPDATE t JOIN o ON t.id = o.uid SET t.i = o.n
UPDATE t JOIN o ON t.id = o.uid SET o.n = o.n + 100, t.ti = 1
UPDATE t LEFT JOIN o ON t.id = o.uid SET t.i = 99 WHERE o.uid IS NULL
UPDATE t LEFT JOIN o ON t.id = o.uid SET o.amount = 1
UPDATE t, r SET t.i = r.n WHERE t.ti = r.n
UPDATE t JOIN r ON r.n = t.ti SET t.i = 5
UPDATE r JOIN t ON r.n = t.ti SET t.i = 6
UPDATE r LEFT JOIN t ON r.n = t.ti SET t.i = 7
UPDATE t SET i = (SELECT COUNT(*) FROM o WHERE o.uid = t.id)
UPDATE t SET i = (SELECT COUNT(*) FROM r)
UPDATE t SET i = 5 WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = t.id)
UPDATE t SET i = 5 WHERE id IN (SELECT uid FROM o)
UPDATE t SET nm = CONCAT(nm, 'longer than twenty characters')
UPDATE IGNORE t SET nm = CONCAT(nm, 'longer than twenty characters') WHERE nm IS NOT NULL
UPDATE t SET ti = 127 WHERE id = 7
UPDATE t SET ti = ti + 1 WHERE ti > 100
UPDATE IGNORE t SET ti = ti + 1
UPDATE t SET i = 1 WHERE 0
UPDATE t SET i = 1 WHERE id = NULL
UPDATE t tt SET tt.i = 4 WHERE tt.ti = 3
UPDATE t SET i = RAND(5) * 0
UPDATE t SET dt = NOW() - NOW()
SELECT id, i, ti FROM t ORDER BY id
DELETE FROM o WHERE n = 3
DELETE FROM o WHERE uid IN (1, 2, 3)
DELETE o FROM t JOIN o ON t.id = o.uid WHERE t.ti = 4
DELETE t, o FROM t LEFT JOIN o ON t.id = o.uid WHERE t.ti = 0
DELETE FROM t WHERE id IN (SELECT id FROM x)
DELETE FROM t USING t JOIN r ON r.n = t.ti WHERE r.code = 'it'
DELETE r FROM r JOIN t ON r.n = t.ti
DELETE FROM s WHERE n > 10
DELETE FROM s WHERE name = 5
UPDATE s SET v = 'q' WHERE name IN ('abc', 5)
UPDATE b SET n = n + 1 WHERE k > 'a'
UPDATE b SET k = 'abc' WHERE k = 'abc'
UPDATE w SET k = k WHERE k = 8000
UPDATE w SET c = c - 1
UPDATE w SET b = DEFAULT, a = DEFAULT(a)
BEGIN
UPDATE w SET a = 5
SELECT a, COUNT(*) FROM w GROUP BY a ORDER BY a
ROLLBACK
SELECT a, COUNT(*) FROM w GROUP BY a ORDER BY a
BEGIN
DELETE FROM w
INSERT INTO w (k) VALUES (1), (2), (3), (4)
COMMIT
SELECT k, a, b FROM w ORDER BY k
TRUNCATE w
SELECT COUNT(*) FROM w
# gathered reads
SELECT id, (SELECT MAX(n) FROM o) FROM t ORDER BY id
SELECT t.id, o.uid FROM t JOIN o ON t.i = o.n ORDER BY t.id, o.uid, o.n
SELECT COUNT(DISTINCT i), COUNT(DISTINCT ti), SUM(DISTINCT i) FROM t
SELECT i, COUNT(*) FROM t GROUP BY i WITH ROLLUP
SELECT id FROM t UNION SELECT uid FROM o ORDER BY 1
SELECT id FROM t EXCEPT SELECT uid FROM o ORDER BY 1
SELECT t1.id, t2.id FROM t t1 JOIN t t2 ON t1.i = t2.id ORDER BY 1, 2
SELECT id, RANK() OVER (ORDER BY i, id) FROM t ORDER BY id
SELECT ti, GROUP_CONCAT(id ORDER BY id), JSON_ARRAYAGG(ti) FROM t GROUP BY ti ORDER BY ti
WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 5) SELECT c.n, t.i FROM c JOIN t ON t.id = c.n ORDER BY c.n
SELECT p.name, t.id FROM p JOIN t ON t.id = p.i ORDER BY p.id, t.id
SELECT p.name, (SELECT COUNT(*) FROM t WHERE t.i = p.i) FROM p ORDER BY p.id
SELECT r.code, COUNT(t.id) FROM r LEFT JOIN t ON t.ti = r.n GROUP BY r.code ORDER BY r.code
SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 2
SELECT @v := id FROM t WHERE id = 7
SELECT * FROM t ORDER BY 1, id
SELECT t.*, r.* FROM t, r ORDER BY t.id, r.code
SELECT * FROM (SELECT id, i FROM t ORDER BY id LIMIT 5) d ORDER BY i, id
SELECT id FROM t WHERE (i, ti) IN (SELECT n, 3 FROM o) ORDER BY id
SELECT id FROM t WHERE i > ANY (SELECT n FROM o) ORDER BY id
SELECT id FROM t WHERE nm IN (SELECT name FROM s) ORDER BY id
SELECT LEAST(MIN(i), MAX(ti)), MAX(id) - MIN(id), COUNT(*) + 1 FROM t
SELECT ti, COUNT(*) FROM t GROUP BY ti HAVING COUNT(*) > 8 ORDER BY ti
SELECT STD(i), VARIANCE(ti), BIT_OR(id), BIT_XOR(ti) FROM t
SELECT bt, e, st, yr, tm, ts, dt, js, bl, f, g, d, u FROM t WHERE i IN (SELECT MAX(i) FROM t) ORDER BY id
SELECT HEX(bt), HEX(bl), e + 0, st + 0 FROM t t1 WHERE EXISTS (SELECT 1 FROM t t2 WHERE t2.i = t1.ti) ORDER BY id
SET time_zone = '+05:00'
SELECT uid, n, at FROM o WHERE amount > (SELECT AVG(amount) FROM o) ORDER BY uid, n
SET time_zone = DEFAULT
SET sql_mode = ''
SELECT DISTINCT at FROM o WHERE n IN (SELECT MIN(n) FROM o) ORDER BY at
SET sql_mode = DEFAULT
SET NAMES latin1
#! text
SELECT HEX(name) FROM s WHERE n IN (SELECT MAX(n) FROM s) ORDER BY name
SET NAMES utf8mb4
SELECT id FROM t WHERE MATCH (nm) AGAINST ('one')
#! args int:5
SELECT id FROM t WHERE i = (SELECT MAX(i) FROM t WHERE id < ?) ORDER BY id
#! args str:5 int:9
SELECT id, ? FROM t WHERE i = (SELECT MAX(i) FROM t WHERE id < ?) ORDER BY id
INSERT INTO x SELECT id + 500, i, nm FROM t WHERE id = 3
INSERT INTO x SELECT id + 500, i, nm FROM t
INSERT INTO p (i, name) SELECT id, nm FROM t
CREATE TABLE c1 AS SELECT id, i FROM t
SELECT COUNT(*) FROM c1
