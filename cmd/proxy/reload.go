package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"sluice/config"
)

func newLevel(cfg *config.Config) *slog.LevelVar {
	level := &slog.LevelVar{}
	level.Set(cfg.Log.Level)
	return level
}

func newLog(cfg *config.Config, level *slog.LevelVar, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// reloadFrom reads the configuration again and takes over what can change while the proxy
// runs: the log level and the TLS files; the slow log's file is opened anew. The cluster is etcd's, and ports, data directory
// and limits are those of the start; a fault in the file changes nothing.
func reloadFrom(path string, p *proxy, level *slog.LevelVar) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	certs, err := loadCertificates(cfg)
	if err != nil {
		return err
	}
	if (certs.current.Load() == nil) != (p.certs.current.Load() == nil) {
		return errors.New("TLS cannot be turned on or off by a reload; restart the proxy")
	}
	p.certs.current.Store(certs.current.Load())
	level.Set(cfg.Log.Level)
	if err := p.slow.Reopen(); err != nil {
		return fmt.Errorf("slow_log: %w", err)
	}
	p.log.Info("configuration reloaded: log level and TLS files", "file", path)
	return nil
}

// loadCertificates reads the files of the tls section.
func loadCertificates(cfg *config.Config) (*certificates, error) {
	c := &certificates{}
	if cfg.TLS.Cert == "" {
		return c, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLS.Cert, cfg.TLS.Key)
	if err != nil {
		return c, fmt.Errorf("tls: %w", err)
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if cfg.TLS.ClientCA != "" {
		if t.ClientCAs, err = authority(cfg.TLS.ClientCA); err != nil {
			return c, fmt.Errorf("tls: client_ca: %w", err)
		}
		t.ClientAuth = tls.VerifyClientCertIfGiven
		if cfg.TLS.Require {
			t.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	c.current.Store(t)
	return c, nil
}

// backendTLS is how the shards' certificates are judged; nil: by the machine's authorities.
func backendTLS(cfg *config.Config) (*tls.Config, error) {
	if cfg.TLS.BackendCA == "" {
		return nil, nil
	}
	pool, err := authority(cfg.TLS.BackendCA)
	if err != nil {
		return nil, fmt.Errorf("tls: backend_ca: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// authority reads the file of a certificate authority.
func authority(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return pool, nil
}
