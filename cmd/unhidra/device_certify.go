package main

import (
	"context"
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/certs"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
)

const certificateLife = 2 * 365 * 24 * time.Hour // if nothing else is said

func makeDeviceCA(e *env, folder string) error {
	file, err := certs.MakeDeviceCA(folder, time.Now())
	if err != nil {
		return err
	}
	full, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "The CA is in %s. Keep its key, ca-key.pem, away from others, and let the server know "+
		"the certificate:\nUNHIDRA_DEVICE_CA=%s\n", folder, full)
	return err
}

// certify issues a certificate to a device, for a new key or for that of a request. What it could not write or register
// opens nothing.
func (d *devices) certify(ctx context.Context, id, folder, request string) error {
	ca, err := certs.OpenDeviceCA(folder)
	if err != nil {
		return err
	}
	found, err := d.db.Devices.DeviceByID(ctx, id)
	if err != nil {
		return err
	}
	key, public, err := keyToCertify(request)
	if err != nil {
		return err
	}
	life, now := d.life, time.Now()
	if life == 0 {
		life = certificateLife
	}
	name := device.NewCertificateID()
	cert, err := ca.Issue(found.ID, name, public, now, now.Add(life))
	if err != nil {
		return err
	}
	certFile, keyFile, err := certs.WriteDevice(folder, name, cert, key)
	if err != nil {
		return err
	}
	if err := d.service.AddCertificate(ctx, domain.AuditActor{Kind: domain.ActorOperator}, name, cert); err != nil {
		_, _ = os.Remove(certFile), os.Remove(keyFile) // they are of no use
		return err
	}
	fmt.Fprintf(d.stdout, "%s is a certificate of %s (%s of %s) until %s:\n%s\n", name, found.ID, plain(found.Name),
		found.Owner.Username, cert.NotAfter.Local().Format(time.DateTime), certFile)
	if keyFile != "" {
		_, err = fmt.Fprintln(d.stdout, keyFile)
	}
	return err
}

// keyToCertify returns a new key, or nil and that of a certificate signing request.
func keyToCertify(request string) (crypto.Signer, crypto.PublicKey, error) {
	if request != "" {
		public, err := certs.ReadRequest(request)
		return nil, public, err
	}
	key, err := certs.NewDeviceKey()
	if err != nil {
		return nil, nil, err
	}
	return key, key.Public(), nil
}

func (d *devices) listKeys(ctx context.Context, id string) error {
	keys, err := d.service.Keys(ctx, id)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(d.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tKIND\tMADE\tENDS\tSTATE\tLAST USED\tFROM")
	for _, k := range keys {
		kind, state := "key", "good"
		if k.Certificate() {
			kind = "certificate"
		}
		switch {
		case !k.RevokedAt.IsZero():
			state = "revoked"
		case k.Ended(time.Now()):
			state = "expired"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, kind, k.CreatedAt.Format(time.DateTime),
			dateOr(k.Expires, "with the device"), state, dateOr(k.LastUsed, "never"), k.LastIP)
	}
	return w.Flush()
}

func dateOr(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.Format(time.DateTime)
}
