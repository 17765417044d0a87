package mover

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
)

// BenchmarkCopy copies a table of 300,000 rows of 200 bytes (SLUICE_ROWS says otherwise), and has mariadb-dump | mariadb
// do the same between the same two servers, in turn:
//
//	go test ./mover -run xxx -bench Copy -benchtime 2x
//
// vs-dump is the mover's rows a second over those of the dump; heap-MiB is the most that the
// process had in use.
func BenchmarkCopy(b *testing.B) {
	rows := 300_000
	if n, err := strconv.Atoi(os.Getenv("SLUICE_ROWS")); err == nil {
		rows = n
	}
	w := newWorld(b, testkit.MariaDBFlavor)
	w.src.Exec("CREATE TABLE app.t (id BIGINT PRIMARY KEY, user_id INT NOT NULL, c CHAR(120) NOT NULL, pad VARCHAR(60) NOT NULL, d DECIMAL(12,2), at DATETIME, KEY (user_id))",
		"USE app; INSERT INTO t SELECT seq, seq % 50000, REPEAT(MD5(seq), 3), MD5(seq + 1), seq / 7, '2024-05-06 07:08:09' FROM seq_1_to_"+strconv.Itoa(rows))
	var mover, dump time.Duration
	var heap uint64
	for i := range b.N {
		w.dst.Exec("DROP DATABASE IF EXISTS app; CREATE DATABASE app; CREATE DATABASE IF NOT EXISTS dumped; DROP TABLE IF EXISTS dumped.t")
		o := w.options([]shard.Span{{First: 0, Last: shard.Slots - 1}}, Table{Schema: "app", Name: "t", Key: "user_id"})
		o.ID = int64(i + 1)
		began := time.Now()
		r := w.run(must(b, New(o)))
		for !r.Status().Tables[0].Done {
			time.Sleep(20 * time.Millisecond)
			var ms runtime.MemStats
			runtime.ReadMemStats(&ms)
			heap = max(heap, ms.HeapInuse)
			select {
			case <-r.done:
				b.Fatal(r.last)
			default:
			}
		}
		mover += time.Since(began)
		if err := r.stop(); err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		pipe := fmt.Sprintf("mariadb-dump -uroot -h127.0.0.1 -P%s --single-transaction --quick app t | mariadb -uroot -h127.0.0.1 -P%s dumped", port(w.src), port(w.dst))
		if out, err := exec.Command("/bin/sh", "-c", pipe).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		dump += time.Since(began)
	}
	n := float64(rows * b.N)
	b.ReportMetric(n/mover.Seconds(), "rows/s")
	b.ReportMetric(n/dump.Seconds(), "dump-rows/s")
	b.ReportMetric(dump.Seconds()/mover.Seconds(), "vs-dump")
	b.ReportMetric(float64(heap)/(1<<20), "heap-MiB")
}

func port(s *testkit.Server) string { return s.Addr[len("127.0.0.1:"):] }
