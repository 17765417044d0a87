package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// A bank: accounts on all shards, and transfers between those of different shards. Every
// transfer writes two balances and two rows of a ledger in one transaction. It must be
// there as a whole or not at all, and as the client was told.
const bankSchema = `
  schemas:
    - name: shop
      default_shard: s0
      tables:
        accounts: {shard_key: user_id}
        ledger:   {shard_key: user_id}
        rates:    {kind: reference}
    - name: plain
      default_shard: s1
`

const (
	accounts = 300
	funds    = 1000 // of each account
)

type bank struct {
	t     *testing.T
	c     *cluster
	byRow [][]int // accounts by shard

	mu     sync.Mutex
	next   int
	told   map[int]verdict // by number of the transfer
	parts  map[int]int     // of transfers over more than two shards
	errors map[string]int
}

// ports and transactions' names would make every error another one.
var ports = regexp.MustCompile(`:\d+|[0-9a-f]{8}\.\S+`)

// verdict is what a client was told.
type verdict uint8

const (
	acknowledged verdict = iota
	refused              // nothing of it may be there
	unknown              // all or nothing
)

func newBank(t *testing.T, c *cluster, db *sql.DB) *bank {
	t.Helper()
	b := &bank{t: t, c: c, byRow: make([][]int, c.setup.shards), told: map[int]verdict{}, parts: map[int]int{}, errors: map[string]int{}}
	must(t, db, "CREATE TABLE accounts (user_id BIGINT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL)",
		"CREATE TABLE ledger (user_id BIGINT NOT NULL, transfer BIGINT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (user_id, transfer))")
	var rows []string
	for i := 1; i <= accounts; i++ {
		rows = append(rows, fmt.Sprintf("(%d, %d)", i, funds))
		shard := c.shardOf(strconv.Itoa(i))
		b.byRow[shard] = append(b.byRow[shard], i)
	}
	must(t, db, "INSERT INTO accounts VALUES "+strings.Join(rows, ","))
	return b
}

// pick gives two accounts of different shards.
func (b *bank) pick() (from, to int) {
	i := rand.IntN(len(b.byRow))
	j := (i + 1 + rand.IntN(len(b.byRow)-1)) % len(b.byRow)
	return b.byRow[i][rand.IntN(len(b.byRow[i]))], b.byRow[j][rand.IntN(len(b.byRow[j]))]
}

func (b *bank) number() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	return b.next
}

func (b *bank) note(n int, o verdict, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told[n] = o
	if err != nil {
		text := ports.ReplaceAllString(err.Error(), "…")
		if me := (*mysql.MySQLError)(nil); errors.As(err, &me) {
			text = fmt.Sprintf("%d (%s) %.120s", me.Number, me.SQLState, ports.ReplaceAllString(strings.TrimPrefix(me.Message, "sluice: "), "…"))
		}
		b.errors[[]string{"acknowledged", "refused", "unknown"}[o]+": "+text]++
	}
}

// transfer moves money and notes what the client was told of it.
func (b *bank) transfer(db *sql.DB) verdict {
	from, to := b.pick()
	return b.move(db, b.number(), from, to, nil)
}

func (b *bank) move(db *sql.DB, n, from, to int, beforeCommit func()) verdict {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		b.note(n, refused, err)
		return refused
	}
	amount := 1 + rand.IntN(5)
	for _, s := range []string{
		fmt.Sprintf("UPDATE accounts SET balance = balance - %d WHERE user_id = %d", amount, from),
		fmt.Sprintf("UPDATE accounts SET balance = balance + %d WHERE user_id = %d", amount, to),
		fmt.Sprintf("INSERT INTO ledger VALUES (%d, %d, -%d)", from, n, amount),
		fmt.Sprintf("INSERT INTO ledger VALUES (%d, %d, %d)", to, n, amount),
	} {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			_ = tx.Rollback()
			b.note(n, refused, err) // without a COMMIT nothing may be there
			return refused
		}
	}
	if beforeCommit != nil {
		beforeCommit()
	}
	err = tx.Commit()
	o := acknowledged
	var me *mysql.MySQLError
	switch {
	case err == nil:
	case errors.As(err, &me) && (me.Number == 1180 || me.Number == 1213 || me.Number == 1205 || me.Number == 1105):
		o = refused
	default:
		o = unknown
	}
	b.note(n, o, err)
	return o
}

// clients run transfers through a proxy until ctx ends or its connections are refused.
func (b *bank) clients(ctx context.Context, n int, p *px) *sync.WaitGroup {
	db := p.open("shop", func(c *mysql.Config) { c.ReadTimeout, c.Logger = 90*time.Second, &mysql.NopLogger{} })
	db.SetMaxOpenConns(n)
	wg := &sync.WaitGroup{}
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				if b.transfer(db) != acknowledged && !p.Running() {
					return
				}
			}
		})
	}
	return wg
}

// faults gives what is wrong; nothing is told to the test.
func (b *bank) faults() (list []string) {
	type side struct{ rows, sum int }
	ledger, balances, sums := map[int]side{}, map[int]int{}, map[int]int{}
	total := 0
	for _, s := range b.c.servers {
		for _, r := range s.Query("SELECT user_id, transfer, amount FROM shop.ledger") {
			user, _ := strconv.Atoi(r[0])
			n, _ := strconv.Atoi(r[1])
			amount, _ := strconv.Atoi(r[2])
			ledger[n] = side{ledger[n].rows + 1, ledger[n].sum + amount}
			sums[user] += amount
		}
		for _, r := range s.Query("SELECT user_id, balance FROM shop.accounts") {
			user, _ := strconv.Atoi(r[0])
			balances[user], _ = strconv.Atoi(r[1])
			total += balances[user]
		}
	}
	if total != accounts*funds || len(balances) != accounts {
		list = append(list, fmt.Sprintf("%d accounts hold %d, want %d", len(balances), total, accounts*funds))
	}
	for user, balance := range balances {
		if balance != funds+sums[user] {
			list = append(list, fmt.Sprintf("account %d holds %d, its ledger says %d", user, balance, funds+sums[user]))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for n := 1; n <= b.next; n++ {
		l, o := ledger[n], b.told[n]
		_, known := b.told[n]
		parts := 2
		if more, ok := b.parts[n]; ok {
			parts = more
		}
		switch {
		case l.rows != 0 && (l.rows != parts || l.sum != 0):
			list = append(list, fmt.Sprintf("transfer %d is there by half", n))
		case known && o == acknowledged && l.rows == 0:
			list = append(list, fmt.Sprintf("transfer %d was acknowledged and is not there", n))
		case known && o == refused && l.rows != 0:
			list = append(list, fmt.Sprintf("transfer %d was refused and is there", n))
		}
	}
	return list
}

// check fails the test for every fault, and says what the clients were told.
func (b *bank) check() {
	b.t.Helper()
	for i, f := range b.faults() {
		if i == 10 {
			break
		}
		b.t.Error(f)
	}
	b.summary()
}

func (b *bank) summary() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var counts [3]int
	for _, o := range b.told {
		counts[o]++
	}
	b.t.Logf("%d transfers: %d acknowledged, %d refused, %d unknown", b.next, counts[0], counts[1], counts[2])
	for text, n := range b.errors {
		b.t.Logf("%6d × %s", n, text)
	}
}

// prepared gives the branches of Sluice's on all shards.
func (b *bank) prepared() (list []string) {
	for i, s := range b.c.servers {
		for _, r := range s.Query("XA RECOVER") {
			if r[0] == "21328" {
				list = append(list, fmt.Sprintf("s%d: %s", i, r[3]))
			}
		}
	}
	return list
}

// settled waits until no branch is prepared on any shard, which must be so within limit.
func (b *bank) settled(limit time.Duration) time.Duration {
	b.t.Helper()
	began := time.Now()
	var list []string
	for time.Since(began) < limit {
		if list = b.prepared(); len(list) == 0 {
			return time.Since(began)
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Errorf("after %v there are still prepared branches: %v", limit, list)
	return limit
}

// recovered waits until no branch is prepared and no account is locked on any shard, which
// must be so within limit, without any help of a proxy that is asked something.
func (b *bank) recovered(limit time.Duration) time.Duration {
	b.t.Helper()
	began := time.Now()
	left := ""
	for time.Since(began) < limit {
		left = fmt.Sprint(b.prepared())
		if left == "[]" {
			left = ""
		}
		for i, s := range b.c.servers {
			if err := s.Try("BEGIN; SELECT user_id FROM shop.accounts FOR UPDATE NOWAIT; ROLLBACK"); err != nil {
				left += fmt.Sprintf(" s%d: %v", i, err)
			}
		}
		if left == "" {
			return time.Since(began)
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Errorf("after %v there is still: %s", limit, left)
	return limit
}

// waitDead waits until a proxy has met its fault.
func waitDead(t *testing.T, p *px, stopped bool) {
	t.Helper()
	for range 2400 {
		if stopped && processState(p.PID()) == "T" || !stopped && processState(p.PID()) != "R" && !p.Running() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s has not met its fault: %s", p.config, p.Log())
}
