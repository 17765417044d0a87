package router

import (
	"strconv"
	"unicode/utf8"

	"sluice/query"
	"sluice/shard"
)

// Params gives the parameters of a prepared statement to the router.
type Params interface {
	// Key gives parameter i as routing text: the decimal text of an integer or the bytes of
	// a string; ok is false for NULL and other types.
	Key(i int) (key []byte, isString, ok bool)
	// Null tells whether parameter i is NULL.
	Null(i int) bool
	// Temporal tells whether parameter i is a date or time.
	Temporal(i int) bool
}

// certainty is how much is known of a value that a key is compared with.
type certainty uint8

const (
	uncertain certainty = iota // the server's conversion decides: any row could match
	known                      // exactly this key
	nothing                    // no row matches: NULL, or a value that the column cannot have
)

// literal is a value of the statement at bind: its text, or a parameter.
type literal struct {
	text     []byte // decimal text, or the bytes of a string
	isString bool
	param    bool // of a prepared execution: a number may have come as DOUBLE
	null     bool
	unknown  bool // of another type
}

// scratch is memory that a Bound keeps for the next bind.
type scratch struct {
	value  []byte
	key    []byte
	params []int32  // ordinal of the parameter of each literal, -1 for others
	shards []int16  // of each row of an INSERT
	slots  []uint16 // that the keys came to
	sums   []uint32 // of these keys
	ids    []bool   // rows that get an id of the sequence
	seen   []bool   // by shard
	edits  []query.Edit
}

// paramOf gives the number of the parameter that a literal is.
func (s *scratch) paramOf(scan *query.Scan, index int) int {
	if len(s.params) == 0 {
		n := int32(0)
		for i := range scan.Literals {
			if scan.Literals[i].Kind == query.Param {
				s.params = append(s.params, n)
				n++
			} else {
				s.params = append(s.params, -1)
			}
		}
	}
	return int(s.params[index])
}

// literalIndex gives the index of a value's literal, -1 when the scan has no such.
func literalIndex(scan *query.Scan, hole, pos int) int {
	if hole < 0 || hole >= len(scan.Holes) || pos < 0 || pos >= int(scan.Holes[hole].Count) {
		return -1
	}
	h := scan.Holes[hole]
	return int(h.First) + pos*int(h.Stride)
}

// literal reads the value of a literal. Its text is valid until the next call.
func (s *scratch) literal(a *Args, index int) literal {
	if index < 0 || index >= len(a.Scan.Literals) {
		return literal{unknown: true}
	}
	lit := a.Scan.Literals[index]
	switch lit.Kind {
	case query.Int:
		return literal{text: lit.Of(a.SQL)}
	case query.String:
		s.value = query.Unquote(s.value[:0], a.SQL, lit, a.Mode)
		return literal{text: s.value, isString: true}
	case query.Param:
		if a.Params == nil {
			return literal{unknown: true}
		}
		n := s.paramOf(a.Scan, index)
		if a.Params.Null(n) {
			return literal{null: true}
		}
		text, isString, ok := a.Params.Key(n)
		return literal{text: text, isString: isString, param: true, unknown: !ok}
	}
	return literal{unknown: true} // 0x05, 5e0, 5.0: what they are depends on what they meet
}

// parseInt reads an optionally signed integer, and nothing else. fits is false when it is
// one beyond 64 bits.
func parseInt(text []byte) (negative bool, magnitude uint64, fits, ok bool) {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative, text = text[0] == '-', text[1:]
	}
	if len(text) == 0 {
		return false, 0, false, false
	}
	fits = true
	for _, c := range text {
		if c < '0' || c > '9' {
			return false, 0, false, false
		}
		d := uint64(c - '0')
		if magnitude > (1<<64-1-d)/10 {
			fits = false
			continue
		}
		magnitude = magnitude*10 + d
	}
	return negative && magnitude > 0, magnitude, fits, true
}

// appendInt appends the shortest decimal text.
func appendInt(dst []byte, negative bool, magnitude uint64) []byte {
	if negative {
		dst = append(dst, '-')
	}
	return strconv.AppendUint(dst, magnitude, 10)
}

// compared gives the key that equals the value, in the form that slots are computed of.
// The key is valid until the next call.
func (s *scratch) compared(k *keyType, v literal, charset string) ([]byte, certainty) {
	switch {
	case v.null:
		return nil, nothing
	case v.unknown:
		return nil, uncertain
	case !k.text:
		negative, magnitude, fits, ok := parseInt(v.text)
		switch {
		case !ok:
			return nil, uncertain // ' 5' and '5abc' are 5 for the server, with or without a warning
		case !fits || !k.holds(negative, magnitude):
			return nil, nothing
		}
		s.key = appendInt(s.key[:0], negative, magnitude)
		return s.key, known
	case !v.isString || !k.sameBytes(v.text, charset):
		return nil, uncertain // a number is compared as a number: '05' and '5' both match 5
	}
	s.key = k.trim(append(s.key[:0], v.text...))
	return s.key, known
}

// sameBytes tells whether a string of the client has the same bytes in the key's column.
func (k *keyType) sameBytes(text []byte, charset string) bool {
	ascii := true
	for _, c := range text {
		if c >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return true
	}
	unicode := charset == "utf8mb4" || charset == "utf8mb3" || charset == "utf8"
	if unicode && !utf8.Valid(text) {
		return false
	}
	switch k.charset {
	case "binary":
		return charset != ""
	case "utf8mb4":
		return unicode
	case "utf8mb3":
		if !unicode {
			return false
		}
		for _, c := range text {
			if c >= 0xF0 {
				return false // four bytes: not in utf8mb3
			}
		}
		return true
	}
	return charset == k.charset
}

// trim takes off the trailing spaces that do not count.
func (k *keyType) trim(key []byte) []byte {
	if !k.pads && (!k.fixed || k.charset == "binary") {
		return key
	}
	for len(key) > 0 && key[len(key)-1] == ' ' {
		key = key[:len(key)-1]
	}
	return key
}

// stored gives the key that a row has whose key column is given the value. why says, if it
// is not "", that the value is not certain to be stored as it is.
func (s *scratch) stored(k *keyType, v literal, charset string) (key []byte, why string) {
	switch {
	case v.unknown:
		return nil, "is not a plain integer or string"
	case !k.text:
		negative, magnitude, fits, ok := parseInt(v.text)
		switch {
		case !ok:
			return nil, "is not a plain integer"
		case !fits || !k.holds(negative, magnitude):
			return nil, "is out of the column's range"
		}
		s.key = appendInt(s.key[:0], negative, magnitude)
		return s.key, ""
	case !v.isString:
		negative, magnitude, fits, ok := parseInt(v.text)
		if !ok || !fits || v.param && magnitude >= doubleDigits {
			return nil, "is not a plain integer or string"
		}
		s.key = appendInt(s.key[:0], negative, magnitude)
	case !k.sameBytes(v.text, charset):
		return nil, "has characters whose bytes in the column are not certain (use the same character set)"
	default:
		s.key = k.trim(append(s.key[:0], v.text...))
	}
	if uint64(len(s.key)) > uint64(k.size) && (k.charset != "utf8mb4" && k.charset != "utf8mb3" || uint64(utf8.RuneCount(s.key)) > uint64(k.size)) {
		return nil, "is longer than the column"
	}
	if k.fixed && k.charset == "binary" {
		for uint32(len(s.key)) < k.size {
			s.key = append(s.key, 0) // BINARY(n) is filled up with zero bytes
		}
	}
	return s.key, ""
}

// exactDouble bounds the integers that a double holds exactly. In a list that mixes strings
// and numbers MySQL compares the strings as doubles, so that beyond it one matches several.
const exactDouble = 1 << 53

// doubleDigits is the first number that servers write with an exponent when it is a DOUBLE.
const doubleDigits = 1_000_000_000_000_000

// reached says what the values of a key came to.
type reached uint8

const (
	reachedShards reached = iota // those marked in scratch.seen
	reachedAll                   // a value is uncertain
)

// reach notes a key, by its sum, and marks its shard.
func (s *scratch) reach(m *shard.Map, sum uint32) { s.seen[s.rowOf(m, sum)] = true }

// rowOf notes the key of a row, by its sum, and gives its shard.
func (s *scratch) rowOf(m *shard.Map, sum uint32) int {
	slot := shard.SlotOfSum(sum)
	s.slots, s.sums = append(s.slots, slot), append(s.sums, sum)
	return m.Owner(slot)
}

// mark notes the shards of the key's values in s.seen and gives how many it has marked.
// absent says that a value of the optional side of an outer join is NULL.
func (s *scratch) mark(use *keyUse, a *Args, charset string) (r reached, absent bool) {
	n := len(use.values)
	if use.all {
		n = int(a.Scan.Holes[use.values[0].Hole].Count)
	}
	var strings, numbers, large bool
	for i := range n {
		v := use.values[0]
		if use.all {
			v.Pos = i
		} else {
			v = use.values[i]
		}
		var lit literal
		switch v.Kind {
		case query.ValLiteral:
			lit = s.literal(a, literalIndex(a.Scan, v.Hole, v.Pos))
		case query.ValNull:
			lit.null = true
		default:
			lit.unknown = true
		}
		if use.stored {
			key, why := s.stored(&use.typ, lit, charset)
			if why != "" {
				return reachedAll, false
			}
			s.reach(a.Map, shard.Sum(key))
			continue
		}
		if lit.null && use.nullable {
			return reachedAll, true
		}
		key, c := s.compared(&use.typ, lit, charset)
		switch c {
		case uncertain:
			return reachedAll, false
		case known:
			s.reach(a.Map, shard.Sum(key))
			if !use.typ.text && n > 1 {
				_, magnitude, _, _ := parseInt(key)
				strings, numbers, large = strings || lit.isString, numbers || !lit.isString, large || magnitude > exactDouble
			}
		}
	}
	if strings && numbers && large {
		return reachedAll, false
	}
	return reachedShards, false
}
