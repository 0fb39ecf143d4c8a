package ota

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/unhidra/unhidra/internal/domain"
)

// The Direct Device Integration API of hawkBit, as far as clients need it to be updated: polling, deployments, their
// cancellation, feedback, and what devices say of themselves.

const (
	pollEvery  = "00:05:00"
	maxBody    = 32 << 10
	maxSaid    = 100 // attributes of a device
	maxSaidKey = 128
	maxSaidVal = 256
)

// tenants are the names of the only tenant, as hawkBit and its clients have it by default.
func tenants() []string { return []string{"DEFAULT", "default"} }

// HandleDDI adds the routes of the API to mux.
func (s *Service) HandleDDI(mux *http.ServeMux) {
	for _, tenant := range tenants() {
		base := "/" + tenant + "/controller/v1/{id}"
		for at, answer := range map[string]func(ddiRequest) error{
			"GET " + base: s.poll,
			"GET " + base + "/deploymentBase/{action}":           s.deployment,
			"POST " + base + "/deploymentBase/{action}/feedback": s.feedback,
			"GET " + base + "/cancelAction/{action}":             s.cancellation,
			"POST " + base + "/cancelAction/{action}/feedback":   s.cancelFeedback,
			"PUT " + base + "/configData":                        s.configData,
		} {
			mux.HandleFunc(at, func(w http.ResponseWriter, r *http.Request) { s.serveDDI(w, r, tenant, answer) })
		}
	}
}

// ddiRequest is a request of a device that has proved who it is.
type ddiRequest struct {
	caller
	w    http.ResponseWriter
	r    *http.Request
	base string // URL of the device
}

func (s *Service) serveDDI(w http.ResponseWriter, r *http.Request, tenant string, answer func(ddiRequest) error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	w.Header().Set("Cache-Control", "no-store")
	c, err := s.who(r)
	if err == nil && r.PathValue("id") != c.Device {
		err = domain.ErrNoOTA()
	}
	if err == nil {
		err = answer(ddiRequest{c, w, r, s.URL() + "/" + tenant + "/controller/v1/" + c.Device})
	}
	if err != nil {
		fail(w, r, err)
	}
}

func (q ddiRequest) reply(v any) error {
	body, err := json.Marshal(v)
	if err == nil {
		answer(q.w, q.r, "application/json", body)
	}
	return err
}

// read decodes the body of a request. Clients send more than is documented, so unknown fields are ignored. A number
// that may be a text stays as it is written.
func (q ddiRequest) read(v any) error {
	from := json.NewDecoder(q.r.Body)
	from.UseNumber()
	err := from.Decode(v)
	if _, large := asError[*http.MaxBytesError](err); large {
		return domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "a request has at most %d bytes", maxBody)
	}
	if err != nil {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body is no JSON of this request").Because(err)
	}
	return nil
}

// action is the number of an offer, as clients know it. One that is made anew has another one.
func action(u domain.Update) string {
	sum := sha256.Sum256([]byte(u.ID + " " + strconv.FormatInt(u.OfferedAt.UnixMilli(), 10)))
	return strconv.Itoa(int(binary.BigEndian.Uint32(sum[:]) >> 1))
}

// said is what a device has said that tells which version it runs.
func said(attributes map[string]string) told {
	for _, key := range []string{"version", "sw_version", "fw_version", "firmware_version"} {
		if v := clean(attributes[key]); v != "" {
			return told{version: v}
		}
	}
	return told{}
}

// current is the update that the device is to load or is loading; none once it has said that it is installed.
func (s *Service) current(ctx context.Context, c caller) (p domain.Pulled, err error) {
	f, err := s.report(ctx, c, said(c.Attributes), domain.DDIProtocol)
	if err == nil {
		p, err = s.Updates.Pull(ctx, c.Principal, f)
	}
	if err != nil || p.Update.State == domain.UpdateInstalling {
		return domain.Pulled{}, err
	}
	return s.ready(ctx, p)
}

type link struct {
	Href string `json:"href"`
}

type links map[string]link

func (s *Service) poll(q ddiRequest) error {
	ctx, to := q.r.Context(), links{}
	p, err := s.current(ctx, q.caller)
	if err != nil {
		return err
	}
	last, known, err := s.last(ctx, q.Device)
	switch {
	case err != nil:
		return err
	case p.Update.ID != "":
		to["deploymentBase"] = link{q.base + "/deploymentBase/" + action(p.Update) + "?c=1"}
	case known && takenBack(last) && action(last) != q.Canceled:
		to["cancelAction"] = link{q.base + "/cancelAction/" + action(last)}
	}
	if len(q.Attributes) == 0 || known && last.State == domain.UpdateInstalling {
		to["configData"] = link{q.base + "/configData"}
	}
	config := map[string]any{"polling": map[string]string{"sleep": pollEvery}}
	return q.reply(map[string]any{"config": config, "_links": to})
}

// last returns the newest update of a device.
func (s *Service) last(ctx context.Context, device string) (u domain.Update, known bool, err error) {
	had, err := s.Fleet.DeviceUpdates(ctx, device, 1)
	if err != nil || len(had) == 0 || had[0].Protocol != domain.DDIProtocol {
		return u, false, err
	}
	return had[0], true, nil
}

// takenBack reports whether an update ended, or rests, before the device has installed it, and not by its own word.
func takenBack(u domain.Update) bool {
	return u.State == domain.UpdateCanceled || u.State == domain.UpdateDeferred && u.Tries == 0 && u.Due.IsZero()
}

func (s *Service) deployment(q ddiRequest) error {
	p, err := s.current(q.r.Context(), q.caller)
	if err == nil && (p.Update.ID == "" || action(p.Update) != q.r.PathValue("action")) {
		err = errNoAction()
	}
	if err != nil {
		return err
	}
	kind, err := s.Images.Suffix(q.r.Context(), p.Image)
	if err != nil {
		return err
	}
	f, err := s.report(q.r.Context(), q.caller, told{}, domain.DDIProtocol)
	if err != nil {
		return err
	}
	name := f.Product + "-" + p.Release.Version + kind
	at := link{s.URL() + otaPath(name)}
	artifact := map[string]any{"filename": name, "size": p.Image.Size,
		"hashes": map[string]string{"md5": p.Image.MD5, "sha1": p.Image.SHA1, "sha256": p.Image.SHA256},
		"_links": links{"download": at, "download-http": at}}
	return q.reply(map[string]any{"id": action(p.Update), "deployment": map[string]any{
		"download": "forced", "update": "forced", "chunks": []any{map[string]any{
			"part": "os", "name": f.Product, "version": p.Release.Version, "artifacts": []any{artifact}}}}})
}

func errNoAction() error {
	return domain.NotFound.Errorf(domain.CodeNoUpdate, "there is no such action for this device")
}

func (s *Service) cancellation(q ddiRequest) error {
	u, known, err := s.last(q.r.Context(), q.Device)
	if err == nil && (!known || !takenBack(u) || action(u) != q.r.PathValue("action")) {
		err = errNoAction()
	}
	if err != nil {
		return err
	}
	id := action(u)
	return q.reply(map[string]any{"id": id, "cancelAction": map[string]string{"stopId": id}})
}
