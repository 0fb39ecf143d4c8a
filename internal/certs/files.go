package certs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// FilesOptions are the options of Files.
type FilesOptions struct {
	Cert, Key string // PEM files; Cert has the whole chain, leaf first
	Settings  string // what errors call them: UNHIDRA_TLS for UNHIDRA_TLS_CERT and UNHIDRA_TLS_KEY
	Log       *slog.Logger
	Metrics   prometheus.Registerer // nil: none
	Every     time.Duration         // interval of checks for changes; 0: 10 s
}

// Files is a source with a certificate and its key in two files.
type Files struct {
	FilesOptions
	renewals *prometheus.CounterVec
	current  atomic.Pointer[tls.Certificate]
	seen     [sha256.Size]byte // hash of the files at the last check
	settled  bool              // that content is in use, or its error was logged
}

// OpenFiles reads the certificate. Its error says what to do.
func OpenFiles(o FilesOptions) (*Files, error) {
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	f := &Files{FilesOptions: o}
	cert, key, err := o.read()
	if err != nil {
		return nil, err
	}
	pair, err := o.parse(cert, key)
	if err != nil {
		return nil, err
	}
	f.seen, f.settled = sum(cert, key), true
	f.current.Store(pair)
	f.renewals = newMetrics(o.Metrics, f.Current)
	if expiryWarning(pair.Leaf, time.Now()) {
		o.Log.Warn("the certificate ends soon, or has ended; put a new one into its file", "file", o.Cert,
			"ends", pair.Leaf.NotAfter)
	}
	return f, nil
}

// TLS returns the configuration for listeners.
func (f *Files) TLS() *tls.Config {
	return base(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load(), nil })
}

// Current implements Source.
func (f *Files) Current() []*x509.Certificate { return []*x509.Certificate{f.current.Load().Leaf} }

// Challenge returns h, because nothing asks for a challenge.
func (f *Files) Challenge(h http.Handler) http.Handler { return h }

// Run checks the files periodically and uses a new pair if it is valid. It compares the content, so
// that replaced symbolic links are noticed too. Open connections are not affected.
func (f *Files) Run(ctx context.Context) error {
	t := time.NewTicker(f.Every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			f.look()
		}
	}
}

// look uses a new pair. If the pair is invalid, look logs that once, at the second check that finds
// it, because the first may have come between the replacement of the two files.
func (f *Files) look() {
	cert, key, err := f.read()
	now := sum(cert, key)
	switch {
	case now != f.seen:
		f.seen, f.settled = now, false
	case f.settled:
		return
	default:
		f.settled = true
	}
	var pair *tls.Certificate
	if err == nil {
		pair, err = f.parse(cert, key)
	}
	running := f.current.Load().Leaf
	if err == nil && pair.Leaf.NotAfter.Before(time.Now()) && running.NotAfter.After(pair.Leaf.NotAfter) {
		err = fmt.Errorf("the certificate in %s ended on %s; put one that is good into it", f.Cert, day(pair.Leaf.NotAfter))
	}
	switch {
	case err == nil:
		f.settled = true
		f.current.Store(pair)
		f.renewals.WithLabelValues("ok").Inc()
		f.Log.Info("a new certificate is in use", "names", strings.Join(Names(pair.Leaf), ","), "ends", pair.Leaf.NotAfter)
	case f.settled:
		f.renewals.WithLabelValues("failed").Inc()
		f.Log.Error("the new certificate is not used, and the one before it stays in use", "err", err, "ends",
			running.NotAfter)
	}
}

func (o FilesOptions) read() (cert, key []byte, err error) {
	if cert, err = readOne(o.Cert, "certificate", o.Settings+"_CERT"); err != nil {
		return nil, nil, err
	}
	key, err = readOne(o.Key, "key of the certificate", o.Settings+"_KEY")
	return cert, key, err
}

func readOne(path, what, setting string) ([]byte, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no %s in %s; see %s: %w", what, path, setting, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the user that the server runs as may not read the %s in %s; give it the right to (chgrp "+
			"and chmod 640, and chmod 750 for the folders above): %w", what, path, err)
	case err != nil:
		return nil, fmt.Errorf("read the %s (%s): %w", what, setting, err)
	}
	return b, nil
}

// parse parses the pair, or returns an error that says what is wrong with it.
func (o FilesOptions) parse(cert, key []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err == nil {
		return &pair, nil
	}
	switch {
	case !bytes.Contains(cert, []byte("-----BEGIN CERTIFICATE-----")) &&
		bytes.Contains(key, []byte("-----BEGIN CERTIFICATE-----")):
		return nil, fmt.Errorf("the certificate and its key are mixed up: exchange %s_CERT (%s) and "+
			"%s_KEY (%s)", o.Settings, o.Cert, o.Settings, o.Key)
	case !bytes.Contains(cert, []byte("-----BEGIN CERTIFICATE-----")):
		return nil, fmt.Errorf("%s holds no certificate in PEM form; put the full chain into it, the server's own first",
			o.Cert)
	case bytes.Contains(key, []byte("ENCRYPTED")):
		return nil, fmt.Errorf("the key in %s needs a passphrase, which nobody could type at a restart; take it off: "+
			"openssl pkey -in %s -out new.key", o.Key, o.Key)
	case !bytes.Contains(key, []byte("PRIVATE KEY-----")):
		return nil, fmt.Errorf("%s holds no private key in PEM form; put the key of the certificate into it", o.Key)
	case whole(cert, key):
		return nil, fmt.Errorf("the key in %s is not that of the first certificate in %s; replace both together, the "+
			"server's own certificate first", o.Key, o.Cert)
	}
	return nil, fmt.Errorf("%s and %s cannot be used: %w", o.Cert, o.Key, err)
}

// whole reports whether both files can be parsed, so that the only error left is that they do not
// belong together.
func whole(cert, key []byte) bool {
	c, _ := pem.Decode(cert)
	if c == nil {
		return false
	}
	if _, err := x509.ParseCertificate(c.Bytes); err != nil {
		return false
	}
	for k, rest := pem.Decode(key); k != nil; k, rest = pem.Decode(rest) {
		_, err8 := x509.ParsePKCS8PrivateKey(k.Bytes)
		_, err1 := x509.ParsePKCS1PrivateKey(k.Bytes)
		_, errEC := x509.ParseECPrivateKey(k.Bytes)
		if err8 == nil || err1 == nil || errEC == nil {
			return true
		}
	}
	return false
}

func sum(cert, key []byte) [sha256.Size]byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d:", len(cert))
	h.Write(cert)
	h.Write(key)
	return [sha256.Size]byte(h.Sum(nil))
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
