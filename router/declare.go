package router

import (
	"slices"

	"sluice/shard"
)

// ruled is the rule of one table that auto_shard_key has made.
type ruled struct {
	schema string
	rule   shard.Table
}

// Declare adds the rule of a new sharded table to the stored cluster, with a stamp by which it is
// known later, and tells whether there was none before. It is made for topo.Update: it may run
// more than once, on a newer spec each time. Errors: *Refusal, 1412 where the plan was made with a rule that is gone.
func (p *Plan) Declare(spec *shard.Spec, stamp int64) (added bool, err error) {
	if p.Declares == nil {
		return false, nil
	}
	rule := *p.Declares
	rule.Auto = stamp
	for i := range spec.Schemas {
		s := &spec.Schemas[i]
		if s.Name != p.declareSchema {
			continue
		}
		for j := range s.Tables {
			if s.Tables[j].Name != rule.Name {
				continue
			}
			if s.Tables[j].SameRule(rule) {
				s.Tables[j].Auto = stamp // a DROP TABLE that is under way leaves it
				return false, nil
			}
			return false, refuse(1105, "HY000", "table %s.%s was given another rule at this moment; run the statement again", s.Name, rule.Name)
		}
		if p.declared {
			return false, &Refusal{1412, "HY000", "sluice: the rule of table " + s.Name + "." + rule.Name + " was removed at this moment; run the statement again"}
		}
		s.Tables = append(s.Tables, rule)
		return true, nil
	}
	return false, refuse(1049, "42000", "schema %s was removed", p.declareSchema)
}

// Withdraw takes back what a plan's Declare has added with a stamp. It is made for topo.Update.
func Withdraw(p *Plan, spec *shard.Spec, stamp int64) {
	rule := *p.Declares
	rule.Auto = stamp
	undeclare(spec, []ruled{{p.declareSchema, rule}})
}

// Undeclares tells whether a plan drops tables whose rules go with them.
func Undeclares(p *Plan) bool { return len(p.undeclares) > 0 }

// Undeclare takes the rules of a plan's dropped tables away that auto_shard_key had made, so that a
// new table of the name is sharded by its own columns or not at all. It is made for topo.Update.
func Undeclare(p *Plan, spec *shard.Spec) { undeclare(spec, p.undeclares) }

func undeclare(spec *shard.Spec, list []ruled) {
	for _, r := range list {
		for i := range spec.Schemas {
			if s := &spec.Schemas[i]; s.Name == r.schema {
				s.Tables = slices.DeleteFunc(s.Tables, func(t shard.Table) bool { return t == r.rule })
			}
		}
	}
}

// noteDropped notes a table that the plan drops.
func (p changer) noteDropped(schema string, rule shard.Table) {
	p.plan.drops = append(p.plan.drops, schema+"."+rule.Name)
	if rule.Auto != 0 {
		p.plan.undeclares = append(p.plan.undeclares, ruled{schema, rule})
	}
}
