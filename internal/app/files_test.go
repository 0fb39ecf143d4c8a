package app_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// noise returns n bytes that are the same for a seed.
func noise(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// upload uploads data as name, for room.
func upload(t *testing.T, c *client.Client, room, name string, data []byte) client.Upload {
	t.Helper()
	u, err := c.UploadFile(t.Context(), room, name, bytes.NewReader(data), int64(len(data)))
	must(t, err)
	return u
}

// Somebody uploads a file of several parts, and posts it: members see it live, in pages, in search and in the list
// of the room, and load it whole or in part, by token and by link. When the message is deleted, nobody does.
func TestAFileIsPostedAndLoaded(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
		must(t, err)
		must(t, ann.Add(ctx, room.ID, id(t, bob)))
		data := noise(domain.FilePart+1234, 1)
		u := upload(t, ann, room.ID, "leaves of tea.bin", data)
		if u.State != "ready" || u.Type != "application/octet-stream" || u.ExpiresAt == nil {
			t.Fatalf("uploaded: %+v", u)
		}
		_, events := hears(t, bob)
		said, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: "picked today", Files: []string{u.ID}})
		must(t, err)

		page, err := bob.Timeline(ctx, room.ID, "", 1)
		must(t, err)
		listed, err := bob.RoomFiles(ctx, room.ID, "leav", "other", "")
		must(t, err)
		if len(listed.Items) != 1 || listed.Items[0].Seq != said.Seq || listed.Items[0].Sender.Username != "ann" {
			t.Fatalf("in the list: %+v", listed)
		}
		for where, files := range map[string][]client.File{"the answer": said.Message.Files,
			"the event": next(t, events).Message.Files, "the page": page.Items[0].Message.Files,
			"the list": {listed.Items[0].File}} {
			if len(files) != 1 || files[0].ID != u.ID || files[0].Size != int64(len(data)) ||
				files[0].Name != "leaves of tea.bin" {
				t.Errorf("%s has %+v", where, files)
			}
		}
		var got bytes.Buffer
		_, err = bob.Download(ctx, u.ID, 0, &got)
		must(t, err)
		if !bytes.Equal(got.Bytes(), data) {
			t.Errorf("bob got %d bytes of %d", got.Len(), len(data))
		}
		got.Reset()
		_, err = bob.Download(ctx, u.ID, domain.FilePart-10, &got)
		must(t, err)
		if !bytes.Equal(got.Bytes(), data[domain.FilePart-10:]) {
			t.Errorf("bob got %d bytes from the middle", got.Len())
		}
		if _, err := eve.Download(ctx, u.ID, 0, io.Discard); codeOf(err) != client.CodeNoSuchFile {
			t.Errorf("a stranger: %v", err)
		}
		link := linkTo(t, bob, u.ID)
		if link == "" || linkTo(t, eve, u.ID) != "" {
			t.Fatalf("bob has the link %q, eve %q", link, linkTo(t, eve, u.ID))
		}
		r := s.Get(link)
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'; sandbox",
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Disposition": "attachment; filename*=UTF-8''leaves%20of%20tea.bin"} {
			if r.Header.Get(name) != want {
				t.Errorf("%s: %q", name, r.Header.Get(name))
			}
		}
		if body, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusOK || !bytes.Equal(body, data) {
			t.Errorf("by link: %d, %d bytes", r.StatusCode, len(body))
		}
		if r := s.Get(strings.Replace(link, id(t, bob), id(t, ann), 1)); r.StatusCode != http.StatusForbidden {
			t.Errorf("a changed link: %d", r.StatusCode)
		}
		must(t, ann.Do(ctx, "DELETE", fmt.Sprint("/rooms/", room.ID, "/messages/", said.Seq), nil, nil))
		if r := s.Get(link); r.StatusCode != http.StatusNotFound {
			t.Errorf("a link to what was deleted: %d", r.StatusCode)
		}
		if _, err := ann.Upload(ctx, u.ID); codeOf(err) != client.CodeNoSuchFile {
			t.Errorf("what was deleted: %v", err)
		}
	})
}

// linkTo returns the link to the content of a file; empty: the user gets none.
func linkTo(t *testing.T, c *client.Client, file string) string {
	t.Helper()
	var out struct {
		Links map[string]struct{ Content string }
	}
	must(t, c.Do(t.Context(), "POST", "/files/links", map[string][]string{"files": {file}}, &out))
	return out.Links[file].Content
}
