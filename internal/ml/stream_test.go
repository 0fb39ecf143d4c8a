package ml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/domain"
)

// askStream returns the chunks of an answer. yield is asked about each; nil: all are taken.
func askStream(ctx context.Context, s *Service, text string, parameters map[string]any, yield func(string) error) (
	chunks []string, err error,
) {
	err = s.Stream(ctx, Request{Model: "chaos", Inputs: []Tensor{TextTensor("text", text)}, Parameters: parameters},
		time.Minute, func(a Answer) error {
			texts, err := a.Outputs[0].Texts()
			if err != nil || len(texts) != 1 {
				return fmt.Errorf("a chunk of %d texts: %w", len(texts), err)
			}
			chunks = append(chunks, texts[0])
			if yield != nil {
				return yield(texts[0])
			}
			return nil
		})
	return chunks, err
}

func TestAStreamIsAnsweredInChunks(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	got, err := askStream(t.Context(), s, strings.Repeat("one two ", 50), nil, nil)
	if err != nil || len(got) != 100 || strings.Join(got, "") != strings.TrimSpace(strings.Repeat("ONE TWO ", 50)) {
		t.Errorf("%d chunks, %v: %q", len(got), err, got)
	}
	got, err = askStream(t.Context(), s, "parameters", map[string]any{"n": 2.0, "t": 0.5, "on": true, "s": "ß"}, nil)
	if want := `[('N', 2), ('ON', TRUE), ('S', 'SS'), ('T', 0.5)]`; err != nil || strings.Join(got, "") != want {
		t.Errorf("parameters come as %q, %v", got, err)
	}
	if _, err := askStream(t.Context(), s, "x", map[string]any{"n": nil}, nil); domain.KindOf(err) != domain.Invalid {
		t.Errorf("a parameter that cannot be sent: %v", err)
	}
	long := map[string]any{"text": strings.Repeat("x", parametersMost)}
	if _, err := askStream(t.Context(), s, "x", long, nil); domain.KindOf(err) != domain.Invalid {
		t.Errorf("parameters that are too long: %v", err)
	}
}

// Whatever a worker does in the middle of a stream, whoever asked has what came before and is told what happened, and
// the next are answered.
func TestStreamsThatGoWrong(t *testing.T) {
	t.Parallel()
	times := fast
	times.Grace = 20 * time.Millisecond
	s := chaos(t, times)
	s.pools()[0].manifest.Chunk = 2 * time.Second // nobody has asked yet
	for _, c := range []struct {
		text, before, says string
		kind               domain.Kind
	}{
		{"a fail b", "A ", "the model failed on this input", domain.Internal},
		{"a refuse b", "A ", "I do not like this text", domain.Invalid},
		{"a wrong b", "A ", "what model.toml does not say", domain.Internal},
		{"a huge b", "A ", "the model failed on this input", domain.Internal},
		{"a exit b", "A ", "ended while it had this request", domain.Unavailable},
		{"a exit b", "A ", "has ended two workers", domain.Invalid},
		{"a exit b", "", "has ended two workers", domain.Invalid}, // nobody is asked
		{"a kill b", "A ", "ended while it had this request", domain.Unavailable},
		{"a garbage b", "A ", "not a frame", domain.Unavailable},
		{"a greedy b", "A ", "not a frame", domain.Unavailable},
		{"a loop b", "A ", "no next chunk of its answer within 2s", domain.Unavailable},
		{"a stop b", "A ", "no next chunk of its answer within 2s", domain.Unavailable},
	} {
		got, err := askStream(t.Context(), s, c.text, nil, nil)
		if err == nil || domain.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.text, err)
		}
		// A worker that ends at once may take along what it has just said.
		if text := strings.Join(got, ""); text != c.before && text != "" {
			t.Errorf("%q: %q came before", c.text, text)
		}
		until(t, "a worker after "+c.text, func() bool {
			got, err := askStream(t.Context(), s, "next", nil, nil)
			return err == nil && strings.Join(got, "") == "NEXT"
		})
	}
}

func TestAStreamThatNobodyReadsIsCancelled(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	w := s.pools()[0]
	closed := func() (n int) {
		got, err := askStream(t.Context(), s, "closed", nil, nil)
		must(t, err)
		_, err = fmt.Sscan(strings.Join(got, ""), &n)
		must(t, err)
		return n
	}
	enough := errors.New("enough")
	was := closed()
	for i, text := range []string{"endless", strings.Repeat("slowly ", 10000)} {
		n := 0
		_, err := askStream(t.Context(), s, text, nil, func(string) error {
			if n++; n == 20 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Errorf("%.10s: %v", text, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = askStream(ctx, s, text, nil, func(string) error { cancel(); return nil })
		if !errors.Is(err, errGone) {
			t.Errorf("%.10s, when it is cancelled: %v", text, err)
		}
		// The generators of both, and of the question before, have been closed.
		if now := closed(); now != was+3 {
			t.Errorf("%.10s: %d of 3 generators are closed", text, now-was)
		}
		was += 3
		if got := testutil.ToFloat64(w.metrics.cancelled.WithLabelValues(w.labels()...)); got != float64(2*i+2) {
			t.Errorf("%v streams are counted as cancelled", got)
		}
	}
	if v := s.Health().Versions[0].Workers[0]; v.Restarts > 0 {
		t.Errorf("%d workers ended: %s", v.Restarts, v.LastErr)
	}
	if v := s.Models()[0].Versions[0]; v.Errors > 0 {
		t.Errorf("%d streams that nobody read are errors of the model", v.Errors)
	}
	w.manifest.Chunk = 100 * time.Millisecond
	_, err := askStream(t.Context(), s, "a deaf", nil, func(string) error { return enough })
	if !errors.Is(err, enough) {
		t.Error(err)
	}
	until(t, "the end of a worker that does not end its stream", func() bool {
		return s.Health().Versions[0].Workers[0].Restarts == 1
	})
}

// A worker does not run ahead of whoever reads, and one that nobody reads for long is free for others.
func TestAStreamIsNoFasterThanItsReader(t *testing.T) {
	t.Parallel()
	times := fast
	times.Take = 200 * time.Millisecond
	s := chaos(t, times)
	release, begun := make(chan struct{}), make(chan struct{})
	var reading sync.WaitGroup
	var first error
	reading.Go(func() {
		_, first = askStream(t.Context(), s, "endless", nil, func(string) error {
			select {
			case <-begun:
			default:
				close(begun)
			}
			<-release
			return nil
		})
	})
	<-begun
	got, err := askStream(t.Context(), s, "next", nil, nil) // waits until the first has been given up
	if err != nil || strings.Join(got, "") != "NEXT" {
		t.Errorf("%q, %v", got, err)
	}
	close(release)
	if reading.Wait(); first == nil || !strings.Contains(first.Error(), "no chunk of the answer was taken") {
		t.Errorf("whoever took nothing is told %v", first)
	}
	w := s.pools()[0]
	if n := testutil.ToFloat64(w.metrics.chunks.WithLabelValues(w.labels()...)); n != streamCredit+1 {
		t.Errorf("%v chunks were read; the first reader has room for %d, and the second had one", n, streamCredit)
	}
}

func TestAStreamEndsAtLast(t *testing.T) {
	t.Parallel()
	times := fast
	times.Stream = 300 * time.Millisecond
	s := chaos(t, times)
	got, err := askStream(t.Context(), s, "endless", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "the whole answer took more than 300ms") || len(got) == 0 {
		t.Errorf("%d chunks: %v", len(got), err)
	}
	if v := s.Health().Versions[0].Workers[0]; v.Restarts > 0 {
		t.Errorf("%d workers ended: %s", v.Restarts, v.LastErr)
	}
}

func TestStreamsAndOtherRequestsTakeTurns(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	var running sync.WaitGroup
	for i := range 30 {
		running.Go(func() {
			if i%3 > 0 {
				if got, err := ask(t, s, "ok"); got != "OK" {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			got, err := askStream(t.Context(), s, "a b c", nil, nil)
			if err != nil || strings.Join(got, "") != "A B C" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	running.Wait()
}

// generate asks the extension over a connection, and returns what comes by it.
func generate(t *testing.T, s *Service, path, body string) (status int, kind, answer string) {
	t.Helper()
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v2/models/chaos/"+path,
		strings.NewReader(body))
	must(t, err)
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, res.Header.Get("Content-Type"), string(b)
}

func TestTheGenerateExtension(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	const events, plain = "text/event-stream; charset=utf-8", "application/json"
	event := func(text string) string {
		return `data: {"model_name":"chaos","model_version":"1","text_output":"` + text + `"}` + "\n\n"
	}
	for _, c := range []struct {
		path, body string
		status     int
		kind, is   string
	}{
		{"generate_stream", `{"text_input": "hello world"}`, 200, events, event("HELLO ") + event("WORLD")},
		{"versions/1/generate_stream", `{"text": ["a"]}`, 200, events, event("A")},
		{"generate_stream", `{"text_input": ""}`, 200, events, ""},
		{"generate_stream", `{"text_input": "a fail"}`, 200, events,
			event("A ") + `data: {"error":"the model failed on this input"}` + "\n\n"},
		{"generate_stream", `{"text_input": "refuse"}`, 400, plain, `{"error":"I do not like this text"}` + "\n"},
		{"generate_stream", `{"text_input": "parameters", "id": "7", "parameters": {"n": 1}}`, 200, events,
			event("[('ID', '7'), ('N', 1)]")},
		{"generate", `{"text_input": "hello world"}`, 200, plain,
			`{"model_name":"chaos","model_version":"1","text_output":"HELLO WORLD"}` + "\n"},
		{"generate", `{"text_input": "a fail"}`, 500, plain, `{"error":"the model failed on this input"}` + "\n"},
		{"generate", `{"text_input": ""}`, 500, plain, `{"error":"the model gave no answer"}` + "\n"},
		{"generate", `{}`, 400, plain, `{"error":"\"text_input\" is missing: the model has the inputs \"text\""}` + "\n"},
		{"generate", `[]`, 400, plain, `{"error":"the body is no object such as {\"text_input\": \"a text\"}"}` + "\n"},
		{"generate", `{"text_input": 5}`, 400, plain,
			`{"error":"not a tensor: \"text\" has an element that is no BYTES"}` + "\n"},
		{"generate", `{"text_input": {}}`, 400, plain, `{"error":"not a tensor: \"text\" has an object in its data"}` + "\n"},
		{"generate", `{"text_input": []}`, 400, plain, `{"error":"\"text\" has no values"}` + "\n"},
		{"versions/7/generate", `{}`, 404, plain, `{"error":"there is no version 7 of a model \"chaos\""}` + "\n"},
	} {
		status, kind, answer := generate(t, s, c.path, c.body)
		if status != c.status || kind != c.kind || answer != c.is {
			t.Errorf("%s %s: %d %s\n%s", c.path, c.body, status, kind, answer)
		}
	}
}

// A client that goes away has the generator closed.
func TestAClientThatGoesAwayEndsItsStream(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v2/models/chaos/generate_stream",
		strings.NewReader(`{"text_input": "endless"}`))
	must(t, err)
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	w := s.pools()[0]
	until(t, "the end of its stream", func() bool {
		return testutil.ToFloat64(w.metrics.cancelled.WithLabelValues(w.labels()...)) == 1
	})
	if got, err := ask(t, s, "next"); got != "NEXT" {
		t.Errorf("the next: %q, %v", got, err)
	}
}

func TestGoldenCasesOfStreams(t *testing.T) {
	t.Parallel()
	const right = `[{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a b"]}], "parameters": {"n": 1},
		"chunks": [[{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["A "]}],
		[{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["B"]}]]}]`
	for text, says := range map[string]string{
		right: "", strings.Replace(right, `"B"`, `"C"`, 1): `"text" is ["B"], and should be ["C"]`,
		strings.NewReplacer("a b", "a b c", `"B"`, `"B "`).Replace(right): "answered in 3 chunks, and should be in 2",
		strings.NewReplacer("a b", "a", `"A "`, `"A"`).Replace(right):     "answered in 1 chunks, and should be in 2",
		strings.Replace(right, "a b", "exit", 1):                          "exit status 7",
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeModel(t, dir, 1, map[string]string{GoldenFile: text})
			times := fast
			times.Crashes, times.Probe = 1, time.Hour
			s := newService(t, dir, times)
			until(t, "the end of the golden cases", func() bool {
				h := s.Health()
				return len(h.Versions) > 0 && (h.Ready || h.Versions[0].Detail != "")
			})
			if detail := s.Health().Versions[0].Detail; !strings.Contains(detail, says) || (detail == "") != (says == "") {
				t.Errorf("the version says %q", detail)
			}
		})
	}
}

// FuzzStream has a worker send whatever it likes about a stream: what it sends is a chunk, the end, or an error.
func FuzzStream(f *testing.F) {
	for _, g := range goldenFrames(f) {
		b, err := json.Marshal(plain(g.Body))
		if err == nil {
			f.Add(g.Kind, g.ID, b)
		}
		f.Add(g.Kind, uint64(8), pack(nil, plain(g.Body)))
	}
	f.Fuzz(func(t *testing.T, kind byte, id uint64, payload []byte) {
		body, err := unpack(payload)
		if err != nil {
			return
		}
		st := &flow{id: 8, specs: []Spec{{"text_output", "BYTES", []int64{-1}}}, credit: 1}
		m := message{kind: kind, id: id, body: body}
		if kind == frameChunk {
			outputs, err := st.chunk(m)
			if err == nil && (id != 8 || len(outputs) != 1 || outputs[0].Check() != nil) {
				t.Errorf("%v is taken as a chunk", outputs)
			}
			if _, err := st.chunk(m); !errors.Is(err, errFrame) {
				t.Error("a chunk without credit is taken")
			}
			return
		}
		if _, err := st.end(m); err == nil && (id != 8 || kind != frameResponse) {
			t.Errorf("%v is taken as the end", m)
		}
	})
}

// FuzzGenerate reads whatever may be asked: what is read are tensors of the model and parameters.
func FuzzGenerate(f *testing.F) {
	for _, text := range []string{`{"text_input": "a", "parameters": {"n": 1}}`, `{"text": ["a", "b"], "x": [[1], [2]]}`,
		`{"text": "a", "x": 2.5, "id": null, "parameters": null}`} {
		f.Add([]byte(text))
	}
	specs := []Spec{{"text", "BYTES", []int64{-1}}, {"x", "FP32", []int64{-1, 1}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := decodeGenerate(body, specs)
		if err != nil {
			if domain.KindOf(err) != domain.Invalid {
				t.Errorf("%q is refused as %v", body, err)
			}
			return
		}
		if err := fits(q.Inputs, specs); err != nil {
			t.Errorf("%q: %v", body, err)
		}
		for _, in := range q.Inputs {
			must(t, in.Check())
		}
	})
}

func TestOnlyModelsThatTalkAreTalkedTo(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	talk := func(model string) error {
		return s.Chat(t.Context(), model, "room_1", "[]", func(string) error { return nil })
	}
	if err := talk("chaos"); domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), "no conversations") {
		t.Errorf("a model with other outputs: %v", err)
	}
	m := &s.pools()[0].manifest // nobody has asked yet
	m.Outputs = append(m.Outputs, Spec{Name: textOutput, Type: "BYTES"})
	if err := talk("chaos"); err == nil || !strings.Contains(err.Error(), "no conversations") {
		t.Errorf("a model with other inputs: %v", err)
	}
	if err := talk("gone"); domain.KindOf(err) != domain.NotFound {
		t.Errorf("no model: %v", err)
	}
}
