package topo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"sluice/shard"
)

// directory is the proxy's local state: a lock, the last good map, and the leases of the
// process that runs. Its files hold the passwords of the map, so they are the owner's alone.
type directory struct {
	path string
	lock *os.File
}

// savedMap is the last good map as it lies on disk.
type savedMap struct {
	Prefix  string     `json:"prefix"`
	Version int64      `json:"version"`
	Spec    shard.Spec `json:"spec"`
}

// savedLeases are those of the process that runs, or ran last: whoever holds the lock knows
// that the process before is gone, and gives them up at once instead of waiting for their end.
type savedLeases struct {
	Prefix string  `json:"prefix"`
	Leases []int64 `json:"leases"`
}

const (
	mapFile    = "map.json"
	leasesFile = "leases.json"
)

// openDirectory makes the directory if need be, and locks it against a second process.
func openDirectory(path string) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the data directory %s is in use by another process; give every proxy its own", path)
		}
		return nil, fmt.Errorf("lock of data directory %s: %w", path, err)
	}
	return &directory{path: path, lock: lock}, nil
}

func (d *directory) close() { d.lock.Close() }

// loadMap gives the last good map of the cluster with that prefix, or nil.
func (d *directory) loadMap(prefix string) (*shard.Map, error) {
	var saved savedMap
	if ok, err := d.read(mapFile, &saved); !ok || saved.Prefix != prefix {
		return nil, err
	}
	m, err := shard.New(saved.Version, saved.Spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(d.path, mapFile), err)
	}
	return m, nil
}

func (d *directory) saveMap(prefix string, m *shard.Map) error {
	return d.write(mapFile, savedMap{Prefix: prefix, Version: m.Version, Spec: m.Spec})
}

func (d *directory) read(name string, into any) (bool, error) {
	path := filepath.Join(d.path, name)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}

// write replaces a file whole: after a crash there is the old one or the new one.
func (d *directory) write(name string, value any) (err error) {
	b, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
