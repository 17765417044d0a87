package wire

import "golang.org/x/sys/unix"

// pollHangup is the event of a peer that has closed its side.
const pollHangup = unix.POLLRDHUP
