package httpx

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Static serves the web client: the files of fsys, and index.html for all other paths, which are
// the client's own routes. Files under /assets/ have a hash in their name and are cached without
// limit; all others are revalidated. A file with .br or .gz appended to a name is its compressed
// form. What fsys opens can seek, as files of an embed.FS can; they are not copied into memory.
func Static(fsys fs.FS) (http.Handler, error) {
	s := &static{files: map[string]*file{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := newFile(fsys, name, d)
		s.files["/"+name] = f
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the web client: %w", err)
	}
	return s, nil
}

type static struct{ files map[string]*file }

type file struct {
	open      func() (io.ReadSeekCloser, error)
	mediaType string
	etag      string
	cache     string
	gzipped   *file // nil if compression gains nothing
}

func newFile(fsys fs.FS, name string, d fs.DirEntry) (*file, error) {
	f := &file{mediaType: mediaType(name), cache: "no-cache"}
	f.open = func() (io.ReadSeekCloser, error) {
		opened, err := fsys.Open(name)
		if err != nil {
			return nil, err
		}
		return opened.(io.ReadSeekCloser), nil
	}
	if hashed, ok := strings.CutPrefix(name, "assets/"); ok {
		f.cache, f.etag = "public, max-age=31536000, immutable", strconv.Quote(hashed)
	} else {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		f.etag = strconv.Quote(base64.RawURLEncoding.EncodeToString(sum[:12]))
	}
	if info, err := d.Info(); err == nil && compressible(f.mediaType) && info.Size() > 1<<10 {
		f.gzipped = gzipped(fsys, name, f.etag)
	}
	return f, nil
}

// gzipped returns the compressed form of a file, which is made when it is first asked for.
func gzipped(fsys fs.FS, name, etag string) *file {
	compressed := sync.OnceValues(func() ([]byte, error) {
		data, err := fs.ReadFile(fsys, name)
		return compress(data), err
	})
	open := func() (io.ReadSeekCloser, error) {
		data, err := compressed()
		return struct {
			*bytes.Reader
			io.Closer
		}{bytes.NewReader(data), io.NopCloser(nil)}, err
	}
	return &file{open: open, etag: strings.TrimSuffix(etag, `"`) + `-gz"`}
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
	case ".png":
		return "image/png"
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
	f, encoding := s.encoded(name, f, r.Header.Get("Accept-Encoding"))
	content, err := f.open()
	if err != nil {
		Fail(w, r, err)
		return
	}
	defer func() { _ = content.Close() }()
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, content)
}

// encoded returns the form of f that a client gets that accepts these encodings.
func (s *static) encoded(name string, f *file, accepts string) (form *file, encoding string) {
	if br, ok := s.files[name+".br"]; ok && encodingAccepted(accepts, "br") {
		return br, "br"
	}
	if !encodingAccepted(accepts, "gzip") {
		return f, ""
	}
	if gz, ok := s.files[name+".gz"]; ok {
		return gz, "gzip"
	}
	if f.gzipped != nil {
		return f.gzipped, "gzip"
	}
	return f, ""
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
