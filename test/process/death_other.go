//go:build !linux

package process

import "syscall"

// Die gives nothing: only Linux can end a process with its parent.
func Die() *syscall.SysProcAttr { return nil }
