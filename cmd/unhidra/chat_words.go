package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
)

// ownWords are the commands of the room that the web client has as well.
var ownWords = []string{"/me", "/poll", "/topic", "/invite", "/leave", "/mute", "/unmute", "/shrug", "/remind"}

func isOwn(name string) bool { return slices.Contains(ownWords, strings.ToLower(name)) }

var commandForm = regexp.MustCompile(`^/[\p{L}\p{N}][^\s/]*(\s|$)`)

// isCommand reports whether line begins as a command does. A path has another slash, and is none.
func isCommand(line string) bool { return commandForm.MatchString(line) }

// own executes a command of the open room that the web client has as well.
func (t *chatSession) own(ctx context.Context, name, rest string) error {
	room := t.open
	switch strings.ToLower(name) {
	case "/me":
		if rest == "" {
			return errors.New("say what you do: /me waves")
		}
		return t.send(ctx, client.Draft{Room: room, Text: rest, ContentType: domain.ContentAction})
	case "/shrug":
		return t.send(ctx, client.Draft{Room: room, Text: strings.TrimSpace(rest + ` ¯\\\_(ツ)\_/¯`)})
	case "/poll":
		return t.poll(ctx, rest)
	case "/remind":
		return t.remind(ctx, rest)
	case "/topic":
		return t.topic(ctx, rest)
	case "/invite":
		return t.invite(ctx, room, rest)
	case "/leave":
		if err := t.await(func() error { return t.c.Leave(ctx, room) }); err != nil {
			return err
		}
		t.open = ""
		return nil
	}
	chosen := map[string]string{}
	if strings.EqualFold(name, "/mute") {
		chosen["level"] = string(domain.NotifyNothing)
	}
	return t.await(func() error {
		return t.c.Do(ctx, http.MethodPut, "/rooms/"+room+"/notifications", chosen, nil)
	})
}

// topic sets the topic of the open room, or shows it.
func (t *chatSession) topic(ctx context.Context, text string) error {
	room := t.open
	if text != "" {
		return t.await(func() error {
			return t.c.Do(ctx, http.MethodPatch, "/rooms/"+room, map[string]string{"topic": text}, nil)
		})
	}
	st, err := t.c.Room(ctx, room)
	if err != nil {
		return err
	}
	if st.Topic == "" {
		fmt.Fprintln(t.out, "* this room has no topic")
		return nil
	}
	fmt.Fprintln(t.out, "* topic: "+plain(st.Topic))
	return nil
}

// invite adds somebody, whose username is name, to a room.
func (t *chatSession) invite(ctx context.Context, room, name string) error {
	if name = strings.TrimPrefix(name, "@"); name == "" {
		return errors.New("say whom: /invite @NAME")
	}
	user, err := t.c.User(ctx, name)
	if err != nil {
		return err
	}
	return t.await(func() error { return t.c.Add(ctx, room, user.ID) })
}
