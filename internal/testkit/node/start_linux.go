package node

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

var starter = sync.OnceValue(func() chan func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread() // for good: see start
		for do := range work {
			do()
		}
	}()
	return work
})

// start starts a process that ends with this one, however that ends. The system
// takes the end of the thread that started it for that, so there is one thread
// that does, and it never ends.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	starter() <- func() { done <- cmd.Start() }
	return <-done
}
