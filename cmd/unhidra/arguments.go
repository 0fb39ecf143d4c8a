package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// storeFlags returns the settings of a command that works on a server's data.
func storeFlags(more ...string) []string {
	return append([]string{"data-dir", "db", "log-format"}, more...)
}

// printFlags lists the flags of fs with two dashes.
func printFlags(w io.Writer, fs *flag.FlagSet) {
	title := "\nFlags:\n"
	fs.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		if value != "" {
			value = " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "%s  --%s%s\n        %s\n", title, f.Name, value, usage)
		title = ""
	})
}

// interspersed parses flags at any position and returns the other arguments. Arguments after "--"
// are not flags. It prints the help only if requested.
func interspersed(fs *flag.FlagSet, args []string) (words []string, err error) {
	help := fs.Usage
	fs.Usage = func() {}
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				help()
				return nil, err
			}
			return nil, flagError(fs, err)
		}
		rest := fs.Args()
		ended := len(args) > len(rest) && args[len(args)-len(rest)-1] == "--"
		if len(rest) == 0 || ended {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// flagError says what is wrong with a flag.
func flagError(fs *flag.FlagSet, err error) error {
	text := err.Error()
	if name, unknown := strings.CutPrefix(text, "flag provided but not defined: -"); unknown {
		text = "there is no flag --" + strings.TrimPrefix(name, "-")
	} else if name, bare := strings.CutPrefix(text, "flag needs an argument: -"); bare {
		text = "--" + name + " needs a value after it"
	} else if m := badValue.FindStringSubmatch(text); m != nil {
		text = "--" + m[2] + " must be " + wanted(fs.Lookup(m[2])) + ", and is " + m[1]
	}
	return usagef("%s; `unhidra %s --help` lists the flags", text, fs.Name())
}

// badValue is how package flag says that it cannot parse a value.
var badValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^:]+): `)

// wanted says which values a flag takes.
func wanted(f *flag.Flag) string {
	v, ok := f.Value.(flag.Getter)
	if !ok {
		return "another value"
	}
	switch v.Get().(type) {
	case bool:
		return "true or false"
	case int, int64, uint, uint64:
		return "a whole number, such as 500"
	case float64:
		return "a number, such as 7.5"
	case time.Duration:
		return "a duration, such as 30m or 720h"
	}
	return "another value"
}

// parse parses flags and returns the other arguments, one for each of names, which are their names
// in the help.
func parse(fs *flag.FlagSet, args []string, names ...string) (words []string, err error) {
	words, err = interspersed(fs, args)
	if err != nil {
		return nil, err
	}
	return words, action{names: names}.check(fs.Name(), words)
}

// An action is a subcommand of a command.
type action struct {
	name     string
	names    []string // of its arguments in the help
	optional int      // how many of the last arguments are optional
}

// check returns an error if arguments are missing or superfluous. words does not include the
// action's name.
func (a action) check(command string, words []string) error {
	usage := strings.Join(append(strings.Fields("unhidra "+command+" "+a.name), a.names...), " ")
	switch {
	case len(words) > len(a.names):
		return usagef("%q is one argument too many; the command is `%s`", words[len(a.names)], usage)
	case len(words) < len(a.names)-a.optional:
		return usagef("%s is missing; the command is `%s`", a.names[len(words)], usage)
	}
	return nil
}

// checkAction returns an error unless words are one of actions with its arguments.
func checkAction(command string, actions []action, words []string) error {
	var names []string
	for _, a := range actions {
		if len(words) > 0 && words[0] == a.name {
			return a.check(command, words[1:])
		}
		names = append(names, a.name)
	}
	which := strings.Join(names, ", ")
	if len(words) == 0 {
		return usagef("say what to do: %s; `unhidra %s --help` explains it", which, command)
	}
	return usagef("there is no action %q; use %s, which `unhidra %s --help` explains", words[0], which, command)
}
