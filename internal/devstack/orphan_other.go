//go:build unix && !linux

package devstack

import "syscall"

// setOrphanSignal does nothing: only Linux can tell a child that its parent is
// gone. Elsewhere the next Start in the same directory ends what was left.
func setOrphanSignal(*syscall.SysProcAttr, syscall.Signal) {}
