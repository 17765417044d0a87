# prepared statements of one text with parameters of other types, as other clients may have used them
#! args str:7
SELECT ? + 1
#! session
#! args int:7
SELECT ? + 1
#! session
#! args double:7
SELECT ? + 1
#! session
#! args decimal:7.25
SELECT ? + 1
#! session
#! args int:7
SELECT ? + 1
#! args str:5
SELECT id, ? FROM t WHERE id = 5
#! session
#! args int:5
SELECT id, ? FROM t WHERE id = 5
#! session
#! args double:5
SELECT id, ? FROM t WHERE id = 5
#! session
#! args null:
SELECT id, ? FROM t WHERE id = 5
#! session
#! args str:abc
SELECT id FROM t WHERE i IN (?, 5) ORDER BY id
#! session
#! args int:3
SELECT id FROM t WHERE i IN (?, 5) ORDER BY id
#! session
#! args str:3x
SELECT id FROM t WHERE i IN (?, 5) ORDER BY id
#! args int:2
SELECT COALESCE(?, 'x')
#! session
#! args str:2
SELECT COALESCE(?, 'x')
#! session
#! args double:2
SELECT IF(1, ?, 5)
#! session
#! args int:2
SELECT IF(1, ?, 5)
#! session
# charsets
SET NAMES latin1
#! text
SELECT HEX(name) FROM s WHERE name = 'abc'
#! text
SELECT HEX(name) FROM s WHERE name = CONVERT(0xE9 USING latin1)
#! text
SELECT HEX(name) FROM s ORDER BY name
SET NAMES utf8mb4
SET character_set_results = utf8mb4
SET character_set_results = NULL
SELECT name FROM s ORDER BY name
SELECT id, ci FROM t ORDER BY ci, id
SET NAMES utf8mb4
SET collation_connection = utf8mb4_bin
SELECT id FROM t ORDER BY CONCAT(nm, 'x'), id
SELECT name FROM s WHERE name = 'ABC'
SELECT id FROM t ORDER BY CAST(i AS CHAR), id
SET NAMES utf8mb4
# user variables and state in scatter
SET @v = 5
SELECT id, @v FROM t ORDER BY id
SELECT id FROM t WHERE i = @v ORDER BY id
SELECT id FROM t WHERE id = @v
SELECT @v := @v + 1, id FROM t ORDER BY id
SELECT i INTO @w FROM t WHERE id = 7
SELECT @w
SELECT i INTO @w FROM t ORDER BY id LIMIT 1
SELECT id, LAST_INSERT_ID() FROM t ORDER BY id LIMIT 2
SELECT LAST_INSERT_ID(id) FROM t ORDER BY id
SELECT SLEEP(0) FROM t WHERE id < 3
SELECT id FROM t WHERE SLEEP(0) = 0 ORDER BY id
SELECT GET_LOCK('a', 0), id FROM t
SELECT GET_LOCK('a', 0)
SELECT RELEASE_LOCK('a')
SET sql_select_limit = 3
SELECT id FROM t ORDER BY id
SELECT id FROM t WHERE id = 5
SELECT COUNT(*) FROM t
SELECT id FROM t ORDER BY id LIMIT 5
SET sql_select_limit = DEFAULT
SELECT id FROM t ORDER BY id
BEGIN
SELECT id FROM t WHERE id < 3 ORDER BY id FOR UPDATE
SELECT id FROM t ORDER BY id LIMIT 2 FOR UPDATE
SELECT id FROM t ORDER BY id LOCK IN SHARE MODE
SELECT code FROM r ORDER BY code FOR UPDATE
ROLLBACK
# cache reuse with other literals
SELECT id FROM t WHERE id IN (1,2,3) ORDER BY id LIMIT 2
SELECT id FROM t WHERE id IN (1) ORDER BY id LIMIT 2
SELECT id FROM t WHERE id IN (1,2,3,4,5,6,7,8,9,10,11,12) ORDER BY id LIMIT 0
SELECT id FROM t WHERE id IN (-1,-2) ORDER BY id LIMIT 9
SELECT id FROM t WHERE id IN (NULL) ORDER BY id LIMIT 9
SELECT id FROM t WHERE id IN (1,NULL) ORDER BY id LIMIT 9
SELECT id, i FROM t ORDER BY 1 LIMIT 3
SELECT id, i FROM t ORDER BY 2, 1 LIMIT 3
SELECT id, i FROM t ORDER BY 2 DESC, 1 LIMIT 3
SELECT i, ti FROM t GROUP BY 1, 2 ORDER BY 1, 2
SELECT i, ti FROM t GROUP BY 2, 1 ORDER BY 2, 1
SELECT 5 AS a, id FROM t ORDER BY a, id LIMIT 2
SELECT 6 AS a, id FROM t ORDER BY a, id LIMIT 2
SELECT id + 1 FROM t ORDER BY id + 1 LIMIT 2
SELECT id + 2 FROM t ORDER BY id + 1 LIMIT 2
SELECT id + 2 FROM t ORDER BY id + 2 LIMIT 2
SELECT id * -1 FROM t ORDER BY id * -1 LIMIT 2
SELECT id * 1 FROM t ORDER BY id * -1 LIMIT 2
SELECT i % 2, COUNT(*) FROM t GROUP BY i % 2 ORDER BY 1
SELECT i % 3, COUNT(*) FROM t GROUP BY i % 3 ORDER BY 1
SELECT COUNT(*), 1 FROM t
SELECT COUNT(*), 2 FROM t
SELECT SUM(i + 1) FROM t
SELECT SUM(i + 2) FROM t
SELECT AVG(i * 2) FROM t
SELECT AVG(i * 3) FROM t
SELECT MAX(id + 1), MIN(CONCAT(sb, 'a')) FROM t
SELECT MAX(id + 9), MIN(CONCAT(sb, 'b')) FROM t
SELECT DISTINCT i + 1 FROM t ORDER BY 1
SELECT DISTINCT i + 5 FROM t ORDER BY 1
SELECT id FROM t WHERE id = 5 AND i = 0 OR id = 6
SELECT id FROM t WHERE id = 50 AND i = 0 OR id = 6
SELECT id FROM t WHERE id BETWEEN 1 AND 3 ORDER BY id
SELECT id FROM t WHERE name = 5
SELECT COUNT(*) FROM t WHERE sb = 'abc'
SELECT COUNT(*) FROM t WHERE sb = 5
SELECT * FROM x ORDER BY id LIMIT 1, 2
SELECT * FROM x ORDER BY id LIMIT 3, 4
SELECT * FROM x ORDER BY id LIMIT 3 OFFSET 4
# joins with literals in ON
SELECT t.id, o.n FROM t JOIN o ON o.uid = t.id AND o.n = 1 WHERE t.id IN (5, 6, 7) ORDER BY t.id
SELECT t.id, o.n FROM t JOIN o ON o.uid = t.id AND o.uid IN (5, 6) ORDER BY t.id, o.n
SELECT t.id, r.code FROM t LEFT JOIN r ON r.n = t.i AND t.id = 5 ORDER BY t.id, r.code
SELECT t.id FROM t JOIN o ON (t.id, 1) = (o.uid, o.n) ORDER BY t.id
SELECT t.id FROM t JOIN o ON t.id = o.uid OR 0 ORDER BY t.id
SELECT t.id FROM t JOIN o ON t.id <=> o.uid ORDER BY t.id
SELECT t.id FROM t, o, x WHERE t.id = o.uid AND o.uid = x.id ORDER BY t.id
SELECT t.id FROM t, o, x WHERE t.id = o.uid AND t.id = x.id ORDER BY t.id
SELECT t.id, x.id FROM t LEFT JOIN o ON o.uid = t.id LEFT JOIN x ON x.id = o.uid ORDER BY t.id, o.n
SELECT t.id, x.id FROM t LEFT JOIN (o JOIN x ON x.id = o.uid) ON o.uid = t.id ORDER BY t.id, o.n
SELECT t.id, x.id FROM t LEFT JOIN x ON x.id = t.id AND x.id = 5 WHERE t.id < 9 ORDER BY t.id
SELECT t.id, s.n FROM t JOIN s ON s.name = t.id ORDER BY t.id, s.n
SELECT s.name, b.k FROM s JOIN b ON s.name = b.k ORDER BY s.name
SELECT s.name, s2.n FROM s JOIN s AS s2 ON s.name = s2.name ORDER BY s.name
SELECT w.k, t.id FROM w JOIN t ON w.k = t.id ORDER BY w.k
SELECT COUNT(*) FROM t STRAIGHT_JOIN o ON t.id = o.uid
SELECT COUNT(*) FROM t CROSS JOIN o ON t.id = o.uid
SELECT COUNT(*) FROM t INNER JOIN o USING (id)
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = t.id GROUP BY o.uid HAVING COUNT(*) > 2) ORDER BY t.id
SELECT t.id FROM t WHERE 2 < (SELECT COUNT(*) FROM o WHERE o.uid = t.id) ORDER BY t.id
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM o, x WHERE o.uid = t.id AND x.id = o.uid) ORDER BY t.id
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = t.id AND EXISTS (SELECT 1 FROM x WHERE x.id = o.uid)) ORDER BY t.id
SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = t.id AND EXISTS (SELECT 1 FROM x WHERE x.id = t.id)) ORDER BY t.id
SELECT t.id FROM t WHERE EXISTS (SELECT uid FROM o WHERE uid = id UNION SELECT 1) ORDER BY t.id
SELECT r.code, (SELECT COUNT(*) FROM t WHERE t.id = 5 AND t.i = r.n) FROM r ORDER BY code
SELECT t.id, (SELECT name FROM r WHERE r.n = t.i) FROM t ORDER BY t.id
SELECT t.id FROM t WHERE t.i IN (SELECT n FROM r) ORDER BY t.id
SELECT t.id FROM t WHERE t.i > ALL (SELECT n FROM r WHERE n < 3) ORDER BY t.id
SELECT i AS id, COUNT(*) FROM t GROUP BY t.id, i HAVING (SELECT COUNT(*) FROM o WHERE o.uid = id AND o.n > 0) > 0 ORDER BY t.id
SELECT i AS id, id AS kk FROM t HAVING EXISTS (SELECT 1 FROM o WHERE o.uid = id) ORDER BY kk
SELECT i AS id, id AS kk FROM t GROUP BY kk, i HAVING EXISTS (SELECT 1 FROM o WHERE o.uid = id) ORDER BY kk
SELECT i AS id, t.id AS kk FROM t ORDER BY EXISTS (SELECT 1 FROM o WHERE o.uid = id), kk
SELECT i AS id, t.id AS kk, EXISTS (SELECT 1 FROM o WHERE o.uid = id) FROM t ORDER BY kk
SELECT t.id FROM t GROUP BY t.id ORDER BY MAX(t.i), t.id
SELECT t.id, COUNT(o.uid) AS c FROM t LEFT JOIN o ON o.uid = t.id GROUP BY t.id HAVING c > 1 ORDER BY c DESC, t.id
SELECT t.id, GROUP_CONCAT(o.n ORDER BY o.n) FROM t JOIN o ON o.uid = t.id GROUP BY t.id ORDER BY t.id
SELECT o.uid, COUNT(DISTINCT o.code) FROM o GROUP BY o.uid ORDER BY o.uid
SELECT ti, COUNT(*) FROM t GROUP BY ti HAVING COUNT(*) > 9 ORDER BY ti
SELECT ti FROM t GROUP BY ti ORDER BY ti LIMIT 2 OFFSET 1
SELECT ti FROM t GROUP BY ti ORDER BY COUNT(*), ti
SELECT ti, SUM(i) s FROM t GROUP BY ti ORDER BY s, ti LIMIT 2
SELECT ti, AVG(i) s FROM t GROUP BY ti ORDER BY s, ti LIMIT 2
SELECT e, COUNT(*) FROM t GROUP BY e ORDER BY e
SELECT st, COUNT(*) FROM t GROUP BY st ORDER BY st
SELECT bt, COUNT(*) FROM t GROUP BY bt ORDER BY bt
SELECT g, COUNT(*) FROM t GROUP BY g ORDER BY g
SELECT tm, COUNT(*) FROM t GROUP BY tm ORDER BY tm DESC
#! fold
SELECT ci, COUNT(*) FROM t GROUP BY ci ORDER BY ci
#! fold
SELECT sb, COUNT(*) FROM t GROUP BY sb ORDER BY sb
SELECT u, COUNT(*) FROM t GROUP BY u ORDER BY u
SELECT i IS NULL AS q, COUNT(*) FROM t GROUP BY q ORDER BY q
SELECT DATE(ts), COUNT(*) FROM t GROUP BY DATE(ts) ORDER BY 1
SELECT YEAR(dt), COUNT(*), MIN(id) FROM t GROUP BY YEAR(dt) ORDER BY YEAR(dt)
SELECT IF(id > 5, 'a', 'b') AS g2, COUNT(*) FROM t GROUP BY g2 ORDER BY g2
SELECT DISTINCT ti, ti FROM t ORDER BY ti
SELECT DISTINCT o.n FROM t JOIN o ON t.id = o.uid ORDER BY o.n
SELECT DISTINCT LEFT(sb, 1) FROM t ORDER BY 1
TABLE r
