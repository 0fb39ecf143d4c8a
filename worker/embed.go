// Package worker is the Python package that workers of models run. It needs Python alone.
package worker

import "embed"

//go:embed unhidra_worker/*.py
var files embed.FS

// FS returns the package, in a folder of its name.
func FS() embed.FS { return files }
