package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/picture"
)

const emojiText = `emoji <action> [flags] [arguments]

Lists, adds and deletes the emoji of a server: pictures with a name, which people
write between colons, as :parrot:, and react with.

  emoji list               list all emoji, with who added them and when
  emoji add <name> <file>  add a PNG, JPEG, GIF or WebP of at most 256 kB
  emoji delete <name>      delete an emoji; messages and reactions keep its name
` + onlineText

func emojiCommand() command {
	return command{"emoji", "list, add and delete the emoji of a server", manageEmoji}
}

func manageEmoji(ctx context.Context, e *env, args []string) error {
	o := e.remoteOf("emoji", emojiText)
	words, err := interspersed(o.fs, args)
	if err != nil {
		return err
	}
	if err := checkAction("emoji", []action{{name: "list"}, {name: "add", names: []string{"<name>", "<file>"}},
		{name: "delete", names: []string{"<name>"}}}, words); err != nil {
		return err
	}
	var name string
	var data []byte
	if len(words) > 1 {
		name = strings.Trim(words[1], ":")
	}
	if words[0] == "add" {
		if name, err = domain.CheckEmojiName("/name", words[1]); err != nil {
			return err
		}
		if data, err = readPicture(words[2]); err != nil {
			return err
		}
	}
	return o.run(ctx, func(ctx context.Context) error {
		switch words[0] {
		case "add":
			made, err := o.c.AddEmoji(ctx, name, data)
			if err == nil {
				_, err = fmt.Fprintf(o.stdout, "Added: :%s:\n", made.Name)
			}
			return err
		case "delete":
			err := o.c.DeleteEmoji(ctx, name)
			if err == nil {
				_, err = fmt.Fprintf(o.stdout, "Deleted: :%s:\n", name)
			}
			return err
		}
		all, err := o.c.CustomEmoji(ctx)
		if err != nil {
			return err
		}
		return listEmoji(o.stdout, all)
	})
}

// readPicture reads a file, as far as that is needed to see that it is too long.
func readPicture(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, picture.MaxEmojiBytes+1))
	if err == nil && len(data) > picture.MaxEmojiBytes {
		err = fmt.Errorf("%s has more than %d kB; make the picture smaller, 128 by 128 pixels are plenty", path,
			picture.MaxEmojiBytes>>10)
	} else if err == nil && !strings.HasPrefix(http.DetectContentType(data), "image/") {
		err = fmt.Errorf("%s is no picture; use a PNG, JPEG, GIF or WebP", path)
	}
	return data, err
}

func listEmoji(to io.Writer, all []client.CustomEmoji) error {
	w := tabwriter.NewWriter(to, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "EMOJI\tADDED BY\tADDED")
	for _, e := range all {
		by := "-"
		if e.By != nil {
			by = e.By.Username
		}
		fmt.Fprintf(w, ":%s:\t%s\t%s\n", e.Name, by, e.CreatedAt.Format(time.DateOnly))
	}
	return w.Flush()
}
