package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the linker for a release: -X main.release=1.2.3
var release string

// commit is set where the build cannot know it by itself, as in an image.
var commit string

// version is that of the release or, without one, what the build knows.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if revision := revision(info); revision != "" {
		return "dev-" + revision
	}
	return "dev"
}

// revision is the commit that the program was built from, if that is known.
func revision(info *debug.BuildInfo) string {
	if commit != "" {
		return commit[:min(12, len(commit))]
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
	return revision + dirty
}

func printVersion(_ context.Context, e *env, args []string) error {
	fs := e.flags("version", "version\n\nPrints the version of this program, and what it was built with.\n")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	from := "unknown commit"
	if info, ok := debug.ReadBuildInfo(); ok && revision(info) != "" {
		from = "commit " + revision(info)
	}
	_, err := fmt.Fprintf(e.stdout, "unhidra %s (%s, %s, %s/%s)\n", version(), from, runtime.Version(), runtime.GOOS,
		runtime.GOARCH)
	return err
}
