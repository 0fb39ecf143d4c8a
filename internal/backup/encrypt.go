package backup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
)

// ParseRecipient reads an age public key, age1…
func ParseRecipient(key string) (age.Recipient, error) {
	if strings.ContainsAny(key, "\r\n") {
		return nil, errors.New("is not one age public key, which begins with age1")
	}
	keys, err := age.ParseRecipients(strings.NewReader(key))
	if err != nil || len(keys) != 1 {
		return nil, errors.New("is not an age public key, which begins with age1; age-keygen makes one")
	}
	return keys[0], nil
}

// ReadIdentities reads a file of age's secret keys, as age-keygen writes it.
func ReadIdentities(path string) ([]age.Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	keys, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("%s has no secret keys of age, as age-keygen writes them", path)
	}
	return keys, nil
}

// encrypt returns a writer that encrypts for a recipient, if there is one. What was written
// is whole only after Close, which leaves w open.
func encrypt(w io.Writer, to age.Recipient) (io.WriteCloser, error) {
	if to == nil {
		return plainWriter{w}, nil
	}
	return age.Encrypt(w, to)
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

const ageMagic = "age-encryption.org/v1\n"

// decrypt returns what is in r, which may be encrypted.
func decrypt(r io.Reader, keys []age.Identity) (plain io.Reader, encrypted bool, err error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if begin, _ := buffered.Peek(len(ageMagic)); string(begin) != ageMagic {
		return buffered, false, nil // too short a file is told of by who reads on
	}
	if len(keys) == 0 {
		return nil, true, errors.New("it is encrypted; name the file of the secret key with --identity")
	}
	plain, err = age.Decrypt(buffered, keys...)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return nil, true, errors.New("it is encrypted for another key than those of --identity")
	}
	if err != nil {
		return nil, true, fmt.Errorf("it is damaged: %w", err)
	}
	return plain, true, nil
}
