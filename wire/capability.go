package wire

// Capability flags of the handshake. Sluice asks for, or offers, a subset: see the package
// comment for those that would change the layout of later packets.
const (
	ClientLongPassword     uint32 = 1 << 0 // MariaDB reads it the other way round: CLIENT_MYSQL
	ClientFoundRows        uint32 = 1 << 1 // report matched rows, not changed ones
	ClientLongFlag         uint32 = 1 << 2
	ClientConnectWithDB    uint32 = 1 << 3
	ClientNoSchema         uint32 = 1 << 4
	ClientCompress         uint32 = 1 << 5
	ClientODBC             uint32 = 1 << 6
	ClientLocalFiles       uint32 = 1 << 7 // LOAD DATA LOCAL
	ClientIgnoreSpace      uint32 = 1 << 8
	ClientProtocol41       uint32 = 1 << 9
	ClientInteractive      uint32 = 1 << 10
	ClientSSL              uint32 = 1 << 11
	ClientTransactions     uint32 = 1 << 13
	ClientSecureConnection uint32 = 1 << 15
	ClientMultiStatements  uint32 = 1 << 16
	ClientMultiResults     uint32 = 1 << 17
	ClientPSMultiResults   uint32 = 1 << 18
	ClientPluginAuth       uint32 = 1 << 19
	ClientConnectAttrs     uint32 = 1 << 20
	ClientPluginAuthLenenc uint32 = 1 << 21
	ClientSessionTrack     uint32 = 1 << 23
	ClientDeprecateEOF     uint32 = 1 << 24
	ClientZstd             uint32 = 1 << 26
	ClientQueryAttributes  uint32 = 1 << 27
)

// MariaDBExtendedMetadata is a flag of MariaDB's own word of capabilities, which stands in the last
// four filler bytes of a greeting and of a handshake response without ClientLongPassword: column
// definitions say more of a type than its number does (MARIADB_CLIENT_EXTENDED_METADATA).
const MariaDBExtendedMetadata uint32 = 1 << 3
