# Comments, executable comments, quotes: what is a literal and what is not.
/* a comment */ SELECT id FROM t WHERE id = 5
SELECT /* id = 6 */ id FROM t WHERE id = 5
SELECT id FROM t WHERE id = 5 /* AND 1 = 0 */
SELECT id FROM t WHERE id = 5 -- AND 1 = 0
SELECT id FROM t WHERE id = 5 # AND 1 = 0
SELECT id FROM t WHERE id = 5--1
SELECT id FROM t WHERE id = 5 --1
SELECT id FROM t WHERE id /* ' */ = 5 /* ' */
SELECT id FROM t WHERE id = 5 -- '
 AND ti = 4 -- '
SELECT id FROM t WHERE id = /*! 5 */
SELECT id FROM t WHERE id = /*!99999 6 - */ 5
SELECT id FROM t WHERE id = /*!40000 5 */ AND 1
SELECT /*!40001 SQL_NO_CACHE */ id FROM t WHERE id = 5
SELECT id FROM t /*! WHERE id = 5 */
SELECT id FROM t WHERE id = 5 /*! OR id = 6 */ ORDER BY id
#! mariadb
SELECT id FROM t WHERE id = 5 /*M! OR id = 6 */ ORDER BY id
#! mysql
SELECT id FROM t WHERE id = 5 /*M! OR id = 6 */ ORDER BY id
SELECT id FROM t WHERE id = 5 /*!50000 OR id = 6 */ ORDER BY id
SELECT id FROM t WHERE id = 5 /*!90099 OR id = 6 */ ORDER BY id
SELECT id FROM t WHERE id = 5 /*!100100 OR id = 6 */ ORDER BY id
SELECT id FROM t WHERE id = 5 /*!110100 OR id = 6 */ ORDER BY id
SELECT /*+ NO_SUCH_HINT() */ id FROM x WHERE id = 5
SELECT /*+ MAX_EXECUTION_TIME(10000) */ id FROM x WHERE id = 5
SELECT 'a/*b*/c', "x -- y", '# no comment'
SELECT 'a;b', ';'
SELECT id FROM x WHERE id = 5;
SELECT id FROM x WHERE id = 5 ;
SELECT id FROM x WHERE id = 5; -- end
SELECT 'a\'b', 'a\\', "a\"b", 'a"b', "a'b", 'tab\there', 'nul\0x', '\%', '\_', '\x'
SELECT 'a' 'b' "c"
SELECT `id` FROM `x` WHERE `id` = 5
SELECT `x`.`id` FROM `shop`.`x` WHERE `shop`.`x`.`id` = 5
SELECT x . id FROM shop . x WHERE x . id = 5
SELECT 1.id FROM x
SELECT COUNT (*) FROM x
SELECT COUNT/**/(*) FROM x
SELECT id AS `from`, v AS `select` FROM x WHERE id = 5
SELECT id AS 'order' FROM x WHERE id = 5
SELECT id FROM x WHERE txt = "one"  AND id = 0
SELECT id FROM x WHERE txt = 'one' ORDER BY id
SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')
SELECT "id" FROM "x" WHERE "id" = 5
SELECT "id" FROM x WHERE id = '5' AND "v" IS NULL
SELECT id FROM x WHERE txt = "one"
SELECT "x"."id" AS "k" FROM "shop"."x" WHERE "x"."id" IN (3, 4) ORDER BY "k"
SET sql_mode = 'NO_BACKSLASH_ESCAPES'
SELECT 'a\', 'b\\c', '\'
SELECT name, n FROM s WHERE name = 'a\b'
SELECT name, n FROM s WHERE name = 'a\\b'
SELECT id FROM x WHERE id = 5 AND '\' = '\'
SET sql_mode = 'PIPES_AS_CONCAT'
SELECT 'a' || 'b', 1 || 2
SELECT id FROM t WHERE id = 1 || 2
SELECT id FROM t WHERE id = 1 OR id = 2 ORDER BY id
SELECT name FROM s WHERE name = 'a' || 'bc'
SET sql_mode = 'HIGH_NOT_PRECEDENCE'
SELECT id FROM t WHERE NOT id = 5 ORDER BY id
SELECT NOT 1 BETWEEN -5 AND 5
SET sql_mode = 'IGNORE_SPACE'
SELECT COUNT (*) FROM x
SET sql_mode = 'NO_UNSIGNED_SUBTRACTION'
#! text
SELECT CAST(1 AS UNSIGNED) - 2
SET sql_mode = 'REAL_AS_FLOAT'
SET sql_mode = ''
#! text
SELECT CAST(1 AS UNSIGNED) - 2
SELECT i, u FROM t GROUP BY i ORDER BY i LIMIT 0
SET sql_mode = 'nonsense'
SET sql_mode = DEFAULT
SELECT @@sql_mode
#! text
SELECT 1; SELECT 2
#! text
SELECT id FROM x WHERE id = 1; SELECT id FROM x WHERE id = 2; SELECT COUNT(*) FROM x
#! text
SELECT id FROM x WHERE id = 1; SELECT nothing FROM x; SELECT 3
#! text
SELECT 'a;b'; SELECT ";" ; -- SELECT 3
#! text
SELECT 1;;SELECT 2
#! text
SELECT 1; -- nothing
#! text
;
#! text
SET @a = 5; SELECT @a; SELECT id FROM x WHERE id = 5
#! text
INSERT INTO x VALUES (500, 1, 'multi'); UPDATE x SET v = 2 WHERE id = 500; SELECT * FROM x WHERE id = 500; DELETE FROM x WHERE id = 500
#! text
BEGIN; SELECT 1; COMMIT
SELEC 1
SELECT
SELECT FROM
SELECT 'unfinished
SELECT (1
SELECT id FROM x WHERE id = 5 AND
