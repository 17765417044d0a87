package router

import (
	"fmt"
	"strings"

	"sluice/shard"
)

// Protocol types of columns, as far as routing looks at them (the MySQL manual's
// enum_field_types).
const (
	typeDecimal    = 0x00
	typeTiny       = 0x01
	typeShort      = 0x02
	typeLong       = 0x03
	typeFloat      = 0x04
	typeDouble     = 0x05
	typeNull       = 0x06
	typeTimestamp  = 0x07
	typeLongLong   = 0x08
	typeInt24      = 0x09
	typeDate       = 0x0a
	typeTime       = 0x0b
	typeDatetime   = 0x0c
	typeYear       = 0x0d
	typeNewDate    = 0x0e
	typeVarchar    = 0x0f
	typeBit        = 0x10
	typeNewDecimal = 0xf6
	typeTinyBlob   = 0xf9
	typeBlob       = 0xfc
	typeVarString  = 0xfd
	typeString     = 0xfe
)

// Column flags of the protocol.
const (
	flagUnsigned      = 0x0020
	flagZerofill      = 0x0040
	flagEnum          = 0x0100
	flagAutoIncrement = 0x0200
	flagSet           = 0x0800
)

const (
	collationBinary = 63
	// utf8mb4_0900_bin, like all of MySQL's 0900 collations, does not pad.
	collation0900Bin = 309
	// MariaDB numbers the NO PAD variant of a collation by adding this.
	noPadOffset = 1024
)

// keyType is the type of a shard-key column as far as values must be brought to the form
// that slots are computed of.
type keyType struct {
	text     bool // a string; else an integer
	unsigned bool
	bits     uint8
	charset  string // of a string; "binary" for bytes
	pads     bool   // trailing spaces do not count
	fixed    bool   // CHAR, BINARY
	size     uint32 // characters, for binary bytes
	id       uint16 // collation
}

// binCharset gives the character set of a collation that compares code points and whose
// ASCII characters are ASCII bytes; "" for every other.
func binCharset(id uint16) string {
	if id >= noPadOffset && id < 2*noPadOffset {
		id -= noPadOffset
	}
	switch id {
	case collationBinary:
		return "binary"
	case 46, collation0900Bin:
		return "utf8mb4"
	case 83:
		return "utf8mb3"
	case 47:
		return "latin1"
	case 65:
		return "ascii"
	case 77:
		return "latin2"
	case 66:
		return "cp1250"
	case 50:
		return "cp1251"
	case 67:
		return "cp1256"
	case 58:
		return "cp1257"
	case 70:
		return "greek"
	case 71:
		return "hebrew"
	case 78:
		return "latin5"
	case 79:
		return "latin7"
	case 74:
		return "koi8r"
	case 75:
		return "koi8u"
	case 87:
		return "gbk"
	case 249:
		return "gb18030"
	case 84:
		return "big5"
	}
	return ""
}

// hasBin tells whether binCharset knows a character set.
func hasBin(charset string) bool {
	charset = strings.ToLower(charset)
	if charset == "utf8" {
		charset = "utf8mb3"
	}
	for id := range uint16(collation0900Bin + 1) {
		if binCharset(id) == charset {
			return true
		}
	}
	return false
}

// bytesPerCharacter gives what a character of a collation takes at most. For a collation
// that is not known it is 1, so that a length in characters is never taken too short.
func bytesPerCharacter(id uint16) uint32 {
	plain := id
	if id >= noPadOffset && id < 2*noPadOffset {
		plain -= noPadOffset
	}
	switch {
	case plain == 45, plain == 46, plain >= 224 && plain <= 247, plain >= 255 && plain <= 323,
		plain >= 608 && plain <= 610, id >= 2304 && id <= 2559:
		return 4
	case plain == 33, plain == 76, plain == 83, plain >= 192 && plain <= 215, plain == 223, id >= 2048 && id <= 2303:
		return 3
	case plain == 28, plain == 87, plain == 1, plain == 84:
		return 2
	case plain >= 248 && plain <= 250:
		return 4
	}
	return 1
}

// keyTypeOf gives the type of a shard-key column, or why the column cannot be one.
func keyTypeOf(c *shard.Column) (keyType, string) {
	k := keyType{unsigned: c.Flags&flagUnsigned != 0, id: c.Collation}
	switch {
	case c.Generated:
		return k, isGenerated
	case c.Flags&flagZerofill != 0:
		return k, isZerofill
	}
	switch c.Type {
	case typeTiny:
		k.bits = 8
	case typeShort:
		k.bits = 16
	case typeInt24:
		k.bits = 24
	case typeLong:
		k.bits = 32
	case typeLongLong:
		k.bits = 64
	case typeString, typeVarString, typeVarchar:
		if c.Flags&(flagEnum|flagSet) != 0 {
			return k, "is an ENUM or SET"
		}
		k.text, k.fixed = true, c.Type == typeString
		k.charset = binCharset(c.Collation)
		if k.charset == "" {
			return k, fmt.Sprintf("has a collation (number %d) that is not a _bin one, so that different texts can be equal", c.Collation)
		}
		k.size = c.Length / bytesPerCharacter(c.Collation)
		k.pads = c.Collation < noPadOffset && c.Collation != collationBinary && c.Collation != collation0900Bin
	default:
		return k, "is neither an integer nor a CHAR, VARCHAR, BINARY or VARBINARY column"
	}
	return k, ""
}

const (
	isZerofill  = "is ZEROFILL, so that it is printed, and its slot computed in SQL, with leading zeros"
	isGenerated = "is computed from other columns, whose change would move the row to another slot"
)

// badKey refuses a table whose shard key is no key, with the statement that mends it.
func badKey(schema, table, column, why string) *Refusal {
	mend := "BIGINT NOT NULL"
	if strings.Contains(why, "collation") {
		mend = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
	}
	return refuse(1105, "HY000", "the shard key %s of %s.%s %s; mend it with ALTER TABLE %s.%s MODIFY %s %s on every shard",
		column, schema, table, why, schema, table, column, mend)
}

// CheckKey tells whether a column can be the shard key of its table; the refusal is the one
// that statements on the table would get.
func CheckKey(schema, table string, c *shard.Column) error {
	if _, why := keyTypeOf(c); why != "" {
		return badKey(schema, table, c.Name, why)
	}
	return nil
}

// sameSlots tells whether equal values of two key columns always have the same slot.
func (k *keyType) sameSlots(o *keyType) bool {
	if k.text != o.text {
		return false
	}
	return !k.text || k.id == o.id
}

// holds tells whether an integer is in the column's range.
func (k *keyType) holds(negative bool, magnitude uint64) bool {
	switch {
	case k.unsigned && negative:
		return magnitude == 0
	case k.unsigned:
		return k.bits == 64 || magnitude < 1<<k.bits
	case negative:
		return magnitude <= 1<<(k.bits-1)
	}
	return magnitude < 1<<(k.bits-1)
}

// takes tells whether every value of another key column is stored unchanged in this one.
func (k *keyType) takes(o *keyType) bool {
	switch {
	case k.text:
		return k.size >= o.size && (!k.fixed || k.charset != "binary" || o.fixed && k.size == o.size)
	case k.unsigned == o.unsigned:
		return k.bits >= o.bits
	}
	return o.unsigned && k.bits > o.bits
}
