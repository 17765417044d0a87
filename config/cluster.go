package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/shard"
)

// defaultBackendConnections is what one proxy opens to one shard unless told otherwise.
const defaultBackendConnections = 64

func clusterKeys() []string {
	return []string{"admins", "users", "backend", "shards", "schemas", "cache", "gather"}
}

func anything(string) error { return nil }

// cluster reads the section that becomes the first map. What a map must be is for package
// shard to say; its paths are those of the file, so that its faults find their lines.
func (d sections) cluster(n *yaml.Node, path string, c *Config) {
	spec := &shard.Spec{Backend: shard.Backend{MaxConnections: defaultBackendConnections}}
	node := d.enter(n, path)
	d.fields(n, path, path,
		field{"admins", d.each(func(n *yaml.Node, path string) {
			a := shard.Admin{}
			d.account(n, path, &a.Name, &a.Password)
			spec.Admins = append(spec.Admins, a)
		})},
		field{"users", d.each(func(n *yaml.Node, path string) {
			u := shard.User{}
			d.account(n, path, &u.Name, &u.Password, field{"schemas", d.strs(&u.Schemas, anything)})
			d.required(n, path, "schemas", "the list of the schemas that the user may see")
			spec.Users = append(spec.Users, u)
		})},
		field{"backend", func(n *yaml.Node, path string) { d.backend(n, path, &spec.Backend) }},
		field{"shards", d.each(func(n *yaml.Node, path string) {
			s := shard.Shard{}
			d.fields(n, path, "a shard", field{"name", d.str(&s.Name)}, field{"primary", d.str(&s.Primary)},
				field{"replicas", d.strs(&s.Replicas, anything)}, field{"cache", d.str(&s.Cache)})
			spec.Shards = append(spec.Shards, s)
		})},
		field{"schemas", d.each(func(n *yaml.Node, path string) { spec.Schemas = append(spec.Schemas, d.schema(n, path)) })},
		field{"cache", d.each(func(n *yaml.Node, path string) {
			r := shard.CacheRule{}
			d.fields(n, path, "a cache rule", field{"schema", d.str(&r.Schema)}, field{"table", d.str(&r.Table)}, field{"ttl", d.str(&r.TTL)}, field{"stale", d.str(&r.Stale)})
			spec.Cache = append(spec.Cache, r)
		})},
		field{"gather", func(n *yaml.Node, path string) {
			d.fields(n, path, path, field{"max_rows", d.number(&spec.Gather.MaxRows, 1, 1_000_000_000, false)},
				field{"max_bytes", d.number(&spec.Gather.MaxBytes, 1<<10, 1<<40, true)})
		}})
	if isNull(node) || node.Kind == yaml.MappingNode {
		d.required(n, path, "backend", "the account with which proxies log in to the shards, such as {user: sluice, password: …}")
		spec.Ranges = shard.Deal(spec.Shards)
		d.judge(*spec, path)
	}
	c.spec = spec
}

// each reads a list of mappings.
func (d *decoder) each(read func(n *yaml.Node, path string)) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		d.list(n, path, path, func(n *yaml.Node, path string) {
			d.enter(n, path)
			read(n, path)
		})
	}
}

// account reads a name and a password. An empty password is one too, but it has to be written.
func (d sections) account(n *yaml.Node, path string, name, password *string, more ...field) {
	d.fields(n, path, "an account", append([]field{{"name", d.str(name)}, {"password", d.str(password)}}, more...)...)
	d.required(n, path, "password", `the password, ${NAME} or file:PATH`)
}

func (d sections) backend(n *yaml.Node, path string, b *shard.Backend) {
	d.fields(n, path, path, field{"user", d.str(&b.User)}, field{"password", d.str(&b.Password)},
		field{"max_connections", d.number(&b.MaxConnections, 1, 100_000, false)}, field{"tls", d.str(&b.TLS)})
	d.required(n, path, "user", "the name with which proxies log in to the shards")
	d.required(n, path, "password", `the password, ${NAME} or file:PATH`)
}

func (d sections) schema(n *yaml.Node, path string) shard.Schema {
	s := shard.Schema{}
	d.fields(n, path, "a schema",
		field{"name", d.str(&s.Name)},
		field{"default_shard", d.str(&s.DefaultShard)},
		field{"auto_shard_key", d.strs(&s.AutoShardKey, anything)},
		field{"tables", func(n *yaml.Node, path string) {
			d.pairs(n, path, path, func(key, value *yaml.Node) {
				at := fmt.Sprintf("%s[%d]", path, len(s.Tables))
				d.lines[at] = key.Line
				s.Tables = append(s.Tables, d.table(key, value, at))
			})
		}})
	return s
}

func (d sections) table(key, value *yaml.Node, path string) shard.Table {
	t := shard.Table{Name: key.Value, Kind: shard.Sharded}
	kind := ""
	d.fields(value, path, "the table "+clip(key.Value), field{"shard_key", d.str(&t.ShardKey)}, field{"sequence", d.str(&t.Sequence)},
		field{"kind", d.oneOf(&kind, "sharded", "reference", "unsharded")})
	switch kind {
	case "reference":
		t.Kind = shard.Reference
	case "unsharded":
		t.Kind = shard.Unsharded
	case "":
		if d.faultyIn(path) {
			t.Kind = shard.Reference // nothing more is said of what could not be read
		} else if t.ShardKey == "" {
			d.fault(key, path+".shard_key", "the table %q has no shard_key; write shard_key: and the column that spreads its rows, or kind: reference or kind: unsharded", clip(key.Value))
		}
	}
	return t
}

// required reports a key that is missing in a mapping.
func (d *decoder) required(n *yaml.Node, path, key, write string) {
	n = d.enter(n, path)
	if n.Kind != yaml.MappingNode && !isNull(n) {
		return // that is a fault already
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return
		}
	}
	d.fault(n, join(path, key), "%s is missing; write %s", join(path, key), write)
}

// judge has package shard look for faults, and places them on their lines. A place that
// could not be read has its fault already.
func (d sections) judge(spec shard.Spec, path string) {
	for _, f := range shard.Check(spec) {
		at := join(path, f.Path)
		if d.faulty(at) || d.faulty(parent(at)) || d.faulty(parent(at)+".kind") {
			continue
		}
		line := 0
		for where := at; line == 0 && where != ""; where = parent(where) {
			line = d.lines[where]
		}
		d.fault(&yaml.Node{Line: line}, at, "%s: %s", at, f.Text)
	}
}

// parent gives the path of what holds the value at path: a.b[2] of a.b[2].c, a.b of a.b[2].
func parent(path string) string {
	i := strings.LastIndexAny(path, ".[")
	return path[:max(i, 0)]
}
