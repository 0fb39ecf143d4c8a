package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/fileaccess"
	"github.com/unhidra/unhidra/internal/token"
)

// Keyring returns the keys of the server that c describes.
func Keyring(c config.Config) (*token.Keyring, error) {
	data, err := ServerKey(c)
	if err != nil {
		return nil, err
	}
	var sign [][]byte
	for _, s := range append([]config.Secret{c.JWTSecret}, c.JWTSecretsOld...) {
		if s != "" {
			sign = append(sign, []byte(s.Reveal()))
		}
	}
	return token.NewKeyring(c.JWTAlg, data, sign...)
}

// ServerKey returns the key under which secrets are kept: the configured one, or
// the one in the data folder, which is made if there is none.
func ServerKey(c config.Config) ([]byte, error) {
	if s := c.ServerKey.Reveal(); s != "" {
		return []byte(s), nil
	}
	path := c.KeyFile()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder (UNHIDRA_DATA_DIR): %w", err)
	}
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	return makeKey(path)
}

// checkKey refuses a key other than the one that the database was used with: all
// that is sealed or hashed in it would be lost on whoever starts with another.
func checkKey(ctx context.Context, db *all.Store, keys *token.Keyring) error {
	mark := fingerprint(keys)
	kept, err := db.Server.InitSetting(ctx, domain.Setting{Name: keySetting, Value: mark, By: "server", At: time.Now()})
	if err != nil {
		return err
	}
	if kept != mark {
		return errAnotherKey
	}
	return nil
}

var (
	errAnotherKey = errors.New(
		"this database was used with another server's key; give the one it was used with, as server.key in the data folder " +
			"or as UNHIDRA_SERVER_KEY, or restore both from one backup")
	errNoKey = errors.New("there is no server's key, and this database was used with one; put it back as server.key " +
		"into the data folder, or give it as UNHIDRA_SERVER_KEY, or restore both from one backup: with a new one nobody's " +
		"second factor and no link would work")
)

// CheckKey fails if c's server would be refused by the database, or would make a key that
// is. It changes nothing.
func CheckKey(ctx context.Context, db *all.Store, c config.Config) error {
	settings, err := db.Server.Settings(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(settings, func(s domain.Setting) bool { return s.Name == keySetting })
	if i < 0 {
		return nil // nobody used it yet
	}
	if _, err := os.Stat(c.KeyFile()); c.ServerKey == "" && errors.Is(err, fs.ErrNotExist) {
		return errNoKey
	}
	keys, err := Keyring(c)
	if err == nil && settings[i].Value != fingerprint(keys) {
		err = errAnotherKey
	}
	return err
}

const keySetting = "server_key"

func fingerprint(keys *token.Keyring) string {
	return hex.EncodeToString(keys.Derive("fingerprint")[:8])
}

// CheckLost refuses to begin anew where a key is and its database is not: somebody lost
// it, or named another folder.
func CheckLost(c config.Config) error {
	if c.ServerKey != "" {
		return nil
	}
	if _, err := os.Stat(c.KeyFile()); err != nil {
		return nil // a first start, or one that fails when it reads the key
	}
	info, err := os.Stat(c.Database())
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil // it is there, or the store says what is wrong with it
	}
	return fmt.Errorf("there is a server's key (%s) and no database (%s), so that this is no first start; "+
		"see that its disk is mounted and that UNHIDRA_DATA_DIR is right, put the database back, or restore a backup with "+
		"`unhidra restore`; "+
		"to begin with an empty server, move the key away and keep it: backups without a key need it", c.KeyFile(),
		c.Database())
}

func readKey(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fileaccess.Denied(path, err)
	} else if err != nil {
		return nil, fmt.Errorf("read the server's key: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if len(key) < 32 {
		return nil, fmt.Errorf("the server's key in %s is too short to be one that Unhidra made; restore it from a backup, "+
			"or remove the file: everyone then signs in anew", path)
	}
	return []byte(key), nil
}

// makeKey writes a new key under another name first, so that a server killed in
// between leaves no half of one, and links it: of two servers one wins, and both
// use that one's.
func makeKey(path string) ([]byte, error) {
	var b [48]byte
	_, _ = rand.Read(b[:])                                   // never fails
	f, err := os.CreateTemp(filepath.Dir(path), "key-*.tmp") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep the server's key in the data folder: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.RawStdEncoding.EncodeToString(b[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("keep the server's key in the data folder: %w", err)
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("keep the server's key in the data folder: %w", err)
	}
	return readKey(path)
}
