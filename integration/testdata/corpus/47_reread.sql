# Prepared statements keep what they meant when sql_mode and the character set change
SELECT id, "two", 'a' || txt FROM x WHERE txt = "two" ORDER BY id
SELECT txt FROM x WHERE txt = "TWO" AND id = 5
SELECT name, n FROM s WHERE name = 'é'
SELECT name FROM s WHERE name = 'a\\b' OR name = 'é' ORDER BY n
SELECT COUNT(DISTINCT n), 'é' FROM s WHERE name IN ('é', 'abc')
#! args int:5 str:q
INSERT INTO s (name, n, v) VALUES ('ö\\x', ?, ?)
#! args str:q
DELETE FROM s WHERE name = 'ö\\x' AND v = ?
#! text
PREPARE pp FROM 'SELECT name, n, "w" FROM s WHERE v <> ? AND (name = "é" OR name = ?) ORDER BY n'
SET @w = 'abc'
#! text
EXECUTE pp USING @w, @w
SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'
#! binary
SELECT id, "two", 'a' || txt FROM x WHERE txt = "two" ORDER BY id
#! binary
SELECT txt FROM x WHERE txt = "TWO" AND id = 5
SELECT name, n FROM s WHERE name = 'é'
#! binary
SELECT name FROM s WHERE name = 'a\\b' OR name = 'é' ORDER BY n
#! text
EXECUTE pp USING @w, @w
SELECT @@sql_mode
SET sql_mode = ''
#! binary
SELECT id, "two", 'a' || txt FROM x WHERE txt = "two" ORDER BY id
#! args int:5 str:q
INSERT INTO s (name, n, v) VALUES ('ö\\x', ?, ?)
SET NAMES latin1
#! binary
SELECT name, n FROM s WHERE name = 'é'
#! binary
SELECT name FROM s WHERE name = 'a\\b' OR name = 'é' ORDER BY n
#! binary
SELECT COUNT(DISTINCT n), 'é' FROM s WHERE name IN ('é', 'abc')
#! args str:q
DELETE FROM s WHERE name = 'ö\\x' AND v = ?
#! text
EXECUTE pp USING @w, @w
SELECT @@character_set_client, @@collation_connection, @@sql_mode
SET NAMES utf8mb4, sql_mode = DEFAULT
#! binary
SELECT name, n FROM s WHERE name = 'é'
#! text
EXECUTE pp USING @w, @w
