package session

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"sluice/backend"
	"sluice/query"
	"sluice/router"
	"sluice/shard"
)

// maxSizes bounds the tables, partitions or indexes whose sizes one statement asks for.
const maxSizes = 20000

// sizes adds up what the shards say of the user's sharded tables, each without the default
// shard of its schema, whose rows the statement reads itself.
func (p *planner) sizes(ctx context.Context, of *router.SizesOf) ([]router.Size, error) {
	m := p.args.Map
	u := m.User(p.c.User)
	list := map[string]bool{}
	for i := range m.Spec.Schemas {
		if s := &m.Spec.Schemas[i]; u != nil && u.May(s.Name) && !s.PassThrough() {
			list[s.Name] = true
		}
	}
	var names []string
	for name := range list {
		names = append(names, string(query.QuoteString(nil, name, p.state.mode)))
	}
	if len(names) == 0 {
		return []router.Size{}, nil
	}
	columns := append(append(append([]string{}, of.Keys...), of.Sums...), of.Largest...)
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM information_schema." + of.Name + " WHERE TABLE_SCHEMA IN (" + strings.Join(names, ", ") + ")"
	found := map[string]int{}
	all := []router.Size{}
	for i := range m.Spec.Shards {
		name := m.ShardName(i)
		err := p.kept.onShard(ctx, name, true, func(c *backend.Conn) error {
			_, rows, err := c.Query(sql)
			if err != nil {
				return err
			}
			for _, r := range rows {
				sc := m.Schema(string(r[0]))
				if sc == nil || sc.DefaultShard == name || sc.Rule(string(r[1])).Kind != shard.Sharded {
					continue
				}
				if len(all) >= maxSizes {
					return refuse(1104, "42000", "the sizes of more than %d tables, partitions or indexes of the shards would be added up; ask for them with /*sluice: shard=…*/", maxSizes)
				}
				all = addSize(all, found, of, r)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Bounds of what a statement brings together of the shards' information_schema.
const (
	maxSystemRows  = 20000
	maxSystemBytes = 4 << 20
)

// systems asks the shards' information_schema.
type systems struct{ *planner }

// rows gives the rows of a table of information_schema about the user's schemas that have their
// tables on other shards than the statement's.
func (p systems) rows(ctx context.Context, of *router.NeedRows) ([][][]byte, error) {
	if of.Name == router.ProcessList {
		return (&peers{p.core}).table(of.Columns), nil
	}
	m := p.args.Map
	u := m.User(p.c.User)
	on := map[string][]string{}
	for i := range m.Spec.Schemas {
		if s := &m.Spec.Schemas[i]; u != nil && u.May(s.Name) && s.DefaultShard != of.Home {
			on[s.DefaultShard] = append(on[s.DefaultShard], string(query.QuoteString(nil, s.Name, p.state.mode)))
		}
	}
	columns := make([]string, len(of.Columns))
	for i := range columns {
		columns[i] = string(query.QuoteName(nil, of.Columns[i].Name))
	}
	all, size := [][][]byte{}, 0
	for i := range m.Spec.Shards {
		name := m.ShardName(i)
		if len(on[name]) == 0 {
			continue
		}
		sql := "SELECT " + strings.Join(columns, ", ") + " FROM information_schema." + of.Name + " WHERE " + of.Column + " IN (" + strings.Join(on[name], ", ") + ") LIMIT " + strconv.Itoa(maxSystemRows+1)
		err := p.kept.onShard(ctx, name, true, func(c *backend.Conn) error {
			_, rows, err := c.Query(sql)
			for _, r := range rows {
				for _, v := range r {
					size += len(v)
				}
			}
			all = append(all, rows...)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(all) > maxSystemRows || size > maxSystemBytes {
			return nil, refuse(1104, "42000", "information_schema has the tables of each schema on another shard, and those of others more than %d rows or %d bytes in %s; "+
				"say which schema is meant (WHERE %s = '…')", maxSystemRows, maxSystemBytes, of.Name, of.Column)
		}
	}
	return all, nil
}

// isHomes tells whether a statement has to be planned again, with the rows of several shards'
// information_schema.
func isHomes(err error) bool { return errors.Is(err, router.ErrHomes) }

// addSize adds a shard's row to those of the same keys.
func addSize(all []router.Size, found map[string]int, of *router.SizesOf, r [][]byte) []router.Size {
	n := len(of.Keys)
	var key strings.Builder
	for _, k := range r[:n] {
		key.WriteString(strconv.Itoa(len(k)) + ":" + string(k))
	}
	at, ok := found[key.String()]
	if !ok {
		at = len(all)
		found[key.String()] = at
		all = append(all, router.Size{Keys: r[:n], Sums: make([]*uint64, len(of.Sums)), Largest: make([]*uint64, len(of.Largest))})
	}
	s := &all[at]
	for i := range s.Sums {
		if v := r[n+i]; v != nil {
			sum := parseUint(v)
			if s.Sums[i] != nil {
				sum += *s.Sums[i]
			}
			s.Sums[i] = &sum
		}
	}
	for i := range s.Largest {
		if v := r[n+len(of.Sums)+i]; v != nil {
			largest := parseUint(v)
			if s.Largest[i] != nil {
				largest = max(largest, *s.Largest[i])
			}
			s.Largest[i] = &largest
		}
	}
	return all
}
