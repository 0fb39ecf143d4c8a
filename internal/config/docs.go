package config

import (
	"fmt"
	"io"
	"strings"
)

const docsHead = `# Configuration

Unhidra needs no configuration: ` + "`unhidra serve`" + ` starts with the defaults below.
Every setting can be given in four places; the later wins:

1. the default;
2. a file of ` + "`KEY=value`" + ` lines, named by ` + "`UNHIDRA_CONFIG` or `--config`" + `
   (lines that start with ` + "`#`" + ` are comments, a value may be in double quotes);
3. the environment;
4. a flag, where the table names one.

An empty value counts as none. Unknown names that start with ` + "`UNHIDRA_`" + `, unknown
names in the file and malformed values are errors: the server does not start, and
names all of them at once. Only the variables that Kubernetes and container links set for a
Service named ` + "`unhidra`" + ` are ignored: ` + "`UNHIDRA_SERVICE_HOST`, `UNHIDRA_SERVICE_PORT`" + ` (and
` + "`_<name>`), `UNHIDRA_PORT` with a URL, `UNHIDRA_PORT_<n>_TCP`" + ` (and ` + "`_ADDR`, `_PORT`, `_PROTO`" + `),
and those of a Service ` + "`unhidra-<name>`" + `. Secrets are never flags, because everyone on a machine
sees the arguments of its processes; instead each can also be read from a file,
by the name with ` + "`_FILE`" + ` at the end (` + "`JWT_SECRET_FILE=/run/secrets/jwt`" + `).

` + "`unhidra config`" + ` prints the settings in effect and where each is from, secrets
redacted. This page is printed by ` + "`unhidra config --docs`" + `.
`

// WriteDocs writes docs/config.md.
func WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(docsHead)
	group := ""
	for _, o := range new(Config).options() {
		if o.group != group {
			group = o.group
			fmt.Fprintf(&b, "\n## %s\n\n| Name | Flag | Default | Meaning |\n|---|---|---|---|\n", group)
		}
		name, flag, def := "`"+o.env+"`", "", ""
		if o.secret {
			name += ", `" + o.env + "_FILE`"
		}
		if o.flag != "" {
			flag = "`--" + o.flag + "`"
		}
		if o.def != "" {
			def = "`" + o.def + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, flag, def, o.doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
