//go:build !race

package server

const memoryFactor = 1
