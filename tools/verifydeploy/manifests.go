package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// manifests decodes every object of a rendered chart strictly, as an API server with
// field validation does, and holds its pods against the Pod Security standard
// "restricted". Objects of kinds that Kubernetes does not bring are counted alone.
func manifests(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return err
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	docs := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(data)))
	own, others := 0, 0
	for {
		doc, err := nextDocument(docs)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		object, kind, err := decoder.Decode(doc, nil, nil)
		switch {
		case runtime.IsNotRegisteredError(err):
			others++
			continue
		case err != nil:
			return fmt.Errorf("%s: %w", file, err)
		}
		own++
		if err := restricted(evaluator, object); err != nil {
			return fmt.Errorf("%s: %s: %w", file, kind.Kind, err)
		}
	}
	if own == 0 {
		return fmt.Errorf("%s holds no object", file)
	}
	fmt.Printf("manifests: %s: %d objects decoded strictly, pods restricted; %d of other operators' kinds\n", file, own,
		others)
	return nil
}

// nextDocument returns the next document that says something.
func nextDocument(docs io.Reader) ([]byte, error) {
	buf := make([]byte, 4<<20)
	for {
		n, err := docs.Read(buf)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(buf[:n])) {
			if s := strings.TrimSpace(line); s != "" && s != "---" && !strings.HasPrefix(s, "#") {
				return buf[:n], nil
			}
		}
	}
}

// restricted fails if object runs pods that an API server refuses in a namespace
// labelled pod-security.kubernetes.io/enforce=restricted.
func restricted(evaluator policy.Evaluator, object runtime.Object) error {
	var meta *metav1.ObjectMeta
	var spec *corev1.PodSpec
	switch o := object.(type) {
	case *corev1.Pod:
		meta, spec = &o.ObjectMeta, &o.Spec
	case *appsv1.Deployment:
		meta, spec = &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	case *appsv1.StatefulSet:
		meta, spec = &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	default:
		return nil
	}
	level := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	if r := policy.AggregateCheckResults(evaluator.EvaluatePod(level, meta, spec)); !r.Allowed {
		return errors.New(r.ForbiddenDetail())
	}
	return nil
}
