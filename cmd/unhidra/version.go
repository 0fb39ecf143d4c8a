package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the linker for a release: -X main.release=1.2.3
var release string

// version is that of the release or, without one, what the build knows.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return "dev"
	}
	return "dev-" + revision + dirty
}

func printVersion(_ context.Context, e *env, args []string) error {
	fs := e.flags("version", "version\n\nPrints the version of this program, and what it was built with.\n")
	if err := parse(fs, args, 0, 0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "unhidra %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
