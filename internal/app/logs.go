package app

import (
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
)

// newLogs makes the loggers of a server, one for each of its parts.
func newLogs(o Options) *obs.Logs {
	c := o.Config.Log
	logs := obs.NewLogs(o.Log, obs.LogOptions{
		Level: c.Level, Levels: c.Levels, Repeats: c.Repeats, Names: httpx.LogAttrs,
	})
	for _, part := range config.LogParts() {
		logs.Part(part) // its level can be changed even if it has not begun
	}
	return logs
}
