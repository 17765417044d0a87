package compat

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// tool is one run of a command line client.
type tool struct {
	name   string
	argv   string // HOST, PORT, SCHEMA, DIR stand for the target's; split at blanks
	in     string // standard input
	tty    bool   // run it on a terminal
	sorted bool   // its lines may come in another order
	stop   string // send SIGINT when this statement shows in the process list
	only   string // on MariaDB or MySQL 9; "" on both
}

const login = " --no-defaults -h HOST -P PORT -uapp -papp "

// tools are what DBAs type. Each must print the same on all targets. On MySQL they are Oracle's
// own, which have other names.
var tools = []tool{
	{name: "source", argv: "mariadb" + login + "-t -v SCHEMA", in: "source testdata/tools/shop.sql\n"},
	{name: "batch", argv: "mariadb" + login + "SCHEMA", in: "SELECT * FROM members ORDER BY id;\nSELECT m.name, p.title FROM members m LEFT JOIN posts p ON p.member_id = m.id ORDER BY 1, 2;\n"},
	{name: "vertical", argv: "mariadb" + login + "-E SCHEMA", in: "SELECT * FROM labels ORDER BY code; SHOW CREATE TABLE labels"},
	{name: "html", argv: "mariadb" + login + "-H SCHEMA", in: "SELECT title, LENGTH(body) FROM posts ORDER BY post_id"},
	{name: "xml", argv: "mariadb" + login + "-X SCHEMA", in: "SELECT id, email FROM members ORDER BY id LIMIT 3"},
	{name: "raw", argv: "mariadb" + login + "-r -N SCHEMA", in: "SELECT name, HEX(raw) FROM members WHERE id = 3"},
	{name: "column types", argv: "mariadb" + login + "--column-type-info -t SCHEMA", in: "SELECT id, name, credit, born FROM members WHERE id = 1; SELECT COUNT(*), AVG(score) FROM members"},
	{name: "commands", argv: "mariadb" + login + "-t SCHEMA", in: "\\! echo shell\nuse SCHEMA\npager cat\nSELECT 1;\nnopager\nprompt x>\n\\W\nSELECT 1/0;\n\\w\nrehash\ntee DIR/tee\nSELECT 'teed';\nnotee\nwarnings;\nSELECT 2\\G\nSELECT 3\\g\ncharset latin1\nSELECT 'é';\nnothing at all;\n"},
	{name: "errors go on", argv: "mariadb" + login + "-f SCHEMA", in: "SELECT * FROM nowhere;\nSELEKT;\nSELECT 'after';\nINSERT INTO labels VALUES ('de', 'x');\nDROP TABLE nowhere;\nSELECT 'end';\n"},
	{name: "errors end", argv: "mariadb" + login + "SCHEMA", in: "SELECT 'before';\nSELECT * FROM nowhere;\nSELECT 'after';\n"},
	{name: "i-am-a-dummy", argv: "mariadb" + login + "-U SCHEMA", in: "UPDATE notes SET n = 1;\nSELECT @@sql_safe_updates, @@sql_select_limit, @@max_join_size;\n"},
	{name: "init command", argv: "mariadb" + login + "--init-command=SET(@a:=5) SCHEMA", in: "SELECT @a"},
	{name: "status", argv: "mariadb" + login + "SCHEMA", in: "\\s\n"},
	{name: "compressed", argv: "mariadb" + login + "-C SCHEMA", in: "SELECT LENGTH(GROUP_CONCAT(REPEAT(name, 20))) FROM members"},
	{name: "transactions", argv: "mariadb" + login + "-t SCHEMA", in: "BEGIN; DELETE FROM posts; SELECT COUNT(*) FROM posts; ROLLBACK; SELECT COUNT(*) FROM posts; START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT COUNT(*) FROM members; COMMIT;"},
	{name: "completion", argv: "mariadb" + login + "SCHEMA", tty: true, in: "SELECT COUNT(*) FROM memb\t;\nSELECT memb\t.na\t FROM members ORDER BY id LIMIT 2;\nquit\n"},
	{name: "Ctrl-C", argv: "mariadb" + login + "SCHEMA", in: "SELECT SLEEP(60) AS slept FROM labels;\nSELECT 'after';\n", stop: "SELECT SLEEP(60)"},
	{name: "Ctrl-C over shards", argv: "mariadb" + login + "SCHEMA", in: "SELECT SUM(SLEEP(20)) AS slept FROM members;\nSELECT 'after';\n", stop: "SELECT SUM(SLEEP(20))"},
	{name: "mariadb-show schema", argv: "mariadb-show" + login + "SCHEMA"},
	{name: "mariadb-show --count", argv: "mariadb-show" + login + "--count SCHEMA"},
	{name: "mariadb-show table", argv: "mariadb-show" + login + "--keys SCHEMA members"},
	{name: "mariadb-check", argv: "mariadb-check" + login + "SCHEMA"},
	{name: "mariadb-check --analyze", argv: "mariadb-check" + login + "--analyze SCHEMA members labels notes"},
	{name: "mariadb-check --optimize", argv: "mariadb-check" + login + "--optimize SCHEMA members labels"},
	{name: "mariadb-admin ping", argv: "mariadb-admin" + login + "ping"},
	{name: "mariadb-admin version", argv: "mariadb-admin" + login + "version"},
	{name: "mariadb-admin processlist", argv: "mariadb-admin" + login + "processlist"},
	{name: "mariadb-dump", argv: "mariadb-dump" + login + "-y --skip-dump-date SCHEMA", sorted: true},
	{name: "mariadb-dump with tablespaces", argv: "mariadb-dump" + login + "--skip-dump-date SCHEMA notes"},
	{name: "mariadb-dump --single-transaction", argv: "mariadb-dump" + login + "-y --single-transaction --skip-dump-date --hex-blob --routines --triggers --events SCHEMA", sorted: true},
	{name: "mariadb-dump of a part", argv: "mariadb-dump" + login + "-y --skip-lock-tables --skip-dump-date --where=id<5 --compact --complete-insert --skip-extended-insert SCHEMA members", sorted: true},
	{name: "mariadb-dump --xml", argv: "mariadb-dump" + login + "-y --xml --skip-dump-date SCHEMA labels"},
	{name: "mariadb-dump --order-by-primary", argv: "mariadb-dump" + login + "-y --skip-dump-date --order-by-primary SCHEMA"},
	{name: "a dump loaded again", argv: "sh", in: "mariadb-dump" + login + "-y SCHEMA 2>DIR/errors | mariadb" + login + "SCHEMA && mariadb" + login + "SCHEMA -e 'SELECT * FROM members ORDER BY id; SELECT * FROM posts ORDER BY post_id; SELECT * FROM labels ORDER BY code; SELECT * FROM notes ORDER BY id'"},
	{name: "mydumper", argv: "sh", in: "rm -rf DIR/dumped; " + mydumper + " 2>&1; cat DIR/dumped/*.sql | grep -v '^-- '", sorted: true},
	{name: "mydumper with a lock", argv: "sh", in: strings.ReplaceAll(mydumper, " --no-locks", "") + " 2>&1; true"},
	{name: "myloader", argv: "sh", in: "myloader -h HOST -P PORT -u app -p app -B SCHEMA -d DIR/dumped -o -t 2 -v 1 2>&1; mariadb" + login + "SCHEMA -e 'SELECT * FROM members ORDER BY id; SELECT * FROM posts ORDER BY post_id; SELECT * FROM labels ORDER BY code; SELECT * FROM notes ORDER BY id'"},
	{name: "mariadb-slap", argv: "mariadb-slap" + login + "--create-schema=SCHEMA --no-drop --auto-generate-sql --auto-generate-sql-add-autoincrement --auto-generate-sql-load-type=mixed --concurrency=4 --iterations=2 --number-of-queries=200"},
	{name: "mariadb-slap's schema", argv: "mariadb-show" + login + "SCHEMA"},
	{name: "mariadb-import", argv: "mariadb-import" + login + "--local --fields-terminated-by=, --columns=note,n SCHEMA DIR/notes.txt"},
	{name: "mariadb-import's rows", argv: "mariadb" + login + "SCHEMA", in: "SELECT * FROM notes ORDER BY id"},
}

const mydumper = "mydumper -h HOST -P PORT -u app -p app -B SCHEMA -o DIR/dumped -t 2 -v 1 --no-locks"

// oracles are the names of Oracle's tools.
var oracles = strings.NewReplacer("mariadb-show", "mysqlshow", "mariadb-check", "mysqlcheck", "mariadb-admin", "mysqladmin", "mariadb-dump", "mysqldump", "mariadb-slap", "mysqlslap",
	"mariadb-import", "mysqlimport", "mariadb ", "mysql ")

const toolRules = `      tables:
        members: {shard_key: id}
        posts:   {shard_key: member_id}
        labels:  {kind: reference}
        t1:      {shard_key: id}
`

// TestTools runs the command line tools of each kind of server against it.
func TestTools(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			runTools(t, flavor)
		})
	}
}

func runTools(t *testing.T, flavor testkit.Flavor) {
	certs := testkit.Certificates(t)
	node := "local_infile: true"
	if flavor == testkit.MySQLFlavor { // whose servers offer TLS by themselves
		node += "\ntls: {cert: " + certs.ServerCert + ", key: " + certs.ServerKey + "}"
	}
	w := newWorld(t, flavor, options{rules: toolRules, node: node})
	dir := testkit.Dir(t, "tools")
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("imported,1\nit's,2\n\\N,3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	client, list := "Command line tools of MariaDB 10.11", slices.Clone(tools)
	if flavor == testkit.MySQLFlavor {
		client = "Command line tools of MySQL 9"
		wrap(t, filepath.Join(dir, "bin"))
		for i := range list {
			for _, text := range []*string{&list[i].name, &list[i].argv, &list[i].in} {
				*text = strings.TrimSuffix(oracles.Replace(*text+" "), " ")
			}
		}
	}
	list = slices.DeleteFunc(list, func(one tool) bool { return one.only != "" && one.only != serverName(flavor) })
	outputs := map[string][]string{}
	for _, on := range w.targets() {
		for _, one := range list {
			outputs[on.name] = append(outputs[on.name], strings.Join(one.run(t, on, dir), "\n"))
		}
	}
	for _, on := range w.targets()[1:] {
		same, of := map[string]int{}, map[string]int{}
		for i, one := range list {
			want, got, by := outputs["plain"][i], outputs[on.name][i], one.client(client)
			of[by]++
			switch {
			case want == got:
				same[by]++
			case !differs(client, serverName(on.flavor), on.name, one.name):
				t.Errorf("%s, %s:\n%s", on.name, one.name, diff(t, want, got))
			}
		}
		for by, n := range of {
			matrix.record(result{Client: by, Server: serverName(on.flavor), Mode: on.name, What: "whole outputs of commands", Passed: same[by], Of: n})
		}
	}
}

// client names whose tool it is; most are of the server's own.
func (one tool) client(own string) string {
	if strings.HasPrefix(one.name, "mydumper") || strings.HasPrefix(one.name, "myloader") {
		return "mydumper and myloader 0.10"
	}
	return own
}

// wrap puts Oracle's tools into a directory for PATH. They are called with --no-defaults
// first, which their own call has already. The client takes source and its like from a pipe
// only when it is told so, an application's account may not write the GTIDs of a dump, and rows on
// lines of their own can be sorted.
func wrap(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mysql", "mysqlshow", "mysqlcheck", "mysqladmin", "mysqldump", "mysqlslap", "mysqlimport"} {
		cmd := testkit.MySQLTool(t, name)
		more := map[string]string{"mysql": "--commands ", "mysqldump": "--set-gtid-purged=OFF --skip-extended-insert "}[name]
		script := "#!/bin/sh\nshift\nOPENSSL_CONF=/dev/null exec '" + strings.Join(cmd.Args, "' '") + "' " + more + "\"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

var toolNoise = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?m)^(Connection id|Uptime|Threads):?\s.*$`), "$1"},
	{regexp.MustCompile(`(?m)^(\s*(Average|Minimum|Maximum) number of seconds).*$`), "$1"},
	{regexp.MustCompile(`[0-9]+ rows? in set[^\n]*|\([0-9.]+ sec\)`), "N rows"},
	{regexp.MustCompile(`\r`), ""},
	{regexp.MustCompile(`connection id is [0-9]+`), "connection id"},
	{regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8}`), "TIME"},
	{regexp.MustCompile(`(?m)^(\| [0-9]+ +\| app +\| )127[^ ]* +\|.*$`), "$1"},
	{regexp.MustCompile(`(?m)^([A-Za-z_0-9.]+) +OK$`), "$1 OK"},
	{regexp.MustCompile(`AUTO_INCREMENT=[0-9]+ `), ""},
	{regexp.MustCompile(`\(mydumper:[0-9]+\): CRITICAL \*\*: [0-9:.]+`), "(mydumper): CRITICAL"},
	{regexp.MustCompile(`'app'@'[^']*'`), "'app'@HOST"}, // where a client may come from, or comes from
}

func (one tool) run(t *testing.T, on *target, dir string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	fill := strings.NewReplacer("HOST", on.host, "PORT", on.port, "SCHEMA", on.schema, "DIR", dir)
	argv := strings.Fields(fill.Replace(one.argv))
	if one.tty {
		argv = []string{"script", "-qec", strings.Join(argv, " "), "/dev/null"}
	}
	path := filepath.Join(dir, "bin")
	if program, err := exec.LookPath(filepath.Join(path, argv[0])); err == nil {
		argv[0] = program
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "TERM=dumb", "LC_ALL=C.UTF-8", "HOME="+dir, "PATH="+path+":"+os.Getenv("PATH"))
	cmd.Stdin = strings.NewReader(fill.Replace(one.in))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if one.stop != "" {
		db := on.db(t)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if strings.Contains(strings.Join(queryRows(t, db, "SHOW FULL PROCESSLIST"), "\n"), one.stop) {
				break
			}
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	err := cmd.Wait()
	text := strings.NewReplacer(on.schema, "SCHEMA", on.port, "PORT", dir, "DIR").Replace(out.String())
	if err != nil {
		text += "\n" + err.Error()
	}
	if one.tty { // before it the terminal echoes what has come too early
		_, text, _ = strings.Cut(text, "Welcome to ")
	}
	for _, n := range toolNoise {
		text = n.re.ReplaceAllString(text, n.with)
	}
	lines := strings.Split(text, "\n")
	if one.sorted {
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], ",;")
		}
		sort.Strings(lines)
	}
	return lines
}
