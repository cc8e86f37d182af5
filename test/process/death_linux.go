package process

import "syscall"

// Die lets a process end with the test that started it, even when that panics
// and no cleanup runs.
func Die() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
