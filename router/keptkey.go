package router

import (
	"strings"

	"sluice/query"
	"sluice/shard"
)

// ON DUPLICATE KEY UPDATE may assign the shard key what leaves the row on its shard: the value that
// it has, or the one that was to be inserted, by which the row has come to the shard. (Another
// unique key than that of the shard key finds rows of this shard only, as tables are told when they are made.)

// keptKey is what an INSERT must make sure of so that the row stays.
type keptKey struct {
	asked *Refusal      // k = LAST_INSERT_ID(k): why not where k comes from the sequence
	given []query.Value // k = 5: the value of each row's key
	moves *Refusal      // if it is not
}

// assignsOnDuplicate refuses assignments of the shard key that may move the row.
func (p inserter) assignsOnDuplicate(t *table) (kept keptKey, why *Refusal) {
	in := p.stmt.Insert
	for i, c := range in.OnDuplicateCols {
		if !strings.EqualFold(c, t.rule.ShardKey) {
			continue
		}
		switch in.OnDuplicateSets[i].Keeps {
		case query.KeepsOwn, query.KeepsNew:
		case query.KeepsAsked:
			switch {
			case t.typ.text:
				return kept, onDuplicateKey(t)
			case !t.typ.unsigned && (in.Ignore || !p.in.Strict): // the function's value is unsigned
				return kept, unsupported("ON DUPLICATE KEY UPDATE with LAST_INSERT_ID(%s), which is unsigned, for the signed shard key of %s, of which a negative value would become another; "+
					"SET sql_mode = 'STRICT_TRANS_TABLES' and leave out IGNORE, or make the column UNSIGNED", t.rule.ShardKey, t.name())
			}
			kept.asked = unsupported("ON DUPLICATE KEY UPDATE with LAST_INSERT_ID(%s) of the shard key of %s, for a row that gets it from the sequence: the row "+
				"that is meant is found by another unique key, which holds per shard; SELECT the row by that key, and INSERT if there is none", t.rule.ShardKey, t.name())
		default:
			return kept, onDuplicateKey(t)
		}
	}
	return kept, nil
}

// literalsOnDuplicate gives the values that the shard key is assigned, nil when one is no literal.
func literalsOnDuplicate(in *query.InsertInfo, key string) (given []query.Value) {
	for i, c := range in.OnDuplicateCols {
		if set := &in.OnDuplicateSets[i]; strings.EqualFold(c, key) {
			if set.Value.Kind != query.ValLiteral {
				return nil
			}
			given = append(given, set.Value)
		}
	}
	return given
}

// stays makes sure of a row whose key has a sum.
func (k *keptKey) stays(ins *insertPlan, s *scratch, a *Args, sum uint32, generated bool) *Refusal {
	if generated && k.asked != nil {
		return k.asked
	}
	for _, v := range k.given {
		key, why := s.stored(&ins.typ, s.literal(a, literalIndex(a.Scan, v.Hole, v.Pos)), ins.charset)
		if why != "" || shard.Sum(key) != sum {
			return k.moves
		}
	}
	return nil
}

func onDuplicateKey(t *table) *Refusal {
	return unsupported("ON DUPLICATE KEY UPDATE of the shard key %s of %s could move the row to another shard, which is not available yet; leave the assignment out, or assign VALUES(…) of it",
		t.rule.ShardKey, t.name())
}
