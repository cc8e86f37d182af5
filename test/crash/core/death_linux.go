package core

import "syscall"

// die lets a child end with the test that started it, even when that panics
// and no cleanup runs.
func die() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
