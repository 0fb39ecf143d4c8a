// Command load keeps a server busy a little, so that every metric moves: ann, whom
// `unhidra user create` made with the password in UNHIDRA_PASSWORD, talks over HTTP
// and WebSockets, runs into limits, and has a device that measures, alarms and obeys. A model is asked, too, if the
// operator's listener is named.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/unhidra/unhidra/client"
)

func main() {
	url := flag.String("url", "https://localhost:9000", "of the server")
	ca := flag.String("ca", "", "PEM file of its authority")
	operator := flag.String("operator", "", "URL of the operator's listener; empty: no model is asked")
	length := flag.Duration("for", time.Minute, "how long")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *length)
	defer cancel()
	if err := load(ctx, *url, *ca, *operator); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func load(ctx context.Context, url, ca, operator string) error {
	trust := &tls.Config{RootCAs: x509.NewCertPool()}
	if ca != "" {
		b, err := os.ReadFile(ca)
		if err != nil {
			return err
		}
		trust.RootCAs.AppendCertsFromPEM(b)
	}
	ann := client.New(url)
	ann.Trust(trust)
	if err := ann.SignIn(ctx, "ann", os.Getenv("UNHIDRA_PASSWORD")); err != nil {
		return err
	}
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
	if err != nil {
		return err
	}
	var lives []*client.Live
	for range 5 {
		l := ann.Live(ctx, client.LiveOptions{})
		defer l.Close()
		if err := l.Ready(ctx); err != nil {
			return err
		}
		lives = append(lives, l)
	}
	others := make(chan error, 2)
	go func() { others <- greenhouse(ctx, url, trust, ann) }()
	if operator != "" {
		go func() { others <- counting(ctx, operator) }()
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case err := <-others:
			return err
		case <-ctx.Done():
			return nil
		}
		if err := step(ctx, ann, lives[i%len(lives)], room.ID, i); err != nil {
			return err
		}
	}
}

func step(ctx context.Context, c *client.Client, l *client.Live, room string, i int) error {
	draft := client.Draft{Room: room, Key: fmt.Sprint("k", i), Text: fmt.Sprint("message ", i)}
	if i%10 != 0 {
		_, err := l.Send(ctx, draft)
		return refused(err)
	}
	if _, err := c.Send(ctx, draft); refused(err) != nil {
		return err
	}
	short := c.Live(ctx, client.LiveOptions{}) // comes and goes
	defer short.Close()
	if i%50 == 0 {
		return refused(c.Do(ctx, http.MethodGet, "/rooms/room_00000000000000000000000000", nil, nil))
	}
	return nil
}

// refused lets pass what the server answered, whatever that is.
func refused(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok && e != nil {
		return nil
	}
	return err
}
