# What random statements have found.
# The session's own results are in the character set of results.
SET NAMES latin1
SELECT 1/0
#! text
SHOW WARNINGS
SHOW DATABASES LIKE 'shop'
SET NAMES utf8mb4
# Of a statement that failed on several shards one error is told.
UPDATE t SET ti = ti + 126
#! text
SHOW WARNINGS
# (MariaDB deletes nothing and warns: of a constant that each shard folds, each warns.)
#! mysql
DELETE FROM o WHERE uid = '1e1' AND uid BETWEEN 'blob' AND - 5
#! text mysql
SHOW ERRORS
#! text mysql
SELECT @@error_count
