// Package web is the web client, as its build left it in dist.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS returns the files of the client. There is no index.html in a source tree
// where the client was not built.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is named two lines above
	}
	return sub
}
