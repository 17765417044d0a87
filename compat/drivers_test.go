package compat

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// goRules: auto_shard_key shards the tables that have names of their own; one name stands for
// many tables in turn.
const goRules = "      auto_shard_key: [id, v]\n      tables:\n        test: {kind: unsharded}\n"

// TestGoDriver runs the tests of go-sql-driver/mysql, but for those that dial addresses of the
// internet.
func TestGoDriver(t *testing.T) {
	t.Parallel()
	const path = "github.com/go-sql-driver/mysql"
	out, err := exec.Command("go", "list", "-f", "{{.Module.Version}} {{.Dir}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	version, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	bin := t.TempDir() + "/driver.test"
	if out, err := exec.Command("go", "test", "-c", "-o", bin, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	skip := "TestConnectorReturnsTimeout"
	if !full() {
		skip += "|TestLongData" // some 10 s
	}
	runSuite(t, suite{client: "go-sql-driver/mysql " + version, rules: goRules, run: func(t *testing.T, on *target, env []string) outcomes {
		return goTests(t, append(env, "MYSQL_TEST_USER="+on.user, "MYSQL_TEST_PASS="+on.password, "MYSQL_TEST_ADDR="+on.addr(), "MYSQL_TEST_DBNAME="+on.schema), dir,
			bin, "-test.v", "-test.timeout=10m", "-test.skip="+skip)
	}})
}

// TestMySQLClient runs the tests of mysqlclient, DB-API 2.0's among them.
func TestMySQLClient(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	dir := glob(t, drivers(t, "src", "mysqlclient-*"))
	rules := "      auto_shard_key: [id]\n      tables:\n        test: {kind: unsharded}\n" // a name of several tables in turn
	runSuite(t, suite{client: version("mysqlclient", dir), rules: rules, run: func(t *testing.T, on *target, env []string) outcomes {
		conf := filepath.Join(testkit.Dir(t, "mysqlclient"), "my.cnf")
		text := fmt.Sprintf("[MySQLdb-tests]\nhost=%s\nport=%s\nuser=%s\npassword=%s\ndatabase=%s\ndefault-character-set=utf8mb4\n", on.host, on.port, on.user, on.password, on.schema)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return pytest(t, append(env, "TESTDB="+conf), dir, "tests", "--ignore=tests/test_sqlalchemy.py")
	}})
}

// sqlalchemyTables are those of the suite that have an id and no foreign keys to others.
const sqlalchemyTables = `      tables:
        some_table:    {shard_key: id}
        text_table:    {shard_key: id}
        date_table:    {shard_key: id}
        integer_table: {shard_key: id}
        float_table:   {shard_key: id}
        unicode_table: {shard_key: id}
        boolean_table: {shard_key: id}
        data_table:    {shard_key: id}
        manual_pk:     {shard_key: id}
        autoinc_pk:    {shard_key: id, sequence: id}
        plain_pk:      {shard_key: id}
        uuid_table:    {shard_key: id}
        enum_table:    {shard_key: id}
`

// TestSQLAlchemy runs the suite that SQLAlchemy has for dialects and the tests of its MySQL
// dialect: with PyMySQL, whose own tests are not in its releases.
func TestSQLAlchemy(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	dir := glob(t, drivers(t, "src", "sqlalchemy-*"))
	runSuite(t, suite{client: version("SQLAlchemy", dir) + ", PyMySQL 1.2.4", rules: sqlalchemyTables, schemas: []string{"test_schema"}, run: func(t *testing.T, on *target, env []string) outcomes {
		url := fmt.Sprintf("mysql+pymysql://%s:%s@%s/%s?charset=utf8mb4", on.user, on.password, on.addr(), on.schema)
		return pytest(t, env, dir, "test/dialect/test_suite.py", "test/dialect/mysql", "--dburi", url)
	}})
}

// version gives a client's name with the version that its directory's name has.
func version(client, dir string) string {
	name := filepath.Base(dir)
	return client + " " + name[strings.LastIndex(name, "-")+1:]
}

// allModes are those of drivers that have them all.
var allModes = []string{"text", "binary", "compressed", "tls"}

// TestNode runs a program that uses mysql2 and Sequelize.
func TestNode(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	runScript(t, script{client: "Node mysql2 3.24.6 and Sequelize 6.37.8", modes: allModes, rules: jdbcRules, run: func(t *testing.T, on *target, mode string) []string {
		return printed(t, on, "env", "NODE_PATH="+drivers(t, "node", "node_modules"), "node", "testdata/node/mysql2.js", on.host, on.port, on.schema, mode)
	}})
}

// TestRuby runs a program that uses mysql2.
func TestRuby(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	runScript(t, script{client: "Ruby mysql2 0.5.3", modes: allModes, rules: jdbcRules, run: func(t *testing.T, on *target, mode string) []string {
		return printed(t, on, "ruby", "testdata/ruby/mysql2.rb", on.host, on.port, on.schema, mode)
	}})
}

const gormRules = "      tables:\n        members: {shard_key: id}\n        posts:   {shard_key: member_id}\n"

// TestGORM runs a program that uses GORM, which is a module of its own.
func TestGORM(t *testing.T) {
	onlyFull(t)
	t.Parallel()
	bin := filepath.Join(t.TempDir(), "gorm")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Dir = "testdata/gorm"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	runScript(t, script{client: "GORM 1.31.2", modes: []string{"text", "binary", "tls"}, rules: gormRules, run: func(t *testing.T, on *target, mode string) []string {
		params := map[string]string{"tls": "&tls=skip-verify"}[mode]
		argv := []string{bin, on.user + ":" + on.password + "@tcp(" + on.addr() + ")/" + on.schema + "?parseTime=true" + params}
		if mode == "binary" {
			argv = append(argv, "prepared")
		}
		return printed(t, on, argv...)
	}})
}
