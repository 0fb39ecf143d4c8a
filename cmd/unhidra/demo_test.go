package main

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

// Whoever has a server or a broker already is told how the demo gets ports of its own.
func TestADemoNamesTheFlagsForAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	for _, flags := range [][]string{{"--port", port, "--mqtt-port", "0"}, {"--port", "0", "--mqtt-port", port}} {
		var out, errs strings.Builder
		e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
		code := run(t.Context(), e, append([]string{"demo", "--dir", t.TempDir()}, flags...))
		if code != exitFail || !strings.Contains(errs.String(), "--port and --mqtt-port") {
			t.Errorf("%v: exit code %d\n%s\n%s", flags, code, &out, &errs)
		}
	}
}
