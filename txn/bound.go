package txn

import "strconv"

// lockWait is the innodb_lock_wait_timeout, in seconds, of a transaction over several
// shards: a deadlock that goes round over two servers is seen by neither of them. A shard is told before its first
// statement that may wait for a lock.
const lockWait = 5

var boundWait = "SET innodb_lock_wait_timeout = " + strconv.Itoa(lockWait)

// restoreOf gives what takes the bound back where the session's own innodb_lock_wait_timeout is wait, "" the server's. ""
// where that is as short: it needs no bound.
func restoreOf(wait string) string {
	n, err := strconv.Atoi(wait)
	switch {
	case err != nil:
		return "SET innodb_lock_wait_timeout = DEFAULT"
	case n <= lockWait:
		return ""
	}
	return "SET innodb_lock_wait_timeout = " + strconv.Itoa(n)
}

// Bound bounds the waits for locks on a shard that has joined, in a transaction over several shards, before a
// statement that may wait for one. It goes out with that (backend.Conn.Later): where it fails, the connection is lost
// and with it what the statement has done. wait is as in Joining.
func (t *Tx) Bound(shard, wait string) error {
	for i := range t.legs {
		l := &t.legs[i]
		if l.Shard != shard {
			continue
		}
		l.reads = false
		if t.gtrid != "" && l.restore == "" {
			if l.restore = restoreOf(wait); l.restore != "" {
				return l.Conn.Later(boundWait)
			}
		}
	}
	return nil
}

// Unbound notes that the session's own innodb_lock_wait_timeout was set on a shard.
func (t *parts) Unbound(shard string) {
	for i := range t.legs {
		if t.legs[i].Shard == shard {
			t.legs[i].restore = ""
		}
	}
}

// last adds to the last statements for a leg what takes the bound of its waits back.
func (l *Leg) last(statements []string) []string {
	if l.restore != "" {
		return append(statements[:len(statements):len(statements)], l.restore)
	}
	return statements
}
