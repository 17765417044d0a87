//go:build race

package wire

// raceEnabled: each byte costs some twenty times as much. So packets of 16 MiB and more are left to the run of this
// package without the race detector (make test has both), but for one of each kind of large packet that is written,
// and one that goes from one goroutine to another.
const raceEnabled = true
