package txn

import (
	"strings"
)

// characteristics are what the client has said of a transaction.
type characteristics struct {
	begin string // statement that opens the first leg; "" under autocommit=0: the server opens it
	next  string // SET TRANSACTION … that applies to this transaction only
}

// Snapshot is the characteristic of START TRANSACTION that opens the read view at once.
const Snapshot = "WITH CONSISTENT SNAPSHOT"

// Chain gives what Begin needs for a transaction with the same characteristics, for AND
// CHAIN. A consistent snapshot is not one of them.
func (t *characteristics) Chain() (begin, characteristics string) {
	begin = strings.Replace(t.begin, Snapshot+", ", "", 1)
	begin = strings.TrimSpace(strings.Replace(begin, Snapshot, "", 1))
	return strings.TrimSuffix(begin, ","), t.next
}

// Freeze gives an open transaction the characteristics that it has, in a SET TRANSACTION
// statement, because the session's own are about to change: legs that join later, and a
// transaction that follows with AND CHAIN, must not get those.
func (t *characteristics) Freeze(next string) { t.next = next }

// readOnly tells whether the transaction itself was said to be READ ONLY.
func (t *characteristics) readOnly() bool {
	return strings.Contains(t.begin, "READ ONLY") || strings.Contains(t.next, "READ ONLY") && !strings.Contains(t.begin, "READ WRITE")
}

// startBranch gives the statements that open a branch with the transaction's
// characteristics, which XA START has no words for.
func (t *characteristics) startBranch(name string, bound bool) (statements []string) {
	if bound {
		statements = append(statements, boundWait)
	}
	if strings.Contains(t.begin, "READ WRITE") {
		statements = append(statements, "SET TRANSACTION READ WRITE")
	}
	statements = append(statements, "XA START "+name)
	if strings.Contains(t.begin, Snapshot) {
		statements = append(statements, "SELECT 1 FROM _sluice.decisions LIMIT 1") // any read opens the view
	}
	return statements
}
