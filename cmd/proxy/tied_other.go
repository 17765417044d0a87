//go:build !linux

package main

import "syscall"

// tied cannot tie: a demo that is killed leaves its servers.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
