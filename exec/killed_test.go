package exec

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/backend"
	"sluice/shard"
	"sluice/wire"
)

// killer is a path to a server on which a KILL QUERY hits the first statements that begin in a
// certain way: before the server has run it, or so late that it has.
type killer struct {
	addr  string
	what  atomic.Pointer[victim]
	times atomic.Int32 // that are left
}

type victim struct {
	begins string
	late   bool
}

const killed = "SIGNAL SQLSTATE '70100' SET MYSQL_ERRNO = 1317, MESSAGE_TEXT = 'Query execution was interrupted'"

func newKiller(t *testing.T, server string) *killer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	k := &killer{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if s, err := net.Dial("tcp", server); err == nil {
				go k.serve(c, s)
			} else {
				c.Close()
			}
		}
	}()
	return k
}

func (k *killer) kill(begins string, late bool, times int32) {
	k.what.Store(&victim{begins, late})
	k.times.Store(times)
}

func (k *killer) serve(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	var drop atomic.Bool
	dropped := make(chan struct{})
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				client.Close()
				return
			}
			if drop.CompareAndSwap(true, false) {
				dropped <- struct{}{}
			} else if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	for {
		var head [4]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return
		}
		body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if v := k.what.Load(); v != nil && head[3] == 0 && bytes.HasPrefix(body, []byte("\x03"+v.begins)) && k.times.Add(-1) >= 0 {
			if v.late {
				drop.Store(true)
				if _, err := server.Write(append(head[:], body...)); err != nil {
					return
				}
				<-dropped
			}
			body = []byte("\x03" + killed)
			head = [4]byte{byte(len(body))}
		}
		if _, err := server.Write(append(head[:], body...)); err != nil {
			return
		}
	}
}

// TestGatherKilledShadow: whichever step a KILL QUERY hits, a copy with its table's name is gone
// before the connection does anything else, and its settings are back; else it is closed.
func TestGatherKilledShadow(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		fill(w)
		k := newKiller(t, w.server.Addr)
		spec := shard.Spec{Backend: shard.Backend{User: "sluice", Password: "sluice", MaxConnections: 8}}
		for i, link := range w.links {
			spec.Shards = append(spec.Shards, shard.Shard{Name: w.m.ShardName(i), Primary: link.Addr})
		}
		spec.Shards[0].Primary = k.addr
		spec.Ranges = shard.Deal(spec.Shards)
		m, err := shard.New(1, spec)
		if err != nil {
			t.Fatal(err)
		}
		w.pools = backend.Open(backend.Options{}, m)
		t.Cleanup(w.pools.Close)
		own := w.server.Query("SELECT COUNT(*) FROM " + w.names[0] + ".items")[0][0]
		for _, c := range []struct {
			begins string
			late   bool
			times  int32
			closed bool
		}{
			{"SET SESSION character_set_client=binary, SESSION collation_connection=", false, 1, false},
			{"SET SESSION character_set_client=binary, SESSION collation_connection=", true, 1, false},
			{"SET SESSION character_set_client=utf8mb4, SESSION collation_connection=", true, 1, false},
			{"CREATE TEMPORARY TABLE ", false, 1, false},
			{"CREATE TEMPORARY TABLE ", true, 1, false},
			{"DROP TEMPORARY TABLE ", true, 1, false},
			{"DROP TEMPORARY TABLE ", false, 2, true},
		} {
			b := w.gathered(0, false, "SELECT COUNT(*) FROM sluice_g1", "", nil)
			b.Gathering.Tables[0].Name, b.Gathering.Tables[0].Shadow = "items", true
			b.Legs[0].SQL = []byte("SELECT COUNT(*) FROM items")
			l := newKept(w)
			var before [][][]byte
			l.leased = func(sh int) {
				for conn, of := range l.open {
					if sh == 0 && of == 0 {
						_, before, err = conn.Query(restored)
					}
				}
			}
			k.kill(c.begins, c.late, c.times)
			_, out, failed := w.run(context.Background(), l, request(b, nil))
			if !strings.HasPrefix(c.begins, "DROP") && !wire.IsCode(failed, 1317) || err != nil {
				t.Errorf("%+v: %v, %v", c, failed, err)
			}
			clean := true
			if out.Cleanup != nil {
				clean = out.Cleanup() == nil
			}
			if clean == c.closed {
				t.Errorf("%+v: clean %v", c, clean)
			}
			if clean {
				_, rows, err := out.Home.Query("SELECT COUNT(*) FROM items")
				if err != nil || string(rows[0][0]) != own {
					t.Errorf("%+v: the table has %q, %v; want %s", c, rows, err, own)
				}
				_, now, err := out.Home.Query(restored)
				if err != nil || string(bytes.Join(now[0], []byte{' '})) != string(bytes.Join(before[0], []byte{' '})) {
					t.Errorf("%+v: the settings are %q, %v; were %q", c, now, err, before)
				}
			}
			l.ended[out.Home] = l.ended[out.Home] && clean
			out.Cleanup = nil
			l.end(&out)
		}
	})
}

const restored = "SELECT @@sql_mode, @@time_zone, @@character_set_client, @@collation_connection, @@character_set_results"
