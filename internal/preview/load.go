package preview

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/html/charset"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	imageTypes    = "image/webp,image/png,image/jpeg,image/gif"
	smallPatience = 3 * time.Second // with a picture of a message, or an icon: others wait for it

	maxRedirects = 5
	maxPage      = 512 << 10 // bytes of a page that are read, unpacked
	maxImage     = 5 << 20
	maxIcon      = 512 << 10
	maxOEmbed    = 64 << 10
	maxSmall     = 1 << 20 // of the picture that is made: never reached

	iconKey = "icon " // before addresses in the cache; links have no spaces
)

// load looks at the page of a link. The zero value says that there is nothing to show.
func (s *Service) load(ctx context.Context, link string) (p domain.LinkPreview, err error) {
	pageCtx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	res, err := s.get(pageCtx, link, "text/html,application/xhtml+xml;q=0.9,image/*;q=0.8")
	if err != nil {
		return p, err
	}
	defer res.Body.Close()
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case strings.HasPrefix(media, "image/"):
		p = domain.LinkPreview{URL: link, Title: cut(path.Base(res.Request.URL.Path), domain.MaxPreviewTitle)}
		p.Image, err = s.shrink(ctx, res.Body, maxImage, domain.PreviewImageSide)
		return nothingWithout(p.Image.Hash != "", p), err
	case media != "text/html" && media != "application/xhtml+xml":
		return p, nil
	}
	r, err := charset.NewReader(io.LimitReader(res.Body, maxPage), res.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, io.EOF) { // an empty page
		return p, err
	}
	if r == nil {
		return p, nil
	}
	h, at := readHead(r), res.Request.URL
	p = domain.LinkPreview{URL: link, Title: h.title(), Description: h.description(), Site: h.site()}
	image := h.at(at, h.image())
	own := image != ""
	if more := h.at(at, h.oembed); more != "" && (p.Title == "" || !own) {
		e := s.oembed(pageCtx, more)
		p.Title, p.Site = cmp.Or(p.Title, e.title), cmp.Or(p.Site, e.provider)
		p.Description = cmp.Or(p.Description, e.author)
		image = cmp.Or(image, e.thumbnail)
	}
	if p.Title == "" {
		return domain.LinkPreview{}, nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.Icon = s.icon(pageCtx, h.at(at, cmp.Or(h.icon, h.touchIcon))) })
	if image != "" {
		if p.Image = s.image(ctx, image); p.Image.Hash != "" && own {
			p.Image.Alt = h.imageAlt()
		}
	}
	wg.Wait()
	return p, nil
}

// An embed is what a page says of itself as JSON. What it offers to be put into other pages, html, is not read.
type embed struct{ title, author, provider, thumbnail string }

// oembed loads what a page says of itself as JSON, in the time that the page has left. It is looked at as a page is;
// what cannot be had is left out.
func (s *Service) oembed(ctx context.Context, address string) (e embed) {
	var said struct {
		Title     any `json:"title"`
		Author    any `json:"author_name"`
		Provider  any `json:"provider_name"`
		Thumbnail any `json:"thumbnail_url"`
	}
	res, err := s.get(ctx, address, "application/json")
	if err == nil {
		defer res.Body.Close()
		var b []byte
		media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
		if b, err = io.ReadAll(io.LimitReader(res.Body, maxOEmbed+1)); err == nil && len(b) > maxOEmbed {
			err = fmt.Errorf("more than %d bytes", maxOEmbed)
		} else if err == nil && media != "application/json" && media != "application/json+oembed" {
			err = fmt.Errorf("it is %q, and no JSON", media)
		}
		if err == nil {
			err = json.Unmarshal(b, &said)
		}
	}
	if err != nil {
		s.Log.DebugContext(ctx, "load what a page says as oEmbed", "err", err)
		return e
	}
	text := func(v any, n int) string { s, _ := v.(string); return cut(s, n) }
	e = embed{title: text(said.Title, domain.MaxPreviewTitle), author: text(said.Author, domain.MaxPreviewDescription),
		provider: text(said.Provider, domain.MaxPreviewSite)}
	if e.thumbnail, _ = said.Thumbnail.(string); len(e.thumbnail) > domain.MaxPreviewAddress {
		e.thumbnail = ""
	}
	return e
}

// icon loads the icon of a site, once for all its pages, in the time that the page has left. A page whose icon cannot
// be had is shown without.
func (s *Service) icon(ctx context.Context, address string) domain.PreviewImage {
	if address == "" {
		return domain.PreviewImage{}
	}
	p, known := s.known.get(iconKey+address, s.Now())
	if known && (p.Image.Hash == "" || s.renew(ctx, p.Image.Hash)) {
		return p.Image
	}
	i, err := s.loadSmall(ctx, address, maxIcon, domain.PreviewIconSide)
	if err != nil {
		s.Log.DebugContext(ctx, "load the icon of a page", "err", err)
	}
	if ctx.Err() == nil {
		found := domain.LinkPreview{Image: i}
		if err == nil {
			found.URL = address
		}
		s.known.put(iconKey+address, found, s.Now())
	}
	return i
}

// nothingWithout returns p if it is worth showing.
func nothingWithout(worth bool, p domain.LinkPreview) domain.LinkPreview {
	if !worth {
		return domain.LinkPreview{}
	}
	return p
}

// image loads the picture of a page. A page whose picture cannot be had is shown without.
func (s *Service) image(ctx context.Context, address string) domain.PreviewImage {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	res, err := s.get(ctx, address, imageTypes)
	if err == nil {
		defer res.Body.Close()
		var i domain.PreviewImage
		if i, err = s.shrink(ctx, res.Body, maxImage, domain.PreviewImageSide); err == nil {
			return i
		}
	}
	s.Log.DebugContext(ctx, "load the picture of a page", "err", err)
	return domain.PreviewImage{}
}

// loadSmall loads a picture that nobody waits for long, of at most most bytes, and stores it smaller.
func (s *Service) loadSmall(ctx context.Context, address string, most, side int) (i domain.PreviewImage, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(smallPatience, s.patience))
	defer cancel()
	res, err := s.get(ctx, address, imageTypes)
	if err != nil {
		return i, err
	}
	defer res.Body.Close()
	return s.shrink(ctx, res.Body, most, side)
}

// shrink makes a picture of one, of at most side by side pixels, and stores it.
func (s *Service) shrink(ctx context.Context, r io.Reader, most, side int) (i domain.PreviewImage, err error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err != nil {
		return i, err
	}
	if len(data) > most {
		return i, fmt.Errorf("a picture of more than %d bytes", most)
	}
	small, err := s.pictures.Fit(ctx, func() (io.Reader, error) { return bytes.NewReader(data), nil },
		side)
	if err != nil {
		return i, err
	}
	b, err := s.Blobs.Put(ctx, bytes.NewReader(small.Data), maxSmall)
	if err != nil {
		return i, err
	}
	return domain.PreviewImage{Hash: b.Hash, Type: b.Type, Width: small.Width, Height: small.Height}, nil
}

// get loads an address, and those that it redirects to. Each is checked as the first one is.
func (s *Service) get(ctx context.Context, address, accept string) (*http.Response, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	for range maxRedirects + 1 {
		if err := s.check(u); err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", "Mozilla/5.0 (compatible; Unhidra/"+s.Version+"; link preview)")
		req.Header.Set("Accept", accept)
		res, err := s.client.Do(req)
		if err != nil {
			return nil, err
		}
		if res.StatusCode == http.StatusOK {
			return res, nil
		}
		_ = res.Body.Close()
		if res.StatusCode < 300 || res.StatusCode > 399 {
			return nil, fmt.Errorf("the page answers with status %d", res.StatusCode)
		}
		if u, err = u.Parse(res.Header.Get("Location")); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the page redirects more than %d times", maxRedirects)
}

// check refuses addresses that are no pages of the Web. Which networks may be reached, the client knows.
func (s *Service) check(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return errors.New("only addresses with http: or https:, and without a password, are looked at")
	}
	if site(u) == s.own {
		return errors.New("this server does not look at its own pages")
	}
	host := hostOf(u)
	if ok, _ := s.hosts.Allow(host, s.Now()); !ok {
		return fmt.Errorf("%s is asked too often", host)
	}
	if p := u.Port(); p == "" || p == "80" || p == "443" {
		return nil
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil || !slices.ContainsFunc(s.Networks, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) }) {
		return errors.New("only the ports 80 and 443 are looked at, except in private networks that the operator allows")
	}
	return nil
}

func hostOf(u *url.URL) string { return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) }

// site returns the host and the port of an address.
func site(u *url.URL) string {
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return net.JoinHostPort(hostOf(u), cmp.Or(u.Port(), port))
}
