//go:build unix

package ml

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// boot runs the package unhidra_worker in the folder that is its argument. -I keeps the environment and
// the working folder out of it.
const boot = "import sys; sys.path.insert(0, sys.argv[1]); from unhidra_worker.serve import main; main()"

// start starts a worker: python, with the package in runtime.
func start(python, runtime string) (*process, error) {
	p := &process{}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	for _, end := range []*net.Conn{&p.control, &p.data} {
		ours, other, err := socketPair()
		if err != nil {
			return nil, err
		}
		*end, theirs = ours, append(theirs, other)
	}
	p.cmd = exec.Command(python, "-I", "-c", boot, runtime) //nolint:noctx,gosec // ended by kill; the operator names it
	p.cmd.ExtraFiles = theirs
	p.cmd.Stderr = &p.stderr
	p.cmd.Dir = os.TempDir()
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "OMP_NUM_THREADS=1",
		"OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1"}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // no Ctrl+C of the terminal, and killAll
	p.cmd.WaitDelay = time.Second                           // what it started may hold its standard error
	if err := p.cmd.Start(); err != nil {
		_ = p.control.Close()
		_ = p.data.Close()
		return nil, err
	}
	p.watch()
	return p, nil
}

// socketPair returns two ends of one connection.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	here := os.NewFile(uintptr(fds[0]), "worker") //nolint:gosec // not negative
	defer func() { _ = here.Close() }()           // FileConn has its own
	theirs = os.NewFile(uintptr(fds[1]), "worker")
	if ours, err = net.FileConn(here); err != nil {
		_ = theirs.Close()
	}
	return ours, theirs, err
}

// abort asks the process to say where it is, and to end.
func (p *process) abort() { _ = p.cmd.Process.Signal(syscall.SIGABRT) }

// killAll kills the process and what it started, except for what has left its group.
func (p *process) killAll() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Process.Kill() // it may have left its group itself
}

// memory returns the bytes of memory that the process has; 0: the system does not say.
func (p *process) memory() int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/statm")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
