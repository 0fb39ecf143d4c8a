package httpx

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestStatic(t *testing.T) {
	long := strings.Repeat("let a = 1;\n", 200)
	s, err := Static(fstest.MapFS{
		"index.html":        {Data: []byte("<!doctype html>client")},
		"assets/a-1f2e.js":  {Data: []byte(long)},
		"assets/b.css":      {Data: []byte(long)},
		"assets/b.css.br":   {Data: []byte("brotli")},
		"favicon.svg":       {Data: []byte("<svg/>")},
		"deep/down/note.md": {Data: []byte("hello")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, accept                       string
		code                               int
		mediaType, cache, encoding, starts string
	}{
		{"/", "", 200, "text/html; charset=utf-8", "no-cache", "", "<!doctype html>client"},
		{"/rooms/room_1", "", 200, "text/html; charset=utf-8", "no-cache", "", "<!doctype html>client"},
		{"/assets/a-1f2e.js", "", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "", "let a"},
		{"/assets/a-1f2e.js", "gzip, br", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable",
			"gzip", "\x1f\x8b"},
		{"/assets/a-1f2e.js", "gzip;q=0", 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "",
			"let a"},
		{"/assets/b.css", "gzip, br", 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable", "br", "brotli"},
		{"/favicon.svg", "gzip", 200, "image/svg+xml", "no-cache", "", "<svg/>"},
		{"/assets/gone.js", "", 404, "application/problem+json", "no-store", "", "{"},
		{"/../../etc/passwd.txt", "", 404, "application/problem+json", "no-store", "", "{"},
	} {
		r := httptest.NewRequest("GET", "http://x/", nil)
		r.URL.Path = tt.path
		r.Header.Set("Accept-Encoding", tt.accept)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		h := w.Header()
		if w.Code != tt.code || h.Get("Content-Type") != tt.mediaType || h.Get("Cache-Control") != tt.cache ||
			h.Get("Content-Encoding") != tt.encoding || !strings.HasPrefix(w.Body.String(), tt.starts) {
			t.Errorf("%s (%s): %d %v %.40q", tt.path, tt.accept, w.Code, h, w.Body)
		}
		if etag := h.Get("ETag"); tt.code == 200 {
			r.Header.Set("If-None-Match", etag)
			w := httptest.NewRecorder()
			if s.ServeHTTP(w, r); w.Code != 304 {
				t.Errorf("%s again: %d, ETag %s", tt.path, w.Code, etag)
			}
		}
	}
}

func TestStaticWithoutClient(t *testing.T) {
	s, err := Static(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)); w.Code != 503 ||
		!strings.Contains(w.Body.String(), "make web") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
