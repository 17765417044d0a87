//go:build race

package server

// memoryFactor: the race detector's own memory is several times that of the program.
const memoryFactor = 8
