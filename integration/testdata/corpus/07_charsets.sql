# Character sets of the session.
SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection
SHOW VARIABLES LIKE 'character_set_c%'
SET NAMES utf8mb4
SELECT @@collation_connection = (SELECT DEFAULT_COLLATE_NAME FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = 'utf8mb4')
SELECT name, n FROM s WHERE name = 'é'
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT 'a' = 'A', @@collation_connection
SELECT id, ci FROM t WHERE ci = 'ABC' ORDER BY id
SELECT DISTINCT txt FROM x WHERE txt NOT LIKE 'one%' ORDER BY txt
SET NAMES latin1
SELECT name, n FROM s WHERE name = 'abc'
SELECT name, n FROM s WHERE n IN (4, 13) ORDER BY n
SELECT id, sb FROM t WHERE sb LIKE 'Zo_' ORDER BY id
SELECT name, n FROM s ORDER BY name
SELECT MIN(name), MAX(name) FROM s
SELECT txt, COUNT(*) FROM x GROUP BY txt ORDER BY txt
#! deprecated
SET NAMES utf8mb3
SELECT name, n FROM s WHERE name = 'é'
SELECT name, n FROM s ORDER BY name
SET NAMES binary
SELECT name, n FROM s WHERE n = 4
SELECT name, n FROM s ORDER BY n
SELECT name, n FROM s WHERE name = 'é'
SET NAMES ascii
SELECT name, n FROM s ORDER BY n
SET NAMES nothing
SET NAMES 'utf8mb4' COLLATE latin1_bin
SET CHARACTER SET latin1
SELECT @@character_set_client, @@character_set_connection, @@character_set_results
SELECT name, n FROM s WHERE n = 4
SET CHARACTER SET DEFAULT
SET NAMES DEFAULT
SET character_set_results = NULL
SELECT name, n FROM s ORDER BY n
SET character_set_results = latin1
SELECT name, n FROM s ORDER BY n
SET NAMES utf8mb4
SET collation_connection = utf8mb4_general_ci
SELECT 'a' = 'A', 'e' = 'é'
SELECT id FROM t WHERE ci = 'É' ORDER BY id
SET collation_connection = utf8mb4_bin
SELECT 'a' = 'A', 'e' = 'é'
SELECT id FROM t WHERE ci = 'É' ORDER BY id
SET NAMES gbk
SELECT 'a', CHARSET('a')
SET NAMES utf8mb4
