package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type oneUser struct{}

func (oneUser) Authenticate(_ context.Context, bearer string) (domain.Principal, error) {
	if bearer != "good" {
		return domain.Principal{}, domain.Unauthorized.Errorf(domain.CodeBadToken, "sign in again")
	}
	return domain.Principal{ID: "usr_1"}, nil
}

type things struct {
	Body struct {
		Name string `json:"name" maxLength:"10"`
		Size int    `json:"size,omitempty" minimum:"1"`
		Tags []struct {
			Label string `json:"label"`
		} `json:"tags,omitempty"`
	}
}

type answer struct {
	Body Page[string]
}

// serve returns a server with a few operations, and what it logs.
func serve(t *testing.T, o HandlerOptions) (*httptest.Server, *bytes.Buffer) {
	t.Helper()
	var logged bytes.Buffer
	o.Log = slog.New(slog.NewJSONHandler(&logged, nil))
	mux := http.NewServeMux()
	api := New(mux, Options{Auth: oneUser{}, Log: o.Log, Version: "test"})
	Register(api, huma.Operation{OperationID: "make-thing", Method: http.MethodPost, Path: "/things",
		Summary: "Make a thing", DefaultStatus: http.StatusCreated},
		func(_ context.Context, in *things) (*answer, error) {
			return &answer{Page[string]{Items: []string{in.Body.Name}}}, nil
		})
	Register(api, huma.Operation{OperationID: "me", Method: http.MethodGet, Path: "/me", Security: Bearer},
		func(ctx context.Context, in *struct {
			Limit int `query:"limit" minimum:"1" maximum:"10" default:"5"`
		}) (*answer, error) {
			return &answer{Page[string]{Items: []string{Principal(ctx).ID, ClientAddr(ctx).String(), UserAgent(ctx),
				RequestID(ctx)}}}, nil
		})
	Register(api, huma.Operation{OperationID: "fail", Method: http.MethodGet, Path: "/fail/{kind}"},
		func(_ context.Context, in *struct {
			Kind string `path:"kind"`
		}) (*answer, error) {
			switch in.Kind {
			case "raw":
				return nil, errors.New("the secret cause")
			case "panic":
				panic("the secret panic")
			case "empty":
				return &answer{}, nil
			}
			return nil, domain.Kind(in.Kind).Errorf(domain.CodeBusy,
				"what is wrong").Because(errors.New("the secret cause")).After(1500 * time.Millisecond)
		})
	Register(api, huma.Operation{OperationID: "touch", Method: http.MethodPost, Path: "/touch"},
		func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	Register(api, huma.Operation{OperationID: "set-picture", Method: http.MethodPut, Path: "/picture"},
		func(_ context.Context, in *struct {
			RawBody []byte `contentType:"image/*"`
		}) (*answer, error) {
			return &answer{Page[string]{Items: []string{string(in.RawBody)}}}, nil
		})
	Register(api, huma.Operation{OperationID: "sign-in", Method: http.MethodPost, Path: "/auth/sign-in"},
		func(_ context.Context, in *things) (*answer, error) { return &answer{}, nil })
	h, err := Handler(mux, o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv, &logged
}

type call struct {
	method, path, body string
	header             http.Header
}

func (c call) do(t *testing.T, srv *httptest.Server) (*http.Response, Problem, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range c.header {
		req.Header[k] = v
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p Problem
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatalf("problem %s: %v", b, err)
		}
	}
	return res, p, string(b)
}

func TestEveryKindHasAStatusAndAPage(t *testing.T) {
	srv, logged := serve(t, HandlerOptions{})
	for _, k := range domain.Kinds() {
		if _, ok := statuses()[k]; !ok {
			t.Errorf("kind %s has no status", k)
		}
		res, p, body := call{method: "GET", path: "/api/v1/fail/" + string(k)}.do(t, srv)
		if res.StatusCode != Status(k) || p.Status != Status(k) || p.Kind != string(k) || p.Type != "/problems/"+string(k) ||
			p.Instance == "" {
			t.Errorf("%s: %d %+v", k, res.StatusCode, p)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%s: the cause reached the client: %s", k, body)
		}
		if k != domain.Internal && res.Header.Get("Retry-After") != "2" {
			t.Errorf("%s: Retry-After %q", k, res.Header.Get("Retry-After"))
		}
		if _, _, page := (call{method: "GET", path: p.Type}).do(t, srv); !strings.Contains(page, "<h1>"+string(k)) {
			t.Errorf("%s has no page: %s", k, page)
		}
	}
	if !strings.Contains(logged.String(), "the secret cause") {
		t.Error("the cause is not in the log")
	}
}

// Whatever is wrong with a request, the answer is a problem document that says
// what, and the connection stays good.
func TestCHK_AP_05_Refusals(t *testing.T) {
	srv, _ := serve(t, HandlerOptions{})
	text := http.Header{"Content-Type": {"text/plain"}}
	for name, tt := range map[string]struct {
		call
		status  int
		kind    domain.Kind
		code    domain.Code
		pointer string
	}{
		"unknown route": {call{method: "GET", path: "/api/v1/nothing"}, 404, domain.NotFound,
			domain.CodeNoRoute, ""},
		"unknown page": {call{method: "GET", path: "/nothing"}, 404, domain.NotFound, domain.CodeNoRoute, ""},
		"wrong method": {call{method: "DELETE", path: "/api/v1/things"}, 405, domain.Invalid, domain.CodeMethodNotAllowed,
			""},
		"trace": {call{method: "TRACE", path: "/api/v1/things"}, 405, domain.Invalid, domain.CodeMethodNotAllowed,
			""},
		"not JSON": {call{method: "POST", path: "/api/v1/things", body: "{"}, 400, domain.Invalid,
			domain.CodeInvalidRequest, ""},
		"half a JSON": {call{method: "POST", path: "/api/v1/things", body: `{"name":"a",}`}, 400, domain.Invalid,
			domain.CodeInvalidRequest, ""},
		"no body": {call{method: "POST", path: "/api/v1/things"}, 400, domain.Invalid, domain.CodeInvalidRequest, ""},
		"wrong type": {call{method: "POST", path: "/api/v1/things", body: `{"name":7}`}, 400, domain.Invalid,
			domain.CodeInvalidRequest, "/name"},
		"too long": {call{method: "POST", path: "/api/v1/things", body: `{"name":"hunter2hunter2"}`}, 400,
			domain.Invalid, domain.CodeInvalidRequest, "/name"},
		"unknown field": {call{method: "POST", path: "/api/v1/things", body: `{"name":"a","nmae":"b"}`}, 400, domain.Invalid,
			domain.CodeInvalidRequest, "/nmae"},
		"deep": {call{method: "POST", path: "/api/v1/things", body: `{"name":"a","tags":[{"label":1}]}`}, 400,
			domain.Invalid, domain.CodeInvalidRequest, "/tags/0/label"},
		"query": {call{method: "GET", path: "/api/v1/me?limit=x",
			header: http.Header{"Authorization": {"Bearer good"}}}, 400, domain.Invalid, domain.CodeInvalidRequest, "?limit"},
		"content type": {call{method: "POST", path: "/api/v1/things", body: "name=a", header: text}, 415, domain.Invalid,
			domain.CodeUnsupportedMediaType, ""},
		"no picture": {call{method: "PUT", path: "/api/v1/picture", body: "name=a", header: text}, 415, domain.Invalid,
			domain.CodeUnsupportedMediaType, ""},
		"a body that nobody reads": {call{method: "POST", path: "/api/v1/touch", body: `{"closed":false}`}, 400,
			domain.Invalid, domain.CodeInvalidRequest, ""},
		"large": {call{method: "POST", path: "/api/v1/things", body: `{"name":"` + strings.Repeat("a", maxBody) + `"}`}, 413,
			domain.TooLarge, domain.CodeBodyTooLarge, ""},
		"large for sign-in": {call{method: "POST", path: "/api/v1/auth/sign-in",
			body: `{"name":"` + strings.Repeat("a", maxAuthBody) + `"}`}, 413, domain.TooLarge, domain.CodeBodyTooLarge, ""},
		"nobody": {call{method: "GET", path: "/api/v1/me"}, 401, domain.Unauthorized,
			domain.CodeNoCredentials, ""},
		"bad token": {call{method: "GET", path: "/api/v1/me",
			header: http.Header{"Authorization": {"Bearer bad"}}}, 401, domain.Unauthorized, domain.CodeBadToken, ""},
		"another origin": {call{method: "POST", path: "/api/v1/things", body: `{"name":"a"}`,
			header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}, 403, domain.Forbidden, domain.CodeOrigin, ""},
		"unclassified error": {call{method: "GET", path: "/api/v1/fail/raw"}, 500, domain.Internal, "", ""},
		"panic":              {call{method: "GET", path: "/api/v1/fail/panic"}, 500, domain.Internal, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			res, p, body := tt.do(t, srv)
			if res.StatusCode != tt.status || p.Status != tt.status || p.Kind != string(tt.kind) || p.Code != tt.code ||
				p.Detail == "" {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
			if strings.Contains(body, "invalid character") || strings.Contains(body, "unexpected end") {
				t.Errorf("the answer speaks of JSON in words of Go: %s", body)
			}
			if tt.pointer != "" && (len(p.Errors) == 0 || p.Errors[0].Pointer != tt.pointer) {
				t.Errorf("got errors %+v, want pointer %s", p.Errors, tt.pointer)
			}
			if strings.Contains(body, "hunter2") || strings.Contains(body, "secret") {
				t.Errorf("the answer repeats what it must not: %s", body)
			}
			if tt.status == 405 && tt.method != "TRACE" && res.Header.Get("Allow") != "POST" {
				t.Errorf("Allow: %q", res.Header.Get("Allow"))
			}
			if tt.status == 401 && res.Header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

func TestAnyPicture(t *testing.T) {
	srv, _ := serve(t, HandlerOptions{})
	for _, kind := range []string{"image/png", "image/webp"} {
		res, _, body := call{method: "PUT", path: "/api/v1/picture", body: "pixels",
			header: http.Header{"Content-Type": {kind}}}.do(t, srv)
		if res.StatusCode != 200 || !strings.Contains(body, "pixels") {
			t.Errorf("%s: %d %s", kind, res.StatusCode, body)
		}
	}
}

func TestCHK_AP_04_HeadersAndContext(t *testing.T) {
	reg := prometheus.NewRegistry()
	srv, logged := serve(t, HandlerOptions{Proxies: Proxies{netip.MustParsePrefix("127.0.0.0/8")}, Metrics: reg,
		Listener: "public"})
	h := http.Header{"Authorization": {"bearer good"}, "User-Agent": {"probe/1"}, "X-Forwarded-For": {"203.0.113.9"},
		"X-Forwarded-Proto": {"https"}}
	res, _, body := call{method: "GET", path: "/api/v1/me?limit=3", header: h}.do(t, srv)
	var got Page[string]
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err, body)
	}
	if got.Items[0] != "usr_1" || got.Items[1] != "203.0.113.9" || got.Items[2] != "probe/1" ||
		got.Items[3] != res.Header.Get("X-Request-ID") {
		t.Errorf("got %q", got.Items)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"X-Frame-Options":              "DENY", "Strict-Transport-Security": "max-age=31536000",
		"Access-Control-Allow-Origin": "",
		"Permissions-Policy":          "camera=(self), geolocation=(), microphone=(self), payment=(), usb=()",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	csp := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "object-src 'none'", "base-uri 'none'",
		"frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("no %s in the policy %s", want, csp)
		}
	}
	if c := res.Header.Get("Cache-Control"); c != "no-store" {
		t.Errorf("Cache-Control %q", c)
	}
	if strings.Contains(logged.String(), "good") {
		t.Errorf("the token is in the log: %s", logged)
	}
	if families, err := reg.Gather(); err != nil || len(families) != 2 || families[1].GetName() != "http_requests_total" ||
		len(families[1].Metric) != 1 {
		t.Errorf("metrics: %v, %v", families, err)
	}
	if res, _, _ := (call{method: "GET", path: "/docs"}).do(t, srv); res.Header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS without https")
	}
	if _, _, body := (call{method: "GET", path: "/api/v1/fail/empty"}).do(t, srv); body != "{\"items\":[]}\n" {
		t.Errorf("empty page: %s", body)
	}
}

func TestDocument(t *testing.T) {
	srv, _ := serve(t, HandlerOptions{})
	_, _, body := call{method: "GET", path: "/openapi.json"}.do(t, srv)
	var doc struct {
		OpenAPI string         `json:"openapi"`
		Paths   map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") ||
		doc.Paths["/api/v1/things"] == nil {
		t.Errorf("%v %+v", err, doc)
	}
	if strings.Contains(body, "ErrorModel\":{") {
		t.Error("the document has huma's error beside ours")
	}
	res, _, page := call{method: "GET", path: "/docs"}.do(t, srv)
	if res.StatusCode != 200 || !strings.Contains(page, "/api/v1/things") || strings.Contains(page, "<script") ||
		strings.Contains(page, "//cdn") {
		t.Errorf("docs: %d %s", res.StatusCode, page)
	}
}

// CHK-AP-01: forwarding headers count only from trusted peers, and from right
// to left.
func TestCHK_AP_01_ClientAddr(t *testing.T) {
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		peer string
		xff  []string
		want string
	}{
		{"203.0.113.1:9", []string{"198.51.100.1"}, "203.0.113.1"},
		{"10.0.0.1:9", nil, "10.0.0.1"},
		{"10.0.0.1:9", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:9", []string{"1.2.3.4, 198.51.100.1, 10.0.0.7"}, "198.51.100.1"},
		{"10.0.0.1:9", []string{"1.2.3.4", "198.51.100.1", "10.0.0.7"}, "198.51.100.1"},
		{"10.0.0.1:9", []string{"1.2.3.4, unknown, 10.0.0.7"}, "10.0.0.7"},
		{"10.0.0.1:9", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"10.0.0.1:9", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"10.0.0.1:9", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[::ffff:10.0.0.1]:9", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"[fd00::1%eth0]:9", []string{"198.51.100.1"}, "198.51.100.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.xff
		if got := trusted.ClientAddr(r).String(); got != tt.want {
			t.Errorf("peer %s, %q: got %s, want %s", tt.peer, tt.xff, got, tt.want)
		}
	}
}

func TestCursor(t *testing.T) {
	type place struct {
		After string `json:"a"`
		Seq   int64  `json:"s"`
	}
	var got place
	c := EncodeCursor(place{"name", 7})
	if err := DecodeCursor(c, &got); err != nil || got != (place{"name", 7}) {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"", "x", "1", "1!!", "2" + c[1:], c + "AA", EncodeCursor(map[string]int{"other": 1}),
		EncodeCursor("text"), strings.Repeat("1", 5000)} {
		if err := DecodeCursor(bad, &got); domain.CodeOf(err) != domain.CodeBadCursor {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzDecodeCursor(f *testing.F) {
	f.Add(EncodeCursor(map[string]any{"a": "b"}))
	f.Add("1e30")
	f.Fuzz(func(t *testing.T, s string) {
		var v struct {
			A string `json:"a"`
		}
		if err := DecodeCursor(s, &v); err != nil && domain.KindOf(err) != domain.Invalid {
			t.Error(err)
		}
	})
}
