package main

import (
	"context"
	"database/sql"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"sluice/internal/testkit"
)

// moveTable has rows of some 200 bytes and a second index.
const moveTable = "(id BIGINT NOT NULL PRIMARY KEY, v INT NOT NULL, g INT NOT NULL, name VARCHAR(40) NOT NULL, note VARCHAR(200) NOT NULL, KEY (g)) DEFAULT CHARSET=utf8mb4"

// Half of the slots moves.
const (
	movedSlots = "0-8191"
	movedWhere = "MOD(CRC32(id), 16384) < 8192"
	writers    = 8
)

type moveBench struct {
	o      *options
	source *testkit.Server
	target *testkit.Server
	admin  *sql.DB
	data   *sql.DB
}

// measureMoves moves half of a table there while nothing else happens, beside a dump of the
// same rows between the same servers, and back while clients read and write.
func (h *house) measureMoves(ctx context.Context, o *options) error {
	fmt.Println("== starting two shards and a proxy")
	server := func(id int) *testkit.Server {
		s := testkit.MariaDB(h, testkit.Binlog(id), testkit.Args("--binlog-format=ROW", "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=512M",
			"--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"))
		s.Exec("CREATE DATABASE bench")
		return s
	}
	b := &moveBench{o: o, source: server(1), target: server(2)}
	proxy := h.proxy("sluice", o.sluice, []string{b.source.Addr}, "many: {shard_key: id}")
	at := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	var err error
	if b.admin, err = testkit.Open(at(proxy.admin), "root", "root", ""); err != nil {
		return err
	}
	defer b.admin.Close()
	b.admin.SetMaxOpenConns(1)
	if b.data, err = testkit.Open(at(proxy.port), "app", "app", "bench"); err != nil {
		return err
	}
	defer b.data.Close()
	b.data.SetMaxIdleConns(writers)
	fmt.Printf("== %d rows\n", o.moved)
	b.source.Exec("CREATE TABLE bench.many "+moveTable, fmt.Sprintf("INSERT INTO bench.many SELECT seq, 0, seq %% 1000, CONCAT('name ', seq), REPEAT(MD5(seq), 4) FROM bench.seq_1_to_%d", o.moved))
	if _, err := b.admin.ExecContext(ctx, fmt.Sprintf("ADD SHARD s1 PRIMARY '%s'", b.target.Addr)); err != nil {
		return err
	}
	var dumped, copied, ratio, before, during, kept, held, waited []float64
	phases := map[string][]float64{} // of before, while the move was in each state
	var states []string              // in their order
	for range o.rounds {
		d, err := b.dump(ctx)
		if err != nil {
			return err
		}
		m, err := b.move(ctx, "s1", nil)
		if err != nil {
			return err
		}
		dumped, copied, ratio = append(dumped, d), append(copied, m.rate), append(ratio, m.rate/d)
		load := b.load(ctx)
		load.rate(2 * time.Second) // warm
		was := load.rate(o.time)
		load.reset()
		m, err = b.move(ctx, "s0", load)
		longest := load.end()
		if err != nil {
			return err
		}
		before, held, waited = append(before, was), append(held, longest...), append(waited, m.pause)
		during, kept = append(during, load.during), append(kept, load.during/was)
		for _, p := range m.phases {
			if phases[p.state] == nil {
				states = append(states, p.state)
			}
			phases[p.state] = append(phases[p.state], p.rate()/was)
			fmt.Printf("   %-12s %5.1f s, %.0f statements/s\n", p.state, p.took.Seconds(), p.rate())
		}
	}
	slices.Sort(held)
	at2 := func(q float64) float64 { return held[min(len(held)-1, int(q*float64(len(held))))] }
	printRows(fmt.Sprintf("half of %d rows to another server, %d rounds", o.moved, o.rounds), "way\trows/s\tratio\t(min … max)",
		fmt.Sprintf("mariadb-dump | mariadb\t%.0f\t1.00", median(dumped)),
		fmt.Sprintf("MOVE SLOTS, copying\t%.0f\t%.2f\t(%.2f … %.2f)", median(copied), median(ratio), slices.Min(ratio), slices.Max(ratio)))
	printRows(fmt.Sprintf("%d clients meanwhile, a read and a write in turn", writers), "\tstatements/s\tof before\t(min … max)",
		fmt.Sprintf("before\t%.0f\t1.00", median(before)),
		fmt.Sprintf("from the start to the end of the move\t%.0f\t%.2f\t(%.2f … %.2f)", median(during), median(kept), slices.Min(kept), slices.Max(kept)))
	var rows []string
	for _, state := range states {
		rows = append(rows, fmt.Sprintf("%s\t%.2f", state, median(phases[state])))
	}
	printRows("the clients' statements in each state", "state\tof before", rows...)
	printRows("how long the switch held writes, ms", "\tp50\tp99\tmax",
		fmt.Sprintf("the longest write of each client to the slots\t%.0f\t%.0f\t%.0f", at2(.5), at2(.99), held[len(held)-1]),
		fmt.Sprintf("pause_ms of SHOW MIGRATIONS\t%.0f\t\t%.0f", median(waited), slices.Max(waited)))
	return nil
}

// dump pipes the rows that will move through the servers' own tools.
func (b *moveBench) dump(ctx context.Context) (rate float64, err error) {
	b.target.Exec("DROP DATABASE IF EXISTS dumped", "CREATE DATABASE dumped")
	began := time.Now()
	cmd := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf("mariadb-dump --socket=%s -uroot --single-transaction --where='%s' bench many | mariadb --socket=%s -uroot dumped",
		b.source.Socket, movedWhere, b.target.Socket))
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("mariadb-dump: %w: %s", err, out)
	}
	took := time.Since(began)
	n, err := strconv.Atoi(b.target.Value("SELECT COUNT(*) FROM dumped.many"))
	b.target.Exec("DROP DATABASE dumped")
	return float64(n) / took.Seconds(), err
}

type moved struct {
	rate, pause float64
	phases      []phase
}

// phase is how many statements clients ran while a move was in a state.
type phase struct {
	state string
	took  time.Duration
	done  int
}

func (p *phase) rate() float64 { return float64(p.done) / max(p.took.Seconds(), 1e-3) }

// pollEvery is how often a move is looked at: each look reads the cluster's store.
const pollEvery = 50 * time.Millisecond

// move moves the slots and gives the rows copied a second while they were copied, and, of a
// load, what it did meanwhile.
func (b *moveBench) move(ctx context.Context, to string, l *appLoad) (m moved, err error) {
	var id int64
	if err := b.first(ctx, "MOVE SLOTS "+movedSlots+" TO "+to+" AUTO", func(v map[string]string) { id, _ = strconv.ParseInt(v["migration"], 10, 64) }); err != nil {
		return m, err
	}
	var began, ended time.Time
	rows := 0.0
	last, was := time.Now(), l.count()
	for ctx.Err() == nil {
		state, failure := "", ""
		err := b.first(ctx, "SHOW MIGRATIONS", func(v map[string]string) {
			if v["migration"] == strconv.FormatInt(id, 10) {
				state, failure = v["state"], v["error"]
				rows, _ = strconv.ParseFloat(v["copied_rows"], 64)
				m.pause, _ = strconv.ParseFloat(v["pause_ms"], 64)
			}
		})
		now, count := time.Now(), l.count()
		if n := len(m.phases); n == 0 || m.phases[n-1].state != state {
			m.phases = append(m.phases, phase{state: state})
		}
		p := &m.phases[len(m.phases)-1]
		p.took, p.done = p.took+now.Sub(last), p.done+count-was
		last, was = now, count
		switch {
		case err != nil:
			return m, err
		case state == "copying" && began.IsZero():
			began = time.Now()
		case state != "copying" && state != "preparing" && ended.IsZero():
			ended = time.Now()
			m.rate = rows / ended.Sub(began).Seconds()
		case state == "failed" || state == "cancelled":
			return m, fmt.Errorf("migration %d: %s", id, failure)
		case state == "completed":
			return m, nil
		}
		time.Sleep(pollEvery)
	}
	return m, ctx.Err()
}

// first runs a statement and gives its rows by their columns' names.
func (b *moveBench) first(ctx context.Context, statement string, f func(map[string]string)) error {
	r, err := b.admin.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer r.Close()
	columns, err := r.Columns()
	if err != nil {
		return err
	}
	for r.Next() {
		values, at := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			at[i] = &values[i]
		}
		if err := r.Scan(at...); err != nil {
			return err
		}
		row := map[string]string{}
		for i, c := range columns {
			row[c] = values[i].String
		}
		f(row)
	}
	return r.Err()
}

// appLoad is clients that read and write single rows.
type appLoad struct {
	stop   context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	done   int
	began  time.Time
	during float64
	held   [writers]time.Duration // the longest write to a moving slot
	err    error
}

func (b *moveBench) load(ctx context.Context) *appLoad {
	ctx, stop := context.WithCancel(ctx)
	l := &appLoad{stop: stop, began: time.Now()}
	for i := range writers {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				id := 1 + rand.IntN(b.o.moved)
				var v int
				err := b.data.QueryRowContext(ctx, fmt.Sprintf("SELECT v FROM many WHERE id = %d", id)).Scan(&v)
				began := time.Now()
				if err == nil {
					_, err = b.data.ExecContext(ctx, fmt.Sprintf("UPDATE many SET v = v + 1 WHERE id = %d", id))
				}
				took := time.Since(began)
				l.mu.Lock()
				if err != nil && ctx.Err() == nil {
					l.err = err
				}
				l.done += 2
				if crc32.ChecksumIEEE([]byte(strconv.Itoa(id)))%16384 < 8192 {
					l.held[i] = max(l.held[i], took)
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

// count is the statements so far, 0 without a load.
func (l *appLoad) count() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

// rate gives the statements a second of a stretch of time.
func (l *appLoad) rate(d time.Duration) float64 {
	n, began := l.count(), time.Now()
	time.Sleep(d)
	return float64(l.count()-n) / time.Since(began).Seconds()
}

func (l *appLoad) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done, l.began, l.held = 0, time.Now(), [writers]time.Duration{}
}

// end gives the longest write of each client, in ms.
func (l *appLoad) end() (longest []float64) {
	l.mu.Lock()
	l.during = float64(l.done) / time.Since(l.began).Seconds()
	l.mu.Unlock()
	l.stop()
	l.wg.Wait()
	if l.err != nil {
		fmt.Println("A CLIENT WAS REFUSED:", l.err)
	}
	for _, d := range l.held {
		longest = append(longest, float64(d.Microseconds())/1000)
	}
	return longest
}
