package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The cases of the short and of the long run.
const (
	shortCases = "point_select@1,point_select@8,point_select@64,point_select:ps@8,read_only:key@8,read_write:key@8,read_only@8"
	allCases   = "point_select@1,point_select@8,point_select@64,point_select:ps@1,point_select:ps@8,point_select:ps@64," +
		"read_only:key@8,read_only:key@64,read_write:key@8,read_write:key@64,read_only@8,read_only@64,read_write@8,read_write@64"
)

// workload is what sysbench does, and with how many threads.
type workload struct {
	program  string // without oltp_
	prepared bool
	byKey    bool // without ranges
	threads  int
}

// parseWorkload reads program[:ps][:key]@threads.
func parseWorkload(text string) (w workload, err error) {
	name, threads, _ := strings.Cut(text, "@")
	parts := strings.Split(name, ":")
	w.program = parts[0]
	for _, p := range parts[1:] {
		switch p {
		case "ps":
			w.prepared = true
		case "key":
			w.byKey = true
		default:
			return w, fmt.Errorf("-cases: %q is neither ps nor key", p)
		}
	}
	if w.threads, err = strconv.Atoi(threads); err != nil || w.threads < 1 || w.threads > 1000 {
		return w, fmt.Errorf("-cases: %q has no number of threads from 1 to 1000 behind an @", text)
	}
	return w, nil
}

func (w workload) String() string {
	text := "oltp_" + w.program
	if w.byKey {
		text += " by key"
	}
	if w.prepared {
		text += ", prepared"
	}
	return fmt.Sprintf("%s, %d threads", text, w.threads)
}

// facts says what machine it is, and how busy it was.
func facts(o *options) string {
	read := func(path string) string {
		b, _ := os.ReadFile(path) // what is not there is not told
		return strings.TrimSpace(string(b))
	}
	model := ""
	for _, line := range strings.Split(read("/proc/cpuinfo"), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	version := func(program string, args ...string) string {
		out, _ := exec.Command(program, args...).CombinedOutput()
		line, _, _ := strings.Cut(string(out), "\n")
		return line
	}
	load := strings.Fields(read("/proc/loadavg"))
	lines := []string{
		"date: " + time.Now().UTC().Format("2006-01-02 15:04") + " UTC",
		fmt.Sprintf("cores: %d, %s", runtime.NumCPU(), model),
		"kernel: " + read("/proc/sys/kernel/osrelease"),
		"load when it began: " + strings.Join(load[:min(len(load), 3)], " "),
		"Go: " + runtime.Version(),
		"MariaDB: " + version("mariadbd", "--version"),
		"HAProxy: " + version("haproxy", "-v"),
		"sysbench: " + version("sysbench", "--version"),
		fmt.Sprintf("rounds: %d of %v for each target; medians, with the lowest and the highest", o.rounds, o.time),
	}
	lines = slices.DeleteFunc(lines, func(s string) bool { return strings.HasSuffix(s, ": ") })
	return "- " + strings.Join(lines, "\n- ") + "\n"
}
