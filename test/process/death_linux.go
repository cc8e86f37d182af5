package process

import "syscall"

// die lets a process end with the test that started it, even when that panics
// and no cleanup runs.
func die() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
