package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// schemas writes a JSON schema for each kind of an OpenAPI 2 document of Kubernetes,
// by the file names that kubeconform looks for ("deployment-apps-v1.json"). They refuse
// fields that the kind does not have.
func schemas(openAPI, dir string) error {
	data, err := os.ReadFile(openAPI)
	if err != nil {
		return err
	}
	var doc struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range doc.Definitions {
		strict(d)
	}
	for name, d := range doc.Definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 {
			continue // shared by all groups, such as DeleteOptions
		}
		k := kinds[0].(map[string]any)
		group, _, _ := strings.Cut(k["group"].(string), ".")
		file := k["kind"].(string)
		if group != "" {
			file += "-" + group
		}
		file = strings.ToLower(file + "-" + k["version"].(string) + ".json")
		ref := fmt.Sprintf(`{"$ref": "definitions.json#/definitions/%s"}`, name)
		if err := os.WriteFile(filepath.Join(dir, file), []byte(ref), 0o644); err != nil {
			return err
		}
	}
	// The others refer to it, and who finds it takes them as written.
	all, err := json.Marshal(map[string]any{"definitions": doc.Definitions})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "definitions.json"), all, 0o644)
}

// strict has a definition refuse what it does not name, and accept a number where
// Kubernetes takes either.
func strict(d map[string]any) {
	if d["format"] == "int-or-string" {
		delete(d, "format")
		d["type"] = []string{"integer", "string"}
	}
	if p, ok := d["properties"].(map[string]any); ok {
		if _, preserve := d["x-kubernetes-preserve-unknown-fields"]; !preserve {
			d["additionalProperties"] = false
		}
		for _, v := range p {
			if m, ok := v.(map[string]any); ok {
				strict(m)
			}
		}
	}
}
