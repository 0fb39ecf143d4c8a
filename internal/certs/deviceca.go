package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// The files of a device CA, in its folder.
const (
	caFile    = "ca.pem"
	caKeyFile = "ca-key.pem"
	caLife    = 10 * 365 * 24 * time.Hour
)

// A DeviceCA issues certificates by which devices prove themselves. The server knows its certificate alone.
type DeviceCA struct {
	Cert *x509.Certificate
	key  crypto.Signer
}

// MakeDeviceCA makes a CA with a new key in a folder, which it creates. It never replaces one.
func MakeDeviceCA(folder string, now time.Time) (certFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	t := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: "Unhidra device CA"}, NotBefore: now.Add(-time.Hour),
		NotAfter: now.Add(caLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	certFile = filepath.Join(folder, caFile)
	return certFile, errors.Join(writeKey(filepath.Join(folder, caKeyFile), key), writeCert(certFile, der))
}

// OpenDeviceCA reads the CA of a folder.
func OpenDeviceCA(folder string) (*DeviceCA, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, caFile), filepath.Join(folder, caKeyFile))
	if err != nil {
		return nil, fmt.Errorf("%s has no device CA; make one with `unhidra device ca %s`: %w", folder, folder, err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s is not the certificate of a CA", filepath.Join(folder, caFile))
	}
	return &DeviceCA{pair.Leaf, key}, nil
}

// Issue returns a certificate of a device for a key, which ends with the CA at the latest. id names the certificate.
func (ca *DeviceCA) Issue(device, id string, key crypto.PublicKey, now, until time.Time) (*x509.Certificate, error) {
	if until.After(ca.Cert.NotAfter) {
		until = ca.Cert.NotAfter
	}
	if !until.After(now) {
		return nil, errors.New("the CA has ended; make a new one")
	}
	t := &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: device, SerialNumber: id}, NotBefore: now.Add(-time.Hour),
		NotAfter: until, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.Cert, key, ca.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// WriteDevice writes a certificate, and the key if there is one, into new files of a folder that are named after id.
func WriteDevice(folder, id string, cert *x509.Certificate, key crypto.Signer) (certFile, keyFile string, err error) {
	certFile = filepath.Join(folder, id+".pem")
	if key != nil {
		keyFile = filepath.Join(folder, id+"-key.pem")
		err = writeKey(keyFile, key)
	}
	return certFile, keyFile, errors.Join(err, writeCert(certFile, cert.Raw))
}

// NewDeviceKey returns a key for a device.
func NewDeviceKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// ReadRequest returns the key that a certificate signing request (PEM, PKCS #10) asks for. What else it asks for does
// not count.
func ReadRequest(file string) (crypto.PublicKey, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s is no certificate signing request in PEM", file)
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r.PublicKey, nil
}

// ClientAuthorities reads the certificates of CAs whose clients are let in.
func ClientAuthorities(file string) (*x509.CertPool, error) {
	all, err := Authorities(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c)
	}
	return pool, nil
}

// Authorities reads the certificates of a file of CAs, of which there is at least one.
func Authorities(file string) (all []*x509.Certificate, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("UNHIDRA_DEVICE_CA: %w", err)
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil || !c.IsCA {
			return nil, fmt.Errorf(
				"UNHIDRA_DEVICE_CA: %s must have certificates of CAs alone; `unhidra device ca` makes one", file)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("UNHIDRA_DEVICE_CA: %s has no certificate in PEM; `unhidra device ca` makes one", file)
	}
	return all, nil
}

// WithClients returns c for clients that may prove themselves by certificates of pool; nil: they may not.
func WithClients(c *tls.Config, pool *x509.CertPool) *tls.Config {
	if c == nil || pool == nil {
		return c
	}
	c = c.Clone()
	c.ClientCAs, c.ClientAuth = pool, tls.VerifyClientCertIfGiven
	return c
}

// newSerial returns a serial number that no other certificate has.
func newSerial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails since Go 1.24
	return n
}

func writeCert(file string, der []byte) error {
	return writeNew(file, 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func writeKey(file string, key crypto.Signer) error {
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeNew(file, 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

func writeNew(file string, mode os.FileMode, block *pem.Block) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, block), f.Close())
}
