package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const (
	namespace = "unhidra" // of objects that do not name one
	// largest is how long an object may be for `kubectl apply`, which keeps a copy of it
	// among its annotations.
	largest = 256 << 10
)

// An object is one of a manifest, as it was written.
type object struct {
	*unstructured.Unstructured
	raw []byte
}

// A place is where the API server has the objects of a kind.
type place struct {
	resource   string
	namespaced bool
}

// A cluster is an API server with the kinds that it knows.
type cluster struct {
	*apiServer
	places  map[string]place // by version and kind
	refused int
	without map[string]int // objects whose kind it does not know, by kind
}

// admission applies every object of the files to a real API server, and creates the pods
// of their workloads, with all policies on. Files come in order; what was admitted from
// one is deleted before the next, but for its namespaces. The programs etcd and
// kube-apiserver are in one folder, the definitions of other operators' kinds in
// another.
func admission(programs, definitions string, files []string) error {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "verify-admission-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startAPIServer(ctx, programs, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	c := &cluster{apiServer: s, places: make(map[string]place), without: make(map[string]int)}
	if err := c.define(ctx, definitions); err != nil {
		return err
	}
	for _, file := range files {
		if err := c.file(ctx, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if err := c.strict(ctx); err != nil {
		return err
	}
	for kind, n := range c.without {
		fmt.Printf("admission: LEFT OUT: %d of the kind %s, whose definition is not in %s\n", n, kind, definitions)
	}
	if c.refused > 0 {
		return fmt.Errorf("%d objects were refused", c.refused)
	}
	return nil
}

// define applies the definitions of other operators' kinds, and waits until the server
// serves them.
func (c *cluster) define(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		objects, err := read(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, o := range objects {
			path, err := c.apply(ctx, o)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := c.established(ctx, path); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

func (c *cluster) established(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for ; ; time.Sleep(100 * time.Millisecond) {
		answer, _, err := c.do(ctx, http.MethodGet, path, "", nil)
		if err != nil {
			return err
		}
		var u unstructured.Unstructured
		if err := u.UnmarshalJSON(answer); err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		for _, condition := range conditions {
			if m, ok := condition.(map[string]any); ok && m["type"] == "Established" && m["status"] == "True" {
				return nil
			}
		}
	}
}

func parse(raw []byte) (object, error) {
	o := object{&unstructured.Unstructured{}, raw}
	asJSON, err := yaml.ToJSON(raw)
	if err != nil {
		return o, err
	}
	return o, o.UnmarshalJSON(asJSON)
}

// read returns the objects of a manifest, in the order in which they are applied.
func read(file string) (objects []object, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	docs := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(data)))
	for {
		raw, err := nextDocument(docs)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		o, err := parse(bytes.Clone(raw))
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	if len(objects) == 0 {
		return nil, errors.New("holds no object")
	}
	first := []string{"ServiceAccount", "Namespace"} // others need them, and that one needs this one
	slices.SortStableFunc(objects, func(a, b object) int {
		return cmp.Compare(slices.Index(first, b.GetKind()), slices.Index(first, a.GetKind()))
	})
	return objects, nil
}

// file applies the objects of a manifest, creates the pods of its workloads, and deletes
// all of it again.
func (c *cluster) file(ctx context.Context, file string) error {
	objects, err := read(file)
	if err != nil {
		return err
	}
	var paths []string
	admitted := 0
	report := func(o object, path string, err error) {
		if err != nil {
			c.refused++
			fmt.Printf("admission: REFUSED %s: %s %s: %v\n", file, o.GetKind(), o.GetName(), err)
			return
		}
		admitted++
		if o.GetKind() != "Namespace" {
			paths = append(paths, path)
		}
		fmt.Printf("admission: admitted %s %s\n", o.GetKind(), o.GetName())
	}
	for _, o := range objects {
		if ok, err := c.knows(ctx, o); err != nil {
			return err
		} else if !ok {
			c.without[o.GetAPIVersion()+" "+o.GetKind()]++
			continue
		}
		path, err := c.apply(ctx, o)
		if err == nil && o.GetKind() == "Namespace" {
			err = c.account(ctx, o.GetName())
		}
		report(o, path, err)
	}
	for _, o := range objects {
		p, err := podOf(o)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		path, err := c.apply(ctx, *p)
		report(*p, path, err)
	}
	for _, path := range paths {
		if _, _, err := c.do(ctx, http.MethodDelete, path+"?gracePeriodSeconds=0", "", nil); err != nil {
			return err
		}
	}
	fmt.Printf("admission: %s: %d objects admitted\n", file, admitted)
	return nil
}

// account makes the service account that every namespace gets from a controller.
func (c *cluster) account(ctx context.Context, namespace string) error {
	o, err := parse([]byte(`{"apiVersion": "v1", "kind": "ServiceAccount",
		"metadata": {"name": "default", "namespace": "` + namespace + `"}}`))
	if err != nil {
		return err
	}
	_, err = c.apply(ctx, o)
	return err
}

// knows reports whether the server serves the kind of an object. It fails if it serves
// others of that group.
func (c *cluster) knows(ctx context.Context, o object) (bool, error) {
	version := o.GetAPIVersion()
	if _, ok := c.places[version+" "+o.GetKind()]; ok {
		return true, nil
	}
	answer, status, err := c.do(ctx, http.MethodGet, root(version), "", nil)
	if group, _, _ := strings.Cut(version, "/"); status == http.StatusNotFound && group != version {
		if _, status, _ = c.do(ctx, http.MethodGet, "/apis/"+group, "", nil); status == http.StatusNotFound {
			return false, nil // an operator's that is not there
		}
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", version, err)
	}
	var list struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return false, err
	}
	for _, r := range list.Resources {
		if !strings.Contains(r.Name, "/") { // no part of another
			c.places[version+" "+r.Kind] = place{r.Name, r.Namespaced}
		}
	}
	if _, ok := c.places[version+" "+o.GetKind()]; !ok {
		return false, fmt.Errorf("%s has no %s", version, o.GetKind())
	}
	return true, nil
}

func root(version string) string {
	if strings.Contains(version, "/") {
		return "/apis/" + version
	}
	return "/api/" + version
}

// apply has the server apply an object strictly, as `kubectl apply --server-side`, and
// returns its path.
func (c *cluster) apply(ctx context.Context, o object) (path string, err error) {
	ok, err := c.knows(ctx, o)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fmt.Errorf("the server does not know %s %s", o.GetAPIVersion(), o.GetKind())
	}
	if copied, err := o.MarshalJSON(); err != nil || len(copied) > largest && o.GetKind() != "CustomResourceDefinition" {
		return "", fmt.Errorf("%d bytes are too many for kubectl apply (%d): %w", len(copied), largest, err)
	}
	p := c.places[o.GetAPIVersion()+" "+o.GetKind()]
	path = root(o.GetAPIVersion())
	if p.namespaced {
		path += "/namespaces/" + cmp.Or(o.GetNamespace(), namespace)
	}
	path += "/" + p.resource + "/" + o.GetName()
	_, _, err = c.do(ctx, http.MethodPatch, path+"?fieldManager=verify&fieldValidation=Strict&force=true",
		"application/apply-patch+yaml", o.raw)
	return path, err
}

// podOf returns the pod that a workload's controller would create; nil: it has none.
func podOf(o object) (*object, error) {
	template, ok, err := unstructured.NestedMap(o.Object, "spec", "template")
	if err != nil || !ok || (o.GetKind() != "Deployment" && o.GetKind() != "StatefulSet") {
		return nil, err
	}
	pod := &unstructured.Unstructured{Object: template}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetName(o.GetName() + "-0")
	pod.SetNamespace(o.GetNamespace())
	claims, _, err := unstructured.NestedSlice(o.Object, "spec", "volumeClaimTemplates")
	if err != nil {
		return nil, err
	}
	volumes, _, err := unstructured.NestedSlice(template, "spec", "volumes")
	if err != nil {
		return nil, err
	}
	for _, claim := range claims {
		name, _, _ := unstructured.NestedString(claim.(map[string]any), "metadata", "name")
		volumes = append(volumes, map[string]any{"name": name,
			"persistentVolumeClaim": map[string]any{"claimName": name + "-" + pod.GetName()}})
	}
	if err := unstructured.SetNestedSlice(template, volumes, "spec", "volumes"); err != nil {
		return nil, err
	}
	raw, err := pod.MarshalJSON()
	return &object{pod, raw}, err
}

// strict fails if the server admits what it must refuse: then the policies are not on.
func (c *cluster) strict(ctx context.Context) error {
	for want, wrong := range map[string]string{
		"violates PodSecurity": `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "open"},
			"spec": {"containers": [{"name": "a", "image": "a"}]}}`,
		"not declared in schema": `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dta": {}}`,
	} {
		o, err := parse([]byte(wrong))
		if err != nil {
			return err
		}
		_, err = c.apply(ctx, o)
		if err == nil {
			return fmt.Errorf("the server admits a %s that it must refuse (%q)", o.GetKind(), want)
		}
		if !strings.Contains(err.Error(), want) {
			return fmt.Errorf("the server refuses a %s, but does not say %q: %w", o.GetKind(), want, err)
		}
	}
	return nil
}
