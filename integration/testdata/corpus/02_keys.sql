# Values of the shard key in all spellings: each must find the rows that one server finds.
SELECT id FROM t WHERE id = 5
SELECT id FROM t WHERE id = '5'
SELECT id FROM t WHERE id = ' 5'
SELECT id FROM t WHERE id = '5 '
SELECT id FROM t WHERE id = '05'
SELECT id FROM t WHERE id = '+5'
SELECT id FROM t WHERE id = '5abc'
SELECT id FROM t WHERE id = '5.0'
SELECT id FROM t WHERE id = '5e0'
SELECT id FROM t WHERE id = 'abc'
SELECT id FROM t WHERE id = ''
SELECT id FROM t WHERE id = 0x05
SELECT id FROM t WHERE id = x'05'
SELECT id FROM t WHERE id = 0x35
SELECT id FROM t WHERE id = b'101'
SELECT id FROM t WHERE id = 0b101
SELECT id FROM t WHERE id = 5.0
SELECT id FROM t WHERE id = 5.5
SELECT id FROM t WHERE id = 5e0
SELECT id FROM t WHERE id = .5e1
SELECT id FROM t WHERE id = 05
SELECT id FROM t WHERE id = 00000000000000000000005
SELECT id FROM t WHERE id = +5
SELECT id FROM t WHERE id = - -5
SELECT id FROM t WHERE id = -0
SELECT id FROM t WHERE id = '-0'
SELECT id FROM t WHERE id = -1
SELECT id FROM t WHERE id = - 1
SELECT id FROM t WHERE id = '-1'
SELECT id FROM t WHERE id = -(1)
SELECT id FROM t WHERE id = 1+1
SELECT id FROM t WHERE id = 2*3-1
SELECT id FROM t WHERE id = (5)
SELECT id FROM t WHERE (id) = 5
SELECT id FROM t WHERE ((id = 5))
SELECT id FROM t WHERE 5 = id
SELECT id FROM t WHERE id + 0 = 5
SELECT id FROM t WHERE id = TRUE
SELECT id FROM t WHERE id = FALSE
SELECT id FROM t WHERE id = NULL
SELECT id FROM t WHERE id <=> NULL
SELECT id FROM t WHERE id <=> 5
SELECT id FROM t WHERE id IS NULL
SELECT id FROM t WHERE id IS NOT NULL ORDER BY id
SELECT id FROM t WHERE NOT id = 5 ORDER BY id
SELECT id FROM t WHERE id != 5 ORDER BY id
SELECT id FROM t WHERE NOT (id <> 5)
SELECT id FROM t WHERE id = 5 AND id = 6
SELECT id FROM t WHERE id = 5 OR id = 6 ORDER BY id
SELECT id FROM t WHERE id = 5 OR i = 5 ORDER BY id
SELECT id FROM t WHERE id = 5 XOR i = 5 ORDER BY id
SELECT id FROM t WHERE id = 5 AND i IS NOT NULL OR id = 7 AND 1 ORDER BY id
SELECT id FROM t WHERE id = 5 || id = 6 ORDER BY id
SELECT id FROM t WHERE id = 5 && ti = 4
SELECT id FROM t WHERE id IN (5)
SELECT id FROM t WHERE id IN (5, 5, 5)
SELECT id FROM t WHERE id IN (3, 1, 2, 1, 3) ORDER BY id
SELECT id FROM t WHERE id IN (5, NULL)
SELECT id FROM t WHERE id NOT IN (5, NULL)
SELECT id FROM t WHERE id NOT IN (5, 6) ORDER BY id
SELECT id FROM t WHERE id IN ('5', '6') ORDER BY id
SELECT id FROM t WHERE id IN (5, '6') ORDER BY id
SELECT id FROM t WHERE id IN ('5abc', 6) ORDER BY id
SELECT id FROM t WHERE id IN ('abc', 6) ORDER BY id
SELECT id FROM t WHERE id IN (5.0, 6.5) ORDER BY id
SELECT id FROM t WHERE id IN (1+1, 3) ORDER BY id
SELECT id FROM t WHERE id IN (-1, -0, +1) ORDER BY id
SELECT id FROM t WHERE id IN (99999999999999999999, 5)
SELECT id FROM t WHERE id IN (SELECT 5)
SELECT id FROM t WHERE id IN (SELECT n FROM r) ORDER BY id
SELECT id FROM t WHERE id = (SELECT MAX(n) FROM r)
SELECT id FROM t WHERE id = (SELECT MAX(n) FROM r WHERE code = 'zz')
SELECT id FROM t WHERE id BETWEEN 5 AND 5
SELECT id FROM t WHERE id BETWEEN 5 AND 9 ORDER BY id
SELECT id FROM t WHERE id BETWEEN 9 AND 5 ORDER BY id
SELECT id FROM t WHERE id NOT BETWEEN 0 AND 40 ORDER BY id
SELECT id FROM t WHERE id BETWEEN NULL AND 5
SELECT id FROM t WHERE id > 38 ORDER BY id
SELECT id FROM t WHERE id >= '40' ORDER BY id
SELECT id FROM t WHERE id LIKE '5'
SELECT id FROM t WHERE id LIKE '1_' ORDER BY id
SELECT id FROM t WHERE id REGEXP '^1' ORDER BY id
SELECT id FROM t WHERE (id, ti) = (5, 4)
SELECT id FROM t WHERE (id, ti) IN ((5, 4), (6, 0), (7, 9)) ORDER BY id
SELECT id FROM t WHERE (id, ti) IN ((5, 4))
SELECT id FROM t WHERE id = 9223372036854775807
SELECT id FROM t WHERE id = 9223372036854775808
SELECT id FROM t WHERE id = -9223372036854775808
SELECT id FROM t WHERE id = -9223372036854775809
SELECT id FROM t WHERE id = 99999999999999999999999999999999999999999999
SELECT id FROM t WHERE id = @nothing
SELECT id FROM t WHERE id = _utf8mb4'5'
SELECT id FROM t WHERE id = '5' '0'
SELECT id FROM t WHERE id = "5"
SELECT id FROM t WHERE id = CAST('5' AS SIGNED)
SELECT id FROM t WHERE id = ABS(-5)
SELECT id FROM t WHERE id = 5 AND 1 = 1
SELECT id FROM t WHERE id = 5 AND 1 = 0
SELECT id FROM t WHERE 1 = 0
SELECT id FROM t WHERE id = 5 = 1
SELECT id FROM t WHERE id = 5 = 0 ORDER BY id
SELECT id FROM t WHERE id = id ORDER BY id
SELECT id FROM t WHERE id = i ORDER BY id
SELECT id FROM t WHERE t.id = 5
SELECT id FROM t AS q WHERE q.id = 5
SELECT q.id FROM t q WHERE q.id = '6'
SELECT t.id FROM t AS q WHERE t.id = 5
SELECT id FROM t WHERE id = 5 FOR UPDATE
SELECT id FROM t WHERE id = 5 LOCK IN SHARE MODE
SELECT k FROM w WHERE k = 0
SELECT k FROM w WHERE k = -1
SELECT k FROM w WHERE k = 8000
SELECT k FROM w WHERE k = 4294967296
SELECT k FROM w WHERE k = 1000.0
SELECT k FROM w WHERE k = '1000 '
SELECT k, z FROM w WHERE k IN (1000, 8000, -5, 64000) ORDER BY k
# String keys: _bin compares with PAD SPACE, VARBINARY does not.
SELECT name, n FROM s WHERE name = 'abc'
SELECT name, n FROM s WHERE name = 'ABC'
SELECT name, n FROM s WHERE name = 'Abc'
SELECT name, n FROM s WHERE name = 'abc  '
SELECT name, n FROM s WHERE name = ''
SELECT name, n FROM s WHERE name = ' '
SELECT name, n FROM s WHERE name = 'é'
SELECT name, n FROM s WHERE name = 'e'
SELECT name, n FROM s WHERE name = _utf8mb4 x'C3A9'
SELECT name, n FROM s WHERE name = x'C3A9'
SELECT name, n FROM s WHERE name = _latin1 x'E9'
SELECT name, n FROM s WHERE name = 'a''b'
SELECT name, n FROM s WHERE name = "a'b"
SELECT name, n FROM s WHERE name = 'a\'b'
SELECT name, n FROM s WHERE name = 'a\\b'
SELECT name, n FROM s WHERE name = 'a' ' b'
SELECT name, n FROM s WHERE name = '日本'
SELECT name, n FROM s WHERE name = '😀'
SELECT name, n FROM s WHERE name = 5 ORDER BY n
SELECT name, n FROM s WHERE name = 0 ORDER BY n
SELECT name, n FROM s WHERE name = 10 ORDER BY n
SELECT name, n FROM s WHERE name = 'NULL'
SELECT name, n FROM s WHERE name = NULL
SELECT name, n FROM s WHERE name IN ('abc', 'ABC', 'é') ORDER BY n
SELECT name, n FROM s WHERE name IN ('5', 5) ORDER BY n
SELECT name, n FROM s WHERE name IN ('abc ', 'e', NULL) ORDER BY n
SELECT name, n FROM s WHERE name LIKE 'abc'
SELECT name, n FROM s WHERE name LIKE 'a%' ORDER BY n
SELECT name, n FROM s WHERE name COLLATE utf8mb4_general_ci = 'abc' ORDER BY n
SELECT name, n FROM s WHERE name = 'abc' COLLATE utf8mb4_general_ci ORDER BY n
SELECT name, n FROM s WHERE name = 'É' COLLATE utf8mb4_general_ci ORDER BY n
SELECT name, n FROM s WHERE LOWER(name) = 'abc' ORDER BY n
SELECT name, n FROM s WHERE name = CONCAT('a', 'bc')
SELECT name, n FROM s WHERE BINARY name = 'abc'
SELECT name, n FROM s WHERE name = BINARY 'abc '
SELECT k, n FROM b WHERE k = 'abc'
SELECT k, n FROM b WHERE k = 'abc '
SELECT k, n FROM b WHERE k = 'abc  '
SELECT k, n FROM b WHERE k = 'ABC'
SELECT k, n FROM b WHERE k = x'616263'
SELECT k, n FROM b WHERE k = 0x616263
SELECT k, n FROM b WHERE k = 'é'
SELECT k, n FROM b WHERE k = ''
SELECT k, n FROM b WHERE k = 5
SELECT k, n FROM b WHERE k = 'a\0b'
SELECT k, n FROM b WHERE k IN ('abc', 'a', 'a ') ORDER BY n
