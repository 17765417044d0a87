package wire

import (
	"encoding/binary"
	"fmt"
)

// PrepareOK is the first packet of COM_STMT_PREPARE's answer.
type PrepareOK struct {
	ID       uint32
	Columns  uint16
	Params   uint16
	Warnings uint16
}

// prepareOKSize is the packet's size: header, id, two counts, a filler, warnings.
const prepareOKSize = 12

// ParsePrepareOK decodes the first packet of COM_STMT_PREPARE's answer.
func ParsePrepareOK(payload []byte) (PrepareOK, error) {
	if len(payload) < prepareOKSize || payload[0] != headerOK {
		return PrepareOK{}, fmt.Errorf("%w: answer to COM_STMT_PREPARE", ErrMalformed)
	}
	return PrepareOK{
		ID:       binary.LittleEndian.Uint32(payload[1:]),
		Columns:  binary.LittleEndian.Uint16(payload[5:]),
		Params:   binary.LittleEndian.Uint16(payload[7:]),
		Warnings: binary.LittleEndian.Uint16(payload[10:]),
	}, nil
}

// AppendPrepareOK is ParsePrepareOK's inverse.
func AppendPrepareOK(dst []byte, p PrepareOK) []byte {
	dst = append(dst, headerOK)
	dst = binary.LittleEndian.AppendUint32(dst, p.ID)
	dst = binary.LittleEndian.AppendUint16(dst, p.Columns)
	dst = binary.LittleEndian.AppendUint16(dst, p.Params)
	dst = append(dst, 0)
	return binary.LittleEndian.AppendUint16(dst, p.Warnings)
}

// ReadPrepare reads the whole answer to COM_STMT_PREPARE: its first packet, then the
// definitions of the parameters and of the columns, each with an EOF if there are any. An
// ERR packet is an *Error, with the connection in order.
func ReadPrepare(c *Conn) (ok PrepareOK, params, cols []Column, err error) {
	b, err := c.ReadPacket()
	if err != nil {
		return PrepareOK{}, nil, nil, err
	}
	if IsError(b) {
		return PrepareOK{}, nil, nil, asError(b)
	}
	if ok, err = ParsePrepareOK(b); err != nil {
		return PrepareOK{}, nil, nil, err
	}
	if ok.Params > 0 {
		if params, err = readParameters(c, int(ok.Params)); err != nil {
			return PrepareOK{}, nil, nil, err
		}
	}
	if ok.Columns > 0 {
		if cols, _, err = readDefinitions(c, int(ok.Columns)); err != nil {
			return PrepareOK{}, nil, nil, err
		}
	}
	return ok, params, cols, nil
}

// readParameters reads the definitions of n parameters. Oracle MySQL counts those, too, that it
// has dropped from the statement (of ORDER BY in GROUP_CONCAT, of SET GLOBAL) and does not define
// them: they are strings.
func readParameters(c *Conn, n int) ([]Column, error) {
	params := make([]Column, 0, n)
	for {
		b, err := c.ReadPacket()
		switch {
		case err != nil:
			return nil, inside(err)
		case IsError(b):
			return nil, asError(b)
		case IsEOF(b):
			for len(params) < n {
				params = append(params, Column{Catalog: "def", Name: "?", Type: TypeVarString, Collation: CollationBinary, Flags: FlagBinary})
			}
			return params, nil
		case len(params) == n:
			return nil, fmt.Errorf("%w: more than %d parameters in the answer to COM_STMT_PREPARE", ErrMalformed, n)
		}
		col, err := c.ParseColumn(b)
		if err != nil {
			return nil, err
		}
		params = append(params, col)
	}
}

// WritePrepare writes the whole answer to COM_STMT_PREPARE and does not flush. The counts
// are those of the slices; of ok, the id and the warnings are sent.
func WritePrepare(c *Conn, ok PrepareOK, params, cols []Column, status uint16) error {
	if len(params) > MaxParams || len(cols) > MaxColumns {
		return fmt.Errorf("wire: a statement of %d parameters and %d columns", len(params), len(cols))
	}
	ok.Params, ok.Columns = uint16(len(params)), uint16(len(cols))
	err := writeBuilt(c, prepareOKSize, func(b []byte) []byte { return AppendPrepareOK(b, ok) })
	if err == nil && len(params) > 0 {
		err = writeDefinitions(c, params, status, 0)
	}
	if err == nil && len(cols) > 0 {
		err = writeDefinitions(c, cols, status, 0)
	}
	return err
}
