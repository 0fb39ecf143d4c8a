package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/ml"
	"github.com/unhidra/unhidra/worker"
)

const modelText = `model <action> [flags] [arguments]

Makes models, tries them, and brings them to the server on this machine, which
runs them with UNHIDRA_ML=on. Workers run in the Python that UNHIDRA_ML_PYTHON
names. docs/models.md shows it from training to traffic.

  model init <folder> [name]        make a folder with a model that runs as it is, to be
                                    changed: model.toml, model.py and golden.json
  model check <folder>              load it in a worker, ask it its golden inputs, and say
                                    what is wrong
  model add <folder>                check it, and copy it into the folder of models, whole
                                    or not at all; the server finds it within five seconds
  model list                        list the versions of the running server, and which answer
  model promote <name> <version>    have a version answer all requests, or --percent of them
  model rollback <name>             end the version that answers a part, or return to the
                                    version before
  model pin <name> <unit> <version> have a version answer a user, room or device; 0: no more
  model shadow <name> <version>     ask a version, too, and only compare its answers; 0: no more
  model reload <name> <version>     replace its workers, without losing a request
  model unload <name> <version>     end its workers, and start none until it is loaded
  model load <name> <version>       start them again
  model baseline <name> <version>   compare its drift with what it was asked and answered lately
`

func modelCommand() command {
	return command{"model", "make and check models, and choose the versions that answer", manageModels}
}

func manageModels(ctx context.Context, e *env, args []string) error {
	fs := e.flags("model", modelText)
	flags := config.NewFlags(fs, "operator-addr", "data-dir")
	var change ml.Change
	fs.IntVar(&change.Percent, "percent", 0, "promote, shadow: the `part` of the requests, from 1 to 100")
	fs.BoolVar(&change.Auto, "auto", false, "promote: the part grows by itself while the version does well")
	by := fs.String("by", "user", "promote: whose requests stay with one version, `user, room or device`")
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	actions := []action{
		{name: "init", names: []string{"<folder>", "[name]"}, optional: 1}, {name: "check", names: []string{"<folder>"}},
		{name: "add", names: []string{"<folder>"}}, {name: "list"},
		{name: "promote", names: []string{"<name>", "<version>"}}, {name: "rollback", names: []string{"<name>"}},
		{name: "pin", names: []string{"<name>", "<unit>", "<version>"}},
		{name: "shadow", names: []string{"<name>", "<version>"}}, {name: "reload", names: []string{"<name>", "<version>"}},
		{name: "unload", names: []string{"<name>", "<version>"}}, {name: "load", names: []string{"<name>", "<version>"}},
		{name: "baseline", names: []string{"<name>", "<version>"}},
	}
	if err := checkAction("model", actions, words); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	switch words[0] {
	case "init":
		return e.initModel(append(words[1:], "")[0], append(words[2:], "")[0])
	case "check":
		return e.checkModel(ctx, c, words[1])
	case "add":
		return e.addModel(ctx, c, words[1])
	case "list":
		return e.listModels(ctx, c, http.MethodGet, "", nil)
	}
	if change.Action = words[0]; change.Action == "promote" {
		change.By = ml.Unit(*by)
	}
	rest := words[2:]
	if change.Action == "pin" {
		change.Unit, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		if change.Version, err = strconv.Atoi(rest[0]); err != nil || change.Version < 0 {
			return usagef("<version> is a whole number, and %q is none", rest[0])
		}
	}
	return e.listModels(ctx, c, http.MethodPost, "/"+url.PathEscape(words[1]), change)
}

// listModels asks the server on this machine, for its models or for a change, and prints what it has then.
func (e *env) listModels(ctx context.Context, c config.Config, method, path string, change any) error {
	answer, err := askOperator(ctx, c, method, "/internal/ml/models"+path, change)
	if err != nil {
		return err
	}
	var models []ml.Model
	if err := json.Unmarshal(answer, &models); err != nil {
		return err
	}
	if len(models) == 0 {
		fmt.Fprintln(e.stdout, "The server runs no models; /internal/ml/health says why.")
		return nil
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tVERSION\tANSWERS\tSTATE\tREADY\tWAITING\tREQUESTS\tERRORS\tP95\tRESTARTS\tLAST")
	for _, m := range models {
		for _, v := range m.Versions {
			part := "-"
			switch v.Version {
			case m.Routing.Candidate:
				part = fmt.Sprintf("%d %%", m.Routing.Percent)
			case m.Answers:
				part = fmt.Sprintf("%d %%", 100-m.Routing.Percent)
			case m.Routing.Shadow:
				part = "shadow"
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d/%d\t%d\t%d\t%d\t%.1f ms\t%d\t%q\n", m.Name, v.Version, part, v.State, v.Ready,
				v.Workers, v.Waiting, v.Requests, v.Errors, v.P95, v.Restarts, cmp.Or(v.Failed, v.LastError, m.Routing.Reason))
		}
	}
	return w.Flush()
}

func (e *env) initModel(folder, name string) error {
	if name == "" {
		whole, err := filepath.Abs(folder)
		if err != nil {
			return err
		}
		name = strings.ToLower(filepath.Base(whole))
	}
	if err := ml.Init(folder, name); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout,
		"%s has a model that counts characters. Change model.toml, model.py and golden.json, then:\n"+
			"  unhidra model check %[1]s\n  unhidra model add %[1]s\n", folder)
	return err
}

// checkModel tries a copy of folder, as the server does before a version is asked by others.
func (e *env) checkModel(ctx context.Context, c config.Config, folder string) error {
	scratch, err := os.MkdirTemp("", "unhidra-model-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	return e.sealAndCheck(ctx, c, folder, filepath.Join(scratch, "version"), scratch)
}

// sealAndCheck copies folder to copied, and tries that. What it needs besides is written to scratch.
func (e *env) sealAndCheck(ctx context.Context, c config.Config, folder, copied, scratch string) error {
	m, err := ml.Seal(folder, copied)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s, version %d: model.toml and %s are whole\n", m.Name, m.Version,
		count(len(m.Files), "other file"))
	got, err := ml.Check(ctx, copied, ml.Deps{Scratch: filepath.Join(scratch, "worker"), Python: c.ML.Python,
		Package: worker.FS(), Sandbox: ml.Sandbox(c.ML.Sandbox)})
	if got.Load > 0 {
		fmt.Fprintf(e.stdout, "loaded in %v; its worker is held by: %s\n", got.Load.Round(time.Millisecond),
			strings.Join(got.Sandbox, ", "))
	}
	wrong := 0
	for i, one := range got.Cases {
		if one.Err != nil {
			wrong++
			fmt.Fprintf(e.stdout, "golden case %d: %v\n", i+1, one.Err)
			continue
		}
		fmt.Fprintf(e.stdout, "golden case %d: right, in %v\n", i+1, one.Took.Round(time.Millisecond/10))
	}
	switch {
	case err != nil:
		return err
	case wrong > 0:
		return fmt.Errorf("of %s %d went wrong", count(len(got.Cases), "golden case"), wrong)
	case len(got.Cases) == 0:
		fmt.Fprintln(e.stdout, "it has no golden.json: nothing shows that it answers rightly")
	}
	if got.Memory > 0 {
		fmt.Fprintf(e.stdout, "its worker took %d MB; it is replaced above %d\n", got.Memory>>20, m.MemoryMB+ml.BaseMB)
	}
	return nil
}

// addModel checks folder and puts a copy of it into the folder of models.
func (e *env) addModel(ctx context.Context, c config.Config, folder string) error {
	dir := c.ModelsDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// On the same disk as where it goes, so that it can be moved at once; no model has a dot in its name.
	scratch, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	copied := filepath.Join(scratch, "version")
	if err := e.sealAndCheck(ctx, c, folder, copied, scratch); err != nil {
		return err
	}
	to, err := ml.Add(dir, copied)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "added as %s\n", to)
	if !c.ML.On {
		fmt.Fprintln(e.stdout, "UNHIDRA_ML is off in these settings; a server with UNHIDRA_ML=on runs the version by itself")
	}
	return nil
}
