//go:build !linux

package core

import "syscall"

// die gives nothing: only Linux can end a process with its parent.
func die() *syscall.SysProcAttr { return nil }
