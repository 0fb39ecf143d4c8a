package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// used is the processor time of this process and, where db is a PostgreSQL on
// this machine, of that server's processes: those that write for it included.
func used(ctx context.Context, db *sql.DB) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	all := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	var backend int
	if db == nil || db.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&backend) != nil {
		return all
	}
	parent := statOf(backend).parent
	all += statOf(parent).used
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		pid, _ := strconv.Atoi(filepath.Base(p))
		if s := statOf(pid); s.parent == parent && parent > 1 {
			all += s.used
		}
	}
	return all
}

type stat struct {
	parent int
	used   time.Duration // with that of children that have ended
}

func statOf(pid int) (s stat) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, b, found := bytes.Cut(b, []byte(") "))
	f := bytes.Fields(b)
	if err != nil || !found || len(f) < 15 {
		return s
	}
	s.parent, _ = strconv.Atoi(string(f[1]))
	for _, field := range f[11:15] {
		ticks, _ := strconv.Atoi(string(field))
		s.used += time.Duration(ticks) * (time.Second / 100)
	}
	return s
}
