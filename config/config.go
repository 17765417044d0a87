// Package config reads the configuration of one proxy node: one struct, defaults, strict
// YAML. It reports every fault of a file at once, each as FILE:LINE, what is wrong, and
// what to write instead. It refuses unknown keys, keys that are there twice, and values of
// another type. It opens no connection and starts nothing.
//
// Every value may be written as ${NAME}, which is the environment variable of that name, or
// as file:PATH, which is the content of that file without the line break at its end; so a
// value that itself begins with ${ or file: has to come from one of the two. Relative paths,
// also those of data_dir and tls, are relative to the working directory.
package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"sluice/shard"
)

// Config is one node's configuration, complete with defaults.
type Config struct {
	Node         string
	Listen       string // MySQL protocol, for applications
	Admin        string // MySQL protocol, for DBAs
	HTTP         string
	DataDir      string
	DrainTimeout time.Duration
	Etcd         Etcd
	TLS          TLS
	Redis        *Redis // nil: no shared result cache
	Log          Log
	SlowLog      SlowLog
	Limits       Limits
	LocalInfile  bool // LOAD DATA LOCAL is passed on
	Compression  bool // zlib and zstd are offered to clients

	// ProxyProtocolNetworks lists the networks from which PROXY protocol headers are taken.
	ProxyProtocolNetworks []netip.Prefix

	spec *shard.Spec // unexported, so that its passwords are not printed with the rest
}

// Etcd says where the cluster's map is kept.
type Etcd struct {
	Endpoints []string // empty: an etcd embedded in this process
	Prefix    string
}

// TLS names the files of the ports' certificate; Cert "" means that there is none.
type TLS struct {
	Cert, Key, ClientCA string
	Require             bool
	BackendCA           string // signs the shards' certificates; "": the machine's authorities do
}

// Redis is the shared level of the result cache.
type Redis struct {
	Addrs    []string
	Username string
	Password Secret
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // text or json
}

// SlowLog is the file of statements that took long; File "" means that there is none.
type SlowLog struct {
	File      string
	Threshold time.Duration
}

// Limits bound what clients may ask of this node.
type Limits struct {
	MaxConnections   int
	HandshakeTimeout time.Duration
	StallTimeout     time.Duration // of a client that takes nothing of its answer, or stops within a packet
	MaxPacket        int           // bytes
}

// Secret is a value that is never printed.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal gives the value itself.
func (s Secret) Reveal() string { return string(s) }

// Spec gives the cluster section with all slots dealt to its shards, or nil if there is no
// such section. Passwords stand in it as they are, and so they go to etcd.
func (c *Config) Spec() (*shard.Spec, error) {
	if c.spec == nil {
		return nil, nil
	}
	if faults := shard.Check(*c.spec); len(faults) > 0 {
		return nil, faults
	}
	spec := c.spec.Clone()
	return &spec, nil
}

func defaults() *Config {
	return &Config{
		Node:         hostNode(),
		Listen:       "127.0.0.1:3306",
		Admin:        "127.0.0.1:3307",
		HTTP:         "127.0.0.1:8306",
		DataDir:      "./sluice-data",
		DrainTimeout: 10 * time.Second,
		Etcd:         Etcd{Prefix: "/sluice"},
		Log:          Log{Level: slog.LevelInfo, Format: "text"},
		SlowLog:      SlowLog{Threshold: time.Second},
		Limits:       Limits{MaxConnections: 10000, HandshakeTimeout: 10 * time.Second, StallTimeout: time.Minute, MaxPacket: 64 << 20},
		LocalInfile:  true,
		Compression:  true,
	}
}

// hostNode makes a node's name of the host's: its first label, without what a name may not have.
func hostNode() string {
	host, err := os.Hostname()
	if err != nil {
		return "sluice"
	}
	name := make([]byte, 0, len(host))
	for i := range len(host) {
		c := host[i]
		if c == '.' || len(name) == 64 {
			break
		}
		if shard.CheckID(string(rune(c))) != nil {
			c = '-'
		}
		name = append(name, c)
	}
	if len(name) == 0 {
		return "sluice"
	}
	return string(name)
}

// Load reads a configuration. An error is of type Faults unless the file cannot be read.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return parse(path, data, world{env: os.LookupEnv, read: os.ReadFile})
}
