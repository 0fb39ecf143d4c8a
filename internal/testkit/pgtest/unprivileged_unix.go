//go:build unix

package pgtest

import (
	"os"
	"os/exec"
	"syscall"
)

// unprivileged returns what makes a command run as someone who may run
// PostgreSQL, and gives them dir. The command gets a process group of its own:
// an interrupt of the test run reaches the keeper only by the end of its input.
func unprivileged(dir string) (func(*exec.Cmd), error) {
	if os.Getuid() != 0 {
		return apart, nil
	}
	uid, gid, err := account()
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, err
	}
	return func(c *exec.Cmd) {
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true,
			Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}, nil
}

// apart gives a command a process group of its own: an interrupt of the test run does
// not reach it.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
