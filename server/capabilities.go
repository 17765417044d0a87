package server

import "sluice/wire"

// capAlways are offered whatever the options say. What changes the layout of packets after
// the login (DEPRECATE_EOF, QUERY_ATTRIBUTES, OPTIONAL_RESULTSET_METADATA) is never offered:
// see package wire.
const capAlways = wire.ClientLongPassword | wire.ClientLongFlag | wire.ClientProtocol41 | wire.ClientTransactions |
	wire.ClientSecureConnection | wire.ClientPluginAuth | wire.ClientPluginAuthLenenc | wire.ClientConnectAttrs |
	wire.ClientConnectWithDB | wire.ClientFoundRows | wire.ClientIgnoreSpace | wire.ClientInteractive |
	wire.ClientMultiStatements | wire.ClientMultiResults | wire.ClientPSMultiResults | wire.ClientSessionTrack

// offeredBy gives the capabilities of the greeting.
func offeredBy(o *Options) uint32 {
	caps := capAlways
	if o.TLS != nil {
		caps |= wire.ClientSSL
	}
	if o.Compression {
		caps |= wire.ClientCompress | wire.ClientZstd
	}
	if o.LocalFiles {
		caps |= wire.ClientLocalFiles
	}
	return caps
}
