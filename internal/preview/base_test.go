package preview

import (
	"net/url"
	"strings"
	"testing"
)

// The address of a picture is relative to the base that a page names, as in browsers.
func TestThePictureIsRelativeToTheBase(t *testing.T) {
	t.Parallel()
	page := &url.URL{Scheme: "https", Host: "a.example", Path: "/tea/pot"}
	for head, want := range map[string]string{
		``:                         "https://a.example/tea/i.png",
		`<base href="/pictures/">`: "https://a.example/pictures/i.png",
		`<base target="_top"><base href=" //b.example/x/ ">`: "https://b.example/x/i.png",
		`<base href="/one/"><base href="/two/">`:             "https://a.example/one/i.png",
		`<base href="http://[">`:                             "https://a.example/tea/i.png",
	} {
		h := readHead(strings.NewReader(head + `<meta property="og:image" content="i.png">`))
		if got := h.at(page, h.image()); got != want {
			t.Errorf("%s: %q, and not %s", head, got, want)
		}
	}
	for _, content := range []string{"", "  ", "http://["} {
		h := readHead(strings.NewReader(`<meta property="og:image" content="` + content + `">`))
		if got := h.at(page, h.image()); got != "" {
			t.Errorf("%q leads to %v", content, got)
		}
	}
}
