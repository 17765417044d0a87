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
DROP TABLE mft
