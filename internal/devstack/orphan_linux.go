package devstack

import "syscall"

// setOrphanSignal makes the kernel send signal to the child when the thread
// that starts it ends, as it does when this process is killed. The thread must
// therefore stay until the child has ended: see [spawn] and [runCommand].
func setOrphanSignal(attr *syscall.SysProcAttr, signal syscall.Signal) {
	attr.Pdeathsig = signal
}
