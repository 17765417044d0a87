package compat

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

const membersRules = `      tables:
        members: {shard_key: id}
        posts:   {shard_key: member_id}
        blobs:   {shard_key: id}
        labels:  {kind: reference}
`

// TestPHP runs one script of mysqli and one of PDO on all targets. Each prints what it sees:
// every value, type, count, message and column definition.
func TestPHP(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		if flavor != testkit.MariaDBFlavor && !full() {
			continue
		}
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			certs := testkit.Certificates(t)
			w := newWorld(t, flavor, options{rules: membersRules, node: "local_infile: true\ntls: {cert: " + certs.ServerCert + ", key: " + certs.ServerKey + "}"})
			for _, run := range []struct{ script, mode, as string }{
				{"mysqli.php", "text", ""}, {"mysqli.php", "compress", ""}, {"mysqli.php", "tls", "text"}, {"pdo.php", "emulated", ""}, {"pdo.php", "native", ""},
			} {
				if !full() && run.mode != "native" && run.mode != "text" {
					continue
				}
				base := run.mode
				if run.as != "" { // a server need not have TLS for what is seen through it
					base = run.as
				}
				want := runPHP(t, w.plain, run.script, base)
				for _, on := range w.targets()[1:] {
					if on == w.norules && !full() {
						continue
					}
					t.Run(run.script+"/"+run.mode+"/"+on.name, func(t *testing.T) {
						got := runPHP(t, on, run.script, run.mode, "CA="+certs.CA)
						compareLines(t, "PHP 8.2 "+strings.TrimSuffix(run.script, ".php")+", "+run.mode, on, want, got)
					})
				}
			}
		})
	}
}

// runPHP gives the lines that a script prints.
func runPHP(t *testing.T, on *target, script, mode string, env ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "php", "-d", "memory_limit=1G", "-d", "display_errors=1", "-d", "error_reporting=E_ALL", "-d", "html_errors=0", "-d", "mysqli.allow_local_infile=1", "testdata/php/"+script, on.host, on.port, on.schema, mode)
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.CombinedOutput()
	text := strings.ReplaceAll(string(out), on.schema, "SCHEMA")
	text = strings.ReplaceAll(text, on.port, "PORT")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if err != nil || lines[len(lines)-1] != "done: true" {
		t.Errorf("%s on %s ended early: %v\n%s", script, on.name, err, strings.Join(lines[max(0, len(lines)-5):], "\n"))
	}
	return lines
}

// compareLines holds what a client prints against what it prints on the plain server, and
// counts what is the same.
func compareLines(t *testing.T, client string, on *target, want, got []string) {
	t.Helper()
	server, same := serverName(on.flavor), 0
	at := map[string]int{}
	for _, line := range got {
		at[line]++
	}
	for _, line := range want {
		if at[line] > 0 {
			at[line]--
			same++
		}
	}
	matrix.record(result{Client: client, Server: server, Mode: on.name, What: "printed lines", Passed: same, Of: len(want)})
	isMeant := func(line string) bool { return differs(client, server, on.name, line) }
	want, got = slices.DeleteFunc(slices.Clone(want), isMeant), slices.DeleteFunc(slices.Clone(got), isMeant)
	if d := diff(t, strings.Join(want, "\n"), strings.Join(got, "\n")); d != "" {
		t.Errorf("%s on %s, %s: %d of %d lines are the same:\n%s", client, server, on.name, same, len(want), d)
	}
}

func serverName(f testkit.Flavor) string {
	if f == testkit.MySQLFlavor {
		return "MySQL 9"
	}
	return "MariaDB 10.11"
}
