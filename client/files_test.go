package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
)

const testPart = 1000 // bytes

// takesParts is a server that takes parts of a file as part says, and completes it.
func takesParts(
	t *testing.T, size int, part func(w http.ResponseWriter, r *http.Request, n string, body []byte),
) (c *client.Client, u client.Upload, sum func() string) {
	t.Helper()
	var completed atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has cancelled it
		}
		_, n, found := strings.Cut(r.URL.Path, "/parts/")
		if found {
			part(w, r, n, body)
			return
		}
		var said struct{ SHA256 string }
		_ = json.Unmarshal(body, &said) // then it is empty
		completed.Store(said.SHA256)
		_, _ = w.Write([]byte(`{"state":"ready"}`))
	}))
	t.Cleanup(srv.Close)
	c = client.New(srv.URL)
	c.Token("a token")
	u = client.Upload{State: "uploading", PartSize: testPart}
	u.ID, u.Size = "fil_1", int64(size)
	return c, u, func() string { s, _ := completed.Load().(string); return s }
}

func testFile(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i / 7)
	}
	return data
}

// Three parts are on their way at once, those that are there are not sent, and what is told of it grows in order.
func TestPartsAreSentBesideEachOther(t *testing.T) {
	t.Parallel()
	data := testFile(7*testPart + 10)
	var mu sync.Mutex
	got, other := map[string][]byte{}, make(chan struct{})
	c, u, sum := takesParts(t, len(data), func(_ http.ResponseWriter, r *http.Request, n string, body []byte) {
		mu.Lock()
		got[n] = body
		mu.Unlock()
		switch n {
		case "0": // is answered when the next one that is sent has arrived
			select {
			case <-other:
			case <-r.Context().Done():
			case <-time.After(time.Minute):
				t.Error("no other part comes while the first is on its way")
			}
		case "2":
			close(other)
		}
	})
	u.Parts = []int{1}
	var told []int64
	done, err := c.SendParts(t.Context(), u, bytes.NewReader(data), func(n int64) { told = append(told, n) })
	want := sha256.Sum256(data)
	if err != nil || done.State != "ready" || sum() != hex.EncodeToString(want[:]) {
		t.Errorf("%+v, %v, SHA-256 %s", done, err, sum())
	}
	if !slices.Equal(told, []int64{1000, 2000, 3000, 4000, 5000, 6000, 7000, 7010}) {
		t.Errorf("told of %v", told)
	}
	if len(got) != 7 || got["1"] != nil || !bytes.Equal(got["7"], data[7000:]) || !bytes.Equal(got["3"], data[3000:4000]) {
		t.Errorf("%d parts came, the last with %q", len(got), got["7"])
	}
}

// After an error nothing is on its way any more, and nothing is completed.
func TestPartsEndWithAnError(t *testing.T) {
	t.Parallel()
	data := testFile(9 * testPart)
	var count atomic.Int32
	c, u, sum := takesParts(t, len(data), func(w http.ResponseWriter, r *http.Request, n string, _ []byte) {
		count.Add(1)
		if n == "0" {
			w.WriteHeader(http.StatusConflict)
			return
		}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.SendParts(ctx, u, bytes.NewReader(data), nil); err == nil || ctx.Err() != nil || sum() != "" {
		t.Errorf("%v, completed %q", err, sum())
	}
	if n := count.Load(); n > 3 {
		t.Errorf("%d parts were sent, though the first was refused", n)
	}
}
