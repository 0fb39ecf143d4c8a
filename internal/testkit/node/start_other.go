//go:build !linux

package node

import "os/exec"

func start(cmd *exec.Cmd) error { return cmd.Start() }
