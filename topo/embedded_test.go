package topo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/testkit"
	"sluice/shard"
)

// What etcd cannot read is an error that says where, not the end of the process.
func TestEmbeddedWithBrokenFiles(t *testing.T) {
	for _, broken := range []string{".wal", "db"} {
		t.Run(broken, func(t *testing.T) {
			dir := testkit.Dir(t, "broken")
			opts := Options{Node: "px1", DataDir: dir, Initial: spec(1), Log: testLog(t)}
			s, err := Open(context.Background(), opts)
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			hit := 0
			err = filepath.WalkDir(filepath.Join(dir, "etcd"), func(path string, e fs.DirEntry, err error) error {
				if err != nil || !strings.HasSuffix(path, broken) {
					return err
				}
				hit++
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				_, err = f.WriteAt([]byte(strings.Repeat("broken", 3000)), 0)
				return errors.Join(err, f.Close())
			})
			if err != nil || hit == 0 {
				t.Fatal(hit, err)
			}
			// In a process of its own: etcd leaves goroutines behind where it fails.
			out, err := childCommand(t, opts).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("the process ends with %v", err)
			}
			if text := string(out); !strings.HasPrefix(text, "open: embedded etcd") || !strings.Contains(text, dir) || strings.Contains(text, "goroutine") {
				t.Errorf("the error does not say what is wrong where: %s", out)
			}
		})
	}
}

// A restart keeps the map, the sequences and their blocks.
func TestEmbeddedRestart(t *testing.T) {
	opts := Options{Node: "px1", DataDir: t.TempDir(), Initial: spec(2), Log: testLog(t)}
	last, version := uint64(0), int64(0)
	for range 3 {
		s, err := Open(context.Background(), opts)
		if err != nil {
			t.Fatal(err)
		}
		if m := s.Map(); m.Version < version || !s.Healthy() {
			t.Errorf("version %d after %d, healthy %v", m.Version, version, s.Healthy())
		}
		m, err := s.Update(context.Background(), func(*shard.Spec) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		version = m.Version
		id, err := s.NextIDs(context.Background(), "t", 3, floor(0))
		if err != nil || id <= last {
			t.Fatalf("id %d after %d, %v", id, last, err)
		}
		last = id + 2
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
