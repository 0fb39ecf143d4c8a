package main

import (
	"context"
	"fmt"
	"io"
)

// commands returns all commands in the order of the help.
func commands() []command {
	return []command{
		{"serve", "start the server", serve},
		{"migrate", "update the database schema, without starting the server", migrate},
		{"upgrade-check", "check whether this version can replace the running one", upgradeCheck},
		{"config", "print all settings in effect and where each comes from", showConfig},
		userCommand(),
		userGroupCommand(),
		tokenCommand(),
		deviceCommand(),
		firmwareCommand(),
		{"simulate", "run virtual devices against a server", runSimulate},
		{"demo", "start a server with people and devices to look at", runDemo},
		roomCommand(),
		modelCommand(),
		feedCommand(),
		webhookCommand(),
		slashCommand(),
		auditCommand(),
		{"backup", "back up all data to one file, also while the server runs", makeBackup},
		{"restore", "restore a backup", restore},
		chatCommand(),
		emojiCommand(),
		{"doctor", "check the setup, and say how to fix problems", doctor},
		{"log-level", "show or change the log levels of the running server", logLevel},
		{"plan", "estimate the resources for a number of people and messages", plan},
		{"health", "check whether the server on this machine is ready", health},
		{"version", "print the version", printVersion},
		{"help", "print this help", help},
	}
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, "Unhidra: a chat server for people and devices.\n\n"+
		"Usage: unhidra <command> [flags] [arguments]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-14s %s\n", c.name, c.synopsis)
	}
	fmt.Fprint(w, `
Run `+"`unhidra <command> --help`"+` for the flags and arguments of a command.
Without any settings, `+"`unhidra serve`"+` listens on port 9000 and stores its data in ./data.
Exit codes: 0 success, 1 failure, 2 invalid arguments or settings.
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
