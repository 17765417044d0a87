package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/wire"
)

// TestConnectionLimits: too many connections, strangers that say nothing or too much, and
// what others notice of them.
func TestConnectionLimits(t *testing.T) {
	c := start(t, setup{shards: 2, node: "limits: {max_connections: 5, handshake_timeout: 400ms}\n"})
	p := c.px[0]
	bystander := loginRaw(t, p.data, rawLogin{schema: "shop"})
	for range 2 { // places come back
		var silent []net.Conn
		for range 4 {
			eventually(t, "a place is free", func() bool { // the client may hear first that another has lost its place
				nc, err := net.Dial("tcp", p.data)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { nc.Close() })
				if _, err := io.ReadFull(nc, make([]byte, 50)); err != nil { // a part of the greeting: it has a place
					return false
				}
				silent = append(silent, nc)
				return true
			})
		}
		says(t, p.maria("mariadb", "app", "app", "--skip-ssl", "-e", "SELECT 1"), "ERROR 1040 (HY000): Too many connections")
		says(t, p.oracle("mysql", "app", "app", "-e", "SELECT 1"), "Too many connections")
		says(t, exec.Command("php", "-r", fmt.Sprintf(`try { new mysqli("127.0.0.1", "app", "app", "", %s); } catch (Exception $e) { echo $e->getCode(), " ", $e->getMessage(); }`, port(p.data))), "1040 Too many connections")
		want(t, "the one who is in", bystander.value("SELECT 1"), "1")
		for _, nc := range silent { // each is closed when its time is over
			if _, err := io.Copy(io.Discard, nc); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
		}
	}
	big := dialRaw(t, p.data)
	big.must(big.WritePacket(make([]byte, 70_000)))
	big.must(big.Flush())
	big.wantError(1153, "max_allowed_packet")
	big.wantClosed()
	says(t, p.maria("mariadb", "app", "app", "-Ne", "SELECT 40 + 2"), "42\n")
	want(t, "the one who is in", bystander.value("SELECT 1"), "1")
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// TestBrokenPackets: what a client that is logged in can send wrong. Each is answered, ends
// its own connection where the protocol is out of step, and is nobody else's trouble.
func TestBrokenPackets(t *testing.T) {
	c := start(t, setup{shards: 2, node: "limits: {stall_timeout: 500ms, max_packet: 1M}\n"})
	p := c.px[0]
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 20)
	bystander := loginRaw(t, p.data, rawLogin{schema: "shop"})
	bystander.query("BEGIN")
	bystander.query("UPDATE users SET name = 'mine' WHERE user_id = 1")
	bytes := func(r *raw, b string) {
		if _, err := r.NetConn().Write([]byte(b)); err != nil {
			r.t.Fatal(err)
		}
		r.AwaitAnswer()
	}
	query := func(seq byte, sql string) string {
		return le(byte(len(sql)+1), byte(0), byte(0), seq, wire.ComQuery, sql)
	}
	for _, c := range []struct {
		name string
		send func(r *raw)
		code uint16 // answered
		ends bool
	}{
		{"wrong number", func(r *raw) { bytes(r, query(1, "SELECT 1")) }, 1156, true},
		{"number of another packet", func(r *raw) { bytes(r, query(255, "SELECT 1")) }, 1156, true},
		{"garbage", func(r *raw) { bytes(r, "GET / HTTP/1.1\r\nHost: db\r\n\r\n") }, 1153, true},
		{"empty packet", func(r *raw) { bytes(r, "\x00\x00\x00\x00") }, 1047, false},
		{"unknown command", func(r *raw) { r.send(0x42, "?") }, 1047, false},
		{"command of a replica", func(r *raw) { r.send(wire.ComBinlogDump, "xxxxxxxxxxxxxx") }, 1047, false},
		{"empty statement", func(r *raw) { r.send(wire.ComQuery, "") }, 1065, false},
		{"NUL in a statement", func(r *raw) { r.send(wire.ComQuery, "SELECT 1\x00, 2") }, 1064, false},
		{"open quote", func(r *raw) { r.send(wire.ComQuery, "SELECT 'abc") }, 1064, false},
		{"no UTF-8 in a schema", func(r *raw) { r.send(wire.ComInitDB, "\xff\xfe") }, 1044, false},
		{"execute of nothing", func(r *raw) { r.send(wire.ComStmtExecute, "") }, 1210, false},
		{"execute of an unknown statement", func(r *raw) { r.send(wire.ComStmtExecute, le(uint32(77), byte(0), uint32(1))) }, 1243, false},
		{"execute that is cut", func(r *raw) { r.send(wire.ComStmtExecute, le(r.prepare("SELECT ?"), byte(0))) }, 1210, false},
		{"execute with a length beyond its end", func(r *raw) {
			r.send(wire.ComStmtExecute, le(r.prepare("SELECT ?"), byte(0), uint32(1), byte(0), byte(1), wire.TypeString, byte(0), byte(200), "abc"))
		}, 1210, false},
		{"execute with a length of 2^63", func(r *raw) {
			r.send(wire.ComStmtExecute, le(r.prepare("SELECT ?"), byte(0), uint32(1), byte(0), byte(1), wire.TypeString, byte(0), "\xfe\xff\xff\xff\xff\xff\xff\xff\x7fabc"))
		}, 1210, false},
		{"fetch without a cursor", func(r *raw) { r.send(wire.ComStmtFetch, le(r.prepare("SELECT 1"), uint32(1))) }, 1421, false},
		{"fetch that is cut", func(r *raw) { r.send(wire.ComStmtFetch, "\x01") }, 1210, false},
		{"reset of an unknown statement", func(r *raw) { r.send(wire.ComStmtReset, le(uint32(9))) }, 1243, false},
		{"change of user that is cut", func(r *raw) { r.send(wire.ComChangeUser, "app") }, 1047, true},
		{"field list without an end", func(r *raw) { r.send(wire.ComFieldList, "users") }, 1047, false},
		{"option that does not exist", func(r *raw) { r.send(wire.ComSetOption, "\x07\x07") }, 1047, false},
		{"kill that is cut", func(r *raw) { r.send(wire.ComProcessKill, "\x01") }, 1047, false},
		{"too large", func(r *raw) { r.send(wire.ComQuery, strings.Repeat("x", 1<<20)) }, 1153, true},
		{"a header and silence", func(r *raw) { bytes(r, "\x10\x00\x00\x00") }, 1159, true},
		{"half a header and silence", func(r *raw) { bytes(r, "\x10\x00") }, 1159, true},
		{"half a large packet and silence", func(r *raw) { bytes(r, "\x00\x00\x0f\x00\x03"+strings.Repeat("x", 300_000)) }, 1159, true},
		{"half a packet and goodbye", func(r *raw) { bytes(r, "\x10\x00\x00\x00\x03SEL"); r.NetConn().(*net.TCPConn).CloseWrite() }, 0, true},
		{"a reset", func(r *raw) {
			bytes(r, query(0, "SELECT SLEEP(0.1)"))
			r.NetConn().(*net.TCPConn).SetLinger(0)
			r.Close()
		}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := loginRaw(t, p.data, rawLogin{schema: "shop"})
			c.send(r)
			if c.code != 0 {
				b, err := r.ReadPacket()
				if errors.Is(err, wire.ErrSequence) && c.ends { // the answer's number is a guess then
					err, b = nil, nil
				}
				r.must(err)
				if e, err := wire.ParseError(b); b != nil && (err != nil || e.Code != c.code) {
					t.Fatalf("want error %d, got %q", c.code, b)
				}
			}
			if c.ends {
				r.wantClosed()
				return
			}
			want(t, "the next statement", r.value("SELECT COUNT(*) FROM users"), "20")
		})
	}
	// Commands that come at once are carried out one after the other.
	r := loginRaw(t, p.data, rawLogin{schema: "shop"})
	bytes(r, query(0, "SELECT 1")+query(0, "SELECT 2")+query(0, "SELECT * FROM missing")+query(0, "SELECT COUNT(*) FROM users"))
	for _, want := range []string{"1", "2", "", "20"} {
		r.AwaitAnswer()
		if want == "" {
			r.wantError(1146, "missing")
			continue
		}
		if _, rows, _ := r.result(); len(rows) != 1 || rows[0] != want {
			t.Errorf("got %q, want %q", rows, want)
		}
	}
	// A file of LOAD DATA LOCAL that does not go on.
	must(t, c.open("plain"), "CREATE TABLE t (a VARCHAR(100))")
	r = loginRaw(t, p.data, rawLogin{schema: "plain", caps: wire.ClientLocalFiles})
	r.send(wire.ComQuery, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t")
	r.packet()
	r.must(r.WritePacket([]byte("one line\n")))
	r.must(r.Flush())
	r.wantClosed()
	eventually(t, "its statement has ended", func() bool {
		return c.servers[1].Value("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA%'") == "0"
	})
	expect(t, c.open("plain"), "SELECT COUNT(*) FROM t", "0")
	want(t, "an open transaction of another client", bystander.value("SELECT name FROM users WHERE user_id = 1"), "mine")
	bystander.query("COMMIT")
	if log := p.Log(); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") || strings.Contains(log, "level=ERROR") {
		t.Error(log)
	}
}

// TestSlowReader: a client that takes nothing of its result is cut off, and frees its shard.
func TestSlowReader(t *testing.T) {
	c := start(t, setup{shards: 2, maxConns: 1, node: "limits: {stall_timeout: 1s}\n"})
	p := c.px[0]
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 200)
	for _, sql := range []string{"SELECT REPEAT('x', 100000) FROM plain.seq_1_to_2000", "SELECT user_id, REPEAT('x', 1000000) FROM users ORDER BY user_id"} {
		r := loginRaw(t, p.data, rawLogin{schema: "shop"})
		r.send(wire.ComQuery, sql)
		r.packet()
		// It is still connected and reads no more; the only connection to the shard is its.
		eventually(t, "the shard is free again", func() bool {
			_, err := tryRows(db, "SELECT COUNT(*) FROM users")
			return err == nil
		})
		if got := column(t, p.dba(), "SHOW SESSIONS", "id"); strings.Contains(" "+strings.Join(got, " ")+" ", fmt.Sprintf(" %d ", r.id)) {
			t.Errorf("%s: its session %d is still there: %q", sql, r.id, got)
		}
	}
}

// TestFlat: thousands of connections, good and bad, leave nothing behind.
func TestFlat(t *testing.T) {
	c := start(t, setup{shards: 2, plain: true, node: "limits: {handshake_timeout: 2s}\nlog: {level: error}\n"})
	p := c.px[0]
	db := c.open("shop", interpolated)
	create(t, db)
	users(t, db, 20)
	garbage := []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x01", "\xff\xff\xff\x01" + strings.Repeat("x", 20000), "\x01\x00\x00\x07\x00",
		"\x20\x00\x00\x01" + strings.Repeat("\xff", 32), "\x05\x00\x00\x01ab", ""}
	round := func(bad, good int) {
		each(t, bad, func(i int) error {
			nc, err := net.DialTimeout("tcp", p.data, 10*time.Second)
			if err != nil {
				return err
			}
			defer nc.Close()
			if _, err := nc.Write([]byte(garbage[i%len(garbage)])); err == nil && i%3 == 0 {
				nc.Read(make([]byte, 1000)) // whatever the answer
			}
			return nil
		})
		each(t, good, func(i int) error {
			nc, err := login(p.data, "app", "app", "shop")
			if err != nil {
				return err
			}
			defer nc.Close()
			r := wire.NewConn(nc, 1<<20)
			for _, sql := range []string{fmt.Sprintf("SELECT name FROM users WHERE user_id = %d", i%20+1), "SELECT COUNT(*) FROM users", "SELECT @a := 1"} {
				if err := errors.Join(r.Command(wire.ComQuery, []byte(sql)), r.Flush()); err != nil {
					return err
				}
				if resp, err := wire.Discard(r); err != nil || resp.Err != nil {
					return errors.Join(err, resp.Err)
				}
			}
			return nil
		})
	}
	round(300, 300) // pools and caches fill up
	eventually(t, "the first are gone", func() bool { return p.sessions() == 1 })
	goroutines, memory := p.goroutines(), p.heap()
	round(2000, 2000)
	eventually(t, "all are gone", func() bool { return p.sessions() == 1 })
	eventually(t, "their goroutines have ended", func() bool { return p.goroutines() <= goroutines+10 })
	if now := p.heap(); now > memory+4<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", memory, now)
	}
	if now, _ := rss(t, p.PID()); now > 150 {
		t.Errorf("the process has %d MiB", now)
	}
}

// each runs f n times, some at once.
func each(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	work, errs := make(chan int), make(chan error, 16)
	for range 16 {
		go func() {
			var first error
			for i := range work {
				if err := f(i); first == nil {
					first = err
				}
			}
			errs <- first
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	for range 16 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// page reads one of the proxy's own pages.
func (p *px) page(path string) string {
	p.t.Helper()
	body, status, err := get(context.Background(), "http://"+p.http+path)
	if err != nil || status != 200 {
		p.t.Fatalf("%s: %d %v", path, status, err)
	}
	return body
}

// goroutines counts those of the proxy.
func (p *px) goroutines() int {
	p.t.Helper()
	head, _, _ := strings.Cut(p.page("/debug/pprof/goroutine?debug=1"), "\n")
	n, err := strconv.Atoi(head[strings.LastIndexByte(head, ' ')+1:])
	if err != nil {
		p.t.Fatalf("%q", head)
	}
	return n
}

// heap is what the proxy has in use after a collection.
func (p *px) heap() (bytes int) {
	p.t.Helper()
	for _, line := range strings.Split(p.page("/debug/pprof/heap?gc=1&debug=1"), "\n") {
		if value, ok := strings.CutPrefix(line, "# HeapAlloc = "); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				p.t.Fatal(err)
			}
			return n
		}
	}
	p.t.Fatal("no HeapAlloc")
	return 0
}

// sessions counts the clients, those that are not logged in yet not among them.
func (p *px) sessions() int {
	p.t.Helper()
	return len(column(p.t, p.dba(), "SHOW SESSIONS", "id"))
}
