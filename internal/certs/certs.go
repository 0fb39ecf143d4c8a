// Package certs provides the listeners with certificates: from two files, which may be replaced
// while the server runs, or from an ACME server, which renews them. If a renewal fails, the current
// certificate stays in use, and the log says what to do.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Source provides certificates and keeps them up to date.
type Source interface {
	// TLS returns the configuration for listeners. It uses new certificates without being replaced.
	TLS() *tls.Config
	// Challenge returns h with the answers to HTTP-01 challenges, if the source has any.
	Challenge(h http.Handler) http.Handler
	// Current returns the certificates in use, without their chains.
	Current() []*x509.Certificate
	// Run keeps the certificates up to date until ctx is done.
	Run(ctx context.Context) error
}

// base returns the configuration that all sources share: TLS 1.3, and TLS 1.2 only with forward
// secrecy and authenticated encryption, which mbedTLS on small devices supports too. Sessions are
// resumed by tickets, whose keys rotate.
func base(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: get,
		CipherSuites: []uint16{ // for TLS 1.2; those of TLS 1.3 are fixed
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}

// newMetrics registers the metrics of a source. It calls current at each scrape.
func newMetrics(reg prometheus.Registerer, current func() []*x509.Certificate) *prometheus.CounterVec {
	renewals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tls_certificate_renewals_total", Help: "Renewals of certificates, by result: ok, failed.",
	}, []string{"result"})
	renewals.WithLabelValues("ok")
	renewals.WithLabelValues("failed")
	if reg != nil {
		reg.MustRegister(renewals, expiry{current})
	}
	return renewals
}

// expiry collects the expiry times of the certificates in use.
type expiry struct{ current func() []*x509.Certificate }

// Describe implements prometheus.Collector.
func (e expiry) Describe(c chan<- *prometheus.Desc) { c <- e.desc() }

// Collect implements prometheus.Collector.
func (e expiry) Collect(c chan<- prometheus.Metric) {
	ends := map[string]time.Time{} // by set of names, of the newest certificate
	for _, leaf := range e.current() {
		if n := strings.Join(Names(leaf), ","); ends[n].Before(leaf.NotAfter) {
			ends[n] = leaf.NotAfter
		}
	}
	for n, end := range ends {
		c <- prometheus.MustNewConstMetric(e.desc(), prometheus.GaugeValue, float64(end.Unix()), n)
	}
}

func (expiry) desc() *prometheus.Desc {
	return prometheus.NewDesc("tls_certificate_expiry_timestamp_seconds",
		"When the certificate in use ends, in seconds since 1970, by the names that it is for.", []string{"names"}, nil)
}

// Names returns the names and addresses in leaf, sorted.
func Names(leaf *x509.Certificate) []string {
	all := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 && leaf.Subject.CommonName != "" {
		all = append(all, leaf.Subject.CommonName)
	}
	slices.Sort(all)
	return all
}
