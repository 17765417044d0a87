package binlog

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// XID gives the name that this package has for a branch.
func XID(format int64, gtrid, bqual []byte) string {
	return strconv.FormatInt(format, 10) + "." + hex.EncodeToString(gtrid) + "." + hex.EncodeToString(bqual)
}

// parsePrepare reads an XA_PREPARE_LOG_EVENT.
func parsePrepare(r *buffer) (onePhase bool, xid string, ok bool) {
	onePhase = r.le(1) != 0
	format := int32(r.le(4))
	g, b := int(r.le(4)), int(r.le(4))
	gtrid, bqual := r.take(g), r.take(b)
	return onePhase, XID(int64(format), gtrid, bqual), !r.bad
}

// xaVerb recognises the statements that servers write for XA: XA START, XA END, XA PREPARE,
// XA COMMIT and XA ROLLBACK, each with X'hex',X'hex',format.
func xaVerb(sql []byte) (verb, xid string, ok bool) {
	rest, isXA := bytes.CutPrefix(sql, []byte("XA "))
	if !isXA {
		return "", "", false
	}
	name, rest, _ := bytes.Cut(rest, []byte(" "))
	f := bytes.Split(bytes.TrimSpace(rest), []byte(","))
	if len(f) < 2 {
		return "", "", false
	}
	format := int64(1)
	if len(f) > 2 {
		digits, _, _ := bytes.Cut(bytes.TrimSpace(f[2]), []byte(" ")) // ONE PHASE may follow
		n, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil {
			return "", "", false
		}
		format = n
	}
	gtrid, ok1 := hexLiteral(f[0])
	bqual, ok2 := hexLiteral(f[1])
	return string(name), XID(format, gtrid, bqual), ok1 && ok2
}

func hexLiteral(b []byte) ([]byte, bool) {
	b = bytes.TrimSpace(b)
	if len(b) < 3 || b[0] != 'X' && b[0] != 'x' || b[1] != '\'' || b[len(b)-1] != '\'' {
		return nil, false
	}
	v, err := hex.DecodeString(string(b[2 : len(b)-1]))
	return v, err == nil
}
