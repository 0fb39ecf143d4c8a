package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/firmware"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/ota"
	"github.com/unhidra/unhidra/internal/rollout"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/token"
)

// offerKey is the key by which the server signs offers of firmware: of P-256, which all devices know. It is
// derived from the server's own key, so that all nodes have the same, and backups need no other secret.
func offerKey(keys *token.Keyring) (crypto.Signer, error) {
	for n := 0; ; n++ {
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), keys.Derive(fmt.Sprint("firmware offers ", n)))
		if err == nil || n > 8 { // one in 2^32 is no key of this curve
			return key, err
		}
	}
}

func (s *server) buildFirmware() (err error) {
	m := &s.modules
	key, err := offerKey(s.keys)
	if err != nil {
		return fmt.Errorf("derive the key of offers: %w", err)
	}
	deps := firmware.Deps{
		Products: s.db.Products, Releases: s.db.Releases, Uploads: s.db.Uploads, Deltas: s.db.Deltas, Sums: s.db.OTA,
		Fleet: s.db.Rollouts, ELFs: s.db.Releases, Files: s.files, Temp: s.Config.Incoming(),
		Secrets: secrets{users: m.auth, devices: m.device}, OfferKey: key, LinkKey: s.keys.Derive("firmware links"),
		URL: func() string { return s.addrs.URL }, Quota: int64(s.Config.FirmwareStorage) << 20, Audit: m.audit,
		Pace: firmware.Pace{Total: s.Config.FirmwareRate, Site: s.Config.FirmwareSite, Product: s.Config.FirmwareProduct},
		Log:  s.logs.Part("firmware"), Metrics: s.reg,
	}
	if s.Config.FirmwareLinks == config.LinksS3 {
		deps.Direct = s.files
	} else {
		deps.CDN = s.Config.FirmwareLinks
	}
	if m.firmware, err = firmware.New(deps); err != nil {
		return err
	}
	ends, err := firmwareEnds(s.db, s.keys)
	if err != nil {
		return err
	}
	ends.Watch(s.reg)
	m.firmwareEnds = ends
	s.run("firmware_symbols", m.firmware.RunExplain)
	if s.Config.Works() {
		s.run("firmware", m.firmware.Run)
		s.run("firmware_deltas", m.firmware.RunDeltas)
	}
	return nil
}

// firmwareEnds watches when the keys of products end.
func firmwareEnds(db *all.Store, keys *token.Keyring) (*firmware.Ends, error) {
	signer, err := offerKey(keys)
	if err != nil {
		return nil, fmt.Errorf("derive the key of offers: %w", err)
	}
	key, err := manifest.NewKey(signer.Public())
	return &firmware.Ends{Trusted: db.Products, OfferKey: key.KeyID, Now: time.Now}, err
}

func (s *server) buildRollouts() {
	m := &s.modules
	m.rollout = rollout.New(rollout.Deps{
		Store: s.db.Rollouts, Updates: s.db.Rollouts, Joins: s.db.Rollouts, Products: s.db.Products, Releases: s.db.Releases,
		Offers: m.firmware, Symbols: m.firmware, Devices: m.device, Bus: s.bus, Log: s.logs.Part("rollout"),
		Audit: m.audit, Metrics: s.reg, Every: s.Config.RolloutEvery,
	})
	m.ota = ota.New(ota.Deps{
		Store: s.db.OTA, Products: s.db.Products, Fleet: s.db.Rollouts, Updates: m.rollout, Images: m.firmware,
		Devices: m.device, LinkKey: s.keys.Derive("firmware of devices"), URL: func() string { return s.addrs.URL },
		Audit: m.audit, Log: s.logs.Part("ota"),
	})
	s.run("updates", m.rollout.Run)
	if s.Config.Works() {
		s.run("rollouts", m.rollout.Decide)
	}
}
