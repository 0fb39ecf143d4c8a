//go:build !linux

package main

import (
	"io"
	"os"
)

// openSerial opens a serial line as it is: stty sets it to 115,200 bauds.
func openSerial(name string) (io.ReadWriteCloser, error) { return os.OpenFile(name, os.O_RDWR, 0) }
