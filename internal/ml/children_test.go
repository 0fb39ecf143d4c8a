package ml

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a worker has started holds neither its place nor the end of the server, and ends with it.
func TestAWorkerEndsWithItsChildren(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"exit", "stop", "the server"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			var child int
			t.Cleanup(func() { // after the server has ended
				until(t, "the end of the child", func() bool { return child == 0 || gone(child) })
			})
			s := chaosWith(t, fast, func(d *Deps) { d.Sandbox = SandboxOff }) // which would allow no child
			text, err := ask(t, s, "child")
			must(t, err)
			child, err = strconv.Atoi(text)
			must(t, err)
			if gone(child) {
				t.Error("the child has ended before its worker")
			}
			if end == "the server" {
				return
			}
			if _, err := askWithin(t, s, end, time.Second); err == nil {
				t.Errorf("%s was answered", end)
			}
			until(t, "the end of the child", func() bool { return gone(child) })
			if got, err := ask(t, s, "next"); got != "NEXT" {
				t.Errorf("the worker after that: %q, %v", got, err)
			}
		})
	}
}

// gone says whether a process has ended; whoever inherits it may not have asked for that yet.
func gone(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || strings.Contains(string(stat), ") Z ")
}
