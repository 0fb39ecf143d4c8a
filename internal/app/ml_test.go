package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ml"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/otlptest"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
	"github.com/unhidra/unhidra/internal/token"
	"github.com/unhidra/unhidra/internal/ws"
)

const shout = `from unhidra_worker import Model, Tensor


class Shout(Model):
    def predict(self, batch, context):
        def loud(text):
            return (context.traceparent if text == "trace" else text).upper()

        return [{"loud": Tensor.texts_of([loud(t) for t in i["text"].texts()])} for i in batch]
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
	addStreaming(t, dir, "Spell", "text_input", documented(t, `"chunks"`))
	addStreaming(t, dir, "Talk", "messages", "")
	const key = "the key of this server, for models"
	otlp := otlptest.Start(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=0",
		"UNHIDRA_ML=on", "UNHIDRA_ML_MODELS="+dir, "UNHIDRA_OPERATOR_ADDR=127.0.0.1:0",
		"UNHIDRA_SERVER_KEY="+key, "UNHIDRA_ASSISTANT_MODEL=talk")
	keys, err := token.NewKeyring("", []byte(key))
	must(t, err)
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
		if status, text := ask("GET", "/v2/health/ready", ""); status == http.StatusOK {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the models are never ready: %s", text)
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
	askInChunks(t, url)
	t.Run("tritonclient", func(t *testing.T) { askByTriton(t, s, app.OperatorToken(keys)) })
	admin := root(t, s)
	administerModel(t, admin)
	askInRoom(t, s, admin)
	askTraced(t, otlp, url)
}

// askTraced asks as part of a trace, which goes on in the worker.
func askTraced(t *testing.T, otlp *otlptest.Receiver, url string) {
	t.Helper()
	for path, body := range map[string]string{"spell/generate_stream": `{"text_input": "h"}`,
		"shout/infer": `{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["trace"]}]}`} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v2/models/"+path, strings.NewReader(body))
		must(t, err)
		r.Header.Set("Traceparent", traceparent)
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		text, err := io.ReadAll(answer.Body)
		must(t, err)
		must(t, answer.Body.Close())
		if path == "shout/infer" && !strings.Contains(string(text), strings.ToUpper(traceID)) {
			t.Errorf("the worker is asked without a trace: %s", text)
		}
	}
	isTree(t, otlp, func(s otlptest.Span) string { return s.Name }, `POST /v2/models/shout/infer
  ml.infer
    ml.predict
POST /v2/models/spell/generate_stream
  ml.infer
    ml.predict
`)
}

// askInRoom has a model answer for an assistant.
func askInRoom(t *testing.T, s *live.Server, admin *client.Client) {
	t.Helper()
	ctx := t.Context()
	bot, _ := makesBot(t, s, admin, "poll", map[string]any{"scopes": []string{"read"}})
	must(t, admin.Do(ctx, "PUT", "/bots/"+bot.User.ID+"/assistant", map[string]any{}, nil))
	room, err := admin.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Kitchen"})
	must(t, err)
	must(t, admin.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]any{"user": "poll"}, nil))
	_, err = admin.Send(ctx, client.Draft{Room: room.ID, Text: "@poll who wants a cracker?"})
	must(t, err)
	traffic.Wait(ctx, t, "an answer of the model", func() bool {
		page, err := admin.Timeline(ctx, room.ID, "", 50)
		must(t, err)
		return slices.ContainsFunc(page.Items, func(e client.Event) bool {
			return e.Message != nil && e.Message.Sender.ID == bot.User.ID &&
				strings.HasSuffix(e.Message.Text, "@poll who wants a cracker?")
		})
	})
}

// askInChunks reads an answer as server-sent events.
func askInChunks(t *testing.T, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v2/models/spell/generate_stream",
		strings.NewReader(`{"text_input": "hey", "parameters": {"max_tokens": 2}}`))
	must(t, err)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	const chunk = `data: {"model_name":"spell","model_version":"1","text_output":"`
	if want := chunk + "h\"}\n\n" + chunk + "e\"}\n\n"; string(text) != want {
		t.Errorf("%d %s", answer.StatusCode, text)
	}
	nc, early, err := ws.Dial(t.Context(), url+"/v2/models/spell/generate_stream", nil, nil, nil)
	must(t, err)
	defer nc.Close()
	must(t, nc.SetDeadline(time.Now().Add(time.Minute)))
	_, err = nc.Write(ws.AppendMasked(nil, ws.Text, []byte(`{"text_input": "h"}`), [4]byte{}))
	must(t, err)
	for got := early; !bytes.Contains(got, []byte(`{"done":true}`)); {
		part := make([]byte, 4096)
		n, err := nc.Read(part)
		if got = append(got, part[:n]...); err != nil {
			t.Fatalf("by a WebSocket comes %q: %v", got, err)
		}
	}
}

// documented returns the first block of code in docs/models.md that has a text.
func documented(t *testing.T, has string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/models.md")
	must(t, err)
	for i, block := range strings.Split(string(page), "```") {
		if i%2 == 1 && strings.Contains(block, has) {
			_, code, _ := strings.Cut(block, "\n")
			return code
		}
	}
	t.Fatalf("docs/models.md has no code with %q", has)
	return ""
}

// addStreaming adds the model of docs/models.md of a class, which answers in chunks. Its name is that of the
// class, in small.
func addStreaming(t *testing.T, dir, class, input, golden string) {
	t.Helper()
	from, sealed := t.TempDir(), filepath.Join(t.TempDir(), "sealed")
	must(t, os.WriteFile(filepath.Join(from, "model.py"), []byte(documented(t, "class "+class)), 0o600))
	if golden != "" {
		must(t, os.WriteFile(filepath.Join(from, ml.GoldenFile), []byte(golden), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(from, ml.ManifestFile), fmt.Appendf(nil, `name = %q
version = 1
class = "model:%s"
deadline_ms = 60000
[[inputs]]
name = %q
datatype = "BYTES"
shape = [1]
[[outputs]]
name = "text_output"
datatype = "BYTES"
shape = [1]
`, strings.ToLower(class), class, input), 0o600))
	_, err := ml.Seal(from, sealed)
	must(t, err)
	_, err = ml.Add(dir, sealed)
	must(t, err)
}

// askByTriton asks the model by the client of Triton from PyPI, by HTTP and by gRPC.
func askByTriton(t *testing.T, s *live.Server, key string) {
	t.Helper()
	packages := filepath.Join("..", "..", "bin", "tritonclient")
	if _, err := os.Stat(filepath.Join(packages, "tritonclient")); err != nil {
		t.Skip("tritonclient is not in bin/tritonclient (.ci/tools puts it there): it is not tried")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "python3", "testdata/triton_client.py", s.Operator, key)
	c.Env = append(os.Environ(), "PYTHONPATH="+packages)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// administerModel sees, tries and changes the model as an administrator.
func administerModel(t *testing.T, admin *client.Client) {
	t.Helper()
	var list struct {
		On    bool
		Items []struct {
			Name     string
			Answers  int
			Versions []struct {
				State     string
				Workers   int
				Processes []struct{ State string }
				Events    []struct{ Kind string }
			}
		}
	}
	must(t, admin.Do(t.Context(), "GET", "/admin/models", nil, &list))
	if v := list.Items[0].Versions[0]; !list.On || list.Items[0].Answers != 1 || v.State != "ready" ||
		len(v.Processes) != 1 || v.Events[len(v.Events)-1].Kind != "ready" {
		t.Errorf("administrators see %+v", list)
	}
	inputs := func(kind string) map[string]any {
		return map[string]any{"inputs": []any{
			map[string]any{"name": "text", "datatype": kind, "shape": []int{2}, "data": []string{"a", "ß"}}}}
	}
	try := "/admin/models/shout/infer"
	var answer struct {
		Version int
		Outputs []struct{ Data []string }
	}
	must(t, admin.Do(t.Context(), "POST", try, inputs("BYTES"), &answer))
	if answer.Version != 1 || !slices.Equal(answer.Outputs[0].Data, []string{"A", "SS"}) {
		t.Errorf("the model answers %+v", answer)
	}
	for _, c := range []struct {
		path string
		body any
		code domain.Code
	}{
		{try, inputs("FP32"), domain.CodeInvalidRequest},
		{try, map[string]any{"version": 2, "inputs": []any{}}, domain.CodeNoRoute},
		{"/admin/models/nobody/infer", inputs("BYTES"), domain.CodeNoRoute},
		{"/admin/models/nobody", map[string]any{"action": "rollback"}, domain.CodeNoRoute},
		{"/admin/models/shout", map[string]any{"action": "guess"}, domain.CodeInvalidRequest},
		{"/admin/models/shout", map[string]any{"action": "promote", "version": 1, "percent": 101},
			domain.CodeInvalidRequest},
		{"/admin/models/shout", map[string]any{"action": "unload", "version": 7}, domain.CodeInvalidRequest},
	} {
		if err := admin.Do(t.Context(), "POST", c.path, c.body, nil); codeOf(err) != c.code {
			t.Errorf("%s %v: %v; want %s", c.path, c.body, err, c.code)
		}
	}
	change := func(action string) {
		must(t, admin.Do(t.Context(), "POST", "/admin/models/shout", map[string]any{"action": action, "version": 1}, &list))
	}
	change("unload")
	if v := list.Items[0].Versions[0]; v.State != "unloaded" || v.Workers != 0 || list.Items[0].Answers != 0 {
		t.Errorf("an unloaded version is shown as %+v", list)
	}
	if err := admin.Do(t.Context(), "POST", try, inputs("BYTES"), nil); codeOf(err) != domain.CodeBusy {
		t.Errorf("an unloaded version answers %v", err)
	}
	change("load")
	wait(t, func() bool { return admin.Do(t.Context(), "POST", try, inputs("BYTES"), &answer) == nil })
	me, err := admin.Me(t.Context())
	must(t, err)
	if n := recorded(t, admin, "target=model:shout&actor="+me.ID)[string(domain.AuditConfigChange)]; n != 2 {
		t.Errorf("%d records of two changes", n)
	}
}
