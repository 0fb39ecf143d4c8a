package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unhidra/unhidra/internal/espimage/imagetest"
	"github.com/unhidra/unhidra/internal/testkit/node"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"unhidra":      main,
		"await":        await,
		"damage":       damage,
		"image":        image,
		"unprivileged": unprivileged,
	})
}

// The scripts in testdata run the command. Each has its own data folder and free ports. They start it some 300 times,
// and so as it is released: with the race detector a command takes four times as long. What races in a server is found
// in internal/app, and what races in a command by the tests beside this one.
func TestScripts(t *testing.T) {
	bin := filepath.Dir(node.Build(t))
	docs, err := filepath.Abs("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"take": take},
		Setup: func(e *testscript.Env) error {
			port, operator, err := freePorts()
			if err != nil {
				return err
			}
			e.Setenv("DOCS", docs)
			e.Setenv("URL", "http://127.0.0.1:"+port)
			e.Setenv("GATEWAY_PORT", port)
			e.Setenv("UNHIDRA_BIND_ADDR", "127.0.0.1")
			e.Setenv("UNHIDRA_OPERATOR_ADDR", "127.0.0.1:"+operator)
			e.Setenv("UNHIDRA_DRAIN", "10ms")
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			return os.WriteFile(filepath.Join(e.WorkDir, "dot.gif"), []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00"+
				"\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"), 0o600)
		},
	})
}

// take sets a variable to what an expression matches first in the last standard output: take NAME EXPRESSION.
func take(ts *testscript.TestScript, not bool, args []string) {
	if not || len(args) != 2 {
		ts.Fatalf("usage: take NAME EXPRESSION")
	}
	found := regexp.MustCompile(args[1]).FindString(ts.ReadFile("stdout"))
	if found == "" {
		ts.Fatalf("the last output has no %s", args[1])
	}
	ts.Setenv(args[0], found)
}

// freePorts returns two ports that are free at the moment.
func freePorts() (a, b string, err error) {
	l1, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer l1.Close()
	l2, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer l2.Close()
	port := func(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }
	return port(l1), port(l2), nil
}

// await is a command of the scripts: it waits until a URL answers with 200 (or,
// with "gone" before it, no longer answers).
func await() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	args := os.Args[1:]
	gone := args[0] == "gone"
	url := args[len(args)-1]
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			panic(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		if gone == (err != nil) && (gone || res.StatusCode == http.StatusOK) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			fmt.Fprintln(os.Stderr, "await: it did not happen:", url, err)
			os.Exit(1)
		}
	}
}

// damage is a command of the scripts: it overwrites a page in a file's middle.
func damage() {
	f, err := os.OpenFile(os.Args[1], os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	info, err := f.Stat()
	if err != nil {
		panic(err)
	}
	if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 4096)), info.Size()/2/4096*4096); err != nil {
		panic(err)
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
}

// unprivileged is a command of the scripts: it runs another command without root's privileges.
func unprivileged() {
	args := os.Args[1:]
	if os.Geteuid() == 0 {
		args = append([]string{"setpriv", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"}, args...)
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		panic(err)
	}
	panic(syscall.Exec(path, args, os.Environ()))
}

// image writes an image of ESP-IDF to the file that is its first argument, with the version that is its
// second and the chip whose number is its third; of ESP32-C3 also a factory image to factory.bin.
func image() {
	chip, err := strconv.ParseUint(os.Args[3], 0, 16)
	if err != nil {
		panic(err)
	}
	b := imagetest.Build(imagetest.App{ChipID: uint16(chip), Project: "greenhouse", Version: os.Args[2],
		ELF: [32]byte{1}, Code: imagetest.Code(4000, 1)})
	if err := os.WriteFile(os.Args[1], b, 0o600); err != nil {
		panic(err)
	}
	if chip != 5 {
		return
	}
	if err := os.WriteFile("factory.bin", imagetest.Factory(5, 0, b), 0o600); err != nil {
		panic(err)
	}
}

// Every command has a help text, and fails with exit code 2 for unknown arguments.
func TestHelp(t *testing.T) {
	for _, c := range commands() {
		if c.name == "help" {
			continue
		}
		var out, errs strings.Builder
		e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
		if code := run(t.Context(), e, []string{c.name, "--help"}); code != exitOK ||
			!strings.HasPrefix(out.String(), "Usage: unhidra "+c.name) || len(out.String()) < 60 {
			t.Errorf("%s --help: %d\n%s%s", c.name, code, &out, &errs)
		}
		if code := run(t.Context(), e, []string{c.name, "--no-such-flag"}); code != exitUsage {
			t.Errorf("%s --no-such-flag: %d", c.name, code)
		}
	}
}

// SIGTERM stops the server after the requests in progress; a second one stops it at once.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	self := filepath.Join(dir, "unhidra") // under this name the test binary is the command
	if err := os.Symlink(exe, self); err != nil {
		t.Fatal(err)
	}
	port, operator, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "serve", "--port", port, "--bind", "127.0.0.1", "--operator-addr",
		"127.0.0.1:"+operator)
	cmd.Dir = dir
	logged, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewScanner(logged)
	until(t, log, `"msg":"ready"`)
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// A request whose body does not come keeps an orderly stop waiting.
	const head = "POST /api/v1/auth/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " +
		"99\r\nExpect: 100-continue\r\n\r\n"
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil { // 100: the server reads the body
		t.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, log, `"msg":"stopping"`)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if took := time.Since(begin); took > 10*time.Second { // an orderly stop waits for 15
		t.Errorf("it took %v", took)
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGTERM {
		t.Errorf("ended by %v (%v), not by the second signal", cmd.ProcessState, err)
	}
}

func until(t *testing.T, log *bufio.Scanner, want string) {
	t.Helper()
	for log.Scan() {
		if strings.Contains(log.Text(), want) {
			return
		}
	}
	t.Fatalf("the log ended without %s", want)
}
