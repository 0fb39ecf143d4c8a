package ml

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManifestsSayWhatToChange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`name = chaos`:                      `line 1: name: "chaos" is no whole number, no text in double quotes`,
		`name = "a" b`:                      `line 1: name: "b" after its value`,
		"name = \"a\"\nname = \"b\"":        `line 2: "name" is there twice`,
		"[files]\n[files]":                  `line 2: "files" is there twice`,
		`shape = [1, 2`:                     `an array ends with ]`,
		`name = "Chaos"`:                    `name: write 1 to 40 small letters`,
		`version = 0`:                       `version: write a whole number from 1`,
		`colour = "red"`:                    `colour: there is no such setting`,
		"[[inputs]]\nname = \"x\"":          `inputs: each needs a name, a datatype`,
		"[files]\n\"model.py\" = \"short\"": `files: model.py: write its SHA-256`,
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, ManifestFile), []byte(text), 0o600))
		if _, err := ReadManifest(os.DirFS(dir)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestTensorsInJSON(t *testing.T) {
	t.Parallel()
	text := `[{"name":"a","shape":[2,2],"datatype":"FP32","data":[1,2.5,-3,0]},` +
		`{"name":"b","shape":[2],"datatype":"INT16","data":[-32768,7]},` +
		`{"name":"c","shape":[2],"datatype":"BOOL","data":[true,false]},` +
		`{"name":"d","shape":[1],"datatype":"UINT64","data":[9007199254740993]},` +
		`{"name":"e","shape":[1],"datatype":"FP64","data":[0.1]},` +
		`{"name":"f","shape":[0],"datatype":"BYTES","data":[]}]`
	var in []jsonTensor
	must(t, json.Unmarshal([]byte(text), &in))
	tensors, err := fromJSON(in)
	must(t, err)
	back, err := unpackTensors(must2(unpack(pack(nil, packTensors(tensors)))))
	must(t, err)
	out, err := toJSON(back)
	must(t, err)
	got, err := json.Marshal(out)
	must(t, err)
	if string(got) != text {
		t.Errorf("got %s", got)
	}
	for _, bad := range []string{
		`{"name":"a","shape":[1],"datatype":"INT8","data":[128]}`, `{"name":"a","shape":[1],"datatype":"FP32","data":["x"]}`,
		`{"name":"a","shape":[-1],"datatype":"FP32","data":[]}`, `{"name":"a","shape":[1],"datatype":"FP16","data":[1]}`,
		`{"name":"a","shape":[1],"datatype":"FP32","data":[{}]}`, `{"name":"a","shape":[1],"datatype":"FP32"}`,
		`{"name":"a","shape":[1],"datatype":"FP32","data":[1e300]}`,
		`{"name":"a","shape":[1],"datatype":"BYTES","data":[null]}`,
	} {
		var j jsonTensor
		must(t, json.Unmarshal([]byte(bad), &j))
		if _, err := fromJSON([]jsonTensor{j}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func must2(v any, err error) any {
	if err != nil {
		panic(err)
	}
	return v
}
