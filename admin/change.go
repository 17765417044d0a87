package admin

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/backend"
	"sluice/server"
	"sluice/shard"
	"sluice/wire"
)

// addShard checks that the server can be used, stores the shard, then gives it the
// schemas and the tables of the others. It is joining until a migration to it has brought it
// the reference tables' rows. A run that failed half-way is completed by DROP SHARD and
// another ADD SHARD.
func addShard(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
	s := shard.Shard{Name: args["name"], Primary: args["host:port"], State: shard.Joining}
	if list := args["host:port,…"]; list != "" {
		s.Replicas = strings.Split(list, ",")
	}
	for i := range s.Replicas {
		s.Replicas[i] = strings.TrimSpace(s.Replicas[i])
	}
	for _, addr := range append([]string{s.Primary}, s.Replicas...) {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, refuse(1210, "HY000", fmt.Sprintf("%q is no 'host:port'", addr))
		}
	}
	m := a.Topology.Map()
	if _, ok := m.ShardIndex(s.Name); ok {
		return nil, refuse(1210, "HY000", fmt.Sprintf("there is a shard %s already; SHOW SHARDS lists them", s.Name))
	}
	for _, old := range m.Spec.Shards {
		if old.Primary == s.Primary {
			return nil, refuse(1210, "HY000", fmt.Sprintf("%s is the primary of shard %s already", s.Primary, old.Name))
		}
	}
	if _, err := a.Pools.Probe(ctx, s.Primary); err != nil {
		return nil, refuse(1210, "HY000", fmt.Sprintf("the server %s cannot be used: %v", s.Primary, err))
	}
	if table, err := a.rowsAt(ctx, m, s.Primary); err != nil {
		return nil, refuse(1210, "HY000", fmt.Sprintf("the server %s cannot be used: %v", s.Primary, err))
	} else if table != "" {
		return nil, refuse(1210, "HY000", fmt.Sprintf("the table %s has rows on the server %s already, which would be read as rows of this cluster; empty it, or add an empty server", table, s.Primary))
	}
	m, err := a.Topology.Update(ctx, func(spec *shard.Spec) error {
		spec.Shards = append(spec.Shards, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := a.createTables(ctx, m, s.Name); err != nil {
		return nil, refuse(1105, "HY000", fmt.Sprintf("shard %s was added, but its tables could not all be created: %v; "+
			"mend that, then DROP SHARD %s and add it again", s.Name, err, s.Name))
	}
	a.Log.Info("shard added", "shard", s.Name, "primary", s.Primary, "admin", c.User)
	return nil, nil
}

// rowsAt gives a sharded or reference table that has rows on a server which is in no map yet,
// "" for none.
func (a *Admin) rowsAt(ctx context.Context, m *shard.Map, address string) (string, error) {
	to, err := a.Pools.Dial(ctx, "", address)
	if err != nil {
		return "", err
	}
	defer to.Close()
	if err := to.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return "", err
	}
	for i := range m.Spec.Schemas {
		s := &m.Spec.Schemas[i]
		if s.PassThrough() {
			continue
		}
		names, err := a.tablesOf(ctx, s.DefaultShard, s.Name)
		if err != nil {
			return "", err
		}
		for _, table := range names {
			if s.Rule(table).Kind == shard.Unsharded {
				continue
			}
			full := quoteName(s.Name) + "." + quoteName(table)
			_, rows, err := to.Query("SELECT 1 FROM " + full + " LIMIT 1")
			switch {
			case wire.IsCode(err, 1049, 1146): // no such database, no such table
			case err != nil:
				return "", err
			case len(rows) > 0:
				return full, nil
			}
		}
	}
	return "", nil
}

// createTables gives a new shard what every shard has: the schemas, and the sharded and
// reference tables, which are empty there.
func (a *Admin) createTables(ctx context.Context, m *shard.Map, name string) error {
	to, err := a.Pools.Get(ctx, name, backend.Class{}, "", &backend.Settings{})
	if err != nil {
		return err
	}
	defer to.Close() // it carries foreign_key_checks=0
	if _, err := to.Exec("SET SESSION foreign_key_checks=0"); err != nil {
		return err
	}
	for i := range m.Spec.Schemas {
		s := &m.Spec.Schemas[i]
		if _, err := to.Exec("CREATE DATABASE IF NOT EXISTS " + quoteName(s.Name)); err != nil {
			return err
		}
		if s.PassThrough() {
			continue
		}
		if err := a.copyDefinitions(ctx, s, to); err != nil {
			return fmt.Errorf("schema %s: %w", s.Name, err)
		}
	}
	return nil
}

func (a *Admin) copyDefinitions(ctx context.Context, s *shard.Schema, to *backend.Conn) error {
	names, err := a.tablesOf(ctx, s.DefaultShard, s.Name)
	if err != nil {
		return err
	}
	from, err := a.Pools.Get(ctx, s.DefaultShard, backend.Class{}, s.Name, &backend.Settings{})
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := to.Exec("USE " + quoteName(s.Name)); err != nil {
		return err
	}
	for _, table := range names {
		if s.Rule(table).Kind == shard.Unsharded {
			continue
		}
		_, rows, err := from.Query("SHOW CREATE TABLE " + quoteName(table))
		if err != nil {
			return err
		}
		if len(rows) != 1 || len(rows[0]) < 2 {
			return fmt.Errorf("SHOW CREATE TABLE %s answered %d rows", table, len(rows))
		}
		create, ok := strings.CutPrefix(string(rows[0][1]), "CREATE TABLE ")
		if !ok {
			return fmt.Errorf("SHOW CREATE TABLE %s answered no CREATE TABLE", table)
		}
		if _, err := to.Exec("CREATE TABLE IF NOT EXISTS " + create); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
	}
	return nil
}

func dropShard(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
	name := args["name"]
	givenUp, err := a.giveUp(ctx, name, c.User)
	if err != nil || givenUp {
		return nil, err
	}
	if err := a.mayDrop(ctx, name); err != nil {
		return nil, err
	}
	_, err = a.Topology.Update(ctx, func(spec *shard.Spec) error {
		i := slices.IndexFunc(spec.Shards, func(s shard.Shard) bool { return s.Name == name })
		if i < 0 {
			return refuse(1210, "HY000", fmt.Sprintf("there is no shard %s; SHOW SHARDS lists them", name))
		}
		slots := 0
		for _, r := range spec.Ranges {
			if r.Shard == name {
				slots += int(r.Last) - int(r.First) + 1
			}
		}
		if slots > 0 {
			return refuse(1210, "HY000", fmt.Sprintf("shard %s owns %d slots; move them away first", name, slots))
		}
		for _, v := range spec.Moves {
			if v.Source == name || v.Target == name {
				return refuse(1210, "HY000", fmt.Sprintf("shard %s is part of migration %d; COMPLETE or CANCEL it first", name, v.ID))
			}
		}
		for _, s := range spec.Schemas {
			if s.DefaultShard == name {
				return refuse(1210, "HY000", fmt.Sprintf("shard %s is the home of the unsharded tables of schema %s", name, s.Name))
			}
		}
		spec.Shards = slices.Delete(spec.Shards, i, i+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.forget(ctx, name)
	a.Log.Info("shard dropped", "shard", name, "admin", c.User)
	return nil, nil
}

// forget deletes the other shards' notes that a shard has got copies of reference tables: a
// proxy that loses etcd later would refuse to write these tables for its sake. That it fails
// is no fault.
func (a *Admin) forget(ctx context.Context, dropped string) {
	for _, s := range a.Topology.Map().Spec.Shards {
		c, err := a.Pools.Get(ctx, s.Name, backend.Class{}, "", &backend.Settings{})
		if err == nil {
			_, err = c.Exec("DELETE FROM _sluice.fence WHERE move_id < 0 AND SUBSTRING_INDEX(note, '" + shard.FenceJoined + "', -1) = '" + strings.ReplaceAll(dropped, "'", "''") + "'")
			c.Put()
		}
		if err != nil && !wire.IsCode(err, 1049, 1146) {
			a.Log.Warn("a shard's note about a dropped shard was not deleted", "shard", s.Name, "dropped", dropped, "error", err)
		}
	}
}

// giveUp has migrations that cannot be cancelled because the server of their target is gone
// for good be cancelled without it; the shard leaves the map with them. false: there are none.
func (a *Admin) giveUp(ctx context.Context, name, by string) (bool, error) {
	m := a.Topology.Map()
	i, ok := m.ShardIndex(name)
	if !ok || m.SlotCount(i) > 0 || slices.ContainsFunc(m.Spec.Schemas, func(s shard.Schema) bool { return s.DefaultShard == name }) {
		return false, nil // the change of the map says it
	}
	if _, err := a.Pools.Probe(ctx, m.Spec.Shards[i].Primary); err == nil {
		return false, nil
	}
	none, err := a.Migrations.GiveUp(ctx, name, by)
	if err != nil || none {
		return false, migrationError(err)
	}
	a.Log.Warn("a shard is given up; it leaves the map when its migrations are cancelled", "shard", name, "admin", by)
	return true, nil
}

// mayDrop refuses to drop a shard that is still needed for more than its slots: by a
// migration that has not begun, or by transactions whose fate only it knows.
func (a *Admin) mayDrop(ctx context.Context, name string) error {
	m := a.Topology.Map()
	i, ok := m.ShardIndex(name)
	if !ok || m.SlotCount(i) > 0 {
		return nil // the change of the map says it
	}
	list, err := a.Migrations.List(ctx)
	if err != nil {
		return err
	}
	for _, v := range list {
		if !v.Phase.Over() && (v.Source == name || v.Target == name) {
			return refuse(1210, "HY000", fmt.Sprintf("shard %s is part of migration %d; COMPLETE or CANCEL it first", name, v.ID))
		}
	}
	left, err := a.Decisions.Left(ctx, name)
	switch {
	case err != nil:
		return refuse(1105, "HY000", fmt.Sprintf("whether shard %s still decides transactions is not known: %v", name, err))
	case left > 0:
		return refuse(1210, "HY000", fmt.Sprintf("shard %s holds the decisions of %d transactions that may not have ended everywhere; SHOW TRANSACTIONS, and try again in some minutes", name, left))
	}
	return nil
}

func killSession(_ context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
	id, err := strconv.ParseUint(args["id"], 10, 32)
	if err != nil {
		return nil, refuse(1064, "42000", fmt.Sprintf("%q is no connection id; SHOW SESSIONS lists them", args["id"]))
	}
	client := a.Data.Find(uint32(id))
	if client == nil || client.Session() == nil {
		return nil, refuse(1094, "HY000", fmt.Sprintf("there is no connection %d on this proxy; SHOW SESSIONS lists them", id))
	}
	client.Session().Kill(true)
	a.Log.Info("connection killed on the admin port", "id", id, "user", client.User, "admin", c.User)
	return nil, nil
}
