package app_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

const shout = `from unhidra_worker import Model, Tensor


class Shout(Model):
    def predict(self, batch, context):
        return [{"loud": Tensor.texts_of([t.upper() for t in i["text"].texts()])} for i in batch]
`

// A folder that is copied into the folder of models is asked on the operator's listener.
func TestAModelBesideAServer(t *testing.T) {
	t.Parallel()
	testkit.NeedPython(t)
	dir := t.TempDir()
	folder := filepath.Join(dir, "shout", "1")
	must(t, os.MkdirAll(folder, 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "model.py"), []byte(shout), 0o600))
	sum := sha256.Sum256([]byte(shout))
	manifest := fmt.Sprintf(`name = "shout"
version = 1
class = "model:Shout"
deadline_ms = 60000
[[inputs]]
name = "text"
datatype = "BYTES"
shape = [-1]
[[outputs]]
name = "loud"
datatype = "BYTES"
shape = [-1]
[files]
"model.py" = %q
`, hex.EncodeToString(sum[:]))
	must(t, os.WriteFile(filepath.Join(folder, "model.toml"), []byte(manifest), 0o600))
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_ML=on", "UNHIDRA_ML_MODELS="+dir, "UNHIDRA_OPERATOR_ADDR=127.0.0.1:0")
	url := "http://" + s.Operator
	ask := func(method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		must(t, err)
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, string(text)
	}
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if status, text := ask("GET", "/v2/models/shout/ready", ""); status == http.StatusOK {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the model is never ready: %s", text)
		}
	}
	input := `{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}]}`
	if status, text := ask("POST", "/v2/models/shout/infer", input); status != http.StatusOK ||
		!strings.Contains(text, `"data":["HELLO"]`) {
		t.Errorf("%d %s", status, text)
	}
	if _, text := ask("GET", "/internal/ml/health", ""); !strings.Contains(text, `"model": "shout"`) {
		t.Error(text)
	}
	if _, text := ask("GET", "/metrics", ""); !strings.Contains(text,
		`ml_requests_total{model="shout",outcome="ok",version="1"} 1`) {
		t.Error("the metrics have no such request")
	}
}
