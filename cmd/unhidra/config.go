package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/unhidra/unhidra/internal/config"
)

const configText = `config [flags]

Prints all settings in effect and where each comes from: default, file,
environment or flag. Secrets are redacted. If settings are invalid, it prints
every error and fails.
`

func showConfig(_ context.Context, e *env, args []string) error {
	fs := e.flags("config", configText)
	docs := fs.Bool("docs", false, "print the description of all settings (docs/config.md)")
	flags := config.NewFlags(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if *docs {
		return config.WriteDocs(e.stdout)
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	for _, s := range c.Settings() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Value, s.Origin)
	}
	return w.Flush()
}
