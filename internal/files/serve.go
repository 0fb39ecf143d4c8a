package files

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

const (
	maxDownloads = 1024 // at once
	retryLoad    = 10 * time.Second
)

// Handle adds what delivers files to mux: to whoever has a link, or sends an access token or the key of a device.
func (s *Service) Handle(mux *http.ServeMux) {
	mux.HandleFunc("GET "+httpx.FilePath+"{file}/content",
		func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.content) })
	mux.HandleFunc("GET "+httpx.FilePath+"{file}/thumbnail",
		func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.thumbnail) })
}

// A served is what is sent of a file.
type served struct {
	io.ReadSeekCloser
	name, mediaType, tag string
}

func (s *Service) content(r *http.Request, f domain.File) (served, error) {
	return served{s.open(r.Context(), f), f.Name, f.Type, f.ID}, nil
}

func (s *Service) thumbnail(r *http.Request, f domain.File) (out served, err error) {
	if f.Thumb.Hash == "" {
		return out, domain.NotFound.Errorf(domain.CodeNoSuchFile, "this file has no small picture")
	}
	file, b, err := s.Blobs.Open(r.Context(), f.Thumb.Hash)
	return served{file, "thumbnail-" + f.Name, b.Type, f.Thumb.Hash}, err
}

func (s *Service) serve(
	w http.ResponseWriter, r *http.Request, what func(*http.Request, domain.File) (served, error),
) {
	leave, err := s.downloads.Enter(httpx.ClientAddr(r.Context()))
	if err != nil {
		httpx.Fail(w, r, err)
		return
	}
	defer leave()
	f, err := s.mayLoad(r, r.PathValue("file"))
	if err != nil {
		httpx.Fail(w, r, err)
		return
	}
	out, err := what(r, f)
	if err != nil {
		httpx.Fail(w, r, err)
		return
	}
	defer out.Close()
	h := w.Header()
	h.Set("Content-Type", out.mediaType)
	h.Set("Content-Disposition", disposition(out.name, out.mediaType, r.URL.Query().Has("download")))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	h.Set("ETag", `"`+out.tag+`"`)
	http.ServeContent(w, r, "", f.Created, out)
}

// mayLoad returns a file, and an error unless a request may load it now.
func (s *Service) mayLoad(r *http.Request, id string) (f domain.File, err error) {
	if !domain.ValidID(domain.FilePrefix, id) {
		return f, errNoFile()
	}
	var p domain.Principal
	if q := r.URL.Query(); q.Has("sig") {
		p.ID, err = s.checkLink(id, q)
	} else {
		p, err = s.bearer(r)
	}
	if err != nil {
		return f, err
	}
	if f, err = s.Store.Readable(r.Context(), id, p.ID); err == nil && p.Kind != "" {
		err = s.Secrets.MayLoad(r.Context(), p, f.Room)
	}
	switch {
	case err != nil:
		return domain.File{}, err
	case f.State == domain.FileGone:
		return f, domain.NotFound.Errorf(domain.CodeNoSuchFile, "this file was deleted, as the server keeps files for a "+
			"shorter time than messages")
	case f.State != domain.FileReady:
		return f, domain.Conflict.Errorf(domain.CodeUploadOpen, "the upload of this file is not complete")
	}
	return f, nil
}

// bearer returns who sends a request.
func (s *Service) bearer(r *http.Request) (p domain.Principal, err error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return p, domain.Unauthorized.Errorf(domain.CodeNoCredentials,
			"open a link that the server has given you, or send an access token as a bearer token")
	}
	return s.Secrets.Authenticate(r.Context(), strings.TrimSpace(secret), httpx.ClientAddr(r.Context()))
}

// disposition tells browsers to show what is harmless in a page, and to store all else under its name (RFC 6266).
func disposition(name, mediaType string, download bool) string {
	how := "attachment"
	if domain.ShownInline(mediaType) && !download {
		how = "inline"
	}
	return how + "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}
