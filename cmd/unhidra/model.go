package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
`

func modelCommand() command {
	return command{"model", "make and check models, and choose the versions that answer", manageModels}
}

func manageModels(ctx context.Context, e *env, args []string) error {
	fs := e.flags("model", modelText)
	flags := config.NewFlags(fs, "operator-addr", "data-dir")
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	actions := []action{
		{name: "init", names: []string{"<folder>", "[name]"}, optional: 1}, {name: "check", names: []string{"<folder>"}},
		{name: "add", names: []string{"<folder>"}},
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
	}
	return e.addModel(ctx, c, words[1])
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
	_, err := fmt.Fprintf(e.stdout, "%s has a model that counts characters. Change model.toml, model.py and golden.json, then:\n"+
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
		Package: worker.FS()})
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
		fmt.Fprintln(e.stdout, "models are off here: start the server with UNHIDRA_ML=on")
	}
	return nil
}
