package wire

// What an OK tells of a session that the client tracks (CLIENT_SESSION_TRACK): entries of a
// type byte and a length, one after the other. See "Session State Information" in the manual's
// Protocol::OK_Packet.
const (
	trackVariable = 0x00
	trackSchema   = 0x01
)

// AppendVariableChange appends that a system variable has a value now; NULL is "".
func AppendVariableChange(dst []byte, name, value string) []byte {
	dst = append(dst, trackVariable)
	dst = AppendLenencInt(dst, uint64(lenencSize(name)+lenencSize(value)))
	return AppendLenencString(AppendLenencString(dst, name), value)
}

// AppendSchemaChange appends that the current schema is another one.
func AppendSchemaChange(dst []byte, name string) []byte {
	dst = append(dst, trackSchema)
	dst = AppendLenencInt(dst, uint64(lenencSize(name)))
	return AppendLenencString(dst, name)
}

func lenencSize(s string) int { return len(AppendLenencInt(nil, uint64(len(s)))) + len(s) }

// WriteChanged writes an OK packet with entries of what has changed and does not flush. The
// client must have CLIENT_SESSION_TRACK.
func (c *Conn) WriteChanged(ok OK, changes []byte) error {
	ok.Status |= StatusSessionStateChanged
	return writeBuilt(c, 40+len(ok.Info)+len(changes), func(b []byte) []byte {
		b = AppendOK(b, ok)
		if ok.Info == "" {
			b = append(b, 0)
		}
		b = AppendLenencInt(b, uint64(len(changes)))
		return append(b, changes...)
	})
}
