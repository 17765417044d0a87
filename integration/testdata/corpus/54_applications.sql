# What frameworks, plugins and tools send, over sharded tables.
# Doctrine, Laravel: paginators, existence, counts over derived tables, whereIn pairs
SELECT COUNT(*) AS dctrn_count FROM (SELECT DISTINCT id_0 FROM (SELECT x0_.id AS id_0, x0_.v AS v_1, o1_.n AS n_2 FROM x x0_ LEFT JOIN o o1_ ON x0_.id = o1_.uid WHERE x0_.v > 0) dctrn_result) dctrn_table
SELECT DISTINCT id_0 FROM (SELECT DISTINCT id_0, v_1 FROM (SELECT x0_.id AS id_0, x0_.v AS v_1, o1_.n AS n_2 FROM x x0_ LEFT JOIN o o1_ ON x0_.id = o1_.uid) dctrn_result_inner ORDER BY v_1 DESC, id_0 ASC) dctrn_result LIMIT 5
#! size
SELECT DISTINCT id_0, MIN(v_1) AS m FROM (SELECT x0_.id AS id_0, x0_.v AS v_1 FROM x x0_) q GROUP BY id_0 ORDER BY m LIMIT 4
SELECT EXISTS(SELECT * FROM x WHERE id = 5 AND v IS NOT NULL) AS `exists`
SELECT x.*, (SELECT COUNT(*) FROM o WHERE x.id = o.uid) AS o_count, (SELECT MAX(o.amount) FROM o WHERE x.id = o.uid) AS o_max FROM x WHERE x.id IN (1, 2, 3, 4, 5) ORDER BY x.id
SELECT x.*, (SELECT COUNT(*) FROM o WHERE x.id = o.uid AND o.n > 1) AS c FROM x HAVING c > 1 ORDER BY c DESC, id LIMIT 3
SELECT * FROM (SELECT o.*, ROW_NUMBER() OVER (PARTITION BY o.uid ORDER BY o.amount DESC, o.n) AS laravel_row FROM o WHERE o.uid IN (1, 2, 3, 7)) AS laravel_table WHERE laravel_row <= 2 ORDER BY uid, laravel_row
SELECT * FROM x WHERE v <=> NULL AND id <> ALL (SELECT uid FROM o) ORDER BY id
SELECT u.id, u.txt, COALESCE(SUM(o.amount), 0) AS total FROM x u LEFT JOIN o ON o.uid = u.id AND o.at > '2000-01-01' GROUP BY u.id, u.txt ORDER BY total DESC, u.id LIMIT 5
SELECT u.v, SUM(o.amount) s, COUNT(DISTINCT u.id) d, COUNT(DISTINCT o.code) c FROM x u JOIN o ON o.uid = u.id GROUP BY u.v HAVING s > 10 ORDER BY s DESC, u.v
SELECT YEAR(at), MONTH(at), DAYOFMONTH(at), COUNT(n) AS posts FROM o WHERE code = 'aa' GROUP BY YEAR(at), MONTH(at), DAYOFMONTH(at) ORDER BY 1, 2, 3
SELECT DISTINCT YEAR(at) AS `year`, MONTH(at) AS `month` FROM o WHERE code <> 'c' ORDER BY at DESC
# WordPress: meta joins, SQL_CALC_FOUND_ROWS, FIELD, terms
#! text
SELECT SQL_CALC_FOUND_ROWS x.id FROM x INNER JOIN o ON (x.id = o.uid) WHERE 1=1 AND ((o.code = 'aa' AND o.n > 1)) AND ((x.txt = 'one' OR x.txt = 'two')) GROUP BY x.id ORDER BY x.v DESC, x.id LIMIT 0, 3
#! text deprecated
SELECT FOUND_ROWS()
SELECT x.id FROM x LEFT JOIN o ON (x.id = o.uid AND o.code = 'bb') LEFT JOIN o AS mt1 ON (x.id = mt1.uid) WHERE (o.uid IS NULL OR (mt1.code = 'aa' AND mt1.amount > '5')) GROUP BY x.id ORDER BY x.id
SELECT o.code, COUNT(*) AS num FROM o GROUP BY o.code HAVING num > 0 ORDER BY num DESC, o.code LIMIT 2
SELECT x.*, o.* FROM x INNER JOIN o ON o.uid = x.id WHERE o.n = 1 AND x.txt LIKE '%o%' ORDER BY CASE WHEN x.txt LIKE 'one%' THEN 1 WHEN x.txt LIKE '%one%' THEN 2 ELSE 3 END, x.id LIMIT 10
SELECT COUNT(NULLIF(`code` LIKE '%aa%', false)), COUNT(NULLIF(`code` = 'bb', false)), COUNT(*) FROM o WHERE code IS NOT NULL
DELETE o FROM o LEFT JOIN x ON x.id = o.uid WHERE x.id IS NULL
UPDATE x u INNER JOIN (SELECT uid, SUM(amount) AS s FROM o GROUP BY uid) q ON q.uid = u.id SET u.v = ROUND(q.s) WHERE q.s > 5
SELECT * FROM x ORDER BY id
#! reset
# Magento: INSERT … SELECT … ON DUPLICATE KEY, temporary tables, IFNULL over left joins
INSERT INTO x (id, v, txt) SELECT m.id, COUNT(*), MAX(o.code) FROM t AS m INNER JOIN o ON o.uid = m.id GROUP BY m.id ON DUPLICATE KEY UPDATE v = VALUES(v), txt = VALUES(txt)
SELECT IF(d.n > 0, d.code, IFNULL(e.code, 'none')) AS value, x.id FROM x LEFT JOIN o d ON d.uid = x.id AND d.n = 1 LEFT JOIN o e ON e.uid = x.id AND e.n = 2 WHERE x.id < 12 ORDER BY x.id
SELECT `main_table`.*, `r`.`name` FROM `x` AS `main_table` LEFT JOIN `r` ON main_table.v = r.n WHERE (`main_table`.`id` > 3) AND (`r`.`name` IS NULL OR `r`.`code` IN('de', 'fr')) ORDER BY `main_table`.`id` ASC
CREATE TEMPORARY TABLE tmp_rows (id INT NOT NULL PRIMARY KEY, v INT)
INSERT INTO tmp_rows SELECT id, v FROM x WHERE v > 1
REPLACE INTO tmp_rows (id, v) SELECT x.id, SUM(o.n) FROM x JOIN o ON o.uid = x.id WHERE x.id < 9 GROUP BY x.id
INSERT INTO tmp_rows SELECT uid, n FROM o WHERE n = 1 ON DUPLICATE KEY UPDATE v = VALUES(v) + 100
INSERT INTO tmp_rows SELECT uid, n FROM o
SELECT COUNT(*), SUM(v) FROM tmp_rows
SELECT tmp_rows.id, o.n FROM tmp_rows JOIN o ON o.uid = tmp_rows.id ORDER BY 1, 2
SELECT COUNT(*) FROM x WHERE id NOT IN (SELECT id FROM tmp_rows)
DROP TEMPORARY TABLE tmp_rows
#! reset
# Drupal, Joomla, MediaWiki
SELECT COUNT(*) AS expression FROM (SELECT 1 AS expression FROM x GROUP BY v) subquery
SELECT x.id AS id, x.v AS v FROM x x INNER JOIN o o ON o.uid = x.id AND (o.n > '0') WHERE (x.txt LIKE 'o%' ESCAPE '\\') AND (o.uid NOT IN ('1', '2')) ORDER BY x.v DESC, x.id ASC LIMIT 10 OFFSET 0
SELECT SQL_BIG_RESULT v, COUNT(*) FROM x GROUP BY v ORDER BY NULL
SELECT /* Title::get */ id, txt FROM `x` FORCE INDEX (PRIMARY) WHERE (id >= 5) ORDER BY id LIMIT 1
SELECT /*! STRAIGHT_JOIN */ id, n FROM `x` JOIN `o` ON ((uid = id)) WHERE v = '1' AND n IN ('1', '2') ORDER BY id, n
INSERT INTO x (id, v, txt) VALUES (901, 5, 'new'), (5, 6, 'old'), (902, DEFAULT, NULL) ON DUPLICATE KEY UPDATE v = VALUES(v), txt = COALESCE(VALUES(txt), txt)
UPDATE x SET v = CASE WHEN id = 5 THEN 50 WHEN id = 6 THEN 60 ELSE v END, txt = CASE id WHEN 7 THEN 'seven' ELSE txt END WHERE id IN (5, 6, 7)
SELECT id, v, txt FROM x WHERE id > 899 OR id IN (5, 6, 7) ORDER BY id
# tools
(SELECT id, 'x' AS src FROM x ORDER BY id DESC LIMIT 2) UNION ALL (SELECT uid, 'o' FROM o ORDER BY uid, n LIMIT 2) ORDER BY src, id
SELECT /*!40001 SQL_NO_CACHE */ `id`, `v` FROM `x` WHERE `id` > 3 ORDER BY `id` LIMIT 3
SELECT CONCAT('INSERT INTO x VALUES (', id, ',', QUOTE(txt), ');') AS line FROM x WHERE id < 4 ORDER BY id
SELECT t.id, t.ci FROM t JOIN (SELECT ci, MAX(id) AS m FROM t GROUP BY ci) q ON q.m = t.id ORDER BY t.id
SELECT id FROM t AS a WHERE 2 > (SELECT COUNT(*) FROM t AS b WHERE b.ti = a.ti AND b.id > a.id) ORDER BY id
SELECT @row := @row + 1 AS nr, q.id FROM (SELECT id FROM x WHERE v = 1 ORDER BY id) q, (SELECT @row := 0) init
SELECT ti, SUM(CASE WHEN e = 'small' THEN 1 ELSE 0 END) AS small, SUM(IF(e = 'large', d, 0)) AS large, COUNT(DISTINCT e) FROM t GROUP BY ti WITH ROLLUP
SELECT a.id FROM x a JOIN x b ON b.id = a.v LEFT JOIN x c ON c.id = b.v WHERE c.id IS NULL OR c.v = 2 ORDER BY a.id
SELECT x.id, GROUP_CONCAT(o.n ORDER BY o.n DESC SEPARATOR '|') AS list, GROUP_CONCAT(DISTINCT o.code ORDER BY o.code) AS codes FROM x LEFT JOIN o ON o.uid = x.id GROUP BY x.id ORDER BY x.id LIMIT 8
WITH RECURSIVE tree (id, parent, depth, path) AS (SELECT id, v, 0, CAST(id AS CHAR(100)) FROM x WHERE id = 1 UNION ALL SELECT x.id, x.v, tree.depth + 1, CONCAT(tree.path, '/', x.id) FROM x JOIN tree ON x.v = tree.id WHERE depth < 3) SELECT id, depth, path FROM tree ORDER BY path LIMIT 20
WITH ranked AS (SELECT id, v, DENSE_RANK() OVER (ORDER BY v DESC) AS rk FROM x WHERE v IS NOT NULL) SELECT rk, COUNT(*) FROM ranked GROUP BY rk HAVING rk <= 3 ORDER BY rk
SELECT ROUND(AVG(amount), 2), MAX(at) - INTERVAL 1 DAY, SUM(amount) * 1.19, COUNT(*) * 100 / (SELECT COUNT(*) FROM o) FROM o WHERE n = 1
SELECT id FROM x WHERE id = (SELECT MAX(id) FROM x WHERE id < 7) OR id = (SELECT MIN(id) FROM x WHERE id > 7) ORDER BY id
UPDATE x SET v = v + 1 WHERE id = (SELECT q.m FROM (SELECT MAX(id) AS m FROM x) q)
DELETE x1 FROM x x1 JOIN x x2 ON x1.txt = x2.txt AND x1.id > x2.id
SELECT id, v, txt FROM x ORDER BY id
