package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/domain"
)

// An importedUser is a line of a file to import.
type importedUser struct {
	Username     string `json:"username"`
	DisplayName  string `json:"display_name"`
	Email        string `json:"email"`
	PasswordHash string `json:"password_hash"`
	Admin        bool   `json:"admin"`
}

const longestLine = 64 << 10

// importUsers makes an account of each line. What cannot be used is named by its
// line, and the rest goes on; errors never repeat a hash.
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
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestLine)
	made, left := 0, 0
	for n := 1; lines.Scan() && ctx.Err() == nil; n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := importUser(ctx, o, lines.Bytes()); err != nil {
			left++
			fmt.Fprintf(e.stderr, "line %d: %v\n", n, err)
			continue
		}
		made++
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("after %d accounts: %w", made, err)
	}
	if _, err := fmt.Fprintf(e.stdout, "%d accounts were imported\n", made); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("%d lines were left out", left)
	}
	return ctx.Err()
}

func importUser(ctx context.Context, o *auth.Operator, line []byte) error {
	var u importedUser
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&u); err != nil {
		return fmt.Errorf("this is not an account as JSON: %w", err)
	}
	role := domain.SystemUser
	if u.Admin {
		role = domain.SystemAdmin
	}
	_, err := o.Import(ctx, auth.Registration{Username: u.Username, DisplayName: u.DisplayName, Email: u.Email}, u.PasswordHash, role)
	return err
}
