package provision

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxBody is how many bytes a body may have, both ways.
const maxBody = 4096

// SoftAP says how to reach a device that is an access point.
type SoftAP struct {
	Addr     string // HOST:PORT; of a device itself 192.168.4.1:80
	Proof    string // of possession, or the password of Security 2
	Username string // of Security 2
	Plain    bool   // Security 0 will do: nothing is encrypted
}

// DefaultUsername is what firmware of ESP-IDF's examples calls the user of Security 2.
const DefaultUsername = "wifiprov"

// A Device is one that is connected over HTTP.
type Device struct {
	addr    string
	http    *http.Client
	cookie  string // of the session; the device has one
	session session
	Version Version
}

// Version is what a device says of itself before there is a session.
type Version struct {
	Prov struct {
		Version  string   `json:"ver"`
		Security *int     `json:"sec_ver"`
		Patch    int      `json:"sec_patch_ver"`
		Can      []string `json:"cap"`
	} `json:"prov"`
}

var (
	errNoEndpoint = errors.New("the device's firmware has no endpoint")
	errOther      = errors.New("is no device that waits to be set up: join the network of the device first")
)

// Connect asks a device what it speaks, and begins a session. It fails with ErrProof if the device refuses the proof.
func Connect(ctx context.Context, o SoftAP) (*Device, error) {
	d := &Device{addr: o.Addr, http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	raw, err := d.post(ctx, "proto-ver", []byte("---"))
	if errors.Is(err, errNoEndpoint) || errors.Is(err, errRefused) {
		return nil, fmt.Errorf("what answers at %s %w", o.Addr, errOther)
	}
	if err != nil {
		return nil, fmt.Errorf("the device does not answer at %s (is this computer in its network?): %w", o.Addr, err)
	}
	if err := json.Unmarshal(raw, &d.Version); err != nil || d.Version.Prov.Version == "" {
		return nil, fmt.Errorf("what answers at %s %w", o.Addr, errOther)
	}
	security := 1 // what devices had that do not say
	if v := d.Version.Prov.Security; v != nil {
		security = *v
	}
	send := func(ctx context.Context, body []byte) ([]byte, error) { return d.post(ctx, "prov-session", body) }
	switch {
	case security == 2 && d.Version.Prov.Patch < 1:
		return nil, errors.New("the device's firmware encrypts each message with the same nonce, which protects nothing; " +
			"update ESP-IDF")
	case security == 2:
		user := o.Username
		if user == "" {
			user = DefaultUsername
		}
		d.session, err = security2(ctx, send, fill, user, o.Proof)
	case security == 1:
		var key *ecdh.PrivateKey
		if key, err = ecdh.X25519().GenerateKey(rand.Reader); err == nil {
			d.session, err = security1(ctx, send, key, o.Proof)
		}
	case security == 0 && o.Plain:
		d.session, err = security0(ctx, send)
	case security == 0:
		return nil, errors.New("the device encrypts nothing: whoever is near can read the password of the network")
	default:
		return nil, fmt.Errorf("the device asks for Security %d, which is not known here", security)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Call implements Peer.
func (d *Device) Call(ctx context.Context, endpoint string, body []byte) ([]byte, error) {
	secret, err := d.session.seal(body)
	if err != nil {
		return nil, err
	}
	answer, err := d.post(ctx, endpoint, secret)
	if err != nil {
		return nil, err
	}
	return d.session.open(answer)
}

// post sends one message. The device's cookie is sent back as it came: with another one it would begin a new session.
func (d *Device) post(ctx context.Context, endpoint string, body []byte) ([]byte, error) {
	at := url.URL{Scheme: "http", Host: d.addr, Path: "/" + endpoint}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // nothing is sent twice: the cipher of the device has gone on
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if d.cookie != "" {
		req.Header.Set("Cookie", d.cookie)
	}
	res, err := d.http.Do(req)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errRefused
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	for _, c := range res.Cookies() {
		if c.Name == "session" {
			d.cookie = "session=" + c.Value
		}
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(answer) > maxBody:
		return nil, errMessage
	case res.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%w %s", errNoEndpoint, endpoint)
	case res.StatusCode != http.StatusOK:
		return nil, errRefused
	}
	return answer, nil
}
