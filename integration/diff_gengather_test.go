package integration

import (
	"fmt"
	"strings"
)

// gatherWrite makes an UPDATE or DELETE whose rows of several shards come together on one.
// Each row is written by what a server finds in whatever order it looks.
func (r *generator) gatherWrite() {
	number := func() string { return r.literal("int", fmt.Sprint(r.IntN(12))) }
	switch r.IntN(9) {
	case 0: // a subquery of other tables
		r.add("UPDATE x SET v = (SELECT " + pick(r, "COUNT(*)", "MAX(n)", "MIN(uid)", "SUM(n)") + " FROM o" + pick(r, "", " WHERE o.uid <> x.id", " WHERE n > "+number()) + ")")
		r.keyed(&genTables[3])
	case 1:
		r.add("DELETE FROM " + pick(r, "x WHERE id", "x WHERE v", "o WHERE n", "p WHERE i", "r WHERE n", "s WHERE n") + pick(r, " IN ", " NOT IN ") +
			"(SELECT " + pick(r, "n FROM o WHERE n > ", "ti FROM t WHERE ti > ", "id + 1 FROM x d WHERE id > ") + number() + ")")
	case 2: // joins that are not on the keys: what is assigned is the same whichever row is met
		r.add("UPDATE x JOIN o ON o.n = x.v SET x.txt = 'met'" + pick(r, "", ", o.code = 'met'") + pick(r, "", " WHERE x.id > "+number(), " WHERE o.uid < "+number()))
	case 3:
		r.add("UPDATE " + pick(r, "x JOIN r ON r.n > x.id SET x.v = 7, r.name = 'all'", "p JOIN x ON p.i = x.id SET p.name = 'p'", "x LEFT JOIN p ON p.i = x.id SET x.txt = 'none' WHERE p.i IS NULL",
			"t JOIN x ON x.v = t.ti SET t.i = 4, x.txt = 'ti'", "s JOIN r ON r.n = s.n SET s.v = 'rn'"))
	case 4:
		r.add("DELETE " + pick(r, "x FROM x JOIN o ON o.n = x.id", "x, o FROM x JOIN o ON o.n = x.v AND o.uid = "+number(), "a FROM x AS a LEFT JOIN o AS b ON b.n = a.id WHERE b.n IS NULL AND a.id > "+number(),
			"p FROM p JOIN x ON p.i = x.v", "FROM x USING x JOIN r ON r.n = x.id"))
	case 5: // rows move
		r.add(pick(r, "UPDATE w SET k = k + 1 ORDER BY k DESC", "UPDATE w SET k = k + 4000000 ORDER BY k DESC LIMIT 3", "UPDATE o SET uid = uid + 1000, n = n + 1 WHERE n > "+number(),
			"UPDATE s SET name = CONCAT(name, 'x') WHERE n > "+number(), "UPDATE a SET uid = uid + 50 WHERE uid > "+number(), "UPDATE x SET id = id + 1000, v = id WHERE id < "+number()+" ORDER BY id DESC",
			"UPDATE b SET k = CONCAT(k, '.') ORDER BY k LIMIT 2"))
	case 6: // the key is assigned: the rows have the value, or move
		id := r.literal("int", fmt.Sprint(r.IntN(40)))
		r.add(pick(r, "UPDATE x SET id = "+id+", v = v + 1 WHERE id = "+id+" AND v <> 3", "UPDATE x SET v = "+number()+", id = "+id+" WHERE txt = 'one' AND id < 9", "UPDATE o SET uid = "+id+", amount = 2 WHERE uid = "+id+" AND n > 1",
			"UPDATE o SET amount = 3, uid = "+id+" WHERE uid = "+id+" OR amount = 12345", "UPDATE s SET name = 'abc', v = 'q' WHERE name = 'abc' OR n = 12345", "UPDATE w SET k = "+id+" WHERE k = "+id+" AND a > 1"))
	case 7:
		t := pick(r, &genTables[0], &genTables[1], &genTables[2], &genTables[3], &genTables[4])
		set := map[string]string{"t": "ti = 9", "o": "amount = 1.5", "w": "a = 7", "x": "v = 3", "s": "v = 'l'"}[t.name]
		r.add(pick(r, "UPDATE "+t.name+" SET "+set, "DELETE FROM "+t.name))
		r.where(t, "")
		r.add(" ORDER BY " + strings.Join(t.primary, pick(r, ", ", " DESC, ")) + " LIMIT " + number())
	default:
		r.add(pick(r, "UPDATE r SET n = n + 1 ORDER BY n DESC", "DELETE FROM r ORDER BY code LIMIT 1", "UPDATE r SET name = 'q' ORDER BY code DESC LIMIT 2",
			"UPDATE p SET name = (SELECT COUNT(*) FROM x)", "UPDATE r SET name = (SELECT MAX(txt) FROM x WHERE v = r.n)"))
	}
}
