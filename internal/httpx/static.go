package httpx

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Static serves the web client: the files of fsys, and index.html for all other paths, which are
// the client's own routes. Files under /assets/ have a hash in their name and are cached without
// limit; all others are revalidated. A file with .br or .gz appended to a name is its compressed
// form.
func Static(fsys fs.FS) (http.Handler, error) {
	s := &static{files: map[string]*file{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		s.files["/"+name] = newFile(name, b)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the web client: %w", err)
	}
	return s, nil
}

type static struct{ files map[string]*file }

type file struct {
	data      []byte
	mediaType string
	etag      string
	cache     string
	gzipped   func() []byte // nil if compression gains nothing
}

func newFile(name string, data []byte) *file {
	sum := sha256.Sum256(data)
	f := &file{data: data, mediaType: mediaType(name), etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		cache: "no-cache"}
	if strings.HasPrefix(name, "assets/") {
		f.cache = "public, max-age=31536000, immutable"
	}
	if compressible(f.mediaType) && len(data) > 1<<10 {
		f.gzipped = sync.OnceValue(func() []byte { return compress(data) })
	}
	return f
}

// mediaType does not depend on the machine's registry for the types that matter.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".webmanifest":
		return "application/manifest+json"
	case ".json", ".map":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	case ".wasm":
		return "application/wasm"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

func compressible(mediaType string) bool {
	return strings.HasPrefix(mediaType, "text/") || strings.Contains(mediaType, "json") ||
		strings.Contains(mediaType, "svg") || strings.Contains(mediaType, "wasm")
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(data)                                  // a buffer accepts all writes
	_ = w.Close()
	return b.Bytes()
}

func (s *static) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Clean("/" + r.URL.Path)
	f, ok := s.files[name]
	if !ok {
		// A path with an extension is a file, and not found if missing. Others are routes of the
		// client.
		if path.Ext(name) != "" && name != "/index.html" {
			Fail(w, r, domain.NotFound.Errorf(domain.CodeNoFile, "there is no such file"))
			return
		}
		if f, ok = s.files["/index.html"]; !ok {
			unbuilt(w)
			return
		}
	}
	s.serve(w, r, name, f)
}

func (s *static) serve(w http.ResponseWriter, r *http.Request, name string, f *file) {
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", f.cache)
	h.Set("Vary", "Accept-Encoding")
	data, etag := f.data, f.etag
	accepts := r.Header.Get("Accept-Encoding")
	if br, ok := s.files[name+".br"]; ok && encodingAccepted(accepts, "br") {
		data, etag = br.data, br.etag
		h.Set("Content-Encoding", "br")
	} else if encodingAccepted(accepts, "gzip") {
		if gz, ok := s.files[name+".gz"]; ok {
			data, etag = gz.data, gz.etag
			h.Set("Content-Encoding", "gzip")
		} else if f.gzipped != nil {
			data, etag = f.gzipped(), strings.TrimSuffix(f.etag, `"`)+`-gz"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func encodingAccepted(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == encoding {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && !strings.HasPrefix(q, "q=0.000")
		}
	}
	return false
}

// unbuilt responds for a server that was built without the web client.
func unbuilt(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Unhidra</title><link rel="stylesheet" href="/docs/style.css"><main>
<h1>The web client is not in this build</h1><p>The server runs, and so does its <a href="/docs">API</a>.
To have the client in it, run <code>make web</code> in the source tree and build the server again.</p></main></html>`))
}
