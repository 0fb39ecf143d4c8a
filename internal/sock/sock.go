// Package sock reads and writes sockets without waiting, so that a connection needs a buffer only while
// there is something to read, and no goroutine while there is something to write.
//
// It is for sockets that do not block, from within net's syscall.RawConn. It exists on Unix only.
package sock
