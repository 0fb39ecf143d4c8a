package ota

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

const (
	imageName = "firmware.bin"
	minimal   = "-minimal" // of the small image by which Tasmota makes room for the whole one
	stepBytes = 256 << 10  // a download is noted so often
	noteTime  = 10 * time.Second
	noMD5     = "00000000000000000000000000000000"
)

// Serve answers GET and HEAD of /ota/FILE: with a manifest for a name that ends in .json, the MD5 of the image for one
// that ends in .md5, and else with the image. Without an update there is nothing: 304 for the image, 404 for the MD5,
// and a manifest of the version that the device runs.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request) {
	c, err := s.who(r)
	t := tells(r)
	if err == nil {
		err = t.fits(c)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	switch file := r.PathValue("file"); {
	case strings.HasSuffix(file, ".json"):
		s.serveManifest(w, r, c, t)
	case strings.HasSuffix(file, ".md5"):
		s.serveMD5(w, r, c, t)
	default:
		s.serveImage(w, r, c, t, strings.Contains(file, minimal+"."))
	}
}

// find returns the update for a device. A part of an image that the device has begun with needs no new decision.
func (s *Service) find(r *http.Request, c caller, t told) (p domain.Pulled, err error) {
	ctx := r.Context()
	from := r.Header.Get("Range")
	if c.by == domain.DDIProtocol || from != "" && !strings.HasPrefix(from, "bytes=0-") {
		if p, err = s.Updates.Pulling(ctx, c.Device); err != nil {
			return p, err
		}
	}
	if p.Update.ID == "" {
		f, err := s.report(ctx, c, t, c.by)
		if err != nil {
			return p, err
		}
		return s.decide(ctx, c, f)
	}
	return s.ready(ctx, p)
}

// decide has a rollout decide which update a device gets that runs f.
func (s *Service) decide(ctx context.Context, c caller, f domain.FirmwareReport) (domain.Pulled, error) {
	p, err := s.Updates.Pull(ctx, c.Principal, f)
	if err != nil {
		return p, err
	}
	return s.ready(ctx, p)
}

// ready makes an update one that can be delivered now.
func (s *Service) ready(ctx context.Context, p domain.Pulled) (domain.Pulled, error) {
	if p.Update.ID == "" {
		return p, nil
	}
	if err := s.Images.Deliverable(ctx, p.Release); err != nil {
		return p, err
	}
	var err error
	p.Image, err = s.Images.Summed(ctx, p.Image)
	return p, err
}

func (s *Service) serveMD5(w http.ResponseWriter, r *http.Request, c caller, t told) {
	p, err := s.find(r, c, t)
	if err == nil && p.Update.ID == "" {
		err = domain.NotFound.Errorf(domain.CodeNoUpdate, "there is no update for this device now")
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, r, "text/plain; charset=utf-8", []byte(p.Image.MD5))
}

// otaPath is where a file of a name is.
func otaPath(name string) string { return httpx.OTAPath + url.PathEscape(name) }

func answer(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // if it fails, the client has gone
	}
}

// manifest is a manifest of ESP Web Tools, with the part that ESPHome reads.
type manifest struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Builds  []build `json:"builds"`
}

type build struct {
	ChipFamily string `json:"chipFamily"`
	OTA        file   `json:"ota"`
}

type file struct {
	Path    string `json:"path"`
	MD5     string `json:"md5"`
	Summary string `json:"summary,omitempty"`
}

// family is what ESP Web Tools call a chip: esp32c3 is ESP32-C3.
func family(chip string) string {
	if kind, ok := strings.CutPrefix(chip, "esp32"); ok && kind != "" {
		return "ESP32-" + strings.ToUpper(kind)
	}
	return strings.ToUpper(chip)
}

func (s *Service) serveManifest(w http.ResponseWriter, r *http.Request, c caller, t told) {
	f, err := s.report(r.Context(), c, t, c.by)
	if err != nil {
		fail(w, r, err)
		return
	}
	p, err := s.decide(r.Context(), c, f)
	if err != nil {
		fail(w, r, err)
		return
	}
	q := url.Values{}
	if c.link != "" {
		q.Set("link", c.link)
	}
	if t.version != "" {
		q.Set("version", t.version)
	}
	at := httpx.OTAPath + imageName
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	// Of a version that is its own, or empty, the device knows that there is no update.
	m := manifest{Name: f.Product, Version: cmp.Or(t.version, f.Version),
		Builds: []build{{family(c.Chip), file{Path: at, MD5: noMD5}}}}
	if p.Update.ID != "" {
		m.Version, m.Builds[0].OTA.MD5, m.Builds[0].OTA.Summary = p.Release.Version, p.Image.MD5, p.Release.Notes
	}
	body, err := json.Marshal(m)
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, r, "application/json", body)
}

func (s *Service) serveImage(w http.ResponseWriter, r *http.Request, c caller, t told, small bool) {
	p, err := s.find(r, c, t)
	if err != nil {
		fail(w, r, err)
		return
	}
	if p.Update.ID == "" || r.Header.Get(of32+"Mode") == "spiffs" || r.Header.Get(of8266+"Mode") == "spiffs" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if small {
		s.serveMinimal(w, r, c, p)
		return
	}
	s.load(w, r, c.Principal, p)
}

// load answers with the image of an update, and notes how far the device has come.
func (s *Service) load(w http.ResponseWriter, r *http.Request, who domain.Principal, p domain.Pulled) {
	if r.Method != http.MethodHead {
		a, err := s.note(r.Context(), who, p, domain.FirmwareDownloading, 0)
		if err != nil {
			fail(w, r, err)
			return
		}
		if a.Action == domain.FirmwareStop {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("X-Md5", p.Image.MD5)
	end := s.Images.Deliver(w, r, p.Image.SHA256, func() error { return nil })
	var err error
	switch {
	case end >= p.Image.Size && p.Update.Protocol != domain.DDIProtocol: // that says itself when it installs it
		_, err = s.note(r.Context(), who, p, domain.FirmwareInstalling, 0)
	case end >= min(p.Update.Offset+stepBytes, p.Image.Size):
		_, err = s.note(r.Context(), who, p, domain.FirmwareDownloading, end)
	}
	if err != nil {
		s.Log.WarnContext(r.Context(), "note how far an update has come", "device", who.ID, "update", p.Update.ID, "err", err)
	}
}

// note notes how far a device has come, also if it has gone away.
func (s *Service) note(
	ctx context.Context, who domain.Principal, p domain.Pulled, step domain.FirmwareStep, offset int64,
) (domain.FirmwareAnswer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	return s.Updates.Progress(ctx, who, domain.FirmwareProgress{Update: p.Update.ID, State: step, Offset: offset,
		Size: p.Image.Size})
}

// serveMinimal answers with the small image of the release, which is for a chip of that name.
func (s *Service) serveMinimal(w http.ResponseWriter, r *http.Request, c caller, p domain.Pulled) {
	image, ok := p.Release.ImageFor(c.Chip+minimal, c.Revision)
	if !ok {
		fail(w, r, domain.NotFound.Errorf(domain.CodeNoImage,
			"the release has no image for %s%s; upload one, or one that fits", c.Chip, minimal))
		return
	}
	image, err := s.Images.Summed(r.Context(), image)
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("X-Md5", image.MD5)
	s.Images.Deliver(w, r, image.SHA256, func() error { return nil })
}
