package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/backend"
	"sluice/cache"
	"sluice/server"
	"sluice/shard"
)

func showShards(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	m := a.Topology.Map()
	status := map[string]backend.Status{}
	for _, s := range a.Pools.Status() {
		if s.Role == "primary" {
			status[s.Shard] = s
		}
	}
	var rows [][]any
	for i, s := range m.Spec.Shards {
		st := status[s.Name]
		state := st.State
		if s.State != "" {
			state = s.State
		}
		rows = append(rows, []any{s.Name, s.Primary, state, m.SlotCount(i), strings.Join(s.Replicas, ","), st.Version, st.LastError})
	}
	return rows, nil
}

func showProxies(ctx context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	proxies, err := a.Topology.Proxies(ctx)
	if err != nil {
		return nil, fmt.Errorf("etcd does not answer: %w", err)
	}
	var rows [][]any
	for _, p := range proxies {
		rows = append(rows, []any{p.Node, p.Listen, p.MapVersion, p.Version, p.Started})
	}
	return rows, nil
}

// showCache gives one line for all, then one for each rule.
func showCache(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	if a.Cache == nil {
		return [][]any{{"all", "off", nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil}}, nil
	}
	st, rules := a.Cache.Status(), a.Cache.Rules()
	var all cache.RuleStat
	for _, r := range rules {
		all.Hits, all.Misses, all.Bypassed, all.Refused = all.Hits+r.Hits, all.Misses+r.Misses, all.Bypassed+r.Bypassed, all.Refused+r.Refused
		all.Near, all.Waited, all.Served, all.Stored = all.Near+r.Near, all.Waited+r.Waited, all.Served+r.Served, all.Stored+r.Stored
		all.Stale += r.Stale
	}
	rows := [][]any{{"all", st.State, all.Hits, all.Misses, all.Bypassed, all.Refused, st.Invalidations, st.Suspensions, nil, all.Served, all.Stored, all.Near, all.Waited, nil, all.Stale}}
	for _, r := range rules {
		rows = append(rows, []any{r.Rule, nil, r.Hits, r.Misses, r.Bypassed, r.Refused, r.Invalidations, nil, r.Lookup, r.Served, r.Stored, r.Near, r.Waited, r.Lookup99, r.Stale})
	}
	return rows, nil
}

func showSessions(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	var rows [][]any
	for _, i := range a.sessions() {
		var pinned any
		if i.Pinned != "" {
			pinned = seconds(i.PinnedSince)
		}
		rows = append(rows, []any{i.ID, i.User, i.Remote, i.Schema, i.Command, seconds(i.Since), i.State, i.Statement,
			i.Transaction, i.Pinned, pinned, strings.Join(i.Shards, ","), i.Statements, attributes(i.Attributes)})
	}
	return rows, nil
}

// attributes shows what a client's driver says of itself: "_client_name=mysqlnd program_name=till".
func attributes(all map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(key + "=" + all[key])
	}
	return b.String()
}

// sessions lists the applications' sessions by id.
func (a *Admin) sessions() []server.SessionInfo {
	var all []server.SessionInfo
	for _, c := range a.Data.Clients() {
		if s := c.Session(); s != nil {
			all = append(all, s.Info())
		}
	}
	slices.SortFunc(all, func(x, y server.SessionInfo) int { return int(int64(x.ID) - int64(y.ID)) })
	return all
}

func seconds(since time.Time) int64 { return int64(time.Since(since).Seconds()) }

func showTransactions(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	var rows [][]any
	for _, i := range a.sessions() {
		if i.Transaction != "" {
			var name any
			if i.TxName != "" {
				name = i.TxName
			}
			rows = append(rows, []any{i.ID, i.User, i.Transaction, seconds(i.TxSince), strings.Join(i.Shards, ","), i.Statement, name, nil})
		}
	}
	for _, x := range a.Decisions.InDoubt() {
		rows = append(rows, []any{nil, nil, "in doubt", int64(x.Age.Seconds()), strings.Join(x.Shards, ","), x.Note, x.GTRID, x.Decision})
	}
	return rows, nil
}

func showBackends(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	var rows [][]any
	for _, s := range a.Pools.Status() {
		rows = append(rows, []any{s.Shard, s.Address, s.Role, s.State, s.Version, s.Open, s.Idle, s.Waiting, s.Max, s.LastError, s.Since,
			s.Breaker, s.Limit, s.Busy, s.Refused, s.Severed, s.AllLimit, s.AllBusy})
	}
	return rows, nil
}

func showDigests(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	var rows [][]any
	for _, d := range a.Digests.Rows() {
		rows = append(rows, []any{d.Schema, d.Fingerprint, d.Count, d.Errors, d.Rows, d.Total.Milliseconds(), d.P50, d.P95, d.P99, d.Max, shard.DigestID(d.Fingerprint)})
	}
	return rows, nil
}

// showTables lists the tables that are on each schema's default shard, which has all of
// them, then the rules that no table has been created for.
func showTables(ctx context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	m := a.Topology.Map()
	var rows [][]any
	for i := range m.Spec.Schemas {
		s := &m.Spec.Schemas[i]
		names, err := a.tablesOf(ctx, s.DefaultShard, s.Name)
		note := ""
		if err != nil {
			note = fmt.Sprintf("shard %s could not be asked which tables there are: %v", s.DefaultShard, err)
		}
		used := map[string]bool{}
		for _, name := range names {
			r, rule := s.Rule(name), ruleOf(s, name)
			used[rule] = true
			rows = append(rows, []any{s.Name, name, r.Kind.String(), r.ShardKey, r.Sequence, rule, ""})
		}
		for _, r := range s.Tables {
			if used[r.Name] {
				continue
			}
			why := note
			if why == "" {
				why = "no such table yet"
			}
			rows = append(rows, []any{s.Name, r.Name, r.Kind.String(), r.ShardKey, r.Sequence, r.Name, why})
		}
	}
	return rows, nil
}

// ruleOf names the rule that holds for a table, "" when none does.
func ruleOf(s *shard.Schema, table string) string {
	found := ""
	for _, r := range s.Tables {
		if r.Name == table {
			return table
		}
		if found == "" && shard.Match(r.Name, table) {
			found = r.Name
		}
	}
	return found
}

// tablesOf lists the base tables of a schema on a shard.
func (a *Admin) tablesOf(ctx context.Context, shardName, schema string) ([]string, error) {
	c, err := a.Pools.Get(ctx, shardName, backend.Class{}, "", &backend.Settings{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_, rows, err := c.Query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = " + quoteString(schema) +
		" AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range rows {
		names = append(names, string(r[0]))
	}
	return names, nil
}

// quoteString quotes a name that the configuration's check has let through: it holds no
// backslash, so doubling quotes is all.
func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
