# MATCH … AGAINST beside what must be gathered: which rows match is asked of the shards.
CREATE TABLE mft (tenant_id INT NOT NULL, id INT NOT NULL, k INT, txt TEXT, PRIMARY KEY (tenant_id, id), FULLTEXT KEY (txt)) DEFAULT CHARSET=utf8mb4
INSERT INTO mft VALUES (1, 1, 1, 'apple pie'), (2, 2, 2, 'banana split'), (3, 3, 3, 'apple tart apple'), (4, 4, 1, 'cherry pie'), (5, 5, 2, 'plum'), (6, 6, 3, 'plum cake'), (7, 7, 4, 'nothing'), (8, 8, 1, NULL)
SELECT id FROM mft WHERE MATCH (txt) AGAINST ('apple') ORDER BY id
SELECT COUNT(DISTINCT k) FROM mft WHERE MATCH (txt) AGAINST ('+apple -tart' IN BOOLEAN MODE)
SELECT m.id, x.id FROM mft m JOIN x ON x.v = m.k WHERE m.k < 9 AND MATCH (m.txt) AGAINST ('apple plum') AND x.id < 20 ORDER BY m.id, x.id
SELECT id FROM mft WHERE k IN (SELECT v FROM x) AND (MATCH (txt) AGAINST ('pie')) ORDER BY id
#! args str:plum
SELECT id FROM mft WHERE k IN (SELECT v FROM x) AND MATCH (txt) AGAINST (?) ORDER BY id
SELECT id FROM mft WHERE MATCH (txt) AGAINST ('apple') UNION SELECT id FROM mft WHERE MATCH (txt) AGAINST ('plum') ORDER BY id
SELECT k, GROUP_CONCAT(id ORDER BY id) FROM mft WHERE MATCH (mft.txt) AGAINST ('pie plum' IN NATURAL LANGUAGE MODE) GROUP BY k HAVING COUNT(*) > 0 ORDER BY k
SELECT id FROM x WHERE v IN (SELECT k FROM mft WHERE MATCH (txt) AGAINST ('cake')) ORDER BY id
SELECT SQL_CALC_FOUND_ROWS id FROM mft WHERE MATCH (txt) AGAINST ('apple plum') ORDER BY id LIMIT 2
#! deprecated
SELECT FOUND_ROWS()
START TRANSACTION READ ONLY
SELECT COUNT(DISTINCT k) FROM mft WHERE MATCH (txt) AGAINST ('apple')
COMMIT
SELECT x.id, m.id FROM x LEFT JOIN mft m ON m.k = x.v AND m.id < 3 WHERE MATCH (m.txt) AGAINST ('banana') ORDER BY x.id
SELECT id, MATCH (txt) AGAINST ('apple') AS score FROM mft ORDER BY score DESC, id
SELECT COUNT(DISTINCT k) FROM mft WHERE MATCH (txt) AGAINST ('apple') > 0.5
SELECT COUNT(DISTINCT k) FROM mft WHERE MATCH (txt) AGAINST ('apple') OR k = 2
# … and the rank, which all rows of the table make
SELECT id, MATCH (txt) AGAINST ('pie plum') FROM mft ORDER BY id
SELECT id, MATCH (m.txt) AGAINST ('pie' IN BOOLEAN MODE) AS score FROM mft m WHERE k < 3 ORDER BY score DESC, id LIMIT 3
SELECT m.id, x.id, MATCH (m.txt) AGAINST ('apple plum') AS score FROM mft m JOIN x ON x.v = m.k WHERE MATCH (m.txt) AGAINST ('apple plum') AND x.id < 20 ORDER BY score DESC, m.id, x.id
SELECT id FROM mft WHERE MATCH (txt) AGAINST ('pie' WITH QUERY EXPANSION) ORDER BY id
SELECT k, ROUND(SUM(MATCH (txt) AGAINST ('apple pie')), 3) AS s FROM mft GROUP BY k ORDER BY s DESC, k
SELECT a.id, b.id FROM mft a JOIN mft b ON a.k = b.k WHERE MATCH (a.txt) AGAINST ('apple') > 0 OR MATCH (b.txt) AGAINST ('plum') > 0 ORDER BY 1, 2
SELECT id FROM x WHERE v IN (SELECT k FROM mft WHERE MATCH (txt) AGAINST ('cake') > 0.1) ORDER BY id
#! args str:plum
SELECT id, MATCH (txt) AGAINST (?) AS score FROM mft ORDER BY score DESC, id
SELECT id, MATCH (k) AGAINST ('plum') FROM mft ORDER BY id
SELECT shop.mft.id, MATCH (shop.mft.txt) AGAINST ('plum') s FROM mft JOIN p ON p.i = mft.k ORDER BY s DESC, 1, p.id
SELECT id FROM mft WHERE LEAST(MATCH (txt) AGAINST ('plum'), 9) > 0.1 ORDER BY id
SELECT id FROM mft WHERE (MATCH (txt) AGAINST ('plum')) OR k = 1 ORDER BY id
SELECT id FROM mft WHERE NOT (MATCH (txt) AGAINST ('plum')) ORDER BY id
SELECT COUNT(*) FROM mft WHERE GREATEST((MATCH (txt) AGAINST ('plum')), 0.2) > 0.3
# … in statements that write, and beside stored functions
#! text
CREATE FUNCTION plus1(val INT) RETURNS INT DETERMINISTIC RETURN val + 1
#! text
CREATE FUNCTION howmany() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM p)
SELECT plus1(id), howmany(), MATCH (txt) AGAINST ('plum pie') FROM mft ORDER BY id
SELECT plus1(id) FROM mft WHERE MATCH (txt) AGAINST ('plum pie') AND k < 9 ORDER BY id
INSERT INTO x (id, v, txt) SELECT id + 7000, k, LEFT(MATCH (txt) AGAINST ('plum pie'), 6) FROM mft WHERE k < 4
INSERT INTO p (i, name) SELECT id, LEFT(MATCH (txt) AGAINST ('plum pie'), 6) FROM mft WHERE k < 4 ORDER BY id
#! args str:plum
INSERT INTO x (id, v, txt) SELECT id + 7100, k, LEFT(MATCH (txt) AGAINST (?), 6) FROM mft
INSERT INTO x (id, v, txt) SELECT plus1(id + 7200), k, LEFT(MATCH (txt) AGAINST ('plum'), 6) FROM mft
UPDATE x SET txt = 'ranked' WHERE v IN (SELECT k FROM mft WHERE LEAST(MATCH (txt) AGAINST ('plum pie'), 9) > 0.3)
UPDATE x JOIN mft m ON m.k = x.v SET x.txt = LEFT(MATCH (m.txt) AGAINST ('plum'), 6) WHERE m.id > 4 AND x.id < 100
DELETE FROM x WHERE v IN (SELECT k FROM mft WHERE LEAST(MATCH (txt) AGAINST ('banana'), 9) > 0.1)
UPDATE mft SET k = k + 1 WHERE MATCH (txt) AGAINST ('plum')
UPDATE mft SET k = k - 1 WHERE (MATCH (txt) AGAINST ('plum')) AND k > 0
INSERT INTO x (id, v, txt) SELECT id + 7300, k, 'apple' FROM mft WHERE LEAST(MATCH (txt) AGAINST ('apple'), 9) > 0.1
CREATE TABLE ranks (tenant_id INT NOT NULL PRIMARY KEY, s VARCHAR(10))
INSERT INTO ranks SELECT tenant_id, LEFT(MATCH (txt) AGAINST ('apple'), 6) FROM mft
SELECT * FROM ranks ORDER BY tenant_id
UPDATE mft SET k = 0 WHERE LEAST(MATCH (txt) AGAINST ('plum'), 9) > 0.1
SELECT * FROM x ORDER BY id
SELECT i, name FROM p ORDER BY id
SELECT id, k FROM mft ORDER BY id
BEGIN
INSERT INTO mft VALUES (9, 9, 9, 'quince')
SELECT COUNT(DISTINCT k) FROM mft WHERE MATCH (txt) AGAINST ('apple') > 0
ROLLBACK
#! mariadb
CREATE TABLE maria (tenant_id INT NOT NULL, id INT NOT NULL, k INT, txt TEXT, PRIMARY KEY (tenant_id, id), FULLTEXT KEY (txt)) ENGINE=Aria DEFAULT CHARSET=utf8mb4
#! mariadb
INSERT INTO maria SELECT * FROM mft
#! mariadb
SELECT id, MATCH (txt) AGAINST ('plum') AS score FROM maria WHERE k < 3 ORDER BY score DESC, id
#! mariadb
SELECT COUNT(DISTINCT k) FROM maria WHERE MATCH (txt) AGAINST ('plum') > 0.5 AND id < 6
#! mariadb
DROP TABLE maria
DROP TABLE mft
