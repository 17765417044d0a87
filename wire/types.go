package wire

// Column and parameter types (enum_field_types) that appear on the wire.
const (
	TypeDecimal    byte = 0x00
	TypeTiny       byte = 0x01
	TypeShort      byte = 0x02
	TypeLong       byte = 0x03
	TypeFloat      byte = 0x04
	TypeDouble     byte = 0x05
	TypeNull       byte = 0x06
	TypeTimestamp  byte = 0x07
	TypeLongLong   byte = 0x08
	TypeInt24      byte = 0x09
	TypeDate       byte = 0x0a
	TypeTime       byte = 0x0b
	TypeDatetime   byte = 0x0c
	TypeYear       byte = 0x0d
	TypeNewDate    byte = 0x0e
	TypeVarchar    byte = 0x0f
	TypeBit        byte = 0x10
	TypeVector     byte = 0xf2 // MySQL 9
	TypeJSON       byte = 0xf5
	TypeNewDecimal byte = 0xf6
	TypeEnum       byte = 0xf7
	TypeSet        byte = 0xf8
	TypeTinyBlob   byte = 0xf9
	TypeMediumBlob byte = 0xfa
	TypeLongBlob   byte = 0xfb
	TypeBlob       byte = 0xfc
	TypeVarString  byte = 0xfd
	TypeString     byte = 0xfe
	TypeGeometry   byte = 0xff
)

// ParamUnsigned is the flag in the second byte of a parameter's type.
const ParamUnsigned byte = 0x80

// Column flags.
const (
	FlagNotNull       uint16 = 0x0001
	FlagPrimaryKey    uint16 = 0x0002
	FlagUniqueKey     uint16 = 0x0004
	FlagMultipleKey   uint16 = 0x0008
	FlagBlob          uint16 = 0x0010
	FlagUnsigned      uint16 = 0x0020
	FlagZerofill      uint16 = 0x0040
	FlagBinary        uint16 = 0x0080
	FlagEnum          uint16 = 0x0100
	FlagAutoIncrement uint16 = 0x0200
	FlagTimestamp     uint16 = 0x0400
	FlagSet           uint16 = 0x0800
	FlagNoDefault     uint16 = 0x1000
	FlagOnUpdateNow   uint16 = 0x2000
	FlagNum           uint16 = 0x8000
)

// Collations whose numbers Sluice itself writes.
const (
	CollationBinary  uint16 = 63 // binary data and all numbers and dates
	CollationUTF8MB4 uint16 = 45 // utf8mb4_general_ci, known to every server
)

// MaxColumns bounds the columns of one result: a prepared statement counts them in 16 bits. Tables have at most 4096.
const MaxColumns = 1<<16 - 1

// NotFixedDecimals in Column.Decimals says that a FLOAT or DOUBLE has no fixed number of
// fraction digits.
const NotFixedDecimals = 31

// shape is how the binary protocol encodes a type.
type shape uint8

const (
	shapeNone   shape = iota // not a type of a value
	shapeInt                 // 1, 2, 4 or 8 bytes, little endian
	shapeFloat               // IEEE 754 single
	shapeDouble              // IEEE 754 double
	shapeDate                // length byte 0, 4, 7 or 11
	shapeTime                // length byte 0, 8 or 12
	shapeBytes               // length-encoded string
)

// shapeOf gives a type's encoding and, for fixed widths, its size in bytes.
func shapeOf(t byte) (shape, int) {
	switch t {
	case TypeTiny:
		return shapeInt, 1
	case TypeShort, TypeYear:
		return shapeInt, 2
	case TypeLong, TypeInt24:
		return shapeInt, 4
	case TypeLongLong:
		return shapeInt, 8
	case TypeFloat:
		return shapeFloat, 4
	case TypeDouble:
		return shapeDouble, 8
	case TypeDate, TypeDatetime, TypeTimestamp:
		return shapeDate, 0
	case TypeTime:
		return shapeTime, 0
	case TypeDecimal, TypeNewDecimal, TypeVarchar, TypeBit, TypeVector, TypeJSON, TypeEnum, TypeSet,
		TypeTinyBlob, TypeMediumBlob, TypeLongBlob, TypeBlob, TypeVarString, TypeString, TypeGeometry:
		return shapeBytes, 0
	}
	return shapeNone, 0
}
