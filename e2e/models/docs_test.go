//go:build unix

package models

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// What docs/model-examples.md says is done as it stands: files are written, and commands typed, in its order.
func TestExamplesOfTheDocs(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	packages := filepath.Join(root, "bin", "digits-env")
	python := filepath.Join(packages, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skip("scikit-learn and ONNX Runtime are not in bin/digits-env (make model-examples puts them there): " +
			"docs/model-examples.md is not tried")
	}
	page, err := os.ReadFile("../../docs/model-examples.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(packages, filepath.Join(dir, "digits-env")); err != nil {
		t.Fatal(err)
	}
	models, key := filepath.Join(dir, "models"), "UNHIDRA_SERVER_KEY=the key of this server, for models"
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_ML=on", "UNHIDRA_ML_MODELS="+models, "UNHIDRA_ML_PYTHON="+python, key)
	r := &reader{t: t, dir: dir, operator: s.Operator, environ: append(os.Environ(), "UNHIDRA_ML_MODELS="+models,
		"UNHIDRA_ML_PYTHON="+python, "UNHIDRA_OPERATOR_ADDR="+s.Operator, "UNHIDRA_DATA_DIR="+dir, key,
		"PATH="+filepath.Dir(node.Build(t))+":"+os.Getenv("PATH"))}
	blocks := strings.Split(string(page), "```")
	for i := 3; i < len(blocks); i += 2 { // the first one installs packages, and starts the server
		language, text, _ := strings.Cut(blocks[i], "\n")
		if language == "sh" {
			r.types(text)
			continue
		}
		paragraphs := strings.Split(strings.TrimSpace(blocks[i-1]), "\n\n")
		name := regexp.MustCompile("`([a-z/_]+\\.(py|toml))`").FindStringSubmatch(paragraphs[len(paragraphs)-1])
		if name == nil {
			t.Fatalf("nothing says what this is:\n%s", text)
		}
		if err := os.WriteFile(filepath.Join(dir, name[1]), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := r.run("unhidra model list"); !regexp.MustCompile(`digits +2 +100 % +ready`).MatchString(out) {
		t.Errorf("in the end there are %v\n%s", err, out)
	}
}

// A reader types what a page says.
type reader struct {
	t             *testing.T
	dir, operator string
	environ       []string
}

// types does what lines of a shell say. What asks the server waits until it has found the model.
func (r *reader) types(lines string) {
	r.t.Helper()
	for line := range strings.Lines(lines) {
		if version := regexp.MustCompile(`model promote digits (\d)`).FindStringSubmatch(line); version != nil {
			r.await("unhidra model list", `digits +`+version[1]+` .* ready`)
		}
		if strings.HasPrefix(line, "curl") {
			r.await(line, `"name":"digit"`)
			continue
		}
		if out, err := r.run(line); err != nil {
			r.t.Fatalf("%s%v:\n%s", line, err, out)
		}
	}
}

// await runs a line until it says something, for two minutes at most.
func (r *reader) await(line, says string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	traffic.Wait(ctx, r.t, line+" says "+says, func() bool {
		out, err := r.run(line)
		return err == nil && regexp.MustCompile(says).MatchString(out)
	})
}

func (r *reader) run(line string) (string, error) {
	c := exec.CommandContext(r.t.Context(), "sh", "-ec", strings.ReplaceAll(line, "127.0.0.1:9010", r.operator))
	c.Dir, c.Env = r.dir, r.environ
	out, err := c.CombinedOutput()
	return string(out), err
}
