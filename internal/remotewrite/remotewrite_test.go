package remotewrite

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
)

var one = []Series{{Labels: []Label{{"__name__", "reading"}},
	Samples: []Sample{{At: 1_000, Value: 1.5}, {At: -1, Value: 0}}}}

// The bytes are those of prometheus.WriteRequest by hand: field 1 with a label in field 1, and samples in field 2.
const oneHex = "0a39" + "0a13" + "0a085f5f6e616d655f5f" + "120772656164696e67" +
	"120c" + "09000000000000f83f" + "10e807" + "1214" + "090000000000000000" + "10ffffffffffffffffff01"

func TestSamplesAreEncodedAsPrometheusReadsThem(t *testing.T) {
	t.Parallel()
	if got := hex.EncodeToString(Encode(one)); got != oneHex {
		t.Errorf("%s, want %s", got, oneHex)
	}
}

func TestAnAnswerSaysWhetherToTryAgain(t *testing.T) {
	t.Parallel()
	status, after := 204, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		packed, _ := io.ReadAll(r.Body)
		body, err := s2.Decode(nil, packed)
		user, password, _ := r.BasicAuth()
		if err != nil || hex.EncodeToString(body) != oneHex || r.Header.Get("Content-Encoding") != "snappy" ||
			r.Header.Get("X-Prometheus-Remote-Write-Version") != "0.1.0" || user != "ann" || password != "secret" {
			t.Errorf("got %x of %v, %v", body, r.Header, err)
		}
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "why\n")
	}))
	defer server.Close()
	c := Client{URL: server.URL, User: "ann", Token: "secret", HTTP: server.Client()}
	for _, s := range []int{200, 204} {
		status = s
		if err := c.Send(t.Context(), one); err != nil {
			t.Errorf("%d: %v", s, err)
		}
	}
	for _, s := range []int{400, 413, 422} {
		status = s
		if err := c.Send(t.Context(), one); !errors.Is(err, ErrRefused) {
			t.Errorf("%d: %v", s, err)
		}
	}
	after = "7"
	for _, s := range []int{401, 403, 404, 429, 500, 503} {
		status = s
		var later *LaterError
		if err := c.Send(t.Context(), one); !errors.As(err, &later) || later.After != 7*time.Second {
			t.Errorf("%d: %v", s, err)
		}
	}
	server.Close()
	var later *LaterError
	if err := c.Send(t.Context(), one); !errors.As(err, &later) || later.After != 0 {
		t.Errorf("away: %v", err)
	}
}
