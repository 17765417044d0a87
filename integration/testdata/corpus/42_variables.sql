# User variables in statements that run elsewhere than where their values are.
SET @n = 41, @s = 'é', @d = 1.50, @f = 1e3, @z = NULL, @b = X'00FF', @u = CAST(7 AS UNSIGNED), @neg = -3
SET @c = _latin1'gr' COLLATE latin1_german1_ci, @zs = CONVERT(NULL USING latin1)
UPDATE x SET v = @n WHERE id = 3
UPDATE x SET v = @n + 1, txt = @s WHERE id = 4
UPDATE x SET v = @n + 2, txt = CONCAT(@s, @d, @f, IFNULL(@z, 'none'), HEX(@b), @u, @neg) WHERE id = 5
UPDATE x SET txt = CONCAT(CHARSET(@s), COLLATION(@c), CHARSET(@zs), COERCIBILITY(@s)) WHERE id = 6
SELECT * FROM x WHERE id IN (3, 4, 5, 6) ORDER BY id
UPDATE x SET txt = @`s` WHERE v > @n
DELETE FROM x WHERE v = @n
UPDATE x SET v = v + @u
SELECT * FROM x ORDER BY id
INSERT INTO x VALUES (500, @n, @s)
INSERT INTO x VALUES (501, @n, @s), (502, @u, @d), (503, @neg, @f), (504, @z, @b) ON DUPLICATE KEY UPDATE v = @n
INSERT INTO x VALUES (501, 1, 'a'), (502, 2, 'b'), (599, 3, 'c') ON DUPLICATE KEY UPDATE v = @n + 9, txt = @s
REPLACE INTO x VALUES (505, @nothing, @s), (506, @n, CHARSET(@nothing))
INSERT INTO x (id, v) SELECT id + 2000, v FROM x WHERE v < @u
INSERT INTO o SELECT uid, n + 1000, @d, 'v', NULL FROM o WHERE n = 1
SELECT * FROM x ORDER BY id
SELECT * FROM o ORDER BY uid, n
UPDATE x SET v = @u WHERE v > @n ORDER BY id LIMIT 3
UPDATE x SET v = (SELECT COUNT(*) FROM o WHERE n > @u), txt = @s WHERE id > @n
UPDATE x JOIN o ON o.n = x.v SET x.txt = @c WHERE o.uid > @u
DELETE FROM o WHERE uid IN (SELECT v FROM x WHERE v > @u)
UPDATE r SET n = n + @n
UPDATE r SET name = @s ORDER BY code LIMIT 1
INSERT INTO r VALUES ('zz', @s, @neg)
SELECT * FROM r ORDER BY code
SELECT id, @n, @s, @d, @f, @z, @b, @u, @neg FROM x WHERE id = 503 FOR UPDATE
SELECT id FROM x WHERE v = @u ORDER BY id FOR UPDATE
SELECT CHARSET(@n), COLLATION(@s), @n, @d, @f, @b
#! reset
#! session
# A READ ONLY transaction allows no temporary tables, and neither does a branch on Oracle MySQL.
SET @n = 3, @s = 'abc', @d = 2.50
START TRANSACTION READ ONLY
SELECT l.id, @d FROM x l JOIN x m ON l.v = m.v WHERE l.id < m.id AND m.v <> @n ORDER BY l.id, m.id
SELECT id FROM x WHERE v > (SELECT AVG(v) FROM x) AND id > @n ORDER BY id
SET @m = (SELECT MAX(v) FROM x)
SELECT @m, @n
SELECT COUNT(DISTINCT v), MAX(id) INTO @p, @q FROM x WHERE v <> @n
SELECT @p, @q
COMMIT
BEGIN
INSERT INTO x VALUES (700, 1, 'a'), (701, 2, 'b'), (702, 3, 'c'), (703, 4, 'd')
SET @m = (SELECT MAX(id) FROM x)
SELECT @m, @n, @d
SELECT l.id FROM x l JOIN x m ON l.v = m.v WHERE l.id < m.id AND m.id = @m ORDER BY l.id
SELECT COUNT(DISTINCT v), MAX(id) - MIN(id) INTO @a, @b FROM x
SELECT @a, @b
UPDATE x SET v = @n WHERE id = 700
UPDATE x SET v = @n + 1 WHERE id > 700
COMMIT
SELECT * FROM x WHERE id >= 700 ORDER BY id
#! session
BEGIN
INSERT INTO x VALUES (710, 1, 'a'), (711, 2, 'b'), (712, 3, 'c'), (713, 4, 'd')
SET @first = (SELECT COUNT(DISTINCT v) FROM x)
SELECT @first
ROLLBACK
SELECT @first
SELECT @n, @s
SET @n = 5
SET autocommit = 0
UPDATE x SET v = @n WHERE id = 703
UPDATE x SET v = @n WHERE id = 702
ROLLBACK
SET autocommit = 1
SET sql_select_limit = 0
UPDATE x SET v = @n WHERE id = 703
SET sql_select_limit = DEFAULT
SET NAMES latin1
UPDATE x SET v = @n WHERE id = 702
SELECT id, v FROM x WHERE id > 699 ORDER BY id
# the last insert id in SET
SET @q = LAST_INSERT_ID(88)
SELECT @q, LAST_INSERT_ID()
SET @q = LAST_INSERT_ID(LAST_INSERT_ID() + 1), @r = @@last_insert_id, @s = @@identity
SELECT @q, @r, @s, LAST_INSERT_ID()
INSERT INTO p (i, name) VALUES (1, 'one')
SET @q = LAST_INSERT_ID() = (SELECT MAX(id) FROM p), @r = @@identity - LAST_INSERT_ID()
SELECT @q, @r
SET group_concat_max_len = LAST_INSERT_ID(2000)
SELECT @@group_concat_max_len, LAST_INSERT_ID()
SET group_concat_max_len = DEFAULT
# assigned where the session's variables are not
#! session
SELECT @a := v FROM x WHERE id = 6
SELECT @b := v, @a FROM x WHERE id = 7
SELECT @a := @a + v, @b := 1.50 FROM x WHERE id = 9
SELECT v, txt INTO @c, @t FROM x WHERE id = 8
SET @d = (SELECT MAX(i) FROM p), @e = NULL
SELECT @a, @b, @c, @d, @e, @t
SELECT @a := (SELECT COUNT(*) FROM p WHERE i < @a), @n := _latin1 'abc' COLLATE latin1_bin FROM x WHERE id = 10
SELECT @a := @a + (SELECT COUNT(*) FROM o), @n FROM x WHERE id = 10
SELECT @a, @n, COLLATION(@n)
BEGIN
SELECT @a := @a + 100 FROM x WHERE id = 11
UPDATE x SET v = @a WHERE id = 12
SELECT v FROM x WHERE id = 12
ROLLBACK
SELECT @a
SELECT @a := 5 / 0 + EXP(7000) FROM x WHERE id = 11
SELECT @a
SELECT @m := 1, @m := 2 FROM x WHERE id = -1
SELECT @m
SELECT @m := id FROM x WHERE id IN (SELECT 13) AND id = 13
SELECT @m
