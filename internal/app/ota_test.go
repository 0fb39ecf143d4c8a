package app_test

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what the clients check
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A pulling device asks for updates by other protocols.
type pulling struct {
	*firm
	id, key string
	ota     struct{ Image, Manifest, MD5 string }
}

func (f *firm) pulling(name string) *pulling {
	f.t.Helper()
	d := registerDevice(f.t, f.c, name)
	p := &pulling{firm: f, id: d.Device.ID, key: d.Key}
	must(f.t, f.c.Do(f.t.Context(), "PUT", "/devices/"+p.id+"/ota", map[string]any{"product": f.product,
		"chip": "esp32c3"}, &p.ota))
	return p
}

// publish makes an active release with one image.
func (f *firm) publish(version string, code int, image []byte) firmwareRelease {
	f.t.Helper()
	r := f.draft(version, code, image)
	_, err := f.sign(r.ID, f.release)
	must(f.t, err)
	r, err = f.change(r.ID, map[string]any{"state": "active"})
	must(f.t, err)
	return r
}

// bring begins a rollout to all devices that is quickly sure, and returns its id.
func (f *firm) bring(release string) string {
	f.t.Helper()
	var r struct{ ID string }
	plan := map[string]any{"stages": []map[string]any{{"percent": 100}}, "timeouts": map[string]any{"confirm": 1}}
	must(f.t, f.c.Do(f.t.Context(), "POST", "/firmware/rollouts", map[string]any{"release": release, "plan": plan}, &r))
	return r.ID
}

// ask sends a request with headers, in pairs.
func (p *pulling) ask(method, url string, headers ...string) (*http.Response, []byte) {
	p.t.Helper()
	return request(p.t, method, url, nil, headers...)
}

func request(t *testing.T, method, url string, body []byte, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(res.Body)
	must(t, err)
	return res, b.Bytes()
}

type espManifest struct {
	Version string
	Builds  []struct {
		ChipFamily string
		OTA        struct{ Path, MD5 string }
	}
}

func (p *pulling) manifest(query string) (m espManifest) {
	p.t.Helper()
	res, b := p.ask("GET", p.ota.Manifest+query)
	if res.StatusCode != http.StatusOK || json.Unmarshal(b, &m) != nil || len(m.Builds) != 1 {
		p.t.Fatalf("the manifest: %s %s", res.Status, b)
	}
	return m
}

// A deviceUpdate is an update as the page of a device shows it.
type deviceUpdate struct{ State, Version, From string }

// newest is the newest update of the device; zero: it has none.
func (p *pulling) newest() (u deviceUpdate) {
	p.t.Helper()
	var had struct{ Updates []deviceUpdate }
	must(p.t, p.c.Do(p.t.Context(), "GET", "/devices/"+p.id+"/firmware", nil, &had))
	if len(had.Updates) > 0 {
		u = had.Updates[0]
	}
	return u
}

// state is that of the newest update of the device; empty: it has none.
func (p *pulling) state() string {
	p.t.Helper()
	return p.newest().State
}

// becomes waits until the newest update of the device is in a state.
func (p *pulling) becomes(state string) {
	p.t.Helper()
	wait(p.t, func() bool { return p.state() == state })
}

func (p *pulling) answers(what string, want int, method, url string, headers ...string) {
	p.t.Helper()
	if res, b := p.ask(method, url, headers...); res.StatusCode != want {
		p.t.Errorf("%s: %s %s, want %d", what, res.Status, b, want)
	}
}

func inMD5(b []byte) string {
	sum := md5.Sum(b) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// ESPHome reads a manifest, its MD5 and the image; the rollout decides which, and succeeds by the version that the
// device names afterwards.
func TestESPHomeIsUpdatedByARollout(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		t.Parallel()
		f := newFirm(t, s, s.User("ann"), "")
		image := randomBytes(700_000, 5)
		f.publish("1.0", 1, randomBytes(5000, 4))
		release := f.publish("2.0", 2, image)
		p := f.pulling("Tank")
		if m := p.manifest("&version=1.0"); m.Version != "1.0" || m.Builds[0].ChipFamily != "ESP32-C3" {
			t.Errorf("before the rollout: %+v", m)
		}
		p.answers("the image before the rollout", http.StatusNotModified, "GET", p.ota.Image)
		p.answers("its MD5", http.StatusNotFound, "GET", p.ota.MD5)

		f.bring(release.ID)
		var m espManifest
		wait(t, func() bool { m = p.manifest("&version=1.0"); return m.Version == "2.0" })
		if m.Builds[0].OTA.MD5 != inMD5(image) {
			t.Errorf("%+v, and the MD5 is %s", m, inMD5(image))
		}
		if _, b := p.ask("GET", p.ota.MD5); string(b) != inMD5(image) {
			t.Errorf("the file with the MD5 has %q", b)
		}
		at := s.URL + m.Builds[0].OTA.Path
		res, _ := p.ask("HEAD", at)
		if res.StatusCode != http.StatusOK || res.ContentLength != int64(len(image)) || p.state() != "offered" {
			t.Errorf("HEAD: %s, %d bytes, then %s", res.Status, res.ContentLength, p.state())
		}
		res, first := p.ask("GET", at, "Range", "bytes=0-399999")
		if res.StatusCode != http.StatusPartialContent || res.Header.Get("ETag") == "" || p.state() != "downloading" {
			t.Errorf("the first part: %s, ETag %q, then %s", res.Status, res.Header.Get("ETag"), p.state())
		}
		res, rest := p.ask("GET", at, "Range", "bytes=400000-", "If-Range", res.Header.Get("ETag"))
		if kept := res.Header.Get("Cache-Control"); kept != "no-store" {
			t.Errorf("what another release will be at is kept: %s", kept)
		}
		if !bytes.Equal(append(first, rest...), image) || res.Header.Get("X-Md5") != inMD5(image) {
			t.Errorf("in two parts: %s, %d bytes", res.Status, len(first)+len(rest))
		}
		p.becomes("installing")
		if m := p.manifest("&version=2.0"); m.Version != "2.0" || m.Builds[0].OTA.MD5 == inMD5(image) {
			t.Errorf("after the update: %+v", m)
		}
		p.becomes("succeeded")
		if u := p.newest(); u.Version != "2.0" || u.From != "1.0" {
			t.Errorf("the page of the device shows %+v", u)
		}
		p.answers("the image after the update", http.StatusNotModified, "GET", p.ota.Image)
	})
}

// Clients of ESP-IDF and Arduino send the device's key, and what they run in headers.
func TestESPIDFAndArduinoAreUpdatedByARollout(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	f := newFirm(t, s, s.User("ann"), "")
	old, image := randomBytes(4000, 4), randomBytes(5000, 5)
	f.publish("1.0", 1, old)
	f.bring(f.publish("2.0", 2, image).ID)
	p := f.pulling("Tank")
	at := s.URL + "/ota/tank.bin"
	res, _ := p.ask("GET", at)
	if res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("without a key: %s %v", res.Status, res.Header["Www-Authenticate"])
	}
	headers := []string{"Authorization", "Bearer " + p.key, "User-Agent", "ESP32-http-Update", "x-ESP32-sketch-md5",
		strings.ToUpper(inMD5(old))}
	var b []byte
	wait(t, func() bool {
		res, b = p.ask("GET", at, headers...)
		return res.StatusCode == http.StatusOK
	})
	if !bytes.Equal(b, image) {
		t.Errorf("%d bytes", len(b))
	}
	p.becomes("installing")
	p.answers("with the new one", http.StatusNotModified, "GET", at,
		append(headers[:4:4], "x-ESP32-version", "tank-2.0")...)
	p.becomes("succeeded")

	for range 100 { // as many as a house of devices that are asked for the password each time
		p.answers("to be asked for a password", http.StatusUnauthorized, "GET", at)
	}
	q := f.pulling("Pond")
	req, err := http.NewRequestWithContext(t.Context(), "GET", at, nil)
	must(t, err)
	req.SetBasicAuth(q.id, q.key)
	q.answers("by a password", http.StatusOK, "GET", at, "Authorization", req.Header.Get("Authorization"))
	q.becomes("installing")
}

// Whoever may not load gets nothing, and what is taken back is so at once.
func TestOnlyTheRightDeviceLoadsTheRightRelease(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	ann, eve := s.User("ann"), s.User("eve")
	f := newFirm(t, s, ann, "")
	release := f.publish("2.0", 2, randomBytes(5000, 5))
	rollout := f.bring(release.ID)
	p := f.pulling("Tank")
	wait(t, func() bool { return p.manifest("").Version == "2.0" })

	link := p.ota.Image
	p.answers("a changed link", http.StatusNotFound, "GET", link[:len(link)-1]+"x")
	p.answers("no link", http.StatusNotFound, "GET", s.URL+"/ota/x.bin?link=dev")
	spy := registerDevice(t, eve, "Spy")
	p.answers("a foreign device", http.StatusNotFound, "GET", s.URL+"/ota/x.bin", "Authorization", "Bearer "+spy.Key)
	p.answers("a person", http.StatusUnauthorized, "GET", s.URL+"/ota/x.bin", "Authorization",
		"Bearer "+ann.Tokens().Access)
	p.answers("another chip", http.StatusNotFound, "GET", link, "User-Agent", "ESP8266-http-Update")
	err := eve.Do(t.Context(), "PUT", "/devices/"+spy.Device.ID+"/ota", map[string]any{"product": f.product,
		"chip": "esp32c3"}, nil)
	if codeOf(err) != client.CodeNoProduct {
		t.Errorf("a foreign product: %v", err)
	}
	other := f.pulling("Valve")
	must(t, ann.Do(t.Context(), "PUT", "/devices/"+other.id+"/ota", map[string]any{"product": f.product,
		"chip": "esp32s3"}, nil))
	p.answers("a device without an image", http.StatusNotModified, "GET", other.ota.Image)

	at := "/firmware/rollouts/" + rollout
	act := func(action string) {
		must(t, ann.Do(t.Context(), "POST", at+"/actions", map[string]any{"action": action}, nil))
	}
	act("pause")
	p.answers("a paused rollout", http.StatusNotModified, "GET", link)
	act("resume")
	wait(t, func() bool { res, _ := p.ask("HEAD", link); return res.StatusCode == http.StatusOK })
	_, err = f.change(release.ID, map[string]any{"state": "withdrawn"})
	must(t, err)
	p.answers("withdrawn since it was offered", http.StatusNotModified, "GET", link)

	suspend := func(yes bool) {
		must(t, ann.Do(t.Context(), "PATCH", "/devices/"+p.id, map[string]any{"suspended": yes}, nil))
	}
	suspend(true)
	p.answers("suspended", http.StatusUnauthorized, "GET", link)
	suspend(false)
	p.answers("no longer suspended", http.StatusNotModified, "GET", link)
	put := map[string]any{"product": f.product, "chip": "esp32c3"}
	must(t, ann.Do(t.Context(), "PUT", "/devices/"+p.id+"/ota", put, nil))
	p.answers("a link of a device that is registered again", http.StatusNotModified, "GET", link)
	put["renew"] = true
	must(t, ann.Do(t.Context(), "PUT", "/devices/"+p.id+"/ota", put, &p.ota))
	p.answers("a renewed link", http.StatusNotFound, "GET", link)
	link = p.ota.Image
	p.answers("what it was renewed by", http.StatusNotModified, "GET", link)
	must(t, ann.Do(t.Context(), "DELETE", "/devices/"+p.id+"/ota", nil, nil))
	p.answers("an ended link", http.StatusNotFound, "GET", link)
	again := f.pulling("Other")
	must(t, ann.Do(t.Context(), "DELETE", "/devices/"+again.id, nil, nil))
	p.answers("a revoked device", http.StatusUnauthorized, "GET", again.ota.Image)
	p.answers("a revoked key", http.StatusUnauthorized, "GET", s.URL+"/ota/x.bin", "Authorization", "Bearer "+again.key)
}

// Wrong links and keys at an address are bounded, and delay no device there that has been let in.
func TestWrongLinksDelayNoOtherDevice(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	f := newFirm(t, s, s.User("ann"), "")
	p, q := f.pulling("Tank"), f.pulling("Pond")
	byKey := []string{"Authorization", "Bearer " + q.key}
	p.answers("by its link", http.StatusNotModified, "GET", p.ota.Image)
	q.answers("by its key", http.StatusNotModified, "GET", s.URL+"/ota/x.bin", byKey...)
	old := p.ota.Image
	must(t, p.c.Do(t.Context(), "PUT", "/devices/"+p.id+"/ota", map[string]any{"product": f.product,
		"chip": "esp32c3", "renew": true}, &p.ota))
	p.answers("by its new link", http.StatusNotModified, "GET", p.ota.Image)
	var res *http.Response
	const most = 2000
	asked := 0
	for ; asked < most; asked++ {
		if res, _ = p.ask("GET", old); res.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	if asked < 100 || asked == most || res.Header.Get("Retry-After") == "" {
		t.Errorf("an old link is answered %d times, then %s", asked, res.Status)
	}
	refused := false // within a few: on a slow machine some are allowed again meanwhile
	for range 20 {
		res, _ = p.ask("GET", old+"x")
		refused = refused || res.StatusCode == http.StatusTooManyRequests
	}
	if !refused {
		t.Errorf("another wrong link: %s, want 429", res.Status)
	}
	p.answers("the new link, beside the old one", http.StatusNotModified, "GET", p.ota.Image)
	q.answers("a key, beside the old link", http.StatusNotModified, "GET", s.URL+"/ota/x.bin", byKey...)
}

// A device that has joined somebody else's product gets its updates by a link as well, until it has left,
// or whoever publishes sends all away.
func TestAJoinedDeviceIsUpdatedByALink(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		t.Parallel()
		ann, eve := s.User("ann"), s.User("eve")
		f := newFirm(t, s, ann, "")
		f.bring(f.publish("2.0", 2, randomBytes(5000, 5)).ID)
		ctx, d := t.Context(), registerDevice(t, eve, "Tank")
		p := &pulling{firm: f, id: d.Device.ID, key: d.Key}
		device := "/devices/" + p.id
		put := func() error {
			return eve.Do(ctx, "PUT", device+"/ota", map[string]any{"product": f.product, "chip": "esp32c3"}, &p.ota)
		}
		if err := put(); codeOf(err) != client.CodeNoProduct {
			t.Errorf("before it has joined: %v", err)
		}
		must(t, ann.Do(ctx, "PUT", "/firmware/products/"+f.product+"/sharing", map[string]any{"open": true}, nil))
		must(t, eve.Do(ctx, "PUT", device+"/product", map[string]any{"product": f.product, "ask": true}, nil))
		must(t, put())
		var had struct{ Updates []struct{ ID, State string } }
		wait(t, func() bool {
			p.answers("before its owner agrees", http.StatusNotModified, "GET", p.ota.Image)
			must(t, eve.Do(ctx, "GET", device+"/firmware", nil, &had))
			return len(had.Updates) > 0
		})
		if had.Updates[0].State != "consent" {
			t.Errorf("its owner is asked about each release, and the update is %s", had.Updates[0].State)
		}
		must(t, eve.Do(ctx, "POST", device+"/updates/"+had.Updates[0].ID+"/agree", nil, nil))
		wait(t, func() bool { return p.manifest("&version=1.0").Version == "2.0" })
		p.answers("the image", http.StatusOK, "GET", p.ota.Image)
		joins := "/firmware/products/" + f.product + "/joins"
		if err := eve.Do(ctx, "DELETE", joins, nil, nil); codeOf(err) != client.CodeNoProduct {
			t.Errorf("who does not publish sends devices away: %v", err)
		}
		var gone struct{ Devices int }
		must(t, ann.Do(ctx, "DELETE", joins, nil, &gone))
		if p.answers("after it was sent away", http.StatusNotFound, "GET", p.ota.Image); gone.Devices != 1 {
			t.Errorf("%d devices were sent away", gone.Devices)
		}
		must(t, eve.Do(ctx, "GET", device+"/firmware", nil, &had))
		if had.Updates[0].State != "canceled" {
			t.Errorf("the update of a device that was sent away is %s", had.Updates[0].State)
		}
	})
}

// Tasmota asks by its OtaUrl: for the whole image, then for a small one that makes room, and for the whole one again.
// It puts "-minimal" before the first dot after the last slash, whatever else is in the URL.
func TestTasmotaIsUpdatedByARollout(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	f := newFirm(t, s, s.User("ann"), "")
	ctx, image, small := t.Context(), randomBytes(600_000, 5), randomBytes(300_000, 6)
	release := f.draft("14.4.1", 2, image)
	u, err := f.c.UploadFirmware(ctx, f.product, "raw", bytes.NewReader(small), int64(len(small)), nil)
	must(t, err)
	must(t, f.c.Do(ctx, "POST", "/firmware/releases/"+release.ID+"/images",
		map[string]any{"upload": u.ID, "chip": "esp32c3-minimal"}, nil))
	_, err = f.sign(release.ID, f.release)
	must(t, err)
	_, err = f.change(release.ID, map[string]any{"state": "active"})
	must(t, err)
	f.bring(release.ID)
	p := f.pulling("Plug")

	_, query, _ := strings.Cut(p.ota.Image, "?")
	if strings.ContainsAny(query, "-./") {
		t.Fatalf("Tasmota would take a part of %q for the name of the file", query)
	}
	whole := s.URL + "/ota/tasmota.bin.gz?" + query
	base, kind, _ := strings.Cut(whole[strings.LastIndex(whole, "/"):], ".")
	minimal := s.URL + "/ota" + base + "-minimal." + kind
	headers := []string{"User-Agent", "ESP32-http-Update", "x-ESP32-STA-MAC", "AA:BB:CC:DD:EE:FF", "x-ESP32-mode",
		"sketch", "x-ESP32-version", "13.0.0(tasmota)"}
	wait(t, func() bool { res, _ := p.ask("HEAD", whole, headers...); return res.StatusCode == http.StatusOK })
	res, b := p.ask("GET", minimal, headers...)
	if res.StatusCode != http.StatusOK || !bytes.Equal(b, small) || res.Header.Get("X-Md5") != inMD5(small) {
		t.Errorf("the small image: %s, %d bytes", res.Status, len(b))
	}
	if p.state() != "offered" {
		t.Errorf("with the small image alone the update is %s", p.state())
	}
	headers[7] = "13.0.0(minimal)"
	if res, b = p.ask("GET", whole, headers...); res.StatusCode != http.StatusOK || !bytes.Equal(b, image) {
		t.Errorf("the whole image: %s, %d bytes", res.Status, len(b))
	}
	p.becomes("installing")
	headers[7] = "14.4.1(tasmota)"
	p.answers("the update that it has", http.StatusNotModified, "GET", whole, headers...)
	p.becomes("succeeded")
}
