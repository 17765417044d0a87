# An UPDATE that assigns the shard key a value: rows that have it already, rows that move, both.
UPDATE o SET uid = 3, amount = 9 WHERE uid = 3 AND n = 1
UPDATE o SET uid = 3, amount = 10 WHERE amount = 9
UPDATE o SET uid = 3, amount = 10 WHERE amount = 10
UPDATE o SET uid = 3, amount = 11 WHERE amount = 123456
UPDATE s SET name = 'abc', v = 'same' WHERE n = (SELECT 1)
UPDATE s SET v = 'same', name = 'abc' WHERE name = 'abc' OR v = 'nobody'
UPDATE x SET txt = 'kept', id = 5 WHERE txt = 'one' AND id = 5
INSERT INTO x VALUES (900, 1, 'unique text'), (901, 1, 'pair of'), (902, 1, 'pair of')
UPDATE x SET id = 900, v = v + 1 WHERE txt = 'unique text'
UPDATE x SET id = '900', v = v + 1 WHERE txt = 'unique text'
UPDATE x SET v = v + 1, id = 900 WHERE txt = 'unique text' AND v > 0 AND id <> 901
SELECT * FROM x WHERE id >= 900 ORDER BY id
# moves
UPDATE x SET id = 903, v = v + 1 WHERE txt = 'unique text'
UPDATE x SET id = 901, v = v + 1 WHERE txt = 'pair of'
UPDATE x SET id = 904, v = id WHERE txt = 'unique text'
SELECT * FROM x WHERE id >= 900 ORDER BY id
UPDATE x SET id = 904, v = nothing WHERE txt = 'unique text'
UPDATE x SET id = 904, v = 8 WHERE nothing = 'unique text'
UPDATE x SET id = NULL WHERE txt = 'unique text'
UPDATE x SET id = 905 WHERE txt = 'unique text' ORDER BY id LIMIT 1
#! args int:906 str:changed str:unique␣text
UPDATE x SET id = ?, txt = ? WHERE txt = ?
#! args int:906 str:again str:changed
UPDATE x SET id = ?, txt = ? WHERE txt = ?
#! args str:again int:906 str:again
UPDATE x SET txt = ?, id = ? WHERE txt = ?
SELECT * FROM x WHERE id >= 900 ORDER BY id
BEGIN
UPDATE x SET id = 901, v = 77 WHERE v = 1 AND id = 901
UPDATE x SET id = 901, v = 78 WHERE v = 77
UPDATE x SET id = 907, v = 79 WHERE v = 78
UPDATE x SET id = 907, v = 80 WHERE v = 79
SELECT * FROM x WHERE id >= 900 ORDER BY id
ROLLBACK
SELECT * FROM x WHERE id >= 900 ORDER BY id
BEGIN
UPDATE x SET id = 907, v = 80 WHERE id = 901
UPDATE x SET id = 907, v = 81 WHERE v = 80
COMMIT
SELECT * FROM x WHERE id >= 900 ORDER BY id
START TRANSACTION READ ONLY
UPDATE x SET id = 907, v = 80 WHERE v = 81
COMMIT
#! session found-rows
UPDATE x SET id = 907, v = 81 WHERE v = 81
UPDATE x SET id = 907, v = 82 WHERE v = 81
UPDATE x SET id = 908, v = 82 WHERE v = 82 AND id = 907
SET @v = 82
UPDATE x SET id = 908, v = @v + 1 WHERE v = @v
UPDATE IGNORE x SET id = 902, v = 1 WHERE id IN (902, 908)
SELECT * FROM x WHERE id >= 900 ORDER BY id
