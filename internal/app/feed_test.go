package app_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// TestAConsumerIsToldWhatWasCommitted runs a whole server with a consumer of the feed.
func TestAConsumerIsToldWhatWasCommitted(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		told := make(chan domain.Event, 100)
		c := feed.Consumer[domain.Event]{Name: "test",
			Handle: func(_ context.Context, entries []feed.Entry[domain.Event]) error {
				for _, e := range entries {
					told <- e.Value
				}
				return nil
			}}
		a := runWith(t, o, c)
		ann := client.New("http://" + a.Public)
		if err := ann.Register(t.Context(), client.Registration{Username: "ann", Password: live.Password}); err != nil {
			t.Fatal(err)
		}
		room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: "Lobby"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ann.Send(t.Context(), client.Draft{Room: room.ID, Text: "hello"}); err != nil {
			t.Fatal(err)
		}
		end := time.After(time.Minute)
		for last := int64(0); ; {
			select {
			case e := <-told:
				if e.Seq > last+1 {
					t.Fatalf("%d after %d", e.Seq, last)
				}
				last = max(last, e.Seq)
				if e.Message == nil {
					continue
				}
				if e.Message.Text != "hello" {
					t.Errorf("told of %q", e.Message.Text)
				}
				scraped(t, a, `feed_lag_seconds{consumer="test"}`)
				return
			case <-end:
				t.Fatal("the consumer was not told of the message")
			}
		}
	})
}

// TestAConsumerGoesOnAfterAServerWasOffForLong has a server start whose consumer was last
// there 40 days ago, and had not been told of a message by then.
func TestAConsumerGoesOnAfterAServerWasOffForLong(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db, err := all.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		before := time.Now().AddDate(0, 0, -40)
		if _, ok, err := db.Feed.ClaimCursor(t.Context(), "test", "gone", feed.Now, before, before); err != nil || !ok {
			t.Fatal(ok, err)
		}
		room := testkit.Room(t, db, 1)
		testkit.Say(t, db, testkit.UserID(0), room, "k", "hello")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		told := make(chan string, 100)
		runWith(t, o, feed.Consumer[domain.Event]{Name: "test",
			Handle: func(_ context.Context, entries []feed.Entry[domain.Event]) error {
				for _, e := range entries {
					if e.Value.Message != nil {
						told <- e.Value.Message.Text
					}
				}
				return nil
			}})
		select {
		case <-told:
		case <-time.After(2 * time.Minute):
			t.Error("the consumer was not told of the message")
		}
	})
}

// runWith runs a server with a consumer until the test ends.
func runWith(t *testing.T, o store.Options, c feed.Consumer[domain.Event], settings ...string) app.Addrs {
	t.Helper()
	env := []string{"UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=127.0.0.1:0",
		"UNHIDRA_DRAIN=10ms", "UNHIDRA_CAPTCHA=off"}
	env = append(env, settings...)
	if o.URL != "" {
		env = append(env, "UNHIDRA_DATA_DIR="+t.TempDir(), "DATABASE_URL="+o.URL)
	} else {
		env = append(env, "UNHIDRA_DATA_DIR="+filepath.Dir(o.Path), "AUTH_DB_PATH="+o.Path)
	}
	conf, err := config.Load(env, nil)
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan app.Addrs, 1), make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		ended <- app.Run(ctx, app.Options{
			Config: conf, Version: "test", Log: testkit.Logger(t), Ready: func(a app.Addrs) { ready <- a },
			Consumers: []feed.Consumer[domain.Event]{c},
		})
	}()
	t.Cleanup(func() { stop(); <-ended })
	select {
	case a := <-ready:
		return a
	case err := <-ended:
		ended <- err
		t.Fatal(err)
		return app.Addrs{}
	}
}

// scraped fails unless the operator's metrics have a series.
func scraped(t *testing.T, a app.Addrs, series string) {
	t.Helper()
	res, err := http.Get("http://" + a.Operator + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body := new(strings.Builder)
	if err := res.Write(body); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(body.String(), series) {
		t.Errorf("the metrics have no %s", series)
	}
}
