package txn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// formatID marks the branches of Sluice among all in XA RECOVER.
const formatID = 0x5350

// xid names a transaction over several shards. It says all that a proxy which finds one
// of its branches must know:
//
//	cluster.started.process.number.coordinator.connection
//
// the cluster (others may use the same servers), when the transaction was named (so that
// decision rows are written at the end of their table), the process of the proxy, the
// shard that has the decision, and the connection on which it is taken.
type xid struct {
	cluster     string // 8 hex digits
	started     time.Time
	process     string // 12 hex digits
	number      uint64
	coordinator string // shardID
	thread      uint32
}

const startedDigits = 9 // of milliseconds in base 36: until the year 5188

func (x *xid) String() string {
	ms := strconv.FormatInt(x.started.UnixMilli(), 36)
	return x.cluster + "." + strings.Repeat("0", max(startedDigits-len(ms), 0)) + ms + "." + x.process + "." + strconv.FormatUint(x.number, 36) +
		"." + x.coordinator + "." + strconv.FormatUint(uint64(x.thread), 36)
}

// shardID is a shard's name in the 8 hex digits that a branch's name has room for.
func shardID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:4])
}

func parseXID(text string) (x xid, err error) {
	f := strings.Split(text, ".")
	if len(f) != 6 || !isHex(f[0], 8) || len(f[1]) != startedDigits || !isHex(f[2], 12) || !isHex(f[4], 8) {
		return x, fmt.Errorf("%.64q names no transaction of Sluice's", text)
	}
	ms, err1 := strconv.ParseInt(f[1], 36, 64)
	number, err2 := strconv.ParseUint(f[3], 36, 64)
	thread, err3 := strconv.ParseUint(f[5], 36, 32)
	if err1 != nil || err2 != nil || err3 != nil || ms < 0 {
		return x, fmt.Errorf("%.64q names no transaction of Sluice's", text)
	}
	x = xid{cluster: f[0], started: time.UnixMilli(ms), process: f[2], number: number, coordinator: f[4], thread: uint32(thread)}
	if x.String() != text { // what is not written as Sluice writes it may stand in no statement
		return x, fmt.Errorf("%.64q names no transaction of Sluice's", text)
	}
	return x, nil
}

func isHex(s string, n int) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == n
}

// branch is one shard's part of a transaction: its name has the connection that has it,
// because a MariaDB server lets nobody else finish the branch while that one lives.
type branch struct {
	gtrid  string
	shard  string // shardID
	thread uint32
}

func (b *branch) bqual() string { return b.shard + "." + strconv.FormatUint(uint64(b.thread), 36) }

// String is what stands behind the verb in XA statements.
func (b *branch) String() string {
	return "'" + b.gtrid + "','" + b.bqual() + "'," + strconv.Itoa(formatID)
}

func parseBranch(gtrid, bqual string) (b branch, err error) {
	id, thread, ok := strings.Cut(bqual, ".")
	n, err := strconv.ParseUint(thread, 36, 32)
	b = branch{gtrid: gtrid, shard: id, thread: uint32(n)}
	if !ok || err != nil || !isHex(id, 8) || b.bqual() != bqual {
		return b, fmt.Errorf("%.64q names no branch of Sluice's", bqual)
	}
	return b, nil
}
