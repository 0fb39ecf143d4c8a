package preview

import (
	"bytes"
	"cmp"
	"context"
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

	"golang.org/x/net/html/charset"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	maxRedirects = 5
	maxPage      = 512 << 10 // bytes of a page that are read, unpacked
	maxImage     = 5 << 20
	maxSmall     = 1 << 20 // of the picture that is made: never reached
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
		p.Image, err = s.shrink(ctx, res.Body, domain.PreviewImageSide)
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
	head := readHead(r)
	p = domain.LinkPreview{URL: link, Title: head.title(), Description: head.description(), Site: head.site()}
	if image := head.imageAt(res.Request.URL); image != nil {
		p.Image = s.image(ctx, image.String())
	}
	return nothingWithout(p.Title != "", p), nil
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
	res, err := s.get(ctx, address, "image/webp,image/png,image/jpeg,image/gif")
	if err == nil {
		defer res.Body.Close()
		var i domain.PreviewImage
		if i, err = s.shrink(ctx, res.Body, domain.PreviewImageSide); err == nil {
			return i
		}
	}
	s.Log.DebugContext(ctx, "load the picture of a page", "err", err)
	return domain.PreviewImage{}
}

// shrink makes a picture of one, of at most side by side pixels, and stores it.
func (s *Service) shrink(ctx context.Context, r io.Reader, side int) (i domain.PreviewImage, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImage+1))
	if err != nil {
		return i, err
	}
	if len(data) > maxImage {
		return i, fmt.Errorf("a picture of more than %d bytes", maxImage)
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
