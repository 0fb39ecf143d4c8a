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
	smallPatience = 3 * time.Second // with the picture of a message, or an icon: others wait for it

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
		i, err := s.shrink(ctx, res.Body, maxImage, domain.PreviewImageSide)
		if err != nil {
			return p, err
		}
		return domain.LinkPreview{URL: link, Title: cut(path.Base(res.Request.URL.Path), domain.MaxPreviewTitle), Image: i},
			nil
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
	return s.describe(ctx, pageCtx, link, res.Request.URL, readHead(r)), nil
}

// describe returns the preview of a link by the head of the page, which is at an address. Its oEmbed and its icon have
// the time that the page has left, in pageCtx. What cannot be had is left out.
func (s *Service) describe(
	ctx, pageCtx context.Context, link string, at *url.URL, h head,
) (p domain.LinkPreview) {
	p = domain.LinkPreview{URL: link, Title: h.title(), Description: h.description(), Site: h.site()}
	image, alt := h.at(at, h.image()), h.imageAlt()
	if more := h.at(at, h.oembed); more != "" && (p.Title == "" || image == "") {
		e, err := s.oembed(pageCtx, more)
		if err != nil {
			s.Log.DebugContext(ctx, "load the oEmbed of a page", "err", err)
		}
		p.Title, p.Site = cmp.Or(p.Title, e.title), cmp.Or(p.Site, e.provider)
		p.Description = cmp.Or(p.Description, e.author)
		if image == "" {
			image, alt = e.thumbnail, ""
		}
	}
	if p.Title == "" {
		return domain.LinkPreview{}
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.Icon = s.icon(pageCtx, h.at(at, cmp.Or(h.icon, h.touchIcon))) })
	if image != "" {
		i, err := s.image(ctx, image, s.patience, maxImage, domain.PreviewImageSide)
		if err != nil {
			s.Log.DebugContext(ctx, "load the picture of a page", "err", err)
		} else {
			p.Image, p.Image.Alt = i, alt
		}
	}
	wg.Wait()
	return p
}

// An embed is what a page says of itself by oEmbed. What it offers to be put into other pages, html, is not read.
type embed struct{ title, author, provider, thumbnail string }

// oembed loads what a page says of itself by oEmbed. Its address is checked as that of a page is.
func (s *Service) oembed(ctx context.Context, address string) (e embed, err error) {
	res, err := s.get(ctx, address, "application/json")
	if err != nil {
		return e, err
	}
	defer res.Body.Close()
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if media != "application/json" && media != "application/json+oembed" {
		return e, fmt.Errorf("an oEmbed of the type %q, which is no JSON", media)
	}
	data, err := readMost(res.Body, maxOEmbed)
	if err != nil {
		return e, err
	}
	var said map[string]any // values of any kind: what is no text is passed over
	if err := json.Unmarshal(data, &said); err != nil {
		return e, err
	}
	text := func(name string) string { v, _ := said[name].(string); return v }
	e = embed{title: cut(text("title"), domain.MaxPreviewTitle),
		author:   cut(text("author_name"), domain.MaxPreviewDescription),
		provider: cut(text("provider_name"), domain.MaxPreviewSite), thumbnail: text("thumbnail_url")}
	if len(e.thumbnail) > domain.MaxPreviewAddress {
		e.thumbnail = ""
	}
	return e, nil
}

// icon returns the icon of a site, which is loaded once for all its pages; the zero value: it cannot be had.
func (s *Service) icon(ctx context.Context, address string) domain.PreviewImage {
	if address == "" {
		return domain.PreviewImage{}
	}
	p, known := s.known.get(iconKey+address, s.Now())
	if known && (p.Image.Hash == "" || s.renew(ctx, p.Image.Hash)) {
		return p.Image
	}
	i, err := s.image(ctx, address, smallPatience, maxIcon, domain.PreviewIconSide)
	if err != nil {
		s.Log.DebugContext(ctx, "load the icon of a page", "err", err)
	}
	if ctx.Err() == nil {
		s.known.putImage(iconKey+address, i, s.Now())
	}
	return i
}

// image loads a picture of at most most bytes within some time, and stores one of at most side by side pixels.
func (s *Service) image(
	ctx context.Context, address string, within time.Duration, most, side int,
) (i domain.PreviewImage, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(within, s.patience))
	defer cancel()
	res, err := s.get(ctx, address, "image/webp,image/png,image/jpeg,image/gif")
	if err != nil {
		return i, err
	}
	defer res.Body.Close()
	return s.shrink(ctx, res.Body, most, side)
}

// shrink makes a picture of one, of at most side by side pixels, and stores it.
func (s *Service) shrink(ctx context.Context, r io.Reader, most, side int) (i domain.PreviewImage, err error) {
	data, err := readMost(r, most)
	if err != nil {
		return i, err
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

// readMost reads all of r, which may have at most most bytes.
func readMost(r io.Reader, most int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return data, err
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
