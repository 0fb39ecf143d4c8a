package ml

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// ManifestFile says in the folder of a version what it is.
const ManifestFile = "model.toml"

// GoldenFile has inputs whose outputs are known. A version that answers anything else takes no requests.
const GoldenFile = "golden.json"

// A Manifest is the model.toml of one version of a model.
type Manifest struct {
	Name        string
	Version     int
	Class       string // FILE:CLASS in Python
	Description string
	Licence     string
	Inputs      []Spec
	Outputs     []Spec
	MemoryMB    int           // beside what Python itself takes
	Workers     int           // processes
	MaxBatch    int           // requests that a worker is given at once
	Deadline    time.Duration // for one batch, whatever the caller allows
	Chunk       time.Duration // for each chunk of a stream
	Files       map[string]string
}

// A Spec names an input or output. A negative size of the shape is any size.
type Spec struct {
	Name  string  `json:"name"`
	Type  string  `json:"datatype"`
	Shape []int64 `json:"shape"`
}

// A GoldenCase is one request and what it is answered with.
type GoldenCase struct {
	Inputs     []jsonTensor   `json:"inputs"`
	Outputs    []jsonTensor   `json:"outputs"`
	Chunks     [][]jsonTensor `json:"chunks"`     // not null: it is asked as a stream, and these are its outputs
	Parameters map[string]any `json:"parameters"` // of the stream
	Tolerance  float64        `json:"tolerance"`  // how far numbers may be away
}

var (
	modelName  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)
	modelClass = regexp.MustCompile(`^[a-z][a-z0-9_]*:[A-Z][A-Za-z0-9_]*$`)
)

// ReadManifest reads the model.toml in folder, and checks that it is whole and that each file of the
// folder is the one that it names. Errors say what to change.
func ReadManifest(folder fs.FS) (Manifest, error) {
	m, err := parseManifest(folder)
	if err != nil {
		return Manifest{}, err
	}
	return m, m.checkFiles(folder)
}

// parseManifest reads the model.toml in folder, and looks at no other file.
func parseManifest(folder fs.FS) (Manifest, error) {
	f, err := folder.Open(ManifestFile)
	if err != nil {
		return Manifest{}, err
	}
	defer func() { _ = f.Close() }()
	fields, err := readTOML(io.LimitReader(f, 1<<20))
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	t := table{fields: fields}
	deadline := t.number("deadline_ms", 5000, 1, 600_000)
	m := Manifest{
		Name: t.text("name", ""), Version: t.number("version", 0, 1, 1<<30), Class: t.text("class", ""),
		Description: t.text("description", ""), Licence: t.text("licence", ""),
		Inputs: t.specs("inputs"), Outputs: t.specs("outputs"),
		MemoryMB: t.number("memory_mb", 256, 1, 1<<20), Workers: t.number("workers", 1, 1, 64),
		MaxBatch: t.number("max_batch", 8, 1, 1024),
		Deadline: time.Duration(deadline) * time.Millisecond,
		Chunk:    time.Duration(t.number("chunk_ms", deadline, 1, 600_000)) * time.Millisecond,
		Files:    t.sums("files"),
	}
	t.refuseRest()
	if !modelName.MatchString(m.Name) {
		t.fail("name: write 1 to 40 small letters, digits, - and _, a letter first")
	}
	if !modelClass.MatchString(m.Class) {
		t.fail("class: write FILE:CLASS, such as model:Language for the class Language in model.py")
	}
	if len(t.errs) > 0 {
		return Manifest{}, fmt.Errorf("%s: %w", ManifestFile, errors.Join(t.errs...))
	}
	return m, nil
}

// checkFiles compares every file of folder with what the manifest says.
func (m Manifest) checkFiles(folder fs.FS) error {
	seen := 0
	err := fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ManifestFile || d.IsDir():
			return err
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no regular file", name)
		}
		want, listed := m.Files[name]
		if !listed {
			return fmt.Errorf("%s is not in [files] of %s", name, ManifestFile)
		}
		seen++
		sum, err := fileSum(folder, name)
		if err == nil && sum != want {
			err = fmt.Errorf("%s has changed: its SHA-256 is not the one in %s", name, ManifestFile)
		}
		return err
	})
	if err == nil && seen != len(m.Files) {
		err = fmt.Errorf("%s names files that are not there", ManifestFile)
	}
	return err
}

func fileSum(folder fs.FS, name string) (string, error) {
	f, err := folder.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// readGolden reads the golden cases of folder; none: it has no such file.
func readGolden(folder fs.FS) ([]GoldenCase, error) {
	b, err := fs.ReadFile(folder, GoldenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var cases []GoldenCase
	if err == nil {
		err = json.Unmarshal(b, &cases)
	}
	for i, g := range cases {
		if g.Chunks != nil && err == nil {
			if cases[i].Parameters, err = packable(g.Parameters); g.Outputs != nil {
				err = fmt.Errorf("case %d has outputs and chunks: write either", i+1)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", GoldenFile, err)
	}
	return cases, nil
}

// versions lists the folders of models in dir, as MODEL/VERSION, the least number first.
func versions(dir string) ([]string, error) {
	models, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, model := range models {
		if !model.IsDir() || !modelName.MatchString(model.Name()) {
			continue
		}
		folders, err := os.ReadDir(path.Join(dir, model.Name()))
		if err != nil {
			return nil, err
		}
		var numbers []int
		for _, f := range folders {
			if n, err := strconv.Atoi(f.Name()); err == nil && f.IsDir() && n > 0 && strconv.Itoa(n) == f.Name() {
				numbers = append(numbers, n)
			}
		}
		slices.Sort(numbers)
		for _, n := range numbers {
			found = append(found, path.Join(model.Name(), strconv.Itoa(n)))
		}
	}
	return found, nil
}
