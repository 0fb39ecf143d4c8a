package ml

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed skeleton
var skeleton embed.FS

// Init makes folder, with a model of this name that runs as it is and is to be changed. The folder must
// not exist, or be empty.
func Init(folder, name string) error {
	if !modelName.MatchString(name) {
		return fmt.Errorf("%q is no name of a model: write 1 to 40 small letters, digits, - and _, a letter first", name)
	}
	if there, err := os.ReadDir(folder); err == nil && len(there) > 0 {
		return fmt.Errorf("%s is not empty; name a folder that does not exist", folder)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // it is to be shared
		return err
	}
	files, err := fs.Sub(skeleton, "skeleton")
	if err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		text = bytes.Replace(text, []byte(`"NAME"`), []byte(strconv.Quote(name)), 1)
		return os.WriteFile(filepath.Join(folder, file), text, 0o644) //nolint:gosec // the same
	})
}

// Seal copies a version of a model from one folder to another, which must not exist, and writes the
// checksums of its files into the copy's model.toml. Checksums that are there already must hold. What
// Python and the system leave beside files (__pycache__, names that begin with a dot) is left out.
func Seal(from, to string) (Manifest, error) {
	src := os.DirFS(from)
	m, err := parseManifest(src)
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s has no %s; `unhidra model init` makes a folder with one", from, ManifestFile)
	}
	if err != nil {
		return m, err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return m, err
	}
	sums := map[string]string{}
	err = fs.WalkDir(src, ".", func(name string, d fs.DirEntry, err error) error {
		base := filepath.Base(name)
		switch {
		case err != nil || name == ".":
			return err
		case base == "__pycache__", strings.HasPrefix(base, "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no regular file; copy what it stands for", name)
		}
		if err := copyFile(src, name, filepath.Join(to, name)); err != nil || name == ManifestFile {
			return err
		}
		sums[name], err = fileSum(os.DirFS(to), name)
		return err
	})
	if err != nil {
		return m, err
	}
	if len(m.Files) == 0 && len(sums) > 0 {
		if err := appendSums(filepath.Join(to, ManifestFile), sums); err != nil {
			return m, err
		}
	}
	m, err = ReadManifest(os.DirFS(to))
	if err != nil {
		err = fmt.Errorf("%w; without the table [files], it is written anew", err)
	}
	return m, err
}

func copyFile(src fs.FS, name, to string) error {
	in, err := src.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// appendSums writes the table of files to the end of a manifest that has none.
func appendSums(manifest string, sums map[string]string) error {
	f, err := os.OpenFile(manifest, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	text := "\n[files]\n"
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		text += fmt.Sprintf("%q = %q\n", name, sums[name])
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// Checked is what came of a Check.
type Checked struct {
	Manifest Manifest
	Sandbox  []string      // what holds for its worker
	Load     time.Duration // from the start of the process
	Memory   int64         // of the worker, in bytes, after the last case; 0: the system does not say
	Cases    []CheckedCase
}

// A CheckedCase is a golden case that was asked.
type CheckedCase struct {
	Took time.Duration
	Err  error // nil: it was answered as it should
}

// Check has a worker load the version in folder, which was sealed, and asks it the golden cases. An error
// is about what kept it from asking; what a case was answered is in Cases.
func Check(ctx context.Context, folder string, d Deps) (Checked, error) {
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))
	s := New(d)
	if err := s.needPython(ctx); err != nil {
		return Checked{}, err
	}
	runtime, err := s.unpackRuntime()
	if err != nil {
		return Checked{}, fmt.Errorf("write the package that workers run: %w", err)
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return Checked{}, err
	}
	p, err := openPool(folder, d, runtime, s.metrics)
	if err != nil {
		return Checked{}, err
	}
	return p.check(ctx)
}

// check tries the version in a worker of its own.
func (p *pool) check(ctx context.Context) (Checked, error) {
	out := Checked{Manifest: p.manifest}
	s := p.slots[0]
	began := time.Now()
	w, err := start(p.python, p.runtime)
	if err != nil {
		return out, fmt.Errorf("start %s: %w", p.python, err)
	}
	defer w.kill()
	defer context.AfterFunc(ctx, w.killAll)()
	if err := s.load(w); err != nil {
		return out, withOutput(err, w)
	}
	out.Load, out.Sandbox = time.Since(began), w.sandbox
	for i := range p.golden {
		began := time.Now()
		wrong, err := s.askGolden(w, i)
		if err != nil {
			return out, withOutput(fmt.Errorf("golden case %d: %w", i+1, err), w)
		}
		out.Cases = append(out.Cases, CheckedCase{time.Since(began), wrong})
	}
	out.Memory = w.memory()
	return out, ctx.Err()
}

// withOutput adds what a worker wrote before it ended.
func withOutput(err error, w *process) error {
	w.kill()
	if text := strings.TrimSpace(w.stderr.String()); text != "" {
		err = fmt.Errorf("%w; it wrote:\n%s", err, text)
	}
	return err
}

// Add puts the sealed version in folder into the models in dir, at once and whole, if it has no version of
// that number yet. The folder is moved. It returns where it is then.
func Add(dir, folder string) (to string, err error) {
	m, err := ReadManifest(os.DirFS(folder))
	if err != nil {
		return "", err
	}
	to = filepath.Join(dir, m.Name, strconv.Itoa(m.Version))
	if _, err := os.Stat(to); err == nil {
		return "", fmt.Errorf("%s has a version %d already, and versions do not change: write another number into %s",
			m.Name, m.Version, ManifestFile)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	return to, os.Rename(folder, to)
}
