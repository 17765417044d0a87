package compat

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// script is a program that uses a driver in full and prints what it sees. Its mode is how it
// speaks to the server; those that a plain server need not know are held against text.
type script struct {
	client string
	modes  []string
	run    func(t *testing.T, on *target, mode string) []string
	rules  string
}

const jdbcRules = `      tables:
        members: {shard_key: id}
        posts:   {shard_key: member_id, sequence: post_id}
        blobs:   {shard_key: id}
        labels:  {kind: reference}
`

// runScript runs a script on all targets of both kinds of servers in all its modes.
func runScript(t *testing.T, s script) {
	onlyFull(t)
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			certs := testkit.Certificates(t)
			w := newWorld(t, flavor, options{rules: s.rules, alone: true, node: "local_infile: true\ntls: {cert: " + certs.ServerCert + ", key: " + certs.ServerKey + "}"})
			want := map[string][]string{}
			for _, mode := range s.modes {
				base := mode
				if mode == "tls" { // which a server need not have
					base = "text"
				}
				if want[base] == nil {
					want[base] = s.run(t, w.plain, base)
				}
				for _, on := range w.targets()[1:] {
					compareLines(t, s.client+", "+mode, on, want[base], s.run(t, on, mode))
				}
			}
		})
	}
}

// printed gives the lines that a program prints, with what is a target's own put out.
func printed(t *testing.T, on *target, argv ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	text := strings.NewReplacer(on.schema, "SCHEMA", on.addr(), "ADDRESS", ":"+on.port, ":PORT", "'app'@'127.0.0.1'", "'app'@'%'").Replace(string(out))
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if err != nil || lines[len(lines)-1] != "done: true" {
		t.Errorf("%s on %s ended early: %v\n%s\n%s", filepath.Base(argv[0]), on.name, err, strings.Join(lines[max(0, len(lines)-3):], "\n"), clip(errors.String()))
	}
	return lines
}

// TestJDBC runs one program with both Java drivers: statements of all kinds, results, and all of
// DatabaseMetaData as DBeaver reads it.
func TestJDBC(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	classes := t.TempDir()
	if out, err := exec.Command("javac", "-d", classes, "testdata/java/Jdbc.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	for _, d := range []struct {
		name, jar, protocol string
		params              map[string]string
	}{
		{"MySQL Connector/J", "mysql-connector-j-*.jar", "mysql", map[string]string{"": "sslMode=DISABLED", "tls": "sslMode=REQUIRED", "binary": "sslMode=DISABLED&useServerPrepStmts=true"}},
		{"MariaDB Connector/J", "mariadb-java-client-*.jar", "mariadb", map[string]string{"": "sslMode=disable", "tls": "sslMode=trust", "binary": "sslMode=disable&useServerPrepStmts=true"}},
	} {
		jar := glob(t, drivers(t, "java", d.jar))
		runScript(t, script{client: version(d.name, strings.TrimSuffix(jar, ".jar")), modes: allModes, rules: jdbcRules,
			run: func(t *testing.T, on *target, mode string) []string {
				params := d.params[mode]
				if params == "" {
					params = d.params[""]
				}
				if mode == "compressed" {
					params += "&useCompression=true"
				}
				url := "jdbc:" + d.protocol + "://" + on.addr() + "/" + on.schema + "?allowPublicKeyRetrieval=true&allowMultiQueries=true&" + params
				return printed(t, on, "java", "-XX:TieredStopAtLevel=1", "-cp", jar+":"+classes, "Jdbc", url, on.user, on.password, on.schema)
			}})
	}
}

// connectorSkips are classes of tests that are of something else: of files of gigabytes, certificates, accounts, several hosts.
const connectorSkips = " GiganticLoadDataInfileTest BigQueryTest SslTest Sha256AuthenticationTest AuroraListenerTest "

// TestConnectorJ runs the tests of MariaDB Connector/J, of the newest version whose source is to be had as a package. FLUSH TABLES, before
// most classes, is left out: an application's account may not.
func TestConnectorJ(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	source, classes := glob(t, drivers(t, "src", "mariadb-connector-j-*")), t.TempDir()
	tests := filepath.Join(t.TempDir(), "java")
	if err := os.CopyFS(tests, os.DirFS(filepath.Join(source, "src", "test", "java"))); err != nil {
		t.Fatal(err)
	}
	files := []string{"testdata/java/Suite.java"}
	err := filepath.WalkDir(tests, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".java") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var kept [][]byte
		for _, line := range bytes.Split(text, []byte("\n")) {
			if !bytes.Contains(line, []byte(`execute("FLUSH TABLES")`)) {
				kept = append(kept, line)
			}
		}
		files = append(files, path)
		return os.WriteFile(path, bytes.Join(kept, []byte("\n")), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	classpath := drivers(t, "java", "tests", "*")
	argv := append([]string{"-nowarn", "-encoding", "UTF-8", "-cp", classpath, "-d", classes}, files...)
	if out, err := exec.Command("javac", argv...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, clip(string(out)))
	}
	runSuite(t, suite{client: version("MariaDB Connector/J", source), run: func(t *testing.T, on *target, env []string) outcomes {
		env = append(env, "TEST_DB_HOST="+on.host, "TEST_DB_PORT="+on.port, "TEST_DB_USER="+on.user, "TEST_DB_PASSWORD="+on.password, "TEST_DB_DATABASE="+on.schema, "TEST_DB_OTHER=allowPublicKeyRetrieval=true")
		return javaTests(t, source, env, "java", "-XX:TieredStopAtLevel=1", "-cp", classpath+":"+classes+":"+filepath.Join(source, "src", "test", "resources"),
			"Suite", classes, "org.mariadb.jdbc", connectorSkips)
	}})
}

// javaTests runs testdata/java/Suite.java.
func javaTests(t *testing.T, dir string, env []string, argv ...string) outcomes {
	t.Helper()
	text := output(t, dir, env, argv...)
	if !strings.HasSuffix(strings.TrimSpace(text), "done: true") {
		t.Errorf("it ended early:\n%s", clip(text[max(0, len(text)-1500):]))
	}
	all := outcomes{}
	for line := range strings.Lines(text) {
		state, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if state == "pass" || state == "skip" || state == "fail" {
			name, why, _ := strings.Cut(rest, ": ")
			all[name] = outcome{state: state, why: clip(why)}
		}
	}
	return all
}
