package binlog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"hash/crc32"
)

// Types of events.
const (
	evQuery            = 2
	evStop             = 3
	evRotate           = 4
	evIntvar           = 5
	evRand             = 13
	evUserVar          = 14
	evFormat           = 15
	evXID              = 16
	evBeginLoad        = 17
	evExecuteLoad      = 18
	evTableMap         = 19
	evWriteV1          = 23
	evUpdateV1         = 24
	evDeleteV1         = 25
	evIncident         = 26
	evHeartbeat        = 27
	evIgnorable        = 28
	evRowsQuery        = 29
	evWriteV2          = 30
	evUpdateV2         = 31
	evDeleteV2         = 32
	evGTID             = 33
	evAnonymousGTID    = 34
	evPreviousGTIDs    = 35
	evTransContext     = 36
	evViewChange       = 37
	evXAPrepare        = 38
	evPartialUpdate    = 39
	evPayload          = 40
	evHeartbeatV2      = 41
	evTaggedGTID       = 42
	evAnnotate         = 160 // from here on MariaDB's
	evCheckpoint       = 161
	evMariaGTID        = 162
	evMariaGTIDList    = 163
	evStartEncryption  = 164
	evQueryCompressed  = 165
	evRowsCompressed   = 166
	evRowsCompressedV2 = 171
)

const (
	headerSize     = 19
	flagArtificial = 0x20
	flagIgnorable  = 0x80
)

// rowsEvent says what an event with rows has.
type rowsEvent struct{ before, after, v2 bool }

var rowsEvents = map[byte]rowsEvent{
	evWriteV1: {after: true}, evUpdateV1: {before: true, after: true}, evDeleteV1: {before: true},
	evWriteV2: {after: true, v2: true}, evUpdateV2: {before: true, after: true, v2: true}, evDeleteV2: {before: true, v2: true},
}

// header is what stands before each event.
type header struct {
	second uint32
	typ    byte
	server uint32
	next   uint32 // offset of the event that follows; 0: none is meant
	flags  uint16
}

// event interprets one event.
func (s *Stream) event(b []byte, h Handler) error {
	if len(b) < headerSize {
		return errShort
	}
	hd := header{second: le32(b), typ: b[4], server: le32(b[5:]), next: le32(b[13:]), flags: uint16(b[17]) | uint16(b[18])<<8}
	if size := le32(b[9:]); int64(size) != int64(len(b)) {
		return errShort
	}
	if hd.typ == evFormat {
		if err := s.format(b); err != nil {
			return err
		}
	}
	if s.checksum {
		if len(b) < headerSize+4 {
			return errShort
		}
		end := len(b) - 4
		if crc32.ChecksumIEEE(b[:end]) != le32(b[end:]) {
			return faultf("the checksum of the event after %v is wrong: the binary log or the way to it is damaged", s.pos)
		}
		b = b[:end]
	}
	body := &buffer{b: b[headerSize:]}
	if hd.typ == evRotate {
		return s.rotate(body, h)
	}
	if real := hd.next != 0 && hd.flags&flagArtificial == 0 && hd.typ != evHeartbeat && hd.typ != evHeartbeatV2; real {
		if uint64(hd.next) < s.pos.Offset && hd.typ != evFormat {
			return faultf("the offsets in %s go back after %v: a transaction in it is larger than 4 GiB; CANCEL and start again", s.pos.File, s.pos)
		}
		s.pos.Offset = max(s.pos.Offset, uint64(hd.next))
	}
	return s.dispatch(hd, body, h)
}

func (s *Stream) dispatch(hd header, body *buffer, h Handler) error {
	switch hd.typ {
	case evTableMap:
		return s.parseTableMap(body, s.idSize)
	case evWriteV1, evUpdateV1, evDeleteV1, evWriteV2, evUpdateV2, evDeleteV2:
		s.open = true
		return s.parseRows(body, s.idSize, rowsEvents[hd.typ], h)
	case evXID:
		return s.ended(hd, h, Committed, "")
	case evQuery:
		return s.query(hd, body, h)
	case evXAPrepare:
		onePhase, xid, ok := parsePrepare(body)
		if !ok {
			return errShort
		}
		if onePhase {
			return s.ended(hd, h, Committed, "")
		}
		return s.ended(hd, h, Prepared, xid)
	case evMariaGTID:
		seq, domain, flags := body.le(8), body.le(4), body.le(1)
		s.gtid, s.single, s.open = fmt.Sprintf("%d-%d-%d", domain, hd.server, seq), flags&1 != 0, true
	case evGTID, evTaggedGTID, evAnonymousGTID:
		s.single, s.open = false, true
		if hd.typ == evGTID {
			body.take(1)
			sid := hex.EncodeToString(body.take(16))
			s.gtid = fmt.Sprintf("%s:%d", sid, body.le(8))
		}
	case evExecuteLoad:
		return h.Statement("", []byte("LOAD DATA"))
	case evFormat, evStop, evIntvar, evRand, evUserVar, evBeginLoad, evHeartbeat, evHeartbeatV2, evIgnorable, evRowsQuery,
		evPreviousGTIDs, evTransContext, evViewChange, evAnnotate, evCheckpoint, evMariaGTIDList:
	case evIncident:
		return faultf("the server says after %v that its binary log has a gap (INCIDENT); CANCEL and start again", s.pos)
	case evPartialUpdate:
		return faultf("the binary log has parts of JSON values after %v; set binlog_row_value_options=''", s.pos)
	case evPayload, evQueryCompressed:
		return faultf("the binary log is compressed after %v; set binlog_transaction_compression (MySQL) or log_bin_compress (MariaDB) to OFF", s.pos)
	case evStartEncryption: // sent as it is; what follows comes decrypted
	default:
		if hd.typ >= evRowsCompressed && hd.typ <= evRowsCompressedV2 {
			return faultf("the binary log is compressed after %v; set log_bin_compress to OFF", s.pos)
		}
		if hd.flags&flagIgnorable == 0 {
			return faultf("an event of the unknown type %d follows %v", hd.typ, s.pos)
		}
	}
	if body.bad {
		return errShort
	}
	return nil
}

// format reads a FORMAT_DESCRIPTION_EVENT: which checksum the events of the file have, and
// how wide a table's number is. It has always room for a checksum itself.
func (s *Stream) format(b []byte) error {
	const fixed = headerSize + 2 + 50 + 4 + 1
	if len(b) < fixed+evTableMap+5 {
		return errShort
	}
	switch alg := b[len(b)-5]; alg {
	case 0:
		s.checksum = false
	case 1:
		s.checksum = true
	default:
		return faultf("the binary log %s has checksums of the unknown kind %d", s.pos.File, alg)
	}
	if s.idSize = 6; b[fixed+evTableMap-1] == 6 {
		s.idSize = 4
	}
	return nil
}

// rotate goes to another file. No transaction goes on over two: one that did not end was
// cut short by a crash.
func (s *Stream) rotate(body *buffer, h Handler) error {
	offset := body.le(8)
	if body.bad || len(body.b) == 0 {
		return errShort
	}
	file := string(body.b)
	if file == s.pos.File {
		return nil
	}
	s.pos = Position{File: file, Offset: offset}
	clear(s.tables)
	if s.open {
		return s.ended(header{}, h, RolledBack, "")
	}
	s.start = s.pos
	return nil
}

// query interprets a QUERY_EVENT.
func (s *Stream) query(hd header, body *buffer, h Handler) error {
	body.take(8) // thread, time
	schemaSize := int(body.le(1))
	body.take(2) // error
	body.take(int(body.le(2)))
	schema := string(body.take(schemaSize))
	body.take(1)
	if body.bad {
		return errShort
	}
	sql := body.b
	if verb, xid, ok := xaVerb(sql); ok {
		switch verb {
		case "COMMIT":
			return s.ended(hd, h, Finished, xid)
		case "ROLLBACK":
			return s.ended(hd, h, RolledBack, xid)
		case "START", "BEGIN", "END", "PREPARE":
			s.open, s.single = true, false
			return nil
		}
		return faultf("the statement %.100q follows %v and is not known", sql, s.pos)
	}
	switch {
	case is(sql, "BEGIN"):
		s.open, s.single = true, false
		return nil
	case is(sql, "COMMIT"):
		return s.ended(hd, h, Committed, "")
	case is(sql, "ROLLBACK"):
		return s.ended(hd, h, RolledBack, "")
	case prefix(sql, "SAVEPOINT ") || prefix(sql, "ROLLBACK TO ") || prefix(sql, "RELEASE SAVEPOINT "):
		return nil
	}
	if err := h.Statement(schema, sql); err != nil {
		return err
	}
	if ddl := s.single || !changesRows(sql); ddl {
		return s.ended(hd, h, Committed, "")
	}
	return nil
}

// changesRows tells whether a statement is a change that was logged as such; a COMMIT follows.
func changesRows(sql []byte) bool {
	for _, verb := range []string{"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "/*"} {
		if prefix(sql, verb) {
			return true
		}
	}
	return false
}

func is(sql []byte, word string) bool { return len(sql) == len(word) && prefix(sql, word) }

func prefix(sql []byte, word string) bool {
	return len(sql) >= len(word) && bytes.EqualFold(sql[:len(word)], []byte(word))
}

// ended ends the transaction that was being read.
func (s *Stream) ended(hd header, h Handler, how End, xid string) error {
	t := Transaction{End: how, XID: xid, GTID: s.gtid, Start: s.start, Next: s.pos, Second: hd.second}
	s.open, s.single, s.start = false, false, s.pos
	return h.Ended(t)
}
