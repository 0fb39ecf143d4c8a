// Command othersystems checks the types of a module as it is built for other systems, and of all
// that it imports: files that are not compiled here. To compile them takes ten times as long.
//
//	othersystems GOOS...
package main

import (
	"fmt"
	"os"

	"golang.org/x/tools/go/packages"
)

func main() {
	for _, system := range os.Args[1:] {
		loaded, err := packages.Load(&packages.Config{
			Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedFiles |
				packages.NeedCompiledGoFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesSizes,
			Env: append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0"),
		}, "./cmd/...", "./internal/...", "./client/...")
		if err != nil {
			fmt.Fprintln(os.Stderr, system+":", err)
			os.Exit(1)
		}
		if packages.PrintErrors(loaded) > 0 {
			os.Exit(1)
		}
	}
}
