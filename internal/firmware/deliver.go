package firmware

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// LinkLife is how long a link to an image is good for. It is longer than a slow download with pauses takes.
const LinkLife = 6 * time.Hour

// forAll is for whom a link is that a CDN may keep the answer of.
const forAll = "all"

// Link returns a URL by which a device, or whoever has it, may load a file for LinkLife. Only for what the caller
// has found that it may load. By a CDN it is good for up to twice as long: all links to a file are the same for
// LinkLife, so that a CDN, which keeps answers by their whole URL, loads it once.
func (s *Service) Link(ctx context.Context, hash, to string) string {
	base, end := s.URL(), s.now().Add(LinkLife)
	switch {
	case s.Direct != nil:
		link, ok, err := s.Direct.Presign(ctx, hash, LinkLife)
		if ok && err == nil {
			return link
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "make no link to the bucket; the file goes by this server", "sha256", hash, "err", err)
		}
	case s.CDN != "":
		base, to, end = s.CDN, forAll, end.Truncate(LinkLife).Add(LinkLife)
	}
	until := strconv.FormatInt(end.Unix(), 10)
	q := url.Values{"until": {until}, "for": {to}, "sig": {s.signature(hash, until, to)}}
	return base + httpx.ImagePath + hash + "?" + q.Encode()
}

// keep says who may keep the answer to a request, and for how long: a CDN until the link ends. What a key or a token
// has opened is nobody's to keep, whatever else its URL says: only a signature was checked with its end.
func (s *Service) keep(r *http.Request) string {
	q := r.URL.Query()
	end, err := strconv.ParseInt(q.Get("until"), 10, 64)
	if q.Get("sig") == "" || q.Get("for") != forAll || err != nil {
		return "private, max-age=31536000, immutable"
	}
	return fmt.Sprintf("public, max-age=%d, immutable", max(end-s.Now().Unix(), 0))
}

func (s *Service) signature(hash, until, to string) string {
	h := hmac.New(sha256.New, s.LinkKey)
	h.Write([]byte(hash + "\n" + until + "\n" + to))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// ServeImage answers GET and HEAD of an image, whole or in ranges (RFC 9110, 14): to whoever has a link, to devices
// by their keys, and to people by access tokens. The name of an image is its content, so it never changes.
func (s *Service) ServeImage(w http.ResponseWriter, r *http.Request) {
	hash := r.PathValue("sha256")
	s.Deliver(w, r, hash, func() error {
		if !domain.ValidSHA256(hash) {
			return errNoImage()
		}
		return s.mayLoad(r, hash)
	})
}

// Deliver answers GET and HEAD of an image, as ServeImage does, unless may returns an error: with that. It returns up
// to which byte the client has the file now, if it had it up to where the answer begins.
func (s *Service) Deliver(w http.ResponseWriter, r *http.Request, hash string, may func() error) (end int64) {
	out := &counted{ResponseWriter: w, status: http.StatusOK}
	s.deliver(out, r, hash, may)
	s.downloads.count(out, r)
	return out.end(r)
}

func (s *Service) deliver(w http.ResponseWriter, r *http.Request, hash string, may func() error) {
	addr := httpx.ClientAddr(r.Context())
	leave, err := s.downloads.gate.Enter(addr)
	if err != nil {
		httpx.Fail(w, r, err)
		return
	}
	defer leave()
	if err := may(); err != nil {
		httpx.Fail(w, r, err)
		return
	}
	product, err := s.sharing(r.Context(), hash)
	if err != nil {
		httpx.Fail(w, r, err)
		return
	}
	file, b, err := s.Files.Open(r.Context(), hash)
	if err != nil {
		httpx.Fail(w, r, err)
		return
	}
	defer file.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", `"`+hash+`"`)
	if h.Get("Cache-Control") == "" { // the caller has not said that the URL will have another file
		h.Set("Cache-Control", s.keep(r))
	}
	http.ServeContent(w, r, "", b.Created, s.downloads.paced(r.Context(), file, addr, product))
}

// sharing returns the product whose downloads share a limit with those of a file: the first that has it.
func (s *Service) sharing(ctx context.Context, hash string) (id string, err error) {
	if s.downloads.Product == 0 {
		return "", nil
	}
	products, err := s.Releases.ImageProducts(ctx, hash, false)
	if len(products) > 0 {
		id = products[0].ID
	}
	return id, err
}

// mayLoad returns an error unless a request may load the file with a hash.
func (s *Service) mayLoad(r *http.Request, hash string) error {
	q := r.URL.Query()
	if sig := q.Get("sig"); sig != "" {
		return s.checkLink(hash, q.Get("until"), q.Get("for"), sig)
	}
	secret, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, password, basic := r.BasicAuth(); basic {
		secret, bearer = password, true
	}
	if !bearer {
		return domain.Unauthorized.Errorf(domain.CodeNoCredentials,
			"send the key of a device or an access token, as a bearer token or as the password")
	}
	addr := httpx.ClientAddr(r.Context())
	proof, ok, wait := s.proofs.Check(secret, addr, s.Now())
	if !ok {
		return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"too many wrong keys came from this address; wait a moment").After(wait)
	}
	p, err := s.Secrets.Authenticate(r.Context(), secret, addr)
	if err != nil {
		switch domain.KindOf(err) {
		case domain.Unauthorized, domain.Forbidden:
			proof.Wrong(s.Now())
		default:
			proof.Unclear()
		}
		return err
	}
	proof.Good(s.Now())
	return s.mayHave(r.Context(), p, hash)
}

func (s *Service) checkLink(hash, until, to, sig string) error {
	end, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !hmac.Equal([]byte(sig), []byte(s.signature(hash, until, to))) {
		return domain.Forbidden.Errorf(domain.CodeLinkExpired, "this link was changed; ask for another one")
	}
	if s.Now().Unix() > end {
		return domain.Forbidden.Errorf(domain.CodeLinkExpired, "this link has expired; ask for another one")
	}
	return nil
}

// mayHave returns an error unless p may have an image: people, of a product that they see; devices, of an active
// release for a product of their owner, or one that they have joined.
func (s *Service) mayHave(ctx context.Context, p domain.Principal, hash string) error {
	products, err := s.Releases.ImageProducts(ctx, hash, p.Kind == domain.KindDevice)
	if err != nil {
		return err
	}
	for _, v := range products {
		if p.Kind == domain.KindDevice {
			if may, err := s.Fleet.MayTake(ctx, p.ID, v.ID); may || err != nil {
				return err
			}
			continue
		}
		_, has, err := s.Products.Product(ctx, v.ID, p.ID)
		switch {
		case err == nil && has >= domain.SeeProduct:
			return nil
		case err != nil && domain.CodeOf(err) != domain.CodeNoProduct:
			return err
		}
	}
	return errNoImage()
}

func errNoImage() error {
	return domain.NotFound.Errorf(domain.CodeNoImage, "there is no such image, or you may not load it")
}
