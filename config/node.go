package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sluice/shard"
)

// sections reads the parts of a configuration; the decoder it stands on knows YAML only.
type sections struct{ *decoder }

// parse reads a whole configuration.
func parse(file string, data []byte, w world) (*Config, error) {
	d := sections{&decoder{file: file, world: w, lines: map[string]int{}}}
	c := defaults()
	if root := d.tree(data); root != nil {
		d.node(root, c)
	}
	if len(d.faults) > 0 {
		return nil, d.faults.sorted(d.more)
	}
	return c, nil
}

func (d sections) node(root *yaml.Node, c *Config) {
	const forever = 24 * time.Hour
	d.fields(root, "", "the configuration",
		field{"node", d.checked(&c.Node, shard.CheckID)},
		field{"listen", d.checked(&c.Listen, checkListen)},
		field{"admin", d.checked(&c.Admin, checkListen)},
		field{"http", d.checked(&c.HTTP, checkListen)},
		field{"data_dir", d.checked(&c.DataDir, checkPath)},
		field{"drain_timeout", d.duration(&c.DrainTimeout, 0, forever)},
		field{"etcd", func(n *yaml.Node, path string) {
			d.fields(n, path, path,
				field{"endpoints", d.strs(&c.Etcd.Endpoints, checkEndpoint)},
				field{"prefix", d.checked(&c.Etcd.Prefix, checkPrefix)})
		}},
		field{"tls", func(n *yaml.Node, path string) { d.tls(n, path, &c.TLS) }},
		field{"redis", func(n *yaml.Node, path string) { d.redis(n, path, c) }},
		field{"log", func(n *yaml.Node, path string) {
			d.fields(n, path, path,
				field{"level", d.level(&c.Log.Level)},
				field{"format", d.oneOf(&c.Log.Format, "text", "json")})
		}},
		field{"slow_log", func(n *yaml.Node, path string) {
			d.fields(n, path, path,
				field{"file", d.str(&c.SlowLog.File)},
				field{"threshold", d.duration(&c.SlowLog.Threshold, 0, forever)})
		}},
		field{"limits", func(n *yaml.Node, path string) {
			d.fields(n, path, path,
				field{"max_connections", d.number(&c.Limits.MaxConnections, 1, 1_000_000, false)},
				field{"handshake_timeout", d.duration(&c.Limits.HandshakeTimeout, 100*time.Millisecond, time.Hour)},
				field{"stall_timeout", d.duration(&c.Limits.StallTimeout, 100*time.Millisecond, 24*time.Hour)},
				field{"max_packet", d.number(&c.Limits.MaxPacket, 1<<20, 1<<30, true)})
		}},
		field{"proxy_protocol_networks", d.networks(&c.ProxyProtocolNetworks)},
		field{"local_infile", d.boolean(&c.LocalInfile)},
		field{"compression", d.boolean(&c.Compression)},
		field{"cluster", func(n *yaml.Node, path string) { d.cluster(n, path, c) }},
	)
	d.distinct(root, c)
}

// distinct refuses two listeners on one address.
func (d sections) distinct(root *yaml.Node, c *Config) {
	seen := map[string]string{}
	for _, l := range []struct{ key, addr string }{{"listen", c.Listen}, {"admin", c.Admin}, {"http", c.HTTP}} {
		if other, ok := seen[l.addr]; ok && !strings.HasSuffix(l.addr, ":0") {
			line := max(d.lines[l.key], d.lines[other])
			d.fault(&yaml.Node{Line: line}, l.key, "%s and %s are both %s; give each its own port", other, l.key, l.addr)
		}
		seen[l.addr] = l.key
	}
}

func (d sections) redis(n *yaml.Node, path string, c *Config) {
	r := &Redis{}
	password := ""
	d.fields(n, path, path,
		field{"addrs", d.strs(&r.Addrs, checkRedis)},
		field{"username", d.str(&r.Username)},
		field{"password", d.str(&password)})
	if len(r.Addrs) == 0 && !d.faulty(path) && !d.faulty(path+".addrs") {
		d.fault(d.enter(n, path), path, "redis has no addrs; write addrs: [127.0.0.1:6379], or leave redis out")
	}
	r.Password = Secret(password)
	c.Redis = r
}

func (d sections) level(to *slog.Level) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		name := ""
		d.oneOf(&name, "debug", "info", "warn", "error")(n, path)
		if name != "" {
			to.UnmarshalText([]byte(name)) // one of its own names
		}
	}
}

func (d *decoder) oneOf(to *string, values ...string) func(*yaml.Node, string) {
	return d.checked(to, func(v string) error {
		for _, ok := range values {
			if v == ok {
				return nil
			}
		}
		last := len(values) - 1
		return fmt.Errorf("%q is not known; write %s or %s", clip(v), strings.Join(values[:last], ", "), values[last])
	})
}

func (d sections) networks(to *[]netip.Prefix) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		*to = nil
		d.list(n, path, path, func(n *yaml.Node, path string) {
			v, ok := d.text(n, path)
			if !ok {
				return
			}
			if addr, err := netip.ParseAddr(v); err == nil && addr.Zone() == "" {
				*to = append(*to, netip.PrefixFrom(addr, addr.BitLen()))
				return
			}
			p, err := netip.ParsePrefix(v)
			if err != nil {
				d.fault(d.enter(n, path), path, "%s is %q, which is no network; write it like 10.0.0.0/8 or 10.1.2.3", path, clip(v))
			} else if p != p.Masked() {
				d.fault(d.enter(n, path), path, "%s is %s, which has bits after its mask; write %s or %s", path, p, p.Masked(), p.Addr())
			} else {
				*to = append(*to, p)
			}
		})
	}
}

// checkListen is for addresses to listen on: the host may be left out, and port 0 is any free one.
func checkListen(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port; write it like 127.0.0.1:3306", clip(addr))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has the port %q; write a number from 0 to 65535", clip(addr), clip(port))
	}
	if host == "" {
		return nil
	}
	return shard.CheckAddress(net.JoinHostPort(host, "1"))
}

func checkPath(path string) error {
	if path == "" || strings.ContainsRune(path, 0) {
		return errors.New("the path is empty; write a directory, such as ./sluice-data")
	}
	return nil
}

func checkEndpoint(e string) error {
	host := e
	if strings.Contains(e, "://") {
		u, err := url.Parse(e)
		if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && u.Path == "" && u.RawQuery == "" {
			host = u.Host
		} else {
			host = ""
		}
	}
	if shard.CheckAddress(host) != nil {
		return fmt.Errorf("%q is no endpoint of etcd; write it like 10.0.0.1:2379 or https://10.0.0.1:2379", clip(e))
	}
	return nil
}

func checkRedis(addr string) error {
	if shard.CheckAddress(addr) != nil {
		return fmt.Errorf("%q is no address; write host:port, such as 127.0.0.1:6379", clip(addr))
	}
	return nil
}

func checkPrefix(prefix string) error {
	fault := fmt.Errorf("%q is no prefix; write a path such as /sluice, of letters, digits, _ and -", clip(prefix))
	if !strings.HasPrefix(prefix, "/") || len(prefix) > 256 {
		return fault
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(prefix[1:], "/"), "/") {
		if shard.CheckID(part) != nil {
			return fault
		}
	}
	return nil
}
