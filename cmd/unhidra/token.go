package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/token"
)

const tokenText = `token issue [flags] <username>

Prints an access token for a user, for use in scripts. It needs access to the data
folder, where the signing key is. The token cannot be refreshed, and is revoked
early if the user's password or role changes:

  UNHIDRA_TOKEN=$(unhidra token issue robot) unhidra chat --room Operations
`

const maxTokenLife = 24 * time.Hour

func tokenCommand() command {
	return command{"token", "print an access token for a script", issueToken}
}

func issueToken(ctx context.Context, e *env, args []string) error {
	set := e.flags("token", tokenText)
	life := set.Duration("for", 10*time.Minute, "lifetime of the token, at most 24h")
	flags := config.NewFlags(set, storeFlags()...)
	words, err := interspersed(set, args)
	if err != nil {
		return err
	}
	if err := checkAction("token", []action{{name: "issue", names: []string{"<username>"}}}, words); err != nil {
		return err
	}
	if *life <= 0 || *life > maxTokenLife {
		return usagef("--for must be more than 0 and at most %v", maxTokenLife)
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	keys, err := keyring(c)
	if err != nil {
		return err
	}
	o, db, err := e.operator(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	t, err := o.IssueToken(ctx, keys, words[1], *life)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, t)
	return err
}

// keyring returns the keys of the server with configuration c. The server must have been started
// before, because a key created now would not be the server's.
func keyring(c config.Config) (*token.Keyring, error) {
	if _, err := os.Stat(c.KeyFile()); c.ServerKey == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no server's key in %s; set --data-dir to the server's data folder", c.DataDir)
	}
	return app.Keyring(c)
}
