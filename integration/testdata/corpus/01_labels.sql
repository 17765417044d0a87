# Column labels, types and the like: what a proxy changes when it prints a parsed tree.
SELECT 1
SELECT 1+1
SELECT  1  +  1
SELECT 'a' 'b'
SELECT 'it''s'
SELECT "quoted"
SELECT NULL
SELECT 1 AS `a b`, 2 'c d', 3 "e f", 4 g
SELECT 1.50, 1.5e0, -1, - 1, +1, 0x41, b'1000001', x'41', TRUE, FALSE
SELECT 18446744073709551615, 9223372036854775808, -9223372036854775808, 99999999999999999999
SELECT COUNT(*) FROM t
SELECT count( * ) FROM t
SELECT COUNT(*)+0 FROM t WHERE id = 5
SELECT Id, ID, iD FROM t WHERE id = 5
SELECT t.id, T1.id FROM t, t AS T1 WHERE t.id = 5 AND T1.id = t.id
SELECT shop.t.id FROM shop.t WHERE shop.t.id = 5
SELECT t.* FROM t WHERE id = 6
SELECT t.*, id FROM t WHERE id = 6
SELECT id, id FROM t ORDER BY id
SELECT `id` , `i` FROM `t` ORDER BY `id`
SELECT MAX(i), max( i ), Max(i) AS m FROM t
SELECT SUM(i), SUM(u), SUM(d), SUM(f), AVG(i), AVG(d), AVG(f) FROM t WHERE u < 100
SELECT i, i + 1, i * 1.5, i / 3, i DIV 2, i % 2, -i FROM t ORDER BY id
SELECT id, CASE WHEN i > 2 THEN 'big' ELSE 'small' END, IF(i > 2, 1, 'x'), IFNULL(i, 'none'), COALESCE(i, d) FROM t ORDER BY id
SELECT id, CAST(i AS CHAR), CAST(d AS SIGNED), CAST('12abc' AS UNSIGNED), CONVERT(ci USING latin1) FROM t ORDER BY id
SELECT id, DATE_FORMAT(dt, '%d.%m.%Y'), YEAR(dt), dt + INTERVAL 1 DAY, DATEDIFF(dt, '2000-01-01') FROM t ORDER BY id
SELECT id, e, e + 0, st, st + 0, bt + 0, HEX(bl), LENGTH(tx) FROM t ORDER BY id
SELECT id, ts, tm, yr, ti FROM t ORDER BY id
SELECT id, js FROM t ORDER BY id
SELECT * FROM t ORDER BY id
SELECT * FROM w ORDER BY k
SELECT * FROM o ORDER BY uid, n
SELECT * FROM s
SELECT * FROM b
SELECT name, HEX(name) FROM s ORDER BY name
SELECT k FROM b ORDER BY k
SELECT *, 1 FROM r ORDER BY code
SELECT 1, r.* FROM r ORDER BY code
SELECT DISTINCT 'x' FROM t
SELECT VERSION() = @@version, DATABASE(), SCHEMA()
SELECT @@version_comment IS NULL, @@sql_mode, @@autocommit, @@time_zone, @@character_set_client
SELECT @@session.autocommit, @@SESSION.sql_mode, @@local.autocommit AS x
SELECT CHARSET('a'), COLLATION('a'), CHARSET(USER()), COERCIBILITY('a')
SELECT x'4D7953514C', _latin1'abc', _utf8mb4 x'C3A9', N'abc'
SELECT DATE'2020-01-01', TIME'10:00:00', TIMESTAMP'2020-01-01 10:00:00', {d '2020-01-01'}
SELECT 1 FROM DUAL
SELECT 1 FROM DUAL WHERE 1 = 0
SELECT 1 UNION SELECT 2
SELECT 'a' AS x UNION ALL SELECT 'b'
(SELECT 1)
(SELECT id FROM t WHERE id = 5)
SELECT (SELECT 1), (SELECT MAX(n) FROM r)
SELECT 1 LIMIT 0
SELECT id FROM t LIMIT 0
SELECT id, d FROM t ORDER BY id LIMIT 0
SELECT COUNT(*) FROM t LIMIT 0
SELECT COUNT(*) FROM t LIMIT 1, 1
SELECT COUNT(*) c FROM t HAVING c > 1000
