package blob

import (
	"os"
	"syscall"
)

// writeNow is SYNC_FILE_RANGE_WRITE: pages that are not being written begin to be.
const writeNow = 2

// startWriting has the disk begin to write n bytes of f from offset. That is a hint: Sync waits for them, and tells
// what went wrong.
func startWriting(f *os.File, offset, n int64) {
	_ = syscall.SyncFileRange(int(f.Fd()), offset, n, writeNow)
}
