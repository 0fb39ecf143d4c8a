// Command verifydeploy looks at what is under deploy/ in the ways for which there
// is no tool to call:
//
//	compose FILE...      reads compose files as `docker compose config` would
//	dashboards URL DIR   every expression of every dashboard gives a series
//	rules URL FILE...    every recording rule gives a series, and so does every
//	                     alert once its comparisons do not choose
//	runbooks FILE DIR    every alert has its page
//	manifests FILE       Kubernetes objects decode strictly, and their pods are
//	                     those of Pod Security's level "restricted"
//	admission PROGRAMS DEFINITIONS FILE...
//	                     a real API server admits every object of the files
//	schemas FILE DIR     writes JSON schemas for kubeconform, from the OpenAPI
//	                     document of Kubernetes
//
// It has a module of its own, so that the server does not depend on what it needs.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: verifydeploy compose|dashboards|rules|runbooks|manifests|admission|schemas ...")
		os.Exit(2)
	}
	var err error
	switch args := os.Args[2:]; os.Args[1] {
	case "compose":
		err = compose(args)
	case "dashboards":
		err = dashboards(args[0], args[1])
	case "rules":
		err = rules(args[0], args[1:])
	case "runbooks":
		err = runbooks(args[0], args[1])
	case "manifests":
		err = manifests(args[0])
	case "admission":
		if len(args) < 3 {
			err = errors.New("usage: verifydeploy admission PROGRAMS DEFINITIONS FILE...")
			break
		}
		err = admission(args[0], args[1], args[2:])
	case "schemas":
		err = schemas(args[0], args[1])
	default:
		err = fmt.Errorf("there is no %s", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "verifydeploy:", err)
		os.Exit(1)
	}
}
