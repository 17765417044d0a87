package compat

import (
	"bytes"
	"context"
	"encoding/xml"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// suite is a test suite that comes with a driver, as it was released. Each of its tests is a
// line "pass NAME", "skip NAME" or "fail NAME"; the plain server's lines are what must come.
type suite struct {
	client  string // as docs/COMPATIBILITY.md calls it
	rules   string // of the sharded schema; "": it runs without rules only
	schemas []string
	run     func(t *testing.T, on *target, env []string) outcomes
}

// outcomes are tests by name.
type outcomes map[string]outcome

type outcome struct {
	state string // pass, skip or fail
	why   string // what a failure said
}

// runSuite runs a suite on all targets of both kinds of servers, or a short part of it.
func runSuite(t *testing.T, s suite) {
	for _, flavor := range testkit.Flavors() {
		if flavor != testkit.MariaDBFlavor && !full() {
			continue
		}
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			certs := testkit.Certificates(t)
			w := newWorld(t, flavor, options{rules: s.rules, node: "local_infile: true\ntls: {cert: " + certs.ServerCert + ", key: " + certs.ServerKey + "}",
				schemas: s.schemas, alone: true})
			want := s.run(t, w.plain, nil)
			passed := want.count("pass")
			t.Logf("%s, %s, plain: %d of %d tests pass, %d are skipped", s.client, serverName(flavor), passed, len(want), want.count("skip"))
			for _, name := range slices.Sorted(maps.Keys(want)) {
				if want[name].state == "fail" && testing.Verbose() {
					t.Logf("fails on the plain server: %s: %s", name, want[name].why)
				}
			}
			if passed == 0 {
				t.Fatalf("no test of %s passed on a plain server: %v", s.client, want)
			}
			for _, on := range w.targets()[1:] {
				if on == w.norules && !full() || on == w.sharded && s.rules == "" {
					continue
				}
				got := s.run(t, on, nil)
				if less(s.client, on, want, got) { // some tests are of time: they skip themselves on a busy machine, or need two threads at once
					t.Logf("%s, %s: runs again", s.client, on.name)
					got.add(s.run(t, on, nil))
				}
				compareSuites(t, s.client, on, want, got)
			}
		})
	}
}

// less tells whether a test that passed on the plain server did not, and is not meant to.
func less(client string, on *target, want, got outcomes) bool {
	for name := range want {
		if want[name].state == "pass" && got[name].state != "pass" && !differs(client, serverName(on.flavor), on.name, name) {
			return true
		}
	}
	return false
}

// add takes over which tests another run has passed.
func (o outcomes) add(again outcomes) {
	for name, one := range again {
		if one.state == "pass" {
			o[name] = one
		}
	}
}

func (o outcomes) count(state string) (n int) {
	for _, one := range o {
		if one.state == state {
			n++
		}
	}
	return n
}

// compareSuites holds each test against what it gave on the plain server. One that fails there,
// too, says nothing.
func compareSuites(t *testing.T, client string, on *target, want, got outcomes) {
	t.Helper()
	server := serverName(on.flavor)
	passed, of := 0, 0
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if want[name].state != "pass" {
			continue
		}
		of++
		one, ran := got[name]
		switch {
		case one.state == "pass":
			passed++
		case differs(client, server, on.name, name):
		case !ran:
			t.Errorf("%s on %s, %s: %s did not run", client, server, on.name, name)
		default:
			t.Errorf("%s on %s, %s: %s: %s\n%s", client, server, on.name, name, one.state, one.why)
		}
	}
	t.Logf("%s, %s, %s: %d of %d tests pass", client, server, on.name, passed, of)
	matrix.record(result{Client: client, Server: server, Mode: on.name, What: "tests", Passed: passed, Of: of})
}

// drivers is the directory into which scripts/install.sh compat puts drivers and their tests.
func drivers(t *testing.T, path ...string) string {
	t.Helper()
	dir := os.Getenv("SLUICE_DRIVERS")
	if dir == "" {
		dir = "/var/cache/sluice/drivers"
	}
	if _, err := os.Stat(filepath.Join(dir, ".complete-2")); err != nil {
		t.Fatalf("%v; scripts/install.sh compat puts the drivers there", err)
	}
	return filepath.Join(append([]string{dir}, path...)...)
}

// glob gives the one path that a pattern matches: a directory's name has a version.
func glob(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v %v", pattern, found, err)
	}
	return found[0]
}

// output runs a program to its end, which may be that some of its tests have failed.
func output(t *testing.T, dir string, env []string, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && ctx.Err() != nil {
		t.Errorf("%s: %v", argv[0], err)
	}
	return out.String()
}

var goOutcome = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+)`)

// goTests runs the tests of a Go package.
func goTests(t *testing.T, env []string, dir string, argv ...string) outcomes {
	t.Helper()
	text := output(t, dir, env, argv...)
	all, said := outcomes{}, goOutcome.FindAllStringSubmatchIndex(text, -1)
	for i, at := range said {
		end := len(text)
		if i+1 < len(said) {
			end = said[i+1][0]
		}
		all[text[at[4]:at[5]]] = outcome{state: strings.ToLower(text[at[2]:at[3]]), why: clip(text[at[1]:end])}
	}
	if len(all) == 0 {
		t.Errorf("%v ran no test:\n%s", argv, clip(text))
	}
	return all
}

func clip(text string) string {
	if text = strings.TrimSpace(text); len(text) > 1500 {
		return text[:700] + "\n…\n" + text[len(text)-700:]
	}
	return text
}

// junit is what pytest and others write with --junitxml.
type junit struct {
	Cases []struct {
		Class   string    `xml:"classname,attr"`
		Name    string    `xml:"name,attr"`
		Failure *junitWhy `xml:"failure"`
		Error   *junitWhy `xml:"error"`
		Skipped *junitWhy `xml:"skipped"`
	} `xml:"testsuite>testcase"`
}

type junitWhy struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// pytest runs tests under the drivers' own Python.
func pytest(t *testing.T, env []string, dir string, args ...string) outcomes {
	t.Helper()
	report := filepath.Join(testkit.Dir(t, "pytest"), "report.xml")
	argv := append([]string{drivers(t, "python", "bin", "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--junitxml=" + report}, args...)
	text := output(t, dir, append(env, "PYTHONDONTWRITEBYTECODE=1"), argv...)
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v\n%s", err, clip(text))
	}
	var seen junit
	if err := xml.Unmarshal(b, &seen); err != nil {
		t.Fatal(err)
	}
	all := outcomes{}
	for _, c := range seen.Cases {
		one, name := outcome{state: "pass"}, c.Class+"."+c.Name // SQLAlchemy puts the server's version into the class
		for state, why := range map[string]*junitWhy{"skip": c.Skipped, "fail": c.Failure, "fail ": c.Error} {
			if why != nil {
				one = outcome{state: strings.TrimSpace(state), why: clip(why.Message + "\n" + why.Text)}
			}
		}
		if old := all[name]; old.state != "fail" { // a failing tear-down is a case of its own
			all[name] = one
		}
	}
	return all
}
