// Package certs gives the listeners their certificates: from two files, which
// may be replaced while the server runs, or from an ACME server, which renews
// them. Whatever goes wrong later, the certificate in use stays in use, and the
// log says what to do.
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

// A Source has the certificates of a server, and keeps them fresh.
type Source interface {
	// TLS returns the configuration for listeners. It stays right when
	// certificates change.
	TLS() *tls.Config
	// Challenge returns h behind what an ACME server asks for over plain HTTP.
	Challenge(h http.Handler) http.Handler
	// Current returns the certificates in use, without their chains.
	Current() []*x509.Certificate
	// Run keeps the certificates fresh until ctx is done.
	Run(ctx context.Context) error
}

// base returns the protocols and suites that all sources share: TLS 1.3, and 1.2
// with forward secrecy and authenticated encryption alone, which mbedTLS on
// small devices speaks too. Sessions are resumed by tickets, whose keys rotate.
func base(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: get,
		CipherSuites: []uint16{ // of 1.2; those of 1.3 are all good
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}

// newMetrics registers the metrics of a source. Current returns the certificates
// in use; they are asked for at each scrape.
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

// expiry collects when the certificates in use end.
type expiry struct{ current func() []*x509.Certificate }

// Describe implements prometheus.Collector.
func (e expiry) Describe(c chan<- *prometheus.Desc) { c <- e.desc() }

// Collect implements prometheus.Collector.
func (e expiry) Collect(c chan<- prometheus.Metric) {
	ends := map[string]time.Time{} // one for each set of names, and of several the one that is newest
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

// Names returns what leaf is for, in order.
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
