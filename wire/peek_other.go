//go:build !linux

package wire

// pollHangup: there is no such event; an end of the stream is seen as something to read.
const pollHangup = 0
