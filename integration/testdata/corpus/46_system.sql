# information_schema about schemas whose unsharded tables live on different shards
CREATE TABLE plain.z1 (id INT NOT NULL PRIMARY KEY, v VARCHAR(5) DEFAULT 'é' COMMENT 'it''s \\ é', d DECIMAL(5,2), KEY (v))
#! doc system
SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema') ORDER BY TABLE_SCHEMA, TABLE_NAME
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ('shop', 'plain') AND TABLE_NAME > 's' ORDER BY TABLE_NAME
SELECT COUNT(DISTINCT v), (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'plain') FROM x
SELECT p.id, t.TABLE_NAME FROM p JOIN information_schema.TABLES t ON t.TABLE_NAME = 'z1' ORDER BY p.id

# (Oracle MySQL's INT columns are BIGINT where rows of several shards come together.)
#! text
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, VERSION, ROW_FORMAT, TABLE_COLLATION, TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema') ORDER BY TABLE_SCHEMA, TABLE_NAME
SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')
#! text
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_DEFAULT, IS_NULLABLE, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, COLUMN_TYPE, COLUMN_KEY, EXTRA, COLUMN_COMMENT
 FROM information_schema.COLUMNS WHERE TABLE_NAME IN ('z1', 'x', 'o') ORDER BY 1, 2, 4
SELECT t.TABLE_NAME, c.COLUMN_NAME FROM information_schema.TABLES t JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
 WHERE t.TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema') AND c.COLUMN_KEY = 'PRI' ORDER BY t.TABLE_NAME, c.COLUMN_NAME
#! text
SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, ORDINAL_POSITION FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_NAME IN ('z1', 'o') ORDER BY 1, 2, 3, 5
#! text
SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE FROM information_schema.statistics WHERE table_name IN ('z1', 'o') ORDER BY 1, 2, 3
SELECT tables.table_name, Table_Type FROM information_schema.tables WHERE tables.table_name IN ('z1', 'x') ORDER BY 1
SELECT information_schema.TABLES.TABLE_NAME FROM information_schema.TABLES WHERE information_schema.TABLES.TABLE_NAME IN ('z1', 'x') ORDER BY 1
SELECT TABLE_SCHEMA, COUNT(*), MAX(CREATE_TIME) IS NULL, SUM(TABLE_ROWS) >= 0 FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema') GROUP BY TABLE_SCHEMA ORDER BY 1
SELECT name FROM r WHERE name IN (SELECT TABLE_NAME FROM information_schema.TABLES) ORDER BY name
SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA <> 'sys'
SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME <> 'performance_schema' ORDER BY SCHEMA_NAME
#! args str:shop str:plain
SELECT TABLE_NAME FROM information_schema.tables WHERE table_schema IN (?, ?) ORDER BY 1
#! args str:plain str:plain
SELECT TABLE_NAME FROM information_schema.tables WHERE table_schema IN (?, ?) ORDER BY 1
#! args str:z1
SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.tables WHERE table_name = ? ORDER BY 1
SET NAMES latin1
SELECT COLUMN_NAME, COLUMN_DEFAULT, COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_NAME IN ('z1', 'x') ORDER BY TABLE_NAME, COLUMN_NAME
SET NAMES utf8mb4
DESCRIBE information_schema.TABLES
DESC information_schema.PROCESSLIST
EXPLAIN information_schema.COLUMNS COLUMN_NAME
# No server has both tables to prepare these.
INSERT INTO plain.z1 VALUES (71, 'a', 1.5), (72, 'b', 2.5)
INSERT INTO p (i, name) SELECT id, v FROM plain.z1
SELECT i, name FROM p WHERE i IN (71, 72) ORDER BY i
DELETE FROM p WHERE i IN (71, 72)
USE plain
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_NAME IN ('z1', 'x') ORDER BY TABLE_NAME
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME
USE shop
DROP TABLE plain.z1
