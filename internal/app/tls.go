package app

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/proxyproto"
)

// openFiles reads the certificate of the configuration, if it names files: what
// is wrong with them is an error of the start.
func (s *server) openFiles() (err error) {
	c := s.Config.TLS
	if c.Cert == "" {
		return nil
	}
	s.certs, err = certs.OpenFiles(certs.FilesOptions{Cert: c.Cert, Key: c.Key, Settings: "UNHIDRA_TLS",
		Log: s.logs.Part("certs"), Metrics: s.certMetrics("public")})
	return err
}

// openACME prepares to ask for certificates, once the ports are known.
func (s *server) openACME() (err error) {
	c := s.Config.TLS
	if !c.ACME() {
		return nil
	}
	o := certs.ACMEOptions{
		Domains: c.Domains, Email: c.Email, Directory: c.Directory, CAFile: c.CAFile, Folder: s.Config.CertificateFolder(),
		Host: s.Config.BindAddr, TLSPort: port(s.public), HTTPPort: port(s.plain),
		Log: s.logs.Part("certs"), Metrics: s.certMetrics("public"),
	}
	if s.Config.DatabaseURL != "" { // perhaps one of several nodes
		if o.Storage, err = certs.NewShared(s.db.Server, s.keys.Derive("certificates")); err != nil {
			return err
		}
	}
	s.certs, err = certs.NewACME(o)
	return err
}

// certMetrics returns where the metrics of a listener's certificates are registered.
func (s *server) certMetrics(listener string) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{"listener": listener}, s.reg)
}

// port returns the port of l, or 0 without one.
func port(l net.Listener) int {
	if l == nil {
		return 0
	}
	a, _ := l.Addr().(*net.TCPAddr)
	return a.Port
}

// openDeviceCA reads the CA of devices' certificates, if there is one.
func (s *server) openDeviceCA() (err error) {
	file := s.Config.DeviceCA
	if file == "" {
		return nil
	}
	if !s.Config.TLS.Enabled() && s.Config.MQTT.Cert == "" {
		return errors.New("UNHIDRA_DEVICE_CA is for listeners with TLS; set UNHIDRA_TLS_CERT and UNHIDRA_TLS_KEY, " +
			"UNHIDRA_ACME_DOMAINS, or UNHIDRA_MQTT_TLS_CERT and UNHIDRA_MQTT_TLS_KEY: behind a proxy that ends TLS, " +
			"certificates of clients cannot be seen")
	}
	s.deviceCA, err = certs.ClientAuthorities(file)
	return err
}

// tls returns how listeners are encrypted; nil: not at all.
func (s *server) tls() *tls.Config {
	if s.certs == nil {
		return nil
	}
	return certs.WithClients(s.certs.TLS(), s.deviceCA)
}

// behindProxy returns l, with clients' addresses from the PROXY protocol if on says so.
func (s *server) behindProxy(l net.Listener, on bool) net.Listener {
	if !on {
		return l
	}
	return proxyproto.Listen(l, proxyproto.Options{Trusted: s.Config.TrustedProxies, Log: s.logs.Part("proxy")})
}

// redirect returns what the plain listener serves: whoever reads is sent to base.
// Who writes is refused, because what they wrote has crossed the network
// unprotected already and must not go on doing so unnoticed.
func redirect(base string, health http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" { // balancers do not follow
			health(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "use "+base, http.StatusForbidden)
			return
		}
		path := "/" + strings.TrimLeft((&url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}).String(), "/")
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, base+path, http.StatusPermanentRedirect)
	})
}
