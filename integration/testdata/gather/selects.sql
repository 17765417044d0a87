# Every SELECT here needs rows of several shards in one place. Tables are those of the
# differential test.

# joins that are not on the shard keys
SELECT x.id, t.id, t.i FROM x JOIN t ON t.i = x.v
SELECT x.id, t.id FROM x LEFT JOIN t ON t.i = x.v AND t.ti > 2
SELECT x.id, t.id FROM t RIGHT JOIN x ON t.i = x.v
SELECT a.uid, x.txt FROM a JOIN x ON x.v = a.uid
SELECT COUNT(*) FROM t, o WHERE t.ti = o.n
SELECT t.id, o.n, x.txt FROM t JOIN o ON o.uid = t.id JOIN x ON x.v = o.n ORDER BY 1, 2, x.id
SELECT t1.id, t2.id FROM t t1 JOIN t t2 ON t1.i = t2.ti WHERE t1.id < t2.id
SELECT * FROM x x1 JOIN x x2 ON x1.v = x2.v AND x1.id <> x2.id
SELECT x.*, o.amount FROM x JOIN o ON o.n = x.v ORDER BY x.id, o.uid, o.n
SELECT x.id, r.name FROM r LEFT JOIN x ON x.v = r.n
SELECT r.code, COUNT(x.id) FROM r LEFT JOIN x ON x.v = r.n GROUP BY r.code ORDER BY r.code
SELECT x.id, x.v, s.n FROM x JOIN s ON s.n = x.v
SELECT s.name, b.n FROM s JOIN b ON b.k = s.name
SELECT s.name, t.ci FROM s JOIN t ON t.ci = s.v
SELECT t.id, w.k FROM t JOIN w ON w.a = t.ti AND w.b = 'y'
SELECT x.id, t.id FROM x STRAIGHT_JOIN t ON t.i = x.v
SELECT v, COUNT(*) FROM x NATURAL JOIN (SELECT n AS v FROM o) d GROUP BY v
SELECT x.id FROM x JOIN t USING (id) JOIN o ON o.n = x.v GROUP BY x.id

# unsharded tables
SELECT p.name, t.id FROM p JOIN t ON t.i = p.i
SELECT p.id, p.name, x.txt FROM p LEFT JOIN x ON x.v = p.i ORDER BY p.id, x.id
SELECT p.name, r.name, x.id FROM p JOIN r ON r.n = p.i JOIN x ON x.v = p.i
SELECT * FROM x WHERE v IN (SELECT i FROM p)
SELECT name FROM p WHERE EXISTS (SELECT 1 FROM x WHERE x.v = p.i)
SELECT p.i, (SELECT COUNT(*) FROM t WHERE t.i = p.i) AS n FROM p ORDER BY p.id
SELECT shop.p.name, shop.x.id FROM shop.p JOIN shop.x ON shop.x.v = shop.p.i WHERE shop.x.id < 10
SELECT x.id, y.name FROM shop.x JOIN shop.p AS y ON y.i = x.v

# subqueries
SELECT id, i FROM t WHERE i > (SELECT AVG(v) FROM x)
SELECT id FROM t WHERE i = (SELECT MAX(v) FROM x) ORDER BY id
SELECT id FROM x WHERE v IN (SELECT n FROM o WHERE amount > 5)
SELECT id FROM x WHERE v NOT IN (SELECT n FROM o WHERE amount > 30)
SELECT id FROM x WHERE EXISTS (SELECT * FROM o WHERE o.n = x.v AND o.amount > 20)
SELECT id FROM x WHERE NOT EXISTS (SELECT 1 FROM o WHERE o.n = x.v)
SELECT id, (SELECT COUNT(*) FROM o WHERE o.n = x.v) c FROM x ORDER BY id
SELECT id, (SELECT MAX(amount) FROM o) m FROM x
SELECT id FROM t WHERE ti = ANY (SELECT v FROM x WHERE id < 3)
SELECT id FROM t WHERE ti > ALL (SELECT v FROM x WHERE v IS NOT NULL)
SELECT id FROM t WHERE (ti, id) IN (SELECT v, id FROM x)
SELECT id FROM x WHERE v = (SELECT n FROM o WHERE uid = 3 AND n = 1)
SELECT id FROM x WHERE id = 5 AND v = (SELECT MIN(n) FROM o WHERE uid = 7)
SELECT (SELECT COUNT(*) FROM t) AS a, (SELECT COUNT(*) FROM o) AS b, (SELECT SUM(v) FROM x) AS c
SELECT (SELECT MAX(id) FROM t) - (SELECT MIN(id) FROM t)
SELECT id FROM x ORDER BY (SELECT COUNT(*) FROM o WHERE o.n = x.v), id
SELECT v, COUNT(*) FROM x GROUP BY v HAVING COUNT(*) > (SELECT COUNT(*) / 10 FROM o)
SELECT uid, SUM(amount) s FROM o GROUP BY uid HAVING s > (SELECT AVG(amount) FROM o)

# derived tables
SELECT * FROM (SELECT id, v FROM x WHERE v > 1) d WHERE d.id > 3
SELECT d.v, COUNT(*) FROM (SELECT DISTINCT v, txt FROM x) d GROUP BY d.v
SELECT AVG(c) FROM (SELECT COUNT(*) c FROM o GROUP BY n) d
SELECT d.n, x.id FROM (SELECT n, COUNT(*) c FROM o GROUP BY n) d JOIN x ON x.v = d.c
SELECT id FROM (SELECT id FROM t ORDER BY id DESC LIMIT 5) d ORDER BY id
SELECT MAX(c) FROM (SELECT uid, COUNT(*) c FROM o GROUP BY uid) d
SELECT a.id, b.c FROM x a JOIN (SELECT v, COUNT(*) c FROM x GROUP BY v) b ON a.v = b.v ORDER BY a.id
SELECT * FROM (SELECT 1 AS one) k JOIN x ON x.v = k.one

# common table expressions
WITH q AS (SELECT v, COUNT(*) c FROM x GROUP BY v) SELECT * FROM q WHERE c > 2
WITH q AS (SELECT id, i FROM t), z AS (SELECT v FROM x) SELECT q.id FROM q JOIN z ON z.v = q.i
WITH q AS (SELECT n, amount FROM o) SELECT a.n, COUNT(*) FROM q a JOIN q b ON a.n = b.n AND a.amount < b.amount GROUP BY a.n
WITH RECURSIVE n AS (SELECT 0 AS k UNION ALL SELECT k + 1 FROM n WHERE k < 5) SELECT n.k, COUNT(x.id) FROM n LEFT JOIN x ON x.v = n.k GROUP BY n.k ORDER BY n.k
WITH RECURSIVE chain AS (SELECT id, v, 0 AS depth FROM x WHERE id = 1 UNION ALL SELECT x.id, x.v, depth + 1 FROM chain JOIN x ON x.id = chain.v + 2 * chain.depth + 2 WHERE depth < 4) SELECT * FROM chain ORDER BY depth, id
WITH big AS (SELECT uid FROM o WHERE amount > 20) SELECT DISTINCT uid FROM big ORDER BY uid
WITH q AS (SELECT id FROM x WHERE id IN (1, 2, 3)) SELECT COUNT(*) FROM q, t WHERE t.ti = q.id

# windows
SELECT id, v, ROW_NUMBER() OVER (PARTITION BY v ORDER BY id) rn FROM x
SELECT id, SUM(v) OVER (ORDER BY id) total FROM x
SELECT uid, n, RANK() OVER (ORDER BY amount DESC, uid, n) FROM o
SELECT id, LAG(v) OVER (ORDER BY id) before_, LEAD(v, 2) OVER (ORDER BY id) after_ FROM x
SELECT id, COUNT(*) OVER w, AVG(ti) OVER w FROM t WINDOW w AS (PARTITION BY ti)
SELECT id, NTILE(4) OVER (ORDER BY id) FROM x ORDER BY id
SELECT id, FIRST_VALUE(id) OVER (PARTITION BY v ORDER BY id) FROM x WHERE v = 2
SELECT * FROM (SELECT id, v, ROW_NUMBER() OVER (PARTITION BY v ORDER BY id DESC) rn FROM x) d WHERE rn = 1
SELECT v, SUM(COUNT(*)) OVER (ORDER BY v) FROM x GROUP BY v

# set operations
SELECT v FROM x UNION SELECT n FROM o
SELECT v FROM x UNION ALL SELECT n FROM o
SELECT v FROM x INTERSECT SELECT n FROM o
SELECT v FROM x EXCEPT SELECT n FROM o
(SELECT id FROM x ORDER BY id LIMIT 3) UNION ALL (SELECT id FROM t ORDER BY id DESC LIMIT 3)
SELECT id FROM x UNION SELECT id FROM t ORDER BY id LIMIT 7 OFFSET 2
SELECT name FROM s UNION SELECT ci FROM t UNION SELECT name FROM r
SELECT 'x' AS src, COUNT(*) FROM x UNION ALL SELECT 'o', COUNT(*) FROM o UNION ALL SELECT 'r', COUNT(*) FROM r
SELECT COUNT(*) FROM (SELECT id FROM x UNION ALL SELECT id FROM t) d
SELECT id FROM x WHERE id = 1 UNION SELECT id FROM x WHERE id = 2
SELECT d FROM t UNION SELECT amount FROM o

# groups that several shards have a part of
SELECT v, COUNT(*) c FROM x GROUP BY v HAVING c > 3
SELECT v, SUM(id) FROM x GROUP BY v HAVING SUM(id) > 20 ORDER BY v
SELECT COUNT(DISTINCT v) FROM x
SELECT COUNT(DISTINCT i, ti) FROM t
SELECT SUM(DISTINCT i), AVG(DISTINCT ti) FROM t
#! fold
SELECT ci, COUNT(DISTINCT id) FROM t GROUP BY ci
SELECT GROUP_CONCAT(id ORDER BY id) FROM x
SELECT v, GROUP_CONCAT(DISTINCT ti ORDER BY ti DESC SEPARATOR '-') FROM x JOIN t USING (id) GROUP BY v
SELECT v, GROUP_CONCAT(id ORDER BY id SEPARATOR ';') FROM x GROUP BY v
SELECT JSON_OBJECTAGG(code, n) FROM r JOIN x ON x.v = r.n WHERE x.id = 1
SELECT n, COUNT(*), SUM(amount) FROM o GROUP BY n WITH ROLLUP
SELECT n, code, SUM(amount) FROM o WHERE code IS NOT NULL GROUP BY n, code WITH ROLLUP
SELECT STDDEV(v), VARIANCE(v), STDDEV_SAMP(v), VAR_SAMP(v) FROM x
SELECT BIT_AND(ti), BIT_OR(ti), BIT_XOR(id) FROM t
SELECT MIN(e), MAX(st) FROM t
SELECT COUNT(*) + 1, SUM(v) / COUNT(v) FROM x
SELECT MAX(v) - MIN(v) AS spread FROM x
SELECT DISTINCT COUNT(*) FROM x GROUP BY v
SELECT v % 2 AS odd, COUNT(*), MAX(txt) FROM x GROUP BY odd ORDER BY MAX(id)
SELECT AVG(i / 3), SUM(i / 3) FROM t
SELECT SUM(CASE WHEN v > 1 THEN 1 ELSE 0 END), COUNT(IF(v > 2, 1, NULL)) FROM x
SELECT SUM(v) IS NULL, COUNT(*) FROM x WHERE id > 1000
SELECT DISTINCT v FROM x ORDER BY id % 1, v
SELECT YEAR(at), COUNT(*) FROM o GROUP BY YEAR(at) HAVING COUNT(*) > 1

# all columns, all types
SELECT t.* FROM t JOIN x ON x.v = t.ti WHERE x.id = 3
SELECT DISTINCT t.* FROM t JOIN o ON o.n = t.ti
SELECT t.id, t.u, t.sb, t.ci, t.nm, t.d, t.f, t.g, t.dt, t.ts, t.tm, t.e, t.st, t.bt, t.bl, t.tx, t.js, t.yr FROM t JOIN x ON x.id = t.id + 1 WHERE x.v >= 0
SELECT w.*, b.*, s.* FROM w JOIN b ON b.n = w.a + 2 JOIN s ON s.n = b.n
SELECT DISTINCT bt, e, st, yr FROM t ORDER BY bt, e, st, yr
SELECT DISTINCT js FROM t
SELECT MIN(g), MAX(g), SUM(f) FROM (SELECT DISTINCT f, g FROM t) d

# conditions that the shards are asked
SELECT x.id, t.id FROM x JOIN t ON t.i = x.v WHERE x.id > 5 AND t.ti BETWEEN 1 AND 3 AND x.txt LIKE 'tw%'
SELECT x.id, t.id FROM x LEFT JOIN t ON t.i = x.v WHERE t.ti IS NULL OR t.ti > 3
SELECT x.id, t.id FROM x LEFT JOIN t ON t.i = x.v WHERE t.ti IS NULL AND x.id <> 7
SELECT COUNT(DISTINCT v) FROM x WHERE NOT (id > 5 AND v < 2) OR txt IS NULL
SELECT COUNT(DISTINCT ti) FROM t WHERE dt > '1999-12-31' AND ts <= '2020-01-01 00:00:00.000001' AND ci >= 'B' AND d <> 2.5
SELECT COUNT(DISTINCT ti) FROM t WHERE ci = 'E' AND sb NOT LIKE 'a%' AND u > 5 AND f < 1e10
SELECT id FROM x WHERE v > 1 AND id IN (SELECT uid FROM o WHERE amount >= 5 AND code <> 'aa') AND id < 20
SELECT d.v, COUNT(*) FROM (SELECT v, id FROM x WHERE id >= 3 AND id <= 15) d WHERE d.v > 0 GROUP BY d.v
SELECT v FROM x WHERE id > 20 UNION SELECT n FROM o WHERE amount > 40 AND uid < 30
#! args int:5 int:1 int:3 str:t%
SELECT x.id, t.id FROM x JOIN t ON t.i = x.v WHERE x.id > ? AND t.ti BETWEEN ? AND ? AND x.txt LIKE ?
#! args int:2 int:7
WITH q AS (SELECT n, amount FROM o WHERE n <= ? AND uid > ?) SELECT a.n, COUNT(*) FROM q a JOIN q b ON a.n = b.n GROUP BY a.n
WITH q AS (SELECT n, amount FROM o WHERE amount > 3), z AS (SELECT a.n FROM q a JOIN q b ON b.n < a.n) SELECT z.n, COUNT(*) FROM z JOIN z y ON y.n = z.n JOIN q ON q.n = z.n GROUP BY z.n
WITH RECURSIVE c AS (SELECT id, v FROM x WHERE id < 3 UNION SELECT x.id, x.v FROM c JOIN x ON x.id = c.v + 3) SELECT COUNT(*) FROM c a JOIN c b ON a.v = b.v

# what the parser does not know
#! mariadb
SELECT JSON_ARRAYAGG(id ORDER BY id DESC) FROM x
#! mariadb
SELECT v, JSON_ARRAYAGG(DISTINCT ti ORDER BY ti) FROM x JOIN t USING (id) GROUP BY v
#! mariadb
SELECT DISTINCT txt, MEDIAN(v) OVER (PARTITION BY txt) FROM x
#! mariadb
SELECT id FROM x ORDER BY id OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY
#! mariadb
SELECT GROUP_CONCAT(id ORDER BY id LIMIT 3), (SELECT GROUP_CONCAT(n ORDER BY n LIMIT 2) FROM o) FROM x
#! mariadb
SELECT id FROM x LIMIT 0 ROWS EXAMINED 1000
SELECT x.id, j.col FROM x, JSON_TABLE('[1,2,"x"]', '$[*]' COLUMNS (col INT PATH '$' NULL ON ERROR)) j WHERE x.v = j.col
SELECT x.id, p.name FROM x JOIN p ON p.i = x.v WHERE x.txt SOUNDS LIKE 'too' ORDER BY x.id, p.id
SELECT id FROM ((x))
WITH q AS (SELECT id, v FROM x) SELECT q.id FROM q JOIN t ON t.id = q.v WHERE t.nm SOUNDS LIKE 'one'

# odds and ends
SELECT SQL_CALC_FOUND_ROWS x.id FROM x JOIN t ON t.i = x.v ORDER BY x.id, t.id LIMIT 2
#! mariadb
SELECT FOUND_ROWS()
SELECT x.id FROM x JOIN t ON t.i = x.v WHERE x.id = 999
SELECT 1 FROM x JOIN o ON o.n = x.v LIMIT 0
SELECT x.id FROM x JOIN o ON o.n = x.nothing
SELECT nothing FROM x UNION SELECT id FROM t
SELECT x.id, t.id FROM x JOIN t ON t.i = x.v ORDER BY x.id DESC, t.id LIMIT 3, 4
SELECT DATABASE(), CONNECTION_ID() > 0, COUNT(DISTINCT v) FROM x
SELECT LAST_INSERT_ID() >= 0 AS ok, COUNT(DISTINCT v) FROM x GROUP BY 1
SELECT COUNT(DISTINCT v), CAST('abc' AS SIGNED) FROM x
SELECT `x`.`id` FROM `x` JOIN `t` ON `t`.`i` = `x`.`v` WHERE `x`.`id` > 10
SELECT x.id FROM x USE INDEX (PRIMARY) JOIN t IGNORE INDEX (i) ON t.i = x.v
SELECT x.id -- a comment
  FROM x /* and another */ JOIN t ON t.i = x.v WHERE x.txt = 'it''s' OR x.id = 4
#! mysql
TABLE x ORDER BY txt, id
(SELECT v FROM x) LIMIT 3
#! args int:2 str:two
SELECT x.id, t.id FROM x JOIN t ON t.i = x.v WHERE x.v = ? OR x.txt = ?
#! args int:3 int:1
SELECT id FROM x WHERE id = ? AND v IN (SELECT n FROM o WHERE uid > ?)
#! args int:3 int:7 int:9
SELECT COUNT(DISTINCT v) FROM x WHERE id IN (?, ?, ?)
#! args null
SELECT x.id, t.id FROM x JOIN t ON t.ti = x.v WHERE x.v <=> ?
#! args null
SELECT x.id, t.id FROM x LEFT JOIN t ON t.ti = x.v WHERE t.i <=> ?
#! args str:abc
SELECT s.n, x.id FROM s JOIN x ON x.v = s.n WHERE s.name = ?
#! args double:2
SELECT x.id, o.uid FROM x JOIN o ON o.n = x.v WHERE x.id = ?
#! args int:1
SELECT v, COUNT(*) FROM x GROUP BY v HAVING COUNT(*) > ?
