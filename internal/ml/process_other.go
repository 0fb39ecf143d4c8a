//go:build !unix

package ml

import "errors"

func start(string, string) (*process, error) {
	return nil, errors.New("workers need a system with Unix sockets, such as Linux or macOS")
}

func (p *process) abort() { _ = p.cmd.Process.Kill() }

func (p *process) killAll() { _ = p.cmd.Process.Kill() }

func (p *process) memory() int64 { return 0 }
