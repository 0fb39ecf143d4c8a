package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// An importedUser is a line of an import file.
type importedUser struct {
	Username     string `json:"username"`
	DisplayName  string `json:"display_name"`
	Email        string `json:"email"`
	PasswordHash string `json:"password_hash"`
	Admin        bool   `json:"admin"`
}

const longestLine = 1 << 20

var errLongLine = fmt.Errorf("the line is longer than %d bytes", longestLine)

// importUsers creates an account for each line. It reports invalid lines by number and continues.
// Errors never contain a password hash.
func (e *env) importUsers(ctx context.Context, o *auth.Operator, name string) error {
	in := io.Reader(e.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewReaderSize(in, longestLine)
	made, left := 0, 0
	for n := 1; ctx.Err() == nil; n++ {
		line, err := nextLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // editors on Windows write a byte order mark
			if bytes.HasPrefix(line, []byte("\xff\xfe")) || bytes.HasPrefix(line, []byte("\xfe\xff")) {
				return errors.New("this is UTF-16; save the file as UTF-8")
			}
		}
		switch {
		case err == nil && len(bytes.TrimSpace(line)) == 0:
			continue
		case err == nil:
			err = importUser(ctx, o, line)
		case !errors.Is(err, errLongLine):
			return fmt.Errorf("after %s: %w", count(made, "account"), err)
		}
		if err != nil {
			left++
			fmt.Fprintf(e.stderr, "line %d: %v\n", n, err)
			continue
		}
		made++
	}
	if _, err := fmt.Fprintf(e.stdout, "Imported %s.\n", count(made, "account")); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("skipped %s", count(left, "line"))
	}
	return ctx.Err()
}

// nextLine returns the next line, which is valid until the next call. A line that is too long is
// skipped with errLongLine.
func nextLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		if errors.Is(err, io.EOF) && len(line) > 0 {
			err = nil // the last line
		}
		return line, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return nil, errLongLine
}

func importUser(ctx context.Context, o *auth.Operator, line []byte) error {
	var u importedUser
	if err := wire.Decode(line, &u); err != nil {
		return fmt.Errorf("not an account in JSON: %w", err)
	}
	role := domain.SystemUser
	if u.Admin {
		role = domain.SystemAdmin
	}
	_, err := o.Import(ctx, auth.Registration{Username: u.Username, DisplayName: u.DisplayName, Email: u.Email},
		u.PasswordHash, role)
	return err
}
