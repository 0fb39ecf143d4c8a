package main

import (
	"context"
	"fmt"
	"io"
)

// commands lists all subcommands in the order of the help.
func commands() []command {
	return []command{
		{"serve", "start the server", serve},
		{"migrate", "bring the database up to date, without serving", migrate},
		{"config", "print the settings in effect and where each is from", showConfig},
		userCommand(),
		tokenCommand(),
		deviceCommand(),
		roomCommand(),
		feedCommand(),
		auditCommand(),
		{"backup", "copy everything to one file, also while the server runs", backup},
		{"restore", "put a backup in place", restore},
		chatCommand(),
		{"doctor", "look for what is wrong, and say what to do", doctor},
		{"health", "ask the server on this machine whether it takes requests", health},
		{"version", "print the version", printVersion},
		{"help", "print this text", help},
	}
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "Unhidra: rooms for a team and its devices, that never lose a message.\n\nUsage: unhidra <command> "+
		"[flags] [arguments]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.synopsis)
	}
	fmt.Fprint(w, `
`+"`unhidra <command> --help`"+` explains a command and its flags.
Without any settings, `+"`unhidra serve`"+` opens http://localhost:9000 and keeps its data in ./data.
Exit codes: 0 done, 1 failed, 2 wrong arguments or settings.
`)
}

func help(ctx context.Context, e *env, args []string) error {
	if len(args) == 0 {
		printHelp(e.stdout)
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] && c.name != "help" {
			return c.run(ctx, e, []string{"--help"})
		}
	}
	return usagef("there is no command %q; `unhidra help` lists them", args[0])
}
