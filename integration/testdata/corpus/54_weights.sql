# Strings by collations in which a character has many weights, or many characters have one.
CREATE TABLE wu (tenant_id INT NOT NULL PRIMARY KEY, u VARCHAR(8) COLLATE utf8mb4_unicode_ci, v VARCHAR(80) COLLATE utf8mb4_unicode_520_ci, c VARCHAR(80) COLLATE utf8mb4_czech_ci,
	s CHAR(8) COLLATE utf8mb4_spanish2_ci, g VARCHAR(80) COLLATE utf8mb4_german2_ci, t VARCHAR(80) CHARACTER SET utf8mb3 COLLATE utf8mb3_turkish_ci, l VARCHAR(80) CHARACTER SET latin1 COLLATE latin1_german2_ci,
	w VARCHAR(80) COLLATE utf8mb4_general_ci, b VARCHAR(80) COLLATE utf8mb4_bin) DEFAULT CHARSET=utf8mb4
INSERT INTO wu (tenant_id, u) VALUES (1, 'straße'), (2, 'strasse'), (3, 'strasse'), (4, 'straße'), (5, 'STRASSE'), (6, 'Straße'), (7, 'strasse '), (8, 'straße  '), (9, 'æ'), (10, 'ae'),
	(11, 'Æ b'), (12, 'aeb'), (13, 'ﬁ'), (14, 'fi'), (15, '½'), (16, '1⁄2'), (17, 'é'), (18, 'é'), (19, 'e'), (20, 'chata'), (21, 'cihla'), (22, 'hrad'), (23, 'CH'), (24, 'ch'), (25, 'c'),
	(26, 'llama'), (27, 'lz'), (28, 'luz'), (29, 'ssssssss'), (30, 'ßßßßßßßß'), (31, 'ßßßßßßßs'), (32, 'ßßßßs'), (33, 'a'), (34, 'a	'), (35, 'a '), (36, 'a 	'), (37, ''), (38, ' '), (39, '	'), (40, NULL),
	(41, 'ä'), (42, 'ü'), (43, 'ue'), (44, 'ssssßßßß'), (45, 'i'), (46, 'I'), (47, 'ı'), (48, 'İ')
UPDATE wu SET v = u, c = u, s = u, g = u, t = u, w = u, b = u WHERE tenant_id > 0
UPDATE wu SET l = u WHERE tenant_id NOT IN (13, 16, 17, 47, 48)
SELECT tenant_id FROM wu ORDER BY u, tenant_id
SELECT tenant_id FROM wu ORDER BY u DESC, tenant_id LIMIT 3
SELECT tenant_id FROM wu ORDER BY v, tenant_id
SELECT tenant_id FROM wu ORDER BY c, tenant_id
SELECT tenant_id FROM wu ORDER BY s, tenant_id
SELECT tenant_id FROM wu ORDER BY g DESC, tenant_id LIMIT 40 OFFSET 5
SELECT tenant_id FROM wu ORDER BY t, tenant_id
SELECT tenant_id FROM wu ORDER BY l, tenant_id
SELECT tenant_id FROM wu ORDER BY w, tenant_id
SELECT tenant_id FROM wu ORDER BY b, tenant_id
SELECT tenant_id FROM wu ORDER BY UPPER(u), tenant_id
SELECT tenant_id FROM wu ORDER BY CONCAT(v, 'x') DESC, tenant_id
SELECT COUNT(*), MIN(tenant_id) FROM wu GROUP BY u
SELECT COUNT(*), MIN(tenant_id) FROM wu GROUP BY v ORDER BY v
SELECT COUNT(*), MIN(tenant_id) FROM wu GROUP BY c ORDER BY c
SELECT COUNT(*), MIN(tenant_id) FROM wu GROUP BY s ORDER BY s LIMIT 7
SELECT COUNT(*), MIN(tenant_id) FROM wu GROUP BY g ORDER BY g DESC
SELECT SUM(tenant_id) FROM wu GROUP BY t ORDER BY 1
SELECT COUNT(*), MIN(tenant_id) FROM wu GROUP BY l ORDER BY l
SELECT COUNT(*), MIN(tenant_id) FROM wu GROUP BY LEFT(u, 5) ORDER BY LEFT(u, 5)
#! size
SELECT DISTINCT u FROM wu
#! size
SELECT DISTINCT u, v, g FROM wu ORDER BY g, u, v LIMIT 20
#! size
SELECT DISTINCT l FROM wu ORDER BY l
#! size
SELECT DISTINCT c FROM wu ORDER BY c DESC LIMIT 4
SELECT MIN(u), MAX(u), MIN(v), MAX(v), MIN(c), MIN(s), MAX(s), MIN(l) FROM wu WHERE tenant_id IN (2, 13, 32, 33, 34, 36, 39, 43)
SELECT COUNT(DISTINCT u), COUNT(DISTINCT c), COUNT(DISTINCT l) FROM wu
DROP TABLE wu
#! mariadb
CREATE TABLE wm (tenant_id INT NOT NULL PRIMARY KEY, u VARCHAR(8) COLLATE utf8mb4_uca1400_ai_ci, a VARCHAR(8) COLLATE utf8mb4_uca1400_as_cs, n VARCHAR(8) COLLATE utf8mb4_unicode_nopad_ci) DEFAULT CHARSET=utf8mb4
#! mariadb
INSERT INTO wm (tenant_id, u) VALUES (1, 'ßßßßßßßß'), (2, 'ssssssss'), (3, 'ßßßßs'), (4, 'a'), (5, 'a	'), (6, 'a '), (7, 'é'), (8, 'e'), (9, 'E'), (10, 'straße'), (11, 'strasse'), (12, 'STRASSE'), (13, 'ssss')
#! mariadb
UPDATE wm SET a = u, n = u WHERE tenant_id > 0
#! mariadb
SELECT tenant_id FROM wm ORDER BY u, tenant_id
#! mariadb
SELECT tenant_id FROM wm ORDER BY a, tenant_id
#! mariadb
SELECT tenant_id FROM wm ORDER BY n DESC, tenant_id
#! mariadb
SELECT COUNT(*), MIN(tenant_id) FROM wm GROUP BY u
#! mariadb
SELECT a, COUNT(*) FROM wm GROUP BY a
#! mariadb size
SELECT DISTINCT n FROM wm ORDER BY n
#! mariadb
DROP TABLE wm
#! mysql
CREATE TABLE wm (tenant_id INT NOT NULL PRIMARY KEY, u VARCHAR(80) COLLATE utf8mb4_0900_as_ci, g VARCHAR(80) CHARACTER SET gb18030 COLLATE gb18030_chinese_ci) DEFAULT CHARSET=utf8mb4
#! mysql
INSERT INTO wm VALUES (1, 'i', 'i'), (2, 'ı', 'ı'), (3, 'I', 'I'), (4, 'ı', 'ı'), (5, 'ß', 'ß'), (6, 'ss', 'ss'), (7, 'a ', 'a '), (8, 'a', 'a')
#! mysql
SELECT tenant_id FROM wm ORDER BY u, tenant_id
#! mysql
SELECT tenant_id FROM wm ORDER BY g, tenant_id
#! mysql
SELECT COUNT(*), MIN(tenant_id) FROM wm GROUP BY g
#! mysql
DROP TABLE wm
# Servers sort by the beginning of long strings (max_sort_length).
CREATE TABLE wl (tenant_id INT NOT NULL PRIMARY KEY, g VARCHAR(1000) COLLATE utf8mb4_general_ci, u VARCHAR(1000) COLLATE utf8mb4_unicode_ci, b VARBINARY(2000), x BLOB) DEFAULT CHARSET=utf8mb4
INSERT INTO wl (tenant_id, g) VALUES (1, REPEAT('a', 300)), (2, REPEAT('b', 999)), (3, REPEAT('a', 300)), (4, REPEAT('c', 10)), (5, CONCAT(REPEAT('a', 200), 'ß')), (6, ''), (7, NULL), (8, CONCAT(REPEAT('a', 200), 'ss')), (9, REPEAT('b', 999))
UPDATE wl SET u = g, b = g, x = g WHERE tenant_id > 0
SELECT tenant_id FROM wl ORDER BY g, tenant_id
SELECT tenant_id FROM wl ORDER BY u DESC, tenant_id LIMIT 5
SELECT tenant_id FROM wl ORDER BY b, tenant_id
SELECT tenant_id FROM wl ORDER BY x DESC, tenant_id LIMIT 4
INSERT INTO wl (tenant_id, g) VALUES (11, CONCAT(REPEAT('b', 999), 'a')), (12, CONCAT(REPEAT('b', 999), 'b')), (13, CONCAT(REPEAT('b', 999), 'c')), (14, CONCAT(REPEAT('b', 999), 'd'))
UPDATE wl SET u = g, b = CONCAT(g, g), x = CONCAT(g, g) WHERE tenant_id > 0
SELECT g, COUNT(*) FROM wl GROUP BY g ORDER BY g
SELECT u, COUNT(*) FROM wl WHERE tenant_id > 9 GROUP BY u ORDER BY u
SELECT DISTINCT u FROM wl WHERE tenant_id > 9
SELECT DISTINCT b FROM wl ORDER BY b
SELECT x, COUNT(*) FROM wl GROUP BY x ORDER BY x
SELECT tenant_id FROM wl ORDER BY LEFT(g, 255), tenant_id
SELECT tenant_id FROM wl ORDER BY LEFT(b, 255), tenant_id
DROP TABLE wl
# MariaDB's own types come as strings and are ordered otherwise.
#! mariadb
CREATE TABLE wi (tenant_id INT NOT NULL PRIMARY KEY, i6 INET6, i4 INET4, u UUID, n VARCHAR(20), c CHAR(20)) DEFAULT CHARSET=utf8mb4
#! mariadb
INSERT INTO wi VALUES (1, '::10', '10.0.0.1', 'ffffffff-0000-1000-8000-000000000001', 'b', 'b'), (2, '::9', '9.0.0.1', '00000000-0000-1000-8000-000000000002', 'a', 'a'), (3, 'fe80::1', '100.0.0.1', '00000000-0000-7000-8000-000000000001', 'C', 'C'), (4, 'a::', '1.2.3.4', '11111111-2222-4333-8444-555555555555', 'd', 'd'), (5, NULL, NULL, NULL, NULL, NULL), (6, '::', '0.0.0.0', '00000000-0000-7000-8000-0000000000ff', 'a', 'a'), (7, '::9', '9.0.0.1', '00000000-0000-1000-8000-000000000002', 'A', 'A'), (8, '::10', '100.0.0.1', NULL, 'é', 'é')
#! mariadb
SELECT tenant_id FROM wi ORDER BY i6, tenant_id
#! mariadb
SELECT tenant_id FROM wi ORDER BY i4 DESC, tenant_id LIMIT 3
#! mariadb
SELECT tenant_id FROM wi ORDER BY u, tenant_id
#! mariadb
SELECT tenant_id, i4 FROM wi ORDER BY COALESCE(i4, '255.0.0.0'), tenant_id
#! mariadb
SELECT tenant_id FROM wi ORDER BY CAST(n AS INET4), tenant_id
#! mariadb
SELECT i6, COUNT(*) FROM wi GROUP BY i6
#! mariadb
SELECT i4, COUNT(*) FROM wi GROUP BY i4 ORDER BY i4 DESC LIMIT 2
#! mariadb
SELECT u, COUNT(*) FROM wi GROUP BY u ORDER BY u
#! mariadb
SELECT DISTINCT i4, i6 FROM wi
#! mariadb
SELECT MIN(i4), MAX(i4), MIN(i6), MAX(i6), MIN(u), MAX(u), MIN(n), MAX(c) FROM wi
#! mariadb
SELECT n, MIN(i4), MAX(i6) FROM wi GROUP BY n ORDER BY n
#! mariadb
DROP TABLE wi
# What servers sort by and how many rows they give, set for the session or the statement.
SET max_sort_length = 64
SELECT id FROM t ORDER BY CONCAT(REPEAT('a', 70), ci), id DESC
SELECT id FROM x ORDER BY CONCAT(REPEAT('a', 70), txt) DESC, id LIMIT 3
SELECT id FROM x ORDER BY v, id LIMIT 3
SET max_sort_length = DEFAULT
#! mysql
SELECT /*+ SET_VAR(max_sort_length=8) */ id FROM t ORDER BY CONCAT('same prefix of some letters', ci), id DESC
#! mysql
SELECT /*+ SET_VAR(sql_select_limit=2) */ id FROM x ORDER BY id
#! mysql
SELECT /*+ SET_VAR(sql_select_limit=1) */ DISTINCT v FROM x ORDER BY v
#! mysql
SELECT /*+ SET_VAR(sql_select_limit=1) */ v, COUNT(*) FROM x GROUP BY v ORDER BY v
#! mysql
SELECT /*+ SET_VAR(sql_select_limit=1) */ COUNT(*) FROM x
#! mysql
SELECT /*+ SET_VAR(sql_select_limit=1) */ n FROM o WHERE uid = 1 ORDER BY n
#! mysql
SELECT /*+ SET_VAR(time_zone='+05:00') */ uid, n, at FROM o ORDER BY uid, n
#! mariadb
SELECT /*+ SET_VAR(sql_select_limit=2) */ id FROM x ORDER BY id
