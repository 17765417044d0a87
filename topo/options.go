package topo

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"sluice/shard"
)

// Options says where the map is kept.
type Options struct {
	Endpoints []string // host:port, http:// or https:// URLs; empty: an embedded etcd under DataDir
	Prefix    string   // default /sluice
	DataDir   string
	Node      string // this proxy's name, unique in the cluster
	Listen    string // announced in SHOW PROXIES
	Version   string // Sluice's own version, announced in SHOW PROXIES
	Cache     string // which shared result cache it keeps right, "" for none; announced
	Log       *slog.Logger
	Initial   *shard.Spec // the configuration's cluster section; used only when nothing is stored yet
}

const (
	// requestTimeout bounds one request to etcd. A healthy one answers in milliseconds.
	requestTimeout = 3 * time.Second
	// openTimeout bounds Open when neither its context nor a map on local disk does.
	openTimeout = 30 * time.Second
	// patience is how long Open waits for etcd when it could serve the map on local disk.
	patience = 3 * time.Second
	// updateTimeout bounds Update when its context does not.
	updateTimeout = 30 * time.Second
	// maxValue bounds what is written under one key; etcd itself refuses 1.5 MiB.
	maxValue = 1 << 20
)

func (o Options) check() (Options, error) {
	var errs []error
	if o.Prefix == "" {
		o.Prefix = "/sluice"
	}
	o.Prefix = strings.TrimRight(o.Prefix, "/")
	if err := CheckPrefix(o.Prefix); err != nil {
		errs = append(errs, fmt.Errorf("etcd prefix: %w", err))
	}
	if o.DataDir == "" {
		errs = append(errs, errors.New("the data directory is missing"))
	}
	if err := shard.CheckID(o.Node); err != nil {
		errs = append(errs, fmt.Errorf("node: %w", err))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, errors.Join(errs...)
}

// CheckPrefix tells what is wrong with the prefix of a cluster's keys in etcd.
func CheckPrefix(prefix string) error {
	if !strings.HasPrefix(prefix, "/") || len(prefix) > 256 {
		return fmt.Errorf("%q is no prefix; write a path such as /sluice", prefix)
	}
	for part := range strings.SplitSeq(prefix[1:], "/") {
		if err := shard.CheckID(part); err != nil {
			return fmt.Errorf("%q is no prefix; write a path such as /sluice, of letters, digits, _ and -", prefix)
		}
	}
	return nil
}
