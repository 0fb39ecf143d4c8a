package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A device on a serial line is told the network. The line is a terminal of the kernel, whose settings are changed.
func TestDeviceProvisionBySerialLine(t *testing.T) {
	t.Parallel()
	device, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no terminals here: that a device is told its network by a serial line is not tried:", err)
	}
	defer func() { _ = device.Close() }()
	n, err := unix.IoctlGetInt(int(device.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(device.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skip("there are no terminals here: that a device is told its network by a serial line is not tried:", err)
	}
	told := make(chan string, 1)
	go func() {
		var got []byte
		b := make([]byte, 256)
		for asked := false; ; {
			n, err := device.Read(b)
			if err != nil {
				return
			}
			got = append(got, b[:n]...)
			if !asked && bytes.HasSuffix(got, []byte("IMPROV\x01\x03\x02\x02\x00\xe5\n")) {
				asked, got = true, nil
				_, _ = device.WriteString("boot\nIMPROV\x01\x01\x01\x02\xe2\n") // authorized
			}
			if asked && bytes.HasSuffix(got, []byte("\n")) {
				told <- string(got)
				_, _ = device.WriteString("IMPROV\x01\x04\x02\x01\x00\xe5\n") // done, and no address
				return
			}
		}
	}()
	var stdout, stderr bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		environ: []string{"UNHIDRA_WIFI_PASSWORD=secret"}}
	line := fmt.Sprintf("/dev/pts/%d", n)
	code := run(t.Context(), e, []string{"device", "provision", "--serial", line, "--ssid", "Home"})
	if code != exitOK || stdout.String() != "The device is in Home.\n" {
		t.Fatalf("%d: %s%s", code, stdout.String(), stderr.String())
	}
	if got := <-told; !strings.Contains(got, "\x01\x0c\x04Home\x06secret") {
		t.Errorf("it was told %q", got)
	}
}
