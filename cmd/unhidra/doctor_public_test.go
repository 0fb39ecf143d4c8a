package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
)

// Each common mistake in the configuration of a proxy is recognized.
func TestDoctorAsksByThePublicAddress(t *testing.T) {
	load := func(env ...string) config.Config {
		c, err := config.Load(env, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var upstream *url.URL
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-Proto", "https")
	}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	front := httptest.NewServer(proxy)
	defer front.Close()
	// as a proxy without lines for WebSockets
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Upgrade")
		r.Header.Del("Connection")
		proxy.ServeHTTP(w, r)
	}))
	defer bare.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	secret := httptest.NewUnstartedServer(proxy)
	secret.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secret.StartTLS()
	defer secret.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	upstream, _ = url.Parse(gone.URL)
	examine := func(base, want string) {
		t.Helper()
		var out strings.Builder
		d := &diagnosis{w: &out}
		d.public(t.Context(), load("UNHIDRA_PUBLIC_URL="+base))
		if !strings.Contains(out.String(), want) || strings.Contains(want, "FAIL") != (d.broken == 1) {
			t.Errorf("%q is not in: %s", want, out.String())
		}
	}
	examine(front.URL, "FAIL  public URL    "+front.URL+" answers 502")

	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan app.Addrs, 1), make(chan error, 1)
	go func() {
		c := load("UNHIDRA_DATA_DIR="+t.TempDir(), "UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0",
			"UNHIDRA_OPERATOR_ADDR=off", "UNHIDRA_DRAIN=0s",
			"UNHIDRA_PUBLIC_URL="+front.URL, "ALLOWED_ORIGINS="+bare.URL, "UNHIDRA_TRUSTED_PROXIES=127.0.0.1")
		done <- app.Run(ctx, app.Options{Config: c, Version: "test", Log: slog.New(slog.DiscardHandler), Out: io.Discard,
			Ready: func(a app.Addrs) { ready <- a }})
	}()
	select {
	case a := <-ready:
		upstream, _ = url.Parse("http://" + a.Public)
	case err := <-done:
		t.Fatal(err)
	}
	examine(front.URL, "ok    public URL    "+front.URL+" leads here, and WebSockets pass")
	examine(bare.URL, "FAIL  public URL    the proxy at "+bare.URL+" does not pass Upgrade on")
	examine(other.URL, "FAIL  public URL    something else answers on "+other.URL+" (404")
	examine(secret.URL, "FAIL  public URL    browsers reject the certificate of "+secret.URL)
	examine(gone.URL, "warn  public URL    "+gone.URL+" cannot be reached")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
