# INSERT and REPLACE … RETURNING (MariaDB) of rows on several shards, in the order of VALUES.
#! mariadb
INSERT INTO x (id, v, txt) VALUES (907, 1, 'g'), (901, 2, 'a'), (905, 3, NULL), (902, 4, 'ö'), (904, 5, 'd'), (903, 6, 'c') RETURNING id, v + 1 AS w, txt
#! text
SELECT ROW_COUNT()
#! mariadb
INSERT INTO x VALUES (914, 1, 'n'), (911, 2, 'k'), (913, 3, 'm'), (912, 4, 'l') RETURNING *
#! mariadb
INSERT INTO x (id, v) VALUES (926, 1), (921, 2), (924, 3), (922, 4), (923, 5) RETURNING x.id, UPPER(CONCAT('v', v)), CHAR_LENGTH(txt), 'text', NULL, 1.5
#! mariadb
REPLACE INTO x (id, v) VALUES (926, 10), (921, 20), (927, 30), (928, 40), (921, 21), (929, 50) RETURNING id, v, txt
#! mariadb
INSERT INTO x (id, v) VALUES (926, 1), (930, 2), (921, 3), (931, 4) ON DUPLICATE KEY UPDATE v = VALUES(v) + 100 RETURNING id, v
#! mariadb
INSERT INTO x (id, v) VALUES (926, 101), (930, 102), (921, 3), (931, 4), (932, 9) ON DUPLICATE KEY UPDATE v = v RETURNING id, v
#! mariadb
INSERT IGNORE INTO x (id, v) VALUES (943, 1), (941, 2), (944, 3), (942, 4) RETURNING id, v
#! mariadb
INSERT INTO x (id, v) VALUES (953, 1), (951, 2), (943, 3), (952, 4) RETURNING id, v
#! mariadb
INSERT INTO x (id, v) VALUES (953, 1), (951, 2), (952, 4) RETURNING id, nothing
#! mariadb args int:963 int:961 int:965 int:962
INSERT INTO x (id, v) VALUES (?, 1), (?, 2), (?, 3), (?, 4) RETURNING id, v, txt, v / 3
#! mariadb
INSERT INTO o (uid, n, amount) VALUES (907, 1, 1.5), (901, 2, 2.25), (903, 3, NULL), (902, 4, 0) RETURNING uid, n, amount, at
#! mariadb
INSERT INTO a (uid, name) VALUES (907, 'g'), (901, 'a'), (903, 'c'), (902, 'b') RETURNING uid, name
#! mariadb
INSERT INTO r (code, name, n) VALUES ('z1', 'one', 9001), ('z2', 'two', NULL), ('z3', 'three', 9003) RETURNING code, n, UPPER(name)
#! mariadb
REPLACE INTO r (code, name, n) VALUES ('z1', 'uno', 9001), ('z4', 'four', 9004) RETURNING *
#! mariadb
INSERT IGNORE INTO r (code, name, n) VALUES ('z1', 'again', 9001), ('z5', 'five', 9005) RETURNING code, n
#! mariadb
INSERT INTO r (code, name, n) VALUES ('z6', 'six', 9006), ('z1', 'again', 9001) RETURNING code
#! mariadb
BEGIN
#! mariadb
INSERT INTO x (id, v) VALUES (973, 1), (971, 2), (974, 3), (972, 4) RETURNING id
#! mariadb
INSERT INTO x (id, v) VALUES (983, 1), (973, 2), (984, 3), (982, 4) RETURNING id
#! mariadb
SELECT COUNT(*), SUM(v) FROM x WHERE id > 970
#! mariadb
INSERT INTO r (code, name, n) VALUES ('z7', 'seven', 9007) RETURNING code
#! mariadb
ROLLBACK
SELECT COUNT(*), SUM(v) FROM x WHERE id > 900
#! mariadb reset
SELECT COUNT(*) FROM r
# a table on one shard, whose server counts
#! mariadb
INSERT INTO p (i, name) VALUES (9101, 'q'), (9102, 'r') RETURNING i, name
#! mariadb text
SELECT i, name FROM p WHERE id = LAST_INSERT_ID()
#! mariadb reset
SELECT COUNT(*) FROM p WHERE i > 9100
