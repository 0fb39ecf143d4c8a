//go:build !unix

package pgtest

import (
	"errors"
	"os/exec"
)

func unprivileged(string) (func(*exec.Cmd), error) {
	return nil, errors.New("a private PostgreSQL is started on Unix only; name one by UNHIDRA_TEST_POSTGRES=postgres://…")
}

func apart(*exec.Cmd) {}
