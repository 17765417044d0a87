# Joins, subqueries, unions, common table expressions, windows.
SELECT t.id, o.n, o.amount FROM t JOIN o ON o.uid = t.id ORDER BY t.id, o.n
SELECT t.id, o.n FROM t, o WHERE o.uid = t.id AND t.id = 7 ORDER BY o.n
SELECT t.id, o.n FROM t LEFT JOIN o ON o.uid = t.id ORDER BY t.id, o.n
SELECT t.id, o.n FROM t LEFT JOIN o ON o.uid = t.id AND o.n > 2 WHERE t.id < 12 ORDER BY t.id, o.n
SELECT t.id FROM t LEFT JOIN o ON o.uid = t.id WHERE o.uid IS NULL ORDER BY t.id
SELECT t.id, o.n FROM o RIGHT JOIN t ON o.uid = t.id ORDER BY t.id, o.n
SELECT COUNT(*) FROM t JOIN o ON o.uid = t.id
SELECT t.i, COUNT(*), SUM(o.amount) FROM t JOIN o ON o.uid = t.id GROUP BY t.i ORDER BY t.i
SELECT t.id, r.name FROM t JOIN r ON r.n = t.i ORDER BY t.id
SELECT t.id, r.name FROM t LEFT JOIN r ON r.n = t.i ORDER BY t.id
SELECT r.code, t.id FROM r LEFT JOIN t ON r.n = t.id ORDER BY r.code
SELECT r.code, COUNT(t.id) FROM r LEFT JOIN t ON r.n = t.i GROUP BY r.code ORDER BY r.code
SELECT r.name, COUNT(*) FROM t JOIN r ON r.n = t.i GROUP BY r.name ORDER BY r.name
SELECT * FROM t JOIN o ON o.uid = t.id WHERE t.id = 3 ORDER BY o.n
SELECT * FROM x JOIN r ON r.n = x.v ORDER BY x.id
SELECT a1.id, b1.id FROM x a1 JOIN x b1 ON a1.id = b1.id ORDER BY a1.id
SELECT a1.id, b1.id FROM x a1 JOIN x b1 ON a1.v = b1.v WHERE a1.id < b1.id ORDER BY a1.id, b1.id
SELECT a1.id, b1.id FROM x a1 JOIN x b1 ON a1.v = b1.v WHERE a1.id = 3 AND b1.id = 7
SELECT a1.id, b1.id FROM x a1, x b1 WHERE a1.id = 3 AND b1.id = 3
SELECT a1.id, b1.id FROM x a1, x b1 WHERE a1.id = 3 AND b1.id = 4
SELECT x.id, t.id FROM x JOIN t USING (id) ORDER BY x.id
SELECT * FROM x JOIN t USING (id) WHERE id = 3
SELECT id FROM x NATURAL JOIN t ORDER BY id
SELECT COUNT(*) FROM x, r
SELECT COUNT(*) FROM t, x
SELECT COUNT(*) FROM r, r AS r2
SELECT p.id, r.name FROM p LEFT JOIN r ON r.n = p.i ORDER BY p.id
SELECT p.id, t.id FROM p JOIN t ON t.id = p.i ORDER BY p.id
SELECT * FROM p ORDER BY id
SELECT id, (SELECT name FROM r WHERE r.n = t.i) AS rn FROM t ORDER BY id
SELECT id, (SELECT COUNT(*) FROM o WHERE o.uid = t.id) AS c FROM t ORDER BY id
SELECT id, (SELECT COUNT(*) FROM o) AS c FROM t WHERE id = 3
SELECT id, (SELECT MAX(amount) FROM o WHERE o.uid = 7) AS c FROM t WHERE id = 7
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = t.id) ORDER BY id
SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM o WHERE o.uid = t.id AND o.n = 2) ORDER BY id
SELECT id FROM t WHERE id IN (SELECT uid FROM o WHERE n = 3) ORDER BY id
SELECT id FROM t WHERE id NOT IN (SELECT uid FROM o) ORDER BY id
SELECT id FROM t WHERE i IN (SELECT n FROM r WHERE code = 'de') ORDER BY id
SELECT id FROM t WHERE i = (SELECT MAX(i) FROM t) ORDER BY id
SELECT id FROM t WHERE i > ALL (SELECT n FROM r WHERE n < 3) ORDER BY id
SELECT id FROM t WHERE i = ANY (SELECT n FROM r) ORDER BY id
SELECT * FROM (SELECT id, i FROM t WHERE id = 5) AS q
SELECT * FROM (SELECT id, i FROM t) AS q ORDER BY id
SELECT COUNT(*) FROM (SELECT DISTINCT i FROM t) AS q
SELECT MAX(c) FROM (SELECT uid, COUNT(*) AS c FROM o GROUP BY uid) AS q
SELECT q.id FROM (SELECT id FROM t ORDER BY id LIMIT 5) AS q
SELECT id FROM t WHERE id = 1 UNION SELECT id FROM t WHERE id = 2
SELECT id FROM t WHERE id = 1 UNION ALL SELECT id FROM t WHERE id = 1
SELECT i FROM t UNION SELECT v FROM x
SELECT i FROM t UNION ALL SELECT v FROM x ORDER BY 1
(SELECT id FROM t ORDER BY id LIMIT 2) UNION ALL (SELECT id FROM x ORDER BY id LIMIT 2)
SELECT code FROM r UNION SELECT 'zz' ORDER BY code
SELECT n FROM r UNION SELECT 1
#! mariadb
SELECT id FROM x WHERE id < 5 EXCEPT SELECT id FROM x WHERE id < 3
WITH q AS (SELECT 1 AS a) SELECT * FROM q
WITH q AS (SELECT id, i FROM t WHERE id = 5) SELECT * FROM q
WITH q AS (SELECT id, i FROM t) SELECT COUNT(*) FROM q
WITH RECURSIVE q AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM q WHERE a < 5) SELECT * FROM q ORDER BY a
SELECT id, ROW_NUMBER() OVER (ORDER BY id) FROM x ORDER BY id
SELECT id, SUM(v) OVER (PARTITION BY id) FROM x ORDER BY id
SELECT id, SUM(v) OVER (PARTITION BY id) FROM x WHERE id = 4
SELECT t.id, o.n, r.name FROM t JOIN o ON o.uid = t.id LEFT JOIN r ON r.n = o.n WHERE t.id IN (3, 7, 11) ORDER BY t.id, o.n
SELECT t.id, o.n FROM t JOIN o ON o.uid = t.id AND t.id = 7 ORDER BY o.n
SELECT t.id, o.n FROM t JOIN o ON o.uid = t.id WHERE o.uid = 7 ORDER BY o.n
SELECT t.id, o.n FROM t JOIN o ON t.id = 7 AND o.uid = 7 ORDER BY o.n
SELECT t.id, o.n FROM t LEFT JOIN o ON o.uid = 7 AND t.id = 7 ORDER BY t.id, o.n
SELECT t.id, o.n FROM t LEFT JOIN o ON t.id = o.uid WHERE o.uid = 7 ORDER BY o.n
SELECT t.id, s.n FROM t JOIN s ON s.n = t.id ORDER BY t.id
SELECT s.name, s2.n FROM s JOIN s AS s2 ON s.name = s2.name ORDER BY s.n
SELECT DISTINCT t.i FROM t JOIN o ON o.uid = t.id ORDER BY t.i
SELECT * FROM nothing
SELECT * FROM nothing.nothing
SELECT * FROM t, nothing
SELECT nothing FROM t
SELECT t.nothing FROM t WHERE id = 5
SELECT nothing.id FROM t
SELECT id FROM t, x
SELECT * FROM t AS a1, x AS a1
#! mysql
TABLE x ORDER BY id
VALUES ROW(1, 2), ROW(3, 4)
