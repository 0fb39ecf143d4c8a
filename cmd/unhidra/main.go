// Command unhidra is the Unhidra server with its administration commands. `unhidra serve` starts
// the server, and `unhidra help` lists all commands.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // for systems without time zone data

	"github.com/unhidra/unhidra/internal/config"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		// The first signal starts an orderly shutdown. After that signals have their default
		// effect, so a second one stops the process at once.
		got := <-signals
		signal.Stop(signals)
		cancel(fmt.Errorf("%v", got))
	}()
	e := &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
	os.Exit(run(ctx, e, os.Args[1:]))
}

// Exit codes. A supervisor need not restart after exitUsage.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2 // invalid arguments or configuration
)

// An env is the part of the process that commands use.
type env struct {
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	environ []string
}

// getenv returns the value of an environment variable.
func (e *env) getenv(name string) (string, bool) {
	for _, kv := range e.environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// A command is one subcommand.
type command struct {
	name     string
	synopsis string // one line
	run      func(ctx context.Context, e *env, args []string) error
}

// errUsage is wrapped by errors about arguments or settings.
var errUsage = errors.New("usage")

// usagef returns an error about the arguments.
func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

func run(ctx context.Context, e *env, args []string) int {
	if len(args) == 0 {
		printHelp(e.stderr)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return e.exit(c.name, c.run(ctx, e, args[1:]))
		}
	}
	fmt.Fprintf(e.stderr, "unhidra: there is no command %q; `unhidra help` lists them\n", args[0])
	return exitUsage
}

// exit prints err and returns the exit code.
func (e *env) exit(name string, err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(e.stderr, "unhidra %s: %s\n", name, strings.TrimPrefix(err.Error(), errUsage.Error()+": "))
		return exitUsage
	}
	fmt.Fprintf(e.stderr, "unhidra %s: %s\n", name, err)
	return exitFail
}

// flags returns a flag set with the help text of a command. The first line of text is its usage.
func (e *env) flags(name, text string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintf(e.stdout, "Usage: unhidra %s\n", strings.TrimSpace(text))
		printFlags(e.stdout, fs)
	}
	return fs
}

// load reads the configuration. Its errors wrap errUsage.
func (e *env) load(flags config.Flags) (config.Config, error) {
	c, err := config.Load(e.environ, flags)
	if err != nil {
		return c, usagef("invalid configuration:\n  %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return c, nil
}
