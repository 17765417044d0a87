package integration

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
	"sluice/wire"
)

// heldFile is a file of rows whose rest comes only when it is let go.
type heldFile struct {
	first, rest io.Reader
	held        chan struct{} // closed when the first part was read
	let         chan struct{}
	told        bool
}

func newHeldFile(from, rows int) *heldFile {
	var a, b strings.Builder
	for i := range rows {
		fmt.Fprintf(&a, "%d\ta\n", from+i)
		fmt.Fprintf(&b, "%d\tb\n", from+rows+i)
	}
	return &heldFile{first: strings.NewReader(a.String()), rest: strings.NewReader(b.String()), held: make(chan struct{}), let: make(chan struct{})}
}

func (f *heldFile) Read(p []byte) (int, error) {
	n, err := f.first.Read(p)
	if err != io.EOF {
		return n, err
	}
	if !f.told {
		f.told = true
		close(f.held)
		<-f.let
	}
	return f.rest.Read(p)
}

// loadHeld runs what between the halves of a file, and gives the statement's error.
func loadHeld(c *sql.Conn, f *heldFile, what func()) error {
	name := fmt.Sprintf("load%d", loadNames.Add(1))
	mysql.RegisterReaderHandler(name, func() io.Reader { return f })
	defer mysql.DeregisterReaderHandler(name)
	done := make(chan error, 1)
	go func() {
		_, err := c.ExecContext(context.Background(), "LOAD DATA LOCAL INFILE 'Reader::"+name+"' INTO TABLE t (k, a)")
		done <- err
	}()
	<-f.held
	what()
	close(f.let)
	return <-done
}

// TestLoadEnds: KILL, a client that goes away and a shard that dies leave nothing behind.
func TestLoadEnds(t *testing.T) {
	c := start(t, setup{schemas: loadSchemas, own: true, shards: 2})
	db := c.open("shop")
	must(t, db, loadTables...)
	conn := func() *sql.Conn {
		t.Helper()
		conn, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	one := conn()
	id := rows(t, one, "SELECT CONNECTION_ID()")[0]
	err := loadHeld(one, newHeldFile(1, 100_000), func() { must(t, db, "KILL QUERY "+id) })
	checkError(t, "killed", err, 1317, "interrupted")
	expect(t, one, "SELECT COUNT(*) FROM t", "0")
	if err := loadHeld(one, newHeldFile(1, 1000), func() {}); err != nil {
		t.Fatal("the same connection:", err)
	}
	expect(t, one, "SELECT COUNT(*) FROM t", "2000")

	// A client that goes away in the middle of its file.
	r := loginRaw(t, c.px[0].data, rawLogin{schema: "shop", caps: wire.ClientLocalFiles})
	r.send(wire.ComQuery, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t (k, a)")
	if b := r.packet(); b[0] != 0xfb || string(b[1:]) != "x" {
		t.Fatalf("want the request for x, got %q", b)
	}
	r.must(r.WritePacket([]byte(strings.Repeat("300000\tcut\n", 100_000) + "300001\tcu")))
	r.must(r.Flush())
	r.Close()
	eventually(t, "its statements have ended", func() bool {
		for _, s := range c.servers {
			if s.Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA%'") != "0" {
				return false
			}
		}
		return true
	})
	expect(t, one, "SELECT COUNT(*) FROM t", "2000")

	// A shard that dies.
	err = loadHeld(one, newHeldFile(1_000_000, 100_000), func() { c.servers[1].Kill() })
	if err == nil {
		t.Error("a dead shard: no error")
	}
	t.Log(err)
	if n := c.servers[0].Value("SELECT COUNT(*) FROM shop.t WHERE k >= 1000000"); n != "0" {
		t.Errorf("%s rows of the load that failed are there", n)
	}
}

// TestLoadPHP: mysqli loads a file.
func TestLoadPHP(t *testing.T) {
	c := start(t, setup{schemas: loadSchemas})
	must(t, c.open("shop"), loadTables...)
	file := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(file, []byte("uid,v\n1,\"a\"\n2,\"b, c\"\n7,z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port := c.px[0].hostPort()
	const script = `mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT); $db = mysqli_init(); $db->options(MYSQLI_OPT_LOCAL_INFILE, true);
		$db->real_connect($argv[1], "app", "app", "shop", (int)$argv[2]);
		$db->query("LOAD DATA LOCAL INFILE '$argv[3]' INTO TABLE a FIELDS TERMINATED BY ',' ENCLOSED BY '\"' IGNORE 1 LINES (uid, v)");
		echo $db->affected_rows, " ", $db->info, " ", $db->query("SELECT LAST_INSERT_ID()")->fetch_row()[0], " ";
		foreach ($db->query("SELECT id, uid, v FROM a ORDER BY id") as $row) echo implode(",", $row), ";";`
	if out := command(t, "php", "-d", "mysqli.allow_local_infile=1", "-r", script, "--", host, port, file); out != "3 Records: 3  Deleted: 0  Skipped: 0  Warnings: 0 1 1,1,a;2,2,b, c;3,7,z;" {
		t.Error(out)
	}
}

// rowsFile is a file of n rows that are made as they are read.
type rowsFile struct {
	next, n int
	buf     []byte
}

func (f *rowsFile) Read(p []byte) (int, error) {
	for len(f.buf) < len(p) && f.next < f.n {
		f.buf = fmt.Appendf(f.buf, "%d\ta text of some length that is not looked at %d\t%d\t%d\n", f.next, f.next, f.next%1000, f.next)
		f.next++
	}
	if len(f.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.buf)
	f.buf = append(f.buf[:0], f.buf[n:]...)
	return n, nil
}

// TestLoadMemory: memory does not grow with the file. SLUICE_LOAD_MB says how large it is.
func TestLoadMemory(t *testing.T) {
	megabytes := 24
	if env := os.Getenv("SLUICE_LOAD_MB"); env != "" {
		n, err := strconv.Atoi(env)
		if err != nil {
			t.Fatal(err)
		}
		megabytes = n
	}
	c := start(t, setup{plain: true, schemas: loadSchemas})
	one := testkit.Shared(t, testkit.MariaDBFlavor, 4)
	one.Exec("DROP DATABASE IF EXISTS loadone", "CREATE DATABASE loadone")
	t.Cleanup(func() { one.Exec("DROP DATABASE loadone") })
	const table = "CREATE TABLE t (k INT NOT NULL PRIMARY KEY, a VARCHAR(80), b VARCHAR(20), n INT)"
	n := megabytes << 20 / 72
	var took [2]time.Duration
	for i, db := range []*sql.DB{one.DB(t, "loadone"), c.open("shop")} {
		must(t, db, table)
		mysql.RegisterReaderHandler("rows", func() io.Reader { return &rowsFile{n: n} })
		began := time.Now()
		must(t, db, "LOAD DATA LOCAL INFILE 'Reader::rows' INTO TABLE t")
		took[i] = time.Since(began)
		expect(t, db, "SELECT COUNT(*), SUM(n) FROM t", fmt.Sprintf("%d\t%d", n, n*(n-1)/2))
	}
	before, peak := rss(t, c.px[0].PID())
	t.Logf("%d MB, %d rows: one server %v, Sluice over four shards %v; the proxy has %d MiB, its peak is %d", megabytes, n, took[0], took[1], before, peak)
	if peak > 100 {
		t.Errorf("the proxy's memory went up to %d MiB", peak)
	}
}
