// Package binlog reads a primary's binary log as a replica does and says which rows of
// chosen tables its transactions changed, in commit order, from an exact position on. It
// interprets events, XA branches included, and gives of each row only the columns that it
// was asked for, as text. It decodes the format itself: a few columns of few types are all
// that is needed, every length is checked, and nothing is allocated for other tables.
//
// It never skips: a position that is gone, an event whose checksum is wrong or that it does
// not know, and a table that is not what the reader was told end the stream with a *Fault.
// It neither connects again nor keeps what it has read; both are its caller's.
//
// Sources: the MySQL internals manual on "Binary Log Events" and "Rows_event",
// and MariaDB's knowledge base on "Replication Protocol" and "GTID_EVENT".
package binlog

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is a place between two events of a server's binary log.
type Position struct {
	File   string `json:"file"`
	Offset uint64 `json:"offset"`
}

func (p Position) String() string { return p.File + ":" + strconv.FormatUint(p.Offset, 10) }

// Before tells whether p comes before o in the log of the same server.
func (p Position) Before(o Position) bool {
	if p.File != o.File {
		return number(p.File) < number(o.File)
	}
	return p.Offset < o.Offset
}

// number gives the number at the end of a file's name: binlog.000012.
func number(file string) uint64 {
	n, _ := strconv.ParseUint(file[strings.LastIndexByte(file, '.')+1:], 10, 64) // not a number: the first file
	return n
}

// Fault is the end of a stream that reading again from the same position does not help.
type Fault struct {
	Reason string // what was met, and where
}

func (f *Fault) Error() string { return f.Reason }

func faultf(format string, args ...any) error { return &Fault{fmt.Sprintf(format, args...)} }

// Column is a column whose values are asked for.
type Column struct {
	Index    int  // in the table's definition, from 0; generated and invisible ones count
	Unsigned bool // of an integer
	Fill     int  // of BINARY(n): n; the log leaves zero bytes at the end out
}

// Table is a table whose changes are asked for.
type Table struct {
	ID      int // the caller's own
	Width   int // number of columns; 0 is any
	Columns []Column
}

// Row are the values of the asked columns, in their order, nil for NULL: integers, years
// and decimals in digits, the index of an ENUM and the bits of a SET in digits, dates as
// servers print them, a TIMESTAMP in UTC, strings as the bytes of their character set. nil
// is no row: before an insert, after a delete. Valid until the handler returns.
type Row [][]byte

// End says how a transaction ended.
type End int

const (
	Committed  End = iota // its rows take effect here
	Prepared              // an XA branch: nothing takes effect
	Finished              // XA COMMIT of a branch that was prepared earlier
	RolledBack            // XA ROLLBACK of one, or a transaction that was rolled back
)

// Transaction is what is known at the end of one.
type Transaction struct {
	End    End
	XID    string   // of Prepared, Finished and RolledBack: formatID and both parts in hex; "" is no branch
	GTID   string   // in the server's own notation
	Start  Position // before its first event
	Next   Position // after its last
	Second uint32   // when it ended, by the server's clock, in Unix time
}

// Handler is given what a stream reads, in the order of the log. An error ends Read.
type Handler interface {
	// Changed is one row of the transaction that is being read.
	Changed(table *Table, before, after Row) error
	// Statement is a statement in the log that is no row: DDL, or a change that was logged as
	// a statement. sql is valid until it returns.
	Statement(schema string, sql []byte) error
	// Ended ends the transaction to which the calls since the last Ended belong.
	Ended(t Transaction) error
}
