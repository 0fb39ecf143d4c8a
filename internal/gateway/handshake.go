package gateway

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// Subprotocols that a credential comes after.
const (
	protocolBearer = "bearer"
	protocolDevice = "device"
)

// ServeHTTP is GET /ws: it lets a connection in, or says why not with a problem
// document before the upgrade.
func (g *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, err := g.accept(w, r)
	if err != nil {
		status = refuse(w, r, err)
	}
	g.metrics.handshakes.WithLabelValues(strconv.Itoa(status)).Inc()
}

func (g *Service) accept(w http.ResponseWriter, r *http.Request) (int, error) {
	if err := ws.CheckUpgrade(r); err != nil {
		return 0, err
	}
	addr := g.ClientAddr(r)
	select {
	case <-g.listening: // else what ends this session might not be heard
	case <-r.Context().Done():
		return 0, domain.Unavailable.Errorf(domain.CodeStarting,
			"the server is starting; come back in a moment").After(time.Second)
	}
	revocations := g.revocations.Load()
	p, proof, err := g.identify(r, addr)
	if err != nil {
		return 0, g.failed(addr, err)
	}
	if ok, wait := g.byUser.Allow(p.ID, g.Now()); !ok {
		return 0, domain.RateLimited.Errorf(domain.CodeHandshakes,
			"you opened too many connections; wait a moment").After(wait)
	}
	users, err := g.Users.UsersByID(r.Context(), []string{p.ID})
	if err != nil {
		return 0, err
	}
	if len(users) == 0 {
		return 0, domain.Unauthorized.Errorf(domain.CodeNoAccount, "this account was deleted")
	}
	c, err := g.admit(w, r, p, users[0], proof.protocol)
	if err != nil {
		return 0, err
	}
	if g.revocations.Load() != revocations { // perhaps of this very session, before it was known here
		if _, err := g.prove(r.Context(), proof, addr); err != nil {
			c.outdated()
		}
	}
	ctx := c.context(context.WithoutCancel(r.Context()), "")
	g.greet(ctx, c, users[0])
	c.attach(ctx)
	return http.StatusSwitchingProtocols, nil
}

// identify says who opens a connection, if they may.
func (g *Service) identify(r *http.Request, addr netip.Addr) (p domain.Principal, proof proof, err error) {
	if err := g.checkSecure(r); err != nil {
		return p, proof, err
	}
	if err := g.checkOrigin(r); err != nil {
		return p, proof, err
	}
	if proof, err = credentials(r); err != nil {
		return p, proof, err
	}
	p, err = g.prove(r.Context(), proof, addr)
	return p, proof, err
}

// prove returns who a handshake proves to be. A certificate and a key must be those of the same device; beside an access
// token, which a browser may send, a certificate does not count.
func (g *Service) prove(ctx context.Context, proof proof, from netip.Addr) (domain.Principal, error) {
	if proof.cert == nil || g.Devices == nil || proof.secret != "" && !isKey(proof.secret) {
		return g.authenticate(ctx, proof.secret, from)
	}
	p, err := g.Devices.AuthenticateCertificate(ctx, proof.cert, from)
	if err != nil || proof.secret == "" {
		return p, err
	}
	other, err := g.authenticate(ctx, proof.secret, from)
	if err == nil && other.ID != p.ID {
		err = domain.Unauthorized.Errorf(domain.CodeBadDeviceKey, "the key and the certificate are those of different devices")
	}
	return p, err
}

// failed counts a handshake that proved nobody, and returns what to answer. Those of
// others behind the same address are no reason to keep a good token waiting: 150
// people of one office come back at once after a restart.
func (g *Service) failed(addr netip.Addr, err error) error {
	switch domain.KindOf(err) {
	case domain.Unauthorized, domain.Forbidden, domain.Invalid:
	default:
		return err // not the client's doing
	}
	if ok, wait := g.byAddr.AllowAddr(addr, g.Now()); !ok {
		return domain.RateLimited.Errorf(domain.CodeHandshakes,
			"too many connections from your address were refused; wait a moment").After(wait)
	}
	return err
}

// admit upgrades the connection. From here on it is ours, and errors can only
// be said in a close frame.
func (g *Service) admit(
	w http.ResponseWriter, r *http.Request, p domain.Principal, u domain.User, protocol string,
) (*conn, error) {
	addr := g.ClientAddr(r)
	ok, draining := g.conns.admit(addr)
	if draining {
		return nil, domain.Unavailable.Errorf(domain.CodeRestarting,
			"the server restarts; come back in a moment").After(2 * time.Second)
	}
	if !ok {
		return nil, domain.RateLimited.Errorf(domain.CodeConnections,
			"too many connections are open from your address; close one").After(10 * time.Second)
	}
	if ok, err := g.Hub.Reserve(u.ID, g.Limits.ConnsPerUser); !ok {
		g.conns.release(addr)
		if err != nil {
			return nil, err
		}
		return nil, domain.RateLimited.Errorf(domain.CodeConnections,
			"you have too many connections open; close one").After(10 * time.Second)
	}
	now := g.Now()
	c := &conn{g: g, id: domain.NewID(domain.ConnPrefix), user: u.Ref(), addr: addr, agent: agent(r),
		since: now.UnixNano(), leaves: g.leaves(now)}
	c.member.Init(u.ID, c)
	c.held = true
	c.parser.Max = wire.MaxFrame
	c.prove(p)
	c.heard.Store(c.since)
	if p.Kind == domain.KindDevice {
		c.device = &ofDevice{}
		c.device.spoke.Store(c.since)
	}
	c.pinged.Store(now.Add(-rand.N(heartbeat)).UnixNano()) // spreads the pings of a reconnect storm
	buffered, err := c.upgrade(w, r, protocol)
	if err != nil {
		g.Hub.Cancel(u.ID)
		g.conns.release(addr)
		return nil, err
	}
	g.Hub.Add(&c.member)
	g.Presence.Connect(c.id, u, c.deliver)
	if p.Kind == domain.KindDevice {
		g.Devices.DeviceConnected(c.context(r.Context(), ""), c.id, p, addr, c.device.lastSpoke)
	}
	go c.read(buffered)
	return c, nil
}

// upgrade takes the connection from the HTTP server and answers the handshake.
func (c *conn) upgrade(w http.ResponseWriter, r *http.Request, protocol string) (buffered []byte, err error) {
	nc, buffered, err := ws.Accept(w, r, protocol, writeTime)
	if errors.Is(err, ws.ErrGone) {
		return nil, domain.Unavailable.Errorf("", "the connection ended").Because(err)
	}
	if err != nil {
		return nil, domain.Internal.Errorf("", "cannot take over the connection").Because(err)
	}
	c.nc = nc
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
			c.readReady = c.readNow
		}
	}
	return buffered, nil
}

// deliver takes a frame from the presence service.
func (c *conn) deliver(frame []byte) {
	c.push(inText(frame))
}

// authenticate returns whose an access token or a device key is.
func (g *Service) authenticate(ctx context.Context, secret string, from netip.Addr) (domain.Principal, error) {
	if g.Devices != nil && isKey(secret) {
		return g.Devices.AuthenticateDevice(ctx, secret, from)
	}
	p, err := g.Auth.Authenticate(ctx, secret)
	if err == nil && p.Limited {
		err = domain.Forbidden.Errorf(domain.CodeSecondFactorRequired,
			"this server asks you for a second factor; add one first")
	}
	return p, err
}

// A proof is what a handshake proves itself with, and the subprotocol to answer
// it by: never the secret itself.
type proof struct {
	secret, protocol string
	cert             *x509.Certificate // of a device, which TLS has verified; nil: there is none
}

// certificate returns the certificate by which TLS knows the client; nil: it has shown none.
func certificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// credentials returns the access token or device key of a handshake. It is the
// second subprotocol, after its kind, or stands in the Authorization header of a
// program. A device may also offer its key alone, or no subprotocol at all; with a certificate it needs no key.
func credentials(r *http.Request) (proof, error) {
	offered := ws.Protocols(r)
	header, inHeader := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	device, cert := inHeader && isKey(header), certificate(r)
	switch {
	case len(offered) == 2 && (offered[0] == protocolBearer || offered[0] == protocolDevice && isKey(offered[1])):
		return proof{offered[1], offered[0], cert}, nil
	case len(offered) == 1 && isKey(offered[0]):
		return proof{offered[0], "", cert}, nil
	case inHeader && len(offered) == 1 && offered[0] == protocolBearer, device && len(offered) == 1 &&
		offered[0] == protocolDevice:
		return proof{header, offered[0], cert}, nil
	case device && len(offered) == 0:
		return proof{header, "", cert}, nil
	case cert != nil && !inHeader && len(offered) == 0:
		return proof{"", "", cert}, nil
	case cert != nil && !inHeader && len(offered) == 1 && offered[0] == protocolDevice:
		return proof{"", protocolDevice, cert}, nil
	}
	return proof{}, domain.Unauthorized.Errorf(domain.CodeNoCredentials,
		`offer the subprotocols "bearer" and your access token, in this order; a device: "device" and its key`)
}

func isKey(secret string) bool { return strings.HasPrefix(secret, domain.DeviceKeyPrefix) }

// checkSecure refuses connections that come in the clear to a server that people
// reach by https: a key would be read on the way. This machine's own are none.
func (g *Service) checkSecure(r *http.Request) error {
	if g.Secure == nil || g.Secure(r) {
		return nil
	}
	return domain.Forbidden.Errorf(domain.CodeInsecure,
		"this server is reached by wss:// only; a proxy before it must be named in UNHIDRA_TRUSTED_PROXIES and say "+
			"X-Forwarded-Proto: https")
}

// checkOrigin holds browsers of other sites off. Programs send no Origin; they
// prove themselves by a token that no browser would add by itself.
func (g *Service) checkOrigin(r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return nil
	}
	if len(origins) == 1 && g.originAllowed(origins[0], r.Host) {
		return nil
	}
	return domain.Forbidden.Errorf(domain.CodeOrigin, "pages of this origin may not connect; add it to ALLOWED_ORIGINS")
}

func (g *Service) originAllowed(origin, host string) bool {
	if slices.Contains(g.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Path != "" || u.RawQuery != "" ||
		u.Fragment != "" || u.User != nil {
		return false
	}
	if g.Secure != nil && u.Scheme != "https" && !loopbackHost(u.Hostname()) {
		return false // a page that came in the clear
	}
	return strings.EqualFold(u.Host, host) // the page is from here, by whatever name
}

func loopbackHost(name string) bool {
	a, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && a.IsLoopback()
}

const maxAgent = 200 // bytes of a user agent that are kept

func agent(r *http.Request) string {
	a := r.UserAgent()
	return strings.Clone(strings.ToValidUTF8(a[:min(len(a), maxAgent)], ""))
}

func peerAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

// refuse answers a handshake that fails, and returns the status.
func refuse(w http.ResponseWriter, r *http.Request, err error) int {
	var h *ws.Handshake
	if errors.As(err, &h) {
		return refuseUpgrade(w, r, h)
	}
	if domain.KindOf(err) == domain.Unauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="unhidra"`)
	}
	s := &statusWriter{ResponseWriter: w}
	httpx.Fail(s, r, err)
	return s.status
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// refuseUpgrade answers a request that is no WebSocket handshake, with the
// statuses that RFC 6455 has for that.
func refuseUpgrade(w http.ResponseWriter, r *http.Request, e *ws.Handshake) int {
	head := w.Header()
	switch e.Status {
	case http.StatusUpgradeRequired:
		head.Set("Upgrade", "websocket")
		head.Add("Connection", "Upgrade") // beside "close", of a request with a body
		head.Set("Sec-WebSocket-Version", "13")
	case http.StatusMethodNotAllowed:
		head.Set("Allow", http.MethodGet)
	}
	head.Set("Content-Type", "application/problem+json")
	head.Set("Cache-Control", "no-store")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(httpx.Problem{
		Type: "/problems/" + string(domain.Invalid), Title: http.StatusText(e.Status), Status: e.Status,
		Kind: string(domain.Invalid), Code: domain.CodeHandshake, Detail: e.Reason,
		Instance: httpx.RequestID(r.Context()),
	})
	return e.Status
}
