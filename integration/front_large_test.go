package integration

import (
	"crypto/tls"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// letters gives n bytes that need no escapes in a literal and are not all alike.
func letters(n int) []byte { return alphabet()[:n:n] }

var alphabet = sync.OnceValue(func() []byte {
	b := make([]byte, 64<<20)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz012345"[(i^i>>7^i>>13)&31]
	}
	return b
})

// large is a table of blobs and a client that writes and reads them.
type large struct {
	*raw
	table string
	blob  []byte
	sum   string // what the server says of it
}

func newLarge(r *raw, table string, size int) *large {
	blob := letters(size)
	return &large{r, table, blob, fmt.Sprintf("%d %d", size, crc32.ChecksumIEEE(blob))}
}

func (l *large) check(what string, id int) {
	l.t.Helper()
	want(l.t, what, l.value(fmt.Sprintf("SELECT CONCAT(LENGTH(body), ' ', CRC32(body)) FROM %s WHERE id = %d", l.table, id)), l.sum)
}

func (l *large) text(id int) {
	l.t.Helper()
	l.must(l.Command(wire.ComQuery, fmt.Appendf(nil, "INSERT INTO %s (body, id) VALUES ('%s', %d)", l.table, l.blob, id)))
	l.must(l.Flush())
	l.ok()
	l.check("text", id)
}

// types of the two parameters, as they stand in COM_STMT_EXECUTE.
var intAndBlob = le(byte(0), byte(1), wire.TypeLong, byte(0), wire.TypeLongBlob, byte(0))

func (l *large) prepared(id int) {
	l.t.Helper()
	stmt := l.prepare("INSERT INTO " + l.table + " VALUES (?, ?)")
	b := []byte(le(stmt, byte(0), uint32(1), intAndBlob, uint32(id)))
	l.must(l.Command(wire.ComStmtExecute, append(wire.AppendLenencInt(b, uint64(len(l.blob))), l.blob...)))
	l.must(l.Flush())
	l.ok()
	l.check("prepared", id)
}

func (l *large) longData(id int) {
	l.t.Helper()
	stmt := l.prepare("INSERT INTO " + l.table + " VALUES (?, ?)")
	for rest := l.blob; len(rest) > 0; {
		n := min(len(rest), 3<<20)
		l.must(l.Command(wire.ComStmtSendLongData, append([]byte(le(stmt, uint16(1))), rest[:n]...)))
		rest = rest[n:]
	}
	l.send(wire.ComStmtExecute, le(stmt, byte(0), uint32(1), intAndBlob, uint32(id)))
	l.ok()
	l.check("long data", id)
}

// read selects a row's blob; prepared by the binary protocol.
func (l *large) read(id int, binary bool) {
	l.t.Helper()
	sql := fmt.Sprintf("SELECT body FROM %s WHERE id = %d", l.table, id)
	if binary {
		l.send(wire.ComStmtExecute, le(l.prepare(sql), byte(0), uint32(1)))
	} else {
		l.send(wire.ComQuery, sql)
	}
	_, err := l.ReadResultHeader()
	l.must(err)
	row, _, err := l.ReadRow()
	l.must(err)
	if binary {
		row = row[2:] // header and NULLs
	}
	if value, _, ok := wire.LenencBytes(row); !ok || string(value) != string(l.blob) {
		l.t.Errorf("%s: another value comes back, of %d bytes", sql, len(value))
	}
	_, end, err := l.ReadRow()
	l.must(err)
	if end == nil {
		l.t.Errorf("%s: a second row", sql)
	}
}

// TestLargePackets: packets above 16 MiB go both ways in every protocol, and the proxy never
// holds one twice.
func TestLargePackets(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		size := 33 << 20
		if flavor == testkit.MySQLFlavor {
			size = 17 << 20
		}
		c := start(t, setup{flavor: flavor, shards: 2, plain: true})
		p := c.px[0]
		must(t, c.open("plain"), "CREATE TABLE big (id INT PRIMARY KEY, body LONGBLOB) ENGINE = MyISAM")
		must(t, c.open("shop"), "CREATE TABLE sbtest1 (id INT PRIMARY KEY, body LONGBLOB) ENGINE = MyISAM")
		for _, l := range []*large{newLarge(loginRaw(t, p.data, rawLogin{schema: "plain"}), "big", size),
			newLarge(loginRaw(t, p.data, rawLogin{schema: "shop"}), "sbtest1", size)} {
			for name, step := range map[string]func(){"text": func() { l.text(1) }, "prepared": func() { l.prepared(2) }, "long data": func() { l.longData(3) }} {
				before := p.forgetPeak()
				step()
				if _, peak := rss(t, p.PID()); peak > before+size>>20+30 {
					t.Errorf("%s into %s: %d MiB took the proxy from %d MiB to %d MiB", name, l.table, size>>20, before, peak)
				}
			}
			before := p.forgetPeak()
			l.must(l.Command(wire.ComQuery, fmt.Appendf(nil, "SET @blob = '%s', @n = 1", l.blob)))
			l.must(l.Flush())
			l.ok()
			if _, peak := rss(t, p.PID()); peak > before+size>>20+30 {
				t.Errorf("SET: %d MiB took the proxy from %d MiB to %d MiB", size>>20, before, peak)
			}
			want(t, "SET", l.value("SELECT CONCAT(LENGTH(@blob), ' ', CRC32(@blob))"), l.sum)
			before = p.forgetPeak()
			l.read(1, false)
			l.read(2, true)
			if _, peak := rss(t, p.PID()); peak > before+20 {
				t.Errorf("reading %s: %d MiB took the proxy from %d MiB to %d MiB", l.table, size>>20, before, peak)
			}
		}
	})
}

// forgetPeak starts the process's VmHWM anew and gives what it has now.
func (p *px) forgetPeak() int {
	p.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0); err != nil {
		p.t.Fatal(err)
	}
	now, _ := rss(p.t, p.PID())
	return now
}

// TestLargeSizes: the sizes at which packets are cut, also under compression and TLS. The
// shard gives back what it was sent.
func TestLargeSizes(t *testing.T) {
	certs := testkit.Certificates(t)
	c := start(t, setup{shards: 2, plain: true, node: tlsSection(certs, "")})
	secure := &tls.Config{RootCAs: certs.Pool, ServerName: "localhost"}
	for name, login := range map[string]rawLogin{"plain": {}, "zlib": {caps: wire.ClientCompress}, "zstd": {caps: wire.ClientZstd, level: 3},
		"TLS": {tls: secure}, "TLS and zstd": {tls: secure, caps: wire.ClientZstd, level: 1}} {
		t.Run(name, func(t *testing.T) {
			login.schema = "plain"
			r := loginRaw(t, c.px[0].data, login)
			stmt := r.prepare("SELECT ?")
			echo := func(size int, binary bool) {
				t.Helper()
				blob := letters(size)
				if binary {
					b := []byte(le(wire.ComStmtExecute, stmt, byte(0), uint32(1), byte(0), byte(1), wire.TypeLongBlob, byte(0)))
					r.must(r.Command(b[0], append(wire.AppendLenencInt(b[1:], uint64(size)), blob...)))
				} else {
					r.must(r.Command(wire.ComQuery, fmt.Appendf(nil, "SELECT '%s'", blob)))
				}
				r.must(r.Flush())
				_, err := r.ReadResultHeader()
				r.must(err)
				row, _, err := r.ReadRow()
				r.must(err)
				if binary {
					row = row[2:] // header and NULLs
				}
				if value, _, ok := wire.LenencBytes(row); !ok || string(value) != string(blob) {
					t.Errorf("%d bytes come back as %d", size, len(value))
				}
				_, end, err := r.ReadRow()
				r.must(err)
				if end == nil {
					t.Error("a second row")
				}
			}
			if name != "plain" {
				echo(17<<20, name == "zlib")
				return
			}
			for _, binary := range []bool{false, true} {
				more := map[bool]int{false: len("xSELECT ''"), true: 1 + 4 + 1 + 4 + 1 + 1 + 2 + 4} // of the command than the value
				for d := -1; d <= 1; d++ {
					echo(1<<24-1-4+d, binary) // the row, with the value's length
					echo(1<<24-1-more[binary]+d, binary)
				}
				echo(2*(1<<24-1)-more[binary], binary)
			}
		})
	}
}

// TestMaxPacket: what is too large is answered so that clients understand it.
func TestMaxPacket(t *testing.T) {
	c := start(t, setup{shards: 2, node: "limits: {max_packet: 20M}\n"})
	p := c.px[0]
	must(t, c.open("plain"), "CREATE TABLE big (id INT PRIMARY KEY, body LONGBLOB) ENGINE = MyISAM")
	const limit = 20 << 20
	r := loginRaw(t, p.data, rawLogin{schema: "plain"})
	head := "INSERT INTO big VALUES (1, '"
	r.send(wire.ComQuery, head+string(letters(limit-len(head)-3))+"')")
	r.ok() // 20 MiB exactly, the command byte included
	for _, size := range []int{limit + 1, 50 << 20} {
		r := loginRaw(t, p.data, rawLogin{schema: "plain"})
		r.must(r.Command(wire.ComQuery, letters(size)))
		r.must(r.Flush())
		r.wantError(1153, "max_allowed_packet")
		r.wantClosed()
	}
	// Long data has no answer; the execution has it.
	id := r.prepare("INSERT INTO big VALUES (?, ?)")
	for range 3 {
		r.must(r.Command(wire.ComStmtSendLongData, append([]byte(le(id, uint16(1))), letters(10<<20)...)))
	}
	execute := func() { r.send(wire.ComStmtExecute, le(id, byte(0), uint32(1), intAndBlob, uint32(7))) }
	execute()
	r.wantError(1301, "max_allowed_packet (20971520)")
	r.must(r.Command(wire.ComStmtSendLongData, []byte(le(id, uint16(1), "short"))))
	execute()
	r.ok()
	want(t, "after the refusal", r.value("SELECT body FROM big WHERE id = 7"), "short")
	// Nor are the texts of prepared statements kept without a bound.
	first := r.prepare("SELECT '" + string(letters(12<<20)) + "'")
	r.send(wire.ComStmtPrepare, "SELECT '"+string(letters(12<<20))+"'")
	r.wantError(1461, "sluice:")
	r.must(r.Command(wire.ComStmtClose, []byte(le(first))))
	r.prepare("SELECT '" + string(letters(12<<20)) + "'")
	// The real clients.
	file := func(size int) io.Reader {
		return strings.NewReader("INSERT INTO big VALUES (9, '" + string(letters(size)) + "')")
	}
	for name, tool := range map[string]string{"mariadb": "mariadb", "mysql": "mysql"} {
		run := p.maria
		if name == "mysql" {
			run = p.oracle
		}
		cmd := run(tool, "app", "app", "--max-allowed-packet=1G", "plain")
		cmd.Stdin = file(25 << 20)
		says(t, cmd, "ERROR 1153 (08S01)")
	}
}
