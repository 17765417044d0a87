package topo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// startEmbedded runs an etcd of one member inside this process, with its files in
// dir/etcd. It listens nowhere: the client calls its functions.
func startEmbedded(ctx context.Context, dir string, log *slog.Logger) (_ *conn, err error) {
	core := &slogCore{log: log, closing: new(atomic.Bool)}
	// etcd answers a broken file with Fatal, which would end the process without a word.
	zlog := zap.New(core, zap.WithFatalHook(zapcore.WriteThenPanic))
	cfg := embed.NewConfig()
	cfg.Name = "sluice"
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenClientUrls, cfg.ListenPeerUrls, cfg.ListenMetricsUrls = nil, nil, nil
	cfg.TickMs, cfg.ElectionMs = 20, 100 // alone, it need not wait for others before it leads; each tick wakes two threads
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = "periodic", "5m"
	cfg.QuotaBackendBytes = 512 << 20 // the map and the sequences of thousands of tables are a few MB
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zlog)
	if err := checkBackend(filepath.Join(cfg.Dir, "member", "snap", "db")); err != nil {
		return nil, fmt.Errorf("embedded etcd: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("embedded etcd in %s: %v", cfg.Dir, p)
		}
	}()
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("embedded etcd in %s: %w", cfg.Dir, err)
	}
	stop := func() {
		core.closing.Store(true)
		etcd.Close()
	}
	select {
	case <-etcd.Server.ReadyNotify():
	case <-etcd.Server.StopNotify():
		err = errors.New("it stopped while starting")
	case err = <-etcd.Err():
	case <-ctx.Done():
		err = fmt.Errorf("not ready in time: %w", ctx.Err())
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("embedded etcd in %s: %w", cfg.Dir, err)
	}
	client := v3client.New(etcd.Server)
	return &conn{Client: client, where: "the embedded etcd in " + cfg.Dir, stop: func() {
		client.Close()
		stop()
	}}, nil
}

// checkBackend opens the database file once, because etcd opens it in a goroutine of its
// own and answers a broken one with a panic there.
func checkBackend(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: requestTimeout})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return db.Close()
}

// slogCore hands etcd's errors to slog. All below is dropped, and so are the errors of an
// orderly stop, which etcd reports of its own goroutines.
type slogCore struct {
	log     *slog.Logger
	fields  []zapcore.Field
	closing *atomic.Bool
}

func (c *slogCore) Enabled(l zapcore.Level) bool {
	return l >= zapcore.ErrorLevel && (!c.closing.Load() || l > zapcore.ErrorLevel)
}

func (c *slogCore) With(fields []zapcore.Field) zapcore.Core {
	d := *c
	d.fields = append(c.fields[:len(c.fields):len(c.fields)], fields...)
	return &d
}

func (c *slogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	// etcd says so of every new database, and tries again a moment later.
	harmless := e.Message == "failed to update storage version"
	if c.Enabled(e.Level) && !harmless {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(enc)
	}
	attrs := make([]any, 0, len(enc.Fields))
	for k, v := range enc.Fields {
		attrs = append(attrs, slog.Any(k, v))
	}
	c.log.Error("embedded etcd: "+e.Message, attrs...)
	return nil
}

func (c *slogCore) Sync() error { return nil }
