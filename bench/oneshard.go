package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildBoth builds the proxy from this tree twice: as it is, and with the package of
// transactions replaced by testdata/oneshard, which knows one shard only. Both have the
// same compiler and flags. base is a program to take in place of the second, "" for none: the
// same one tells how far two equal proxies differ.
func (h *house) buildBoth(ctx context.Context, base string) (real, oneShard string, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}} {{join .GoFiles \" \"}}", "sluice/txn", "sluice/bench").Output()
	if err != nil {
		return "", "", fmt.Errorf("go list: %w", err)
	}
	var dirs [2]string
	var files []string
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Fields(line)
		if dirs[i] = f[0]; i == 0 {
			files = f[1:]
		}
	}
	replace := map[string]string{}
	for _, f := range files {
		replace[filepath.Join(dirs[0], f)] = "" // is not there
	}
	replace[filepath.Join(dirs[0], "txn.go")] = filepath.Join(dirs[1], "testdata", "oneshard", "txn.go")
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", "", err
	}
	list := h.file("overlay.json", string(overlay))
	real, oneShard = filepath.Join(filepath.Dir(list), "sluice"), filepath.Join(filepath.Dir(list), "oneshard")
	builds := map[string][]string{real: nil, oneShard: {"-overlay", list}}
	if base != "" {
		delete(builds, oneShard)
		if oneShard, err = filepath.Abs(base); err != nil {
			return "", "", err
		}
	}
	for path, flags := range builds {
		cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", path}, flags...), "sluice/cmd/proxy")...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", "", fmt.Errorf("go build: %w", err)
		}
	}
	return real, oneShard, nil
}
