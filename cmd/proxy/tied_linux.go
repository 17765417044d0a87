package main

import "syscall"

// tied gives a child its own process group, and has it end with its parent, whatever ends that.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
