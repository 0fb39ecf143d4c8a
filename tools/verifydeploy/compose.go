package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads the files with every combination of profiles that the
// documentation names, and looks for what a server on the internet must not have.
func compose(files []string) error {
	dir := filepath.Dir(files[0])
	for _, profiles := range [][]string{{"embedded"}, {"embedded", "observability"}, {"cluster", "observability"},
		{"embedded", "observability", "tracing"}} {
		o, err := cli.NewProjectOptions(files, cli.WithWorkingDirectory(dir), cli.WithProfiles(profiles),
			cli.WithEnvFiles(filepath.Join(dir, ".env")), cli.WithDotEnv,
			cli.WithEnv([]string{"UNHIDRA_ACME_DOMAINS=chat.example.org"}))
		if err != nil {
			return err
		}
		p, err := o.LoadProject(context.Background())
		if err != nil {
			return fmt.Errorf("%v with profiles %v: %w", files, profiles, err)
		}
		for name, s := range p.Services {
			if err := service(name, s); err != nil {
				return err
			}
		}
		fmt.Printf("compose: %v with profiles %v: %s\n", files, profiles, strings.Join(p.ServiceNames(), ", "))
	}
	return nil
}

func service(name string, s types.ServiceConfig) error {
	if s.Image == "" || strings.HasSuffix(s.Image, ":latest") && s.Build == nil {
		return fmt.Errorf("%s: its image has no version", name)
	}
	if s.Build != nil && (!s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") ||
		!slices.Contains(s.SecurityOpt, "no-new-privileges:true")) {
		return fmt.Errorf("%s: may do more than it must", name)
	}
	for _, p := range s.Ports {
		if p.Target == 9010 {
			return fmt.Errorf("%s: publishes the operator's listener", name)
		}
	}
	for _, v := range s.Volumes {
		if v.Type != types.VolumeTypeBind || strings.HasSuffix(v.Source, "/certs") || strings.HasSuffix(v.Source, "/www") {
			continue
		}
		if _, err := os.Stat(v.Source); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
